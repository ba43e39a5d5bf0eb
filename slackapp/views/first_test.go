package views

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"accessbot/schema"
)

func TestLateDecision(t *testing.T) {
	t.Run("late reader is told what became of the item", func(t *testing.T) {
		firstStage := func(state string) schema.Item {
			i := approvedBy(item(1, state, "reader"), bob, "Bob Owner")
			i.Decision, i.Decisions[0].Stages = nil, 2
			return i
		}
		const approved = "Bob Owner approved this on Mon 23 Nov 2026, 10:00 UTC."
		for _, c := range []struct {
			name string
			item schema.Item
			says string
		}{
			{"approved", approvedBy(item(1, schema.Approved, "reader"), bob, "Bob Owner"), approved},
			{"removed since", revokedItem(given(item(1, schema.Revoked, "reader")), schema.KindRemovedByHolder, "Alice Example", ""), approved},
			{"withdrawn", revokedItem(item(1, schema.Withdrawn, "reader"), schema.KindWithdrawn, "Alice Example", ""), "It was withdrawn on Wed 25 Nov 2026, 08:00 UTC."},
			{"withdrawn after the first stage", revokedItem(firstStage(schema.Withdrawn), schema.KindWithdrawn, "Alice Example", ""),
				approved + "\nIt was withdrawn on Wed 25 Nov 2026, 08:00 UTC."},
			{"expired", item(1, schema.Expired, "reader"), "It expired on Mon 23 Nov 2026, 10:30 UTC: no response in time."},
			{"expired after the first stage", firstStage(schema.Expired), approved + "\nIt expired on Mon 23 Nov 2026, 10:30 UTC: no response in time."},
		} {
			t.Run(c.name, func(t *testing.T) {
				r := withApproval(newRequest(c.item), "closed", "application owner", []int64{1}, candidate(carol, "Carol Owner", true))
				assert.Equal(t, c.says, DecidedBy(r, carol, "UTC"))
				assert.Equal(t, "There is nothing left for you to decide here.", DecidedBy(r, dave, "UTC"), "he was not asked")
			})
		}
	})
}
