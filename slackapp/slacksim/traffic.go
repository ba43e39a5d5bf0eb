package slacksim

import (
	"encoding/json"
	"time"
)

// Directions of traffic.
const (
	fromApp = "app to slack"
	toApp   = "slack to app"
)

const keptTraffic = 10_000

// Traffic is one call or delivery, without its contents.
type Traffic struct {
	Seq        int64     `json:"seq"`
	At         time.Time `json:"at"`
	Direction  string    `json:"direction"` // "app to slack" or "slack to app"
	Name       string    `json:"name"`      // the Web API method, or the type of the event or interaction
	Transport  string    `json:"transport,omitempty"`
	User       string    `json:"user,omitempty"`
	OK         bool      `json:"ok"`
	Status     int       `json:"status,omitempty"` // HTTP status
	Error      string    `json:"error,omitempty"`
	Millis     int64     `json:"ms"` // until the answer or ack
	Bytes      int       `json:"bytes"`
	ReplyBytes int       `json:"reply_bytes"`
	Retry      int       `json:"retry,omitempty"` // the number of the retry, for an event

	request, answer json.RawMessage // see exchange
}

const keptPayloads = 200

// Payload is one payload as the app got it.
type Payload struct {
	Route   string          `json:"route"` // events, interactivity or options
	Name    string          `json:"name"`  // the type of the event or interaction
	User    string          `json:"user,omitempty"`
	Payload json.RawMessage `json:"payload"`
}

// keep stores a payload. Call it with mu held.
func (s *Server) keep(d delivery) {
	if !json.Valid(d.payload) {
		return // a forged payload that can't be shown as JSON
	}
	s.payloads = append(s.payloads, Payload{d.route, d.name, d.user, d.payload})
	if len(s.payloads) > keptPayloads {
		s.payloads = s.payloads[len(s.payloads)-keptPayloads:]
	}
}

func (s *Server) record(t Traffic, start time.Time) {
	t.Millis = time.Since(start).Milliseconds()
	s.log.Debug("slack traffic", "direction", t.Direction, "name", t.Name, "ok", t.OK, "error", t.Error, "ms", t.Millis)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trafficN++
	t.Seq = s.trafficN
	s.exchanges.keep(exchange{t.Seq, t.request, t.answer})
	t.request, t.answer = nil, nil
	s.traffic = append(s.traffic, t)
	if len(s.traffic) > keptTraffic {
		s.traffic = s.traffic[len(s.traffic)-keptTraffic:]
	}
	s.touch()
}
