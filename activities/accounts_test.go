package activities_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"accessbot/activities"
	"accessbot/activities/connector"
	"accessbot/schema/schematest"
)

// newcomer is a small company in whose target Ann has no account yet, and an approved item of hers.
func newcomer(t *testing.T, creates bool) (small, int64) {
	t.Helper()
	s := newSmall(t)
	s.creates = creates
	s.target.people = map[string]bool{}
	return s, s.approved(time.Hour).Items[0]
}

func (s small) hasAccount() bool {
	s.target.mutex.Lock()
	defer s.target.mutex.Unlock()
	return s.target.people["ann"]
}

func (s small) problem(item int64) string {
	s.t.Helper()
	return schematest.Value[string](s.World, `select problem from request_items where id = $1`, item)
}

func TestAccountCreation(t *testing.T) {
	t.Run("a person without an account gets one together with the access", func(t *testing.T) {
		s, item := newcomer(t, true)
		require.NoError(t, s.give(item))
		assert.Equal(t, "active", s.State(item), s.problem(item))
		assert.True(t, s.held())
		assert.Equal(t, 1, s.target.called("create"))
	})

	t.Run("a worker that is lost between creating the account and granting access goes on from there", func(t *testing.T) {
		s, item := newcomer(t, true)
		s.target.next("create", lostAnswer)
		require.Error(t, s.give(item))
		require.True(t, s.hasAccount())
		require.False(t, s.held())

		s.do = s.activities(s.Worker) // another worker
		require.NoError(t, s.give(item))
		assert.Equal(t, "active", s.State(item))
		assert.True(t, s.held())
		assert.Equal(t, 1, s.target.called("create"), "the account is there: it is not created again")
	})

	t.Run("an item that is withdrawn before its account exists creates none", func(t *testing.T) {
		s, item := newcomer(t, true)
		s.target.next("create", refusesConnection)
		require.Error(t, s.give(item))
		_, err := s.SlackApp.GiveBack(context.Background(), s.Claim(item), s.ann)
		require.NoError(t, err)
		require.NoError(t, s.takeBack(s.Claim(item)))
		assert.Equal(t, "released", s.State(item))
		assert.False(t, s.hasAccount())
	})

	t.Run("an account that is created and not shown yet is waited for", func(t *testing.T) {
		s, item := newcomer(t, true)
		s.target.next("create", lies)
		require.Error(t, s.give(item))
		assert.Equal(t, "provisioning", s.State(item))
		assert.Contains(t, s.problem(item), "the account ann is not ready in the system yet")
		require.NoError(t, s.give(item))
		assert.Equal(t, "active", s.State(item))
	})
}

func TestAccountThatCannotBeCreated(t *testing.T) {
	answers := func(err error) func(context.Context, func()) error {
		return func(context.Context, func()) error { return err }
	}
	for _, test := range []struct {
		condition string
		creates   bool
		answer    error
		problem   string
	}{
		{"the connector creates no accounts", false, nil,
			"There is no account ann in the system, and accounts aren't created automatically there. " +
				"Ask an owner of the application to set it up, then request access again."},
		{"the target turns out to create none", true, &connector.Gone{Part: connector.Account, Name: "ann"},
			"There is no account ann in the system, and accounts aren't created automatically there. " +
				"Ask an owner of the application to set it up, then request access again."},
		{"the connector's login lacks the right", true, &connector.Denied{Do: "give login \"bot\" CREATEROLE"},
			"There is no account ann in the system, and we aren't allowed to create it. Operators have been notified. " +
				"Request access again when the account exists."},
		{"the name is not one for a person", true, &connector.Refused{Part: connector.Account, Name: "ann", Reason: "is reserved"},
			"There is no account ann in the system, and it can't be created: it is reserved."},
		{"those who look after the target refuse it", true, &connector.Refused{Part: connector.Account, Name: "ann", Reason: "there is no seat left", ByPeople: true},
			"There is no account ann in the system, and it can't be created. The system's answer: there is no seat left"},
	} {
		t.Run(test.condition+": the item fails and says why", func(t *testing.T) {
			s, item := newcomer(t, test.creates)
			s.target.always("create", answers(test.answer))
			require.NoError(t, s.give(item))
			assert.Equal(t, "failed", s.State(item))
			assert.Equal(t, test.problem, s.problem(item))
			assert.Equal(t, 1, s.Alerts("could not be given"))
		})
	}

	t.Run("the target does not answer: it is tried again, and says what waits, and fails with that reason in the end", func(t *testing.T) {
		s, item := newcomer(t, true)
		s.target.always("create", answers(&connector.Unavailable{Err: errors.New("503")}))
		require.Error(t, s.give(item))
		assert.Equal(t, "provisioning", s.State(item))
		assert.Contains(t, s.problem(item), "the account ann is not ready in the system yet")

		require.NoError(t, s.do.FailItem(context.Background(), activities.ItemInput{ItemID: item}))
		assert.Equal(t, "failed", s.State(item))
		assert.Equal(t, "The account ann could not be created in the system in time.", s.problem(item))
	})
}
