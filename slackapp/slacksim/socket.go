package slacksim

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

const (
	maxConnections = 10        // of Socket Mode, for one app ("Using Socket Mode")
	maxSocketReply = 20 * 1024 // Slack drops an ack of this size or more, silently
	ticketTTL      = 30 * time.Second
)

// sockets are the app's Socket Mode connections. A payload goes to exactly one of them.
type sockets struct {
	s        *Server
	upgrader websocket.Upgrader

	mu      sync.Mutex
	tickets map[string]time.Time
	conns   []*socket
	next    int
	waiting map[string]chan ack // by envelope
	closed  bool
}

type socket struct {
	conn  *websocket.Conn
	write sync.Mutex

	retiring bool // it was told to reconnect and gets no more payloads; guarded by sockets.mu
}

func (c *socket) send(v any) error {
	c.write.Lock()
	defer c.write.Unlock()
	_ = c.conn.SetWriteDeadline(time.Now().Add(5 * time.Second)) // the write reports a dead connection
	return c.conn.WriteJSON(v)
}

func newSockets(s *Server) *sockets {
	return &sockets{
		s: s, tickets: map[string]time.Time{}, waiting: map[string]chan ack{},
		upgrader: websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}, // the ticket authenticates
	}
}

// connectionsOpen returns a URL for one connection, valid for a short time.
func (s *Server) connectionsOpen(c *call) (object, *refusal) {
	ticket := randomID() + randomID() + randomID() + randomID()
	s.sockets.mu.Lock()
	s.sockets.tickets[ticket] = time.Now().Add(ticketTTL)
	s.sockets.mu.Unlock()
	return object{"url": strings.Replace(c.base, "http", "ws", 1) + "/link?ticket=" + ticket + "&app_id=" + s.cfg.AppID}, nil
}

// serve serves one connection, from hello until it ends.
func (k *sockets) serve(w http.ResponseWriter, r *http.Request) {
	ticket := r.URL.Query().Get("ticket")
	k.s.mu.Lock()
	away := k.s.away
	k.s.mu.Unlock()
	k.mu.Lock()
	until, ok := k.tickets[ticket]
	delete(k.tickets, ticket)
	full := len(k.conns) >= maxConnections
	k.mu.Unlock()
	switch {
	case away:
		hangUp(w)
		return
	case !ok || time.Now().After(until):
		http.Error(w, "the ticket is unknown, used or expired", http.StatusUnauthorized)
		return
	case full:
		http.Error(w, fmt.Sprintf("more than %d connections", maxConnections), http.StatusTooManyRequests)
		return
	}
	conn, err := k.upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // Upgrade has answered
	}
	c := &socket{conn: conn}
	k.mu.Lock()
	if k.closed {
		k.mu.Unlock()
		_ = conn.Close()
		return
	}
	k.conns = append(k.conns, c)
	n := len(k.conns)
	k.mu.Unlock()
	err = c.send(object{
		"type": "hello", "num_connections": n, "connection_info": object{"app_id": k.s.cfg.AppID},
		"debug_info": object{"host": "slacksim", "approximate_connection_time": 3600},
	})
	if err == nil {
		k.changed()
		done := make(chan struct{})
		go k.ping(c, done)
		k.read(c)
		close(done)
	}
	k.drop(c)
}

func (k *sockets) ping(c *socket, done chan struct{}) {
	every := time.NewTicker(k.s.cfg.PingInterval)
	defer every.Stop()
	for {
		if err := c.conn.WriteControl(websocket.PingMessage, []byte("slacksim"), time.Now().Add(5*time.Second)); err != nil {
			_ = c.conn.Close() // ends read
			return
		}
		select {
		case <-every.C:
		case <-done:
			return
		}
	}
}

