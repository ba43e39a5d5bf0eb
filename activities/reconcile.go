package activities

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/jmoiron/sqlx"

	"accessbot/activities/connector"
	"accessbot/schema"
)

// errAssignmentBusy: another attempt is reconciling this assignment.
var errAssignmentBusy = errors.New("assignment is being reconciled by another attempt")

// reconcileRounds limits how often one attempt starts over because the claims changed meanwhile.
const reconcileRounds = 3

// Reconciler is the only one that changes targets.
type Reconciler struct {
	DB      *schema.DB
	Targets *Targets
	Log     *slog.Logger

	connections schema.Slots // database connections that are held during calls to targets
}

// reservedConnections is how many database connections are left for everything else, however many targets are down: for the
// syncs of messages, the sweep, and short queries.
const reservedConnections = schema.MaxSyncs + 1 + 7

// reserveConnection takes the right to hold a database connection.
func (r *Reconciler) reserveConnection(ctx context.Context) (release func(), err error) {
	limit := r.DB.Stats().MaxOpenConnections
	if limit == 0 { // no limit
		return func() {}, nil
	}
	return r.connections.Take(ctx, max(limit-reservedConnections, 1))
}

// Reconcile makes one assignment match its claims. It is the only code that changes a target: provisioning, de-provisioning, the
// sweep and every retry call it. Under the assignment's lock it
//
//  1. reads the target,
//  2. decides from the claims, and commits the claim, before the first change,
//  3. grants or revokes, and reads the target again,
//  4. records what the target shows, unless the claims changed meanwhile.
//
// *connector.Pending means that the target has not finished a change: the database says when to check again. After any other
// error the database still says what is to be done, so reconcile again.
func (r *Reconciler) Reconcile(ctx context.Context, assignment schema.Assignment) (err error) {
	defer r.recoverPanic(assignment.Instance, &err)
	throttled, err := r.Targets.target(assignment.Connector, assignment.Instance)
	if err != nil {
		return err
	}
	target, done, err := throttled.Acquire(ctx)
	if err != nil {
		return err
	}
	defer func() { done(err) }()
	release, err := r.reserveConnection(ctx)
	if err != nil {
		return err
	}
	defer release()
	conn, err := r.DB.Connx(ctx)
	if err != nil {
		return fmt.Errorf("reconcile %s: %w", assignment, err)
	}
	defer conn.Close() // returns it to the pool, or drops a broken one
	locked, err := assignment.Lock().Try(ctx, conn)
	if err != nil {
		return err
	}
	if !locked {
		return errAssignmentBusy
	}
	defer r.unlock(ctx, conn, assignment)

	for range reconcileRounds {
		done, err := reconcileOnce(ctx, conn, target, assignment)
		if done || err != nil {
			return err
		}
	}
	return fmt.Errorf("reconcile %s: claims keep changing: %w", assignment, errAssignmentBusy)
}

// recoverPanic turns a connector's panic into an error, when deferred: one target must not end the program.
func (r *Reconciler) recoverPanic(instance string, err *error) {
	if p := recover(); p != nil {
		r.Log.Error("connector panicked", "target", instance, "panic", p, "stack", string(debug.Stack()))
		*err = &connector.Unavailable{Err: fmt.Errorf("connector panicked: %v", p)}
	}
}

func reconcileOnce(ctx context.Context, conn *sqlx.Conn, target connector.Connector, assignment schema.Assignment,
) (done bool, err error) {
	inTarget := connector.Assignment{Account: assignment.Account, Object: assignment.Object}
	before, err := connector.ReadIfExists(ctx, target, inTarget)
	if err != nil {
		return false, err
	}
	plan, err := schema.PlanAssignment(ctx, conn, assignment, before.Held)
	if err != nil {
		return false, err
	}
	if !plan.Ours {
		return true, nil // no claim: any access is not from us
	}
	// The lock lasts as long as its connection, which PlanAssignment has just used. If it breaks during the calls to the target,
	// recording fails.
	switch {
	case before.Confirms(plan.Want):
	case plan.Want && before.Pending && !before.Held: // requested before
		err = connector.NewPending(inTarget, before)
	default:
		err = connector.Ensure(ctx, target, inTarget, plan.Want)
	}
	var pending *connector.Pending
	if plan.Want && errors.As(err, &pending) {
		return false, errors.Join(err, schema.RecordWaiting(ctx, conn, assignment, pendingProblem(pending), pending.CheckAfter))
	}
	if class := connector.ClassOf(err); plan.Want && (class == connector.ClassGone || class == connector.ClassRefused) {
		err = unlessHeld(ctx, target, inTarget, err)
	}
	if err != nil {
		return false, err
	}
	return schema.RecordAssignment(ctx, conn, assignment, plan.Want)
}

// unlessHeld reads the target again after it refused a grant. If it shows the access, the access is held. If it cannot be read,
// the attempt is retried.
func unlessHeld(ctx context.Context, target connector.Connector, a connector.Assignment, refused error) error {
	after, err := connector.ReadIfExists(ctx, target, a)
	switch {
	case err != nil && connector.ClassOf(err) != connector.ClassRefused:
		return err
	case err == nil && after.Held:
		return nil
	}
	return refused
}

// unlock releases the assignment's lock. If it was lost, another attempt may have reconciled at the same time: the assignment is
// marked to be reconciled again.
func (r *Reconciler) unlock(ctx context.Context, conn *sqlx.Conn, assignment schema.Assignment) {
	err := assignment.Lock().Release(ctx, conn)
	if err == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	r.Log.Warn("assignment lock lost, sweep reconciles again", "target", assignment.Instance, "error", err)
	if err := schema.MarkDoubtful(ctx, r.DB, assignment); err != nil {
		r.Log.Error("assignment not marked for reconciling", "assignment", assignment.String(), "error", err)
	}
}

// A revocation is overdue after overdueAfter, or after pendingOverdueAfter if the target has accepted it.
const (
	overdueAfter        = 5 * time.Minute
	pendingOverdueAfter = 24 * time.Hour
)

// AlertIfOverdue raises an alert once when a revocation is overdue. If that fails, the next attempt raises it.
func (r *Reconciler) AlertIfOverdue(ctx context.Context, claimID int64, assignment schema.Assignment, why error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	after := overdueAfter
	if connector.ClassOf(why) == connector.ClassPending {
		after = pendingOverdueAfter
	}
	alerted, err := r.DB.AlertOverdue(ctx, claimID, after, connector.ClassOf(why).String())
	if err != nil {
		r.Log.Warn("overdue revocation not recorded", "claim", claimID, "error", err)
	}
	if alerted {
		r.Log.Error("revocation overdue", "claim", claimID, "target", assignment.Instance, "error", why)
	}
}
