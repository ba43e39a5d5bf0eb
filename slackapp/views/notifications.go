package views

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/slack-go/slack"

	"accessbot/schema"
)

// EndingSoon tells the requester which items of a request are about to end, with a button to ask for more time with them.
// Once nothing of them is left to end, it says how things stand instead. The button names the message.
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
	b.buttons(BlockExtend, button(ActionExtendSoon, strconv.FormatInt(messageID, 10), "Extend", slack.StyleDefault))
	return b.message(fmt.Sprintf("%s (%s %s)", text, grants(len(soon)), inApplications(soon)))
}

// Ended tells the requester what became of the access that a request had given: gone, or still held for another reason.
func Ended(r *schema.Request) Message {
	var held []told
	for _, i := range tell(r, r.Items, r.TimeZone, r.RequesterID) {
		switch i.phase {
		case denied, failed, expired, withdrawn:
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
	b.askAgain(r, held)
	return b.message(fmt.Sprintf("%s (%s %s)", text, grants(len(held)), inApplications(held)))
}

// Kinds of Report.
const (
	ReportUnexpected = "found"   // access that was there before it was to be granted
	ReportFailed     = "failed"  // access that could not be granted
	ReportOverdue    = "overdue" // access that is over and could not be revoked yet
	// ReportNoApprover: items without an approver, for an administrator.
	ReportNoApprover = "no approver"
)

// Report tells an owner, whose clock is in zone, about items of a request that need their eye.
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
		text = fmt.Sprintf("%s had %s before request #%d granted anything", who, what, r.ID)
		next = "No one asked for that here, so it stays when the request ends. Please look in the application whether it should be there."
	case ReportFailed:
		text = fmt.Sprintf("%s couldn't be set up for %s, request #%d", what, who, r.ID)
		next = "Once the cause is gone, it can be asked for again."
		if slices.ContainsFunc(r.Items, func(i schema.Item) bool { return !i.Final() }) {
			next = "The rest of the request goes on. " + next
		}
	case ReportOverdue:
		text = fmt.Sprintf("Revoking %s from %s is late, request #%d", what, who, r.ID)
		next = "It is tried again until it succeeds. Please look whether the application can be reached."
		if !slices.ContainsFunc(items, func(i told) bool { return i.Claim != nil && !settled(*i.Claim) }) {
			text = fmt.Sprintf("Revoking %s from %s was late and is reconciled, request #%d", what, who, r.ID)
			next = ""
		} else if neverHeld(items) {
			text = fmt.Sprintf("We can't confirm yet that %s doesn't have %s, request #%d", who, what, r.ID)
		}
	case ReportNoApprover:
		text = fmt.Sprintf("No approver is available for %s that %s requested: request #%d", what, who, r.ID)
		next = "You can decide as an administrator, here or on the Home tab. If an approver becomes available, they are asked."
	default:
		text = fmt.Sprintf("About %s of %s, request #%d", what, who, r.ID)
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
		b.buttons("", button(ActionDecideAsAdministrator, strconv.FormatInt(r.ID, 10), "Decide…", slack.StyleDefault))
	}
	return b.message(text)
}
