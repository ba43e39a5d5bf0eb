package main

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"accessbot/schema"
	"accessbot/slackapp/slacksim"
	"accessbot/slackapp/views"
)

// replay is a payload that went to the app, to be sent again as someone else.
type replay struct {
	what, route string
	payload     map[string]any
	answers     string // the ack's text for a user who may use the app; empty: none
	refusal     string // its text for others
}

// replays returns payloads of every route and kind that do not need a trigger of their own, each of which would do or show
// something if its user might use the app. Bob is asked about a request of alice's, and she has an open form.
func (s *stage) replays() (alices, bobs []replay) {
	s.Helper()
	last := func(what, name string) replay {
		route, payload, err := s.slack.LastPayload(name)
		require.NoError(s, err)
		return replay{what: what, route: route, payload: payload}
	}
	_, approvalMessage := s.approvalMessage()
	bob, alice := s.as("bob"), s.as("alice")
	bob.OpenHome() // which binds him
	bob.PressIn(approvalMessage, "Deny…")
	bob.WaitForModal("Deny")
	approve := last("a button in a message", "block_actions")
	approve.payload["actions"].([]any)[0].(map[string]any)["action_id"] = views.ActionApprove
	bob.Fill("Reason", "   ")
	bob.Submit()
	deny := last("a reason that is submitted", "view_submission")
	stateOf(deny.payload, views.BlockReason, views.ActionReason)["value"] = "no"
	deny.refusal = "full members of this workspace"

	s.openForm(alice)
	require.NotEmpty(s, alice.Search("Person", "pri"))
	search := last("a search", "block_suggestion")
	search.answers = "Priya Nair"
	alice.AwaitUpdate(func() { alice.Choose("Access Like", "Custom") })
	choose := last("an action in a form", "block_actions")
	stateOf(choose.payload, views.BlockAccessLike, views.ActionAccessLike)["selected_option"] = nil
	choose.payload["actions"].([]any)[0].(map[string]any)["selected_option"].(map[string]any)["value"] = "job_title"
	alice.Tick("Break glass") // for at most a day: the form stays open
	alice.Choose("Reason", "Project work")
	alice.Submit()
	submit := last("a form that is submitted", "view_submission")
	submit.answers, submit.refusal = "at most 1 day", "full members of this workspace"
	return []replay{search, choose, submit}, []replay{approve, deny}
}

func (s *stage) replayAs(userID string, r replay) slacksim.Delivered {
	s.Helper()
	r.payload["user"] = map[string]any{"id": userID, "team_id": "T0LOCALSIM"}
	answer, err := s.slack.Deliver(r.route, r.payload)
	require.NoError(s, err)
	require.True(s, answer.Acked, "%s: %s", r.what, answer.Problem)
	return answer
}

// opens sends the event that a user opened the Home tab, which makes the app look up the user again.
func (s *stage) opens(userID string, n int) {
	s.Helper()
	event := map[string]any{
		"type":       "event_callback",
		"team_id":    "T0LOCALSIM",
		"api_app_id": "A0LOCALSIM",
		"event_id":   fmt.Sprint("EvRoutes", userID, n),
		"event":      map[string]any{"type": "app_home_opened", "tab": "home", "user": userID},
	}
	_, err := s.slack.Deliver("events", event)
	require.NoError(s, err)
}

// kinds are users who are not full members, as changes of an ordinary user.
var kinds = map[string]map[string]any{
	"guest":                {"restricted": true},
	"single-channel guest": {"ultra_restricted": true},
	"stranger":             {"stranger": true},
	"deactivated": {
		"deleted": true,
	},
	"bot":                   {"bot": true},
	"of another team":       {"team_id": "T0OTHER"},
	"of another enterprise": {"enterprise_id": "E0OTHER"},
}

func TestRoutes(t *testing.T) {
	// For users who were full members when they were bound, and for users who never were.
	t.Run("user who is not a full member is refused on every route", func(t *testing.T) {
		onBothTransports(t, func(s *stage) {
			alices, bobs := s.replays()
			alice, bob := slacksim.UserID("alice@example.com"), slacksim.UserID("bob@example.com")
			for _, r := range alices { // to check this test
				if r.answers != "" {
					require.Contains(s, s.replayAs(alice, r).Body, r.answers, r.what)
				}
			}
			_, err := s.slack.ChangeUser("zoe@example.com", map[string]any{"email": "zoe@elsewhere.example"})
			require.NoError(s, err)
			bound := one[int](s, `select count(*) from slack_identities`)
			state := func() string {
				return one[string](
					s,
					`select jsonb_build_array((select jsonb_agg(d order by view_id) from form_drafts d), (select count(*) from access_requests),
				(select count(*) from decisions), (select count(*) from stop_orders), (select count(*) from slack_identities))::text`,
				)
			}
			n := 0
			type sent struct{ kind, who, user string }
			var all []sent
			for kind, change := range kinds {
				n++
				fresh := map[string]any{"id": fmt.Sprint("U0FRESH", n), "email": "zoe@example.com"}
				for k, v := range change {
					fresh[k] = v
				}
				var u slacksim.User
				raw, err := json.Marshal(fresh)
				require.NoError(s, err)
				require.NoError(s, json.Unmarshal(raw, &u))
				_, err = s.slack.AddUser(u)
				require.NoError(s, err)
				_, err = s.slack.ChangeUser(u.ID, map[string]any{"email": u.ID + "@elsewhere.example"})
				require.NoError(s, err)
				all = append(all, sent{kind, "never bound", u.ID})
			}
			before := state()
			for _, u := range all {
				email := map[string]any{"email": "zoe@example.com"}
				_, err := s.slack.ChangeUser(u.user, email)
				require.NoError(s, err)
				s.opens(u.user, 0)
				for _, r := range append(append([]replay{}, alices...), bobs...) {
					body := s.replayAs(u.user, r).Body
					if r.answers != "" {
						require.NotContains(s, body, r.answers, "%s, %s, %s", u.kind, u.who, r.what)
					}
				}
				_, err = s.slack.ChangeUser(u.user, map[string]any{"email": u.user + "@elsewhere.example"})
				require.NoError(s, err)
			}
			for kind, change := range kinds {
				back := map[string]any{
					"restricted":       false,
					"ultra_restricted": false,
					"stranger":         false,
					"deleted":          false,
					"bot":              false,
					"team_id":          "T0LOCALSIM",
					"enterprise_id":    "",
				}
				for _, user := range []string{alice, bob} {
					_, err := s.slack.ChangeUser(user, change)
					require.NoError(s, err)
					n++
					alerts := s.alerts(schema.MembershipLost)
					s.opens(user, n)
					s.eventually(kind, func() bool { return s.alerts(schema.MembershipLost) > alerts })
					theirs := alices
					if user == bob {
						theirs = bobs
					}
					for _, r := range theirs {
						body := s.replayAs(user, r).Body
						require.Contains(s, body, r.refusal, "%s, bound, %s", kind, r.what)
						if r.answers != "" {
							require.NotContains(s, body, r.answers, "%s, bound, %s", kind, r.what)
						}
					}
					s.replayAs(user, theirs[0]) // it is in the same queue as the user's other work, which is done when this is
					_, err = s.slack.ChangeUser(user, back)
					require.NoError(s, err)
				}
			}
			s.stop() // acknowledged work is done by then
			require.Equal(s, before, state())
			require.Equal(s, bound, one[int](s, `select count(*) from slack_identities`))
		})
	})
}
