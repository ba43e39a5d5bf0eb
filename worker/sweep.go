package main

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jmoiron/sqlx"

	"accessbot/activities"
	"accessbot/activities/connector"
	"accessbot/schema"
	"accessbot/workflows"
)

// sweep sees to it that nothing outlives its end and nothing recorded is forgotten, whatever became of Temporal, of a
// run, or of Slack. It works straight from the database, one worker at a time, and every round is bounded.
type sweep struct {
	db         *schema.DB
	activities *activities.Activities
	starter    *workflows.Starter
	every      time.Duration
	log        *slog.Logger
}

const (
	claimsABatch        = 200              // of one target
	reconcilersATarget  = 3                // at once: one fewer than a target's slots, so that runs go on meanwhile
	reconcileTimeout    = 45 * time.Second // a round's time for targets
	requestsARound      = 200
	wakeFor             = 20 * time.Second // a round's time for Temporal
	messagesARound      = 50
	notificationsARound = 50
	sendFor             = 20 * time.Second // a round's time for Slack: what is overdue must not wait for it
	runGrace            = 20 * time.Second // what a run has before it is called late
	wakeAgain           = 5 * time.Minute
	wakeMost            = time.Hour   // between two signals to a run that does nothing
	tellsAway           = 3           // failures in a row: then Temporal is away
	messageGrace        = time.Minute // what a run has before the sweep sends its messages
	sealEvery           = 30 * time.Second
)

// run sweeps at once, and then again and again, until ctx is done.
func (s *sweep) run(ctx context.Context) {
	for {
		if err := s.once(ctx); err != nil && ctx.Err() == nil {
			s.log.Error("the sweep did not come through", "error", err)
		}
		pause := time.NewTimer(s.every)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return
		}
	}
}

// once makes one round, unless another worker is making one. First of all what is overdue is revoked.
func (s *sweep) once(ctx context.Context) error {
	_, err := s.db.Holding(ctx, schema.SweepLock, func(*sqlx.Conn) error {
		err := errors.Join(
			s.reconcileClaims(ctx),
			s.wakeRuns(ctx),
			s.sendMessages(ctx),
			s.sendNotifications(ctx),
			schema.DeleteStale(ctx, s.db),
		)
		if err != nil {
			return err // it did not come through: /readyz must not say so
		}
		return schema.SweepFinished(ctx, s.db)
	})
	return err
}

// sealing seals the audit again and again, until ctx is done. It waits for no target and no message: what was written is
// sealed within a minute.
func (s *sweep) sealing(ctx context.Context) {
	for ctx.Err() == nil {
		if err := s.seal(ctx); err != nil && ctx.Err() == nil {
			s.log.Error("the audit could not be sealed", "error", err)
		}
		sleep(ctx, min(s.every, sealEvery))
	}
}

// seal seals what can be sealed, unless another worker is at it. The log keeps each head elsewhere: see docs/audit.md.
func (s *sweep) seal(ctx context.Context) error {
	_, err := s.db.Holding(ctx, schema.SealLock, func(*sqlx.Conn) error {
		err := s.db.SealAudit(ctx, func(seal schema.Seal) {
			s.log.Info("the audit is sealed", "head", seal.Head(), "events", seal.Events)
		})
		if err != nil {
			return err
		}
		tail, err := schema.TailOf(ctx, s.db)
		if err == nil && tail.Oldest > schema.TailLate {
			s.log.Error("the end of the audit cannot be sealed: is a transaction open for that long?", "events", tail.Events, "oldest", tail.Oldest.String())
		}
		return err
	})
	return err
}

// reconcileClaims reconciles the assignments of claims that are over: no Temporal needed. Targets do not wait for each other.
func (s *sweep) reconcileClaims(ctx context.Context) error {
	targets, err := schema.DueTargets(ctx, s.db)
	if err != nil {
		return err
	}
	bounded, cancel := context.WithTimeout(ctx, reconcileTimeout)
	defer cancel()
	errs := make([]error, len(targets))
	var group sync.WaitGroup
	for n, target := range targets {
		group.Go(func() { errs[n] = s.reconcileTarget(ctx, bounded, target) })
	}
	group.Wait()
	return errors.Join(errs...)
}

