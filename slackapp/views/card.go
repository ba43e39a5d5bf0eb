package views

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"accessbot/schema"
	"accessbot/schema/policy"
)

// Card returns a request as its requester or submitter sees it. It is kept current, and has a button as long as something can be
// withdrawn.
func Card(r *schema.Request, readerID int64) Message {
	var b body
	items := tell(r, r.Items, r.TimeZone, readerID)
	n := count(items)
	text := headline(r, readerID, items)
	b.line(bold(text))
	if several(n) {
		b.line(grants(len(items)) + ": " + summary(items))
	}
	b.gap()
	b.line(listed(items, listRoom, func(i told) string {
		return fmt.Sprintf("%s %s: %s", i.phase.emoji(), name(i.Name), i.words)
	}, func(left []told) string {
		return fmt.Sprintf("%d more (%s)", len(left), summary(left))
	})...)
	b.gap()
	b.line(bold("Duration:") + " " + Until(r, r.TimeZone))
	if like := accessLike(r); like != "" {
		b.line(bold("Access Like:") + " " + like)
	}
	b.line(approvers(r, r.TimeZone)...)
	if n[noApprover] > 0 && n[noApprover] < len(items) {
		b.line("⚠️ " + noApproverWords(r))
	}
	b.line(openQuestions(r)...)
	b.line(bold("Reason:") + " " + name(r.ReasonLabel))
	b.quote(r.Note)
	b.small("Requested " + When(r.CreatedAt, r.TimeZone))
	b.offer(BlockWithdraw, offer{request: r.ID, withdrawable: withdrawable(r), items: len(items), more: len(items) > namedAtMost})
	return b.message(fmt.Sprintf("%s (%s %s)", text, grants(len(items)), inApplications(items)))
}

// yours returns what a request is called to its requester or submitter, in mrkdwn.
func yours(r *schema.Request, readerID int64) string {
	switch {
	case !r.SubmittedBy.Valid:
		return fmt.Sprintf("Your request #%d", r.ID)
	case readerID == r.SubmittedBy.Int64:
		return fmt.Sprintf("Your request #%d for %s", r.ID, name(r.Requester.Name))
	}
	return fmt.Sprintf("%s's request #%d for you", name(r.SubmitterName), r.ID)
}

// headline summarizes the standing of a request's items in a sentence, in mrkdwn.
func headline(r *schema.Request, readerID int64, items []told) string {
	n := count(items)
	request := yours(r, readerID)
	all := len(items)
	switch {
	case n[waiting] == all:
		return request + " has been successfully created and sent for approval"
	case n[unsent]+n[submitted] == all:
		return request + " has been created. " + sentence(whenSent(r))
	case n[noApprover] == all:
		return request + " has been created. " + noApproverWords(r)
	case n[approved]+n[provisioning] == all && byPolicy(items):
		return request + " was approved by policy and is being set up"
	case n[approved]+n[provisioning] == all && waitToBeSetUp(items):
		return request + " is approved and waiting to be set up"
	case n[approved]+n[provisioning] == all:
		return request + " is approved and being set up"
	case n[active] == all:
		return request + " is active" + commonEnd(r, items)
	case n[removing]+n[unconfirmed] == all && neverHeld(items):
		return request + " wasn't set up. We're confirming that there is no access"
	case n[removing] == all:
		return request + ": the access is being removed"
	case n[unconfirmed] == all:
		return request + ": the removal isn't confirmed yet"
	case n[denied] == all:
		return request + " was denied"
	case n[failed] == all:
		return request + " was approved, but couldn't be set up"
	case n[expired] == all:
		return request + " has expired: there was no response in time"
	case n[endPassed] == all:
		return request + " has expired: its requested end date has passed"
	case n[withdrawn] == all:
		return request + " was withdrawn"
	case n[ended] == all:
		return request + " has ended"
	case n[removedByHolder] == all:
		return request + ": the access was " + lower(items[0].label)
	case n[revoked] == all:
		return request + ": the access was revoked"
	case n[kept] == all:
		if readerID != r.RequesterID {
			return request + " has ended. The access is kept for another reason"
		}
		return request + " has ended. You still have the access for another reason"
	}
	return request + ": " + summary(items)
}

