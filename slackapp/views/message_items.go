package views

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"accessbot/schema"
)

// standing is an item's status: a label from the table of states, and words with more details, in mrkdwn.
type standing struct {
	phase phase
	label string
	words string
}

// in returns a standing with the label of its phase.
func in(p phase, words string) standing { return standing{p, p.label(), words} }

// told is an item with its standing.
type told struct {
	schema.Item
	standing
}

// tell adds the standing to each item, with times in the reader's zone. Reader 0: not known.
func tell(r *schema.Request, items []schema.Item, zone string, reader int64) []told {
	all := make([]told, len(items))
	for n, i := range items {
		all[n] = told{i, standingOf(r, i, zone, reader)}
	}
	return all
}

// standingOf reads the item's decision, withdrawal or revocation, and claim before its state: the state may lag behind them.
func standingOf(r *schema.Request, i schema.Item, zone string, reader int64) standing {
	why := problemOf(r, i, readerOf(r, reader))
	switch i.State {
	case schema.Failed:
		return in(failed, because(failed.words(), why))
	case schema.Expired:
		return standingOfExpired(r, i)
	case schema.Provisioning, schema.Active:
		return standingOfLive(r, i, zone, reader, why)
	case schema.Ended, schema.Revoked:
		return standingOfOver(r, i, zone, reader)
	}
	switch d := i.Decision; {
	case i.State == schema.Withdrawn, i.StopOrder != nil && i.State != schema.Denied:
		return in(withdrawn, withdrawal(r, i.StopOrder, reader))
	case d != nil && !d.Approves():
		return in(denied, because(denied.words()+" by "+deciders(i, 0), d.Reason))
	case i.State == schema.Denied:
		return in(denied, denied.words())
	case d != nil && i.State == schema.Approved:
		return in(approved, also(approved.words()+" by "+deciders(i, 0)+sooner(r, i, zone), why))
	case d != nil:
		return in(approved, approved.words()+" by "+deciders(i, 0)+sooner(r, i, zone))
	case i.State == schema.Approved:
		return in(approved, also(approved.words(), why))
	case i.State == schema.Submitted:
		return in(submitted, submitted.words())
	case r.NoApprover(i):
		return in(noApprover, noApprover.words()+", no approver is available"+soFar(r, i, zone))
	case !r.Sent(i) && len(i.Decisions) == 0:
		return in(unsent, unsent.words()+", not sent to an approver yet"+soFar(r, i, zone))
	}
	return in(waiting, waiting.words()+soFar(r, i, zone))
}

// standingOfExpired returns the standing of an item that was not decided, or not set up, before its requested end or in time for a response.
func standingOfExpired(r *schema.Request, i schema.Item) standing {
	end := r.EndOf(i)
	switch {
	case !end.Valid || i.StateAt.Before(end.Time):
		return in(expired, expired.words())
	case i.Decision != nil && i.Decision.Approves():
		return in(endPassed, "the requested end date passed before it was set up")
	}
	return in(endPassed, "the requested end date passed before a decision")
}

// soFar returns an item's progress, if it has several stages or its stage requires several approvals.
func soFar(r *schema.Request, i schema.Item, zone string) string {
	var words string
	a, open := r.OpenApproval(i)
	missing := a.RequiredApprovals - len(i.ApprovedIn(a.Stage))
	switch {
	case !open:
	case a.Stages > 1:
		words = fmt.Sprintf(", stage %d of %d: %s", a.Stage, a.Stages, approvalsRequired(missing, a.RequiredApprovals))
	case a.RequiredApprovals > 1:
		words = ", " + approvalsRequired(missing, a.RequiredApprovals)
	}
	if len(i.Decisions) > 0 {
		words += ", approved so far by " + deciders(i, 0) + sooner(r, i, zone)
	}
	return words
}

func approvalsRequired(missing, of int) string {
	more := ""
	if missing < of {
		more = " more"
	}
	if missing == 1 {
		return "1" + more + " approval required"
	}
	return fmt.Sprintf("%d%s approvals required", missing, more)
}

// overdue is how long after its end access that is not gone yet is still called active: usually it takes a moment.
const overdue = time.Minute

// standingOfLive returns the standing of an item that is being set up or held. It is active from the moment that the target showed the access.
func standingOfLive(r *schema.Request, i schema.Item, zone string, reader int64, why string) standing {
	switch c := i.Claim; {
	case i.StopOrder != nil:
		return removal(r, i, reader, order(r, *i.StopOrder, reader))
	case c != nil && c.EndsAt.Valid && r.ReadAt.Sub(c.EndsAt.Time) >= overdue:
		return removal(r, i, reader, "the end date has passed")
	case i.State == schema.Active && c != nil && c.GrantedAt.Valid:
		return in(active, active.words()+" "+untilOf(r, i, zone))
	case c != nil && c.EndedAt.Valid: // given up while the target could not be asked
		return removal(r, i, reader, because(failed.words(), why))
	case why != "":
		return in(provisioning, provisioning.words()+", "+remark(why))
	}
	return in(provisioning, provisioning.words())
}

