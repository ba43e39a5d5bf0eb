package views

import (
	"database/sql"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"accessbot/schema"
)

func TestEndNotification(t *testing.T) {
	t.Run("items that end are named with a button to extend", func(t *testing.T) {
		permanent := given(item(3, schema.Active, "admin"))
		permanent.Claim.EndsAt = sql.NullTime{}
		r := newRequest(
			given(item(1, schema.Active, "reader")),
			given(jira(item(2, schema.Active, "user"))),
			permanent,
			deniedBy(item(4, schema.Denied, "writer"), bob, "Bob Owner", "no"),
		)
		m := EndingSoon(r, []int64{1, 2, 3, 4}, 77)
		requireFits(t, m)
		assert.Equal(t, "Your access from request #1042 ends soon (2 access grants in GitHub and Jira)", m.Text)
		assert.Equal(t, strings.TrimSpace(`
*Your access from request #1042 ends soon*
✅ Active until the end of Tue 1 Dec 2026 (Europe/Berlin)
*GitHub*: reader
*Jira*: user
[Extend…]`), text(m))
		assert.Equal(t, "77", buttons(m)[ActionExtendSoon].Value)
	})

	t.Run("button is gone once nothing is left to end", func(t *testing.T) {
		r := newRequest(revokedItem(given(item(1, schema.Active, "reader")), schema.KindRemovedByHolder, "Alice Example", ""))
		m := EndingSoon(r, []int64{1, 2, 3, 4}, 77)
		assert.Empty(t, buttons(m))
		assert.Contains(t, text(m), "*Your request #1042: the access is being removed*")
		r = newRequest(deniedBy(item(1, schema.Denied, "reader"), bob, "Bob Owner", "no"))
		assert.Contains(t, text(EndingSoon(r, []int64{1, 2, 3, 4}, 77)), "*Your request #1042 was denied*")
	})

	t.Run("ended is said only of access that is gone", func(t *testing.T) {
		over := schema.Claim{GrantedAt: at("2026-11-23T10:30:00Z"), EndedAt: at("2026-12-01T23:00:00Z")}
		gone := over
		gone.RemovedAt = over.EndedAt

		m := Ended(
			newRequest(claimed(item(1, schema.Ended, "reader"), gone), deniedBy(item(2, schema.Denied, "writer"), bob, "Bob Owner", "no")),
		)
		requireFits(t, m)
		assert.Equal(
			t,
			"*Your request #1042 has ended*\n🏁 Ended on Wed 2 Dec 2026, 00:00 CET\n*GitHub*: reader\n[Request again]",
			text(m),
		)
		assert.Equal(t, "Your request #1042 has ended (1 access grant in GitHub)", m.Text)

		m = Ended(
			newRequest(
				claimed(item(1, schema.Ended, "reader"), gone),
				claimed(item(2, schema.Ended, "writer"), over),
				given(item(3, schema.Active, "admin")),
			),
		)
		assert.Equal(t, strings.TrimSpace(`
*Your request #1042: 1 active, 2 ended*
✅ Active until the end of Tue 1 Dec 2026 (Europe/Berlin)
*GitHub*: admin
🏁 Ended on Wed 2 Dec 2026, 00:00 CET
*GitHub*: reader
🔁 Ended on Wed 2 Dec 2026, 00:00 CET; the access is kept for another reason
*GitHub*: writer
[Request again]`), text(m))
	})
}

func TestOwnerNotification(t *testing.T) {
	t.Run("each kind says what to look at", func(t *testing.T) {
		failed := problem(approvedBy(item(1, schema.Failed, "reader"), bob, "Bob Owner"), schema.OwnerRefused, "no licenses left")
		late := given(item(2, schema.Active, "writer"))
		r := newRequest(failed, late, given(jira(item(3, schema.Active, "user"))))
		for _, c := range []struct {
			kind  string
			items []int64
			want  string
		}{
			{ReportFailed, []int64{1}, `
*1 access grant in GitHub couldn't be set up for Alice Example (request #1042)*
Engineer, Payments, manager Erin Boss, alice@example.com
⚠️ Couldn't be set up (an owner can't set it up: no licenses left)
*GitHub*: reader
The rest of the request continues. Once the cause is fixed, it can be requested again.`},
			{ReportUnexpected, []int64{3}, `
*Unexpected access: Alice Example already had 1 access grant in Jira before request #1042*
Engineer, Payments, manager Erin Boss, alice@example.com
*Jira*: user
It wasn't requested here, so it stays when this request ends. Check in the application whether it is correct.`},
			{ReportOverdue, []int64{2}, `
*Revocation of 1 access grant in GitHub for Alice Example is overdue (request #1042)*
Engineer, Payments, manager Erin Boss, alice@example.com
✅ Active until the end of Tue 1 Dec 2026 (Europe/Berlin), for you Tue 1 Dec 2026, 18:00 EST
*GitHub*: writer
We'll keep trying until it succeeds. Check that the application is available.`},
		} {
			t.Run(c.kind, func(t *testing.T) {
				m := Report(r, c.kind, c.items, "America/New_York")
				requireFits(t, m)
				assert.Equal(t, strings.TrimSpace(c.want), text(m))
				assert.Equal(t, strings.Trim(strings.SplitN(text(m), "\n", 2)[0], "*"), m.Text)
			})
		}
	})

	t.Run("access that was never seen is not said to be revoked", func(t *testing.T) {
		r := newRequest(
			claimed(
				item(1, schema.Provisioning, "reader"),
				schema.Claim{EndsAt: at("2026-11-22T09:00:00Z"), DueAt: at("2026-11-22T09:02:00Z")},
			),
		)
		assert.Equal(
			t,
			"We can't confirm yet that Alice Example doesn't have 1 access grant in GitHub (request #1042)",
			Report(r, ReportOverdue, []int64{1}, "UTC").Text,
		)
	})

	t.Run("overdue revocation says when it is over", func(t *testing.T) {
		over := schema.Claim{
			GrantedAt: at("2026-11-23T10:30:00Z"),
			EndedAt:   at("2026-12-01T23:20:00Z"),
			RemovedAt: at("2026-12-01T23:20:00Z"),
		}
		m := Report(newRequest(claimed(item(1, schema.Ended, "reader"), over)), ReportOverdue, []int64{1}, "UTC")
		assert.Contains(t, m.Text, "was overdue and is now confirmed")
		assert.Contains(t, text(m), "🏁 Ended on Tue 1 Dec 2026, 23:20 UTC")
	})

	t.Run("report of the only item says nothing of a rest", func(t *testing.T) {
		t.Run("only item that failed leaves no other items to mention", func(t *testing.T) {
			r := newRequest(problem(approvedBy(item(1, schema.Failed, "reader"), bob, "Bob Owner"), schema.ObjectGone, "team"))
			assert.NotContains(t, text(Report(r, ReportFailed, []int64{1}, "UTC")), "rest of the request")
		})
	})
}
