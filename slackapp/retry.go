package main

import (
	"context"
	"fmt"

	"accessbot/workflows"
)

// retryNow retries the items of a request that wait for their target, for an administrator.
func (a *app) retryNow(ctx context.Context, c *click, number int64) (outcome, error) {
	if err := a.db.OrderRetry(ctx, number, c.person.ID); err != nil {
		return outcome{}, err
	}
	return outcome{
		tell: fmt.Sprintf("Retrying request #%d. This message changes when it is set up.", number),
		wake: wakeRequest(number, workflows.SignalDue, fmt.Sprintf("We'll retry request #%d as soon as our systems are back.", number)),
	}, nil
}
