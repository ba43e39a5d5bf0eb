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
	"accessbot/slackapp/outbox"
	"accessbot/workflows"
	"accessbot/workflows/starter"
)

// sweep works straight from the database: it revokes overdue access, signals overdue runs, and sends overdue messages, even if
// Temporal, a run or Slack fails. One worker sweeps at a time, and every round has a time limit.
type sweep struct {
	db         *schema.DB
	activities *activities.Activities
	outbox     *outbox.Outbox
	starter    *starter.Starter
	every      time.Duration
	log        *slog.Logger
}

const (
	claimsPerBatch        = 200              // of one target
	reconcilersPerTarget  = 3                // one less than a target's slots, to leave one for runs
	reconcileTimeout      = 45 * time.Second // per round
	requestsPerRound      = 200
	signalTimeout         = 20 * time.Second // per round
	messagesPerRound      = 50
	notificationsPerRound = 50
	sendTimeout           = 20 * time.Second // per round: overdue claims must not wait for Slack
	runGrace              = 20 * time.Second // before a run counts as overdue
	retryInterval         = 5 * time.Minute  // before the sweep signals a run, or sends a message, again
	maxSignalInterval     = time.Hour        // between signals to a run that does not react
	maxSignalFailures     = 3                // in a row: then Temporal counts as unavailable
	messageGrace          = time.Minute      // before the sweep sends a run's messages
	sealEvery             = 30 * time.Second
)

