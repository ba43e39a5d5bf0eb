package views

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/slack-go/slack"

	"accessbot/schema"
)

// offer is what a reader can do about a request, or about those of its items that a view shows. Views set what they read; buttons
// alone decides what the reader is offered.
type offer struct {
	request      int64
	decision     string // the value of their decision's buttons (see DecisionValue); empty: no message asks them
	votes        int    // items that they decide as an approver
	forEveryone  int    // items that they decide as an administrator
	withdrawable int    // items of theirs that are not set up yet: see schema.DB.Withdraw
	over         bool   // they are the requester, and may want it again
	items        int    // that they may see
	more         bool   // the view names only some of those
}

// buttons returns the reader's buttons, in the order in which every view shows them.
func (o offer) buttons() (buttons []slack.BlockElement) {
	number := strconv.FormatInt(o.request, 10)
	if o.votes > 0 && o.decision != "" {
		buttons = append(buttons,
			button(ActionApprove, o.decision, "Approve", slack.StylePrimary),
			button(ActionDeny, o.decision, "Deny…", slack.StyleDanger),
			button(ActionChoose, o.decision, "Approve with changes…", slack.StyleDefault))
	}
	if o.forEveryone > 0 {
		buttons = append(buttons, button(ActionDecideAsAdministrator, number, DecideAsAdministrator, slack.StyleDefault))
	}
	if o.decision != "" {
		buttons = append(buttons, button(ActionAskQuestion, o.decision, "Ask a question…", slack.StyleDefault))
	}
	if o.withdrawable > 0 {
		sure := slack.NewConfirmationBlockObject(
			plain("Withdraw this request?"),
			plain(
				fmt.Sprintf(
					"%s of request #%d won't be set up. Access that is already set up stays.",
					sentence(grants(o.withdrawable)),
					o.request,
				),
			),
			plain("Withdraw"),
			plain("Keep request"),
		)
		buttons = append(buttons, button(ActionWithdraw, number, "Withdraw", slack.StyleDefault).WithConfirm(sure))
	}
	if o.over {
		buttons = append(buttons, button(ActionAgain, number, "Request again", slack.StyleDefault))
	}
	if o.more {
		buttons = append(
			buttons,
			button(ActionShowAll, ListValue(ListItems(o.request), 1), fmt.Sprintf("Show all %d", o.items), slack.StyleDefault),
		)
	}
	return buttons
}

// offer adds the reader's buttons, if there are any.
func (b *body) offer(blockID string, o offer) {
	if buttons := o.buttons(); len(buttons) > 0 {
		b.buttons(blockID, buttons...)
	}
}

// withdrawable returns how many items of a request can still be withdrawn.
func withdrawable(r *schema.Request) (n int) {
	for _, i := range r.Items {
		if i.Withdrawable {
			n++
		}
	}
	return n
}

// someOver reports whether some items are over, so that the requester lacks them. Access that is kept for another reason is not.
func someOver(items []told) bool {
	over := []phase{denied, failed, expired, endPassed, withdrawn, ended, removedByHolder, revoked}
	return slices.ContainsFunc(items, func(i told) bool { return slices.Contains(over, i.phase) })
}

// someOverOf is someOver for a line, which does not know what is kept for another reason.
func someOverOf(l schema.RequestLine) bool {
	for state := range l.States {
		if state == schema.KindRemovedByHolder || (schema.Item{State: state}).Final() {
			return true
		}
	}
	return false
}

// holderButtons returns what a holder can do about their access.
func holderButtons(l schema.AccessLine) (buttons []slack.BlockElement) {
	if !l.RequestID.Valid || l.Leaving {
		return nil
	}
	claim := strconv.FormatInt(l.ClaimID, 10)
	if l.EndsAt.Valid && l.GrantedAt.Valid {
		buttons = append(buttons, button(ActionExtend, claim, "Extend…", slack.StyleDefault))
	}
	text := fmt.Sprintf("Your access to %s: %s from request #%d will end now. If you need it later, request it again.",
		Cut(Clean(l.ApplicationName), 80), Cut(Clean(l.Name), 80), l.RequestID.Int64)
	return append(buttons, button(ActionRemoveAccess, claim, "Remove my access…", slack.StyleDefault).WithConfirm(
		slack.NewConfirmationBlockObject(plain("Remove your access?"), plain(text), plain("Remove"), plain("Keep access"))))
}

// ownerButtons returns what an owner can do about another person's access.
func ownerButtons(l schema.AccessLine) []slack.BlockElement {
	if l.Leaving {
		return nil
	}
	return []slack.BlockElement{button(ActionRevoke, strconv.FormatInt(l.ClaimID, 10), "Revoke…", slack.StyleDanger)}
}
