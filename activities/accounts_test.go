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
	"accessbot/schema/words"
)

// newcomer returns a small company whose target has no account for Ann, and an approved item of hers.
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

// problemText returns the text of an item's problem in the audit.
func (s small) problemText(item int64) string {
	s.t.Helper()
	request, err := schema.RequestByID(
		context.Background(),
		s.Worker,
		schematest.Value[int64](s.World, `select request_id from request_items where id = $1`, item),
	)
	require.NoError(s.t, err)
	i := slices.IndexFunc(request.Items, func(other schema.Item) bool { return other.ID == item })
	return words.ProblemForAudit(request.Items[i].Problem, "CRM", "Ann")
}

func TestAccountCreation(t *testing.T) {
	t.Run("missing account is created with the access", func(t *testing.T) {
		s, item := newcomer(t, true)
		require.NoError(t, s.grant(item))
		assert.Equal(t, "active", s.State(item), s.problem(item))
		assert.True(t, s.held())
		assert.Equal(t, 1, s.target.called("create"))
	})

	t.Run("worker that crashes after creating the account continues from there", func(t *testing.T) {
		s, item := newcomer(t, true)
		s.target.next("create", lostAnswer)
		require.Error(t, s.grant(item))
		require.True(t, s.hasAccount())
		require.False(t, s.held())

		s.do = s.activities(s.Worker) // another worker
		require.NoError(t, s.grant(item))
		assert.Equal(t, "active", s.State(item))
		assert.True(t, s.held())
		assert.Equal(t, 1, s.target.called("create"), "the account exists and is not created again")
	})

	t.Run("revoked item creates no account", func(t *testing.T) {
		s, item := newcomer(t, true)
		s.target.next("create", refusesConnection)
		require.Error(t, s.grant(item))
		_, err := s.SlackApp.RemoveAccess(context.Background(), s.Claim(item), s.ann)
		require.NoError(t, err)
		require.NoError(t, s.revoke(s.Claim(item)))
		assert.Equal(t, "revoked", s.State(item))
		assert.False(t, s.hasAccount())
	})

	t.Run("account that the target does not show yet is waited for", func(t *testing.T) {
		s, item := newcomer(t, true)
		s.target.next("create", doesNothing)
		require.Error(t, s.grant(item))
		assert.Equal(t, "provisioning", s.State(item))
		assert.Equal(t, string(schema.AccountNotReady), s.problem(item))
		require.NoError(t, s.grant(item))
		assert.Equal(t, "active", s.State(item))
	})
}

func TestAccountNotCreated(t *testing.T) {
	answers := func(err error) func(context.Context, func()) error {
		return func(context.Context, func()) error { return err }
	}
	for _, test := range []struct {
		condition string
		creates   bool
		answer    error
		problem   string
	}{
		{"connector that creates no accounts", false, nil,
			"there is no account ann in CRM, and accounts aren't created there: ask one of its owners to set it up, then request access again"},
		{"target that creates no accounts", true, &connector.Gone{Part: connector.Account, Name: "ann"},
			"there is no account ann in CRM, and accounts aren't created there: ask one of its owners to set it up, then request access again"},
		{"name that is reserved", true, &connector.Refused{Part: connector.Account, Name: "ann", Reason: "is reserved"},
			"there is no account ann in CRM, and it can't be created: it is reserved"},
		{"owners who refuse the account", true, &connector.Refused{Part: connector.Account, Name: "ann", Reason: "there is no licence left", ByOwners: true},
			"there is no account ann in CRM, and it can't be created: there is no licence left"},
	} {
		t.Run(test.condition+" fails the item with the reason", func(t *testing.T) {
			s, item := newcomer(t, test.creates)
			s.target.always("create", answers(test.answer))
			require.NoError(t, s.grant(item))
			assert.Equal(t, "failed", s.State(item))
			assert.Equal(t, test.problem, s.problemText(item))
		})
	}

	t.Run("login that lacks the right keeps the item waiting", func(t *testing.T) {
		s, item := newcomer(t, true)
		s.target.next("create", answers(&connector.Denied{Fix: "grant login \"bot\" CREATEROLE"}))
		require.Error(t, s.grant(item))
		assert.Equal(t, "waiting until we may create the account ann in CRM; its owners have been notified", s.problemText(item))
		require.NoError(t, s.grant(item))
		assert.Equal(t, "active", s.State(item))
	})

	t.Run("unavailable target keeps the item waiting", func(t *testing.T) {
		s, item := newcomer(t, true)
		s.target.next("create", answers(&connector.Unavailable{Err: errors.New("503")}))
		require.Error(t, s.grant(item))
		assert.Equal(t, "waiting for the account ann in CRM, which isn't ready yet", s.problemText(item))
		require.NoError(t, s.grant(item))
		assert.Equal(t, "active", s.State(item))
	})
}