// removal returns the standing of access that is over and not confirmed to be gone. why says what ended it.
func removal(r *schema.Request, i schema.Item, reader int64, why string) standing {
	p := removing
	if i.Claim != nil && i.Claim.AlertedAt.Valid {
		p = unconfirmed
	}
	words := p.words()
	switch byHolder := i.StopOrder != nil && i.StopOrder.Kind == schema.KindRemovedByHolder; {
	case i.Claim == nil || !i.Claim.GrantedAt.Valid:
		words = why + ", confirming that there is no access"
		if p == unconfirmed {
			words = p.words() + ": " + why
		}
	case byHolder && p == removing:
		words += strings.TrimPrefix(lower(removedBy(r.Requester.Name, reader == r.RequesterID)), "removed")
	default:
		words += ", " + why
	}
	return in(p, words)
}

// also adds to a sentence what else people should know, if there is anything. Why is not escaped.
func also(what, why string) string {
	if why = remark(why); why == "" {
		return what
	}
	return what + ", " + why
}

// standingOfOver returns the standing of an item that was held. Its access may be kept for another reason.
func standingOfOver(r *schema.Request, i schema.Item, zone string, reader int64) standing {
	over := in(ended, ended.words())
	if i.StopOrder != nil {
		over = in(revoked, order(r, *i.StopOrder, reader))
		if i.StopOrder.Kind == schema.KindRemovedByHolder {
			over = standing{removedByHolder, sentence(over.words), over.words}
		}
	}
	c := i.Claim
	switch {
	case c == nil:
		return over
	case !c.EndedAt.Valid:
		return removal(r, i, reader, over.words)
	}
	over.words += " on " + When(c.EndedAt.Time, zone)
	switch gone := When(c.RemovedAt.Time, zone); {
	case !reconciled(*c):
		return removal(r, i, reader, over.words)
	case !c.RemovedAt.Valid:
		over.phase = kept
		over.words += "; the access is kept for another reason"
	case !c.GrantedAt.Valid:
		over.words += ", before it was set up"
	case gone != When(c.EndedAt.Time, zone):
		over.words += ", confirmed gone on " + gone
	}
	return over
}

// reconciled reports whether a claim is over and its assignment was read since: the access is gone, or kept for another reason.
func reconciled(c schema.Claim) bool { return c.RemovedAt.Valid || c.EndedAt.Valid && !c.DueAt.Valid }

// untilOf says until when the item is held: the end of its claim, which may be sooner than requested.
func untilOf(r *schema.Request, i schema.Item, zone string) string {
	c := i.Claim.EndsAt
	switch {
	case !c.Valid:
		return "permanently"
	case r.EndsAt.Valid && c.Time.Equal(r.EndsAt.Time):
		return Until(r, zone)
	}
	return "until " + When(c.Time, zone) + ", sooner than requested"
}

// sooner says that an approver granted less time than requested, if so.
func sooner(r *schema.Request, i schema.Item, zone string) string {
	end := r.EndOf(i)
	if !end.Valid || r.EndsAt.Valid && end.Time.Equal(r.EndsAt.Time) {
		return ""
	}
	return " until " + When(end.Time, zone) + ", sooner than requested"
}

// deciders names who approved an item, or who denied it. Reader 0: not known.
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
			who += " as administrator (no response from the approvers)"
		}
		if !slices.Contains(names, who) {
			names = append(names, who)
		}
	}
	return andMore(names, len(names))
}

// withdrawal says who withdrew an item, where it could be one of two people.
func withdrawal(r *schema.Request, x *schema.StopOrder, reader int64) string {
	words := withdrawn.words()
	switch {
	case x == nil:
		return words
	case x.Kind == schema.KindPersonLeft:
		return words + " (the requester left)"
	case x.Kind == schema.KindWorkflowCancelled:
		return because(words+" by an operator", x.Reason)
	case !r.SubmittedBy.Valid || !x.PersonID.Valid:
		return words
	case x.PersonID.Int64 == reader:
		return words + " by you"
	}
	return words + " by " + name(x.PersonName)
}

// order says who ended the access before its end date.
func order(r *schema.Request, x schema.StopOrder, reader int64) string {
	words := revoked.words()
	switch x.Kind {
	case schema.KindRemovedByHolder:
		return lower(removedBy(r.Requester.Name, reader == r.RequesterID))
	case schema.KindRevoked:
		return because(words+" by "+name(x.PersonName), x.Reason)
	case schema.KindPersonLeft:
		return words + " (the requester left)"
	case schema.KindWorkflowCancelled:
		return because(words+" by an operator", x.Reason)
	}
	return words
}

// because adds a reason in parentheses, if there is one. Why is not escaped.
func because(what, why string) string {
	if why = remark(why); why == "" {
		return what
	}
	return what + " (" + why + ")"
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

// byApplication splits items by application, in the order in which they come.
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

// listed names items, a line each below its application, in about room characters. Rest says how many are left.
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

// inOrder returns the items, those of one application together.
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

// group is items that share their words.
type group struct {
	words string
	items []told
}

// grouped splits items by what is said of them, in the order in which they come.
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
