package views

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"

	"github.com/slack-go/slack"
	"github.com/stretchr/testify/assert"

	"accessbot/schema"
)

func forBob() ApprovalMessageFor {
	return ApprovalMessageFor{
		MessageID: 7,
		PersonID:  bob,
		TimeZone:  "America/New_York",
		Held:      []schema.HeldIn{{ApplicationID: 10, Names: []string{"reviewer", "triage"}, Total: 5}},
	}
}

// itemsOf are the items that a choice shows.
func itemsOf(view slack.ModalViewRequest) []int64 {
	chosen, err := ParseChosen(view.PrivateMetadata, nil)
	if err != nil {
		panic(err)
	}
	return chosen.Shown
}

// modalText is the text of a modal's sections.
func modalText(view slack.ModalViewRequest) string {
	var lines []string
	for _, b := range view.Blocks.BlockSet {
		if s, ok := b.(*slack.SectionBlock); ok {
			lines = append(lines, s.Text.Text)
		}
	}
	return strings.Join(lines, "\n")
}

func TestApprovalMessage(t *testing.T) {
	t.Run("all that an approver needs is shown", func(t *testing.T) {
		r := sent()
		r.Items[1].Risk, r.Items[1].Description = "high", "Push to <every> branch"
		r.Items = append(r.Items, jira(item(3, schema.AwaitingApproval, "admin")))
		withApproval(r, "open", "application owner", []int64{3}, candidate(dave, "Dave Owner", true))
		m := ApprovalMessage(r, forBob())
		requireFits(t, m)
		assert.Equal(t, "Alice Example requests 2 access grants in GitHub: request #1042", m.Text)
		assert.Equal(t, strings.TrimSpace(`
*Alice Example requests 2 access grants in GitHub: request #1042*
Engineer, Payments, manager Erin Boss, alice@example.com
You're an approver because you own GitHub.
*GitHub*
🔴 writer (team, high risk): Push to &lt;every&gt; branch
🟢 reader (team, low risk)
*Duration:* until the end of Tue 1 Dec 2026 (Europe/Berlin), for you Tue 1 Dec 2026, 18:00 EST
*Current access in GitHub:* reviewer, triage and 3 more
The request also includes 1 access grant for other approvers to decide.
*Reason:* Project work
“for the
migration”
Requested Mon 23 Nov 2026, 04:00 EST
[Approve]
[Deny…]
[Approve with changes…]
[Ask a question…]`), text(m))
		for action, style := range map[string]slack.Style{ActionApprove: slack.StylePrimary, ActionDeny: slack.StyleDanger} {
			assert.Equal(t, DecisionValue(7, terms), buttons(m)[action].Value)
			assert.Equal(t, style, buttons(m)[action].Style)
		}
	})

	t.Run("buttons exist only while the reader can decide", func(t *testing.T) {
		moved := sent()
		moved.Approvals[0].State = "moved"
		withApproval(moved, "open", "manager", []int64{1, 2}, candidate(dave, "Dave Boss", true))
		changed := func(change func(*schema.Request)) *schema.Request {
			r := sent()
			change(r)
			return r
		}
		const notNeeded = "There is nothing left for you to decide: request #1042 for Alice Example"
		for _, c := range []struct {
			what     string
			request  *schema.Request
			buttons  bool
			headline string
			says     string
		}{
			{"waiting", sent(), true, "", "⏳"},
			{"one of two decided", changed(func(r *schema.Request) { r.Items[0] = approvedBy(r.Items[0], carol, "Carol Owner") }), true, "",
				"✅ Approved by Carol Owner, Mon 23 Nov 2026, 05:00 EST\n*GitHub*: reader\n"},
			{"approved by another", changed(func(r *schema.Request) {
				r.Items[0], r.Items[1] = approvedBy(r.Items[0], carol, "Carol Owner"), approvedBy(r.Items[1], carol, "Carol Owner")
			}), false, "✅ Carol Owner approved this for Alice Example: request #1042",
				"✅ Approved by Carol Owner, Mon 23 Nov 2026, 05:00 EST\n*GitHub*: reader, writer\n"},
			{"denied by the reader", changed(func(r *schema.Request) {
				r.Items[0], r.Items[1] = deniedBy(r.Items[0], bob, "Bob Owner", "not <yours>"), deniedBy(r.Items[1], bob, "Bob Owner", "not <yours>")
			}), false, "⛔ You denied this for Alice Example: request #1042",
				"⛔ Denied by you, Mon 23 Nov 2026, 05:00 EST (not &lt;yours&gt;)\n*GitHub*: reader, writer\n"},
			{"moved on to others", moved, false, notNeeded, "➡️ Reassigned to Dave Boss (manager)\n*GitHub*: reader, writer\n"},
			{"moved on, to no one yet", changed(func(r *schema.Request) { r.Approvals[0].State = "moved" }), false, notNeeded,
				"➡️ You're no longer an approver for this. No other approver has been asked yet.\n*GitHub*: reader, writer\n"},
			{"withdrawn", changed(func(r *schema.Request) {
				for n := range r.Items {
					r.Items[n] = revokedItem(r.Items[n], schema.KindWithdrawn, "Alice Example", "")
				}
			}), false, notNeeded, "Withdrawn, Wed 25 Nov 2026, 03:00 EST\n*GitHub*: reader, writer\n"},
			{"expired", changed(func(r *schema.Request) {
				for i := range r.Items {
					r.Items[i].State, r.Items[i].AwaitsDecision = schema.Expired, false
				}
			}), false, notNeeded,
				"⌛ No response in time, Mon 23 Nov 2026, 05:30 EST\n*GitHub*: reader, writer\n"},
		} {
			t.Run(c.what, func(t *testing.T) {
				m := ApprovalMessage(c.request, forBob())
				requireFits(t, m)
				if c.buttons {
					assert.Len(t, buttons(m), 4)
				} else {
					assert.Empty(t, buttons(m))
					assert.Equal(t, c.headline, m.Text)
					assert.NotContains(t, text(m), "Current access", "it may come from this very request")
				}
				if c.says != "⏳" {
					assert.Contains(t, text(m), c.says)
				}
			})
		}
	})

	t.Run("requester gets no buttons", func(t *testing.T) {
		q := forBob()
		q.PersonID = alice
		assert.Empty(t, buttons(ApprovalMessage(sent(), q)))
	})

	t.Run("decided message does not change with the access", func(t *testing.T) {
		r := sent()
		r.Items[0], r.Items[1] = approvedBy(r.Items[0], bob, "Bob Owner"), deniedBy(r.Items[1], bob, "Bob Owner", "no")
		before := Digest(ApprovalMessage(r, forBob()))
		r.Items[0], r.Items[1].State = given(r.Items[0]), schema.Denied
		r.Items[0].State = schema.Active
		assert.Equal(t, before, Digest(ApprovalMessage(r, forBob())))
	})

	t.Run("basis of the reader is named", func(t *testing.T) {
		for basis, want := range map[string]string{
			"entitlement owner": "You're an approver because you own access grants in GitHub.",
			"application owner": "You're an approver because you own GitHub.",
			"manager":           "You're an approver for GitHub because you manage Alice Example.",
			"administrator":     "You're an approver for GitHub because you're an administrator.",
			"a later <policy>":  "You're an approver for GitHub (a later &lt;policy&gt;).",
		} {
			r := newRequest(item(1, schema.AwaitingApproval, "reader"))
			withApproval(r, "open", basis, []int64{1}, candidate(bob, "Bob Owner", true))
			assert.Contains(t, strings.Split(text(ApprovalMessage(r, forBob())), "\n"), want)
		}
	})

	t.Run("riskiest ten are named and the rest counted by risk", func(t *testing.T) {
		r := newRequest()
		var ids []int64
		for n := range 44 {
			i := item(int64(n+1), schema.AwaitingApproval, fmt.Sprintf("team %02d", n))
			if n >= 40 {
				i.Risk = "high"
			} else if n >= 30 {
				i.Risk = "medium"
			}
			ids = append(ids, i.ID)
			r.Items = append(r.Items, i)
		}
		withApproval(r, "open", "application owner", ids, candidate(bob, "Bob Owner", true))
		got := text(ApprovalMessage(r, forBob()))
		assert.Equal(t, 4, strings.Count(got, "🔴"))
		assert.Equal(t, 6, strings.Count(got, "🟠"))
		assert.Contains(t, got, "🟠 team 35 (team, medium risk)\n     and 34 more (4 medium risk, 30 low risk)")
	})

	t.Run("missing earlier access is stated", func(t *testing.T) {
		assert.Contains(
			t,
			text(ApprovalMessage(sent(), ApprovalMessageFor{MessageID: 7, PersonID: bob})),
			"*Current access in GitHub:* none\n",
		)
	})

	t.Run("basis is the current one, with delegation", func(t *testing.T) {
		forBobOwner := candidate(dave, "Dave Owner", true)
		forBobOwner.OnBehalfOf, forBobOwner.InPlaceOfName = sql.NullInt64{Int64: bob, Valid: true}, "Bob Owner"
		before := func(state string) *schema.Request {
			r := newRequest(item(1, schema.AwaitingApproval, "reader"))
			return withApproval(r, state, "application owner", []int64{1}, forBobOwner)
		}
		q := ApprovalMessageFor{PersonID: dave}
		assert.Contains(t, text(ApprovalMessage(before("open"), q)), "on behalf of Bob Owner")
		assert.Contains(t, text(ApprovalMessage(before("decided"), q)), "on behalf of Bob Owner", "as it was then")

		again := withApproval(before("decided"), "open", "manager", []int64{1}, candidate(dave, "Dave Owner", true))
		assert.NotContains(t, text(ApprovalMessage(again, q)), "on behalf of", "Bob is back")
		assert.Contains(t, text(ApprovalMessage(again, q)), "You're an approver for GitHub because you manage Alice Example.")

		moved := withApproval(before("moved"), "open", "application owner", []int64{1}, candidate(bob, "Bob Owner", true))
		assert.NotContains(t, text(ApprovalMessage(moved, q)), "on behalf of", "Bob is back, and was asked")
	})

	t.Run("existing access is listed for each of two applications", func(t *testing.T) {
		r := sent()
		r.Items = append(r.Items, jira(item(3, schema.AwaitingApproval, "admin")))
		withApproval(r, "open", "application owner", []int64{3}, candidate(bob, "Bob Owner", true))
		assert.Contains(
			t,
			text(ApprovalMessage(r, forBob())),
			"*Current access in GitHub:* reviewer, triage and 3 more\n*Current access in Jira:* none\n",
		)
	})

	t.Run("administrator at the last level has one button in place of the votes", func(t *testing.T) {
		lastLevel := func(since string, items ...schema.Item) *schema.Request {
			for n := range items {
				items[n].Administrators = []int64{bob}
			}
			r := withApproval(newRequest(items...), "open", "administrator", []int64{1}, candidate(bob, "Bob Owner", true))
			r.Approvals[0].Level, r.Approvals[0].Since = 1, instant(since)
			return r
		}
		for since, tag := range map[string]string{
			"2026-11-21T08:00:00Z": "⏰ *No response for 2 days*\n",
			"2026-11-22T08:59:00Z": "⏰ *No response for 1 day*\n",
			"2026-11-23T04:00:00Z": "⏰ *No response for 5 hours*\n",
			"2026-11-23T08:59:00Z": "⏰ *No response for 1 hour*\n",
		} {
			m := ApprovalMessage(lastLevel(since, item(1, schema.AwaitingApproval, "reader")), forBob())
			requireFits(t, m)
			assert.Contains(t, text(m), tag)
			assert.True(t, strings.HasSuffix(text(m), "[Decide as administrator…]\n[Ask a question…]"), text(m))
			assert.Equal(t, "1042", buttons(m)[ActionDecideAsAdministrator].Value)
		}

		r := lastLevel("2026-11-21T08:00:00Z", item(1, schema.AwaitingApproval, "reader"))
		r.Items = append(r.Items, jira(item(2, schema.AwaitingApproval, "admin")))
		withApproval(r, "open", "application owner", []int64{2}, candidate(bob, "Bob Owner", true))
		m := ApprovalMessage(r, forBob())
		assert.Contains(t, text(m), "⏰ *No response for 2 days* (1 of 2 access grants)\n", "he owns the other application")
		assert.True(
			t,
			strings.HasSuffix(text(m), "[Approve]\n[Deny…]\n[Approve with changes…]\n[Decide as administrator…]\n[Ask a question…]"),
			text(m),
		)
		assert.Equal(t, []int64{1}, itemsOf(ChooseForEveryone(r, bob, "UTC", nil)))
		assert.Equal(t, []int64{2}, itemsOf(Choose(r, bob, "1:x", nil)))
		assert.Equal(
			t,
			"No approver has decided this. To decide it for everyone, press “Decide as administrator…”.",
			DecidedBy(r, bob, "UTC"),
		)

		r.Approvals[0].State, r.Items[0].Problem.Code = "moved", schema.NoApprover
		assert.Contains(t, modalText(ChooseForEveryone(r, bob, "UTC", nil)), "⏰ *No approver is available*")
	})

	t.Run("administrator reads why they are asked", func(t *testing.T) {
		ask := func(level int, opened string) string {
			r := newRequest(item(1, schema.AwaitingApproval, "reader"))
			withApproval(r, "open", "administrator", []int64{1}, candidate(bob, "Bob Owner", true))
			r.Approvals[0].Level, r.Approvals[0].OpenedAt = level, instant(opened)
			return text(ApprovalMessage(r, forBob()))
		}
		t.Run("asked by the escalation: says that others have not answered", func(t *testing.T) {
			assert.Contains(t, ask(1, "2026-11-20T09:00:00Z"), "because there was no response, and you're an administrator.")
		})
		t.Run("asked from the beginning: says nothing about others", func(t *testing.T) {
			assert.Contains(t, ask(1, "2026-11-23T09:00:01Z"), "You're an approver for GitHub because you're an administrator.")
			assert.Contains(t, ask(0, "2026-11-20T09:00:00Z"), "You're an approver for GitHub because you're an administrator.")
		})
	})
}
