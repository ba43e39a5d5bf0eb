package views

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"accessbot/schema"
	"accessbot/schema/policy"
)

// ApprovalMessageFor is one approver's copy of an approval message.
type ApprovalMessageFor struct {
	MessageID  int64           // the row in slack_messages, which the buttons name
	PersonID   int64           // the reader
	TimeZone   string          // the reader's
	Held       []schema.HeldIn // what the requester has in the applications that the reader decides
	Superseded bool            // a newer message to the reader about the same request has the buttons
}

// ApprovalMessage asks an approver to decide everything in one request that they can decide. Its buttons stay as long as the
// reader can decide something; then it says who decided what, and when.
func ApprovalMessage(r *schema.Request, q ApprovalMessageFor) Message {
	var b body
	mine := tell(r, askedOf(r, q.PersonID), q.TimeZone, q.PersonID)
	open := tell(r, r.DecidableBy(q.PersonID), q.TimeZone, q.PersonID)
	text := approvalHeadline(r, q, mine, open)
	b.line(bold(text), about(r.Requester))
	if q.Superseded && len(open) > 0 {
		b.line("There is more to decide in this request. Decide in the newer message.")
		b.gap()
		b.line(decided(r, q, mine)...)
		b.small("Requested " + When(r.CreatedAt, q.TimeZone))
		return b.message(text)
	}
	forEveryone := r.OverridableBy(q.PersonID)
	b.line(overrideTags(r, forEveryone, len(open))...)
	b.line(whyYou(r, q.PersonID)...)
	b.line(progress(r, open, q.TimeZone)...)
	b.gap()
	if len(open) > 0 {
		b.line(listed(riskiestFirst(open), listRoom, requestedLine, requestedRest)...)
		b.gap()
	}
	b.line(decided(r, q, mine)...)
	b.gap()
	b.line(bold("Duration:") + " " + Until(r, q.TimeZone))
	if len(open) > 0 { // later, what the requester has may come from this request
		b.line(currentAccess(q.Held, open)...)
	}
	if n := len(r.Items) - len(mine); n > 0 {
		b.line(fmt.Sprintf("The request also includes %s for other approvers to decide.", grants(n)))
	}
	b.line(bold("Reason:") + " " + name(r.ReasonLabel))
	b.quote(r.Note)
	b.questions(r, q.PersonID, q.TimeZone)
	b.small("Requested " + When(r.CreatedAt, q.TimeZone))
	if len(open) > 0 {
		b.offer(BlockDecide, offer{request: r.ID, decision: DecisionValue(q.MessageID, r.Terms), votes: len(r.VotableBy(q.PersonID)),
			forEveryone: len(forEveryone), items: len(mine), more: len(open) > namedAtMost}) // approvers can see all that they decide
	}
	return b.message(text)
}

// DecideAsAdministrator is the label of the button with which an administrator decides for everyone.
const DecideAsAdministrator = "Decide as administrator…"

// overrideTags say why an administrator may decide items for everyone, which are some of those that wait for them.
func overrideTags(r *schema.Request, items []schema.Item, of int) []string {
	since, noApprover := r.ReadAt, 0
	for _, i := range items {
		if a, asked := r.OpenApproval(i); !asked {
			noApprover++
		} else if a.Since.Before(since) {
			since = a.Since
		}
	}
	return tags(len(items)-noApprover, r.ReadAt.Sub(since), noApprover, of)
}

