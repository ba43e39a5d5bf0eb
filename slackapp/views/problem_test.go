package views

import (
	"testing"

	"github.com/slack-go/slack"
	"github.com/stretchr/testify/assert"

	"accessbot/schema"
)

func TestProblem(t *testing.T) {
	t.Run("every code has words for every reader", func(t *testing.T) {
		secret := schema.ProblemDetails{Name: "ann-account", Reason: "because of Ann", WaitsFor: "Ann's desk", People: []string{"Dana Lee"}}
		t.Run("every code has words for every reader, and runs name no one", func(t *testing.T) {
			said := map[string]schema.ProblemCode{}
			for _, code := range schema.ProblemCodes {
				p := schema.Problem{Code: code, Details: secret}
				for _, to := range []reader{toRequester, toOwner, toOperator} {
					words := problemWords(p, "GitHub", "Alice Example", to)
					assert.NotEmpty(t, words, code)
					assert.NotContains(t, words, `"`+string(code)+`"`, "it has no words of its own")
				}
				owner := problemWords(p, "GitHub", "Alice Example", toOwner)
				if other := said[owner]; code != schema.NotSetUpInTime {
					assert.Empty(t, other, "%s says the same", code)
				}
				said[owner] = code
				for _, word := range []string{"Ann", "ann", "Dana", "Alice"} {
					if code != schema.ObjectGone { // objects are no people
						assert.NotContains(t, problemWords(p, "GitHub", "", toOperator), word)
					}
				}
			}
			assert.Empty(t, problemWords(schema.Problem{}, "GitHub", "Alice Example", toOwner))
		})
		t.Run("each reader reads what they can do about it", func(t *testing.T) {
			for _, c := range []struct {
				code                       schema.ProblemCode
				requester, owner, operator string
			}{
				{schema.WaitsForInvitation, "waiting for you to accept the invitation to GitHub", "waiting for Alice Example to accept the invitation to GitHub",
					"waiting for the requester to accept the invitation to GitHub"},
				{schema.WaitsForManualTask, "waiting for Dana Lee to set it up", "waiting for Dana Lee to set it up", "waiting for an owner of GitHub to set it up"},
				{schema.TargetDenied, "waiting until our connection to GitHub is fixed; its owners have been notified",
					"waiting until our connection to GitHub is fixed: it doesn't accept our credentials or configuration",
					"waiting until our connection to GitHub is fixed: it doesn't accept our credentials or configuration"},
			} {
				p := schema.Problem{Code: c.code, Details: secret}
				assert.Equal(t, c.requester, problemWords(p, "GitHub", "Alice Example", toRequester))
				assert.Equal(t, c.owner, problemWords(p, "GitHub", "Alice Example", toOwner))
				assert.Equal(t, c.operator, problemWords(p, "GitHub", "Alice Example", toOperator))
			}
		})
		t.Run("what ended while it waited says for what it waited", func(t *testing.T) {
			down := schema.Problem{Code: schema.TargetUnavailable}
			assert.Equal(t, "its end date passed while it was waiting for GitHub, which isn't responding", problemWords(down.Became(schema.EndPassed), "GitHub", "", toOwner))
			assert.Equal(t, "its end date passed before it was set up", problemWords(schema.Problem{}.Became(schema.EndPassed), "GitHub", "", toOwner))
			task := schema.Problem{Code: schema.WaitsForManualTask, Details: secret}
			assert.Equal(t, "it waited too long, waiting for Dana Lee to set it up", problemWords(task.Became(schema.WaitedTooLong), "GitHub", "", toOwner))
		})
	})

	t.Run("outage names what waits", func(t *testing.T) {
		o := schema.Outage{ApplicationName: "GitHub", OpenedAt: instant("2026-11-23T10:30:00Z"), Total: 3, Waiting: []schema.OutageLine{
			{RequestID: 1042, RequesterName: "Alice Example", Names: []string{"reader", "writer", "bots", "admin"},
				Problem: schema.Problem{Code: schema.TargetUnavailable, Since: at("2026-11-23T09:30:00Z")}},
			{RequestID: 1043, RequesterName: "<!channel>", Names: []string{"reader"}, Problem: schema.Problem{Code: schema.TargetDenied, Since: at("2026-11-23T09:40:00Z")}},
		}}
		t.Run("administrators have a button for each request", func(t *testing.T) {
			m := Outage(o, true, "UTC")
			requireFits(t, m)
			assert.Contains(t, text(m), "*Approved requests are waiting for GitHub*")
			assert.Contains(t, text(m), "#1042 for *Alice Example*: reader, writer, bots and 1 more\nWaiting for GitHub, which isn't responding (since Mon 23 Nov 2026, 09:30 UTC)")
			assert.Contains(t, text(m), "and 1 more")
			assert.NotContains(t, text(m), "<!channel>")
			var values []string
			for _, block := range m.Blocks {
				if s, ok := block.(*slack.SectionBlock); ok && s.Accessory != nil {
					values = append(values, s.Accessory.ButtonElement.Value)
				}
			}
			assert.Equal(t, []string{"1042", "1043"}, values)
		})
		t.Run("owners who are not administrators have none", func(t *testing.T) {
			m := Outage(o, false, "UTC")
			assert.Contains(t, text(m), "#1042 for *Alice Example*")
			assert.Len(t, m.Blocks, 2, "text alone")
			assert.Empty(t, buttons(m))
		})
		t.Run("nothing waits any more", func(t *testing.T) {
			o := schema.Outage{ApplicationName: "GitHub", OpenedAt: instant("2026-11-23T10:30:00Z"), ClosedAt: at("2026-11-23T12:30:00Z")}
			m := Outage(o, true, "UTC")
			assert.Equal(t, "No approved requests are waiting for GitHub", m.Text)
			assert.Empty(t, buttons(m))
		})
	})
}
