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

// Problem is one mistake in a policy file. Lines and columns count from 1.
type Problem struct {
	File         string
	Line, Column int
	Text         string // what is wrong, and what is expected
}

func (p *Problem) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Column, p.Text)
}

// Limits of a policy file.
const (
	maxSource    = 100_000 // bytes
	maxStages    = 9
	maxApprovals = 20
	maxDays      = 36_500
)

// builtIn are the defaults of Default: a policy that leaves some out has these.
var builtIn = func() Defaults {
	p, err := parse("default.yaml", Default, Defaults{})
	if err != nil {
		panic(err) // it is part of the program
	}
	return p.Defaults
}()

// Parse reads a policy from YAML. Its error joins a *Problem for each mistake.
func Parse(file string, source []byte) (*Policy, error) { return parse(file, source, builtIn) }

func parse(file string, source []byte, defaults Defaults) (*Policy, error) {
	r := &reader{file: file, lines: strings.Split(string(source), "\n")}
	var document yaml.Node
	if len(source) > maxSource {
		return nil, fmt.Errorf("%s has %d bytes: a policy has at most %d", file, len(source), maxSource)
	}
	if err := yaml.Unmarshal(source, &document); err != nil {
		return nil, r.syntax(err)
	}
	p := &Policy{}
	if len(document.Content) == 0 {
		r.problem(1, 1, "the file is empty: a policy looks like this:\n"+strings.TrimSpace(string(Default)))
	} else {
		fields := r.fields(document.Content[0], "a policy", "defaults", "rules")
		p.Defaults = r.defaults(fields["defaults"], defaults)
		p.Rules = r.rules(document.Content[0], fields["rules"], p.Defaults)
	}
	if len(r.problems) > 0 {
		return nil, errors.Join(r.problems...)
	}
	return p, nil
}

// reader reads the nodes of a file and collects the mistakes.
type reader struct {
	file     string
	lines    []string
	where    string // the section or rule that is being read
	problems []error
}

func (r *reader) wrong(at *yaml.Node, format string, args ...any) {
	r.problem(at.Line, at.Column, fmt.Sprintf(format, args...))
}

func (r *reader) problem(line, column int, text string) {
	r.problems = append(r.problems, &Problem{r.file, line, column, r.where + text})
}

// syntax returns the problem of a file that is not YAML. The decoder names the line where the broken block begins. The mistake
// is in the line after the longest beginning of the file that can be read.
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
	return &Problem{r.file, line, column, fmt.Sprintf("this is not YAML (%s): entries of one list or section have the same "+
		"indentation, and a text with : # { [ or quotes needs quotes", what)}
}

// fields returns the values of a mapping by key. Unknown and repeated keys are mistakes.
func (r *reader) fields(node *yaml.Node, what string, known ...string) map[string]*yaml.Node {
	fields := map[string]*yaml.Node{}
	if node.Kind != yaml.MappingNode {
		r.wrong(node, "%s should have the keys %s", what, strings.Join(known, ", "))
		return fields
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		switch {
		case !slices.Contains(known, key.Value):
			r.wrong(key, "unknown key %q: %s has %s", key.Value, what, strings.Join(known, ", "))
		case fields[key.Value] != nil:
			r.wrong(key, "%q is here twice", key.Value)
		default:
			fields[key.Value] = value
		}
	}
	return fields
}

// read reads a field, if there is one.
func read(fields map[string]*yaml.Node, key string, by func(*yaml.Node)) {
	if node := fields[key]; node != nil {
		by(node)
	}
}

// defaults reads the defaults section over those given. node is nil if there is none.
func (r *reader) defaults(node *yaml.Node, d Defaults) Defaults {
	if node == nil {
		return d
	}
	r.where = "defaults: "
	defer func() { r.where = "" }()
	fields := r.fields(node, "defaults", "remind_after", "escalate_after", "expire_after", "max_days")
	r.times(fields, &d.Times)
	read(fields, "max_days", func(n *yaml.Node) {
		if days, ok := r.number(n, maxDays); ok {
			d.MaxDays = days
		}
	})
	return d
}

