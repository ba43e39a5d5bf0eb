package views

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"accessbot/schema"
)

func TestOutcome(t *testing.T) {
	t.Run("whole request is told in one message", func(t *testing.T) {
		r := newRequest(
			given(item(1, schema.Active, "reader")),
			deniedBy(item(2, schema.Denied, "writer"), bob, "Bob Owner", "Ask *again*\nafter the <audit>"),
			problem(approvedBy(item(3, schema.Failed, "bots"), bob, "Bob Owner"), schema.ObjectGone, "bots"),
			given(jira(item(4, schema.Active, "user"))),
			jira(item(5, schema.Expired, "admin")),
			revokedItem(jira(item(6, schema.Withdrawn, "sprints")), schema.KindWithdrawn, "Alice Example", ""),
			problem(claimed(jira(item(7, schema.Provisioning, "boards")), schema.Claim{}), schema.TargetUnavailable, ""),
		)
		m := Outcome(r, alice)
		requireFits(t, m)
		assert.Equal(
			t,
			"Your request #1042: 2 active, 1 being set up, 1 denied, 1 couldn't be set up, 1 no response in time, 1 withdrawn (7 access grants in GitHub and Jira)",
			m.Text,
		)
		assert.Equal(t, strings.TrimSpace(`
*Your request #1042: 2 active, 1 being set up, 1 denied, 1 couldn't be set up, 1 no response in time, 1 withdrawn*
✅ Active until the end of Tue 1 Dec 2026 (Europe/Berlin)
*GitHub*: reader
*Jira*: user
⚙️ Being set up, waiting for Jira, which isn't responding
*Jira*: boards
⛔ Denied by Bob Owner
*GitHub*: writer
“Ask *again*
after the <audit>”
⚠️ Couldn't be set up (bots no longer exists in GitHub)
*GitHub*: bots
⌛ No response in time
*Jira*: admin
↩️ Withdrawn
*Jira*: sprints
[Request again]`), text(m))
		assert.Equal(t, "1042", buttons(m)[ActionAgain].Value)
	})

	t.Run("access is not called active before the target shows it", func(t *testing.T) {
		r := newRequest(
			approvedBy(item(1, schema.Approved, "reader"), bob, "Bob Owner"),
			claimed(item(2, schema.Provisioning, "writer"), schema.Claim{}),
		)
		for _, m := range []Message{Card(r, alice), Outcome(r, alice)} {
			assert.Contains(t, text(m), "*Your request #1042 is approved and being set up*")
			for _, word := range []string{"active", "Active", "granted", "given"} {
				assert.NotContains(t, text(m)+m.Text, word)
			}
		}
	})

	t.Run("reasons that do not fit are left out", func(t *testing.T) {
		r := newRequest()
		for n := range 5 {
			r.Items = append(
				r.Items,
				deniedBy(item(int64(n+1), schema.Denied, "team"), bob, "Bob Owner", strings.Repeat("because ", 200)+string(rune('a'+n))),
			)
		}
		m := Outcome(r, alice)
		requireFits(t, m)
		assert.Equal(t, 5, strings.Count(text(m), "⛔ Denied by Bob Owner"))
		assert.Equal(t, 3, strings.Count(text(m), "⛔ Denied by Bob Owner (because because"))
	})
}
