package policy

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"accessbot/schema/email"
)

// Problem is one mistake in a policy's file. Lines and columns count from 1.
type Problem struct {
	File         string
	Line, Column int
	Text         string // what is wrong, and how it should look
}

func (p *Problem) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Column, p.Text)
}

// maxSource is more than anybody can read, and as much as the database takes.
const maxSource = 100_000

// Parse reads a policy from YAML. The error names everything that is wrong, as joined *Problem.
func Parse(file string, source []byte) (*Policy, error) {
	r := &reader{file: file, lines: strings.Split(string(source), "\n")}
	var document yaml.Node
	if len(source) > maxSource {
		return nil, fmt.Errorf("%s has %d bytes: a policy has %d at most", file, len(source), maxSource)
	}
	if err := yaml.Unmarshal(source, &document); err != nil {
		return nil, r.syntax(err)
	}
	p := &Policy{}
	switch {
	case len(document.Content) == 0:
		r.wrong(&yaml.Node{Line: 1, Column: 1}, "the file is empty: it should be a list of rules, such as\n%s", strings.TrimSpace(string(Default)))
	default:
		p.Rules = r.rules(document.Content[0])
	}
	if len(r.problems) > 0 {
		return nil, errors.Join(r.problems...)
	}
	return p, nil
}

// reader walks the nodes of a file and collects what is wrong with them.
type reader struct {
	file     string
	lines    []string
	where    string // the rule that is being read
	problems []error
}

func (r *reader) wrong(at *yaml.Node, format string, args ...any) {
	r.problem(at.Line, at.Column, fmt.Sprintf(format, args...))
}

func (r *reader) problem(line, column int, text string) {
	r.problems = append(r.problems, &Problem{r.file, line, column, r.where + text})
}

// syntax is a file that is no YAML. The decoder names the line where the broken block begins, so it is looked for: the
// last line up to which the file could still be read is the one before the mistake.
func (r *reader) syntax(err error) error {
	line := len(r.lines)
	for ; line > 1; line-- {
		var ignored yaml.Node
		if yaml.Unmarshal([]byte(strings.Join(r.lines[:line-1], "\n")), &ignored) == nil {
			break
		}
	}
	text := r.lines[line-1]
	column := 1 + len(text) - len(strings.TrimLeft(text, " "))
	_, what, _ := strings.Cut(strings.TrimPrefix(err.Error(), "yaml: "), ": ")
	return &Problem{r.file, line, column, fmt.Sprintf("from here on this is no YAML (%s): what belongs together is indented alike, and text with : # { [ or quotes in it is a delegate quotes", what)}
}

// fields answers a mapping's values by key. What is not among known is wrong, as is what stands there twice.
func (r *reader) fields(node *yaml.Node, what string, known ...string) map[string]*yaml.Node {
	fields := map[string]*yaml.Node{}
	if node.Kind != yaml.MappingNode {
		r.wrong(node, "%s should have only: %s", what, strings.Join(known, ", "))
		return fields
	}
	for n := 0; n+1 < len(node.Content); n += 2 {
		key, value := node.Content[n], node.Content[n+1]
		switch {
		case !slices.Contains(known, key.Value):
			r.wrong(key, "there is no %q here: %s has %s", key.Value, what, strings.Join(known, ", "))
		case fields[key.Value] != nil:
			r.wrong(key, "%q stands here twice", key.Value)
		default:
			fields[key.Value] = value
		}
	}
	return fields
}

// read has a field read, if it is there.
func read(fields map[string]*yaml.Node, key string, by func(*yaml.Node)) {
	if node := fields[key]; node != nil {
		by(node)
	}
}

