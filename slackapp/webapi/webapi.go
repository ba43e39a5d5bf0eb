// Package webapi makes the client of Slack's Web API that slackapp and worker share. It repeats calls that Slack did not
// answer, or answered with an error of its own, where that cannot do anything twice.
package webapi

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"path"
	"strconv"
	"time"

	"github.com/slack-go/slack"
)

// Options of a client.
type Options struct {
	APIURL   string        // another root, with a trailing slash; empty: Slack's
	AppToken string        // for Socket Mode
	Timeout  time.Duration // of one try
	// LongestWait is how long a call waits at most when Slack asks for that. A longer Retry-After is the caller's to obey,
	// who gets a *slack.RateLimitedError. 0: no limit but the call's deadline.
	LongestWait time.Duration
	Log         *slog.Logger
}

// New makes a client. A call that fails is repeated within its context's deadline: after 5xx, a connection error or one of
// Slack's words for either, if it is safe to repeat; after 429, which says that nothing was done, if it does not open a modal.
//
// slack-go's own retries (OptionRetryConfig, v0.35.0) do not tell methods apart: with them, a chat.postMessage whose answer
// was lost is posted twice.
func New(token string, o Options) *slack.Client {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	options := []slack.Option{
		slack.OptionHTTPClient(&repeater{&http.Client{Timeout: o.Timeout}, o.LongestWait, o.Log}),
		slack.OptionAppLevelToken(o.AppToken),
		slack.OptionLog(slog.NewLogLogger(o.Log.Handler(), slog.LevelWarn)),
	}
	if o.APIURL != "" {
		options = append(options, slack.OptionAPIURL(o.APIURL))
	}
	return slack.New(token, options...)
}

// safeToRepeat are the methods that leave the same behind however often they are called: they read, or put something in a
// place of its own. One that is not listed is not repeated.
var safeToRepeat = map[string]bool{
	"auth.test":           true,
	"bots.info":           true,
	"users.info":          true,
	"users.lookupByEmail": true,
	"conversations.open":  true, // answers the conversation that is open already
	"chat.update":         true,
	"views.publish":       true,
	"views.update":        true, // with a hash: hash_conflict where the first call was done, which the caller knows
}

// opensModal are the methods whose trigger lasts three seconds, and is used up: what is to be waited for comes too late.
var opensModal = map[string]bool{"views.open": true, "views.push": true}

// Slack's words, in an answer of status 200, for what is 5xx and 429 elsewhere: "It's possible some aspect of the operation
// succeeded before the error was raised" (https://docs.slack.dev/reference/methods/views.update, Errors).
var (
	brokenAnswers = map[string]bool{
		"internal_error": true, "fatal_error": true, "service_unavailable": true, "request_timeout": true,
	}
	tooManyCalls = "ratelimited"
)

const (
	tries     = 5
	leastTry  = 500 * time.Millisecond // with less time left, a call is not repeated
	maxAnswer = 8 << 20
)

var firstPause = 250 * time.Millisecond // doubled after each: 250 ms, 500 ms, 1 s, 2 s. Tests shorten it

// repeater is slack-go's HTTP client.
type repeater struct {
	http        *http.Client
	longestWait time.Duration
	log         *slog.Logger
}

// Do sends a request until it is answered, or may not or need not be repeated.
func (r *repeater) Do(req *http.Request) (*http.Response, error) {
	method := path.Base(req.URL.Path)
	for try, pause := 1, firstPause; ; try, pause = try+1, 2*pause {
		resp, said, err := r.try(req)
		wait, why := pause+rand.N(pause/5), "" //nolint:gosec // so that not all repeat at once
		switch {
		case err != nil:
			why = "no answer"
		case resp.StatusCode == http.StatusTooManyRequests, said == tooManyCalls:
			why, wait = tooManyCalls, max(wait, retryAfter(resp))
		case resp.StatusCode >= http.StatusInternalServerError:
			why = resp.Status
		case brokenAnswers[said]:
			why = said
		}
		may := safeToRepeat[method] || why == tooManyCalls && !opensModal[method]
		if why == "" || !may || try == tries || r.longestWait > 0 && wait > r.longestWait {
			return resp, err
		}
		if !rewind(req) || !pass(req.Context(), wait) {
			return resp, err
		}
		r.log.Warn("Slack call failed, repeating it", "method", method, "try", try, "why", why, "error", err)
	}
}

// try sends the request once and reads the whole answer, so that one that is cut off is a failed call.
func (r *repeater) try(req *http.Request) (resp *http.Response, said string, err error) {
	if resp, err = r.http.Do(req); err != nil { //nolint:gosec // the root is a setting, the method slack-go's
		return nil, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, "", fmt.Errorf("read the answer: %w", err)
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	var answer struct {
		Error string `json:"error"`
	}
	if json.Unmarshal(body, &answer) != nil {
		return resp, "", nil // a page: the status says enough
	}
	return resp, answer.Error, nil
}

// retryAfter is how long Slack asks to be left alone; at least a second.
func retryAfter(resp *http.Response) time.Duration {
	seconds, err := strconv.Atoi(resp.Header.Get("Retry-After"))
	if err != nil {
		seconds = 0
	}
	return time.Duration(max(seconds, 1)) * time.Second
}

// rewind makes a request that was sent ready to be sent again.
func rewind(req *http.Request) bool {
	if req.Body == nil {
		return true
	}
	if req.GetBody == nil {
		return false
	}
	body, err := req.GetBody()
	if err != nil {
		return false
	}
	req.Body = body
	return true
}

// pass lets time pass. False: too little would be left for another try.
func pass(ctx context.Context, wait time.Duration) bool {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < wait+leastTry {
		return false
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
