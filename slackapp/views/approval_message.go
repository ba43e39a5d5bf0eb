package views

import (
	"fmt"
	"slices"
	"strings"

	"github.com/slack-go/slack"

	"accessbot/schema"
	"accessbot/schema/policy"
)

// ApprovalMessageFor is one approver's copy of an approval.
type ApprovalMessageFor struct {
	MessageID int64           // the row in slack_messages: the buttons name it
	PersonID  int64           // the reader
	TimeZone  string          // the reader's
	Held      []schema.HeldIn // what the requester has in the applications that the reader decides about
	AskedAnew bool            // a newer message asks the reader about the same request, and has the buttons
}

// Approval asks an approver, with everything in one request that they can decide. Its buttons stay as long as this
// reader can decide something; then it says who decided what, and when.
func ApprovalMessage(r *schema.Request, q ApprovalMessageFor) Message {
	var b body
	mine := tell(r, askedOf(r, q.PersonID), q.TimeZone, q.PersonID)
	open := tell(r, r.DecidableBy(q.PersonID), q.TimeZone, q.PersonID)
	text := approvalHeadline(r, mine, open)
	b.line(bold(text), about(r.Requester))
	if q.AskedAnew && len(open) > 0 {
		b.line("More of this request has come to you. What you can decide, with its buttons, is a delegate a newer message.")
		b.gap()
		b.line(decided(r, q, mine)...)
		b.small("Created " + When(r.CreatedAt, q.TimeZone))
		return b.message(text)
	}
	b.line(whyYou(r, q.PersonID)...)
	b.line(progress(r, open, q.TimeZone)...)
	b.gap()
	if len(open) > 0 {
		b.line(listed(riskiestFirst(open), listRoom, wantedLine, wantedRest)...)
		b.gap()
	}
	b.line(decided(r, q, mine)...)
	b.gap()
	b.line(bold("Duration:") + " " + Until(r, q.TimeZone))
	if len(open) > 0 { // what the requester has later may come from this very request
		b.line(alreadyHas(q.Held, open)...)
	}
	if n := len(r.Items) - len(mine); n > 0 {
		b.line(fmt.Sprintf("The request is also for %s that you are not asked about.", grants(n)))
	}
	b.line(bold("Reason:") + " " + name(r.ReasonLabel))
	b.quote(r.Note)
	b.questions(r, q.PersonID, q.TimeZone)
	b.small("Created " + When(r.CreatedAt, q.TimeZone))
	if len(open) > 0 {
		value := DecisionValue(q.MessageID, r.Terms)
		buttons := []slack.BlockElement{
			button(ActionApprove, value, "Approve", slack.StylePrimary),
			button(ActionDeny, value, "Deny", slack.StyleDanger),
			button(ActionChoose, value, "Choose…", slack.StyleDefault),
			button(ActionAskQuestion, value, "Ask…", slack.StyleDefault),
		}
		if len(open) > namedAtMost { // no one decides about what they cannot see
			buttons = append(buttons, seeAll(r, len(mine)))
		}
		b.buttons(BlockDecide, buttons...)
	}
	return b.message(text)
}

// askedOf are the items about which the person is or was a candidate.
func askedOf(r *schema.Request, personID int64) []schema.Item {
	ids := map[int64]bool{}
	for _, a := range r.Approvals {
		if slices.ContainsFunc(a.Candidates, func(c schema.Candidate) bool { return c.PersonID == personID }) {
			for _, id := range a.ItemIDs {
				ids[id] = true
			}
		}
	}
	var items []schema.Item
	for _, i := range r.Items {
		if ids[i.ID] {
			items = append(items, i)
		}
	}
	return items
}

func approvalHeadline(r *schema.Request, mine, open []told) string {
	who, whom := askedBy(r)
	if len(open) > 0 {
		return fmt.Sprintf("%s asks for %s %s%s: request #%d", who, grants(len(open)), inApplications(open), whom, r.ID)
	}
	return fmt.Sprintf("Nothing left for you to decide: %s asked for %s %s%s, request #%d", who, grants(len(mine)), inApplications(mine), whom, r.ID)
}

// askedBy names who asked, and for whom if that is someone else.
func askedBy(r *schema.Request) (who, whom string) {
	if r.SubmittedBy.Valid {
		return name(r.SubmitterName), " for " + name(r.Requester.Name)
	}
	return name(r.Requester.Name), ""
}

