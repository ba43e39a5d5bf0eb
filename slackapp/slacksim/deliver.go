package slacksim

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Routes of an app.
const (
	routeEvents        = "events"
	routeInteractivity = "interactivity"
	routeOptions       = "options"
)

// delivery is one payload for the app, over any transport.
type delivery struct {
	route       string
	name        string // the type of the event or interaction
	user        string
	payload     []byte
	retry       int
	retryReason string
}

// wantsReply reports whether Slack reads the body of the answer.
func (d delivery) wantsReply() bool {
	return d.name == "view_submission" || d.name == "block_suggestion"
}

// ack is the result of a delivery.
type ack struct {
	body    []byte // the app's answer
	problem string // why it was not acknowledged in time, as in x-slack-retry-reason; "" if it was
	detail  string // the same, for people
	status  int    // HTTP status, in HTTP mode
	took    time.Duration
}

func (a ack) ok() bool { return a.problem == "" }

// deliver sends one payload to the app and waits for its ack as long as Slack does.
func (s *Server) deliver(d delivery) ack {
	start := time.Now()
	t := Traffic{Direction: toApp, Name: d.name, User: d.user, At: start, Bytes: len(d.payload), Retry: d.retry}
	ctx, cancel := context.WithTimeout(context.Background(), s.cfg.AckTimeout)
	defer cancel()
	go func() { // closing the server ends the delivery
		select {
		case <-s.stop:
			cancel()
		case <-ctx.Done():
		}
	}()
	s.mu.Lock()
	away := s.away
	s.keep(d)
	s.mu.Unlock()

	var a ack
	switch {
	case away:
		a = ack{problem: "connection_failed", detail: "Slack is away"}
	case s.cfg.EventsURL == "":
		t.Transport = "socket"
		a = s.sockets.deliver(ctx, d)
	default:
		t.Transport = "http"
		a = s.deliverHTTP(ctx, d)
	}
	a.took = time.Since(start)
	t.OK, t.Status, t.Error, t.ReplyBytes = a.ok(), a.status, a.detail, len(a.body)
	t.request, t.answer = s.shown(d.payload), s.shown(a.body)
	s.record(t, start)
	return a
}

func (s *Server) routeURL(route string) string {
	return map[string]string{
		routeEvents: s.cfg.EventsURL, routeInteractivity: s.cfg.InteractivityURL, routeOptions: s.cfg.OptionsURL,
	}[route]
}

// encode returns the body for a payload: JSON for events, a form for the other routes.
func encode(route string, payload []byte) (body []byte, contentType string) {
	if route == routeEvents {
		return payload, "application/json"
	}
	return []byte(url.Values{"payload": {string(payload)}}.Encode()), "application/x-www-form-urlencoded"
}

// sign sets the two headers by which an app verifies that Slack is calling ("Verifying requests from Slack").
func (s *Server) sign(h http.Header, body []byte, at time.Time) {
	stamp := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(s.cfg.SigningSecret))
	mac.Write([]byte("v0:" + stamp + ":"))
	mac.Write(body)
	h.Set("X-Slack-Request-Timestamp", stamp)
	h.Set("X-Slack-Signature", "v0="+hex.EncodeToString(mac.Sum(nil)))
}

// appClient follows no redirects: an app that redirects has not acknowledged.
var appClient = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

func (s *Server) deliverHTTP(ctx context.Context, d delivery) ack {
	body, contentType := encode(d.route, d.payload)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.routeURL(d.route), bytes.NewReader(body))
	if err != nil {
		return ack{problem: "unknown_error", detail: err.Error()}
	}
	req.Header.Set("Content-Type", contentType)
	req.Header.Set("User-Agent", "Slackbot 1.0 (+https://api.slack.com/robots)")
	if d.retry > 0 {
		req.Header.Set("X-Slack-Retry-Num", strconv.Itoa(d.retry))
		req.Header.Set("X-Slack-Retry-Reason", d.retryReason)
	}
	s.sign(req.Header, body, time.Now())
	resp, err := appClient.Do(req)
	if err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			return ack{problem: "http_timeout", detail: fmt.Sprintf("no answer within %s", s.cfg.AckTimeout)}
		}
		return ack{problem: "connection_failed", detail: err.Error()}
	}
	defer resp.Body.Close()
	a := ack{status: resp.StatusCode}
	a.body, err = io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		a.problem, a.detail = "http_timeout", fmt.Sprintf("no answer within %s", s.cfg.AckTimeout)
	case err != nil:
		a.problem, a.detail = "connection_failed", err.Error()
	case resp.StatusCode != http.StatusOK && !(d.route == routeEvents && resp.StatusCode/100 == 2):
		a.problem, a.detail = "http_error", "HTTP "+resp.Status
	case d.wantsReply() && len(bytes.TrimSpace(a.body)) > 0:
		// For Slack, an answer without the content type of JSON is an error, even if it is JSON.
		if kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); kind != "application/json" {
			a.problem, a.detail = "http_error", fmt.Sprintf("the answer's content type is %q, not application/json", kind)
		}
	}
	return a
}

// deliverEvent sends an event to the app, and retries in the background while that fails ("Events API",
// Retries). It returns after the first attempt.
func (s *Server) deliverEvent(d delivery, twice bool) ack {
	a := s.deliver(d)
	if a.ok() && !twice {
		return a
	}
	s.tasks.Go(func() {
		if twice { // the same event again, as if its ack had been lost
			again := d
			again.retry, again.retryReason = 1, "http_timeout"
			s.deliver(again)
			return
		}
		last := a
		for i, delay := range s.cfg.EventRetryDelays {
			timer := time.NewTimer(delay)
			select {
			case <-timer.C:
			case <-s.stop:
				timer.Stop()
				return
			}
			d.retry, d.retryReason = i+1, last.problem
			if last = s.deliver(d); last.ok() {
				return
			}
		}
	})
	return a
}