// whenSent says when a request that was not sent for approval yet will be. The worker starts a new request at once, so one that
// is still "submitted" waits for our systems.
func whenSent(r *schema.Request) string {
	if slices.ContainsFunc(r.Items, func(i schema.Item) bool { return i.State == schema.Submitted }) {
		return "we'll send it for approval as soon as our systems are back."
	}
	return "we'll send it for approval as soon as we can reach an approver in Slack."
}

// Delayed tells a requester or submitter what happens next to a request that is recorded while Temporal is down, in mrkdwn.
func Delayed(r *schema.Request, readerID int64) string {
	items := tell(r, r.Items, r.TimeZone, readerID)
	if n := count(items); n[unsent]+n[submitted] == len(items) || n[denied] == len(items) {
		return headline(r, readerID, items)
	}
	if byPolicy(items) {
		return yours(r, readerID) + " was approved by policy. We'll continue as soon as our systems are back."
	}
	return fmt.Sprintf(
		"%s has been created (%s). We'll continue as soon as our systems are back.",
		yours(r, readerID),
		summary(items),
	)
}

// noApproverWords says that there is no approver, and whether an administrator knows.
func noApproverWords(r *schema.Request) string {
	if r.AdministratorNotified {
		return "No approver is available. An administrator has been notified."
	}
	return "No approver is available, and we couldn't reach an administrator in Slack. Tell an administrator."
}

// byPolicy reports whether a rule of the policy approved all of these items.
func byPolicy(items []told) bool {
	return !slices.ContainsFunc(items, func(i told) bool { return i.Decision == nil || i.Decision.DecidedBy.Valid })
}

// waitToBeSetUp reports whether each of some approved items waits for its target, or for people there.
func waitToBeSetUp(items []told) bool {
	return !slices.ContainsFunc(items, func(i told) bool { return i.Problem.Code == schema.NoProblem })
}

// neverHeld reports whether no target ever showed the access of any of some items.
func neverHeld(items []told) bool {
	return !slices.ContainsFunc(items, func(i told) bool { return i.Claim == nil || i.Claim.GrantedAt.Valid })
}

// commonEnd returns until when active items are held, or nothing if their ends differ.
func commonEnd(r *schema.Request, items []told) string {
	ends := untilOf(r, items[0].Item, r.TimeZone)
	for _, i := range items {
		if untilOf(r, i.Item, r.TimeZone) != ends {
			return ""
		}
	}
	return " " + ends
}

func several(n [phases]int) bool {
	different := 0
	for _, some := range n {
		if some > 0 {
			different++
		}
	}
	return different > 1
}

func accessLike(r *schema.Request) string {
	switch r.AccessLike {
	case "person":
		return name(r.LikeName)
	case "job_title":
		return "job title " + name(r.LikeName)
	}
	return ""
}

// approvers says who decides, on what basis, for which applications: a line for the applications with the same approvers.
func approvers(r *schema.Request, zone string) []string {
	type group struct {
		approvers string
		apps      []string
	}
	var groups []group
	for _, a := range r.Approvals {
		items := undecidedItems(r, a)
		if len(items) == 0 {
			continue
		}
		app := name(items[0].ApplicationName)
		who := candidates(a, items) + unsentTo(a) + dueBy(r, a, zone)
		n := slices.IndexFunc(groups, func(g group) bool { return g.approvers == who })
		if n < 0 {
			n = len(groups)
			groups = append(groups, group{approvers: who})
		}
		if !slices.Contains(groups[n].apps, app) {
			groups[n].apps = append(groups[n].apps, app)
		}
	}
	var lines []string
	room := shortRoom
	for n, g := range groups {
		line := bold("Approvers:") + " " + g.approvers
		if len(groups) > 1 {
			line = bold("Approvers for "+andMore(g.apps, len(g.apps))+":") + " " + g.approvers
		}
		if room -= length(line); room < 0 && n > 0 {
			return append(lines, fmt.Sprintf("and more for %d other applications", len(groups)-n))
		}
		lines = append(lines, line)
	}
	return lines
}

