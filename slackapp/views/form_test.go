package views_test

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slack-go/slack"
	"github.com/stretchr/testify/require"

	"accessbot/schema"
	"accessbot/slackapp/slacksim"
	"accessbot/slackapp/views"
)

// hostile are names that people and systems really have, or that someone tries.
var hostile = []string{
	strings.Repeat("A very long name ", 12),
	strings.Repeat("👩‍👩‍👧‍👦", 60),
	"محمد عبد الله " + strings.Repeat("ع", 200),
	"\u202Egnihtemos\u202C <!channel> & <@U123|you> *bold* `code`",
	strings.Repeat("&<>", 80),
	"\u200b\u200b",
	"",
	"a\x00b\nc\td",
	strings.Repeat("e\u0301\u0302\u0303", 90),
}

// draftOf returns a form that shows n grants, of applications with five grants each, some of them chosen.
func draftOf(n int, mode string, text func(n int) string) views.Form {
	f := views.Form{WorkspaceURL: "https://example.slack.com/"}
	f.Offer.MaxDays = 365
	d := &f.Draft
	*d = schema.Draft{
		ViewID:          "V1",
		PersonID:        1,
		Mode:            mode,
		LikePersonID:    id(2),
		LikeJobTitleID:  id(3),
		LikeName:        text(0),
		ExtendsID:       id(1042),
		ReasonKey:       "r7",
		Note:            text(2),
		Total:           500,
		Matching:        500,
		Page:            2,
		Generation:      7,
		OfferGeneration: 3,
		Temporary:       true,
		TimeZone:        "Pacific/Apia",
		Search:          text(1),
	}
	f.Offer.Grants = map[int64]schema.Grant{}
	for i := range n {
		e := int64(i + 1)
		if i%5 == 0 {
			d.Shown = append(d.Shown, nil)
		}
		d.Shown[len(d.Shown)-1] = append(d.Shown[len(d.Shown)-1], e)
		f.Offer.Grants[e] = schema.Grant{
			EntitlementID:   e,
			ApplicationID:   int64(i / 5),
			ApplicationName: text(i / 5),
			Name:            text(i),
			Kind:            text(i + 1),
			Description:     text(i + 2),
			Risk:            "high",
			MaxDays:         sql.NullInt64{Int64: 30, Valid: true},
			HeldBy:          9,
			Holders:         11,
		}
		if i%3 == 0 {
			d.Chosen = append(d.Chosen, e)
		}
	}
	for i := range views.AskedShown + 1 {
		f.Offer.AlreadyRequested = append(
			f.Offer.AlreadyRequested,
			schema.AlreadyRequested{RequestID: 1042, ApplicationName: text(i), Name: text(i + 1), Channel: "D1", TS: "1.2"},
		)
	}
	f.Offer.WithoutAccount = []string{text(1), text(2), text(3), text(4), text(5), text(6)}
	for i := range 100 {
		f.Offer.Reasons = append(f.Offer.Reasons, schema.Reason{Key: fmt.Sprintf("r%d", i), Label: text(i), NoteRequired: true})
	}
	return f
}

func id(n int64) sql.NullInt64 { return sql.NullInt64{Int64: n, Valid: true} }

func anyOf(n int) string { return hostile[n%len(hostile)] }

// fits fails the test with everything that Slack would refuse.
func fits(t *testing.T, what string, view any) {
	t.Helper()
	raw, err := json.Marshal(view)
	require.NoError(t, err)
	require.Empty(t, slacksim.CheckView(raw), what)
	require.Less(t, len(raw), 250<<10, what)
	var parsed any
	require.NoError(t, json.Unmarshal(raw, &parsed))
	require.False(t, pings(parsed), "%s pings people:\n%s", what, raw)
}

// pings reports whether text that Slack formats mentions anyone.
func pings(v any) bool {
	switch v := v.(type) {
	case []any:
		return slices.ContainsFunc(v, pings)
	case map[string]any:
		if text, _ := v["text"].(string); v["type"] == "mrkdwn" && (strings.Contains(text, "<!") || strings.Contains(text, "<@")) {
			return true
		}
		for _, inner := range v {
			if pings(inner) {
				return true
			}
		}
	}
	return false
}

