package slacksim

import (
	"fmt"
	"net/http"
	"time"
)

// Kinds of faults.
const (
	faultRateLimited    = "ratelimited"     // 429 with Retry-After
	faultError          = "error"           // ok: false with Error
	faultStatus         = "status"          // an HTTP status with HTML instead of JSON
	faultSlow           = "slow"            // answered after DelayMS
	faultCut            = "cut"             // the connection is closed without an answer
	faultTwice          = "twice"           // an event is delivered twice; Method is its type
	faultForgetInitials = "forget_initials" // modals opened meanwhile report untouched initial_options as empty (bolt-js#1258)
)

// Fault is an error that the local Slack produces on demand.
type Fault struct {
	ID         int64  `json:"id"`
	Method     string `json:"method"` // a Web API method, response_url, an event's type, or * for all
	Kind       string `json:"kind"`
	Times      int    `json:"times,omitempty"`       // how often; 0: until it is cleared
	RetryAfter int    `json:"retry_after,omitempty"` // seconds, for ratelimited
	Error      string `json:"error,omitempty"`       // for error
	Status     int    `json:"status,omitempty"`      // for status
	DelayMS    int    `json:"delay_ms,omitempty"`    // for slow
	After      bool   `json:"after,omitempty"`       // for cut and status: after the work is done, so that only the answer is lost

	left int
}

func (f *Fault) is(kind string) bool  { return f.Kind == kind }
func (f *Fault) delay() time.Duration { return time.Duration(f.DelayMS) * time.Millisecond }

func (f *Fault) check() error {
	switch {
	case f.Method == "":
		return fmt.Errorf("a fault needs a method, or *")
	case f.Kind == faultError && f.Error == "":
		return fmt.Errorf("a fault of kind error needs an error, for example internal_error")
	case f.Kind == faultStatus && http.StatusText(f.Status) == "":
		return fmt.Errorf("a fault of kind status needs an HTTP status")
	case f.After && f.Kind != faultCut && f.Kind != faultStatus:
		return fmt.Errorf("only faults of kind cut and status can come after the work, not %q", f.Kind)
	case f.Kind == faultSlow && f.DelayMS <= 0:
		return fmt.Errorf("a fault of kind slow needs delay_ms")
	}
	switch f.Kind {
	case faultRateLimited, faultError, faultStatus, faultSlow, faultCut, faultTwice, faultForgetInitials:
		return nil
	}
	return fmt.Errorf("no such kind of fault: %q", f.Kind)
}

// takeFault returns the fault for this call and counts it, or an empty one; away means that Slack is
// unavailable.
func (s *Server) takeFault(method string) (f Fault, away bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away {
		return Fault{}, true
	}
	for i, f := range s.faults {
		if f.Method != method && f.Method != "*" || f.Kind == faultTwice || f.Kind == faultForgetInitials {
			continue
		}
		s.countFault(i)
		return *f, false
	}
	return Fault{}, false
}

// takeTwice reports whether to deliver this event twice. Call it with mu held.
func (s *Server) takeTwice(event string) bool {
	for i, f := range s.faults {
		if f.Kind == faultTwice && (f.Method == event || f.Method == "*") {
			s.countFault(i)
			return true
		}
	}
	return false
}

func (s *Server) faultActive(kind string) bool {
	for i, f := range s.faults {
		if f.Kind == kind {
			s.countFault(i)
			return true
		}
	}
	return false
}

func (s *Server) countFault(i int) {
	f := s.faults[i]
	if f.Times == 0 {
		return
	}
	if f.left--; f.left == 0 {
		s.faults = append(s.faults[:i:i], s.faults[i+1:]...)
	}
}

// meetFault applies the faults that come before a call is processed; ended means that the call is over.
func (s *Server) meetFault(w http.ResponseWriter, r *http.Request, method string, t *Traffic) (f Fault, ended bool) {
	f, away := s.takeFault(method)
	switch {
	case away || f.is(faultCut) && !f.After:
		t.Status, t.Error = 0, "cut"
		hangUp(w)
		return f, true
	case f.is(faultSlow):
		timer := time.NewTimer(f.delay())
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done():
			t.Status, t.Error = 0, "the caller gave up"
			return f, true
		case <-s.stop:
			return f, true
		}
	case f.is(faultStatus) && !f.After:
		t.Status, t.Error = f.Status, "fault"
		http.Error(w, "<html>"+http.StatusText(f.Status)+"</html>", f.Status)
		return f, true
	}
	return f, false
}

// hangUp closes the connection without an answer.
func hangUp(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // the server closes the connection
	}
	_ = conn.Close()
}