func (r *reader) rules(root *yaml.Node) []Rule {
	fields := r.fields(root, "a policy", "rules")
	list := fields["rules"]
	switch {
	case list == nil:
		if len(r.problems) == 0 {
			r.wrong(root, "there are no rules")
		}
		return nil
	case list.Kind != yaml.SequenceNode || len(list.Content) == 0:
		r.wrong(list, "rules should be a list of one rule or more, each beginning with - name:")
		return nil
	}
	var rules []Rule
	names := map[string]int{}
	always := 0 // the first rule that always matches, counted from 1
	for n, node := range list.Content {
		r.where = called(n+1, node)
		c := r.rule(node)
		if before := names[c.Name]; before > 0 && c.Name != "" {
			r.wrong(node, "rule %d has this name already", before)
		}
		names[c.Name] = n + 1
		if always > 0 {
			r.wrong(node, "this is never reached: rule %d has no condition and evaluates all that is left", always)
			always = -1 // said once
		}
		if c.Condition == "" && always == 0 {
			always = n + 1
		}
		rules = append(rules, c)
	}
	if last := list.Content[len(list.Content)-1]; always == 0 && len(r.problems) == 0 {
		r.wrong(last, "the last rule must have no condition, so that there is one for everything")
	}
	r.where = ""
	return rules
}

// called is how a rule is called whatever is wrong with it.
func called(position int, node *yaml.Node) string {
	for n := 0; node.Kind == yaml.MappingNode && n+1 < len(node.Content); n += 2 {
		if name := node.Content[n+1].Value; node.Content[n].Value == "name" && name != "" {
			return fmt.Sprintf("rule %d (%.80s): ", position, name)
		}
	}
	return fmt.Sprintf("rule %d: ", position)
}

func (r *reader) rule(node *yaml.Node) (c Rule) {
	fields := r.fields(node, "a rule", "name", "when", "approve", "deny", "ask", "limits", "remind_after", "escalate_after", "expire_after")
	read(fields, "name", func(n *yaml.Node) { c.Name = r.text(n, 80) })
	if fields["name"] == nil {
		r.wrong(node, "it has no name: people read it in the audit")
	}
	read(fields, "when", func(n *yaml.Node) { c.Condition, c.matches = r.condition(n) })
	verdicts := 0
	read(fields, "approve", func(n *yaml.Node) {
		verdicts++
		if c.Approve = n.Value == "true"; !c.Approve {
			r.wrong(n, "approve can only be true: leave it out otherwise")
		}
	})
	read(fields, "deny", func(n *yaml.Node) { verdicts++; c.Deny = r.text(n, 500) })
	read(fields, "ask", func(n *yaml.Node) { verdicts++; c.Stages = r.stages(n) })
	if verdicts != 1 && node.Kind == yaml.MappingNode {
		r.wrong(node, "a rule has one of: approve: true, deny: (what the requester is told), ask: (who decides); this one has %d", verdicts)
	}
	read(fields, "limits", func(n *yaml.Node) { c.Limits = r.limits(n) })
	for _, wait := range []struct {
		key string
		to  *time.Duration
	}{{"remind_after", &c.RemindAfter}, {"escalate_after", &c.EscalateAfter}, {"expire_after", &c.ExpireAfter}} {
		read(fields, wait.key, func(n *yaml.Node) {
			*wait.to = r.duration(n)
			if fields["ask"] == nil {
				r.wrong(n, "%s is for rules that ask", wait.key)
			}
		})
	}
	return c
}

func (r *reader) text(node *yaml.Node, most int) string {
	text := strings.TrimSpace(node.Value)
	switch {
	case node.Kind != yaml.ScalarNode, text == "":
		r.wrong(node, "this should be a text")
	case len([]rune(text)) > most:
		r.wrong(node, "this is longer than %d characters", most)
	}
	return text
}

func (r *reader) condition(node *yaml.Node) (string, condition) {
	if node.Kind != yaml.ScalarNode || strings.TrimSpace(node.Value) == "" {
		r.wrong(node, "this should be a condition, such as risk == \"high\"; leave it out for a rule that always matches")
		return "always wrong", condition{}
	}
	compiled, mistakes := compile(node.Value)
	line, column := node.Line, node.Column
	switch {
	case node.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		line++ // the text begins below its sign
		if line <= len(r.lines) {
			column = 1 + len(r.lines[line-1]) - len(strings.TrimLeft(r.lines[line-1], " "))
		}
	case node.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0:
		column++
	}
	for _, m := range mistakes {
		r.problem(line+m.line, column+m.column, "when: "+m.text+vocabulary)
	}
	return node.Value, compiled
}

