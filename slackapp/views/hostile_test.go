package views_test

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"accessbot/schema"
	"accessbot/slackapp/slacksim"
	"accessbot/slackapp/views"
)

// worst are texts beside those in hostile: what a form's note can hold, in the forms that grow most when they are escaped
// or counted.
var worst = append([]string{
	strings.Repeat("a", 3000),
	strings.Repeat("&", 3000),
	strings.Repeat("<@U123>", 428),
	strings.Repeat("🚀", 1500),
	strings.Repeat("line\n", 600),
	"```" + strings.Repeat("*_~`", 700),
	"> quoted <https://example.com|link> <!here> <!date^1^{date}|x>",
}, hostile...)

// largeRequest is one of 500 grants in 60 applications, in every state that an item can be in, with everything that can be
// known of it; say is the text of every user input.
func largeRequest(say string) *schema.Request {
	when := time.Date(2026, 12, 1, 16, 0, 0, 0, time.UTC)
	at := sql.NullTime{Time: when, Valid: true}
	r := &schema.Request{
		ID:          math.MaxInt64,
		RequesterID: 1,
		Requesters:  []int64{1},
		AccessLike:  "person",
		LikeName:    say,
		EndsAt:      at,
		EndsOn:      at,
		TimeZone:    "No/Where",
		ReasonLabel: say,
		Note:        say,
		CreatedAt:   when,
		Terms:       strings.Repeat("f", 64),
		ReadAt:      when,
		Requester:   schema.Person{ID: 1, Name: say, Email: say, JobTitle: say, Department: say, ManagerName: say},
	}
	states := []string{
		schema.Submitted,
		schema.AwaitingApproval,
		schema.Approved,
		schema.Provisioning,
		schema.Active,
		schema.Ended,
		schema.Revoked,
		schema.Denied,
		schema.Withdrawn,
		schema.Expired,
		schema.Failed,
	}
	byApp := map[int64][]int64{}
	for n := range int64(500) {
		app := n % 60
		i := schema.Item{
			ID:              n + 1,
			RequestID:       r.ID,
			ApplicationID:   app,
			ApplicationName: say,
			Name:            say,
			Kind:            say,
			Description:     say,
			Risk:            "high",
			Problem: schema.Problem{Code: schema.ProblemCodes[n%int64(len(schema.ProblemCodes))],
				Details: schema.ProblemDetails{Name: say, Reason: say, WaitsFor: say, People: []string{say}}},
			State:   states[n%int64(len(states))],
			StateAt: when,
		}
		if n%2 > 0 {
			i.Administrators = []int64{2}
		}
		if n%3 > 0 && i.State != schema.AwaitingApproval {
			outcome := []string{"approve", "deny"}[n%2]
			i.Decision = &schema.Decision{
				ItemID:            i.ID,
				DecidedBy:         id(2),
				DeciderName:       say,
				Outcome:           outcome,
				Reason:            say,
				Basis:             "application owner",
				DecidedAt:         when,
				Stage:             1,
				Stages:            1,
				RequiredApprovals: 1,
			}
			i.Decisions = []schema.Decision{*i.Decision}
		}
		if n%7 == 0 {
			i.StopOrder = &schema.StopOrder{Kind: schema.KindRevoked, PersonName: say, Reason: say, OrderedAt: when}
		}
		if n%2 == 0 {
			i.Claim = &schema.Claim{ID: n, EndsAt: at, GrantedAt: at}
		}
		r.Items = append(r.Items, i)
		byApp[app] = append(byApp[app], i.ID)
	}
	for app := range int64(60) {
		a := schema.Approval{
			ID:                app + 1,
			ApplicationID:     app,
			State:             "open",
			Stage:             1,
			Stages:            3,
			RequiredApprovals: 2,
			Level:             1,
			Since:             when,
			ExpiresAt:         at,
			ItemIDs:           byApp[app],
		}
		for c := range int64(20) {
			a.Candidates = append(
				a.Candidates,
				schema.Candidate{
					PersonID: c + 2,
					Name:     say,
					Email:    say,
					Basis:    "application owner",
					AskedAt:  sql.NullTime{Time: when, Valid: c < 3},
				},
			)
		}
		r.Approvals = append(r.Approvals, a)
	}
	for n := range int64(30) {
		r.Questions = append(
			r.Questions,
			schema.Question{ID: math.MaxInt64 - n, AskedBy: 2, AskedByName: say, Text: views.Cut(say, schema.MaxQuestion), AskedAt: when},
		)
		if n%2 > 0 {
			r.Questions[n].Answer, r.Questions[n].AnsweredAt = views.Cut(say, schema.MaxAnswer), at
		}
	}
	return r
}

