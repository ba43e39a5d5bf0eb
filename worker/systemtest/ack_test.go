package systemtest

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestKilledSlackApp(t *testing.T) {
	t.Run("kill right after an ack loses nothing", func(t *testing.T) {
		for transport, socket := range map[string]bool{"over HTTP": false, "over Socket Mode": true} {
			t.Run(transport, func(t *testing.T) {
				t.Parallel()
				s := start(t)
				if socket {
					s.useSocketMode()
				}
				s.startWorker()
				s.startSlackApp()
				recorded := func(query string, args ...any) int {
					var n int
					require.NoError(t, s.db.Get(&n, query, args...))
					return n
				}

				request := s.ask("alice", "dashboards", "editor", time.Hour)
				bob := s.as(approver)
				approvalMessage := bob.WaitForMessage(fmt.Sprintf("#%d", request))
				bob.PressIn(approvalMessage, "Approve")
				s.slackapp.kill()
				require.Equal(t, 1, recorded(`select count(*) from decisions where outcome = 'approve'`))
				s.eventually("access is granted without the Slack app", func() bool { return s.itemState(request) == "active" })

				s.startSlackApp()
				alice := s.as("alice")
				alice.OpenHome()
				alice.PressBeside("Dashboard editor", "Remove my access…")
				s.slackapp.kill()
				require.Equal(t, 1, recorded(`select count(*) from stop_orders where kind = 'removed_by_holder'`))
				s.eventually("access is revoked without the Slack app", func() bool { return !s.holds("alice", "dashboards", "editor") })

				other := s.ask("alice", "warehouse", "sandbox", time.Hour)
				card := alice.WaitForMessage(fmt.Sprintf("#%d", other))
				s.startSlackApp()
				alice.PressIn(card, "Withdraw")
				s.slackapp.kill()
				require.Equal(t, 1, recorded(`select count(*) from stop_orders where kind = 'withdrawn'`))
				s.eventually("the request is withdrawn without the Slack app", func() bool { return s.itemState(other) == "withdrawn" })
			})
		}
	})
}
