package activities_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"accessbot/schema/schematest"
)

// twoRules has defaults, and a rule for admin with times of its own.
const twoRules = `
defaults: {remind_after: 6h, escalate_after: 2d, expire_after: 8d}
rules:
  - name: Administration
    when: entitlement.key == "admin"
    ask:
      - approvers: [application owners]
        escalate_to: [manager]
    escalate_after: 1d
    expire_after: 4d
  - name: The rest
    ask:
      - approvers: [application owners]
        escalate_to: [manager]
`

func TestPolicyTimes(t *testing.T) {
	t.Run("defaults apply, and a rule's own times override them", func(t *testing.T) {
		b := newBoard(t, twoRules)
		start := b.Now()
		asked := b.Request(b.ann, 0, b.admin, b.reader)
		b.advance(asked.ID)
		open := b.open(asked.ID)
		require.Len(t, open, 2)
		for i, days := range [][2]int{{1, 4}, {2, 8}} {
			assert.Equal(t, 6*time.Hour, open[i].RemindAfter())
			assert.WithinDuration(t, start.AddDate(0, 0, days[0]), open[i].EscalateAt.Time, time.Minute)
			assert.WithinDuration(t, start.AddDate(0, 0, days[1]), open[i].ExpiresAt.Time, time.Minute)
		}
		b.Shift(4*24*time.Hour + time.Minute)
		b.advance(asked.ID)
		assert.Equal(t, []string{"expired", "awaiting_approval"}, []string{b.State(asked.Items[0]), b.State(asked.Items[1])})
		b.Shift(4 * 24 * time.Hour)
		b.advance(asked.ID)
		assert.Equal(t, "expired", b.State(asked.Items[1]))
	})

	t.Run("open request keeps the times of its version", func(t *testing.T) {
		b := newBoard(t, twoRules)
		before := b.Request(b.ann, 0, b.reader)
		b.advance(before.ID)
		opened := b.open(before.ID)[0]
		b.Policy(schematest.WithDefaults("remind_after: 3d, escalate_after: 20d, expire_after: 30d"))
		after := b.Request(b.ann, 0, b.admin)
		b.advance(after.ID)
		assert.Equal(t, 3*24*time.Hour, b.open(after.ID)[0].RemindAfter(), "a new request has the times of the new version")

		b.leaves(b.owen) // the approval moves
		b.advance(before.ID)
		moved := b.open(before.ID)[0]
		require.NotEqual(t, opened.ID, moved.ID)
		assert.Equal(t, 6*time.Hour, moved.RemindAfter())
		assert.Equal(t, opened.EscalateAt, moved.EscalateAt)
		assert.Equal(t, opened.ExpiresAt, moved.ExpiresAt)

		b.Shift(8*24*time.Hour + time.Minute)
		b.advance(before.ID)
		b.advance(after.ID)
		assert.Equal(t, "expired", b.State(before.Items[0]))
		assert.Equal(t, "awaiting_approval", b.State(after.Items[0]))
	})

	t.Run("pending access fails after the time of its rule and version", func(t *testing.T) {
		for name, policy := range map[string]string{
			"default": schematest.WithDefaults("expire_after: 2d"),
			"rule":    "rules: [{name: all, ask: [{approvers: [application owners]}], expire_after: 2d}]",
		} {
			t.Run(name, func(t *testing.T) {
				s := newSmall(t)
				s.target.invite = true
				s.Policy(policy)
				asked := s.approved(0)
				s.Policy(schematest.WithDefaults("expire_after: 30d"))
				require.NoError(t, s.grant(asked.Items[0]))
				s.Shift(47 * time.Hour)
				require.NoError(t, s.grant(asked.Items[0]))
				require.Equal(t, "provisioning", s.State(asked.Items[0]))
				s.Shift(2 * time.Hour)
				require.NoError(t, s.grant(asked.Items[0]))
				assert.Equal(t, "failed", s.State(asked.Items[0]))
				assert.Equal(t, "waited_too_long", s.problem(asked.Items[0]))
			})
		}
	})
}
