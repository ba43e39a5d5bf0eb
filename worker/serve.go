package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/slack-go/slack"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"

	"accessbot/activities"
	"accessbot/schema"
	"accessbot/slackapp/outbox"
	"accessbot/slackapp/webapi"
	"accessbot/worker/program"
	"accessbot/workflows/starter"
)

// serve runs the worker until ctx is done. It starts without Temporal and Slack: the sweep needs neither, and the rest starts
// when they are available.
func serve(ctx context.Context, c config, log *slog.Logger) error {
	db, err := schema.Open(c.DatabaseURL.Reveal(), c.Connections)
	if err != nil {
		return err
	}
	defer db.Close() // the process ends
	if err := schema.CheckDatabase(ctx, db); err != nil {
		return err
	}
	temporal, err := c.NewTemporal(log)
	if err != nil {
		return err
	}
	defer temporal.Close()

	c.connectors.Tasks = activities.ManualTasks(db)
	targets := &activities.Targets{Open: c.connectors.Open}
	defer targets.Close() // the process ends
	reconciler := &activities.Reconciler{DB: db, Targets: targets, Log: log}
	options := activities.Options{ShowPeople: c.ShowPeople, DefaultTimeZone: c.DefaultTimeZone.Location()}
	a := &activities.Activities{DB: db, Reconciler: reconciler, Log: log, Options: options}
	messages := &outbox.Outbox{DB: db, Slack: newSlack(c, log), Log: log, DefaultTimeZone: options.DefaultTimeZone}
	starter := &starter.Starter{Client: temporal, TaskQueue: c.TaskQueue, DB: db, ShowPeople: c.ShowPeople, Log: log}
	sweep := &sweep{db: db, activities: a, outbox: messages, starter: starter, every: c.SweepEvery, log: log}

	listener, err := net.Listen("tcp", string(c.ListenAddr))
	if err != nil {
		return fmt.Errorf("LISTEN_ADDR: %w", err)
	}
	mux := http.NewServeMux()
	program.HandleHealth(mux, func(ctx context.Context) error { return checkReady(ctx, db, c.SweepEvery) })
	health := program.NewServer(mux)
	var group sync.WaitGroup
	defer group.Wait()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	context.AfterFunc(ctx, func() { _ = health.Close() }) // readiness checks are over
	group.Go(func() {
		if err := health.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			log.Error("health server failed", "error", err)
		}
	})

	// First of all, the work that fell due while no worker was running.
	if err := sweep.once(ctx); err != nil {
		log.Error("first sweep failed", "error", err)
	}
	group.Go(func() { sweep.run(ctx) })
	group.Go(func() { sweep.sealRepeatedly(ctx) })
	comparisons := newComparisons(db, reconciler, c.CompareEvery, log)
	group.Go(func() { comparisons.run(ctx) })
	log.Info("worker started", "version", program.Version(), "listen", listener.Addr().String(), "task_queue", c.TaskQueue,
		"namespace", c.Temporal.Namespace)
	for ctx.Err() == nil {
		if err := poll(ctx, temporal, c, a, messages, log); err != nil {
			log.Warn("temporal unavailable, will retry", "error", err)
			sleep(ctx, 5*time.Second)
		}
	}
	return nil
}

// poll runs workflows and activities until ctx is done, or until Temporal reports an error that polling cannot recover from.
func poll(ctx context.Context, temporal client.Client, c config, a *activities.Activities, messages *outbox.Outbox,
	log *slog.Logger,
) error {
	registerAttributes(ctx, temporal, c.Temporal.Namespace, log)
	fatal := make(chan error, 1)
	w := worker.New(temporal, c.TaskQueue, worker.Options{
		// Longer than most activities take. An activity that is cut off is retried, and reconciling is idempotent.
		WorkerStopTimeout:                  20 * time.Second,
		MaxConcurrentActivityExecutionSize: 200,
		// Each is one short transaction. More of them would only wait for a connection, and be retried as an activity.
		MaxConcurrentLocalActivityExecutionSize: 20,
		OnFatalError: func(err error) {
			select {
			case fatal <- err:
			default:
			}
		},
	})
	register(w, a, messages)
	if err := w.Start(); err != nil {
		return fmt.Errorf("start polling: %w", err)
	}
	defer w.Stop()
	select {
	case <-ctx.Done():
		return nil
	case err := <-fatal:
		return err
	}
}

func newSlack(c config, log *slog.Logger) *slack.Client {
	return webapi.New(c.BotToken.Reveal(), webapi.Options{
		APIURL: string(c.SlackAPIURL), Timeout: outbox.SlackTimeout, LongestWait: outbox.SlackLongestWait, Log: log,
	})
}

// checkReady checks that the database answers, and that some worker has finished one of the last two sweeps.
func checkReady(ctx context.Context, db *schema.DB, sweepEvery time.Duration) error {
	since, ok, err := schema.TimeSinceSweep(ctx, db)
	switch {
	case err != nil:
		return errors.New("database unavailable")
	case !ok:
		return errors.New("no sweep has finished yet")
	case since > 2*sweepEvery+reconcileTimeout:
		return fmt.Errorf("the last sweep finished %s ago", since.Round(time.Second))
	}
	return nil
}

func sleep(ctx context.Context, d time.Duration) {
	pause := time.NewTimer(d)
	defer pause.Stop()
	select {
	case <-pause.C:
	case <-ctx.Done():
	}
}
