package connectortest

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"accessbot/activities/connector"
)

const many = 12

// concurrently runs f in many goroutines, which all start at the same time.
func concurrently(f func(i int)) {
	var running sync.WaitGroup
	start := make(chan struct{})
	for i := range many {
		running.Go(func() {
			<-start
			f(i)
		})
	}
	close(start)
	running.Wait()
}

func withDeadline(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func manyAtOnce(t *testing.T, h assignments) {
	c, ctx := open(t, h), withDeadline(t)
	a := connector.Assignment{Account: h.Account(t), Object: h.Object(t)}
	if _, ok := c.(connector.AccountCreator); ok {
		a.Account = h.MissingAccount(t)
	}
	for _, held := range []bool{true, false} {
		concurrently(func(int) { assert.NoError(t, ensure(ctx, c, a, held)) })
		requireHeld(t, h, c, a, held)
	}
}

func manyAccountsAtOnce(t *testing.T, h assignments) {
	c, ctx, object := open(t, h), withDeadline(t), h.Object(t)
	var assignments []connector.Assignment
	for range many {
		assignments = append(assignments, connector.Assignment{Account: h.Account(t), Object: object})
	}
	for _, held := range []bool{true, false} {
		concurrently(func(i int) { assert.NoError(t, ensure(ctx, c, assignments[i], held)) })
		for _, a := range assignments {
			requireHeld(t, h, c, a, held)
		}
	}
}

func grantingAgainstRevoking(t *testing.T, h assignments) {
	c, ctx, a := open(t, h), withDeadline(t), newAssignment(t, h)
	concurrently(func(i int) {
		held := i%2 == 0
		for range 5 {
			if err := connector.Ensure(ctx, c, a, held); err != nil {
				assert.True(t, canRetry(err), "%v", err)
			}
		}
	})
	for _, held := range []bool{true, false} {
		require.NoError(t, ensure(ctx, c, a, held))
		requireHeld(t, h, c, a, held)
	}
}