// tags say that there was no response about some items for so long, and that others have no approver. of is how many items wait
// for the reader in all.
func tags(noResponse int, waited time.Duration, noApprover, of int) (lines []string) {
	for _, t := range []struct {
		words string
		items int
	}{{"No response for " + waits(waited), noResponse}, {"No approver is available", noApprover}} {
		switch {
		case t.items == of && of > 0:
			lines = append(lines, "⏰ "+bold(t.words))
		case t.items > 0:
			lines = append(lines, fmt.Sprintf("⏰ %s (%d of %s)", bold(t.words), t.items, grants(of)))
		}
	}
	return lines
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

// approvalHeadline says what the reader is asked to decide, or that nothing is left, and who decided it if that was one outcome.
func approvalHeadline(r *schema.Request, q ApprovalMessageFor, mine, open []told) string {
	if len(open) > 0 {
		who, forWhom := submittedBy(r)
		return fmt.Sprintf("%s requests %s %s%s: request #%d", who, grants(len(open)), inApplications(open), forWhom, r.ID)
	}
	requester := name(r.Requester.Name)
	outcomes := grouped(mine, func(i told) string {
		switch {
		case i.Decision == nil:
			return ""
		case i.Decision.Approves():
			return "✅ " + sentence(deciders(i.Item, q.PersonID)) + " approved"
		}
		return "⛔ " + sentence(deciders(i.Item, q.PersonID)) + " denied"
	})
	if len(outcomes) == 1 && outcomes[0].words != "" {
		return fmt.Sprintf("%s this for %s: request #%d", outcomes[0].words, requester, r.ID)
	}
	return fmt.Sprintf("There is nothing left for you to decide: request #%d for %s", r.ID, requester)
}

// submittedBy names who submitted a request, and for whom if that is someone else.
func submittedBy(r *schema.Request) (who, forWhom string) {
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

// why is the reason why a reader is an approver, around the names of the applications.
type why struct{ before, after string }

// whyYou says why the reader is an approver, a line for each basis. Earlier approvals count only while none is open to the
// reader, and approvals that were reassigned do not count.
func whyYou(r *schema.Request, personID int64) []string {
	var own, delegated []why
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
		if c.OnBehalfOf.Valid {
			reasons = &delegated
			because = why{"🌴 You're an approver for ", fmt.Sprintf(" on behalf of %s (%s).", name(c.InPlaceOfName), basisWords(c.Basis))}
		}
		if !slices.Contains(*reasons, because) {
			*reasons = append(*reasons, because)
		}
		if app := name(r.Items[n].ApplicationName); !slices.Contains(apps[because], app) {
			apps[because] = append(apps[because], app)
		}
	}
	var lines []string
	for _, because := range append(own, delegated...) {
		lines = append(lines, because.before+both(apps[because])+because.after)
	}
	return lines
}

// both joins two names with "and", and lists more of them.
func both(escaped []string) string {
	if len(escaped) == 2 {
		return escaped[0] + " and " + escaped[1]
	}
	return andMore(escaped, len(escaped))
}

func whyOwn(r *schema.Request, a schema.Approval, c schema.Candidate) why {
	switch policy.Basis(c.Basis) {
	case policy.EntitlementOwner:
		return why{"You're an approver because you own access grants in ", "."}
	case policy.ApplicationOwner:
		return why{"You're an approver because you own ", "."}
	case policy.Manager:
		return why{"You're an approver for ", fmt.Sprintf(" because you manage %s.", name(r.Requester.Name))}
	case policy.ManagersManager:
		return why{"You're an approver for ", fmt.Sprintf(" because you manage %s's manager.", name(r.Requester.Name))}
	case policy.Administrator:
		if a.Level > 0 && c.AskedAt.Time.After(a.OpenedAt) { // else they were asked from the start
			return why{"You're an approver for ", " because there was no response, and you're an administrator."}
		}
		return why{"You're an approver for ", " because you're an administrator."}
	case policy.Named:
		return why{"You're an approver for ", " because the policy names you."}
	}
	return why{"You're an approver for ", fmt.Sprintf(" (%s).", basisWords(c.Basis))}
}

// progress says how far the open items of a reader are that require several approvals, and when to respond by. What is the same
// is said once.
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
			if until, ok := respondBy(r, a); ok {
				add("Respond by " + When(until, zone) + ".")
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

// riskiestFirst orders the items of each application by risk, so that those that a message names matter most.
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

func requestedLine(i told) string {
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

func requestedRest(left []told) string {
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

// HeldShown is how many access grants that the requester has in one application an approver is shown.
const HeldShown = 10

// currentAccess says what the requester has in each application of the items that a reader decides.
func currentAccess(held []schema.HeldIn, open []told) []string {
	var lines []string
	room := shortRoom / 2
	apps := byApplication(open)
	for n, app := range apps {
		there := bold("Current access in "+name(app[0].ApplicationName)+":") + " "
		line := there + "none"
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
			return append(lines, fmt.Sprintf("Access in %d more applications isn't shown here.", len(apps)-n))
		}
		lines = append(lines, line)
	}
	return lines
}

// decided says what happened to the items that the reader was asked about and can no longer decide: a line of words, then the
// items.
func decided(r *schema.Request, q ApprovalMessageFor, mine []told) []string {
	groups := grouped(mine, func(i told) string { return outcome(r, i, q) })
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
			return append(lines, fmt.Sprintf("and %d more that are already decided", left))
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

// outcome says who decided an item, and when, or why there is nothing to decide. It is empty while the reader can decide, and
// does not say what follows a decision.
func outcome(r *schema.Request, i told, q ApprovalMessageFor) string {
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
		return "✅ Approved so far by " + deciders(i.Item, q.PersonID) + "; waiting for " + candidates(a, []schema.Item{i.Item})
	case ok:
		return "➡️ Reassigned to " + candidates(a, []schema.Item{i.Item})
	case len(i.Decisions) > 0:
		return "✅ Approved so far by " + deciders(i.Item, q.PersonID) + "; the next approvers will be asked"
	}
	return "➡️ You're no longer an approver for this. No other approver has been asked yet."
}
