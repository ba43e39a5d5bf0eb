package words

import (
	"fmt"
	"strings"

	"accessbot/schema"
)

// Reader is whom a problem is explained to.
type Reader int

// Readers of problems.
const (
	ToRequester Reader = iota
	ToOwner            // and approvers, administrators, auditors and submitters
	ToOperator         // readers of runs in Temporal: no names of people or accounts, and no reasons
)

// ProblemForRuns is an item's problem for readers of runs in Temporal; empty: none.
func ProblemForRuns(i schema.Item) string {
	return Problem(i.Problem, i.ApplicationName, "", ToOperator)
}

// ProblemForAudit is the same for auditors. app and requester are how they know the application and the person.
func ProblemForAudit(p schema.Problem, app, requester string) string {
	return Problem(p, app, requester, ToOwner)
}

// Problem is the words of a problem, in plain text, for use within a sentence about an access grant in an application app that
// requester requested. No other place has any.
func Problem(p schema.Problem, app, requester string, to Reader) string {
	d := p.Details
	switch p.Code {
	case schema.NoProblem:
		return ""
	case schema.NoApprover:
		return "no approver is available; an administrator has been notified"

	case schema.TargetUnavailable:
		return "waiting for " + app + ", which isn't responding"
	case schema.TargetRateLimited:
		return "waiting for " + app + ", which limits how often we may call it"
	case schema.TargetDenied:
		if to == ToRequester {
			return "waiting until our connection to " + app + " is fixed; its owners have been notified"
		}
		return "waiting until our connection to " + app + " is fixed: it doesn't accept our credentials or configuration"
	case schema.TargetNotAsWanted:
		return "waiting for " + app + ", which doesn't show the access yet"
	case schema.AccountDenied:
		return "waiting until we may create " + account(d, to) + " in " + app + "; its owners have been notified"
	case schema.AccountNotReady:
		return "waiting for " + account(d, to) + " in " + app + ", which isn't ready yet"
	case schema.WaitsForManualTask:
		who := "an owner of " + app
		if len(d.People) > 0 && to != ToOperator {
			who = strings.Join(d.People, " or ")
		}
		return "waiting for " + who + " to set it up"
	case schema.WaitsForInvitation:
		who := "you"
		switch {
		case to == ToOperator || to == ToOwner && requester == "":
			who = "the requester"
		case to == ToOwner:
			who = requester
		}
		return "waiting for " + who + " to accept the invitation to " + app
	case schema.WaitsForTarget:
		if d.WaitsFor == "" || to == ToOperator {
			return "waiting for " + app
		}
		return "waiting for " + d.WaitsFor

	case schema.ObjectGone:
		if d.Name == "" {
			return "it no longer exists in " + app
		}
		return d.Name + " no longer exists in " + app
	case schema.AccountGone:
		return "there is no " + strings.TrimPrefix(
			account(d, to),
			"the ",
		) + " in " + app + ", and accounts aren't created there: ask one of its owners to set it up, then request access again"
	case schema.AccountRefused:
		words := "there is no " + strings.TrimPrefix(account(d, to), "the ") + " in " + app + ", and it can't be created"
		if to == ToOperator || d.Reason == "" {
			return words
		}
		return words + ": " + d.Reason
	case schema.TargetRefused:
		if to == ToOperator {
			return "the connector for " + app + " doesn't allow it"
		}
		return "the connector for " + app + " doesn't allow " + d.Name + ": it " + d.Reason
	case schema.OwnerRefused:
		if to == ToOperator {
			return "an owner can't set it up"
		}
		return "an owner can't set it up: " + d.Reason
	case schema.WaitedTooLong, schema.NotSetUpInTime:
		if d.Cause == schema.NoProblem {
			return "it timed out"
		}
		return "it timed out while " + Problem(causeOf(p), app, requester, to)
	case schema.EndPassed:
		if d.Cause == schema.NoProblem {
			return "its end date passed before it was set up"
		}
		return "its end date passed while it was " + Problem(causeOf(p), app, requester, to)

	case schema.NotApproved:
		return "it isn't approved"
	case schema.RequestChanged:
		return "the request changed after it was approved"
	case schema.RequesterInactive:
		return "the requester is no longer active"
	case schema.NotRequestable:
		return "it can no longer be requested"
	case schema.AccountOfOtherPerson:
		return "the account belongs to another person"
	case schema.AccountElsewhere:
		return "the account is in another system"
	case schema.RuleUnknown:
		return "the policy has no rule for it"
	case schema.ApprovedByRequester:
		return "the requester approved it"
	case schema.ApprovedBySubmitter:
		return "the person who made the request approved it"
	case schema.OtherPolicyVersion:
		return "it was decided by another version of the policy"
	case schema.NoApprovalAsked:
		return "the policy names no approver for it"
	case schema.ApproverNotAsked:
		return "none of its approvers approved it"
	case schema.ApprovalsMissing:
		return "it has fewer approvals than required"
	case schema.StageNotAsked:
		return "it was approved in a stage by someone who isn't an approver there"
	case schema.PolicyChanged:
		return "the policy no longer approves it"
	}
	return fmt.Sprintf("problem %q", string(p.Code)) // from a newer version of this program
}

// account names the account that a problem is about.
func account(d schema.ProblemDetails, to Reader) string {
	if to == ToOperator || d.Name == "" {
		return "the account"
	}
	return "the account " + d.Name
}

// causeOf is what a problem was before it became final.
func causeOf(p schema.Problem) schema.Problem {
	cause := schema.Problem{Code: p.Details.Cause, Details: p.Details}
	cause.Details.Cause = schema.NoProblem
	return cause
}
