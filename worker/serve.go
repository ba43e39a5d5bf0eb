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
	tlog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"

	"accessbot/activities"
	"accessbot/schema"
	"accessbot/slackapp/webapi"
	"accessbot/workflows"
)

// serve runs the worker until ctx is done. It starts without Temporal and Slack: the sweep needs neither, and the rest starts
// when they are available.
func serve(ctx context.Context, c config, log *slog.Logger) error {
	db, err := schema.Open(c.databaseURL, c.connections)
	if err != nil {
		return err
	}
	defer db.Close() // the process ends
	if err := schema.CheckDatabase(ctx, db); err != nil {
		return err
	}
	c.temporal.Logger = tlog.NewStructuredLogger(log)
	temporal, err := client.NewLazyClient(c.temporal)
	if err != nil {
		return fmt.Errorf("TEMPORAL_* settings: %w", err)
	}
	defer temporal.Close()

	c.connectors.Tasks = activities.ManualTasks(db)
	targets := &activities.Targets{Open: c.connectors.Open}
	defer targets.Close() // the process ends
	reconciler := &activities.Reconciler{DB: db, Targets: targets, Log: log}
	a := &activities.Activities{DB: db, Reconciler: reconciler, Slack: newSlack(c, log), Log: log, Options: c.options}
	starter := &workflows.Starter{Client: temporal, TaskQueue: c.taskQueue, DB: db, ShowPeople: c.options.ShowPeople, Log: log}
	sweep := &sweep{db: db, activities: a, starter: starter, every: c.sweepEvery, log: log}

	health, err := listenForHealth(c.listenAddr, db, c.sweepEvery)
	if err != nil {
		return err
	}
	var group sync.WaitGroup
	defer group.Wait()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	group.Go(func() { health.serve(ctx, log) })

	// First of all, the work that fell due while no worker was running.
	if err := sweep.once(ctx); err != nil {
		log.Error("first sweep failed", "error", err)
	}
	group.Go(func() { sweep.run(ctx) })
	group.Go(func() { sweep.sealRepeatedly(ctx) })
	comparisons := newComparisons(db, reconciler, c.compareEvery, log)
	group.Go(func() { comparisons.run(ctx) })
	log.Info("worker started", "listen", c.listenAddr, "task_queue", c.taskQueue, "namespace", c.temporal.Namespace)
	for ctx.Err() == nil {
		if err := poll(ctx, temporal, c, a, log); err != nil {
			log.Warn("temporal unavailable, will retry", "error", err)
			sleep(ctx, 5*time.Second)
		}
	}
	return nil
}

// poll runs workflows and activities until ctx is done, or until Temporal reports an error that polling cannot recover from.
func poll(ctx context.Context, temporal client.Client, c config, a *activities.Activities, log *slog.Logger) error {
	registerAttributes(ctx, temporal, c.temporal.Namespace, log)
	fatal := make(chan error, 1)
	w := worker.New(temporal, c.taskQueue, worker.Options{
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
	w.RegisterWorkflow(workflows.AccessRequest)
	w.RegisterWorkflow(workflows.EndAccess)
	w.RegisterActivity(a)
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
	return webapi.New(c.slackToken, webapi.Options{
		APIURL: c.slackAPIURL, Timeout: activities.SlackTimeout, LongestWait: activities.SlackLongestWait, Log: log,
	})
}

// health serves /healthz and /readyz.
type health struct {
	listener net.Listener
	server   *http.Server
}

func listenForHealth(addr string, db *schema.DB, sweepEvery time.Duration) (*health, error) {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("LISTEN_ADDR: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if err := checkReady(r.Context(), db, sweepEvery); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	return &health{listener: listener, server: &http.Server{
		Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 5 * time.Second, WriteTimeout: 10 * time.Second,
	}}, nil
}

// checkReady checks that the database answers, and that some worker has finished one of the last two sweeps.
func checkReady(ctx context.Context, db *schema.DB, sweepEvery time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	since, ok, err := schema.SinceSweep(ctx, db)
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

func (h *health) serve(ctx context.Context, log *slog.Logger) {
	stop := context.AfterFunc(ctx, func() {
		if err := h.server.Close(); err != nil {
			log.Warn("health server not closed", "error", err)
		}
	})
	defer stop()
	if err := h.server.Serve(h.listener); !errors.Is(err, http.ErrServerClosed) {
		log.Error("health server failed", "error", err)
	}
}

func sleep(ctx context.Context, d time.Duration) {
	pause := time.NewTimer(d)
	defer pause.Stop()
	select {
	case <-pause.C:
	case <-ctx.Done():
	}
}
