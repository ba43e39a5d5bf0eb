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
	ackWithin  = 2500 * time.Millisecond // Slack gives 3 s for an ack
	workWithin = 30 * time.Second        // for what is done after it
	wakeWithin = 5 * time.Second         // for Temporal; the sweep wakes what it did not take
	// One call of Slack's Web API. And telling someone that the others failed, which may have taken all the time that there was.
	slackTimeout = 10 * time.Second
	tellWithin   = 5 * time.Second
	// Connections to the record. Work after acks is bounded below it, so that an ack always finds one.
	connections   = 20
	workersAtOnce = 10
	wakesAtOnce   = 4
	waitingAtOnce = 500
)

// app answers Slack.
type app struct {
	config config
	log    *slog.Logger
	db     *schema.DB
	slack  *slack.Client
	waker  *workflows.Waker
	jobs   *jobs // what follows from payloads
	opens  *jobs // what opens a modal, which has three seconds
	wakes  *jobs // what waits for Temporal
	users  users

	home workspace // set once, before the first payload is taken
}

// run serves Slack until ctx is done, and then finishes what it has acknowledged. Slack, the record and Temporal may be away when
// it starts; only a configuration that cannot work ends it.
func run(ctx context.Context, c config, log *slog.Logger) error {
	db, err := schema.Open(c.databaseURL, connections)
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
	a := &app{
		config: c, log: log, db: db, slack: newSlack(c, log), jobs: newJobs(workersAtOnce, waitingAtOnce, log), opens: newJobs(workersAtOnce, waitingAtOnce, log), wakes: newJobs(wakesAtOnce, waitingAtOnce, log),
		waker: &workflows.Waker{Client: temporal, TaskQueue: c.taskQueue, DB: db, ShowPeople: c.showPeople, Log: log},
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
	a.opens.wait(finish)
	a.jobs.wait(finish)
	a.wakes.wait(finish)
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

func newSlack(c config, log *slog.Logger) *slack.Client {
	return webapi.New(c.botToken, webapi.Options{APIURL: c.apiURL, AppToken: c.appToken, Timeout: slackTimeout, Log: log})
}
