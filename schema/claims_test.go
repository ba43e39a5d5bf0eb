package schema_test

import (
	"context"
	"testing"
	"time"

	"github.com/lib/pq"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestClaim(t *testing.T) {
	// The database repeats the checks of provisioning for every new claim.
	t.Run("claim without a covering decision is refused", func(t *testing.T) {
		const insert = `
		insert into claims (person_id, account_id, entitlement_id, source, item_id, ends_at, due_at)
		select r.requester_id, i.account_id, i.entitlement_id, 'request', i.id, r.ends_at, r.ends_at
		  from request_items i join access_requests r on r.id = i.request_id where i.id = $1`
		approve := func(a asking) { require.NoError(a.t, a.Decide(a.owen, a.approval, "approve", a.asked.Items[0])) }
		for name, c := range map[string]struct {
			arrange func(a asking)
			insert  string // empty: as in the request
		}{
			"no one decided": {func(asking) {}, ""},
			"it was denied":  {func(a asking) { require.NoError(a.t, a.Decide(a.owen, a.approval, "deny", a.asked.Items[0])) }, ""},
			"one of two stages is passed": {func(a asking) {
				a.Do(`update approvals set stages = 2`)
				approve(a)
			}, ""},
			"the terms changed after it was approved": {func(a asking) {
				approve(a)
				a.Do(`update access_requests set note = 'and the production key'`)
			}, ""},
			"its end has passed": {func(a asking) {
				approve(a)
				a.Shift(time.Hour)
			}, ""},
			"withdrawn after it was approved": {func(a asking) {
				approve(a)
				_, err := a.SlackApp.Withdraw(context.Background(), a.asked.ID, a.ann)
				require.NoError(a.t, err)
			}, ""},
			"for longer than was granted": {approve, `
			insert into claims (person_id, account_id, entitlement_id, source, item_id)
			select r.requester_id, i.account_id, i.entitlement_id, 'request', i.id
			  from request_items i join access_requests r on r.id = i.request_id where i.id = $1`},
			"another entitlement than was approved": {approve, `
			insert into claims (person_id, account_id, entitlement_id, source, item_id, ends_at, due_at)
			select r.requester_id, i.account_id, o.entitlement_id, 'request', i.id, r.ends_at, r.ends_at
			  from request_items i join access_requests r on r.id = i.request_id
			  join request_items o on o.request_id = r.id and o.id <> i.id where i.id = $1`},
		} {
			t.Run(name, func(t *testing.T) {
				a := newAsking(t, time.Hour)
				c.arrange(a)
				statement := c.insert
				if statement == "" {
					statement = insert
				}
				_, err := a.Worker.Exec(statement, a.asked.Items[0])
				var e *pq.Error
				require.ErrorAs(t, err, &e)
				assert.Equal(t, "AB011", string(e.Code), e.Message)
			})
		}
		t.Run("approved access can be claimed", func(t *testing.T) {
			a := newAsking(t, time.Hour)
			approve(a)
			_, err := a.Worker.Exec(insert, a.asked.Items[0])
			require.NoError(t, err)
		})
	})
}
