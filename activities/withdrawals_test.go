package activities_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestWithdrawal(t *testing.T) {
	t.Run("requester and submitter hear of each other's withdrawal", func(t *testing.T) {
		for _, c := range []struct {
			name, told, tells string
			byRequester       bool
		}{
			{"by who asked for someone", "ann", "Olga", false},
			{"by whom it was asked for", "olga", "Ann", true},
		} {
			t.Run(c.name, func(t *testing.T) {
				s := newWithSlack(t)
				olga := s.Person("Olga")
				s.Manages(olga, s.ann)
				asked := s.Request(s.ann, 0, s.admin)
				s.Do(`update access_requests set submitted_by = $1 where id = $2`, olga, asked.ID)
				s.advance(asked.ID)
				s.synced(asked.ID)
				who, presses := olga, "olga"
				if c.byRequester {
					who, presses = s.ann, "ann"
				}
				_, err := s.SlackApp.Withdraw(context.Background(), asked.ID, who)
				require.NoError(t, err)
				s.advance(asked.ID)
				s.synced(asked.ID)
				require.Len(t, s.reads(c.told), 2, "an edit notifies no one")
				assert.Contains(t, s.reads(c.told)[0], "withdrawn by "+c.tells)
				assert.Contains(t, s.reads(c.told)[1], "Withdrawn by "+c.tells)
				require.Len(t, s.reads(presses), 1, "they know")
				assert.Contains(t, s.reads(presses)[0], "withdrawn by you")
				assert.Contains(t, s.reads("owen")[0], "Withdrawn by "+c.tells)
			})
		}
	})

	t.Run("requester is not notified of their own withdrawal", func(t *testing.T) {
		s := newWithSlack(t)
		asked := s.posted(0)
		_, err := s.SlackApp.Withdraw(context.Background(), asked.ID, s.ann)
		require.NoError(t, err)
		s.advance(asked.ID)
		s.synced(asked.ID)
		require.Len(t, s.reads("ann"), 1)
		assert.Contains(t, s.reads("ann")[0], "was withdrawn")
		assert.NotContains(t, s.reads("ann")[0], "withdrawn by")
	})
}
