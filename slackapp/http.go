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
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", s.readyz)
	if !a.config.socketMode() {
		mux.HandleFunc("POST /slack/events", s.signed(s.app.event))
		mux.HandleFunc("POST /slack/interactivity", s.signed(s.interaction))
		mux.HandleFunc("POST /slack/options", s.signed(s.interaction))
	}
	s.http = &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      15 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
	}
	return s
}

// open starts to accept payloads.
func (s *server) open() { s.ready.Store(true) }

func (s *server) readyz(w http.ResponseWriter, r *http.Request) {
	if !s.ready.Load() {
		say(w, http.StatusServiceUnavailable, "waiting for Slack")
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), time.Second)
	defer cancel()
	if err := s.app.db.PingContext(ctx); err != nil {
		s.app.log.Warn("not ready", "error", err)
		say(w, http.StatusServiceUnavailable, "database unreachable")
		return
	}
	say(w, http.StatusOK, "ok")
}

// signed accepts only requests that Slack signed: it reads a payload from the body, acknowledges it, and does the work after it.
func (s *server) signed(read func(body []byte) (payload, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		received := time.Now()
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err != nil {
			var tooLarge *http.MaxBytesError
			if errors.As(err, &tooLarge) {
				say(w, http.StatusRequestEntityTooLarge, "too large")
				return
			}
			say(w, http.StatusBadRequest, "read body failed")
			return
		}
		if err := verify(r.Header, body, s.app.config.signingSecret); err != nil {
			s.app.log.Warn("bad Slack signature", "route", r.URL.Path, "error", err)
			say(w, http.StatusUnauthorized, "not signed by Slack")
			return
		}
		if !s.ready.Load() {
			say(w, http.StatusServiceUnavailable, "starting")
			return
		}
		p, err := read(body)
		if err != nil {
			s.app.log.Warn("parse payload failed", "error", err)
			text := "invalid payload"
			if errors.Is(err, errNoPayload) {
				text = err.Error()
			}
			say(w, http.StatusBadRequest, text)
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
		say(w, http.StatusForbidden, err.Error())
	case err != nil:
		say(w, http.StatusInternalServerError, err.Error())
	case ack == nil:
		w.WriteHeader(http.StatusOK)
	default:
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(ack); err != nil {
			s.app.log.Warn("send response failed", "error", err)
		}
	}
}

// say responds in plain text. It ignores callers that have gone.
func say(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text+"\n")
}
