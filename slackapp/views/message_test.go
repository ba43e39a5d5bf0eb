package views

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slack-go/slack"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"accessbot/schema"
	"accessbot/slackapp/slacksim"
)

// text returns a message as its reader sees it: a line is a line, [Label] a button.
func text(m Message) string {
	var lines []string
	for _, b := range m.Blocks {
		switch b := b.(type) {
		case *slack.SectionBlock:
			lines = append(lines, b.Text.Text)
		case *slack.ContextBlock:
			lines = append(lines, b.ContextElements.Elements[0].(*slack.TextBlockObject).Text)
		case *slack.ActionBlock:
			for _, e := range b.Elements.ElementSet {
				lines = append(lines, "["+e.(*slack.ButtonBlockElement).Text.Text+"]")
			}
		default:
			panic(fmt.Sprintf("text does not know %T", b))
		}
	}
	return strings.Join(lines, "\n")
}

// buttons returns a message's buttons by their action IDs.
func buttons(m Message) map[string]*slack.ButtonBlockElement {
	found := map[string]*slack.ButtonBlockElement{}
	for _, b := range m.Blocks {
		if a, ok := b.(*slack.ActionBlock); ok {
			for _, e := range a.Elements.ElementSet {
				b := e.(*slack.ButtonBlockElement)
				found[b.ActionID] = b
			}
		}
	}
	return found
}

// requireFits checks a message against Slack's limits, and against the one for a whole message that Slack does not name.
func requireFits(t *testing.T, m Message) {
	t.Helper()
	j, err := json.Marshal(m)
	require.NoError(t, err)
	require.Empty(t, slacksim.CheckMessage(j))
	require.NotEmpty(t, m.Text)
	require.LessOrEqual(t, length(m.Text), 3000)
	require.LessOrEqual(t, length(text(m)), 12000)
	for _, b := range m.Blocks {
		if s, ok := b.(*slack.SectionBlock); ok {
			require.LessOrEqual(t, length(s.Text.Text), 3000, "in the largest of the counts that Slack might mean")
		}
	}
}

// The people and things of these tests.
const (
	alice = int64(1)
	bob   = int64(2) // owns GitHub
	carol = int64(3) // owns GitHub too
	dave  = int64(4) // owns Jira
)

const terms = "f00d"

// newRequest returns request #1042 of Alice, until the end of a day, for the items given.
func newRequest(items ...schema.Item) *schema.Request {
	return &schema.Request{
		ID:          1042,
		RequesterID: alice,
		Requesters:  []int64{alice},
		AccessLike:  "custom",
		Terms:       terms,
		TimeZone:    "Europe/Berlin",
		EndsAt:      at("2026-12-01T23:00:00Z"),
		EndsOn:      at("2026-12-01T00:00:00Z"),
		ReasonLabel: "Project work",
		CreatedAt:   instant("2026-11-23T09:00:00Z"),
		ReadAt:      instant("2026-11-23T09:00:05Z"),
		Requester: schema.Person{
			ID:          alice,
			Name:        "Alice Example",
			Email:       "alice@example.com",
			JobTitle:    "Engineer",
			Department:  "Payments",
			ManagerName: "Erin Boss",
		},
		Items: items,
	}
}

func item(id int64, state, name string) schema.Item {
	return schema.Item{ID: id, RequestID: 1042, ApplicationID: 10, ApplicationName: "GitHub", Name: name, Kind: "team", Risk: "low",
		State: state, StateAt: instant("2026-11-23T10:30:00Z"),
		AwaitsDecision: state == schema.Submitted || state == schema.AwaitingApproval,
		Withdrawable:   slices.Contains([]string{schema.Submitted, schema.AwaitingApproval, schema.Approved}, state)}
}

func jira(i schema.Item) schema.Item {
	i.ApplicationID, i.ApplicationName = 11, "Jira"
	return i
}

func approvedBy(i schema.Item, person int64, name string) schema.Item {
	i.Decision = &schema.Decision{
		ItemID:            i.ID,
		DecidedBy:         sql.NullInt64{Int64: person, Valid: person != 0},
		DeciderName:       name,
		Outcome:           "approve",
		Stage:             1,
		Stages:            1,
		RequiredApprovals: 1,
		DecidedAt:         instant("2026-11-23T10:00:00Z"),
	}
	i.Decisions, i.AwaitsDecision = []schema.Decision{*i.Decision}, false
	return i
}

func deniedBy(i schema.Item, person int64, name, reason string) schema.Item {
	i = approvedBy(i, person, name)
	i.Decision.Outcome, i.Decision.Reason, i.Withdrawable = "deny", reason, false
	i.Decisions = []schema.Decision{*i.Decision}
	return i
}

func claimed(i schema.Item, c schema.Claim) schema.Item {
	i = approvedBy(i, bob, "Bob Owner")
	if !c.EndsAt.Valid {
		c.EndsAt = at("2026-12-01T23:00:00Z")
	}
	i.Claim, i.Withdrawable = &c, false
	return i
}