func TestViewLimits(t *testing.T) {
	t.Run("form keeps within Slack's limits whatever it shows", func(t *testing.T) {
		for _, mode := range []string{schema.LikePerson, schema.LikeJobTitle, schema.Custom, schema.Extend, schema.Again} {
			f := draftOf(schema.PageSize, mode, anyOf)
			fits(t, mode, f.View())
			for n := range hostile { // each of them everywhere
				fits(t, fmt.Sprintf("%s with %q", mode, hostile[n]), draftOf(20, mode, func(int) string { return hostile[n] }).View())
			}
			f.Draft.AllChosen = true
			fits(t, mode+", all chosen", f.View())
			f.Draft.ApplicationID, f.Draft.ApplicationName = id(3), hostile[0]
			f.Draft.AllChosen = false
			fits(t, mode+", filtered", f.View())
			f.Draft.Shown, f.Draft.Matching = nil, 0
			fits(t, mode+", nothing matches", f.View())
			f.Draft.Total = 0
			fits(t, mode+", nothing offered", f.View())
			if f.Draft.Offer().OfRequest() {
				require.Nil(t, f.View().Submit, "there is nothing else to choose")
			}
			f.Draft.LikePersonID, f.Draft.LikeJobTitleID = sql.NullInt64{}, sql.NullInt64{}
			fits(t, mode+", nothing chosen yet", f.View())
			f.Offer.Reasons = nil
			fits(t, mode+", no reasons configured", f.View())
		}
		// The worst page: fifty applications with one grant each.
		f := draftOf(schema.PageSize, schema.Custom, anyOf)
		var groups [][]int64
		for _, e := range f.Draft.ShownIDs() {
			groups = append(groups, []int64{e})
		}
		f.Draft.Shown = groups
		fits(t, "fifty groups", f.View())
	})

	t.Run("options fit into a Socket Mode acknowledgement", func(t *testing.T) {
		var found []schema.Found
		for n := range 300 {
			found = append(found, schema.Found{ID: int64(n), Name: hostile[n%3], Email: hostile[1], JobTitle: hostile[n%2]})
		}
		for what, options := range map[string]views.Options{"people": views.PeopleOptions(found), "names": views.NameOptions(found), "applications": views.ApplicationOptions(found)} {
			raw, err := json.Marshal(options)
			require.NoError(t, err)
			require.LessOrEqual(t, len(raw), 18<<10, what)
			require.LessOrEqual(t, len(options.Options), 100, what)
			require.NotEmpty(t, options.Options, what)
		}
		raw, err := json.Marshal(views.NameOptions(nil))
		require.NoError(t, err)
		require.JSONEq(t, `{"options":[]}`, string(raw), "Slack takes {} for an error")
	})

	t.Run("Home tab keeps within Slack's limits whatever it shows", func(t *testing.T) {
		for _, name := range hostile {
			h := homeOf(views.HomeLines, name)
			fits(t, name, h.View())
			fits(t, name, h.Small())
			fits(t, name, views.WaitingList(h.Waiting, 900, 2, h.TimeZone, h.WorkspaceURL))
			fits(t, name, views.RequestList(h.Requests, 900, 2, h.TimeZone, h.WorkspaceURL))
			fits(t, name, views.AccessList(homeOf(views.ListLines, name).Access, 900, 2, h.TimeZone))
		}
		empty := views.Home{Person: schema.Person{Name: "Alice", Email: "alice@example.com"}}
		fits(t, "an empty home", empty.View())
		for _, said := range []string{"Nothing is waiting for you.", "You haven't requested anything yet.", "You have no access that we know of."} {
			require.Contains(t, text(empty.View()), said)
		}
		fits(t, "away", views.HomeAway())
		fits(t, "refused", views.HomeRefused("You aren't in the directory."))
		fits(t, "loading", views.Loading("Request access"))
		fits(t, "deny", views.Deny(views.DecisionValue(1, strings.Repeat("f", 64))))
	})
}

// inputs returns the form's input blocks by ID.
func inputs(v slack.ModalViewRequest) map[string]*slack.InputBlock {
	all := map[string]*slack.InputBlock{}
	for _, b := range v.Blocks.BlockSet {
		if i, ok := b.(*slack.InputBlock); ok {
			all[i.BlockID] = i
		}
	}
	return all
}