func allItems(r *schema.Request) (ids []int64) {
	for _, i := range r.Items {
		ids = append(ids, i.ID)
	}
	return ids
}

func found(n int, say string) (all []schema.Found) {
	for i := range int64(n) {
		all = append(all, schema.Found{ID: math.MaxInt64 - i, Name: say, Email: say, JobTitle: say})
	}
	return all
}

// everything returns all that this package draws, by the names of the functions, each with the worst data. TestHostileText
// fails for a function of this package that draws something and is not here.
func everything(say string) map[string][]any {
	r := largeRequest(say)
	none := &schema.Request{Requester: schema.Person{}}
	forOther := largeRequest(say)
	forOther.SubmittedBy, forOther.SubmitterName = id(9), say
	when := sql.NullTime{Time: time.Date(2026, 12, 1, 16, 0, 0, 0, time.UTC), Valid: true}
	list := func(view any, _, _ int) any { return view }
	task := func(outcome string, held bool) schema.Task {
		return schema.Task{
			ID:              math.MaxInt64,
			Held:            held,
			Outcome:         outcome,
			Reason:          say,
			AnsweredBy:      id(3),
			AnsweredName:    say,
			AnsweredAt:      when,
			PersonName:      say,
			PersonEmail:     say,
			Account:         say,
			ApplicationName: say,
			EntitlementName: say,
			Kind:            say,
			Object:          say,
			RequestID:       id(math.MaxInt64),
			EndsAt:          when,
			ApprovedBy:      sql.NullString{String: say, Valid: true},
		}
	}
	finding := schema.FindingReport{ApplicationName: say, Corrects: true, Unexpected: 100_000, Missing: 100_000}
	outage := schema.Outage{ApplicationName: say, Total: 100_000}
	for n := range views.OutageShown {
		outage.Waiting = append(
			outage.Waiting,
			schema.OutageLine{
				RequestID:     math.MaxInt64,
				RequesterName: say,
				Names:         []string{say, say, say, say},
				Problem: schema.Problem{
					Code:    schema.ProblemCodes[n],
					Details: schema.ProblemDetails{Reason: say, WaitsFor: say, People: []string{say}},
				},
			},
		)
	}
	for n := range views.FindingShown {
		finding.Findings = append(
			finding.Findings,
			schema.Finding{
				Kind:            []string{"unexpected", "missing"}[n%2],
				Account:         say,
				ApplicationName: say,
				PersonName:      []string{say, ""}[n%3%2],
				EntitlementName: say,
				RequestID:       id(math.MaxInt64),
				Corrected:       n%4 > 1,
			},
		)
	}
	var already []schema.HeldIn
	for range 10 {
		already = append(already, schema.HeldIn{ApplicationID: int64(len(already) + 1), Names: []string{say, say}, Total: 100_000})
	}
	home, lines := homeOf(views.HomeLines, say), homeOf(views.ListLines, say)
	home.Delegation, home.Office = &schema.Delegation{
		DelegateName: say,
		StartsAt:     time.Now(),
		EndsAt:       time.Now(),
	}, schema.Office{
		LooksAfter: true,
	}
	others := draftOf(schema.PageSize, schema.LikePerson, func(int) string { return say })
	others.Draft.ForPersonID, others.Draft.ForName = id(9), say
	tasks := func(n int) (all []schema.Task) {
		for i := range n {
			all = append(all, task("", i%2 == 0))
		}
		return all
	}
	home.Tasks, home.TasksTotal = tasks(views.TaskLines), 100_000
	home.Findings, home.FindingsTotal = finding.Findings[:views.FindingLines], 100_000
	nothing := draftOf(0, schema.Again, func(int) string { return say })
	nothing.Draft.Total = 0
	reminding := views.Reminding{Lines: home.Waiting, Total: 100_000, TimeZone: say}
	return map[string][]any{
		"Card":    {views.Card(r, 1), views.Card(none, 1), views.Card(forOther, 1), views.Card(forOther, 9)},
		"Outcome": {views.Outcome(r, 1), views.Outcome(none, 1), views.Outcome(forOther, 1), views.Outcome(forOther, 9)},
		"ApprovalMessage": {
			views.ApprovalMessage(r, views.ApprovalMessageFor{MessageID: math.MaxInt64, PersonID: 2, TimeZone: say, Held: already}),
			views.ApprovalMessage(r, views.ApprovalMessageFor{MessageID: 1, PersonID: 2, TimeZone: say, Superseded: true}),
			views.ApprovalMessage(none, views.ApprovalMessageFor{}),
		},
		"AskQuestion":    {views.AskQuestion(r, views.DecisionValue(math.MaxInt64, r.Terms)), views.AskQuestion(none, "1:x")},
		"AnswerQuestion": {views.AnswerQuestion(r, r.Questions[0]), views.AnswerQuestion(none, schema.Question{})},
		"Question": {
			views.Question(r, 1, r.Questions[0]),
			views.Question(r, 1, r.Questions[1]),
			views.Question(none, 1, schema.Question{Text: say}),
			views.Question(forOther, 9, r.Questions[1]),
		},
		"QuestionAnswer": {views.QuestionAnswer(r, r.Questions[1]), views.QuestionAnswer(none, schema.Question{})},
		"EndingSoon":     {views.EndingSoon(r, allItems(r), math.MaxInt64), views.EndingSoon(none, nil, 0)},
		"Ended":          {views.Ended(r), views.Ended(none)},
		"Report": {
			views.Report(r, views.ReportUnexpected, allItems(r), say), views.Report(r, views.ReportFailed, allItems(r), say),
			views.Report(r, views.ReportOverdue, allItems(r), say), views.Report(r, say, allItems(r), say),
		},
		"Plain": {
			views.Plain(views.Card(r, 1).Text),
			views.Card(r, 1).WithoutLayout(),
			views.ApprovalMessage(r, views.ApprovalMessageFor{PersonID: 2}).WithoutLayout(),
		},
		"Task": {
			views.Task(task("", true), 3, say), views.Task(task("", false), 3, say), views.Task(task("done", true), 4, say),
			views.Task(task("cannot", false), 4, say), views.Task(task("dropped", true), 3, say),
		},
		"Outage": {
			views.Outage(outage, true, say),
			views.Outage(outage, false, say),
			views.Outage(schema.Outage{ApplicationName: say}, true, say),
		},
		"Finding":       {views.Finding(finding, say), views.Finding(schema.FindingReport{}, "")},
		"Reminder":      {views.Reminder(reminding), views.Reminder(views.Reminding{})},
		"WithoutLayout": {views.Task(task("", true), 3, say).WithoutLayout()},
		"View": {
			home.View(),
			draftOf(schema.PageSize, schema.Custom, func(int) string { return say }).View(),
			draftOf(
				schema.PageSize,
				schema.Extend,
				func(int) string { return say },
			).View(),
			draftOf(schema.PageSize, schema.Again, func(int) string { return say }).View(),
			nothing.View(),
			others.View(),
		},
		"Small":       {home.Small()},
		"HomeAway":    {views.HomeAway()},
		"HomeRefused": {views.HomeRefused("No: " + views.Escape(views.Cut(views.Clean(say), 250)))},
		"Loading":     {views.Loading("Request access")},
		"Notice":      {views.Notice("A "+say, views.Escape(views.Cut(views.Clean(say), 250))+"x")},
		"Deny":        {views.Deny(views.DecisionValue(math.MaxInt64, r.Terms))},
		"Choose": {
			views.Choose(r, 2, views.DecisionValue(math.MaxInt64, r.Terms), map[int64]int{1: 36500}),
			views.Choose(r, 1, "1:x", nil),
			views.Choose(r, 99, "1:x", nil),
		},
		"TaskList":          {views.TaskList(tasks(views.ListLines), 100_000, 9, say)},
		"FindingList":       {views.FindingList(finding.Findings[:views.ListLines], 100_000, 9, say)},
		"ChooseForEveryone": {views.ChooseForEveryone(r, 2, say, nil), views.ChooseForEveryone(none, 2, "UTC", nil)},
		"Away":              {views.Away(say, time.Now()), views.Away("Europe/Berlin", time.Now())},
		"Holders":           {views.Holders()},
		"HolderList": {
			views.HolderList(r.Requester, lines.Access, 100_000, 9, say),
			views.HolderList(r.Requester, nil, 0, 1, ""),
		},
		"RevokeAccess": {
			views.RevokeAccess(lines.Access[0], r.Requester, say),
			views.RevokeAccess(schema.AccessLine{}, schema.Person{}, ""),
		},
		"Cannot":      {views.Cannot("9223372036854775807")},
		"WaitingList": {views.WaitingList(lines.Waiting, 100_000, 9, say, "https://example.slack.com/")},
		"RequestList": {views.RequestList(lines.Requests, 100_000, 9, say, "https://example.slack.com/")},
		"AccessList":  {views.AccessList(lines.Access, 100_000, 9, say)},
		"ItemList": {
			list(views.ItemList(r, 1, 1, say)),
			list(views.ItemList(r, 2, 1, say)),
			list(views.ItemList(r, 99, 1, say)),
		},
		"ForOptions":         {views.ForOptions(7, found(300, say)), views.ForOptions(7, nil)},
		"PeopleOptions":      {views.PeopleOptions(found(300, say)), views.PeopleOptions(nil)},
		"NameOptions":        {views.NameOptions(found(300, say)), views.NameOptions(nil)},
		"ApplicationOptions": {views.ApplicationOptions(found(300, say)), views.ApplicationOptions(nil)},
	}
}

