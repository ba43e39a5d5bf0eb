package systemtest

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"accessbot/slackapp/slacksim/slackpage"
	"accessbot/workflows"
)

func TestClocks(t *testing.T) {
	t.Parallel()
	t.Run("access ends on time with clocks five minutes apart", func(t *testing.T) {
		t.Parallel()
		for name, skew := range map[string]time.Duration{
			"database's clock is behind the worker's and Temporal's":   -5 * time.Minute,
			"database's clock is ahead of the worker's and Temporal's": 5 * time.Minute,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				s := start(t)
				s.shiftClock(skew)
				s.startWorker()
				request := s.ask("alice", "dashboards", "editor", 25*time.Second)
				s.approve(approver, request)
				s.eventually("access is granted", func() bool { return s.holds("alice", "dashboards", "editor") })
				s.eventually("access is revoked", func() bool { return !s.holds("alice", "dashboards", "editor") })
				var over bool
				require.NoError(t, s.db.Get(&over, `select ends_at <= app_now() from access_requests where id = $1`, request))
				require.True(t, over, "access never ends early")
				s.eventually("the database agrees", func() bool { return s.itemState(request) == "ended" })
				var late float64
				require.NoError(t, s.db.Get(&late, `
				select extract(epoch from c.removed_at - c.ends_at) from claims c join request_items i on i.id = c.item_id where i.request_id = $1`, request))
				require.GreaterOrEqual(t, late, 0.0)
				require.Less(t, late, 60.0, "access ends within a minute by any clock")
				description, err := s.temporal.DescribeWorkflowExecution(t.Context(), workflows.RequestWorkflowID(request), "")
				require.NoError(t, err)
				require.Less(t, description.WorkflowExecutionInfo.HistoryLength, int64(150), "the run does not loop")
			})
		}
	})
}

func TestTerminatedRun(t *testing.T) {
	t.Parallel()
	// The run is terminated while it sleeps, then Temporal is killed.
	t.Run("access is revoked while Temporal is stopped", func(t *testing.T) {
		t.Parallel()
		server := startTemporal(t)
		s := startOn(t, server.address, sample)
		s.startWorker()
		request := s.ask("alice", "dashboards", "editor", time.Hour)
		s.approve(approver, request)
		s.eventually("the item is active", func() bool { return s.itemState(request) == "active" })
		require.NoError(t, s.temporal.TerminateWorkflow(t.Context(), workflows.RequestWorkflowID(request), "", "by hand"))
		server.kill()
		var left float64 // until the sweep reconciles the claim: two minutes after the end
		require.NoError(
			t,
			s.db.Get(
				&left,
				`select extract(epoch from ends_at + interval '2 minutes' - app_now()) from access_requests where id = $1`,
				request,
			),
		)
		s.shiftClock(time.Duration((left - 5) * float64(time.Second)))
		s.eventually(
			"access is revoked without its run and without Temporal",
			func() bool { return !s.holds("alice", "dashboards", "editor") },
		)
		s.eventually("the database agrees", func() bool { return s.itemState(request) == "ended" })
		var audited struct {
			Late float64 `db:"late"`
			Why  string  `db:"why"`
		}
		require.NoError(t, s.db.Get(&audited, `
		select (details->>'late_by_seconds')::float8 as late, details->>'why' as why
		  from audit_events where request_id = $1 and action = 'access.revoked'`, request))
		require.Greater(t, audited.Late, 110.0)
		require.Less(t, audited.Late, 180.0, "within three minutes after the end")
		require.Equal(t, "end reached", audited.Why)
	})

	t.Run("run terminated in the Web UI still ends its access", func(t *testing.T) {
		t.Parallel()
		slackpage.Chromium(t)
		s := start(t)
		s.startWorker()
		request := s.ask("alice", "dashboards", "editor", time.Hour)
		s.approve(approver, request)
		s.eventually("the item is active", func() bool { return s.itemState(request) == "active" })

		ui := slackpage.Open(t, s.slack.Address())
		ui.Go(fmt.Sprintf("%s/namespaces/%s/workflows/%s", setting(t, "TEST_TEMPORAL_UI"), s.id, workflows.RequestWorkflowID(request)))
		ui.See("access ends")
		press := func(within string) {
			button := `[...document.querySelectorAll('` + within + `')].find(e => e.textContent.trim() === 'Terminate' && e.checkVisibility())`
			ui.Wait(button)
			slackpage.Eval[bool](ui, button+`.click() ?? true`)
		}
		slackpage.Eval[bool](
			ui,
			`document.querySelector('[aria-controls*="actions-menu"], [id*="actions-menu"] button, [aria-label*="Actions"]')?.click() ?? true`,
		)
		press(`[role=menuitem]`)
		press(`dialog[open] button, [role=dialog] button`)
		s.eventually("the run is terminated", func() bool { return s.runStatus(workflows.RequestWorkflowID(request)) == "Terminated" })
		require.True(t, s.holds("alice", "dashboards", "editor"))
		s.shiftClock(time.Hour)
		s.eventually("access is revoked", func() bool { return !s.holds("alice", "dashboards", "editor") })
		s.eventually("the database agrees", func() bool { return s.itemState(request) == "ended" })
	})
}
