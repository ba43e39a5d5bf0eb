package outbox

import (
	"context"
	"fmt"
	"slices"

	"accessbot/schema"
	"accessbot/slackapp/views"
)

// approvalMessages returns the copies of a request's approval message: one for each approver who was asked, and another one when
// they are asked about an item or stage for the first time later. The first copy shows it too, but an edit notifies no one.
func approvalMessages(r *schema.Request, sent sentMessages) []key {
	var copies []key
	type question struct {
		person, item int64
		stage        int
	}
	asked := map[question]bool{}
	for _, approval := range r.Approvals {
		for _, c := range approval.Candidates {
			if !c.AskedAt.Valid {
				continue
			}
			first, about := sent.find(c.PersonID, approvalMessage, ""), ""
			isNew := slices.ContainsFunc(approval.ItemIDs, func(id int64) bool {
				return !asked[question{c.PersonID, id, approval.Stage}]
			})
			if first.TS != "" && isNew && c.AskedAt.Time.After(first.CreatedAt) {
				about = fmt.Sprintf("approval %d", approval.ID)
			}
			for _, id := range approval.ItemIDs {
				asked[question{c.PersonID, id, approval.Stage}] = true
			}
			if slices.ContainsFunc(copies, func(k key) bool { return k.person == c.PersonID && k.about == about }) {
				continue
			}
			// An approval that was decided or reassigned before its message was sent needs none.
			if sent.find(c.PersonID, approvalMessage, about).TS == "" && len(r.DecidableBy(c.PersonID)) == 0 {
				continue
			}
			copies = append(copies, sent.key(c.PersonID, approvalMessage, about, nil))
		}
	}
	return newestFirst(copies)
}

// newestFirst puts each reader's newest copy before the older ones, which then can point to it.
func newestFirst(copies []key) []key {
	newest := map[int64]string{}
	for _, k := range copies {
		newest[k.person] = k.about
	}
	var older, sorted []key
	for _, k := range copies {
		if k.about == newest[k.person] {
			sorted = append(sorted, k)
			continue
		}
		k.newer = newest[k.person]
		older = append(older, k)
	}
	return append(sorted, older...)
}

// renderApproval returns a copy of the approval message as of now. An older copy points to its reader's newest, once that is
// sent.
func renderApproval(ctx context.Context, q schema.Queryer, r *schema.Request, k key, m schema.Message, zone string,
) (views.Message, error) {
	// An approver sees the requester's access only in applications where they decide.
	var applications []int64
	for _, item := range r.DecidableBy(k.person) {
		if !slices.Contains(applications, item.ApplicationID) {
			applications = append(applications, item.ApplicationID)
		}
	}
	held, err := schema.HeldInEach(ctx, q, r.RequesterID, applications, views.HeldShown)
	if err != nil {
		return views.Message{}, err
	}
	data := views.ApprovalMessageFor{MessageID: m.ID, PersonID: k.person, TimeZone: zone, Held: held}
	if k.newer != "" {
		data.Superseded, err = schema.ApprovalMessageSent(ctx, q, r.ID, k.person, k.newer)
	}
	return views.ApprovalMessage(r, data), err
}