// undecidedItems returns the items of an open approval that wait for a decision.
func undecidedItems(r *schema.Request, a schema.Approval) []schema.Item {
	if a.State != "open" {
		return nil
	}
	var items []schema.Item
	for _, i := range r.Items {
		if i.Waiting() && slices.Contains(a.ItemIDs, i.ID) {
			items = append(items, i)
		}
	}
	return items
}

// dueBy says when a response to an approval is due.
func dueBy(r *schema.Request, a schema.Approval, zone string) string {
	if until, ok := respondBy(r, a); ok {
		return "; response due by " + When(until, zone)
	}
	return ""
}

// respondBy returns when an approval expires: at the latest when the requested access would end.
func respondBy(r *schema.Request, a schema.Approval) (until time.Time, ok bool) {
	until, ok = a.ExpiresAt.Time, a.ExpiresAt.Valid
	for _, i := range r.Items {
		if end := r.EndOf(i); ok && end.Valid && end.Time.Before(until) && i.Waiting() && slices.Contains(a.ItemIDs, i.ID) {
			until = end.Time
		}
	}
	return until, ok
}

// candidates names the approvers who were asked about items and have not responded, and their basis. Those who were not asked
// yet are counted.
func candidates(a schema.Approval, items []schema.Item) string {
	if len(a.Candidates) == 0 {
		return "none available"
	}
	var bases []string
	names := map[string][]string{}
	later := 0
	for _, c := range a.Candidates {
		switch {
		case !slices.ContainsFunc(items, func(i schema.Item) bool { return !slices.Contains(i.ApprovedIn(a.Stage), c.PersonID) }):
		case c.AskedAt.Valid:
			if names[c.Basis] == nil {
				bases = append(bases, c.Basis)
			}
			names[c.Basis] = append(names[c.Basis], candidateName(c))
		default:
			later++
		}
	}
	var parts []string
	for _, basis := range bases {
		parts = append(parts, andMore(names[basis], len(names[basis]))+" ("+basesWords(basis, len(names[basis]))+")")
	}
	if len(parts) == 0 {
		parts = []string{"none asked yet"}
	}
	who := strings.Join(parts, ", ")
	if later > 0 {
		who += fmt.Sprintf("; %d more if there is no response", later)
	}
	if a.RequiredApprovals > 1 {
		who += fmt.Sprintf("; %d approvals required", a.RequiredApprovals)
	}
	if a.Level > 0 {
		who += "; escalated"
	}
	return who
}

// unsentTo names the approvers who were not sent their approval message yet.
func unsentTo(a schema.Approval) string {
	var names []string
	for _, c := range a.Candidates {
		if c.AskedAt.Valid && !c.Sent {
			names = append(names, name(c.Name))
		}
	}
	if len(names) == 0 {
		return ""
	}
	return "; message not sent yet to " + andMore(names, len(names))
}

func candidateName(c schema.Candidate) string {
	if c.OnBehalfOf.Valid {
		return name(c.Name) + " on behalf of " + name(c.InPlaceOfName)
	}
	return name(c.Name)
}

// basisWords returns a basis in words for people.
func basisWords(basis string) string {
	if basis == string(policy.EntitlementOwner) {
		return "owner of the access grant"
	}
	return Escape(basis)
}

// basesWords returns the basis that n people share.
func basesWords(basis string, n int) string {
	words := basisWords(basis)
	if n < 2 {
		return words
	}
	switch policy.Basis(basis) {
	case policy.EntitlementOwner:
		return "owners of the access grant"
	case policy.ApplicationOwner, policy.Administrator:
		return words + "s"
	default:
		return words
	}
}
