package views

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/slack-go/slack"

	"accessbot/schema"
)

// EndingSoon tells the requester which items of a request end soon, with a button to extend them. Once none of them is left, it
// says how they ended. The button names the message.
func EndingSoon(r *schema.Request, itemIDs []int64, messageID int64) Message {
	var soon []told
	for _, i := range tell(r, r.Items, r.TimeZone, r.RequesterID) {
		if i.phase == active && i.Claim.EndsAt.Valid && slices.Contains(itemIDs, i.ID) {
			soon = append(soon, i)
		}
	}
	if len(soon) == 0 {
		return Ended(r)
	}
	var b body
	text := fmt.Sprintf("Your access from request #%d ends soon", r.ID)
	b.line(bold(text))
	b.gap()
	b.standings(soon)
	b.buttons(BlockExtend, button(ActionExtendSoon, strconv.FormatInt(messageID, 10), "Extend…", slack.StyleDefault))
	return b.message(fmt.Sprintf("%s (%s %s)", text, grants(len(soon)), inApplications(soon)))
}

// Ended tells the requester that access from a request is gone, or kept for another reason.
func Ended(r *schema.Request) Message {
	var held []told
	for _, i := range tell(r, r.Items, r.TimeZone, r.RequesterID) {
		switch i.phase {
		case denied, failed, expired, endPassed, withdrawn:
		default:
			held = append(held, i)
		}
	}
	if len(held) == 0 {
		return Outcome(r, r.RequesterID)
	}
	var b body
	text := headline(r, r.RequesterID, held)
	b.line(bold(text))
	b.gap()
	b.standings(held)
	b.offer(BlockAgain, offer{request: r.ID, over: someOver(held)})
	return b.message(fmt.Sprintf("%s (%s %s)", text, grants(len(held)), inApplications(held)))
}

// Kinds of Report.
const (
	ReportUnexpected = "found"   // access that was there before it was granted
	ReportFailed     = "failed"  // access that could not be granted
	ReportOverdue    = "overdue" // access that is over and could not be removed yet
	// ReportNoApprover: items without an approver, for an administrator.
	ReportNoApprover = "no approver"
)

// Report tells an owner, whose clock is in zone, about items of a request that need attention.
func Report(r *schema.Request, kind string, itemIDs []int64, zone string) Message {
	var items []told
	for _, i := range tell(r, r.Items, zone, 0) {
		if slices.Contains(itemIDs, i.ID) {
			items = append(items, i)
		}
	}
	var b body
	what, who := grants(len(items))+" "+inApplications(items), name(r.Requester.Name)
	var text, next string
	switch kind {
	case ReportUnexpected:
		text = fmt.Sprintf("Unexpected access: %s already had %s before request #%d", who, what, r.ID)
		next = "It wasn't requested here, so it stays when this request ends. Check in the application whether it is correct."
	case ReportFailed:
		text = fmt.Sprintf("%s couldn't be set up for %s (request #%d)", what, who, r.ID)
		next = "Once the cause is fixed, it can be requested again."
		if slices.ContainsFunc(r.Items, func(i schema.Item) bool { return !i.Final() }) {
			next = "The rest of the request continues. " + next
		}
	case ReportOverdue:
		text = fmt.Sprintf("Revocation of %s for %s is overdue (request #%d)", what, who, r.ID)
		next = "We'll keep trying until it succeeds. Check that the application is available."
		if !slices.ContainsFunc(items, func(i told) bool { return i.Claim != nil && !reconciled(*i.Claim) }) {
			text = fmt.Sprintf("Revocation of %s for %s was overdue and is now confirmed (request #%d)", what, who, r.ID)
			next = ""
		} else if neverHeld(items) {
			text = fmt.Sprintf("We can't confirm yet that %s doesn't have %s (request #%d)", who, what, r.ID)
		}
	case ReportNoApprover:
		text = fmt.Sprintf("No approver is available for %s that %s requested: request #%d", what, who, r.ID)
		next = "You can decide as an administrator, here or on the Home tab. If an approver becomes available, we'll ask them."
	default:
		text = fmt.Sprintf("%s of %s (request #%d)", what, who, r.ID)
	}
	b.line(bold(text))
	b.line(about(r.Requester))
	b.gap()
	if kind == ReportUnexpected || kind == ReportNoApprover {
		b.line(named(items, listRoom)...)
	} else {
		b.standings(items)
	}
	if next != "" {
		b.line(next)
	}
	if kind == ReportNoApprover {
		b.offer("", offer{request: r.ID, forEveryone: len(items)})
	}
	return b.message(text)
}