const vocabulary = "; a condition knows requester (email, name, job_title, department, manager, administrator), application (slug, name, connector), " +
	"entitlement (key, name, kind, risk), risk, days, duration, permanent and purpose"

func (r *reader) stages(node *yaml.Node) (stages []Stage) {
	if node.Kind != yaml.SequenceNode || len(node.Content) == 0 {
		r.wrong(node, "ask should be a list of stages, such as\n- approvers: [manager]\n- approvers: [application owners]\n  required_approvals: 2")
		return nil
	}
	if len(node.Content) > maxStages {
		r.wrong(node, "there are %d stages, and %d at most", len(node.Content), maxStages)
	}
	for _, n := range node.Content {
		fields := r.fields(n, "a stage", "approvers", "escalate_to", "required_approvals")
		s := Stage{RequiredApprovals: 1}
		read(fields, "approvers", func(n *yaml.Node) { s.Approvers = r.sources(n) })
		read(fields, "escalate_to", func(n *yaml.Node) { s.EscalateTo = r.sources(n) })
		read(fields, "required_approvals", func(n *yaml.Node) { s.RequiredApprovals = r.number(n, maxAgree) })
		if fields["approvers"] == nil && n.Kind == yaml.MappingNode {
			r.wrong(n, "a stage says whom it asks: approvers: [%s]", EntitlementOwners)
		}
		stages = append(stages, s)
	}
	return stages
}

// More than these are mistakes.
const (
	maxStages = 9
	maxAgree  = 20
)

var address = regexp.MustCompile(`^[^@\s]+@[^@\s]+$`)

func (r *reader) sources(node *yaml.Node) (sources []Source) {
	if node.Kind != yaml.SequenceNode || len(node.Content) == 0 {
		r.wrong(node, "this should be a list, such as [%s, %s]", Managers, ApplicationOwners)
		return nil
	}
	for _, n := range node.Content {
		s := Source(n.Value)
		if _, known := bases[s]; !known {
			s = Source(email.Lower(n.Value))
			if n.Kind != yaml.ScalarNode || !address.MatchString(n.Value) {
				r.wrong(n, "%q is neither someone's e-mail address nor one of: %s, %s, %s, %s, %s", n.Value,
					EntitlementOwners, ApplicationOwners, Managers, ManagersManagers, Administrators)
			}
		}
		if slices.Contains(sources, s) {
			r.wrong(n, "%q stands here twice", n.Value)
		}
		sources = append(sources, s)
	}
	return sources
}

func (r *reader) limits(node *yaml.Node) (l Limits) {
	fields := r.fields(node, "limits", "max_days", "permanent", "note")
	read(fields, "max_days", func(n *yaml.Node) { l.MaxDays, l.NoPermanent = r.number(n, 36500), true })
	read(fields, "permanent", func(n *yaml.Node) {
		if l.NoPermanent = true; n.Value != "false" {
			r.wrong(n, "permanent can only be false: leave it out otherwise; with max_days, nothing is permanent anyway")
		}
	})
	read(fields, "note", func(n *yaml.Node) {
		if l.NoteRequired = n.Value == "required"; !l.NoteRequired {
			r.wrong(n, "note can only be required: leave it out otherwise")
		}
	})
	return l
}

func (r *reader) number(node *yaml.Node, most int) int {
	n, err := strconv.Atoi(node.Value)
	if err != nil || node.Kind != yaml.ScalarNode || n < 1 || n > most {
		r.wrong(node, "%q should be a number from 1 to %d", node.Value, most)
		return 1
	}
	return n
}

var durationForm = regexp.MustCompile(`^([1-9][0-9]{0,4})(m|h|d)$`)

var durationUnits = map[string]time.Duration{"m": time.Minute, "h": time.Hour, "d": 24 * time.Hour}

func (r *reader) duration(node *yaml.Node) time.Duration {
	found := durationForm.FindStringSubmatch(node.Value)
	if found == nil {
		r.wrong(node, "%q should be a duration such as 30m, 24h or 14d", node.Value)
		return 0
	}
	n, err := strconv.Atoi(found[1])
	if err != nil {
		r.wrong(node, "%q is no number", found[1])
	}
	return time.Duration(n) * durationUnits[found[2]]
}
