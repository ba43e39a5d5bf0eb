package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"accessbot/schema"
	"accessbot/slackapp/slacksim"
)

func TestSlackUser(t *testing.T) {
	t.Run("guests, strangers, bots and deactivated users are refused everywhere", func(t *testing.T) {
		onBothTransports(t, func(s *stage) {
			alice := s.as("alice")
			alice.OpenHome()
			alice.Press("Request Access")
			alice.WaitForModal("Access Like")
			for _, u := range []slacksim.User{
				{ID: "U0GUEST", Restricted: true}, {ID: "U0SINGLE", UltraRestricted: true}, {ID: "U0STRANGER", Stranger: true},
				{ID: "U0BOT", Bot: true}, {ID: "U0GONE", Deleted: true}, {ID: "U0OTHER", TeamID: "T0OTHER"}, {ID: "U0HEARSAY", EmailUnconfirmed: true},
				{ID: "U0GRID", EnterpriseID: "E0OTHER"}, {ID: "U0INVITED", Invited: true}, {ID: "U0CONNECTOR", ConnectorBot: true}, {ID: "U0WORKFLOW", WorkflowBot: true}, {ID: "USLACKBOT"},
			} {
				// Each of them has the e-mail address of a person in the directory.
				_, err := s.slack.ChangeUser("zoe@example.com", map[string]any{"email": ""})
				if err != nil {
					_, err = s.slack.ChangeUser(
						slacksim.UserID("zoe@example.com"),
						map[string]any{"email": "elsewhere-" + u.ID + "@example.com"},
					)
				}
				require.NoError(s, err)
				u.Email = "zoe@example.com"
				_, err = s.slack.AddUser(u)
				require.NoError(s, err)
				if u.ID != "U0HEARSAY" { // and the directory cannot make them a member
					s.do(`update people set slack_user_id = $1 where email = 'zoe@example.com'`, u.ID)
				}

				_, payload, err := s.slack.LastPayload("block_actions")
				require.NoError(s, err)
				route := "interactivity"
				published := s.traffic("views.publish")
				payload["user"] = map[string]any{"id": u.ID, "team_id": "T0LOCALSIM"}
				answer, err := s.slack.Deliver(route, payload)
				require.NoError(s, err)
				require.True(s, answer.Acked, "%s: %s", u.ID, answer.Problem)
				event := map[string]any{
					"type":       "event_callback",
					"team_id":    "T0LOCALSIM",
					"api_app_id": "A0LOCALSIM",
					"event_id":   "Ev" + u.ID,
					"event":      map[string]any{"type": "app_home_opened", "tab": "home", "user": u.ID},
				}
				_, err = s.slack.Deliver("events", event)
				require.NoError(s, err)
				if u.ID != "U0BOT" && u.ID != "U0GONE" { // Slack shows them nothing
					home, err := s.slack.As(u.ID).WaitForHome(" Ask ")
					require.NoError(s, err)
					require.NotContains(s, home, "Request Access")
					require.Contains(s, home, "Noor Haddad")
				}
				s.eventually(u.ID+" was looked at", func() bool { return s.traffic("views.publish") > published })
				_, err = s.slack.ChangeUser(u.ID, map[string]any{"email": u.ID + "@elsewhere.example"})
				require.NoError(s, err)
				s.do(`update people set slack_user_id = null where email = 'zoe@example.com'`)
			}
			s.stop() // acknowledged work is done by then
			require.Equal(s, 1, one[int](s, `select count(*) from slack_identities`), "only alice is someone")
		})
	})

	t.Run("new guest cannot submit an open form", func(t *testing.T) {
		s := newStage(t, 1, false)
		alice := s.as("alice")
		alice.OpenHome()
		alice.Press("Request Access")
		alice.WaitForModal("Access Like")
		alice.Choose("Access Like", "Custom")
		s.drawn(alice)
		alice.Tick("Dashboard editor")
		alice.Choose("Reason", "Project work")
		_, err := s.slack.ChangeUser("alice@example.com", map[string]any{"restricted": true})
		require.NoError(s, err)
		alice.OpenHome() // which tells the app
		require.NotEmpty(s, alice.Submit())
		require.Zero(s, one[int](s, `select count(*) from access_requests`))
	})

	t.Run("person who is not in the directory is told who to ask", func(t *testing.T) {
		s := newStage(t, 1, false)
		_, err := s.slack.AddUser(slacksim.User{Email: "new@example.com", Name: "New Hire"})
		require.NoError(t, err)
		newHire := s.as("new")
		newHire.OpenHome()
		for _, said := range []string{"You aren't in the directory", "new@example.com", "Dana Levi", "Noor Haddad"} {
			require.Contains(t, newHire.Home(), said)
		}
	})

	t.Run("suspended person and person who left are refused", func(t *testing.T) {
		s := newStage(t, 1, false)
		viktor := s.as("viktor")
		viktor.OpenHome()
		require.Contains(t, viktor.Home(), "You aren't active in the directory")
		require.NotContains(t, viktor.Home(), "Request Access")
		// If they are suspended while the form is open, it cannot be submitted.
		alice := s.as("alice")
		s.openForm(alice)
		alice.Pick("Person", "priya", "Priya Nair")
		alice.WaitForModal("Select all")
		alice.Tick("Dashboard editor")
		alice.Choose("Reason", "Project work")
		s.do(`update people set status = 'suspended' where email = 'alice@example.com'`)
		require.Contains(t, alice.Submit()["Access Like"], "You aren't active in the directory")
		require.Empty(t, alice.Search("Person", "zo"))
		alice.Choose("Access Like", "Custom")
		alice.WaitForModal("You aren't active in the directory")
		require.Zero(t, s.newest())
	})

	t.Run("Slack user ID of the directory comes before the email", func(t *testing.T) {
		s := newStage(t, 1, false)
		_, err := s.slack.AddUser(slacksim.User{ID: "U0PRIVATE", Email: "private@elsewhere.example", Name: "Alice at home"})
		require.NoError(t, err)
		s.do(`update people set slack_user_id = 'U0PRIVATE' where email = 'alice@example.com'`)
		byEMail := s.as("alice")
		byEMail.OpenHome()
		require.Contains(t, byEMail.Home(), "belongs to another Slack account")
		named := s.slack.As("U0PRIVATE").Must(t)
		named.OpenHome()
		require.Contains(t, named.Home(), "Alice Martin")
		require.Equal(t, 1, s.alerts(schema.BindingRefused))
	})

	t.Run("changed email moves nothing and is an alert", func(t *testing.T) {
		onBothTransports(t, func(s *stage) {
			s.as("alice").OpenHome()
			alice := slacksim.UserID("alice@example.com")
			bob := slacksim.UserID("bob@example.com")
			_, err := s.slack.ChangeUser(bob, map[string]any{"email": "bob@elsewhere.example"})
			require.NoError(s, err)
			_, err = s.slack.ChangeUser(alice, map[string]any{"email": "bob@example.com"})
			require.NoError(s, err)
			actor := s.slack.As(alice).Must(s)
			for range 2 {
				actor.OpenHome()
				require.Contains(s, actor.Home(), "Alice Martin")
			}
			require.Equal(s, 1, s.alerts(schema.BindingContradicted), "once a day")
			require.Equal(
				s,
				s.person("bob").ID,
				one[int64](s, `select (details ->> 'email_of_person_id')::bigint from audit_events where action = 'binding.contradicted'`),
			)
			require.Equal(s, s.person("alice").ID, one[int64](s, `select person_id from slack_identities where user_id = $1`, alice))
		})
	})

	// The second Slack account.
	t.Run("second Slack account of one person is refused", func(t *testing.T) {
		s := newStage(t, 1, false)
		s.as("alice").OpenHome()
		_, err := s.slack.ChangeUser("alice@example.com", map[string]any{"email": "alice.old@example.com"})
		require.NoError(t, err)
		_, err = s.slack.AddUser(slacksim.User{ID: "U0SECOND", Email: "alice@example.com", Name: "Alice again"})
		require.NoError(t, err)
		second := s.slack.As("U0SECOND").Must(t)
		second.OpenHome()
		require.Contains(t, second.Home(), "belongs to another Slack account")
		require.Equal(t, 1, s.alerts(schema.BindingRefused))
		require.Equal(t, 1, one[int](s, `select count(*) from slack_identities`))
	})

	t.Run("only the directory names Slack users if email does not count", func(t *testing.T) {
		s := newStage(t, 1, false, func(c *config) { c.MatchByEmail = false })
		alice := s.as("alice")
		alice.OpenHome()
		for _, said := range []string{"The directory doesn't name your Slack user ID (" + slacksim.UserID("alice@example.com") + ")", "Dana Levi", "Noor Haddad"} {
			require.Contains(t, alice.Home(), said)
		}
		require.Zero(t, one[int](s, `select count(*) from slack_identities`))
		s.do(`update people set slack_user_id = $1 where email = 'alice@example.com'`, slacksim.UserID("alice@example.com"))
		alice.OpenHome()
		require.Contains(t, alice.Home(), "Alice Martin")
	})

	t.Run("binding belongs to its enterprise", func(t *testing.T) {
		s := newStageIn(t, "E0OURS", 1, false)
		alice := s.as("alice")
		s.openForm(alice)
		require.Equal(t, "E0OURS", one[string](s, `select enterprise_id from slack_identities`))
		// The workspace was in another enterprise when the user was bound: they are unknown here.
		s.do(`update slack_identities set enterprise_id = 'E0BEFORE'`)
		alice.CloseAllModals()
		alice.OpenHome()
		require.Contains(t, alice.Home(), "belongs to another Slack account")
		require.Equal(t, 1, s.alerts(schema.BindingRefused))
	})

	t.Run("look-alike address binds to no one", func(t *testing.T) {
		s := newStage(t, 1, false)
		_, err := s.slack.AddUser(slacksim.User{ID: "U0LOOKALIKE", Email: "pr\u0130ya@example.com", Name: "Priya Nair"})
		require.NoError(t, err)
		lookalike := s.slack.As("U0LOOKALIKE").Must(t)
		lookalike.OpenHome()
		for _, said := range []string{"it can't identify you", "Slack user ID (U0LOOKALIKE)", "Dana Levi"} {
			require.Contains(t, lookalike.Home(), said)
		}
		require.NotContains(t, lookalike.Home(), "Request Access")
		require.Equal(t, 1, s.alerts(schema.BindingRefused))
		require.Zero(t, one[int](s, `select count(*) from slack_identities`))
		s.as("priya").OpenHome()
		require.Equal(t, slacksim.UserID("priya@example.com"), one[string](s, `select user_id from slack_identities`))
	})
}

