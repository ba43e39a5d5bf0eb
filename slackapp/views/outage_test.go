package views

import (
	"testing"

	"github.com/slack-go/slack"
	"github.com/stretchr/testify/assert"

	"accessbot/schema"
)

func TestProblem(t *testing.T) {
	t.Run("outage names what waits", func(t *testing.T) {
		o := schema.Outage{ApplicationName: "GitHub", OpenedAt: instant("2026-11-23T10:30:00Z"), Total: 3, Waiting: []schema.OutageLine{
			{RequestID: 1042, RequesterName: "Alice Example", Names: []string{"reader", "writer", "bots", "admin"},
				Problem: schema.Problem{Code: schema.TargetUnavailable, Since: at("2026-11-23T09:30:00Z")}},
			{
				RequestID:     1043,
				RequesterName: "<!channel>",
				Names:         []string{"reader"},
				Problem:       schema.Problem{Code: schema.TargetDenied, Since: at("2026-11-23T09:40:00Z")},
			},
		}}
		t.Run("administrators have a button for each request", func(t *testing.T) {
			m := Outage(o, true, "UTC")
			requireFits(t, m)
			assert.Contains(t, text(m), "*Approved requests are waiting for GitHub*")
			assert.Contains(
				t,
				text(m),
				"#1042 for *Alice Example*: reader, writer, bots and 1 more\nWaiting for GitHub, which isn't responding (since Mon 23 Nov 2026, 09:30 UTC)",
			)
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
