package views

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"accessbot/schema"
	"accessbot/schema/policy"
)

// Card is a request as the one who asked for it sees it: the requester, or who asked for them. It is kept current, and has a
// button as long as something can be withdrawn.
func Card(r *schema.Request, readerID int64) Message {
	var b body
	items := tell(r, r.Items, r.TimeZone, readerID)
	n := count(items)
	text := headline(r, readerID, items)
	b.line(bold(text))
	if several(n) {
		b.line(grants(len(items)) + ": " + summary(n))
	}
	b.gap()
	b.line(listed(items, listRoom, func(i told) string {
		return fmt.Sprintf("%s %s: %s", i.phase.emoji(), name(i.Name), i.words)
	}, func(left []told) string {
		return fmt.Sprintf("%d more (%s)", len(left), summary(count(left)))
	})...)
	b.gap()
	b.line(bold("Duration:") + " " + Until(r, r.TimeZone))
	if like := likeWhom(r); like != "" {
		b.line(bold("Access like:") + " " + like)
	}
	b.line(asked(r, r.TimeZone)...)
	if n[noApprover] > 0 && n[noApprover] < len(items) {
		b.line("⚠️ " + noApproverWords(r))
	}
	b.line(openQuestions(r)...)
	b.line(bold("Reason:") + " " + name(r.ReasonLabel))
	b.quote(r.Note)
	b.small("Created " + When(r.CreatedAt, r.TimeZone))
	var buttons []slack.BlockElement
	if w := withdrawable(r); w > 0 {
		buttons = append(buttons, withdrawButton(r, w))
	}
	if len(items) > namedAtMost {
		buttons = append(buttons, seeAll(r, len(items)))
	}
	if len(buttons) > 0 {
		b.buttons(BlockWithdraw, buttons...)
	}
	return b.message(fmt.Sprintf("%s (%s %s)", text, grants(len(items)), inApplications(items)))
}

// yours is what a request is called to one who asked for it, in mrkdwn.
func yours(r *schema.Request, readerID int64) string {
	switch {
	case !r.SubmittedBy.Valid:
		return fmt.Sprintf("Your request #%d", r.ID)
	case readerID == r.SubmittedBy.Int64:
		return fmt.Sprintf("Your request #%d for %s", r.ID, name(r.Requester.Name))
	}
	return fmt.Sprintf("%s's request #%d for you", name(r.SubmitterName), r.ID)
}

// headline says in a sentence how items of a request stand, in mrkdwn.
func headline(r *schema.Request, readerID int64, items []told) string {
	n := count(items)
	request := yours(r, readerID)
	all := len(items)
	switch {
	case n[waiting] == all:
		return request + " has been successfully created and sent for approval"
	case n[unsent] == all:
		return request + " has been created. " + sentence(whenSent(r))
	case n[noApprover] == all:
		return request + " has been created. " + noApproverWords(r)
	case n[approved]+n[provisioning] == all && byPolicy(items):
		return request + " was approved by policy and is being provisioned"
	case n[approved]+n[provisioning] == all && waitToBeSetUp(items):
		return request + " is approved and waiting to be set up"
	case n[approved]+n[provisioning] == all:
		return request + " is approved and being provisioned"
	case n[active] == all:
		return request + " is active" + commonEnd(r, items)
	case n[leaving] == all && neverHeld(items):
		return request + " wasn't set up, and we're making sure that there is no access"
	case n[leaving] == all:
		return request + " is being revoked"
	case n[denied] == all:
		return request + " was denied"
	case n[failed] == all:
		return request + " was approved, but couldn't be set up"
	case n[expired] == all:
		return request + " has expired"
	case n[withdrawn] == all:
		return request + " was withdrawn"
	case n[ended] == all:
		return request + " has ended"
	case n[removedByHolder] == all:
		return request + ": the access was removed"
	case n[revoked] == all:
		return request + ": the access was revoked"
	case n[kept] == all:
		if readerID != r.RequesterID {
			return request + " has ended, and the access stays for another reason"
		}
		return request + " has ended, and you still have the access for another reason"
	}
	return request + ": " + summary(n)
}

// whenSent says when a request that was not sent for approval yet will be. The worker takes up a new request at once: one that it
// has not, when messages are sent for it, waits for our systems.
func whenSent(r *schema.Request) string {
	if slices.ContainsFunc(r.Items, func(i schema.Item) bool { return i.State == schema.Submitted }) {
		return "we'll send it for approval as soon as our systems are back."
	}
	return "we'll send it for approval as soon as we can reach an approver in Slack."
}

// Delayed tells one who asked for a request that was recorded and cannot be taken up now, in mrkdwn, what becomes of it.
func Delayed(r *schema.Request, readerID int64) string {
	items := tell(r, r.Items, r.TimeZone, readerID)
	if n := count(items); n[unsent] == len(items) || n[denied] == len(items) {
		return headline(r, readerID, items)
	}
	if byPolicy(items) {
		return yours(r, readerID) + " was approved by policy. We'll continue as soon as our systems are back."
	}
	return fmt.Sprintf("%s has been created (%s). We'll continue as soon as our systems are back.", yours(r, readerID), summary(count(items)))
}

// noApproverWords says that there is no approver, and who knows of it.
func noApproverWords(r *schema.Request) string {
	if r.AdministratorTold {
		return "No approver is available. An administrator has been notified."
	}
	return "No approver is available, and no administrator could be reached in Slack. Please tell an administrator."
}

// byPolicy tells whether a rule of the policy approved all of these items.
func byPolicy(items []told) bool {
	return !slices.ContainsFunc(items, func(i told) bool { return i.Decision == nil || i.Decision.DecidedBy.Valid })
}