// about says who a person is.
func about(p schema.Person) string {
	var parts []string
	for _, s := range []string{p.JobTitle, p.Department} {
		if Clean(s) != "" {
			parts = append(parts, name(s))
		}
	}
	if p.ManagerName != "" {
		parts = append(parts, "manager "+name(p.ManagerName))
	} else {
		parts = append(parts, "no manager")
	}
	return strings.Join(append(parts, Escape(Cut(Clean(p.Email), 120))), ", ")
}

// why is what a reader is told about why they are asked, around the names of the applications.
type why struct{ before, after string }

// whyYou says why the reader is the one who is asked, a line for each basis. What they were asked before, perhaps on another
// basis, counts only while nothing is open to them, and what has moved on to others does not at all.
func whyYou(r *schema.Request, personID int64) []string {
	var own, inPlace []why
	apps := map[why][]string{}
	open := slices.ContainsFunc(r.Approvals, func(a schema.Approval) bool {
		_, asked := a.Candidate(personID)
		return asked && a.State == "open"
	})
	for _, a := range r.Approvals {
		n := slices.IndexFunc(r.Items, func(i schema.Item) bool { return slices.Contains(a.ItemIDs, i.ID) })
		c, asked := a.Candidate(personID)
		if n < 0 || !asked || a.State == "moved" || open && a.State != "open" {
			continue
		}
		reasons, because := &own, whyOwn(r, a, c)
		if c.InPlaceOf.Valid {
			reasons = &inPlace
			because = why{"🌴 You are asked about ", fmt.Sprintf(" in the place of %s (%s), who is away.", name(c.InPlaceOfName), basisWords(c.Basis))}
		}
		if !slices.Contains(*reasons, because) {
			*reasons = append(*reasons, because)
		}
		if app := name(r.Items[n].ApplicationName); !slices.Contains(apps[because], app) {
			apps[because] = append(apps[because], app)
		}
	}
	var lines []string
	for _, because := range append(own, inPlace...) {
		lines = append(lines, because.before+andMore(apps[because], len(apps[because]))+because.after)
	}
	return lines
}

func whyOwn(r *schema.Request, a schema.Approval, c schema.Candidate) why {
	switch policy.Basis(c.Basis) {
	case policy.EntitlementOwner:
		return why{"You are asked as an owner of access grants in ", "."}
	case policy.ApplicationOwner:
		return why{"You are asked as an owner of ", "."}
	case policy.Manager:
		return why{"You are asked about ", fmt.Sprintf(" as the manager of %s.", name(r.Requester.Name))}
	case policy.ManagersManager:
		return why{"You are asked about ", fmt.Sprintf(" as the manager of %s's manager.", name(r.Requester.Name))}
	case policy.Administrator:
		if a.Level > 0 && c.AskedAt.Time.After(a.OpenedAt) { // else they are asked first of all
			return why{"You are asked about ", " as an administrator: those who were asked have not answered."}
		}
		return why{"You are asked about ", " as an administrator."}
	case policy.Named:
		return why{"You are asked about ", ": the policy names you."}
	}
	return why{"You are asked about ", fmt.Sprintf(" as %s.", basisWords(c.Basis))}
}

// progress says how far the open items of a reader have come that several people are asked about, and until when they can
// be decided: a line for what is the same.
func progress(r *schema.Request, open []told, zone string) []string {
	var lines []string
	add := func(line string) {
		if line != "" && !slices.Contains(lines, line) && len(lines) < 5 {
			lines = append(lines, line)
		}
	}
	for _, i := range open {
		if words := strings.TrimPrefix(soFar(r, i.Item, zone), ", "); words != "" {
			add("🪜 " + sentence(words) + ".")
		}
		if a, ok := r.OpenApproval(i.Item); ok {
			if until, ok := decidableUntil(r, a); ok {
				add("Can be decided until " + When(until, zone) + ".")
			}
		}
	}
	return lines
}

// risks are the words for risk, the highest first.
var risks = []struct{ risk, emoji, words string }{
	{"high", "🔴", "high risk"},
	{"medium", "🟠", "medium risk"},
	{"low", "🟢", "low risk"},
}

// riskiestFirst orders what one application is asked for, so that what is named is what matters most.
func riskiestFirst(items []told) []told {
	rank := func(i told) int {
		for n, k := range risks {
			if k.risk == i.Risk {
				return n
			}
		}
		return len(risks)
	}
	var ordered []told
	for _, app := range byApplication(items) {
		slices.SortStableFunc(app, func(a, b told) int { return rank(a) - rank(b) })
		ordered = append(ordered, app...)
	}
	return ordered
}

