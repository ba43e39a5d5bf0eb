package views

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"accessbot/schema"
)

// phase is where an item stands, in the words of this package's readers.
type phase int

// In the order in which a summary counts them: what is held, what is to come, how the rest ended.
const (
	active phase = iota
	provisioning
	approved
	waiting
	unsent
	noApprover
	leaving
	denied
	failed
	expired
	withdrawn
	ended
	removedByHolder
	revoked
	kept
	phases // how many there are
)

var phaseSigns = [phases]struct{ emoji, label string }{
	active:          {"✅", "active"},
	provisioning:    {"⚙️", "being provisioned"},
	approved:        {"👍", "approved"},
	waiting:         {"⏳", "awaiting approval"},
	unsent:          {"⏳", "not sent for approval yet"},
	noApprover:      {"⚠️", "without an approver"},
	leaving:         {"⚙️", "being revoked"},
	denied:          {"⛔", "denied"},
	failed:          {"⚠️", "couldn't be set up"},
	expired:         {"⌛", "expired"},
	withdrawn:       {"↩️", "withdrawn"},
	ended:           {"🏁", "ended"},
	removedByHolder: {"🏁", "removed"},
	revoked:         {"🏁", "revoked"},
	kept:            {"🔁", "ended but still held for another reason"},
}

func (p phase) emoji() string { return phaseSigns[p].emoji }
func (p phase) label() string { return phaseSigns[p].label }

// standing is where an item stands. Words says it for people, in mrkdwn.
type standing struct {
	phase phase
	words string
}

// told is an item with where it stands.
type told struct {
	schema.Item
	standing
}

// tell says of items where they stand, with times for a reader in a zone. Reader 0: anybody.
func tell(r *schema.Request, items []schema.Item, zone string, reader int64) []told {
	all := make([]told, len(items))
	for n, i := range items {
		all[n] = told{i, standingOf(r, i, zone, reader)}
	}
	return all
}

// undecided is why what needed a decision expired.
const undecided = "no one decided in time"

// standingOf reads the item's decision, release and claim before its state: the state may lag behind them by a moment.
func standingOf(r *schema.Request, i schema.Item, zone string, reader int64) standing {
	why := problemOf(r, i, readerOf(r, reader))
	switch i.State {
	case schema.Failed:
		return standing{failed, because(failed.label(), why)}
	case schema.Expired:
		return standing{expired, because(expired.label(), undecided)}
	case schema.Provisioning, schema.Active:
		return standingOfGiven(r, i, zone, why)
	case schema.Ended, schema.Revoked:
		return standingOfOver(i, zone)
	}
	switch d := i.Decision; {
	case i.State == schema.Withdrawn, i.StopOrder != nil && i.State != schema.Denied:
		return standing{withdrawn, withdrawal(r, i.StopOrder, reader)}
	case d != nil && !d.Approves():
		return standing{denied, because("denied by "+deciders(i, 0), d.Reason)}
	case i.State == schema.Denied:
		return standing{denied, "denied"}
	case d != nil && i.State == schema.Approved:
		return standing{approved, also("approved by "+deciders(i, 0)+sooner(r, i, zone), why)}
	case d != nil:
		return standing{approved, "approved by " + deciders(i, 0) + sooner(r, i, zone)}
	case i.State == schema.Approved:
		return standing{approved, also("approved", why)}
	case i.State == schema.Submitted:
		return standing{unsent, "submitted"}
	case r.NoApprover(i):
		return standing{noApprover, "no approver is available" + soFar(r, i, zone)}
	case !r.Sent(i) && len(i.Decisions) == 0:
		return standing{unsent, "not sent for approval yet" + soFar(r, i, zone)}
	}
	return standing{waiting, "awaiting approval" + soFar(r, i, zone)}
}

// soFar says how far an item has come that several people are asked about; nothing for a single approval.
func soFar(r *schema.Request, i schema.Item, zone string) string {
	var words string
	a, open := r.OpenApproval(i)
	if open && a.Stages > 1 {
		words += fmt.Sprintf(", stage %d of %d", a.Stage, a.Stages)
	}
	if len(i.Decisions) > 0 {
		words += ", approved so far by " + deciders(i, 0) + sooner(r, i, zone)
	}
	if missing := a.RequiredApprovals - len(i.ApprovedIn(a.Stage)); open && a.RequiredApprovals > 1 {
		words += fmt.Sprintf(", %d more to agree", missing)
	}
	return words
}

// overdue is how long past its end access is no longer called active, though it is not gone: a moment is usual.
const overdue = time.Minute