// reconcileTarget reconciles what is due in one target, batch by batch, until nothing is, nothing can be, or the round's time is
// over. A target that does not answer is left alone until the next round.
func (s *sweep) reconcileTarget(ctx, bounded context.Context, target string) error {
	for bounded.Err() == nil {
		claims, err := schema.DueClaims(ctx, s.db, claimsABatch, target)
		if err != nil || len(claims) == 0 {
			return err
		}
		queue := make(chan schema.DueClaim, len(claims))
		for _, c := range claims {
			queue <- c
		}
		close(queue)
		var settled, away atomic.Int64
		var group sync.WaitGroup
		for range reconcilersATarget {
			group.Go(func() {
				for c := range queue {
					if bounded.Err() != nil || away.Load() > 0 {
						return
					}
					switch err := s.reconcileClaim(ctx, bounded, c); connector.ClassOf(err) {
					case connector.ClassNone:
						settled.Add(1)
					case connector.ClassUnavailable, connector.ClassRateLimited:
						if !activities.IsBusy(err) {
							away.Add(1)
						}
					default:
						settled.Add(1) // postponed: it is not due any more
					}
				}
			})
		}
		group.Wait()
		if away.Load() > 0 || settled.Load() == 0 {
			return nil
		}
	}
	return nil
}

func (s *sweep) reconcileClaim(ctx, bounded context.Context, c schema.DueClaim) error {
	err := s.tryReconcile(bounded, c)
	if err == nil || activities.IsBusy(err) {
		return err // busy: it stays due
	}
	s.log.Error("the sweep could not reconcile a claim", "claim", c.ID, "target", c.Instance, "attempt", c.Attempts+1, "error", err)
	atLeast := time.Duration(0)
	var limited *connector.RateLimited
	if errors.As(err, &limited) {
		atLeast = limited.RetryAfter
	}
	if err := schema.PostponeClaim(ctx, s.db, c.ID, atLeast); err != nil {
		s.log.Error("the sweep could not postpone a claim", "claim", c.ID, "error", err)
	}
	return err
}

func (s *sweep) tryReconcile(ctx context.Context, c schema.DueClaim) error {
	if c.HolderLeft {
		if _, err := s.db.ReleaseLeaversClaim(ctx, c.ID); err != nil {
			return err
		}
	}
	if err := s.activities.Reconciler.Reconcile(ctx, c.Assignment); err != nil {
		if !activities.IsBusy(err) || activities.IsAssignmentBusy(err) {
			s.activities.Reconciler.AlertIfOverdue(ctx, c.ID, c.Assignment, err)
		}
		return err
	}
	return schema.RecordAttempt(ctx, s.db, c.ID)
}

// wakeRuns wakes the runs of requests about which something is due. Those that cannot be woken stay due.
func (s *sweep) wakeRuns(ctx context.Context) error {
	requests, err := schema.DueRequests(ctx, s.db, runGrace, wakeAgain, wakeMost, requestsARound)
	if err != nil {
		return err
	}
	bounded, cancel := context.WithTimeout(ctx, wakeFor)
	defer cancel()
	var asleep []int64
	var woken []schema.Event
	inARow := 0
	for n, id := range requests {
		// One that Temporal refuses must not keep the others asleep; a Temporal that is away need not be asked about each.
		if inARow == tellsAway || bounded.Err() != nil {
			asleep = append(asleep, requests[n:]...)
			break
		}
		if err := s.wake(bounded, id); err != nil {
			s.log.Warn("a run cannot be woken now: it stays due", "request", id, "error", err)
			asleep = append(asleep, id)
			inARow++
			continue
		}
		inARow = 0
		woken = append(woken, schema.Event{Actor: "sweep", Action: "woken by the sweep", RequestID: id})
	}
	if err := schema.Audit(ctx, s.db, woken...); err != nil {
		return err
	}
	if len(asleep) == 0 {
		return nil
	}
	return schema.MarkRequestsDue(ctx, s.db, asleep...)
}

func (s *sweep) wake(ctx context.Context, requestID int64) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return s.starter.SignalRequest(ctx, requestID, workflows.SignalDue)
}

// sendMessages brings messages up to date that are behind, also of requests whose run is over.
func (s *sweep) sendMessages(ctx context.Context) error {
	requests, err := schema.DueMessages(ctx, s.db, messageGrace, messagesARound)
	if err != nil {
		return err
	}
	bounded, cancel := context.WithTimeout(ctx, sendFor)
	defer cancel()
	for _, id := range requests {
		_, err := s.activities.SyncMessages(bounded, activities.RequestInput{RequestID: id})
		if err != nil && !activities.IsBusy(err) {
			s.log.Warn("messages are still behind", "request", id, "error", err)
			if err := schema.PostponeMessages(ctx, s.db, id, messageGrace, wakeAgain); err != nil {
				return err
			}
		}
		if bounded.Err() != nil {
			return nil // the others stay due
		}
	}
	return nil
}

// sendNotifications tells owners what they should know and do, as far as their messages are behind.
func (s *sweep) sendNotifications(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, sendFor)
	defer cancel()
	return s.activities.SendNotifications(ctx, 0, notificationsARound)
}
