package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/slack-go/slack"

	"accessbot/worker/program"
)

// maxBody is more than Slack ever sends: a view has at most 250 KB.
const maxBody = 1 << 20

// server serves Slack's routes in HTTP mode, and always the health checks.
type server struct {
	app   *app
	http  *http.Server
	ready atomic.Bool // Slack told us our workspace and app
}

func (a *app) server() *server {
	s := &server{app: a}
	mux := http.NewServeMux()
	program.HandleHealth(mux, s.checkReady)
	if !a.config.socketMode() {
		mux.HandleFunc("POST /slack/events", s.signed(s.app.event))
		mux.HandleFunc("POST /slack/interactivity", s.signed(s.interaction))
		mux.HandleFunc("POST /slack/options", s.signed(s.interaction))
	}
	s.http = program.NewServer(mux)
	return s
}

// open starts to accept payloads.
func (s *server) open() { s.ready.Store(true) }

// checkReady checks that Slack has said which app this is, and that the database answers.
func (s *server) checkReady(ctx context.Context) error {
	if !s.ready.Load() {
		return errors.New("waiting for Slack")
	}
	if err := s.app.db.PingContext(ctx); err != nil {
		s.app.log.Warn("not ready", "error", err)
		return errors.New("database unavailable")
	}
	return nil
}

// signed accepts only requests that Slack signed: it reads a payload from the body, acknowledges it, and does the work after it.
func (s *server) signed(read func(body []byte) (payload, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		received := time.Now()
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err != nil {
			var tooLarge *http.MaxBytesError
			if errors.As(err, &tooLarge) {
				program.Say(w, http.StatusRequestEntityTooLarge, "too large")
				return
			}
			program.Say(w, http.StatusBadRequest, "read body failed")
			return
		}
		if err := verify(r.Header, body, s.app.config.SigningSecret.Reveal()); err != nil {
			s.app.log.Warn("bad Slack signature", "route", r.URL.Path, "error", err)
			program.Say(w, http.StatusUnauthorized, "not signed by Slack")
			return
		}
		if !s.ready.Load() {
			program.Say(w, http.StatusServiceUnavailable, "starting")
			return
		}
		p, err := read(body)
		if err != nil {
			s.app.log.Warn("parse payload failed", "error", err)
			text := "invalid payload"
			if errors.Is(err, errNoPayload) {
				text = err.Error()
			}
			program.Say(w, http.StatusBadRequest, text)
			return
		}
		ack, follow, err := s.app.take(received, p)
		defer follow()
		s.answer(w, ack, err)
		if err := http.NewResponseController(w).Flush(); err != nil {
			s.app.log.Warn("send ack failed", "error", err)
		}
	}
}

func verify(header http.Header, body []byte, secret string) error {
	verifier, err := slack.NewSecretsVerifier(header, secret)
	if err != nil {
		return err
	}
	if _, err := verifier.Write(body); err != nil {
		return err
	}
	return verifier.Ensure()
}

var errNoPayload = errors.New("no payload in the body")

// interaction reads its payload only from the body: the URL is not signed.
func (s *server) interaction(body []byte) (payload, error) {
	form, err := url.ParseQuery(string(body))
	raw := form.Get("payload")
	if err != nil || raw == "" {
		return payload{}, errNoPayload
	}
	return s.app.interaction([]byte(raw))
}

// answer acknowledges a payload.
func (s *server) answer(w http.ResponseWriter, ack any, err error) {
	switch {
	case errors.Is(err, errElsewhere):
		program.Say(w, http.StatusForbidden, err.Error())
	case err != nil:
		program.Say(w, http.StatusInternalServerError, err.Error())
	case ack == nil:
		w.WriteHeader(http.StatusOK)
	default:
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(ack); err != nil {
			s.app.log.Warn("send response failed", "error", err)
		}
	}
}
