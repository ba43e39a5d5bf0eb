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

// serve runs the worker until ctx is done. It needs neither Temporal nor Slack to be there: the sweep keeps what is
// recorded, and the rest joins in when it can.
func serve(ctx context.Context, c config, log *slog.Logger) error {
	db, err := schema.Open(c.databaseURL, c.connections)
	if err != nil {
		return err
	}
	defer db.Close() // the process ends
	c.temporal.Logger = tlog.NewStructuredLogger(log)
	temporal, err := client.NewLazyClient(c.temporal)
	if err != nil {
		return fmt.Errorf("the TEMPORAL_* settings: %w", err)
	}
	defer temporal.Close()

	c.connectors.Tasks = activities.ManualTasks(db)
	targets := &activities.Targets{Open: c.connectors.Open}
	defer targets.Close() // the process ends
	reconciler := &activities.Reconciler{DB: db, Targets: targets, Log: log}
	a := &activities.Activities{DB: db, Reconciler: reconciler, Slack: newSlack(c, log), Log: log, Options: c.options}
	starter := &workflows.Starter{Client: temporal, TaskQueue: c.taskQueue, DB: db, ShowPeople: c.options.ShowPeople, Log: log}
	sweep := &sweep{db: db, activities: a, starter: starter, every: c.sweepEvery, log: log}

	health, err := listen(c.listenAddr, db, c.sweepEvery)
	if err != nil {
		return err
	}
	var group sync.WaitGroup
	defer group.Wait()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	group.Go(func() { health.serve(ctx, log) })

	// First of all: what fell due while no one was here.
	if err := sweep.once(ctx); err != nil {
		log.Error("the first sweep did not come through", "error", err)
	}
	group.Go(func() { sweep.run(ctx) })
	group.Go(func() { sweep.sealing(ctx) })
	finding := newComparisons(db, reconciler, c.compareEvery, log)
	group.Go(func() { finding.run(ctx) })
	log.Info("the worker is up", "listen", c.listenAddr, "task_queue", c.taskQueue, "namespace", c.temporal.Namespace)
	for ctx.Err() == nil {
		if err := poll(ctx, temporal, c, a, log); err != nil {
			log.Warn("Temporal cannot be used now: trying again, and sweeping meanwhile", "error", err)
			sleep(ctx, 5*time.Second)
		}
	}
	return nil
}

// poll runs workflows and activities until ctx is done, or Temporal says something that polling on would not mend.
func poll(ctx context.Context, temporal client.Client, c config, a *activities.Activities, log *slog.Logger) error {
	registerAttributes(ctx, temporal, c.temporal.Namespace, log)
	fatal := make(chan error, 1)
	w := worker.New(temporal, c.taskQueue, worker.Options{
		// Longer than most activities take. What is cut off is tried again, and reconciling does not mind.
		WorkerStopTimeout:                  20 * time.Second,
		MaxConcurrentActivityExecutionSize: 200,
		// Each is one short transaction: more of them would only wait for a connection, and be asked again as an activity.
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

// health answers whether the worker is up, and whether it does its work.
type health struct {
	listener net.Listener
	server   *http.Server
}

func listen(addr string, db *schema.DB, sweepEvery time.Duration) (*health, error) {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("LISTEN_ADDR: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if err := ready(r.Context(), db, sweepEvery); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 5 * time.Second, WriteTimeout: 10 * time.Second}
	return &health{listener: listener, server: server}, nil
}

// ready: the database answers, and no two sweeps in a row were missed, by any worker.
func ready(ctx context.Context, db *schema.DB, sweepEvery time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	since, ok, err := schema.SinceSweep(ctx, db)
	switch {
	case err != nil:
		return errors.New("the database does not answer")
	case !ok:
		return errors.New("no sweep has come through yet")
	case since > 2*sweepEvery+reconcileTimeout:
		return fmt.Errorf("the last sweep came through %s ago", since.Round(time.Second))
	}
	return nil
}

func (h *health) serve(ctx context.Context, log *slog.Logger) {
	stop := context.AfterFunc(ctx, func() {
		if err := h.server.Close(); err != nil {
			log.Warn("close the health server", "error", err)
		}
	})
	defer stop()
	if err := h.server.Serve(h.listener); !errors.Is(err, http.ErrServerClosed) {
		log.Error("the health server stopped", "error", err)
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
