package views

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"accessbot/schema"
	"accessbot/schema/words"
)

func TestStateWords(t *testing.T) {
	t.Run("every phase has an emoji and a label", func(t *testing.T) {
		for p := range phases {
			assert.NotEmpty(t, p.emoji(), p)
			assert.NotEmpty(t, p.label(), p)
		}
	})

	t.Run("card and Home use the same word for a state", func(t *testing.T) {
		for _, i := range []schema.Item{
			item(1, schema.Submitted, "reader"),
			item(1, schema.AwaitingApproval, "reader"),
			approvedBy(item(1, schema.Approved, "reader"), bob, "Bob Owner"),
			claimed(item(1, schema.Provisioning, "reader"), schema.Claim{}),
			given(item(1, schema.Active, "reader")),
			deniedBy(item(1, schema.Denied, "reader"), bob, "Bob Owner", "no"),
			item(1, schema.Expired, "reader"),
			problem(item(1, schema.Failed, "reader"), schema.ObjectGone, "team"),
			revokedItem(item(1, schema.Withdrawn, "reader"), schema.KindWithdrawn, "Alice Example", ""),
		} {
			card := tell(newRequest(i), []schema.Item{i}, "UTC", alice)[0]
			home := stateCounts(map[string]int{i.State: 1}, "", true)
			assert.Equal(t, home, card.label, i.State)
			assert.Equal(t, home, words.State(i.State), i.State)
		}
	})

	t.Run("access that its holder removed names them to other readers", func(t *testing.T) {
		i := revokedItem(given(item(1, schema.Revoked, "reader")), schema.KindRemovedByHolder, "Alice Example", "")
		i.Claim.EndedAt, i.Claim.RemovedAt = at("2026-11-25T08:00:00Z"), at("2026-11-25T08:00:00Z")
		r := newRequest(i)
		assert.Equal(t, "Removed by you", tell(r, r.Items, "UTC", alice)[0].label)
		assert.Equal(t, "Removed by Alice Example", tell(r, r.Items, "UTC", dave)[0].label)
		assert.Equal(
			t,
			"1 active, 1 removed by Alice",
			stateCounts(map[string]int{schema.Active: 1, schema.KindRemovedByHolder: 1}, "Alice", false),
		)
	})

	t.Run("glossary has every state word", func(t *testing.T) {
		glossary, err := os.ReadFile("../../docs/glossary.md")
		require.NoError(t, err)
		_, table, _ := strings.Cut(string(glossary), "## State words")
		for state, p := range byState {
			assert.Contains(t, table, "| "+p.label()+" |", state)
		}
		for _, p := range []phase{removing, unconfirmed} {
			assert.Contains(t, table, "| "+p.label()+" |")
		}
	})
}