// times reads the times among fields.
func (r *reader) times(fields map[string]*yaml.Node, t *Times) {
	read(fields, "remind_after", func(n *yaml.Node) { t.RemindAfter = r.duration(n) })
	read(fields, "escalate_after", func(n *yaml.Node) { t.EscalateAfter = r.duration(n) })
	read(fields, "expire_after", func(n *yaml.Node) { t.ExpireAfter = r.duration(n) })
}

func (r *reader) rules(root, list *yaml.Node, d Defaults) []Rule {
	switch {
	case list == nil:
		if len(r.problems) == 0 {
			r.wrong(root, "there are no rules")
		}
		return nil
	case list.Kind != yaml.SequenceNode || len(list.Content) == 0:
		r.wrong(list, "rules should be a list of at least one rule, each starting with - name:")
		return nil
	}
	var rules []Rule
	names := map[string]int{}
	always := 0 // number of the first rule that always matches; -1: reported
	for i, node := range list.Content {
		r.where = prefix(i+1, node)
		rule := r.rule(node, d)
		if before := names[rule.Name]; before > 0 && rule.Name != "" {
			r.wrong(node, "rule %d has the same name", before)
		}
		names[rule.Name] = i + 1
		if always > 0 {
			r.wrong(node, "this rule is never reached: rule %d has no condition, so it always matches", always)
			always = -1
		}
		if rule.Condition == "" && always == 0 {
			always = i + 1
		}
		rules = append(rules, rule)
	}
	if last := list.Content[len(list.Content)-1]; always == 0 && len(r.problems) == 0 {
		r.wrong(last, "the last rule must have no condition, so that a rule matches every item")
	}
	r.where = ""
	return rules
}

// prefix names a rule in front of its mistakes.
func prefix(number int, node *yaml.Node) string {
	for i := 0; node.Kind == yaml.MappingNode && i+1 < len(node.Content); i += 2 {
		if name := node.Content[i+1].Value; node.Content[i].Value == "name" && name != "" {
			return fmt.Sprintf("rule %d (%.80s): ", number, name)
		}
	}
	return fmt.Sprintf("rule %d: ", number)
}

func (r *reader) rule(node *yaml.Node, d Defaults) Rule {
	rule := Rule{Times: d.Times}
	fields := r.fields(node, "a rule",
		"name", "when", "approve", "deny", "ask", "limits", "remind_after", "escalate_after", "expire_after")
	read(fields, "name", func(n *yaml.Node) { rule.Name = r.text(n, 80) })
	if fields["name"] == nil {
		r.wrong(node, "a rule needs a name, which people read in the audit")
	}
	read(fields, "when", func(n *yaml.Node) { rule.Condition, rule.matches = r.condition(n) })
	outcomes := 0
	read(fields, "approve", func(n *yaml.Node) {
		outcomes++
		if rule.Approve = n.Value == "true"; !rule.Approve {
			r.wrong(n, "approve can only be true: leave it out otherwise")
		}
	})
	read(fields, "deny", func(n *yaml.Node) { outcomes++; rule.Deny = r.text(n, 500) })
	read(fields, "ask", func(n *yaml.Node) { outcomes++; rule.Stages = r.stages(n) })
	if outcomes != 1 && node.Kind == yaml.MappingNode {
		r.wrong(node, "a rule has one of: approve: true, deny: (the text for the requester), ask: (the stages); this one has %d",
			outcomes)
	}
	read(fields, "limits", func(n *yaml.Node) { rule.Limits = r.limits(n, d.MaxDays) })
	r.times(fields, &rule.Times)
	for _, key := range []string{"remind_after", "escalate_after", "expire_after"} {
		if n := fields[key]; n != nil && fields["ask"] == nil {
			r.wrong(n, "%s is for rules with ask", key)
		}
	}
	return rule
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
		r.wrong(node, "this should be a condition, such as risk == \"high\": leave it out for a rule that always matches")
		return "invalid", condition{} // not empty: the rule does not always match
	}
	compiled, mistakes := compile(node.Value)
	line, column := node.Line, node.Column
	switch {
	case node.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		line++ // the text starts on the line below
		if line <= len(r.lines) {
			column = 1 + len(r.lines[line-1]) - len(strings.TrimLeft(r.lines[line-1], " "))
		}
	case node.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0:
		column++
	}
	for _, m := range mistakes {
		r.problem(line+m.line, column+m.column, "when: "+m.text+conditionNames)
	}
	return node.Value, compiled
}

