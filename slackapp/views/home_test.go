package views_test

import (
	"database/sql"
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
			h.Waiting[n].MessageID, h.Waiting[n].Overridable, h.Waiting[n].NoApprover = 77, 3, 1
		}
		h.Delegation, h.Office = &schema.Delegation{
			DelegateName: "x",
			StartsAt:     time.Now(),
			EndsAt:       time.Now(),
		}, schema.Office{
			LooksAfter: true,
			Manages:    true,
		}
		h.Tasks, h.TasksTotal = make([]schema.Task, views.TaskLines), 40
		h.Findings, h.FindingsTotal = make([]schema.Finding, views.FindingLines), 40
		require.Len(t, h.Access, views.HomeLines)
		fits(t, "the fullest Home tab", h.View())
		require.LessOrEqual(t, len(h.View().Blocks.BlockSet), 95, "a few are left for what comes next")
		require.Equal(t, 5, strings.Count(text(h.View()), "Show all 40"), "each list that is cut says how many there are")
	})

	t.Run("waiting approval has the buttons of its message", func(t *testing.T) {
		h := views.Home{
			TimeZone:     "UTC",
			WaitingTotal: 1,
			Waiting:      []schema.WaitingLine{{RequestID: 1, MessageID: 5, Names: []string{"x"}, Items: 1}},
		}
		for name, blocks := range map[string]slack.Blocks{"Home": h.View().Blocks, "the whole list": views.WaitingList(h.Waiting, 1, 1, "UTC", "").Blocks} {
			actions := map[string]bool{}
			for _, b := range blocks.BlockSet {
				if a, ok := b.(*slack.ActionBlock); ok {
					for _, e := range a.Elements.ElementSet {
						actions[e.(*slack.ButtonBlockElement).ActionID] = true
					}
				}
			}
			require.Subset(
				t,
				actions,
				map[string]bool{views.ActionApprove: true, views.ActionDeny: true, views.ActionChoose: true, views.ActionAskQuestion: true},
				name,
			)
		}
	})

	t.Run("row says why its reader decides as an administrator", func(t *testing.T) {
		now := time.Date(2026, 12, 1, 16, 0, 0, 0, time.UTC)
		since := func(d time.Duration) sql.NullTime { return sql.NullTime{Time: now.Add(-d), Valid: true} }
		const approve, override, question = "Approve", "Decide as administrator…", "Ask a question…"
		for name, c := range map[string]struct {
			line    schema.WaitingLine
			says    []string
			not     string
			buttons []string
		}{
			"no response for days": {schema.WaitingLine{Items: 2, Overridable: 2, Since: since(50 * time.Hour), MessageID: 5},
				[]string{"⏰ *No response for 2 days*"}, "access grants)", []string{override, question}},
			"no response for hours, message on its way": {schema.WaitingLine{Items: 1, Overridable: 1, Since: since(5 * time.Hour)},
				[]string{"⏰ *No response for 5 hours*"}, "on its way", []string{override}},
			"no approver": {schema.WaitingLine{Items: 1, Overridable: 1, NoApprover: 1},
				[]string{"⏰ *No approver is available*"}, "No response", []string{override}},
			"a vote too": {schema.WaitingLine{Items: 3, Overridable: 2, NoApprover: 1, Since: since(26 * time.Hour), MessageID: 5},
				[]string{"⏰ *No response for 1 day* (1 of 3 access grants)", "⏰ *No approver is available* (1 of 3 access grants)"}, "on its way",
				[]string{approve, "Deny…", "Approve with changes…", override, question}},
			"a vote too, message on its way": {schema.WaitingLine{Items: 3, Overridable: 1, Since: since(26 * time.Hour), AskedAt: since(time.Hour)},
				[]string{"(1 of 3 access grants)", "on its way"}, approve, []string{override}},
			"a vote only": {schema.WaitingLine{Items: 1, MessageID: 5, AskedAt: since(time.Hour)},
				nil, "⏰", []string{approve, "Deny…", "Approve with changes…", question}},
		} {
			c.line.RequestID, c.line.ReadAt, c.line.Names = 1042, now, []string{"a", "b", "c"}
			home := views.Home{TimeZone: "UTC", WaitingTotal: 1, Waiting: []schema.WaitingLine{c.line}}.View()
			var labels []string
			for _, b := range home.Blocks.BlockSet[2:] { // after those of the tab
				if a, ok := b.(*slack.ActionBlock); ok {
					for _, e := range a.Elements.ElementSet {
						labels = append(labels, e.(*slack.ButtonBlockElement).Text.Text)
					}
				}
			}
			require.Equal(t, c.buttons, labels, name)
			for _, says := range c.says {
				require.Contains(t, text(home), says, name)
			}
			require.NotContains(t, text(home), c.not, name)
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
			line := schema.RequestLine{
				RequestID: 1001,
				Items:     1,
				Names:     []string{"GitHub: reader"},
				CreatedAt: time.Now(),
				TimeZone:  "UTC",
				States:    states,
			}
			return text(views.RequestList([]schema.RequestLine{line}, 1, 1, "UTC", ""))
		}
		revoked := says(map[string]int{schema.Revoked: 1})
		require.Contains(t, revoked, "Revoked ·")
		require.Contains(t, revoked, "Request again")
		removed := says(map[string]int{schema.KindRemovedByHolder: 1})
		require.Contains(t, removed, "Removed by you ·")
		require.Contains(t, removed, "Request again")
		require.Contains(
			t,
			says(map[string]int{schema.KindRemovedByHolder: 1, schema.Revoked: 2, schema.Active: 1}),
			"1 active, 1 removed by you, 2 revoked",
		)
	})
}
