package schema_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"

	"accessbot/schema"
	"accessbot/schema/schematest"
)

func slackUser(id, email string) schema.SlackUser {
	return schema.SlackUser{SlackID: schema.SlackID{TeamID: "T1", UserID: id}, Email: email, EmailConfirmed: true, Member: true}
}

func TestSlackIdentity(t *testing.T) {
	t.Run("Slack user is bound once by the confirmed e-mail", func(t *testing.T) {
		o := newOffice(t)
		ctx := context.Background()
		_, err := schema.PersonOfSlackUser(ctx, o.app, schema.SlackID{TeamID: "T1", UserID: "U1"})
		require.ErrorIs(t, err, schema.ErrNotBound)
		p, err := o.app.BindSlackUser(ctx, slackUser("U1", "Alice@Example.com"), true)
		require.NoError(t, err)
		require.Equal(t, "alice@example.com", p.Email)
		// Even if the e-mail changes later.
		again, err := o.app.BindSlackUser(ctx, slackUser("U1", "bob@example.com"), true)
		require.NoError(t, err)
		require.Equal(t, p.ID, again.ID)
		_, err = schema.PersonOfSlackUser(ctx, o.app, schema.SlackID{TeamID: "T2", UserID: "U1"})
		require.ErrorIs(t, err, schema.ErrNotBound, "a user ID means nothing in another team")
		var bound int
		require.NoError(t, o.Get(&bound, `select count(*) from slack_identities`))
		require.Equal(t, 1, bound)
	})

	t.Run("unconfirmed, unknown and guest users are not bound", func(t *testing.T) {
		o := newOffice(t)
		ctx := context.Background()
		unconfirmed, guest, unknown := slackUser(
			"U1",
			"alice@example.com",
		), slackUser(
			"U2",
			"alice@example.com",
		), slackUser(
			"U3",
			"who@example.com",
		)
		unconfirmed.EmailConfirmed, guest.Member = false, false
		for want, u := range map[error]schema.SlackUser{schema.ErrNotConfirmed: unconfirmed, schema.ErrNotMember: guest} {
			_, err := o.app.BindSlackUser(ctx, u, true)
			require.ErrorIs(t, err, want)
		}
		_, err := o.app.BindSlackUser(ctx, unknown, true)
		require.ErrorIs(t, err, schema.ErrNotInDirectory)
		_, err = o.app.BindSlackUser(ctx, slackUser("U4", ""), true)
		require.ErrorIs(t, err, schema.ErrNoEmail)
	})

	t.Run("one of two accounts of a person is bound", func(t *testing.T) {
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
	})

	t.Run("event is new only once", func(t *testing.T) {
		o := newOffice(t)
		for _, want := range []bool{true, false, false} {
			isNew, err := schema.NewEvent(context.Background(), o.app, "Ev1")
			require.NoError(t, err)
			require.Equal(t, want, isNew)
		}
	})

	t.Run("binding belongs to one enterprise", func(t *testing.T) {
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
		// The person is bound already, so a user of another enterprise is refused.
		_, err = o.app.BindSlackUser(ctx, slackUser("U1", "alice@example.com"), true)
		require.ErrorIs(t, err, schema.ErrOtherAccount)
		// The same user ID in another enterprise can be another person.
		u.EnterpriseID, u.Email = "E2", "bob@example.com"
		p, err := o.app.BindSlackUser(ctx, u, true)
		require.NoError(t, err)
		require.Equal(t, "bob@example.com", p.Email)
	})

	t.Run("binding that the directory contradicts is void", func(t *testing.T) {
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
	})

	t.Run("only the directory binds users if matching by e-mail is off", func(t *testing.T) {
		o := newOffice(t)
		ctx := context.Background()
		_, err := o.app.BindSlackUser(ctx, slackUser("U1", "alice@example.com"), false)
		require.ErrorIs(t, err, schema.ErrNotNamed)
		o.MustExec(`update people set slack_user_id = 'U1' where email = 'alice@example.com'`)
		p, err := o.app.BindSlackUser(ctx, slackUser("U1", "someone@elsewhere.example"), false)
		require.NoError(t, err)
		require.Equal(t, "alice@example.com", p.Email)
	})

	t.Run("operator removes a binding", func(t *testing.T) {
		o := newOffice(t)
		ctx := context.Background()
		operator := o.As(t, "accessbot_directory")
		for id, email := range map[string]string{"U1": "alice@example.com", "U2": "bob@example.com"} {
			_, err := o.app.BindSlackUser(ctx, slackUser(id, email), true)
			require.NoError(t, err)
		}
		_, err := operator.Unbind(ctx, "alice@example.com", "unknown@example.com")
		require.ErrorIs(t, err, schema.ErrNotFound)
		n, err := operator.Unbind(ctx, "alice@example.com")
		require.NoError(t, err)
		require.Equal(t, 1, n)
		_, err = schema.PersonOfSlackUser(ctx, o.app, slackUser("U1", "").SlackID)
		require.ErrorIs(t, err, schema.ErrNotBound)
		var user string
		require.NoError(t, o.Get(&user, `select details ->> 'user' from audit_events a join people p on p.id = a.person_id
		where a.alert and a.action = 'binding.removed' and p.email = 'alice@example.com'`))
		require.Equal(t, "U1", user)
		_, err = o.app.BindSlackUser(ctx, slackUser("U9", "alice@example.com"), true)
		require.NoError(t, err, "the next contact decides again")
		n, err = operator.Unbind(ctx)
		require.NoError(t, err)
		require.Equal(t, 2, n, "all bindings")
		_, err = o.app.Unbind(ctx)
		require.ErrorContains(t, err, "permission denied")
	})

	t.Run("look-alike address binds to no one and raises an alert", func(t *testing.T) {
		w := schematest.NewWorld(t)
		for _, name := range []string{"Priya", "Kenji", "Sam"} {
			w.Person(name)
		}
		alerts := func() int {
			return schematest.Value[int](
				w,
				`select count(*) from audit_events where alert and actor = 'slackapp' and action = 'binding.refused'`,
			)
		}
		t.Run("it is not bound and raises an alert", func(t *testing.T) {
			for n, address := range []string{"pr\u0130ya@example.com", "\u212Aenji@example.com", "\u017Fam@example.com", "PR\u0130YA@EXAMPLE.COM", "priya@e\u017Fample.com"} {
				_, err := w.SlackApp.BindSlackUser(t.Context(), slackUser("U1", address), true)
				require.ErrorIs(t, err, schema.ErrNotASCII, "%+q", address)
				require.Equal(t, n+1, alerts())
			}
			require.Equal(t, `"pr\u0130ya@example.com"`, schematest.Value[string](w,
				`select details ->> 'address' from audit_events where action = 'binding.refused' order by id limit 1`))
			require.Zero(t, schematest.Value[int](w, `select count(*) from slack_identities`))
		})
		t.Run("it finds no person", func(t *testing.T) {
			_, err := schema.PersonByEmail(t.Context(), w.SlackApp, "pr\u0130ya@example.com")
			require.ErrorIs(t, err, schema.ErrNotFound)
			require.ErrorIs(
				t,
				w.As(t, "accessbot_directory").RenamePerson(t.Context(), "\u212Aenji@example.com", "other@example.com"),
				schema.ErrNotFound,
			)
		})
		t.Run("not even the person with that address, named by slack_user_id", func(t *testing.T) {
			w.Do(`insert into people (email, name, status) values ($1, 'Other', 'active')`, "pr\u0130ya@example.com")
			_, err := w.SlackApp.BindSlackUser(t.Context(), slackUser("U1", "pr\u0130ya@example.com"), true)
			require.ErrorIs(t, err, schema.ErrNotASCII)
			w.Do(`update people set slack_user_id = 'U1' where name = 'Other'`)
			p, err := w.SlackApp.BindSlackUser(t.Context(), slackUser("U1", "pr\u0130ya@example.com"), true)
			require.NoError(t, err)
			require.Equal(t, "Other", p.Name)
		})
		t.Run("a bound user who changes to it in Slack raises an alert", func(t *testing.T) {
			kenji, err := w.SlackApp.BindSlackUser(t.Context(), slackUser("U2", "KENJI@example.com"), true)
			require.NoError(t, err)
			require.NoError(t, schema.LookAtSlackEmail(t.Context(), w.SlackApp, kenji, slackUser("U2", "Kenji@Example.com")))
			require.Zero(t, w.Alerts(schema.BindingContradicted))
			require.NoError(t, schema.LookAtSlackEmail(t.Context(), w.SlackApp, kenji, slackUser("U2", "\u212Aenji@example.com")))
			require.Equal(t, 1, w.Alerts(schema.BindingContradicted))
		})
		t.Run("ASCII capitals are refused and other capitals are stored as they are", func(t *testing.T) {
			_, err := w.Exec(`insert into people (email, name, status) values ('Ann@example.com', 'Ann', 'active')`)
			require.ErrorContains(t, err, "people_email_check")
			w.Do(`insert into people (email, name, status) values ($1, 'Ann', 'active')`, "\u00C4nn@example.com")
		})
		t.Run("an address with an invisible character is refused", func(t *testing.T) {
			err := w.As(t, "accessbot_directory").RenamePerson(t.Context(), "kenji@example.com", "ken\u200bji@example.com")
			require.ErrorContains(t, err, "U+200B, which is invisible, as character 4")
		})
	})

	// An address only binds to a person with the same address, apart from the case of ASCII letters.
	t.Run("no two addresses bind to one person", func(t *testing.T) {
		w := schematest.NewWorld(t)
		w.Person("Priskay")
		const address = "priskay@example.com"
		strange := lookalikes()
		for _, r := range []rune{'\u0130', '\u212A', '\u017F'} {
			require.Contains(t, strange, r)
		}
		random := rand.New(rand.NewPCG(1, 2))
		bound, refused := 0, 0
		for n := range 300 {
			changed := []rune(address)
			for range random.IntN(4) {
				at := random.IntN(len(changed))
				switch r := changed[at]; random.IntN(4) {
				case 0:
					changed[at] = strange[random.IntN(len(strange))]
				case 1:
					changed = slices.Insert(changed, at, strange[random.IntN(len(strange))])
				default:
					changed[at] = unicode.ToUpper(r)
				}
			}
			u := slackUser(fmt.Sprintf("U%d", n), string(changed))
			same := len(u.Email) == len(address)
			for i := 0; same && i < len(address); i++ {
				same = u.Email[i] == address[i] || 'a' <= address[i] && address[i] <= 'z' && u.Email[i] == address[i]-'a'+'A'
			}
			p, err := w.SlackApp.BindSlackUser(t.Context(), u, true)
			if !same {
				require.Error(t, err, "%+q", u.Email)
				refused++
				continue
			}
			require.NoError(t, err)
			require.Equal(t, address, p.Email)
			w.Do(`delete from slack_identities`)
			bound++
		}
		require.Greater(t, bound, 50)
		require.Greater(t, refused, 50)
	})
}

// lookalikes returns characters that Unicode folds to ASCII letters, or that look like them.
func lookalikes() []rune {
	found := []rune{'\u0430', '\u0435', '\u0456', '\uff41', '\U0001d41a', '\u0131', '\u200b', '\u00ad'}
	for r := rune(unicode.MaxASCII + 1); r <= unicode.MaxRune; r++ {
		if unicode.ToLower(r) <= unicode.MaxASCII || unicode.ToUpper(r) <= unicode.MaxASCII ||
			unicode.SimpleFold(r) <= unicode.MaxASCII {
			found = append(found, r)
		}
	}
	return found
}