const conditionNames = "; a condition can use requester (email, name, job_title, department, manager, administrator), " +
	"application (slug, name, connector), entitlement (key, name, kind, risk), risk, days, duration, permanent and purpose"

func (r *reader) stages(node *yaml.Node) (stages []Stage) {
	if node.Kind != yaml.SequenceNode || len(node.Content) == 0 {
		r.wrong(node, "ask should be a list of stages, such as\n"+
			"- approvers: [manager]\n- approvers: [application owners]\n  required_approvals: 2")
		return nil
	}
	if len(node.Content) > maxStages {
		r.wrong(node, "there are %d stages: a rule has at most %d", len(node.Content), maxStages)
	}
	for _, n := range node.Content {
		fields := r.fields(n, "a stage", "approvers", "escalate_to", "required_approvals")
		s := Stage{RequiredApprovals: 1}
		read(fields, "approvers", func(n *yaml.Node) { s.Approvers = r.sources(n) })
		read(fields, "escalate_to", func(n *yaml.Node) { s.EscalateTo = r.sources(n) })
		read(fields, "required_approvals", func(n *yaml.Node) { s.RequiredApprovals, _ = r.number(n, maxApprovals) })
		if fields["approvers"] == nil && n.Kind == yaml.MappingNode {
			r.wrong(n, "a stage needs approvers, such as approvers: [%s]", EntitlementOwners)
		}
		stages = append(stages, s)
	}
	return stages
}

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
				r.wrong(n, "%q is neither an e-mail address nor one of: %s, %s, %s, %s, %s", n.Value,
					EntitlementOwners, ApplicationOwners, Managers, ManagersManagers, Administrators)
			}
		}
		if slices.Contains(sources, s) {
			r.wrong(n, "%q is here twice", n.Value)
		}
		sources = append(sources, s)
	}
	return sources
}

// limits reads a rule's limits. longest is the max_days of the policy.
func (r *reader) limits(node *yaml.Node, longest int) (l Limits) {
	fields := r.fields(node, "limits", "max_days", "permanent", "note")
	read(fields, "max_days", func(n *yaml.Node) {
		var ok bool
		if l.MaxDays, ok = r.number(n, maxDays); ok && l.MaxDays > longest {
			r.wrong(n, "max_days of a rule is at most max_days of the defaults, which is %d", longest)
		}
		l.NoPermanent = true
	})
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

func (r *reader) number(node *yaml.Node, most int) (n int, ok bool) {
	n, err := strconv.Atoi(node.Value)
	if err != nil || node.Kind != yaml.ScalarNode || n < 1 || n > most {
		r.wrong(node, "%q should be a number from 1 to %d", node.Value, most)
		return 1, false
	}
	return n, true
}

var durationForm = regexp.MustCompile(`^([1-9][0-9]{0,4})(m|h|d)$`)

var durationUnits = map[string]time.Duration{"m": time.Minute, "h": time.Hour, "d": 24 * time.Hour}

func (r *reader) duration(node *yaml.Node) time.Duration {
	found := durationForm.FindStringSubmatch(node.Value)
	if found == nil {
		r.wrong(node, "%q should be a duration such as 30m, 24h or 14d, and at most 99999d", node.Value)
		return 0
	}
	n, err := strconv.Atoi(found[1])
	if err != nil {
		r.wrong(node, "%q is not a number", found[1])
	}
	return time.Duration(n) * durationUnits[found[2]]
}
