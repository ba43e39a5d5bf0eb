package schema_test

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"accessbot/schema"
)

func slackUser(id, email string) schema.SlackUser {
	return schema.SlackUser{SlackID: schema.SlackID{TeamID: "T1", UserID: id}, Email: email, EmailConfirmed: true, Member: true}
}

func TestASlackUserIsBoundOnceByTheConfirmedEMail(t *testing.T) {
	o := newOffice(t)
	ctx := context.Background()
	_, err := schema.PersonOfSlackUser(ctx, o.app, schema.SlackID{TeamID: "T1", UserID: "U1"})
	require.ErrorIs(t, err, schema.ErrNotBound)
	p, err := o.app.BindSlackUser(ctx, slackUser("U1", "Alice@Example.com"), true)
	require.NoError(t, err)
	require.Equal(t, "alice@example.com", p.Email)
	// Whatever the e-mail says later.
	again, err := o.app.BindSlackUser(ctx, slackUser("U1", "bob@example.com"), true)
	require.NoError(t, err)
	require.Equal(t, p.ID, again.ID)
	_, err = schema.PersonOfSlackUser(ctx, o.app, schema.SlackID{TeamID: "T2", UserID: "U1"})
	require.ErrorIs(t, err, schema.ErrNotBound, "a user ID means nothing in another team")
	var bound int
	require.NoError(t, o.Get(&bound, `select count(*) from slack_identities`))
	require.Equal(t, 1, bound)
}

func TestWhoCannotBeBound(t *testing.T) {
	o := newOffice(t)
	ctx := context.Background()
	unconfirmed, guest, nobody := slackUser("U1", "alice@example.com"), slackUser("U2", "alice@example.com"), slackUser("U3", "who@example.com")
	unconfirmed.EmailConfirmed, guest.Member = false, false
	for want, u := range map[error]schema.SlackUser{schema.ErrNotConfirmed: unconfirmed, schema.ErrNotMember: guest} {
		_, err := o.app.BindSlackUser(ctx, u, true)
		require.ErrorIs(t, err, want)
	}
	_, err := o.app.BindSlackUser(ctx, nobody, true)
	require.ErrorIs(t, err, schema.ErrNotInDirectory)
	_, err = o.app.BindSlackUser(ctx, slackUser("U4", ""), true)
	require.ErrorIs(t, err, schema.ErrNoEmail)
}

func TestOfTwoAccountsOfOnePersonAtOnceOneIsBound(t *testing.T) {
	o := newOffice(t)
	var contacts sync.WaitGroup
	errs := make(chan error, 20)
	for _, id := range []string{"U1", "U2"} {
		for range 10 {
			contacts.Go(func() {
				_, err := o.app.BindSlackUser(context.Background(), slackUser(id, "alice@example.com"), true)
				errs <- err
			})
		}
	}
	contacts.Wait()
	close(errs)
	refused := 0
	for err := range errs {
		if err != nil {
			require.ErrorIs(t, err, schema.ErrOtherAccount)
			refused++
		}
	}
	require.Equal(t, 10, refused)
}

func TestAnEventIsNewOnce(t *testing.T) {
	o := newOffice(t)
	for _, want := range []bool{true, false, false} {
		isNew, err := schema.NewEvent(context.Background(), o.app, "Ev1")
		require.NoError(t, err)
		require.Equal(t, want, isNew)
	}
}