// waitToBeSetUp tells whether each of some approved items waits for its target, or for people there.
func waitToBeSetUp(items []told) bool {
	return !slices.ContainsFunc(items, func(i told) bool { return i.Problem.Code == schema.NoProblem })
}

// neverHeld tells whether no target ever showed the access of any of some items.
func neverHeld(items []told) bool {
	return !slices.ContainsFunc(items, func(i told) bool { return i.Claim == nil || i.Claim.GrantedAt.Valid })
}

// commonEnd is until when active items are held, or nothing if their ends differ.
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

func likeWhom(r *schema.Request) string {
	switch r.AccessLike {
	case "person":
		return name(r.LikeName)
	case "job_title":
		return "the job title " + name(r.LikeName)
	}
	return ""
}

// asked says who is asked now, on what basis, and about which applications: a line for those who are asked the same.
func asked(r *schema.Request, zone string) []string {
	type approvalMessage struct {
		whom string
		apps []string
	}
	var approvalMessages []approvalMessage
	for _, a := range r.Approvals {
		about := stillAsked(r, a)
		if len(about) == 0 {
			continue
		}
		app := name(about[0].ApplicationName)
		whom := candidates(a, about) + unsentTo(a) + untilWhen(r, a, zone)
		n := slices.IndexFunc(approvalMessages, func(q approvalMessage) bool { return q.whom == whom })
		if n < 0 {
			n = len(approvalMessages)
			approvalMessages = append(approvalMessages, approvalMessage{whom: whom})
		}
		if !slices.Contains(approvalMessages[n].apps, app) {
			approvalMessages[n].apps = append(approvalMessages[n].apps, app)
		}
	}
	var lines []string
	room := shortRoom
	for n, q := range approvalMessages {
		line := fmt.Sprintf("%s %s, about %s", bold("Asked:"), q.whom, andMore(q.apps, len(q.apps)))
		if room -= length(line); room < 0 && n > 0 {
			return append(lines, fmt.Sprintf("and others, about %d more applications", len(approvalMessages)-n))
		}
		lines = append(lines, line)
	}
	return lines
}

// stillAsked are the items of an approval that wait for its answer.
func stillAsked(r *schema.Request, a schema.Approval) []schema.Item {
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

// untilWhen says until when an approval can be answered.
func untilWhen(r *schema.Request, a schema.Approval, zone string) string {
	if until, ok := decidableUntil(r, a); ok {
		return ", until " + When(until, zone)
	}
	return ""
}

// decidableUntil is until when an approval can be answered: what it is about cannot be granted after its own end.
func decidableUntil(r *schema.Request, a schema.Approval) (until time.Time, ok bool) {
	until, ok = a.ExpiresAt.Time, a.ExpiresAt.Valid
	for _, i := range r.Items {
		if end := r.EndOf(i); ok && end.Valid && end.Time.Before(until) && i.Waiting() && slices.Contains(a.ItemIDs, i.ID) {
			until = end.Time
		}
	}
	return until, ok
}

// candidates names those who were asked about items and have not answered, and on what basis. Who may decide and was not
// asked yet, is counted.
func candidates(a schema.Approval, about []schema.Item) string {
	if len(a.Candidates) == 0 {
		return "no one, since no one was found who may decide"
	}
	var bases []string
	names := map[string][]string{}
	later := 0
	for _, c := range a.Candidates {
		switch {
		case !slices.ContainsFunc(about, func(i schema.Item) bool { return !slices.Contains(i.ApprovedIn(a.Stage), c.PersonID) }):
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
		parts = append(parts, andMore(names[basis], len(names[basis]))+" ("+basisWords(basis)+")")
	}
	if len(parts) == 0 {
		parts = []string{"no one yet"}
	}
	if later > 0 {
		parts = append(parts, fmt.Sprintf("and %d more with the first reminder", later))
	}
	whom := strings.Join(parts, ", ")
	if a.RequiredApprovals > 1 {
		whom += fmt.Sprintf(" – %d have to agree", a.RequiredApprovals)
	}
	if a.Level > 0 {
		whom += " – escalated"
	}
	return whom
}

// unsentTo names those whose message about an approval has not reached them yet.
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
	return " – message not sent yet to " + andMore(names, len(names))
}

func candidateName(c schema.Candidate) string {
	if c.InPlaceOf.Valid {
		return name(c.Name) + " for " + name(c.InPlaceOfName)
	}
	return name(c.Name)
}

// basisWords is a policy's basis as people say it.
func basisWords(basis string) string {
	if basis == string(policy.EntitlementOwner) {
		return "owner of the access grant"
	}
	return Escape(basis)
}

// withdrawable is how many items Withdraw would still stop: see schema.DB.Withdraw.
func withdrawable(r *schema.Request) int {
	n := 0
	for _, i := range r.Items {
		before := i.State == schema.Submitted || i.State == schema.AwaitingApproval || i.State == schema.Approved
		if before && i.StopOrder == nil && i.Claim == nil && (i.Decision == nil || i.Decision.Approves()) {
			n++
		}
	}
	return n
}

func withdrawButton(r *schema.Request, n int) *slack.ButtonBlockElement {
	sure := slack.NewConfirmationBlockObject(plain("Withdraw?"),
		plain(fmt.Sprintf("%s of request #%d will not be granted. What is granted already stays.", sentence(grants(n)), r.ID)),
		plain("Withdraw"), plain("Keep waiting"))
	return button(ActionWithdraw, strconv.FormatInt(r.ID, 10), "Withdraw", slack.StyleDefault).WithConfirm(sure)
}