func given(i schema.Item) schema.Item {
	return claimed(i, schema.Claim{GrantedAt: at("2026-11-23T10:30:00Z")})
}

func revokedItem(i schema.Item, kind, by, reason string) schema.Item {
	i.Withdrawable, i.AwaitsDecision = false, false
	i.StopOrder = &schema.StopOrder{Kind: kind, PersonName: by, Reason: reason, OrderedAt: instant("2026-11-25T08:00:00Z")}
	return i
}

// problem returns an item with a problem, of which everything that a code might have is text.
func problem(i schema.Item, code schema.ProblemCode, text string) schema.Item {
	i.Problem = schema.Problem{Code: code, Details: schema.ProblemDetails{Name: text, Reason: text, WaitsFor: text}}
	if text != "" {
		i.Problem.Details.People = []string{text}
	}
	return i
}

func withApproval(r *schema.Request, state, basis string, items []int64, candidates ...schema.Candidate) *schema.Request {
	for n := range candidates {
		candidates[n].Basis = basis
	}
	r.Approvals = append(
		r.Approvals,
		schema.Approval{
			ID:                int64(100 + len(r.Approvals)),
			Stage:             1,
			Stages:            1,
			RequiredApprovals: 1,
			State:             state,
			ItemIDs:           items,
			Candidates:        candidates,
		},
	)
	return r
}

func candidate(id int64, name string, asked bool) schema.Candidate {
	c := schema.Candidate{PersonID: id, Name: name}
	if asked {
		c.AskedAt, c.Sent = at("2026-11-23T09:00:01Z"), true
	}
	return c
}

func TestMessage(t *testing.T) {
	t.Run("digest covers what is shown and nothing else", func(t *testing.T) {
		r := sent()
		draw := func() map[string]string {
			return map[string]string{
				"card": Digest(
					Card(r, alice),
				),
				"approval": Digest(ApprovalMessage(r, ApprovalMessageFor{MessageID: 7, PersonID: bob, TimeZone: "UTC"})),
				"outcome": Digest(
					Outcome(r, alice),
				),
				"ending soon": Digest(EndingSoon(r, []int64{1, 2, 3, 4}, 77)),
				"ended":       Digest(Ended(r)),
				"report":      Digest(Report(r, ReportFailed, []int64{1, 2}, "UTC")),
			}
		}
		first := draw()
		for range 50 {
			r.ReadAt = r.ReadAt.Add(31 * time.Hour) // far past its end
			require.Equal(t, first, draw(), "time alone changes no message")
		}
		r.Items[0].Name = "another"
		for kind, digest := range draw() {
			assert.NotEqual(t, first[kind], digest, kind)
		}
	})

	t.Run("plain message has no blocks", func(t *testing.T) {
		m := Plain("Alice asks &lt;you&gt;")
		assert.Empty(t, m.Blocks)
		assert.Equal(t, "Alice asks &lt;you&gt;\nWe couldn't show this message in full. See the app's Home tab.", m.Text)
		requireFits(t, Plain(strings.Repeat("👩‍👩‍👧 ", 5000)))
	})

	t.Run("hostile text breaks no message and pings no one", func(t *testing.T) {
		states := map[string]func(n int, i schema.Item) schema.Item{
			"waiting": func(_ int, i schema.Item) schema.Item { return i },
			"retrying": func(_ int, i schema.Item) schema.Item {
				i = problem(given(i), schema.WaitsForTarget, hostileText()[:500])
				i.State, i.Claim.GrantedAt = schema.Provisioning, sql.NullTime{}
				return i
			},
			"active": func(_ int, i schema.Item) schema.Item {
				i.State = schema.Active
				return given(i)
			},
			"denied for one reason": func(_ int, i schema.Item) schema.Item {
				i.State = schema.Denied
				return deniedBy(i, bob, i.Name, hostileText())
			},
			"denied for many reasons": func(n int, i schema.Item) schema.Item {
				i.State = schema.Denied
				return deniedBy(i, bob, i.Name, fmt.Sprint(n)+" "+hostileText()[:1000])
			},
			"failed for many reasons": func(n int, i schema.Item) schema.Item {
				i.State = schema.Failed
				return problem(i, schema.OwnerRefused, fmt.Sprint(n)+" "+hostileText()[:500])
			},
			"revoked": func(n int, i schema.Item) schema.Item {
				i.State = schema.Revoked
				i = claimed(
					i,
					schema.Claim{
						GrantedAt: at("2026-11-23T10:30:00Z"),
						EndedAt:   at("2026-11-25T08:00:00Z"),
						RemovedAt: at("2026-11-25T08:05:00Z"),
					},
				)
				return revokedItem(i, schema.KindRevoked, i.Name, fmt.Sprint(n)+hostileText()[:500])
			},
			"some of each": func(n int, i schema.Item) schema.Item {
				i.State = []string{schema.Submitted, schema.AwaitingApproval, schema.Approved, schema.Provisioning, schema.Active, schema.Ended,
					schema.Revoked, schema.Denied, schema.Withdrawn, schema.Expired, schema.Failed}[n%11]
				if n%3 == 0 {
					return i
				}
				return problem(given(i), schema.TargetRefused, hostileText()[:500])
			},
		}
		var ids []int64
		for n := range 500 {
			ids = append(ids, int64(n+1))
		}
		for state, change := range states {
			for _, applications := range []int{1, 7, 500} {
				r := hostile(applications, change)
				q := ApprovalMessageFor{MessageID: 1 << 60, PersonID: bob, TimeZone: "Asia/Kathmandu"}
				for _, i := range r.Items {
					q.Held = append(q.Held, schema.HeldIn{ApplicationID: i.ApplicationID, Names: []string{i.Name, i.Name, i.Name}, Total: 200})
				}
				for kind, m := range map[string]Message{
					"card": Card(r, alice), "approval": ApprovalMessage(r, q), "outcome": Outcome(r, alice), "ending soon": EndingSoon(r, []int64{1, 2, 3, 4}, 77), "ended": Ended(r),
					"found": Report(r, ReportUnexpected, ids, "UTC"), "failed": Report(r, ReportFailed, ids, "UTC"), "overdue": Report(r, ReportOverdue, ids, "UTC"),
				} {
					t.Run(fmt.Sprintf("%s of 500 items in %d applications, %s", kind, applications, state), func(t *testing.T) {
						requireFits(t, m)
						for _, b := range m.Blocks {
							s, ok := b.(*slack.SectionBlock)
							if ok && s.Text.Type == slack.PlainTextType {
								assert.False(t, *s.Text.Emoji)
								continue // shown as it is
							}
							if ok {
								assert.True(t, s.Text.Verbatim)
								assert.NotContains(t, s.Text.Text, "<")
								assert.NotContains(t, s.Text.Text, "`")
							}
						}
						assert.NotContains(t, m.Text, "<")
						assert.False(t, strings.ContainsAny(text(m)+m.Text, "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u200e\u200f\u0000\r"))
					})
				}
			}
		}
	})

	t.Run("note is quoted completely", func(t *testing.T) {
		lines := "I need *this*, <!channel>\n\n> because `x`\n" + strings.Repeat("long line ", 290)
		one := strings.Repeat("👍", 3000)
		r := sent()
		for _, draw := range []func() Message{func() Message { return Card(r, alice) }, func() Message { return ApprovalMessage(r, forBob()) }} {
			r.Note = lines
			requireFits(t, draw())
			assert.Equal(t, "“"+strings.TrimSpace(lines)+"”", strings.Join(quoted(draw()), "\n"), "each line")
			r.Note = one
			requireFits(t, draw())
			assert.Equal(t, "“"+one+"”", strings.Join(quoted(draw()), ""), "one line that is longer than a section")
		}
	})
}

