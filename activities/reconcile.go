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

// errAssignmentBusy: someone else is reconciling this assignment right now.
var errAssignmentBusy = errors.New("the assignment is being reconciled by someone else")

// reconcileRounds bounds how often one attempt starts over because what should be held changed meanwhile.
const reconcileRounds = 3

// Settler changes targets. Nothing else does.
type Reconciler struct {
	DB      *schema.DB
	Targets *Targets
	Log     *slog.Logger

	pinned slots // connections to the database that are held while a target is spoken to
}

// keptFree is how many connections to the database reconciling leaves to everything else, however many targets are down: to
// the looks at messages, to the sweep, and to those who only need a moment.
const keptFree = looksAtOnce + 1 + 7

// pin takes the right to hold a connection to the database.
func (s *Reconciler) pin(ctx context.Context) (unpin func(), err error) {
	most := s.DB.Stats().MaxOpenConnections
	if most == 0 { // as many as one likes
		return func() {}, nil
	}
	return s.pinned.take(ctx, max(most-keptFree, 1))
}

// Reconcile brings one assignment to what its claims say, and is the only code that changes a target: granting, ending, the sweep
// and every retry call it. Whatever else is going on, under the assignment's lock it
//
//  1. reads the target,
//  2. decides from the claims, and commits the claim, before the first change,
//  3. acts, and reads the target again,
//  4. records what was seen, unless what should be held changed meanwhile.
//
// What is under way and not done is *connector.Pending: granting is then looked at again when the database says so. Any other
// error leaves the database saying what is still to be done: reconcile again.
func (s *Reconciler) Reconcile(ctx context.Context, assignment schema.Assignment) (err error) {
	defer s.survive(assignment.Instance, &err)
	throttled, err := s.Targets.target(assignment.Connector, assignment.Instance)
	if err != nil {
		return err
	}
	target, done, err := throttled.Acquire(ctx)
	if err != nil {
		return err
	}
	defer func() { done(err) }()
	unpin, err := s.pin(ctx)
	if err != nil {
		return err
	}
	defer unpin()
	conn, err := s.DB.Connx(ctx)
	if err != nil {
		return fmt.Errorf("reconcile %s: %w", assignment, err)
	}
	defer conn.Close() // it goes back to the pool, or is gone: both are fine
	locked, err := assignment.Lock().Try(ctx, conn)
	if err != nil {
		return err
	}
	if !locked {
		return errAssignmentBusy
	}
	defer s.unlock(ctx, conn, assignment)

	for range reconcileRounds {
		settled, err := reconcileOnce(ctx, conn, target, assignment)
		if settled || err != nil {
			return err
		}
	}
	return fmt.Errorf("reconcile %s: what should be held keeps changing: %w", assignment, errAssignmentBusy)
}

// survive makes an error of a panic over what a target answered: one target must not end the program for all. It is to be
// deferred.
func (s *Reconciler) survive(instance string, err *error) {
	if p := recover(); p != nil {
		s.Log.Error("a connector panicked", "target", instance, "panic", p, "stack", string(debug.Stack()))
		*err = &connector.Unavailable{Err: fmt.Errorf("its connector panicked: %v", p)}
	}
}

func reconcileOnce(ctx context.Context, conn *sqlx.Conn, target connector.Connector, assignment schema.Assignment) (settled bool, err error) {
	inTarget := connector.Assignment{Account: assignment.Account, Object: assignment.Object}
	before, err := connector.ReadOrNotHeld(ctx, target, inTarget)
	if err != nil {
		return false, err
	}
	plan, err := schema.PlanAssignment(ctx, conn, assignment, before.Held)
	if err != nil {
		return false, err
	}
	if !plan.Ours {
		return true, nil // what the target shows, if anything, is none of our doing
	}
	// The lock is as good as its connection. PlanAssignment has just used it; from here on only the target is spoken to, and
	// recording fails on a lost connection.
	switch {
	case before.Matches(plan.Want):
	case plan.Want && before.Pending && !before.Held: // it was asked for before
		err = connector.Waiting(inTarget, before)
	default:
		err = connector.Ensure(ctx, target, inTarget, plan.Want)
	}
	var pending *connector.Pending
	if plan.Want && errors.As(err, &pending) {
		return false, errors.Join(err, schema.RecordWaiting(ctx, conn, assignment, waitsFor(pending), pending.LookAgain))
	}
	if class := connector.ClassOf(err); plan.Want && (class == connector.ClassGone || class == connector.ClassRefused) {
		err = unlessHeld(ctx, target, inTarget, err)
	}
	if err != nil {
		return false, err
	}
	return schema.RecordAssignment(ctx, conn, assignment, plan.Want)
}

// unlessHeld asks the target once more before its refusal is believed: what it shows is held, whatever it answered. One that
// does not say is tried again.
func unlessHeld(ctx context.Context, target connector.Connector, a connector.Assignment, refused error) error {
	after, err := connector.ReadOrNotHeld(ctx, target, a)
	switch {
	case err != nil && connector.ClassOf(err) != connector.ClassRefused:
		return err
	case err == nil && after.Held:
		return nil
	}
	return refused
}

// unlock removes the assignment's lock . If it was lost meanwhile, someone else may have reconciled the assignment at the
// same time: it has to be looked at again, whatever each of us recorded.
func (s *Reconciler) unlock(ctx context.Context, conn *sqlx.Conn, assignment schema.Assignment) {
	err := assignment.Lock().Release(ctx, conn)
	if err == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	s.Log.Warn("the lock on an assignment was lost: the sweep looks at it again", "target", assignment.Instance, "error", err)
	if err := schema.MarkDoubtful(ctx, s.DB, assignment); err != nil {
		s.Log.Error("an assignment should be looked at again", "seat", assignment.String(), "error", err)
	}
}

// overdueAfter is how late revoking may be before someone is told, and waitsAfter the same where someone, or the target
// itself, is at it.
const (
	overdueAfter = 5 * time.Minute
	waitsAfter   = 24 * time.Hour
)

// AlertIfOverdue says once that revoking is late. It must not are delegates the way of the next attempt.
func (s *Reconciler) AlertIfOverdue(ctx context.Context, claimID int64, assignment schema.Assignment, why error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	after := overdueAfter
	if connector.ClassOf(why) == connector.ClassPending {
		after = waitsAfter
	}
	late, err := s.DB.AlertOverdue(ctx, claimID, after, connector.ClassOf(why).String())
	if err != nil {
		s.Log.Warn("could not record that revoking is overdue", "claim", claimID, "error", err)
	}
	if late {
		s.Log.Error("revoking access  is overdue", "claim", claimID, "target", assignment.Instance, "error", why)
	}
}
