package activities

import (
	"context"
	"fmt"
	"slices"

	"accessbot/schema"
	"accessbot/slackapp/views"
)

// approvals are the copies of its approval that a request should have: one for everybody who was asked, and another when
// something came to them that they were not asked about before, in that stage. The first shows all of it too, but no one is notified
// of an edit.
func approvalMessages(r *schema.Request, was func(person int64, kind, about string) schema.Message) []key {
	var copies []key
	type heard struct {
		person, item int64
		stage        int
	}
	asked := map[heard]bool{}
	for _, approval := range r.Approvals {
		for _, c := range approval.Candidates {
			if !c.AskedAt.Valid {
				continue
			}
			first, about := was(c.PersonID, approvalMessage, ""), ""
			unheard := slices.ContainsFunc(approval.ItemIDs, func(id int64) bool { return !asked[heard{c.PersonID, id, approval.Stage}] })
			if first.TS != "" && unheard && c.AskedAt.Time.After(first.CreatedAt) {
				about = fmt.Sprintf("approval %d", approval.ID)
			}
			for _, id := range approval.ItemIDs {
				asked[heard{c.PersonID, id, approval.Stage}] = true
			}
			if slices.ContainsFunc(copies, func(k key) bool { return k.person == c.PersonID && k.about == about }) {
				continue
			}
			// Someone whose approval was decided, or moved on, before it was ever sent is not bothered with it.
			if was(c.PersonID, approvalMessage, about).TS == "" && len(r.DecidableBy(c.PersonID)) == 0 {
				continue
			}
			copies = append(copies, key{person: c.PersonID, kind: approvalMessage, about: about})
		}
	}
	return newestFirst(copies)
}

// newestFirst puts the newest copy of each reader before their older ones, which then can point to it.
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

// renderApproval is a copy of the approval as it is now. One that is not its reader's newest points to that, once that is a delegate Slack.
func renderApproval(ctx context.Context, q schema.Queryer, r *schema.Request, k key, m schema.Message, zone string) (views.Message, error) {
	// Only where this reader decides something: what the requester has elsewhere is not theirs to know.
	var applications []int64
	for _, i := range r.DecidableBy(k.person) {
		if !slices.Contains(applications, i.ApplicationID) {
			applications = append(applications, i.ApplicationID)
		}
	}
	held, err := schema.HeldInEach(ctx, q, r.RequesterID, applications, views.HeldShown)
	if err != nil {
		return views.Message{}, err
	}
	approvalMessage := views.ApprovalMessageFor{MessageID: m.ID, PersonID: k.person, TimeZone: zone, Held: held}
	if k.newer != "" {
		approvalMessage.AskedAnew, err = schema.ApprovalMessageSent(ctx, q, r.ID, k.person, k.newer)
	}
	return views.ApprovalMessage(r, approvalMessage), err
}