func TestHostileText(t *testing.T) {
	t.Run("every view and message fits into Slack", func(t *testing.T) {
		t.Parallel()
		for _, say := range worst {
			for name, drawn := range everything(say) {
				for n, v := range drawn {
					what := fmt.Sprintf("%s %d with %.30q", name, n, say)
					raw, err := json.Marshal(v)
					require.NoError(t, err, what)
					require.True(t, utf8.Valid(raw), what)
					switch v := v.(type) {
					case views.Message:
						fitsMessage(t, what, v, raw)
					case views.Options:
						require.LessOrEqual(t, len(raw), 18<<10, what)
						require.LessOrEqual(t, len(v.Options), 100, what)
					default:
						fits(t, what, v)
					}
				}
			}
		}
	})

	t.Run("every view and message is covered", func(t *testing.T) {
		packages, err := parser.ParseDir(token.NewFileSet(), ".", nil, 0) //nolint:staticcheck // one package, no build tags
		require.NoError(t, err)
		drawn := map[string]bool{}
		for _, file := range packages["views"].Files {
			for _, d := range file.Decls {
				f, ok := d.(*ast.FuncDecl)
				if !ok || !f.Name.IsExported() || f.Type.Results == nil {
					continue
				}
				for _, result := range f.Type.Results.List {
					switch kind := fmt.Sprint(result.Type); {
					case kind == "Message", kind == "Options", strings.Contains(kind, "ViewRequest"):
						drawn[f.Name.Name] = true
					}
				}
			}
		}
		require.Contains(t, drawn, "Card", "the functions that draw are found")
		require.Contains(t, drawn, "Deny")
		names := []string{}
		for name := range everything("x") {
			names = append(names, name)
		}
		for name := range drawn {
			require.True(
				t,
				slices.Contains(names, name),
				"%s draws something, and is not tested with hostile data: add it to everything",
				name,
			)
		}
	})
}

// fitsMessage checks a message against Slack's limits.
func fitsMessage(t *testing.T, what string, m views.Message, raw []byte) {
	t.Helper()
	require.Empty(t, slacksim.CheckMessage(raw), what)
	require.NotEmpty(t, strings.TrimSpace(m.Text), what)
	require.LessOrEqual(t, len([]rune(m.Text)), 3000, what)
	var parsed any
	require.NoError(t, json.Unmarshal(raw, &parsed))
	require.False(t, pings(parsed), "%s pings people:\n%s", what, raw)
	require.NotContains(t, m.Text, "<!", what)
	require.NotContains(t, m.Text, "<@", what)
}