func wantedLine(i told) string {
	emoji, words := "⚪", Escape(i.Risk)+" risk"
	for _, k := range risks {
		if k.risk == i.Risk {
			emoji, words = k.emoji, k.words
		}
	}
	line := fmt.Sprintf("%s %s (%s, %s)", emoji, name(i.Name), name(i.Kind), words)
	if d := Escape(Cut(Clean(i.Description), 120)); d != "" {
		line += ": " + d
	}
	return line
}

func wantedRest(left []told) string {
	var parts []string
	for _, k := range risks {
		n := 0
		for _, i := range left {
			if i.Risk == k.risk {
				n++
			}
		}
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, k.words))
		}
	}
	return fmt.Sprintf("%d more (%s)", len(left), strings.Join(parts, ", "))
}

// HeldShown is how many access grants of one application an approver is told that the requester has.
const HeldShown = 10

// alreadyHas says what the requester has in each application of the items that a reader decides about.
func alreadyHas(held []schema.HeldIn, open []told) []string {
	var lines []string
	room := shortRoom / 2
	apps := byApplication(open)
	for n, app := range apps {
		there := bold("Already has in "+name(app[0].ApplicationName)+":") + " "
		line := there + "nothing"
		if h := slices.IndexFunc(held, func(h schema.HeldIn) bool { return h.ApplicationID == app[0].ApplicationID }); h >= 0 {
			var names []string
			for _, s := range held[h].Names[:min(len(held[h].Names), HeldShown)] {
				names = append(names, name(s))
			}
			if line = there + andMore(names, held[h].Total); length(line) > room {
				line = there + grants(held[h].Total)
			}
		}
		if room -= length(line); room < 0 && n > 0 {
			return append(lines, fmt.Sprintf("What they have in %d more applications is not shown here.", len(apps)-n))
		}
		lines = append(lines, line)
	}
	return lines
}

// decided says what became of the items that the reader was asked about and cannot decide any more: a line of words, then
// what they are about.
func decided(r *schema.Request, q ApprovalMessageFor, mine []told) []string {
	groups := grouped(mine, func(i told) string { return verdict(r, i, q) })
	var lines []string
	room := shortRoom
	for n, g := range groups {
		if g.words == "" {
			continue
		}
		if room < 0 {
			left := 0
			for _, g := range groups[n:] {
				left += len(g.items)
			}
			return append(lines, fmt.Sprintf("and %d more that are decided", left))
		}
		room -= length(g.words)
		lines = append(lines, g.words)
		for _, line := range named(g.items, max(room, 0)) {
			room -= length(line)
			lines = append(lines, line)
		}
	}
	return lines
}

// outcome says who decided an item, and when, or why there is nothing to decide: empty while the reader can. What comes
// after a decision is not told here.
func verdict(r *schema.Request, i told, q ApprovalMessageFor) string {
	switch d := i.Decision; {
	case d != nil && d.Approves():
		return "✅ Approved by " + deciders(i.Item, q.PersonID) + sooner(r, i.Item, q.TimeZone) + ", " + When(d.DecidedAt, q.TimeZone)
	case d != nil:
		return "⛔ " + because("Denied by "+deciders(i.Item, q.PersonID)+", "+When(d.DecidedAt, q.TimeZone), d.Reason)
	case i.StopOrder != nil:
		return sentence(withdrawal(r, i.StopOrder, q.PersonID)) + ", " + When(i.StopOrder.OrderedAt, q.TimeZone)
	case !i.Waiting():
		return i.phase.emoji() + " " + sentence(i.words) + ", " + When(i.StateAt, q.TimeZone)
	}
	a, ok := r.OpenApproval(i.Item)
	_, candidate := a.Candidate(q.PersonID)
	switch mine := slices.Contains(i.ApprovedIn(a.Stage), q.PersonID); {
	case ok && candidate && !mine:
		return ""
	case ok && len(i.Decisions) > 0:
		return "✅ Approved so far by " + deciders(i.Item, q.PersonID) + "; it waits for " + candidates(a, []schema.Item{i.Item})
	case ok:
		return "➡️ This has moved on to " + candidates(a, []schema.Item{i.Item})
	case len(i.Decisions) > 0:
		return "✅ Approved so far by " + deciders(i.Item, q.PersonID) + "; others are asked next"
	}
	return "➡️ This is no longer yours to decide; no one else has been asked yet"
}
