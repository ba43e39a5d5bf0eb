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

	"accessbot/schema"
	"accessbot/slackapp/webapi"
	"accessbot/workflows"
)

const (
	workWithin = 30 * time.Second // for what is done after it
	wakeWithin = 5 * time.Second  // for Temporal; the sweep wakes what it did not take
	// One call of Slack's Web API. And telling someone that the others failed, which may have taken all the time that there was.
	slackTimeout = 10 * time.Second
	tellWithin   = 5 * time.Second
	// Connections to the database: before acks, and after them. The pools are two, so that an ack always finds one.
	connections      = 14
	laterConnections = 6
	workersAtOnce    = 10
	wakesAtOnce      = 4
	waitingAtOnce    = 500 // jobs of each kind
	waitingOfUser    = 20  // of these, one user's
	takenAtOnce      = 200 // payloads that are being recorded
)

// app answers Slack.
type app struct {
	config  config
	log     *slog.Logger
	db      *schema.DB
	slack   *slack.Client
	starter *workflows.Starter
	limiter *limiter
	places  chan struct{} // of payloads that are being recorded
	jobs    *jobs         // what follows from payloads
	opens   *jobs         // what opens a modal, which has three seconds
	signals *jobs         // what waits for Temporal
	users   *users

	recording *sync.WaitGroup // parts of payloads before their ack
	later     *app            // the app with the pool for what is done after acks

	home workspace // set once, before the first payload is taken
}

// run serves Slack until ctx is done, and then finishes what it has acknowledged. Slack, the database and Temporal may be away when
// it starts; only a configuration that cannot work ends it.
func run(ctx context.Context, c config, log *slog.Logger) error {
	db, err := schema.Open(c.databaseURL, connections)
	if err != nil {
		return err
	}
	defer db.Close() // the process ends
	later, err := schema.Open(c.databaseURL, laterConnections)
	if err != nil {
		return err
	}
	defer later.Close() // as above
	c.temporal.Logger = tlog.NewStructuredLogger(log)
	temporal, err := client.NewLazyClient(c.temporal)
	if err != nil {
		return fmt.Errorf("the TEMPORAL_* settings: %w", err)
	}
	defer temporal.Close()
	a := &app{
		config: c, log: log, db: db, slack: newSlack(c, log), users: &users{}, recording: &sync.WaitGroup{},
		limiter: newLimiter(c.limit), places: make(chan struct{}, takenAtOnce),
		jobs:    newJobs(workersAtOnce, waitingAtOnce, waitingOfUser, log),
		opens:   newJobs(workersAtOnce, waitingAtOnce, waitingOfUser, log),
		signals: newJobs(wakesAtOnce, waitingAtOnce, waitingOfUser, log),
		starter: &workflows.Starter{Client: temporal, TaskQueue: c.taskQueue, DB: later, ShowPeople: c.showPeople, Log: log},
	}
	for _, j := range []*jobs{a.jobs, a.opens, a.signals} {
		j.begin = c.beginWork
	}
	listener := c.listener
	if listener == nil {
		if listener, err = net.Listen("tcp", c.listenAddr); err != nil {
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
		if err := a.meetSlack(ctx); err != nil {
			stop(err)
			return
		}
		a.later = a.with(later)
		server.open()
		log.Info("the Slack app is up", "listen", listener.Addr().String(), "socket_mode", c.socketMode(), "team", a.home.teamID)
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
		log.Warn("some requests were cut off", "error", err)
	}
	group.Wait()
	waitFor(finish, a.recording, log, "some payloads were cut off")
	a.opens.wait(finish)
	a.jobs.wait(finish)
	a.signals.wait(finish)
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// with is the app with another pool of connections.
func (a *app) with(db *schema.DB) *app {
	other := *a
	other.db = db
	return &other
}

func newSlack(c config, log *slog.Logger) *slack.Client {
	return webapi.New(c.botToken, webapi.Options{APIURL: c.apiURL, AppToken: c.appToken, Timeout: slackTimeout, Log: log})
}
