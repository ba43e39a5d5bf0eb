// Package webapi creates the Slack Web API client that slackapp and worker share. It retries calls that Slack did not answer,
// or answered with an internal error, if the retry can't do anything twice.
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
	APIURL   string        // the root of the Web API, with a trailing slash; empty: Slack's
	AppToken string        // for Socket Mode
	Timeout  time.Duration // of one attempt
	// LongestWait is the longest Retry-After that a call obeys. For a longer one, the caller gets a *slack.RateLimitedError.
	// 0: only the call's deadline limits it.
	LongestWait time.Duration
	Log         *slog.Logger
}

// New creates a client. It retries failed calls within the context's deadline: after 5xx, a connection error or Slack's codes
// for them, if the method is safe to repeat; after 429, which means that nothing was done, unless the method opens a modal.
//
// slack-go's own retries (OptionRetryConfig, v0.35.0) do not distinguish methods: a chat.postMessage whose answer was lost would
// be posted twice.
func New(token string, o Options) *slack.Client {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	options := []slack.Option{
		slack.OptionHTTPClient(&retrier{&http.Client{Timeout: o.Timeout}, o.LongestWait, o.Log}),
		slack.OptionAppLevelToken(o.AppToken),
		slack.OptionLog(slog.NewLogLogger(o.Log.Handler(), slog.LevelWarn)),
	}
	if o.APIURL != "" {
		options = append(options, slack.OptionAPIURL(o.APIURL))
	}
	return slack.New(token, options...)
}

// safeToRepeat lists the methods whose repetition has no further effect: they read, or write to a fixed place. Other methods
// are not retried.
var safeToRepeat = map[string]bool{
	"auth.test":           true,
	"bots.info":           true,
	"users.info":          true,
	"users.lookupByEmail": true,
	"conversations.open":  true, // returns the conversation if it is already open
	"chat.update":         true,
	"views.publish":       true,
	"views.update":        true, // with a hash, it returns hash_conflict if the first call was done; callers expect that
}

// opensModal lists the methods that need a trigger, which is valid once and for three seconds: too short to wait.
var opensModal = map[string]bool{"views.open": true, "views.push": true}

// Error codes of answers with status 200 that mean the same as 5xx and 429: "It's possible some aspect of the operation
// succeeded before the error was raised" (https://docs.slack.dev/reference/methods/views.update, Errors).
var (
	brokenAnswers = map[string]bool{
		"internal_error": true, "fatal_error": true, "service_unavailable": true, "request_timeout": true,
	}
	tooManyCalls = "ratelimited"
)

const (
	tries     = 5
	leastTry  = 500 * time.Millisecond // with less time left, there is no retry
	maxAnswer = 8 << 20
)

var firstPause = 250 * time.Millisecond // doubled after each attempt: 250 ms, 500 ms, 1 s, 2 s. Tests shorten it

// retrier is the HTTP client given to slack-go.
type retrier struct {
	http        *http.Client
	longestWait time.Duration
	log         *slog.Logger
}

// Do sends a request, and retries it as New describes.
func (r *retrier) Do(req *http.Request) (*http.Response, error) {
	method := path.Base(req.URL.Path)
	for try, pause := 1, firstPause; ; try, pause = try+1, 2*pause {
		resp, code, err := r.try(req)
		wait, why := pause+rand.N(pause/5), "" //nolint:gosec // spreads retries; not a secret
		switch {
		case err != nil:
			why = "no answer"
		case resp.StatusCode == http.StatusTooManyRequests, code == tooManyCalls:
			why, wait = tooManyCalls, max(wait, retryAfter(resp))
		case resp.StatusCode >= http.StatusInternalServerError:
			why = resp.Status
		case brokenAnswers[code]:
			why = code
		}
		may := safeToRepeat[method] || why == tooManyCalls && !opensModal[method]
		if why == "" || !may || try == tries || r.longestWait > 0 && wait > r.longestWait {
			return resp, err
		}
		if !rewind(req) || !pass(req.Context(), wait) {
			return resp, err
		}
		r.log.Warn("Slack call failed, retrying", "method", method, "try", try, "why", why, "error", err)
	}
}

// try sends the request once and reads the whole answer, so that a truncated answer counts as a failed call. It also returns
// the error code in the answer.
func (r *retrier) try(req *http.Request) (resp *http.Response, code string, err error) {
	if resp, err = r.http.Do(req); err != nil { //nolint:gosec // the root is a setting, the method is slack-go's
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
		return resp, "", nil // an HTML page: the status is enough
	}
	return resp, answer.Error, nil
}

// retryAfter returns how long Slack asks to wait, at least a second.
func retryAfter(resp *http.Response) time.Duration {
	seconds, err := strconv.Atoi(resp.Header.Get("Retry-After"))
	if err != nil {
		seconds = 0
	}
	return time.Duration(max(seconds, 1)) * time.Second
}

// rewind resets a request's body so that it can be sent again.
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

// pass waits. It returns false if too little time would be left for another attempt.
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