// standingOfGiven is of an item that is being set up or held, and why it is not held yet. It is active from the moment that the
// target showed it, and was never removed if the target never did.
func standingOfGiven(r *schema.Request, i schema.Item, zone, why string) standing {
	removing := ", the access is being revoked"
	if i.Claim == nil || !i.Claim.GrantedAt.Valid {
		removing = ", making sure that there is no access"
	}
	switch {
	case i.StopOrder != nil:
		return standing{leaving, order(*i.StopOrder) + removing}
	case i.Claim != nil && i.Claim.EndsAt.Valid && r.ReadAt.Sub(i.Claim.EndsAt.Time) >= overdue:
		return standing{leaving, "the end has passed" + removing}
	case i.State == schema.Active && i.Claim != nil && i.Claim.GrantedAt.Valid:
		return standing{active, "active " + untilOf(r, i, zone)}
	case i.Claim != nil && i.Claim.EndedAt.Valid: // given up while the target could not be asked
		return standing{leaving, because(failed.label(), why) + removing}
	case why != "":
		return standing{provisioning, remark(why)}
	}
	return standing{provisioning, provisioning.label()}
}

// also goes on in the sentence with what people should know besides, if there is anything. why is anybody's text.
func also(what, why string) string {
	if why = remark(why); why == "" {
		return what
	}
	return what + ", " + why
}

// standingOfOver is of an item that was held. Access may stay for another reason: then it did not go.
func standingOfOver(i schema.Item, zone string) standing {
	p, how := ended, "ended"
	if i.StopOrder != nil {
		p, how = revoked, order(*i.StopOrder)
		if i.StopOrder.Kind == schema.KindRemovedByHolder {
			p = removedByHolder
		}
	}
	c := i.Claim
	switch {
	case c == nil:
		return standing{p, how}
	case !c.EndedAt.Valid:
		return standing{leaving, how + ", the access is being revoked"}
	}
	over := how + " on " + When(c.EndedAt.Time, zone)
	if !settled(*c) {
		return standing{leaving, over + ", the access is being revoked"}
	}
	if !c.RemovedAt.Valid {
		return standing{kept, over + ", the access stays for another reason"}
	}
	gone := When(c.RemovedAt.Time, zone)
	switch {
	case !c.GrantedAt.Valid:
		over += ", before it was set up"
	case gone != When(c.EndedAt.Time, zone):
		over += ", the access was removed on " + gone
	}
	return standing{p, over}
}

// reconciled tells whether a claim is over and its assignment was looked at since: the access is gone, or stays for another reason.
func settled(c schema.Claim) bool { return c.RemovedAt.Valid || c.EndedAt.Valid && !c.DueAt.Valid }

// untilOf says until when the item is held: the end of its claim, which may be sooner than what was asked for.
func untilOf(r *schema.Request, i schema.Item, zone string) string {
	c := i.Claim.EndsAt
	switch {
	case !c.Valid:
		return "permanently"
	case r.EndsAt.Valid && c.Time.Equal(r.EndsAt.Time):
		return Until(r, zone)
	}
	return "until " + When(c.Time, zone) + ", sooner than was asked for"
}

// sooner says that an approver granted less time than was asked for, if so.
func sooner(r *schema.Request, i schema.Item, zone string) string {
	end := r.EndOf(i)
	if !end.Valid || r.EndsAt.Valid && end.Time.Equal(r.EndsAt.Time) {
		return ""
	}
	return " until " + When(end.Time, zone) + ", sooner than was asked for"
}

// deciders names who approved an item, or who denied it, as a reader is told; 0: anybody.
func deciders(i schema.Item, reader int64) string {
	decisions := i.Decisions
	if i.Decision != nil && (!i.Decision.Approves() || len(decisions) == 0) {
		decisions = []schema.Decision{*i.Decision}
	}
	var names []string
	for _, d := range decisions {
		who := name(d.DeciderName)
		switch {
		case !d.DecidedBy.Valid:
			who = "the policy"
		case d.DecidedBy.Int64 == reader:
			who = "you"
		}
		if d.Override {
			who += " as an administrator, since no one else had decided"
		}
		if !slices.Contains(names, who) {
			names = append(names, who)
		}
	}
	return andMore(names, len(names))
}

// withdrawal says, where two could, who withdrew what they asked for: "you" to a reader who did.
func withdrawal(r *schema.Request, x *schema.StopOrder, reader int64) string {
	switch {
	case x == nil:
		return "withdrawn"
	case x.Kind == schema.KindPersonLeft:
		return "withdrawn, the requester has left"
	case x.Kind == schema.KindWorkflowCancelled:
		return because("withdrawn by an operator", x.Reason)
	case !r.SubmittedBy.Valid || !x.PersonID.Valid:
		return "withdrawn"
	case x.PersonID.Int64 == reader:
		return "withdrawn by you"
	}
	return "withdrawn by " + name(x.PersonName)
}

