package outbox_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestWithdrawal(t *testing.T) {
	t.Run("requester and submitter are notified of each other's withdrawal", func(t *testing.T) {
		for _, c := range []struct {
			name, reader, withdrawer string
			byRequester              bool
		}{
			{"by the submitter", "ann", "Olga", false},
			{"by the requester", "olga", "Ann", true},
		} {
			t.Run(c.name, func(t *testing.T) {
				s := newCompany(t)
				olga := s.Person("Olga")
				s.Manages(olga, s.ann)
				asked := s.Request(s.ann, 0, s.admin)
				s.Do(`update access_requests set submitted_by = $1 where id = $2`, olga, asked.ID)
				s.advance(asked.ID)
				s.synced(asked.ID)
				person, name := olga, "olga"
				if c.byRequester {
					person, name = s.ann, "ann"
				}
				_, err := s.SlackApp.Withdraw(context.Background(), asked.ID, person)
				require.NoError(t, err)
				s.advance(asked.ID)
				s.synced(asked.ID)
				require.Len(t, s.reads(c.reader), 2, "Slack does not notify of an edit")
				assert.Contains(t, s.reads(c.reader)[0], "withdrawn by "+c.withdrawer)
				assert.Contains(t, s.reads(c.reader)[1], "Withdrawn by "+c.withdrawer)
				require.Len(t, s.reads(name), 1, "no notification")
				assert.Contains(t, s.reads(name)[0], "withdrawn by you")
				assert.Contains(t, s.reads("owen")[0], "Withdrawn by "+c.withdrawer)
			})
		}
	})

	t.Run("requester is not notified of their own withdrawal", func(t *testing.T) {
		s := newCompany(t)
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
