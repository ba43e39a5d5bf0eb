package starter_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"accessbot/schema"
	"accessbot/schema/schematest"
	"accessbot/workflows"
	"accessbot/workflows/starter"
)

func TestMain(m *testing.M) { schematest.Main(m, "TEST_DATABASE_URL") }

// fakeTemporal records the runs that are started, and the signals with what they carry.
type fakeTemporal struct {
	client.Client
	t    *testing.T
	seen []string
}

func (f *fakeTemporal) SignalWithStartWorkflow(_ context.Context, id, signal string, details any, _ client.StartWorkflowOptions,
	_ any, _ ...any,
) (client.WorkflowRun, error) {
	text, err := json.Marshal(details)
	require.NoError(f.t, err)
	f.seen = append(f.seen, id+" "+signal+" "+string(text))
	return nil, nil
}

func (f *fakeTemporal) ExecuteWorkflow(_ context.Context, options client.StartWorkflowOptions, _ any, _ ...any,
) (client.WorkflowRun, error) {
	f.seen = append(f.seen, options.ID+" "+options.StaticSummary)
	return nil, nil
}

// office has Ann, who requests two entitlements of Bob's application.
type office struct {
	*schematest.World
	t              *testing.T
	ann, bob       int64
	reader, editor int64
	temporal       *fakeTemporal
	starter        *starter.Starter
}

func newOffice(t *testing.T) office {
	t.Helper()
	t.Parallel()
	w := schematest.NewWorld(t)
	o := office{World: w, t: t, ann: w.Person("Ann"), bob: w.Person("Bob"), temporal: &fakeTemporal{t: t}}
	application := w.Application("warehouse", o.bob)
	o.reader, o.editor = w.Entitlement(application, "reader"), w.Entitlement(application, "editor")
	o.starter = &starter.Starter{
		Client: o.temporal, TaskQueue: "test", DB: w.SlackApp, ShowPeople: true, Log: slog.New(slog.DiscardHandler),
	}
	return o
}

// granted returns the claim of an approved item whose access was granted.
func (o office) granted(item int64) int64 {
	o.t.Helper()
	o.Do(`update request_items set state = 'provisioning' where id = $1`, item)
	claim := schematest.Value[int64](o.World, `
		insert into claims (person_id, account_id, entitlement_id, source, item_id, ends_at, due_at, granted_at)
		select r.requester_id, i.account_id, i.entitlement_id, 'request', i.id, r.ends_at, r.ends_at, app_now()
		  from request_items i join access_requests r on r.id = i.request_id where i.id = $1 returning id`, item)
	o.Do(`update request_items set state = 'active' where id = $1`, item)
	return claim
}

// carried returns what a signal to the request's run carries, as JSON.
func (o office) carried(asked schematest.Asked, signal string) string {
	o.t.Helper()
	o.temporal.seen = nil
	require.NoError(o.t, o.starter.SignalRequest(context.Background(), asked.ID, signal))
	require.Len(o.t, o.temporal.seen, 1)
	start := workflows.RequestWorkflowID(asked.ID) + " " + signal + " "
	require.Contains(o.t, o.temporal.seen[0], start)
	return o.temporal.seen[0][len(start):]
}

func TestSignalDetails(t *testing.T) {
	t.Run("submission names the requester", func(t *testing.T) {
		o := newOffice(t)
		asked := o.Request(o.ann, time.Hour, o.reader, o.editor)
		assert.JSONEq(t, `{"person": "ann@example.com", "items": 2}`, o.carried(asked, workflows.SignalSubmitted))
	})

	t.Run("decision names the approver and which way it went", func(t *testing.T) {
		o := newOffice(t)
		asked := o.Request(o.ann, time.Hour, o.reader, o.editor)
		o.Approve(o.bob, asked)
		assert.JSONEq(t, `{"person": "bob@example.com", "decision": "approved", "items": 2}`,
			o.carried(asked, workflows.SignalDecisionRecorded))
	})

	t.Run("newest decision counts, not those before", func(t *testing.T) {
		o := newOffice(t)
		asked := o.Request(o.ann, time.Hour, o.reader, o.editor)
		approval := o.Ask(asked, asked.Items, o.bob)
		require.NoError(t, o.Decide(o.bob, approval, "approve", asked.Items[0]))
		require.NoError(t, o.Decide(o.bob, approval, "deny", asked.Items[1]))
		assert.JSONEq(t, `{"person": "bob@example.com", "decision": "denied", "items": 1}`,
			o.carried(asked, workflows.SignalDecisionRecorded))
	})

	t.Run("withdrawal names the requester", func(t *testing.T) {
		o := newOffice(t)
		asked := o.Request(o.ann, time.Hour, o.reader, o.editor)
		_, err := o.SlackApp.Withdraw(context.Background(), asked.ID, o.ann)
		require.NoError(t, err)
		assert.JSONEq(t, `{"person": "ann@example.com", "order": "withdrawn", "items": 2}`,
			o.carried(asked, workflows.SignalWithdrawalRecorded))
	})

	t.Run("people are named by ID where people are not shown", func(t *testing.T) {
		o := newOffice(t)
		o.starter.ShowPeople = false
		asked := o.Request(o.ann, time.Hour, o.reader)
		o.Approve(o.bob, asked)
		for _, signal := range []string{workflows.SignalSubmitted, workflows.SignalDecisionRecorded} {
			carried := o.carried(asked, signal)
			assert.Regexp(t, `"person":"p[0-9]+"`, carried)
			assert.NotContains(t, carried, "@")
		}
	})

	t.Run("signal without a record and the sweep's signal carry nothing", func(t *testing.T) {
		o := newOffice(t)
		asked := o.Request(o.ann, time.Hour, o.reader)
		for _, signal := range []string{workflows.SignalDecisionRecorded, workflows.SignalRevocationRecorded, workflows.SignalDue} {
			assert.Equal(t, "null", o.carried(asked, signal))
		}
	})
}

func TestEndClaim(t *testing.T) {
	for name, lasts := range map[string]time.Duration{"temporary": time.Hour, "permanent": 0} {
		t.Run(name+" claim of a request is ended by the request's run", func(t *testing.T) {
			o := newOffice(t)
			asked := o.Request(o.ann, lasts, o.reader)
			o.Approve(o.bob, asked)
			claim := o.granted(asked.Items[0])
			o.Do(`update access_requests set due_at = null, completed_at = app_now()`) // its run is complete
			_, err := o.SlackApp.RevokeAccess(context.Background(), claim, o.bob, "no longer needed")
			require.NoError(t, err)
			require.NoError(t, o.starter.EndClaim(context.Background(), claim))
			require.Len(t, o.temporal.seen, 1)
			assert.Equal(t, workflows.RequestWorkflowID(asked.ID)+
				` revocation-recorded {"person":"bob@example.com","order":"revoked","items":1}`, o.temporal.seen[0])
		})
	}

	t.Run("imported claim gets a run of its own", func(t *testing.T) {
		o := newOffice(t)
		claim := o.Imported(o.ann, o.reader)
		_, err := o.SlackApp.RevokeAccess(context.Background(), claim, o.bob, "no longer needed")
		require.NoError(t, err)
		require.NoError(t, o.starter.EndClaim(context.Background(), claim))
		assert.Equal(t, []string{workflows.EndWorkflowID(claim) + " Revoke Warehouse / Reader from ann@example.com"}, o.temporal.seen)
	})

	t.Run("unknown claim is an error", func(t *testing.T) {
		o := newOffice(t)
		require.ErrorIs(t, o.starter.EndClaim(context.Background(), 4711), schema.ErrNotFound)
	})
}