// order says who wanted access back.
func order(x schema.StopOrder) string {
	switch x.Kind {
	case schema.KindRemovedByHolder:
		return "removed"
	case schema.KindRevoked:
		return because("revoked by "+name(x.PersonName), x.Reason)
	case schema.KindPersonLeft:
		return "revoked from a leaver"
	case schema.KindWorkflowCancelled:
		return because("revoked by an operator", x.Reason)
	}
	return "revoked"
}

// because adds what people should know besides, if there is anything. why is anybody's text.
func because(what, why string) string {
	if why = remark(why); why == "" {
		return what
	}
	return what + " (" + why + ")"
}

// count is how many items there are of each phase.
func count(items []told) (n [phases]int) {
	for _, i := range items {
		n[i.phase]++
	}
	return n
}

// summary counts the items by phase: "2 active, 1 denied".
func summary(n [phases]int) string {
	var parts []string
	for p := range phases {
		if n[p] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n[p], p.label()))
		}
	}
	return strings.Join(parts, ", ")
}

// grants counts: "1 access grant", "3 access grants".
func grants(n int) string {
	if n == 1 {
		return "1 access grant"
	}
	return fmt.Sprintf("%d access grants", n)
}

// inApplications names where the items are: "in GitHub", "in GitHub and Jira", "in 7 applications".
func inApplications(items []told) string {
	apps := byApplication(items)
	switch len(apps) {
	case 1:
		return "in " + name(apps[0][0].ApplicationName)
	case 2:
		return "in " + name(apps[0][0].ApplicationName) + " and " + name(apps[1][0].ApplicationName)
	}
	return fmt.Sprintf("in %d applications", len(apps))
}

// byApplication takes items apart by application, in the order in which they come.
func byApplication(items []told) [][]told {
	var apps [][]told
	position := map[int64]int{}
	for _, i := range items {
		n, ok := position[i.ApplicationID]
		if !ok {
			n = len(apps)
			position[i.ApplicationID] = n
			apps = append(apps, nil)
		}
		apps[n] = append(apps[n], i)
	}
	return apps
}

// namedAtMost is how many items of one application a message names.
const namedAtMost = 10

// listed names items, a line each below its application, in about room characters. What is not named is counted, in the
// words of rest.
func listed(items []told, room int, each func(told) string, rest func([]told) string) []string {
	var lines []string
	shown := 0
	for _, app := range byApplication(items) {
		heading := bold(name(app[0].ApplicationName))
		room -= length(heading)
		named := 0
		for named < min(len(app), namedAtMost) {
			line := each(app[named])
			if room -= length(line); room < 0 {
				break
			}
			if named == 0 {
				lines = append(lines, heading)
			}
			lines = append(lines, line)
			named++
		}
		if named == 0 {
			break
		}
		shown += len(app)
		if left := app[named:]; len(left) > 0 {
			more := "     and " + rest(left)
			room -= length(more)
			lines = append(lines, more)
		}
	}
	if left := inOrder(items)[shown:]; len(left) > 0 {
		lines = append(lines, fmt.Sprintf("and %s %s", rest(left), inApplications(left)))
	}
	return lines
}

// inOrder are the items, those of one application together.
func inOrder(items []told) []told {
	var ordered []told
	for _, app := range byApplication(items) {
		ordered = append(ordered, app...)
	}
	return ordered
}

// named names items on a line for each application, in about room characters: "*GitHub*: reader, writer and 3 more".
func named(items []told, room int) []string {
	var lines []string
	shown := 0
	for _, app := range byApplication(items) {
		var names []string
		for _, i := range app[:min(len(app), namedAtMost)] {
			names = append(names, name(i.Name))
		}
		line := bold(name(app[0].ApplicationName)) + ": " + andMore(names, len(app))
		if room -= length(line); room < 0 && shown > 0 {
			break
		}
		lines = append(lines, line)
		shown += len(app)
	}
	if left := inOrder(items)[shown:]; len(left) > 0 {
		lines = append(lines, fmt.Sprintf("and %d more %s", len(left), inApplications(left)))
	}
	return lines
}

// andMore lists the first of a number of things, as many as fit in a line, and counts the others.
func andMore(escaped []string, of int) string {
	room := 600
	n := 0
	for n < len(escaped) && (n == 0 || room >= length(escaped[n])+2) {
		room -= length(escaped[n]) + 2
		n++
	}
	list := strings.Join(escaped[:n], ", ")
	if of > n {
		list += fmt.Sprintf(" and %d more", of-n)
	}
	return list
}

// group is items of which the same is said.
type group struct {
	words string
	items []told
}

// grouped takes items apart by what is said of them, in the order in which they come.
func grouped(items []told, words func(told) string) []group {
	var groups []group
	position := map[string]int{}
	for _, i := range items {
		w := words(i)
		n, ok := position[w]
		if !ok {
			n = len(groups)
			position[w] = n
			groups = append(groups, group{words: w})
		}
		groups[n].items = append(groups[n].items, i)
	}
	return groups
}
