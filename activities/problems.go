package activities

import (
	"context"
	"errors"
	"time"

	"accessbot/activities/connector"
	"accessbot/schema"
)

// problemOf returns the recorded problem for an error of provisioning.
func problemOf(err error) schema.Problem {
	var gone *connector.Gone
	var notCreated *connector.NotCreated
	var refused *connector.Refused
	var pending *connector.Pending
	switch {
	case errors.As(err, &notCreated):
		return accountProblem(notCreated)
	case errors.As(err, &pending):
		return pendingProblem(pending)
	case errors.As(err, &gone) && gone.Part == connector.Object:
		return schema.Problem{Code: schema.ObjectGone, Details: schema.ProblemDetails{Name: gone.Name}}
	case errors.As(err, &gone):
		return schema.Problem{Code: schema.AccountGone, Details: schema.ProblemDetails{Name: gone.Name}}
	case errors.As(err, &refused) && refused.ByOwners:
		return schema.Problem{Code: schema.OwnerRefused, Details: schema.ProblemDetails{Reason: refused.Reason}}
	case errors.As(err, &refused):
		return schema.Problem{Code: schema.TargetRefused, Details: schema.ProblemDetails{Name: refused.Name, Reason: refused.Reason}}
	}
	switch connector.ClassOf(err) {
	case connector.ClassRateLimited:
		return schema.Problem{Code: schema.TargetRateLimited}
	case connector.ClassDenied:
		return schema.Problem{Code: schema.TargetDenied}
	case connector.ClassNotConfirmed:
		return schema.Problem{Code: schema.TargetNotAsWanted}
	default:
		return schema.Problem{Code: schema.TargetUnavailable}
	}
}

// accountProblem returns the problem of an account that could not be created.
func accountProblem(e *connector.NotCreated) schema.Problem {
	details := schema.ProblemDetails{Name: e.Account}
	var refused *connector.Refused
	switch {
	case errors.As(e.Err, &refused) && refused.ByOwners:
		details.Reason = refused.Reason
		return schema.Problem{Code: schema.AccountRefused, Details: details}
	case errors.As(e.Err, &refused):
		details.Reason = "it " + refused.Reason
		return schema.Problem{Code: schema.AccountRefused, Details: details}
	case connector.ClassOf(e.Err) == connector.ClassDenied:
		return schema.Problem{Code: schema.AccountDenied, Details: details}
	default:
		return schema.Problem{Code: schema.AccountNotReady, Details: details}
	}
}

func pendingProblem(p *connector.Pending) schema.Problem {
	switch p.On {
	case connector.PendingOnOwners:
		return schema.Problem{Code: schema.WaitsForManualTask, Details: schema.ProblemDetails{People: p.People}}
	case connector.PendingOnHolder:
		return schema.Problem{Code: schema.WaitsForInvitation}
	default:
		return schema.Problem{Code: schema.WaitsForTarget, Details: schema.ProblemDetails{WaitsFor: p.WaitsFor}}
	}
}

// notifyAfter is how long provisioning is retried before owners, administrators and operators are notified. Bad credentials and
// bad configuration need them to act, so they are notified at once.
const notifyAfter = time.Hour

// recordProblem records why provisioning is retried, and notifies people when that is due. If that fails, the retry still
// happens.
func (a *Activities) recordProblem(ctx context.Context, itemID int64, assignment schema.Assignment, why error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	problem, after := problemOf(why), notifyAfter
	if problem.Code == schema.TargetDenied || problem.Code == schema.AccountDenied {
		after = 0
	}
	alerted, err := a.DB.NoteProblem(ctx, itemID, problem, after)
	if err != nil {
		a.Log.Warn("problem not recorded", "item", itemID, "error", err)
	}
	if alerted {
		a.Log.Error("provisioning waits for target", "item", itemID, "target", assignment.Instance, "error", why)
	}
}
