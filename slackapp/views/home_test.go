package views_test

import (
	"strings"
	"testing"
	"time"

	"github.com/slack-go/slack"
	"github.com/stretchr/testify/require"

	"accessbot/schema"
	"accessbot/slackapp/views"
)

func TestHomeTab(t *testing.T) {
	// Slack refuses a Home tab of more than a hundred blocks, and then only the small one would be left.
	t.Run("fullest tab has room in Slack", func(t *testing.T) {
		h := homeOf(views.HomeLines, "x")
		for n := range h.Waiting {
			h.Waiting[n].MessageID = 77
		}
		h.Delegation, h.Office = &schema.Delegation{DelegateName: "x", StartsAt: time.Now(), EndsAt: time.Now()}, schema.Office{LooksAfter: true, Manages: true}
		h.Stuck, h.StuckTotal = h.Waiting[:views.StuckLines], 40
		h.Tasks, h.TasksTotal = make([]schema.Task, views.TaskLines), 40
		h.Findings, h.FindingsTotal = make([]schema.Finding, views.FindingLines), 40
		require.Len(t, h.Access, views.HomeLines)
		fits(t, "the fullest Home tab", h.View())
		require.LessOrEqual(t, len(h.View().Blocks.BlockSet), 95, "a few are left for what comes next")
		require.Equal(t, 6, strings.Count(text(h.View()), "Show all 40"), "each list that is cut says how many there are")
	})

	t.Run("waiting approval has the buttons of its message", func(t *testing.T) {
		h := views.Home{TimeZone: "UTC", WaitingTotal: 1, Waiting: []schema.WaitingLine{{RequestID: 1, MessageID: 5, Names: []string{"x"}, Items: 1}}}
		for name, blocks := range map[string]slack.Blocks{"Home": h.View().Blocks, "the whole list": views.WaitingList(h.Waiting, 1, 1, "UTC", "").Blocks} {
			actions := map[string]bool{}
			for _, b := range blocks.BlockSet {
				if a, ok := b.(*slack.ActionBlock); ok {
					for _, e := range a.Elements.ElementSet {
						actions[e.(*slack.ButtonBlockElement).ActionID] = true
					}
				}
			}
			require.Subset(t, actions, map[string]bool{views.ActionApprove: true, views.ActionDeny: true, views.ActionChoose: true, views.ActionAskQuestion: true}, name)
		}
	})

	t.Run("everyone who may be asked can delegate", func(t *testing.T) {
		for name, h := range map[string]views.Home{
			"manages":              {Office: schema.Office{Manages: true}},
			"named in the policy":  {Office: schema.Office{Named: true}},
			"is a delegate":        {Office: schema.Office{IsDelegate: true}},
			"something waits only": {WaitingTotal: 1, Waiting: []schema.WaitingLine{{RequestID: 1, MessageID: 5, Names: []string{"x"}, Items: 1}}},
		} {
			require.Contains(t, text(h.View()), "Delegate approvals…", name)
		}
		require.NotContains(t, text(views.Home{}.View()), "Delegate approvals…")
	})

	t.Run("revoked access is not called removed by its holder", func(t *testing.T) {
		says := func(states map[string]int) string {
			line := schema.RequestLine{RequestID: 1001, Items: 1, Names: []string{"GitHub: reader"}, CreatedAt: time.Now(), TimeZone: "UTC", States: states}
			return text(views.RequestList([]schema.RequestLine{line}, 1, 1, "UTC", ""))
		}
		revoked := says(map[string]int{schema.Revoked: 1})
		require.Contains(t, revoked, "Revoked ·")
		require.Contains(t, revoked, "Request again")
		removed := says(map[string]int{schema.KindRemovedByHolder: 1})
		require.Contains(t, removed, "Removed by you ·")
		require.Contains(t, removed, "Request again")
		require.Contains(t, says(map[string]int{schema.KindRemovedByHolder: 1, schema.Revoked: 2, schema.Active: 1}), "1 active, 1 removed by you, 2 revoked")
	})
}