func TestABindingIsOfOneEnterprise(t *testing.T) {
	o := newOffice(t)
	ctx := context.Background()
	u := slackUser("U1", "alice@example.com")
	u.EnterpriseID = "E1"
	_, err := o.app.BindSlackUser(ctx, u, true)
	require.NoError(t, err)
	for _, id := range []schema.SlackID{{TeamID: "T1", UserID: "U1"}, {EnterpriseID: "E2", TeamID: "T1", UserID: "U1"}} {
		_, err = schema.PersonOfSlackUser(ctx, o.app, id)
		require.ErrorIs(t, err, schema.ErrNotBound)
	}
	// And that person is bound already: whoever that is elsewhere, is refused.
	_, err = o.app.BindSlackUser(ctx, slackUser("U1", "alice@example.com"), true)
	require.ErrorIs(t, err, schema.ErrOtherAccount)
	// The same IDs in another enterprise can be somebody else.
	u.EnterpriseID, u.Email = "E2", "bob@example.com"
	p, err := o.app.BindSlackUser(ctx, u, true)
	require.NoError(t, err)
	require.Equal(t, "bob@example.com", p.Email)
}

func TestABindingThatTheDirectoryContradictsIsWorthNothing(t *testing.T) {
	o := newOffice(t)
	ctx := context.Background()
	for contradiction, undo := range map[string]string{
		`update people set slack_user_id = 'U2' where email = 'alice@example.com'`: `update people set slack_user_id = null`,
		`update people set slack_user_id = 'U1' where email = 'bob@example.com'`:   `update people set slack_user_id = null`,
	} {
		_, err := o.app.BindSlackUser(ctx, slackUser("U1", "alice@example.com"), true)
		require.NoError(t, err)
		o.MustExec(contradiction)
		_, err = schema.PersonOfSlackUser(ctx, o.app, slackUser("U1", "").SlackID)
		require.ErrorIs(t, err, schema.ErrNotBound, contradiction)
		_, err = o.app.BindSlackUser(ctx, slackUser("U1", "alice@example.com"), true)
		require.ErrorIs(t, err, schema.ErrOtherAccount, contradiction)
		o.MustExec(undo)
		_, err = schema.PersonOfSlackUser(ctx, o.app, slackUser("U1", "").SlackID)
		require.NoError(t, err)
	}
}

func TestWithoutByEMailOnlyTheDirectoryBinds(t *testing.T) {
	o := newOffice(t)
	ctx := context.Background()
	_, err := o.app.BindSlackUser(ctx, slackUser("U1", "alice@example.com"), false)
	require.ErrorIs(t, err, schema.ErrNotNamed)
	o.MustExec(`update people set slack_user_id = 'U1' where email = 'alice@example.com'`)
	p, err := o.app.BindSlackUser(ctx, slackUser("U1", "somebody@elsewhere.example"), false)
	require.NoError(t, err)
	require.Equal(t, "alice@example.com", p.Email)
}

func TestAnOperatorUndoesABinding(t *testing.T) {
	o := newOffice(t)
	ctx := context.Background()
	operator := o.As(t, "accessbot_directory")
	for id, email := range map[string]string{"U1": "alice@example.com", "U2": "bob@example.com"} {
		_, err := o.app.BindSlackUser(ctx, slackUser(id, email), true)
		require.NoError(t, err)
	}
	_, err := operator.Unbind(ctx, "alice@example.com", "nobody@example.com")
	require.ErrorIs(t, err, schema.ErrNotFound)
	n, err := operator.Unbind(ctx, "alice@example.com")
	require.NoError(t, err)
	require.Equal(t, 1, n)
	_, err = schema.PersonOfSlackUser(ctx, o.app, slackUser("U1", "").SlackID)
	require.ErrorIs(t, err, schema.ErrNotBound)
	var user string
	require.NoError(t, o.Get(&user, `select details ->> 'user' from audit_events a join people p on p.id = a.person_id
		where a.alert and a.action = 'unbound from a Slack user' and p.email = 'alice@example.com'`))
	require.Equal(t, "U1", user)
	_, err = o.app.BindSlackUser(ctx, slackUser("U9", "alice@example.com"), true)
	require.NoError(t, err, "the next contact decides anew")
	n, err = operator.Unbind(ctx)
	require.NoError(t, err)
	require.Equal(t, 2, n, "everybody")
	_, err = o.app.Unbind(ctx)
	require.ErrorContains(t, err, "permission denied")
}
