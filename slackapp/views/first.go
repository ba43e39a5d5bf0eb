package views

import (
	"fmt"
	"slices"
	"strings"

	"accessbot/schema"
)

// DecidedBy tells someone whose click came too late who was first, and when: mrkdwn, escaped. Zone is theirs.
func DecidedBy(r *schema.Request, personID int64, zone string) string {
	var parts []string
	add := func(part string) {
		if !slices.Contains(parts, part) && len(parts) < 5 {
			parts = append(parts, part)
		}
	}
	for _, i := range r.Items {
		asked := slices.ContainsFunc(r.Approvals, func(a schema.Approval) bool {
			return slices.Contains(a.ItemIDs, i.ID) && slices.ContainsFunc(a.Candidates, func(c schema.Candidate) bool { return c.PersonID == personID })
		})
		if !asked {
			continue
		}
		for _, d := range i.Decisions {
			verb := "denied"
			if d.Approves() {
				verb = "approved"
			}
			add(fmt.Sprintf("%s %s this on %s.", sentence(deciders(schema.Item{Decision: &d}, personID)), verb, When(d.DecidedAt, zone)))
		}
		switch {
		case i.StopOrder != nil && i.Claim == nil:
			add(fmt.Sprintf("It was withdrawn on %s.", When(i.StopOrder.OrderedAt, zone)))
		case i.State != schema.Expired:
		case len(i.Decisions) == 0:
			add("No one decided about this in time.")
		default:
			add(fmt.Sprintf("It expired on %s (%s).", When(i.StateAt, zone), undecided))
		}
	}
	if len(parts) == 0 {
		parts = []string{"There is nothing left here for you to decide."}
	}
	return strings.Join(parts, "\n")
}