// run sweeps repeatedly until ctx is done.
func (s *sweep) run(ctx context.Context) {
	for {
		if err := s.once(ctx); err != nil && ctx.Err() == nil {
			s.log.Error("sweep failed", "error", err)
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

// once makes one round, unless another worker does. It revokes overdue access first.
func (s *sweep) once(ctx context.Context) error {
	_, err := s.db.Holding(ctx, schema.SweepLock, func(*sqlx.Conn) error {
		err := errors.Join(
			s.reconcileClaims(ctx),
			s.signalOverdueRuns(ctx),
			s.sendMessages(ctx),
			s.sendNotifications(ctx),
			schema.DeleteStale(ctx, s.db),
		)
		if err != nil {
			return err // the round does not count for /readyz
		}
		return schema.SweepFinished(ctx, s.db)
	})
	return schema.NeedsRole(err, workerRole)
}

// sealRepeatedly seals the audit until ctx is done. It is not part of a round, so that events are sealed within a minute.
func (s *sweep) sealRepeatedly(ctx context.Context) {
	for ctx.Err() == nil {
		if err := s.seal(ctx); err != nil && ctx.Err() == nil {
			s.log.Error("audit not sealed", "error", err)
		}
		sleep(ctx, min(s.every, sealEvery))
	}
}

// seal seals the audit once, unless another worker does. It logs each checkpoint, so that it is kept elsewhere: see
// docs/audit.md.
func (s *sweep) seal(ctx context.Context) error {
	_, err := s.db.Holding(ctx, schema.SealLock, func(*sqlx.Conn) error {
		err := s.db.SealAudit(ctx, func(seal schema.Seal) {
			s.log.Info("audit sealed", "checkpoint", seal.Checkpoint(), "events", seal.Events)
		})
		if err != nil {
			return err
		}
		unsealed, err := schema.UnsealedEvents(ctx, s.db)
		if err == nil && unsealed.Oldest > schema.UnsealedLate {
			s.log.Error("audit events still unsealed, check for long transactions",
				"events", unsealed.Events, "oldest", unsealed.Oldest.String())
		}
		return err
	})
	return err
}

// reconcileClaims reconciles the assignments of overdue claims, without Temporal. Targets do not wait for each other.
func (s *sweep) reconcileClaims(ctx context.Context) error {
	targets, err := schema.DueTargets(ctx, s.db)
	if err != nil {
		return err
	}
	bounded, cancel := context.WithTimeout(ctx, reconcileTimeout)
	defer cancel()
	errs := make([]error, len(targets))
	var group sync.WaitGroup
	for i, target := range targets {
		group.Go(func() { errs[i] = s.reconcileTarget(ctx, bounded, target) })
	}
	group.Wait()
	return errors.Join(errs...)
}

// reconcileTarget reconciles one target's overdue claims, batch by batch, until none is left, none can be reconciled, or the
// round's time is over. An unavailable target is left alone until the next round.
func (s *sweep) reconcileTarget(ctx, bounded context.Context, target string) error {
	for bounded.Err() == nil {
		claims, err := schema.DueClaims(ctx, s.db, claimsPerBatch, target)
		if err != nil || len(claims) == 0 {
			return err
		}
		queue := make(chan schema.DueClaim, len(claims))
		for _, c := range claims {
			queue <- c
		}
		close(queue)
		var done, unavailable atomic.Int64
		var group sync.WaitGroup
		for range reconcilersPerTarget {
			group.Go(func() {
				for c := range queue {
					if bounded.Err() != nil || unavailable.Load() > 0 {
						return
					}
					switch err := s.reconcileClaim(ctx, bounded, c); connector.ClassOf(err) {
					case connector.ClassNone:
						done.Add(1)
					case connector.ClassUnavailable, connector.ClassRateLimited:
						if !activities.IsBusy(err) {
							unavailable.Add(1)
						}
					default:
						done.Add(1) // postponed, so no longer due
					}
				}
			})
		}
		group.Wait()
		if unavailable.Load() > 0 || done.Load() == 0 {
			return nil
		}
	}
	return nil
}

func (s *sweep) reconcileClaim(ctx, bounded context.Context, c schema.DueClaim) error {
	err := s.tryReconcile(bounded, c)
	if err == nil || activities.IsBusy(err) {
		return err // a busy one stays due
	}
	s.log.Error("reconciling failed", "claim", c.ID, "target", c.Instance, "attempt", c.Attempts+1, "error", err)
	atLeast := time.Duration(0)
	var limited *connector.RateLimited
	if errors.As(err, &limited) {
		atLeast = limited.RetryAfter
	}
	if err := schema.PostponeClaim(ctx, s.db, c.ID, atLeast); err != nil {
		s.log.Error("claim not postponed", "claim", c.ID, "error", err)
	}
	return err
}

func (s *sweep) tryReconcile(ctx context.Context, c schema.DueClaim) error {
	if c.HolderLeft {
		if _, err := s.db.RevokeLeaversClaim(ctx, c.ID); err != nil {
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

// signalOverdueRuns signals the runs of overdue requests, and starts missing ones. Requests that it cannot signal stay due.
func (s *sweep) signalOverdueRuns(ctx context.Context) error {
	requests, err := schema.DueRequests(ctx, s.db, runGrace, retryInterval, maxSignalInterval, requestsPerRound)
	if err != nil {
		return err
	}
	bounded, cancel := context.WithTimeout(ctx, signalTimeout)
	defer cancel()
	var failed []int64
	var events []schema.Event
	failuresInARow := 0
	for i, id := range requests {
		// One refused signal does not stop the others, but an unavailable Temporal does.
		if failuresInARow == maxSignalFailures || bounded.Err() != nil {
			failed = append(failed, requests[i:]...)
			break
		}
		if err := s.signal(bounded, id); err != nil {
			s.log.Warn("run not signalled, stays due", "request", id, "error", err)
			failed = append(failed, id)
			failuresInARow++
			continue
		}
		failuresInARow = 0
		events = append(events, schema.Event{Actor: "sweep", Action: schema.RunSignalled, RequestID: id})
	}
	if err := schema.Audit(ctx, s.db, events...); err != nil {
		return err
	}
	if len(failed) == 0 {
		return nil
	}
	return schema.MarkRequestsDue(ctx, s.db, failed...)
}

func (s *sweep) signal(ctx context.Context, requestID int64) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return s.starter.SignalRequest(ctx, requestID, workflows.SignalDue)
}

// sendMessages syncs overdue messages, including those of requests whose run is complete.
func (s *sweep) sendMessages(ctx context.Context) error {
	requests, err := schema.DueMessages(ctx, s.db, messageGrace, messagesPerRound)
	if err != nil {
		return err
	}
	bounded, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	for _, id := range requests {
		_, err := s.outbox.SyncMessages(bounded, outbox.SyncInput{RequestID: id})
		if err != nil && !outbox.IsBusy(err) {
			s.log.Warn("messages not synced, sweep retries", "request", id, "error", err)
			if err := schema.PostponeMessages(ctx, s.db, id, messageGrace, retryInterval); err != nil {
				return err
			}
		}
		if bounded.Err() != nil {
			return nil // the others stay due
		}
	}
	return nil
}

// sendNotifications sends due notifications.
func (s *sweep) sendNotifications(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	return s.outbox.SendNotifications(ctx, 0, notificationsPerRound)
}
