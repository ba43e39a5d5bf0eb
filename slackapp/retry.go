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

// retryNow retries the items of a request that wait for their target, for an administrator.
func (a *app) retryNow(ctx context.Context, ic *slack.InteractionCallback, action *slack.BlockAction) outcome {
	person, err := a.who(ctx, ic.User.ID)
	if err != nil {
		return telling(a.words(ctx, err))
	}
	number, err := strconv.ParseInt(action.Value, 10, 64)
	if err != nil {
		a.auditOddButton(ctx, ic, err)
		return telling(badButton)
	}
	switch err := a.db.OrderRetry(ctx, number, person.ID); {
	case errors.Is(err, schema.ErrNotAllowed):
		return telling("Only administrators can retry a request.")
	case errors.Is(err, schema.ErrNotOpen):
		return telling(fmt.Sprintf("Request #%d is no longer waiting.", number))
	case err != nil:
		return telling(a.words(ctx, err))
	}
	return outcome{
		tell: fmt.Sprintf("Retrying request #%d. This message changes when it is set up.", number),
		wake: wakeRequest(number, workflows.SignalDue, fmt.Sprintf("We'll retry request #%d as soon as our systems are back.", number)),
	}
}
