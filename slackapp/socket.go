package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/slack-go/slack/socketmode"
)

// serveSocket handles payloads over Socket Mode until ctx is done, and then acknowledges those it has received. It reconnects by
// itself, and fails only if Slack refuses the app's token.
func (a *app) serveSocket(ctx context.Context) error {
	client := socketmode.New(a.slack,
		socketmode.OptionReadLimit(maxBody),
		socketmode.OptionLog(slog.NewLogLogger(a.log.Handler(), slog.LevelWarn)))
	connected, disconnect := context.WithCancel(context.WithoutCancel(ctx))
	defer disconnect()
	ended := make(chan error, 1)
	go func() { ended <- client.RunContext(connected) }()
	var acks sync.WaitGroup
	for {
		select {
		case <-ctx.Done():
			acks.Wait() // each within its deadline
			disconnect()
			<-ended //nolint:errcheck // it was told to end
			return nil
		case err := <-ended:
			return fmt.Errorf("SLACK_APP_TOKEN: Socket Mode ended (%w): use an app-level token with the scope connections:write", err)
		case event := <-client.Events:
			a.socketEvent(client, event, &acks)
		}
	}
}

func (a *app) socketEvent(client *socketmode.Client, event socketmode.Event, acks *sync.WaitGroup) {
	switch event.Type {
	case socketmode.EventTypeEventsAPI, socketmode.EventTypeInteractive, socketmode.EventTypeSlashCommand:
		a.envelope(client, *event.Request, acks)
	case socketmode.EventTypeErrorBadMessage:
		// slack-go does not know every kind of event. Without an ack, Slack resends it.
		var request socketmode.Request
		bad, _ := event.Data.(*socketmode.ErrorBadMessage)
		if bad == nil || json.Unmarshal(bad.Message, &request) != nil || request.EnvelopeID == "" {
			a.log.Warn("parse Socket Mode message failed")
			return
		}
		a.envelope(client, request, acks)
	case socketmode.EventTypeConnectionError, socketmode.EventTypeIncomingError, socketmode.EventTypeErrorWriteFailed:
		a.log.Warn("Socket Mode", "event", event.Type)
	default:
		a.log.Debug("Socket Mode", "event", event.Type)
	}
}

// envelope handles one payload concurrently: the next one must not wait for it.
func (a *app) envelope(client *socketmode.Client, request socketmode.Request, acks *sync.WaitGroup) {
	received := time.Now()
	acks.Go(func() {
		var p payload
		var err error
		switch request.Type {
		case socketmode.RequestTypeEventsAPI:
			p, err = a.event(request.Payload)
		case socketmode.RequestTypeInteractive:
			p, err = a.interaction(request.Payload)
		}
		if err != nil {
			a.log.Warn("parse payload failed", "error", err)
			p = payload{}
		}
		ack, follow, err := a.take(received, p)
		defer follow()
		if errors.Is(err, errPanicked) {
			return // not acknowledged: Slack shows an error
		}
		if !request.AcceptsResponsePayload {
			ack = nil
		}
		send, stop := context.WithTimeout(context.Background(), sendWithin)
		defer stop()
		if err := client.AckCtx(send, request.EnvelopeID, ack); err != nil {
			a.log.Error("send ack failed", "error", err)
		}
	})
}
