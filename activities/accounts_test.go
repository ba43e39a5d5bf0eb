package activities_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"accessbot/activities/connector"
	"accessbot/schema"
	"accessbot/schema/schematest"
	"accessbot/slackapp/views"
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

// problemWords is what the owners of the application read of an item's problem.
func (s small) problemWords(item int64) string {
	s.t.Helper()
	request, err := schema.RequestByID(context.Background(), s.Worker, schematest.Value[int64](s.World, `select request_id from request_items where id = $1`, item))
	require.NoError(s.t, err)
	i := slices.IndexFunc(request.Items, func(i schema.Item) bool { return i.ID == item })
	return views.ProblemForAudit(request.Items[i].Problem, "CRM", "Ann")
}

func TestAccountCreation(t *testing.T) {
	t.Run("a person without an account gets one together with the access", func(t *testing.T) {
		s, item := newcomer(t, true)
		require.NoError(t, s.grant(item))
		assert.Equal(t, "active", s.State(item), s.problem(item))
		assert.True(t, s.held())
		assert.Equal(t, 1, s.target.called("create"))
	})

	t.Run("a worker that is lost between creating the account and granting access goes on from there", func(t *testing.T) {
		s, item := newcomer(t, true)
		s.target.next("create", lostAnswer)
		require.Error(t, s.grant(item))
		require.True(t, s.hasAccount())
		require.False(t, s.held())

		s.do = s.activities(s.Worker) // another worker
		require.NoError(t, s.grant(item))
		assert.Equal(t, "active", s.State(item))
		assert.True(t, s.held())
		assert.Equal(t, 1, s.target.called("create"), "the account is there: it is not created again")
	})

	t.Run("an item that is withdrawn before its account exists creates none", func(t *testing.T) {
		s, item := newcomer(t, true)
		s.target.next("create", refusesConnection)
		require.Error(t, s.grant(item))
		_, err := s.SlackApp.RemoveAccess(context.Background(), s.Claim(item), s.ann)
		require.NoError(t, err)
		require.NoError(t, s.revoke(s.Claim(item)))
		assert.Equal(t, "revoked", s.State(item))
		assert.False(t, s.hasAccount())
	})

	t.Run("an account that is created and not shown yet is waited for", func(t *testing.T) {
		s, item := newcomer(t, true)
		s.target.next("create", lies)
		require.Error(t, s.grant(item))
		assert.Equal(t, "provisioning", s.State(item))
		assert.Equal(t, string(schema.AccountNotReady), s.problem(item))
		require.NoError(t, s.grant(item))
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
			"there is no account ann in CRM, and accounts aren't created there: ask one of its owners to set it up, then request access again"},
		{"the target turns out to create none", true, &connector.Gone{Part: connector.Account, Name: "ann"},
			"there is no account ann in CRM, and accounts aren't created there: ask one of its owners to set it up, then request access again"},
		{"the name is not one for a person", true, &connector.Refused{Part: connector.Account, Name: "ann", Reason: "is reserved"},
			"there is no account ann in CRM, and it can't be created: it is reserved"},
		{"those who look after the target refuse it", true, &connector.Refused{Part: connector.Account, Name: "ann", Reason: "there is no assignment left", ByPeople: true},
			"there is no account ann in CRM, and it can't be created: there is no assignment left"},
	} {
		t.Run(test.condition+": the item fails and says why", func(t *testing.T) {
			s, item := newcomer(t, test.creates)
			s.target.always("create", answers(test.answer))
			require.NoError(t, s.grant(item))
			assert.Equal(t, "failed", s.State(item))
			assert.Equal(t, test.problem, s.problemWords(item))
		})
	}

	t.Run("the connector's login lacks the right: the item waits until it has it", func(t *testing.T) {
		s, item := newcomer(t, true)
		s.target.next("create", answers(&connector.Denied{Do: "grant login \"bot\" CREATEROLE"}))
		require.Error(t, s.grant(item))
		assert.Equal(t, "waiting until we may create the account ann in CRM; its owners have been notified", s.problemWords(item))
		require.NoError(t, s.grant(item))
		assert.Equal(t, "active", s.State(item))
	})

	t.Run("the target does not answer: the item waits until it does", func(t *testing.T) {
		s, item := newcomer(t, true)
		s.target.next("create", answers(&connector.Unavailable{Err: errors.New("503")}))
		require.Error(t, s.grant(item))
		assert.Equal(t, "waiting for the account ann in CRM, which isn't ready yet", s.problemWords(item))
		require.NoError(t, s.grant(item))
		assert.Equal(t, "active", s.State(item))
	})
}
