package views

import (
	"fmt"
	"strconv"
	"strings"
)

// Action IDs of the buttons on the Home tab and in messages. The comment says what its value is.
const (
	ActionRequestAccess         = "request_access"          // no value
	ActionApprove               = "approve"                 // see DecisionValue
	ActionDeny                  = "deny"                    // see DecisionValue
	ActionChoose                = "choose"                  // see DecisionValue
	ActionDecideAsAdministrator = "decide_as_administrator" // the request's number
	ActionWithdraw              = "withdraw"                // the request's number
	ActionRemoveAccess          = "remove_access"           // the claim's ID
)

// Block IDs of the rows of buttons in messages.
const (
	BlockDecide   = "decide"
	BlockWithdraw = "withdraw"
	BlockExtend   = "extend"
	BlockAgain    = "again"
)

// DecisionValue is the value of an Approve or Deny button: the copy of the approval message that it is in, and the
// terms that this copy shows (schema.Request.Terms). An override names the request, which needs no message.
func DecisionValue(id int64, terms string) string {
	return strconv.FormatInt(id, 10) + ":" + terms
}

// ParseDecisionValue parses a DecisionValue. It fails on anything else: values come from outside.
func ParseDecisionValue(value string) (id int64, terms string, err error) {
	number, terms, ok := strings.Cut(value, ":")
	id, err = strconv.ParseInt(number, 10, 64)
	if !ok || err != nil || id <= 0 || terms == "" {
		return 0, "", fmt.Errorf("%.80q is not the value of an Approve or Deny button", value)
	}
	return id, terms, nil
}