func TestForm(t *testing.T) {
	t.Run("only the list gets new block IDs", func(t *testing.T) {
		f := draftOf(20, schema.LikePerson, func(n int) string { return fmt.Sprintf("Thing %d", n) })
		before := inputs(f.View())
		f.Draft.Generation++
		for blockID := range inputs(f.View()) {
			_, _, isList := views.ParseGrantsBlock(blockID)
			require.Equal(t, !isList, before[blockID] != nil, blockID)
		}
		for _, blockID := range []string{views.BlockAccessLike, views.BlockDuration, views.BlockEndDate, views.BlockEndTime, views.BlockReason, views.BlockNote} {
			require.Contains(t, before, blockID)
		}
	})

	t.Run("chosen items of a group are ticked", func(t *testing.T) {
		f := draftOf(20, schema.LikePerson, func(n int) string { return fmt.Sprintf("Thing %d", n) })
		for n, group := range f.Draft.Shown {
			boxes := inputs(f.View())[views.BlockGrants(f.Draft.Generation, n)].Element.(*slack.CheckboxGroupsBlockElement)
			var ticked []string
			for _, o := range boxes.InitialOptions {
				ticked = append(ticked, o.Value)
			}
			var want []string
			for _, e := range group {
				if slices.Contains(f.Draft.Chosen, e) {
					want = append(want, fmt.Sprint(e))
				}
			}
			require.Equal(t, want, ticked)
		}
	})

	t.Run("empty list is explained in words", func(t *testing.T) {
		f := draftOf(0, schema.LikePerson, func(int) string { return "Priya Nair" })
		f.Draft.Total, f.Offer.AlreadyRequested = 0, nil
		require.Contains(t, text(f.View()), "Priya Nair has nothing that you can request and don't already have")
		f.Draft.Mode, f.Draft.LikeName = schema.LikeJobTitle, "Site Reliability Lead"
		require.Contains(t, text(f.View()), "No other employee has this job title, and no access is configured for it.")
		f.Draft.Mode = schema.Custom
		require.Contains(t, text(f.View()), "There is nothing that you can request and don't already have.")
	})

	t.Run("item requested already is named with its link", func(t *testing.T) {
		f := draftOf(5, schema.Custom, func(n int) string { return fmt.Sprintf("Thing %d", n) })
		require.Contains(
			t,
			text(f.View()),
			`Thing 0: Thing 1 – already requested in \u003chttps://example.slack.com/archives/D1/p12|#1042\u003e`,
		)
	})

	t.Run("people with one name can be told apart", func(t *testing.T) {
		long := strings.Repeat("Maximilian ", 8)
		options := views.PeopleOptions([]schema.Found{
			{
				ID:       1,
				Name:     long,
				Email:    "a@example.com",
				JobTitle: "Engineer",
			},
			{ID: 2, Name: long, Email: "b@example.com", JobTitle: "Analyst"},
		}).Options
		require.NotEqual(t, options[0].Text.Text, options[1].Text.Text)
		require.NotEqual(t, options[0].Description.Text, options[1].Description.Text)
	})
}

func text(view any) string {
	raw, err := json.Marshal(view)
	if err != nil {
		panic(err)
	}
	return string(raw)
}

func homeOf(lines int, name string) views.Home {
	at := time.Date(2026, 12, 1, 16, 0, 0, 0, time.UTC)
	h := views.Home{
		Person:        schema.Person{Name: name, Email: "x@example.com", JobTitle: name, Department: name, ManagerName: name},
		TimeZone:      "Europe/Paris",
		WorkspaceURL:  "https://example.slack.com/",
		WaitingTotal:  40,
		RequestsTotal: 40,
		AccessTotal:   40,
	}
	for n := range lines {
		h.Waiting = append(
			h.Waiting,
			schema.WaitingLine{
				RequestID:     1001,
				RequesterName: name,
				Items:         500,
				HighRisk:      3,
				Names:         []string{name, name, name},
				ReasonLabel:   name,
				CreatedAt:     at,
				AskedAt:       sql.NullTime{Time: at, Valid: n%3 > 0},
				MessageID:     int64(n%2) * 77,
				Terms:         strings.Repeat("f", 64),
				EndsAt:        sql.NullTime{Time: at, Valid: true},
				TimeZone:      "Europe/Paris",
				Channel:       "D1",
				TS:            "1.2",
			},
		)
		h.Requests = append(
			h.Requests,
			schema.RequestLine{RequestID: 1001, Items: 500, Names: []string{name, name, name}, CreatedAt: at, TimeZone: "UTC",
				States: map[string]int{schema.Active: 1, schema.Denied: 2, schema.Submitted: 3, schema.Failed: 4}},
		)
		h.Access = append(
			h.Access,
			schema.AccessLine{
				ClaimID:         int64(n + 1),
				ApplicationName: name,
				Name:            name,
				Source:          "request",
				RequestID:       id(1001),
				GrantedAt:       sql.NullTime{Time: at, Valid: true},
				EndsAt: sql.NullTime{
					Time:  at,
					Valid: true,
				},
				EndsOn:   sql.NullTime{Time: at, Valid: true},
				TimeZone: sql.NullString{String: "Europe/Paris", Valid: true},
			},
		)
	}
	return h
}