// TestRefusalCause: a refused user reads the real cause and what to do, and nothing about other people.
func TestRefusalCause(t *testing.T) {
	refused := func(s *stage, u slacksim.User) string {
		s.Helper()
		_, err := s.slack.AddUser(u)
		require.NoError(s, err)
		home := s.slack.As(u.ID).Must(s)
		home.OpenHome()
		require.NotContains(s, home.Home(), "Request Access")
		return home.Home()
	}
	// Two users of a local Slack cannot have the same address, so the directory's zoe is not one of them.
	withoutZoe := func(t *testing.T) *stage {
		s := newStage(t, 1, false)
		_, err := s.slack.ChangeUser("zoe@example.com", map[string]any{"email": "zoe@elsewhere.example"})
		require.NoError(t, err)
		return s
	}
	t.Run("an unconfirmed address reads the same whether it is in the directory or not", func(t *testing.T) {
		s := withoutZoe(t)
		known := refused(s, slacksim.User{ID: "U0HEARSAY", Email: "zoe@example.com", EmailUnconfirmed: true})
		unknown := refused(s, slacksim.User{ID: "U0STRANGE", Email: "nil@example.com", EmailUnconfirmed: true})
		require.Contains(t, known, "Your email address in Slack (zoe@example.com) isn't confirmed")
		require.Contains(t, known, "Confirm it in Slack")
		require.NotContains(t, known, "directory")
		require.Equal(t, strings.ReplaceAll(known, "zoe@", "nil@"), unknown)
	})
	t.Run("a profile without an address says so", func(t *testing.T) {
		s := withoutZoe(t)
		home := refused(s, slacksim.User{ID: "U0BLANK", Name: "Blank"})
		require.Contains(t, home, "Slack doesn't tell us your email address")
		require.NotContains(t, home, "directory")
	})
	t.Run("a confirmed address that is not in the directory says so", func(t *testing.T) {
		s := withoutZoe(t)
		require.Contains(
			t,
			refused(s, slacksim.User{ID: "U0NEW", Email: "new@example.com"}),
			"You aren't in the directory (new@example.com)",
		)
	})
	t.Run("person with a new Slack account is not sent to the old one", func(t *testing.T) {
		s := newStage(t, 1, false)
		s.as("alice").OpenHome()
		_, err := s.slack.AddUser(slacksim.User{ID: "U0SECOND", Email: "alice.new@example.com", Name: "Alice again"})
		require.NoError(t, err)
		s.do(`update people set slack_user_id = 'U0SECOND' where email = 'alice@example.com'`)
		second := s.slack.As("U0SECOND").Must(t)
		second.OpenHome()
		require.Contains(t, second.Home(), "An administrator has to unlink that one first.")
		require.NotContains(t, second.Home(), "Use that one")
	})
	t.Run("an invitation that is not accepted is among the causes", func(t *testing.T) {
		s := withoutZoe(t)
		require.Contains(
			t,
			refused(s, slacksim.User{ID: "U0INVITED", Email: "zoe@example.com", Invited: true}),
			"haven't accepted their invitation",
		)
	})
	t.Run("a Slack that does not answer is not said to be our records", func(t *testing.T) {
		s := newStage(t, 1, false)
		require.NoError(t, s.slack.Break(slacksim.Fault{Method: "users.info", Kind: "error", Error: "internal_error"}))
		alice := s.as("alice")
		alice.OpenHome()
		require.Contains(t, alice.Home(), "Slack didn't answer when we asked who you are")
		require.NotContains(t, alice.Home(), "records")
	})
}
