package schema_test

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"accessbot/schema"
)

func slackUser(id, email string) schema.SlackUser {
	return schema.SlackUser{TeamID: "T1", UserID: id, Email: email, EmailConfirmed: true, Member: true}
}

func TestASlackUserIsBoundOnceByTheConfirmedEMail(t *testing.T) {
	o := newOffice(t)
	ctx := context.Background()
	_, err := schema.PersonOfSlackUser(ctx, o.app, "T1", "U1")
	require.ErrorIs(t, err, schema.ErrNotBound)
	p, err := o.app.BindSlackUser(ctx, slackUser("U1", "Alice@Example.com"))
	require.NoError(t, err)
	require.Equal(t, "alice@example.com", p.Email)
	// Whatever the e-mail says later.
	again, err := o.app.BindSlackUser(ctx, slackUser("U1", "bob@example.com"))
	require.NoError(t, err)
	require.Equal(t, p.ID, again.ID)
	_, err = schema.PersonOfSlackUser(ctx, o.app, "T2", "U1")
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
	for want, u := range map[error]schema.SlackUser{schema.ErrNotInDirectory: unconfirmed, schema.ErrNotMember: guest} {
		_, err := o.app.BindSlackUser(ctx, u)
		require.ErrorIs(t, err, want)
	}
	_, err := o.app.BindSlackUser(ctx, nobody)
	require.ErrorIs(t, err, schema.ErrNotInDirectory)
	_, err = o.app.BindSlackUser(ctx, slackUser("U4", ""))
	require.ErrorIs(t, err, schema.ErrNotInDirectory)
}

func TestOfTwoAccountsOfOnePersonAtOnceOneIsBound(t *testing.T) {
	o := newOffice(t)
	var contacts sync.WaitGroup
	errs := make(chan error, 20)
	for _, id := range []string{"U1", "U2"} {
		for range 10 {
			contacts.Go(func() {
				_, err := o.app.BindSlackUser(context.Background(), slackUser(id, "alice@example.com"))
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
