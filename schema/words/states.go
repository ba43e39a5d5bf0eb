package words

import (
	"strings"

	"accessbot/schema"
)

// states is the one table of state words: every card, list, message and run uses these. The words of docs/glossary.md.
var states = map[string]string{
	schema.Active:              "Active",
	schema.Provisioning:        "Being set up",
	schema.WaitingToBeSetUp:    "Being set up",
	schema.Approved:            "Approved",
	schema.AwaitingApproval:    "Waiting for approval",
	schema.Submitted:           "Submitted",
	schema.Denied:              "Denied",
	schema.Failed:              "Couldn't be set up",
	schema.Expired:             "No response in time",
	schema.Withdrawn:           "Withdrawn",
	schema.Ended:               "Ended",
	schema.KindRemovedByHolder: "Removed by you", // for other readers: their name
	schema.Revoked:             "Revoked",
}

// Words of what an item's state alone does not say.
const (
	BeingRemoved        = "Being removed"
	RemovalNotConfirmed = "Removal not confirmed"
	EndDatePassed       = "Requested end date passed"
)

// State is the word of an item's state.
func State(state string) string {
	if word, ok := states[state]; ok {
		return word
	}
	return strings.ReplaceAll(state, "_", " ") // from a newer version of this program
}
