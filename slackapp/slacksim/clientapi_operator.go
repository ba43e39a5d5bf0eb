package slacksim

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// This file is the part of the client API that no Slack client has: traffic, faults and forged payloads.

func (s *Server) clientTraffic(r *http.Request) (any, error) {
	after, _ := strconv.ParseInt(r.URL.Query().Get("after"), 10, 64) // absent: all that is kept
	limit, err := number(r, "limit", keptTraffic)                    // of the newest
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	since := []Traffic{}
	for _, t := range s.traffic {
		if t.Seq > after {
			since = append(since, t)
		}
	}
	return since[max(0, len(since)-limit):], nil
}

// clientPayloads returns the last payloads that were sent to the app, unchanged: to look at, or to change
// and deliver again.
func (s *Server) clientPayloads(*http.Request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Payload{}, s.payloads...), nil
}

func (s *Server) clientFaults(*http.Request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	faults := []Fault{}
	for _, f := range s.faults {
		faults = append(faults, *f)
	}
	return faults, nil
}

func (s *Server) clientAddFault(r *http.Request) (any, error) {
	f, err := read[Fault](r)
	if err != nil {
		return nil, err
	}
	if err := f.check(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.issued++
	f.ID, f.left = s.issued, f.Times
	s.faults = append(s.faults, &f)
	return f, nil
}

func (s *Server) clientClearFaults(*http.Request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
	return object{}, nil
}

// clientAway makes Slack unavailable, or available again. While it is away no call is answered, no socket
// is open and nothing is delivered.
func (s *Server) clientAway(r *http.Request) (any, error) {
	body, err := read[struct {
		Away bool `json:"away"`
	}](r)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.away = body.Away
	s.touch()
	s.mu.Unlock()
	if body.Away {
		s.sockets.cut()
	}
	return object{"away": body.Away}, nil
}

func (s *Server) clientSockets(*http.Request) (any, error) {
	s.mu.Lock()
	seq := s.seq
	s.mu.Unlock()
	return object{"seq": seq, "connections": s.sockets.count()}, nil
}

func (s *Server) clientDisconnect(r *http.Request) (any, error) {
	body, err := read[struct {
		Reason string `json:"reason"`
	}](r)
	if err != nil {
		return nil, err
	}
	switch body.Reason {
	case "warning", "refresh_requested", "link_disabled":
		return object{"connections": s.sockets.disconnect(body.Reason)}, nil
	}
	return nil, fmt.Errorf("reason must be warning, refresh_requested or link_disabled, not %q", body.Reason)
}

// clientDeliver delivers any payload to the app, signed as Slack signs it, over the app's transport.
func (s *Server) clientDeliver(r *http.Request) (any, error) {
	body, err := read[struct {
		Route   string          `json:"route"`
		Payload json.RawMessage `json:"payload"`
	}](r)
	if err != nil {
		return nil, err
	}
	var inner struct {
		Type string `json:"type"`
	}
	_ = json.Unmarshal(body.Payload, &inner) // a forged payload need not be an object
	if inner.Type == "" {
		inner.Type = body.Route
	}
	switch body.Route {
	case routeEvents, routeInteractivity, routeOptions:
	default:
		return nil, fmt.Errorf("the routes are events, interactivity and options, not %q", body.Route)
	}
	a := s.deliver(delivery{route: body.Route, name: inner.Type, payload: body.Payload})
	return object{"acked": a.ok(), "status": a.status, "body": string(a.body), "problem": a.detail}, nil
}

// clientVerify does what Slack does when the URL for events is saved in its settings: the app must return the challenge, as
// plain text, as a form or as JSON. Source: "url_verification event", "Using the Events API", request URL verification.
func (s *Server) clientVerify(*http.Request) (any, error) {
	if s.cfg.EventsURL == "" {
		return nil, fmt.Errorf("there is no URL to verify in Socket Mode")
	}
	challenge := randomID() + randomID() + randomID()
	payload := encodeJSON(object{"token": "local", "type": "url_verification", "challenge": challenge})
	a := s.deliver(delivery{route: routeEvents, name: "url_verification", payload: payload})
	if !a.ok() {
		return nil, fmt.Errorf("your URL didn't respond properly: %s", a.detail)
	}
	var answer struct {
		Challenge string `json:"challenge"`
	}
	form, formErr := url.ParseQuery(string(a.body))
	if json.Unmarshal(a.body, &answer) != nil && formErr == nil {
		answer.Challenge = form.Get("challenge")
	}
	if answer.Challenge != challenge && string(a.body) != challenge {
		return nil, fmt.Errorf("your URL didn't respond with the value of the challenge parameter")
	}
	return object{}, nil
}

// clientSign returns the URL, headers and body of a request that the app accepts as Slack's, without
// sending it. "at" is the time of the signature (now), "body" replaces the encoded payload, in base64.
func (s *Server) clientSign(r *http.Request) (any, error) {
	body, err := read[struct {
		Route   string          `json:"route"`
		Payload json.RawMessage `json:"payload"`
		Body    string          `json:"body"`
		At      time.Time       `json:"at"`
	}](r)
	if err != nil {
		return nil, err
	}
	address := s.routeURL(body.Route)
	if address == "" {
		return nil, fmt.Errorf("no address for the route %q: the app is in Socket Mode, or there is no such route", body.Route)
	}
	raw, contentType := encode(body.Route, body.Payload)
	if body.Body != "" {
		if raw, err = base64.StdEncoding.DecodeString(body.Body); err != nil {
			return nil, fmt.Errorf("body: %w", err)
		}
	}
	if body.At.IsZero() {
		body.At = time.Now()
	}
	h := http.Header{}
	h.Set("Content-Type", contentType)
	s.sign(h, raw, body.At)
	return object{"url": address, "header": h, "body": raw}, nil
}
