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

// errSeatBusy: somebody else is settling this seat right now.
var errSeatBusy = errors.New("the seat is being settled by somebody else")

// settleRounds bounds how often one attempt starts over because what should be held changed meanwhile.
const settleRounds = 3

// Settler changes targets. Nothing else does.
type Settler struct {
	DB      *schema.DB
	Targets *Targets
	Log     *slog.Logger

	pinned slots // connections to the record that are held while a target is spoken to
}

// keptFree is how many connections to the record settling leaves to everything else, however many targets are down: to
// the looks at messages, to the sweep, and to those who only need a moment.
const keptFree = looksAtOnce + 1 + 7

// pin takes the right to hold a connection to the record.
func (s *Settler) pin(ctx context.Context) (unpin func(), err error) {
	most := s.DB.Stats().MaxOpenConnections
	if most == 0 { // as many as one likes
		return func() {}, nil
	}
	return s.pinned.take(ctx, max(most-keptFree, 1))
}

// Settle brings one seat to what its claims say, and is the only code that changes a target: giving, ending, the sweep
// and every retry call it. Whatever else is going on, under the seat's lock it
//
//  1. reads the target,
//  2. decides from the claims, and commits the claim, before the first change,
//  3. acts, and reads the target again,
//  4. records what was seen, unless what should be held changed meanwhile.
//
// What is under way and not done is *connector.Pending: giving is then looked at again when the record says so. Any other
// error leaves the record saying what is still to be done: settle again.
func (s *Settler) Settle(ctx context.Context, seat schema.Seat) (err error) {
	defer s.survive(seat.Instance, &err)
	throttled, err := s.Targets.target(seat.Connector, seat.Instance)
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
		return fmt.Errorf("settle %s: %w", seat, err)
	}
	defer conn.Close() // it goes back to the pool, or is gone: both are fine
	locked, err := seat.Lock().Try(ctx, conn)
	if err != nil {
		return err
	}
	if !locked {
		return errSeatBusy
	}
	defer s.unlock(ctx, conn, seat)

	for range settleRounds {
		settled, err := settleOnce(ctx, conn, target, seat)
		if settled || err != nil {
			return err
		}
	}
	return fmt.Errorf("settle %s: what should be held keeps changing: %w", seat, errSeatBusy)
}

// survive makes an error of a panic over what a target answered: one target must not end the program for all. It is to be
// deferred.
func (s *Settler) survive(instance string, err *error) {
	if p := recover(); p != nil {
		s.Log.Error("a connector panicked", "target", instance, "panic", p, "stack", string(debug.Stack()))
		*err = &connector.Unavailable{Err: fmt.Errorf("its connector panicked: %v", p)}
	}
}

func settleOnce(ctx context.Context, conn *sqlx.Conn, target connector.Connector, seat schema.Seat) (settled bool, err error) {
	assignment := connector.Assignment{Account: seat.Account, Object: seat.Object}
	before, err := connector.Look(ctx, target, assignment)
	if err != nil {
		return false, err
	}
	plan, err := schema.PlanSeat(ctx, conn, seat, before.Held)
	if err != nil {
		return false, err
	}
	if !plan.Ours {
		return true, nil // what the target shows, if anything, is none of our doing
	}
	// The lock is as good as its connection. PlanSeat has just used it; from here on only the target is spoken to, and
	// recording fails on a lost connection.
	switch {
	case before.Settled(plan.Want):
	case plan.Want && before.Pending && !before.Held: // it was asked for before
		err = connector.Waiting(assignment, before)
	default:
		err = connector.Ensure(ctx, target, assignment, plan.Want)
	}
	var pending *connector.Pending
	if plan.Want && errors.As(err, &pending) {
		return false, errors.Join(err, schema.RecordWaiting(ctx, conn, seat, waitsFor(pending), pending.LookAgain))
	}
	if class := connector.ClassOf(err); plan.Want && (class == connector.ClassGone || class == connector.ClassRefused) {
		err = unlessHeld(ctx, target, assignment, err)
	}
	if err != nil {
		return false, err
	}
	return schema.RecordSeat(ctx, conn, seat, plan.Want)
}

// unlessHeld asks the target once more before its refusal is believed: what it shows is held, whatever it answered. One that
// does not say is tried again.
func unlessHeld(ctx context.Context, target connector.Connector, a connector.Assignment, refused error) error {
	after, err := connector.Look(ctx, target, a)
	switch {
	case err != nil && connector.ClassOf(err) != connector.ClassRefused:
		return err
	case err == nil && after.Held:
		return nil
	}
	return refused
}

// unlock gives the seat's lock back. If it was lost meanwhile, somebody else may have settled the seat at the
// same time: it has to be looked at again, whatever each of us recorded.
func (s *Settler) unlock(ctx context.Context, conn *sqlx.Conn, seat schema.Seat) {
	err := seat.Lock().Release(ctx, conn)
	if err == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	s.Log.Warn("the lock on a seat was lost: the sweep looks at it again", "target", seat.Instance, "error", err)
	if err := schema.DoubtSeat(ctx, s.DB, seat); err != nil {
		s.Log.Error("a seat should be looked at again", "seat", seat.String(), "error", err)
	}
}

// overdueAfter is how late taking back may be before somebody is told, and waitsAfter the same where somebody, or the target
// itself, is at it.
const (
	overdueAfter = 5 * time.Minute
	waitsAfter   = 24 * time.Hour
)

// AlertIfOverdue says once that taking back is late. It must not stand in the way of the next attempt.
func (s *Settler) AlertIfOverdue(ctx context.Context, claimID int64, seat schema.Seat, why error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	after := overdueAfter
	if connector.ClassOf(why) == connector.ClassPending {
		after = waitsAfter
	}
	late, err := s.DB.AlertOverdue(ctx, claimID, after, connector.ClassOf(why).String())
	if err != nil {
		s.Log.Warn("could not record that taking back is overdue", "claim", claimID, "error", err)
	}
	if late {
		s.Log.Error("taking access back is overdue", "claim", claimID, "target", seat.Instance, "error", why)
	}
}
