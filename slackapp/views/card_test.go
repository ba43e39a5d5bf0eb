package views

import (
	"database/sql"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"accessbot/schema"
)

// sent returns a request that has just been sent for approval.
func sent() *schema.Request {
	r := newRequest(item(1, schema.AwaitingApproval, "reader"), item(2, schema.AwaitingApproval, "writer"))
	r.Note = "for the\nmigration"
	return withApproval(
		r,
		"open",
		"application owner",
		[]int64{1, 2},
		candidate(bob, "Bob Owner", true),
		candidate(carol, "Carol Owner", false),
	)
}

func expiredAt(i schema.Item, when string) schema.Item {
	i.StateAt = instant(when)
	return i
}

func TestCard(t *testing.T) {
	t.Run("new request is shown completely", func(t *testing.T) {
		m := Card(sent(), alice)
		requireFits(t, m)
		assert.Equal(t, "Your request #1042 has been successfully created and sent for approval (2 access grants in GitHub)", m.Text)
		assert.Equal(t, strings.TrimSpace(`
*Your request #1042 has been successfully created and sent for approval*
*GitHub*
⏳ reader: waiting for approval
⏳ writer: waiting for approval
*Duration:* until the end of Tue 1 Dec 2026 (Europe/Berlin)
*Approvers:* Bob Owner (application owner); 1 more if there is no response
*Reason:* Project work
“for the
migration”
Requested Mon 23 Nov 2026, 10:00 CET
[Withdraw]`), text(m))
		withdraw := buttons(m)[ActionWithdraw]
		assert.Equal(t, "1042", withdraw.Value)
		assert.Equal(
			t,
			"2 access grants of request #1042 won't be set up. Access that is already set up stays.",
			withdraw.Confirm.Text.Text,
		)
	})

	t.Run("each item has the words of its state", func(t *testing.T) {
		over := schema.Claim{GrantedAt: at("2026-11-23T10:30:00Z"), EndedAt: at("2026-12-01T23:00:00Z")}
		gone, late, notReconciled := over, over, over
		gone.RemovedAt, late.RemovedAt = over.EndedAt, at("2026-12-01T23:20:00Z")
		notReconciled.DueAt = at("2026-12-01T23:02:00Z")
		never := gone
		never.GrantedAt = sql.NullTime{}
		permanent := given(item(1, schema.Active, "reader"))
		permanent.Claim.EndsAt = sql.NullTime{}
		sooner := given(item(1, schema.Active, "reader"))
		sooner.Claim.EndsAt = at("2026-11-30T11:00:00Z")
		unconfirmedItem := given(item(1, schema.Active, "reader"))
		unconfirmedItem.Claim.EndsAt, unconfirmedItem.Claim.AlertedAt = at("2026-11-22T09:00:00Z"), at("2026-11-22T09:05:00Z")
		until := "until the end of Tue 1 Dec 2026 (Europe/Berlin)"

		for _, c := range []struct {
			what       string
			item       schema.Item
			headline   string // after "Your request #1042"
			words      string // after the item's name
			withdrawal bool
		}{
			{"submitted", item(1, schema.Submitted, "reader"), " has been created. We'll send it for approval as soon as our systems are back.", "submitted", true},
			{"awaiting approval, not sent yet", item(1, schema.AwaitingApproval, "reader"),
				" has been created. We'll send it for approval as soon as we can reach an approver in Slack.", "waiting for approval, not sent to an approver yet", true},
			{"awaiting approval, no one found", problem(item(1, schema.AwaitingApproval, "reader"), schema.NoApprover, ""),
				" has been created. No approver is available, and we couldn't reach an administrator in Slack. Tell an administrator.", "waiting for approval, no approver is available", true},
			{"approved, and not taken up yet", approvedBy(item(1, schema.AwaitingApproval, "reader"), bob, "Bob Owner"),
				" is approved and being set up", "approved by Bob Owner", true},
			{"approved", approvedBy(item(1, schema.Approved, "reader"), bob, "Bob Owner"), " is approved and being set up", "approved by Bob Owner", true},
			{"approved by a rule", approvedBy(item(1, schema.Approved, "reader"), 0, ""), " was approved by policy and is being set up", "approved by the policy", true},
			{"approved, its target is down", problem(approvedBy(item(1, schema.Approved, "reader"), bob, "Bob Owner"), schema.TargetUnavailable, ""),
				" is approved and waiting to be set up", "approved by Bob Owner, waiting for GitHub, which isn't responding", true},
			{"approved, no approver was there before", problem(approvedBy(item(1, schema.AwaitingApproval, "reader"), bob, "Bob Owner"), schema.NoApprover, ""),
				" is approved and waiting to be set up", "approved by Bob Owner", true},
			{"being set up", claimed(item(1, schema.Provisioning, "reader"), schema.Claim{}), " is approved and being set up", "being set up", false},
			{"its target is down", problem(claimed(item(1, schema.Provisioning, "reader"), schema.Claim{}), schema.TargetUnavailable, ""),
				" is approved and waiting to be set up", "being set up, waiting for GitHub, which isn't responding", false},
			{"to be set up by hand", problem(claimed(item(1, schema.Provisioning, "reader"), schema.Claim{}), schema.WaitsForManualTask, "Dana Lee"),
				" is approved and waiting to be set up", "being set up, waiting for Dana Lee to set it up", false},
			{"its end passed before it was set up", claimed(item(1, schema.Provisioning, "reader"), schema.Claim{EndsAt: at("2026-11-22T09:00:00Z")}),
				" wasn't set up. We're confirming that there is no access", "the end date has passed, confirming that there is no access", false},
			{"given up, and not seen to be absent", problem(claimed(item(1, schema.Provisioning, "reader"), schema.Claim{EndedAt: at("2026-11-23T09:00:00Z")}),
				schema.NotSetUpInTime, ""), " wasn't set up. We're confirming that there is no access", "couldn't be set up (it timed out), confirming that there is no access", false},
			{"called active before the target showed it", claimed(item(1, schema.Active, "reader"), schema.Claim{}),
				" is approved and being set up", "being set up", false},
			{"active", given(item(1, schema.Active, "reader")), " is active " + until, "active " + until, false},
			{"active without an end", permanent, " is active permanently", "active permanently", false},
			{"active for less than was asked", sooner, " is active until Mon 30 Nov 2026, 12:00 CET, sooner than requested", "active until Mon 30 Nov 2026, 12:00 CET, sooner than requested", false},
			{"removed, and still there", revokedItem(given(item(1, schema.Active, "reader")), schema.KindRemovedByHolder, "Alice Example", ""),
				": the access is being removed", "being removed by you", false},
			{"removal overdue", unconfirmedItem, ": the removal isn't confirmed yet", "removal not confirmed, the end date has passed", false},
			{"ended", claimed(item(1, schema.Ended, "reader"), gone), " has ended", "ended on Wed 2 Dec 2026, 00:00 CET", false},
			{"ended late", claimed(item(1, schema.Ended, "reader"), late), " has ended",
				"ended on Wed 2 Dec 2026, 00:00 CET, confirmed gone on Wed 2 Dec 2026, 00:20 CET", false},
			{"ended, held for another reason", claimed(item(1, schema.Ended, "reader"), over), " has ended. You still have the access for another reason",
				"ended on Wed 2 Dec 2026, 00:00 CET; the access is kept for another reason", false},
			{"over, and not gone yet", claimed(item(1, schema.Ended, "reader"), notReconciled), ": the access is being removed",
				"being removed, ended on Wed 2 Dec 2026, 00:00 CET", false},
			{"called ended before its claim is", given(item(1, schema.Ended, "reader")), ": the access is being removed", "being removed, ended", false},
			{"removed", revokedItem(claimed(item(1, schema.Revoked, "reader"), gone), schema.KindRemovedByHolder, "Alice Example", ""), ": the access was removed by you",
				"removed by you on Wed 2 Dec 2026, 00:00 CET", false},
			{"removed, held for another reason", revokedItem(claimed(item(1, schema.Revoked, "reader"), over), schema.KindRemovedByHolder, "Alice Example", ""),
				" has ended. You still have the access for another reason", "removed by you on Wed 2 Dec 2026, 00:00 CET; the access is kept for another reason", false},
			{"revoked", revokedItem(claimed(item(1, schema.Revoked, "reader"), gone), schema.KindRevoked, "Bob Owner", "moved team"), ": the access was revoked",
				"revoked by Bob Owner (moved team) on Wed 2 Dec 2026, 00:00 CET", false},
			{"removed before it was set up", revokedItem(claimed(item(1, schema.Revoked, "reader"), never), schema.KindRemovedByHolder, "Alice Example", ""),
				": the access was removed by you", "removed by you on Wed 2 Dec 2026, 00:00 CET, before it was set up", false},
			{"revoked from a leaver", revokedItem(claimed(item(1, schema.Revoked, "reader"), gone), schema.KindPersonLeft, "", "left the company"), ": the access was revoked",
				"revoked (the requester left) on Wed 2 Dec 2026, 00:00 CET", false},
			{"revoked by an operator", revokedItem(claimed(item(1, schema.Revoked, "reader"), gone), schema.KindWorkflowCancelled, "", "cancelled in Temporal"),
				": the access was revoked", "revoked by an operator (cancelled in Temporal) on Wed 2 Dec 2026, 00:00 CET", false},
			{"denied", deniedBy(item(1, schema.Denied, "reader"), bob, "Bob Owner", "not *yours*"), " was denied", "denied by Bob Owner (not ∗yours∗)", false},
			{"denied, and not taken up yet", deniedBy(item(1, schema.AwaitingApproval, "reader"), bob, "Bob Owner", "no"), " was denied", "denied by Bob Owner (no)", false},
			{"denied by a rule", deniedBy(item(1, schema.Denied, "reader"), 0, "", "frozen"), " was denied", "denied by the policy (frozen)", false},
			{"withdrawn", revokedItem(item(1, schema.Withdrawn, "reader"), schema.KindWithdrawn, "Alice Example", ""), " was withdrawn", "withdrawn", false},
			{"withdrawn, and not taken up yet", revokedItem(approvedBy(item(1, schema.Approved, "reader"), bob, "Bob Owner"), schema.KindWithdrawn, "Alice Example", ""),
				" was withdrawn", "withdrawn", false},
			{"withdrawn by an operator", revokedItem(item(1, schema.Withdrawn, "reader"), schema.KindWorkflowCancelled, "", "cancelled in Temporal"), " was withdrawn",
				"withdrawn by an operator (cancelled in Temporal)", false},
			{"withdrawn for a leaver", revokedItem(item(1, schema.Withdrawn, "reader"), schema.KindPersonLeft, "", "left"), " was withdrawn", "withdrawn (the requester left)", false},
			{"expired, no response", item(1, schema.Expired, "reader"), " has expired: there was no response in time", "no response in time", false},
			{"expired, its end passed", expiredAt(item(1, schema.Expired, "reader"), "2026-12-01T23:00:00Z"), " has expired: its requested end date has passed",
				"the requested end date passed before a decision", false},
			{"expired, approved and its end passed", expiredAt(approvedBy(item(1, schema.Expired, "reader"), bob, "Bob Owner"), "2026-12-01T23:00:01Z"),
				" has expired: its requested end date has passed", "the requested end date passed before it was set up", false},
			{"its end passed", problem(approvedBy(item(1, schema.Failed, "reader"), bob, "Bob Owner"), schema.EndPassed, ""),
				" was approved, but couldn't be set up", "couldn't be set up (its end date passed before it was set up)", false},
			{"failed", problem(approvedBy(item(1, schema.Failed, "reader"), bob, "Bob Owner"), schema.ObjectGone, "team-x"),
				" was approved, but couldn't be set up", "couldn't be set up (team-x no longer exists in GitHub)", false},
		} {
			t.Run(c.what, func(t *testing.T) {
				m := Card(newRequest(c.item), alice)
				requireFits(t, m)
				lines := strings.Split(text(m), "\n")
				assert.Equal(t, "*Your request #1042"+c.headline+"*", lines[0])
				assert.Regexp(t, `^\S+ reader: `, lines[2])
				_, words, _ := strings.Cut(lines[2], " reader: ")
				assert.Equal(t, c.words, words)
				assert.Equal(t, c.withdrawal, buttons(m)[ActionWithdraw] != nil, "Withdraw")
			})
		}
	})

	t.Run("partly decided request counts its states", func(t *testing.T) {
		r := newRequest(
			given(item(1, schema.Active, "reader")),
			deniedBy(item(2, schema.Denied, "writer"), bob, "Bob Owner", "no"),
			jira(item(3, schema.AwaitingApproval, "admin")),
		)
		withApproval(r, "decided", "application owner", []int64{1, 2}, candidate(bob, "Bob Owner", true))
		withApproval(r, "open", "manager", []int64{3}, candidate(dave, "Dave Boss", true))
		m := Card(r, alice)
		got := text(m)
		assert.Contains(
			t,
			got,
			"*Your request #1042: 1 active, 1 waiting for approval, 1 denied*\n3 access grants: 1 active, 1 waiting for approval, 1 denied",
		)
		assert.Contains(t, got, "*Jira*\n⏳ admin: waiting for approval")
		assert.Contains(t, got, "*Approvers:* Dave Boss (manager)\n")
		assert.NotContains(t, got, "Bob Owner (application owner)", "his approval is decided")
		assert.Contains(t, buttons(m)[ActionWithdraw].Confirm.Text.Text, "1 access grant of request #1042")
	})

	t.Run("ten items an application are named and the rest counted", func(t *testing.T) {
		r := newRequest()
		for n := range 44 {
			i := item(int64(n+1), schema.AwaitingApproval, "team")
			if n > 40 {
				i = given(item(int64(n+1), schema.Active, "team"))
			}
			r.Items = append(r.Items, i)
		}
		var all []int64
		for _, i := range r.Items {
			all = append(all, i.ID)
		}
		withApproval(r, "open", "application owner", all, candidate(bob, "Bob Owner", true))
		got := text(Card(r, alice))
		assert.Equal(t, 10, strings.Count(got, "⏳ team: waiting for approval"))
		assert.Contains(t, got, "and 34 more (3 active, 31 waiting for approval)")
	})

	t.Run("current approvers are named", func(t *testing.T) {
		r := sent()
		r.Approvals[0].State = "moved"
		withApproval(r, "open", "manager", []int64{1, 2}, candidate(dave, "Dave Boss", true))
		got := text(Card(r, alice))
		assert.Contains(t, got, "*Approvers:* Dave Boss (manager)\n")
		assert.NotContains(t, got, "Bob Owner")
	})

	t.Run("missing approver is stated", func(t *testing.T) {
		r := withApproval(newRequest(item(1, schema.AwaitingApproval, "reader")), "open", "", []int64{1})
		assert.Contains(t, text(Card(r, alice)), "*Approvers:* none available\n")
	})

	t.Run("approver of several items is named once", func(t *testing.T) {
		r := newRequest(item(1, schema.AwaitingApproval, "reader"), jira(item(2, schema.AwaitingApproval, "admin")))
		withApproval(r, "open", "manager", []int64{1}, candidate(dave, "Dave Boss", true))
		withApproval(r, "open", "manager", []int64{2}, candidate(dave, "Dave Boss", true))
		assert.Contains(t, text(Card(r, alice)), "*Approvers:* Dave Boss (manager)\n")
	})

	t.Run("example of the access is named", func(t *testing.T) {
		r := sent()
		r.AccessLike, r.LikeName = "person", "Frank <!here>"
		assert.Contains(t, text(Card(r, alice)), "*Access Like:* Frank &lt;!here&gt;\n")
		r.AccessLike, r.LikeName = "job_title", "Engineer"
		assert.Contains(t, text(Card(r, alice)), "*Access Like:* job title Engineer\n")
	})

	t.Run("access past its end but not gone is not called active", func(t *testing.T) {
		held := given(item(1, schema.Active, "reader"))
		r := newRequest(held)
		r.ReadAt = held.Claim.EndsAt.Time.Add(-time.Minute)
		assert.Contains(t, text(Card(r, alice)), "active until")
		r.ReadAt = held.Claim.EndsAt.Time.Add(2 * time.Minute)
		assert.NotContains(t, text(Card(r, alice)), "active")
		assert.Contains(t, text(Card(r, alice)), "being removed, the end date has passed")
	})

	t.Run("respond-by date is never after the requested end", func(t *testing.T) {
		r := sent() // it ends with 1 Dec
		r.Approvals[0].ExpiresAt = at("2026-12-07T09:00:00Z")
		assert.Contains(t, text(Card(r, alice)), "; response due by Wed 2 Dec 2026, 00:00 CET")
		assert.NotContains(t, text(Card(r, alice)), "7 Dec")
		q := ApprovalMessageFor{PersonID: bob, TimeZone: "Europe/Berlin"}
		assert.Contains(t, text(ApprovalMessage(r, q)), "Respond by Wed 2 Dec 2026, 00:00 CET.")
		assert.NotContains(t, text(ApprovalMessage(r, q)), "7 Dec")
		r.Approvals[0].ExpiresAt = at("2026-11-28T09:00:00Z")
		assert.Contains(t, text(Card(r, alice)), "; response due by Sat 28 Nov 2026, 10:00 CET")
		assert.Contains(t, text(ApprovalMessage(r, q)), "Respond by Sat 28 Nov 2026, 10:00 CET.")
	})

	t.Run("withdrawal names its author where two people could", func(t *testing.T) {
		i := revokedItem(item(1, schema.Withdrawn, "reader"), schema.KindWithdrawn, "Erin <Boss>", "")
		i.StopOrder.PersonID = sql.NullInt64{Int64: 9, Valid: true}
		r := withApproval(newRequest(i), "closed", "application owner", []int64{1}, candidate(bob, "Bob Owner", true))
		r.SubmittedBy, r.SubmitterName = sql.NullInt64{Int64: 9, Valid: true}, "Erin <Boss>"
		assert.Contains(t, text(Card(r, alice)), "↩️ reader: withdrawn by Erin &lt;Boss&gt;")
		assert.Contains(t, text(Card(r, 9)), "↩️ reader: withdrawn by you")
		assert.Contains(t, text(Outcome(r, alice)), "↩️ Withdrawn by Erin &lt;Boss&gt;")
		assert.Contains(
			t,
			text(ApprovalMessage(r, ApprovalMessageFor{PersonID: bob})),
			"Withdrawn by Erin &lt;Boss&gt;, Wed 25 Nov 2026",
		)
	})

	t.Run("sent for approval is said only of what was sent", func(t *testing.T) {
		headline := func(r *schema.Request) string { return strings.Split(text(Card(r, alice)), "\n")[0] }
		unsent := candidate(bob, "Bob Owner", true)
		unsent.Sent = false
		waiting := func(c ...schema.Candidate) *schema.Request {
			return withApproval(newRequest(item(1, schema.AwaitingApproval, "reader")), "open", "application owner", []int64{1}, c...)
		}
		t.Run("sent to one approver: sent, and the other is named", func(t *testing.T) {
			r := waiting(candidate(carol, "Carol Owner", true), unsent)
			assert.Equal(t, "*Your request #1042 has been successfully created and sent for approval*", headline(r))
			assert.Contains(t, text(Card(r, alice)), "message not sent yet to Bob Owner")
		})
		t.Run("sent to no approver: not sent", func(t *testing.T) {
			assert.Equal(
				t,
				"*Your request #1042 has been created. We'll send it for approval as soon as we can reach an approver in Slack.*",
				headline(waiting(unsent)),
			)
		})
		t.Run("no approver and an administrator told: both said", func(t *testing.T) {
			r := newRequest(problem(item(1, schema.AwaitingApproval, "reader"), schema.NoApprover, ""))
			r.AdministratorNotified = true
			assert.Equal(
				t,
				"*Your request #1042 has been created. No approver is available. An administrator has been notified.*",
				headline(r),
			)
		})
		t.Run("one of two without an approver: counted and explained", func(t *testing.T) {
			r := waiting(candidate(bob, "Bob Owner", true))
			r.Items = append(r.Items, problem(jira(item(2, schema.AwaitingApproval, "admin")), schema.NoApprover, ""))
			r.AdministratorNotified = true
			assert.Equal(t, "*Your request #1042: 2 waiting for approval*", headline(r))
			assert.Contains(t, text(Card(r, alice)), "⚠️ No approver is available. An administrator has been notified.")
		})
		t.Run("between two stages: it was sent", func(t *testing.T) {
			r := newRequest(item(1, schema.AwaitingApproval, "reader"))
			r.Items[0].Decisions = []schema.Decision{
				{
					ItemID:            1,
					DecidedBy:         sql.NullInt64{Int64: bob, Valid: true},
					DeciderName:       "Bob Owner",
					Outcome:           "approve",
					Stage:             1,
					Stages:            2,
					RequiredApprovals: 1,
				},
			}
			assert.Contains(t, headline(r), "sent for approval")
		})
		t.Run("delayed: what is said depends on what was decided", func(t *testing.T) {
			submitted := item(1, schema.Submitted, "reader")
			assert.Equal(
				t,
				"Your request #1042 has been created. We'll send it for approval as soon as our systems are back.",
				Delayed(newRequest(submitted), alice),
			)
			approved := approvedBy(submitted, 0, "")
			assert.Equal(
				t,
				"Your request #1042 was approved by policy. We'll continue as soon as our systems are back.",
				Delayed(newRequest(approved), alice),
			)
			assert.Equal(t, "Your request #1042 was denied", Delayed(newRequest(deniedBy(submitted, 0, "", "frozen")), alice))
			assert.Equal(
				t,
				"Your request #1042 has been created (1 approved, 1 submitted). We'll continue as soon as our systems are back.",
				Delayed(newRequest(approved, jira(item(2, schema.Submitted, "admin"))), alice),
			)
		})
	})
}
