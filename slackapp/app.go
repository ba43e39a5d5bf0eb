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

	"accessbot/schema"
	"accessbot/slackapp/webapi"
	"accessbot/worker/program"
	"accessbot/workflows/starter"
)

const (
	workWithin = 30 * time.Second // work after an ack
	wakeWithin = 5 * time.Second  // signals to Temporal; the sweep sends those that fail
	// One call of Slack's Web API, and telling the user that a call failed: its time is separate, since the call may have used all of it.
	slackTimeout = 10 * time.Second
	tellWithin   = 5 * time.Second
	// Connections to the database, before and after acks. Two pools, so that an ack always finds a connection.
	connections      = 14
	laterConnections = 6
	workersAtOnce    = 10
	wakesAtOnce      = 4
	waitingAtOnce    = 500 // jobs of each kind
	waitingOfUser    = 20  // of these, per user
	takenAtOnce      = 200 // payloads being recorded
)

// app answers Slack.
type app struct {
	config  config
	log     *slog.Logger
	db      *schema.DB
	slack   *slack.Client
	starter *starter.Starter
	limiter *limiter
	places  chan struct{} // for payloads being recorded
	jobs    *jobs         // work after acks
	opens   *jobs         // opening modals, for which Slack allows three seconds
	signals *jobs         // signals to Temporal
	users   *users

	recording *sync.WaitGroup // payloads before their ack
	later     *app            // the app with the pool for work after acks

	home workspace // set once, before the first payload
}

// run serves Slack until ctx is done, and then finishes what it has acknowledged. Slack, the database and Temporal may be down when
// it starts; only an invalid configuration is an error.
func run(ctx context.Context, c config, log *slog.Logger) error {
	db, err := schema.Open(c.DatabaseURL.Reveal(), connections)
	if err != nil {
		return err
	}
	defer db.Close() // the process ends
	later, err := schema.Open(c.DatabaseURL.Reveal(), laterConnections)
	if err != nil {
		return err
	}
	defer later.Close() // as above
	temporal, err := c.NewTemporal(log)
	if err != nil {
		return err
	}
	defer temporal.Close()
	a := &app{
		config: c, log: log, db: db, slack: newSlack(c, log), users: &users{}, recording: &sync.WaitGroup{},
		limiter: newLimiter(c.limit), places: make(chan struct{}, takenAtOnce),
		jobs:    newJobs(workersAtOnce, waitingAtOnce, waitingOfUser, log),
		opens:   newJobs(workersAtOnce, waitingAtOnce, waitingOfUser, log),
		signals: newJobs(wakesAtOnce, waitingAtOnce, waitingOfUser, log),
		starter: &starter.Starter{Client: temporal, TaskQueue: c.TaskQueue, DB: later, ShowPeople: c.ShowPeople, Log: log},
	}
	for _, j := range []*jobs{a.jobs, a.opens, a.signals} {
		j.begin = c.beginWork
	}
	listener := c.listener
	if listener == nil {
		if listener, err = net.Listen("tcp", string(c.ListenAddr)); err != nil {
			return fmt.Errorf("LISTEN_ADDR: %w", err)
		}
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	server := a.server()
	var group sync.WaitGroup
	group.Go(func() {
		if err := server.http.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			stop(fmt.Errorf("serve %s: %w", listener.Addr(), err))
		}
	})
	group.Go(func() {
		if err := schema.CheckDatabase(ctx, db); err != nil {
			stop(err)
			return
		}
		if err := a.meetSlack(ctx); err != nil {
			stop(err)
			return
		}
		a.later = a.with(later)
		server.open()
		log.Info(
			"Slack app started",
			"version",
			program.Version(),
			"listen",
			listener.Addr().String(),
			"socket_mode",
			c.socketMode(),
			"team",
			a.home.teamID,
		)
		if c.socketMode() {
			if err := a.serveSocket(ctx); err != nil {
				stop(err)
			}
		}
	})
	<-ctx.Done()
	finish, cancel := context.WithTimeout(context.WithoutCancel(ctx), workWithin)
	defer cancel()
	if err := server.http.Shutdown(finish); err != nil {
		log.Warn("shutdown: some HTTP requests were cut off", "error", err)
	}
	group.Wait()
	waitFor(finish, a.recording, log, "shutdown: some payloads were cut off")
	a.opens.wait(finish)
	a.jobs.wait(finish)
	a.signals.wait(finish)
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// with returns the app with another pool of connections.
func (a *app) with(db *schema.DB) *app {
	other := *a
	other.db = db
	return &other
}

func newSlack(c config, log *slog.Logger) *slack.Client {
	return webapi.New(c.BotToken.Reveal(), webapi.Options{
		APIURL: string(c.SlackAPIURL), AppToken: c.AppToken.Reveal(), Timeout: slackTimeout, Log: log,
	})
}