// read receives acks until the connection ends.
func (k *sockets) read(c *socket) {
	for {
		_, raw, err := c.conn.ReadMessage()
		if err != nil {
			return
		}
		var m struct {
			EnvelopeID string          `json:"envelope_id"`
			Payload    json.RawMessage `json:"payload"`
		}
		if err := json.Unmarshal(raw, &m); err != nil || m.EnvelopeID == "" {
			k.s.log.Warn("not an ack", "bytes", len(raw))
			continue
		}
		if len(raw) >= maxSocketReply {
			k.s.record(Traffic{Direction: fromApp, Name: "ack", Transport: "socket", At: time.Now(), Bytes: len(raw),
				Error: fmt.Sprintf("dropped: an ack must be under %d bytes", maxSocketReply)}, time.Now())
			continue
		}
		k.mu.Lock()
		waiter := k.waiting[m.EnvelopeID]
		delete(k.waiting, m.EnvelopeID)
		k.mu.Unlock()
		if waiter != nil {
			waiter <- ack{body: m.Payload}
		}
	}
}

func (k *sockets) drop(c *socket) {
	_ = c.conn.Close()
	k.mu.Lock()
	for i, other := range k.conns {
		if other == c {
			k.conns = append(k.conns[:i:i], k.conns[i+1:]...)
			break
		}
	}
	k.mu.Unlock()
	k.changed()
}

func (k *sockets) changed() {
	k.s.mu.Lock()
	defer k.s.mu.Unlock()
	k.s.touch()
}

// pick returns the connection for the next payload, each in turn.
func (k *sockets) pick() *socket {
	k.mu.Lock()
	defer k.mu.Unlock()
	live := k.live()
	if len(live) == 0 {
		return nil
	}
	k.next++
	return live[k.next%len(live)]
}

// live returns the connections that may get payloads. Call it with k.mu held.
func (k *sockets) live() []*socket {
	var live []*socket
	for _, c := range k.conns {
		if !c.retiring {
			live = append(live, c)
		}
	}
	return live
}

func (k *sockets) deliver(ctx context.Context, d delivery) ack {
	c := k.pick()
	if c == nil {
		return ack{problem: "connection_failed", detail: "no Socket Mode connection"}
	}
	k.s.mu.Lock()
	envelope := k.s.newID("E") + randomID() + randomID()
	k.s.mu.Unlock()
	m := object{
		"envelope_id": envelope, "type": "interactive", "payload": json.RawMessage(d.payload),
		"accepts_response_payload": d.wantsReply(),
	}
	if d.route == routeEvents {
		m["type"], m["retry_attempt"], m["retry_reason"] = "events_api", d.retry, d.retryReason
	}
	waiter := make(chan ack, 1)
	k.mu.Lock()
	k.waiting[envelope] = waiter
	k.mu.Unlock()
	defer func() {
		k.mu.Lock()
		delete(k.waiting, envelope)
		k.mu.Unlock()
	}()
	if err := c.send(m); err != nil {
		return ack{problem: "connection_failed", detail: err.Error()}
	}
	select {
	case a := <-waiter:
		if !d.wantsReply() {
			a.body = nil
		}
		return a
	case <-ctx.Done():
		return ack{problem: "timeout", detail: fmt.Sprintf("no ack within %s", k.s.cfg.AckTimeout)}
	}
}

// disconnect tells every connection to reconnect, as Slack does now and then; the app closes the old one.
func (k *sockets) disconnect(reason string) int {
	k.mu.Lock()
	conns := k.live()
	for _, c := range conns {
		c.retiring = true
	}
	k.mu.Unlock()
	for _, c := range conns {
		err := c.send(object{"type": "disconnect", "reason": reason, "debug_info": object{"host": "slacksim"}})
		if err != nil {
			_ = c.conn.Close()
		}
	}
	return len(conns)
}

// cut closes every connection without a message.
func (k *sockets) cut() {
	k.mu.Lock()
	conns := append([]*socket(nil), k.conns...)
	k.mu.Unlock()
	for _, c := range conns {
		_ = c.conn.Close()
	}
}

func (k *sockets) closeAll() {
	k.mu.Lock()
	k.closed = true
	k.mu.Unlock()
	k.cut()
}

func (k *sockets) count() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.live())
}
