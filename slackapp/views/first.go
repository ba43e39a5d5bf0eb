package views

import (
	"fmt"
	"slices"
	"strings"

	"accessbot/schema"
)

// DecidedBy tells an approver who pressed a button too late who decided, and when: mrkdwn, escaped. Zone is theirs.
func DecidedBy(r *schema.Request, personID int64, zone string) string {
	var parts []string
	add := func(part string) {
		if !slices.Contains(parts, part) && len(parts) < 5 {
			parts = append(parts, part)
		}
	}
	if len(r.OverridableBy(personID)) > 0 {
		add("No approver has decided this. To decide it for everyone, press “" + DecideAsAdministrator + "”.")
	}
	for _, i := range r.Items {
		asked := slices.ContainsFunc(r.Approvals, func(a schema.Approval) bool {
			return slices.Contains(a.ItemIDs, i.ID) &&
				slices.ContainsFunc(a.Candidates, func(c schema.Candidate) bool { return c.PersonID == personID })
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
		case i.State == schema.Expired:
			add(fmt.Sprintf("It expired on %s: %s.", When(i.StateAt, zone), standingOfExpired(r, i).words))
		}
	}
	if len(parts) == 0 {
		parts = []string{"There is nothing left for you to decide here."}
	}
	return strings.Join(parts, "\n")
}