// hostile returns a request with as many items as one may have, and nothing in it that is not made to break a message.
func hostile(applications int, change func(n int, i schema.Item) schema.Item) *schema.Request {
	long := func(s string) string { return begin(strings.Repeat(s, 200), 200) }
	names := []string{
		long("<!channel> "),
		long("&<>"),
		long("👩‍👩‍👧"),
		long("שלום "),
		long("*_~`"),
		long("a\u202eb\u2066"),
		long("e\u0301\u0302\u0303"),
		"\u200b",
		long(":x:"),
		"one\ntwo ```",
	}
	r := newRequest()
	r.Note = hostileText()
	r.ReasonLabel = "<!here> *why*"
	r.Requester.Name, r.Requester.JobTitle, r.Requester.Department, r.Requester.ManagerName = names[0], names[1], names[2], names[3]
	for n := range 500 {
		i := item(int64(n+1), schema.AwaitingApproval, names[n%len(names)])
		i.ApplicationID, i.ApplicationName = int64(n%applications), names[(n+1)%len(names)]
		i.Risk, i.Kind, i.Description = []string{"low", "medium", "high"}[n%3], names[(n+2)%len(names)], names[(n+3)%len(names)]
		r.Items = append(r.Items, change(n, i))
		withApproval(
			r,
			"open",
			"application owner",
			[]int64{i.ID},
			candidate(bob, names[n%len(names)], true),
			candidate(carol, names[3], n%2 == 0),
		)
	}
	return r
}

func hostileText() string {
	s := strings.Repeat("<!channel> `code` ```\nblock\n``` *b* <@U1> \u202eoverride\u2066\x00 &amp; 👩‍👩‍👧\r\n\n", 100)
	runes := []rune(s)
	return string(runes[:3000])
}

// quoted returns what a message shows as it was written.
func quoted(m Message) []string {
	var parts []string
	for _, b := range m.Blocks {
		if s, ok := b.(*slack.SectionBlock); ok && s.Text.Type == slack.PlainTextType {
			parts = append(parts, s.Text.Text)
		}
	}
	return parts
}
