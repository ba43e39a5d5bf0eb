package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/slack-go/slack"

	"accessbot/schema"
	"accessbot/workflows"
)

// retryNow has what of a request waits for its targets tried at once, for an administrator.
func (a *app) retryNow(ctx context.Context, ic *slack.InteractionCallback, action *slack.BlockAction) {
	person, err := a.who(ctx, ic.User.ID)
	if err != nil {
		a.tell(ctx, ic, a.words(ctx, err))
		return
	}
	number, err := strconv.ParseInt(action.Value, 10, 64)
	if err != nil {
		a.auditOddButton(ctx, ic, err)
		a.tell(ctx, ic, notYours)
		return
	}
	switch err := a.db.OrderRetry(ctx, number, person.ID); {
	case errors.Is(err, schema.ErrNotAllowed):
		a.tell(ctx, ic, "Only administrators can retry a request.")
	case errors.Is(err, schema.ErrNotOpen):
		a.tell(ctx, ic, fmt.Sprintf("Request #%d isn't waiting any more.", number))
	case err != nil:
		a.tell(ctx, ic, a.words(ctx, err))
	default:
		a.tell(ctx, ic, fmt.Sprintf("Trying request #%d now. This message changes when it is set up.", number))
		a.wake(number, workflows.SignalDue, func(ctx context.Context) {
			a.write(ctx, ic.User.ID, fmt.Sprintf("We'll retry request #%d as soon as our systems are back.", number))
		})
	}
}
