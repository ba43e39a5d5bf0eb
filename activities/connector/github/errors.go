package github

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-github/v93/github"

	"accessbot/activities/connector"
	"accessbot/activities/connector/httptarget"
)

// slowDown is how long to wait where GitHub asks for fewer requests and does not
// say for how long ("Rate limits for the REST API": at least one minute).
const slowDown = time.Minute

// classify puts an error of a call into one of the port's classes, without the
// token, whatever GitHub repeats of it. ctx is the caller's.
func classify(ctx context.Context, token string, err error) error {
	err = classOf(ctx, err)
	if denied := (*connector.Denied)(nil); errors.As(err, &denied) && denied.Err != nil {
		return &connector.Denied{Do: denied.Do, Err: without(token, denied.Err)}
	}
	if err != nil && strings.Contains(err.Error(), token) {
		return &connector.Unavailable{Err: without(token, err)}
	}
	return err
}

func without(token string, err error) error {
	if !strings.Contains(err.Error(), token) {
		return err
	}
	return errors.New(strings.ReplaceAll(err.Error(), token, "(token)"))
}

func classOf(ctx context.Context, err error) error {
	if err == nil || connector.ClassOf(err) != connector.ClassUnavailable {
		return err
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return ctx.Err()
	}
	var certificate *tls.CertificateVerificationError
	var unavailable *connector.Unavailable
	switch a, answered := answerOf(err); {
	case errors.As(err, &unavailable):
		return err
	case answered:
		return classifyAnswer(a, err)
	case errors.As(err, &certificate):
		return &connector.Denied{Err: err, Do: "check url: the server there cannot prove that it is that one"}
	case errors.Is(err, context.DeadlineExceeded):
		return &connector.Unavailable{Err: fmt.Errorf("GitHub did not answer in time: %w", err)}
	default:
		return &connector.Unavailable{Err: err}
	}
}

func classifyAnswer(a answer, err error) error {
	if wait, limited := rateLimited(a, err); limited {
		return &connector.RateLimited{RetryAfter: wait, Err: err}
	}
	switch status := a.status; {
	case status == http.StatusUnauthorized:
		return &connector.Denied{Err: err, Do: "renew the token: GitHub does not know it, or it has expired"}
	case status == http.StatusForbidden && a.header.Get("X-GitHub-SSO") != "":
		return &connector.Denied{Err: err, Do: "authorize the token for the organization's single sign-on"}
	case status == http.StatusForbidden:
		return &connector.Denied{Err: err, Do: "grant the token the right to do this: that of an owner, with scope admin:org, or Members: read and write"}
	case status >= 300 && status < 400:
		return &connector.Denied{Err: err, Do: "check organization and url: GitHub says that it is somewhere else now"}
	case status == http.StatusUnprocessableEntity:
		return &connector.Denied{Err: err, Do: "see what GitHub says: it understands the request, and will not do it"}
	default: // a 404 that no one expected, too: perhaps it is gone, and the next look says so
		return &connector.Unavailable{Err: err}
	}
}

// rateLimited tells whether an answer asks for fewer requests, and for how long:
// what retry-after says, else the reset if nothing remains, else a minute
// ("Rate limits for the REST API"). A 403 without any sign of it is something else.
func rateLimited(a answer, err error) (time.Duration, bool) {
	var primary *github.RateLimitError
	var secondary *github.AbuseRateLimitError
	after := a.header.Get("Retry-After")
	switch {
	case errors.As(err, &primary), errors.As(err, &secondary), a.status == http.StatusTooManyRequests:
	case after != "" && (a.status == http.StatusForbidden || a.status == http.StatusServiceUnavailable):
	default:
		return 0, false
	}
	return waitOf(a.header), true
}

func waitOf(h http.Header) time.Duration {
	if wait, said := httptarget.RetryAfter(h); said && wait > 0 {
		return wait
	}
	if at, err := strconv.ParseInt(h.Get("X-RateLimit-Reset"), 10, 64); err == nil && h.Get("X-RateLimit-Remaining") == "0" {
		wait := httptarget.Seconds(int(max(at, 0) - time.Now().Unix())) // within reason, whatever it says
		return max(wait, time.Second) + time.Second                     // clocks differ, and resets are whole seconds
	}
	return slowDown
}

// answer is what GitHub said; its body is in the error.
type answer struct {
	status int
	header http.Header
}

// answerOf is the answer that an error is about, if it is about one.
func answerOf(err error) (a answer, answered bool) {
	var (
		plain     *github.ErrorResponse
		primary   *github.RateLimitError
		secondary *github.AbuseRateLimitError
		moved     *github.RedirectionError
		twoFactor *github.TwoFactorAuthError
	)
	switch {
	case errors.As(err, &plain):
		return answer{plain.Response.StatusCode, plain.Response.Header}, true
	case errors.As(err, &primary):
		return answer{primary.Response.StatusCode, primary.Response.Header}, true
	case errors.As(err, &secondary):
		return answer{secondary.Response.StatusCode, secondary.Response.Header}, true
	case errors.As(err, &moved):
		return answer{moved.Response.StatusCode, moved.Response.Header}, true
	case errors.As(err, &twoFactor):
		return answer{twoFactor.Response.StatusCode, twoFactor.Response.Header}, true
	default:
		return answer{}, false
	}
}

func isNotFound(err error) bool {
	a, _ := answerOf(err)
	return a.status == http.StatusNotFound
}

// writeError names what only the place of a change knows. Both names were just
// seen: so a 404 says that the token may not, which GitHub does not say openly.
func writeError(err error, what string) error {
	a, answered := answerOf(err)
	if !answered {
		return err
	}
	if _, limited := rateLimited(a, err); limited {
		return err
	}
	switch a.status {
	case http.StatusNotFound:
		return &connector.Denied{Err: err, Do: "let the token " + what + ": scope admin:org, or Members: read and write"}
	case http.StatusForbidden:
		return &connector.Denied{Err: err, Do: "let the token " + what + " (scope admin:org, or Members: read and write); if an identity provider " +
			"manages these members, change them there, and mark the entitlement as not requestable"}
	default:
		return err
	}
}

// unexpected is an answer that makes no sense.
func unexpected(what string) error {
	return &connector.Unavailable{Err: errors.New("GitHub answered with " + what)}
}

// graphQLFailed is what GraphQL says with status 200.
func graphQLFailed(header http.Header, e graphQLError) error {
	err := fmt.Errorf("GraphQL: %s: %s", e.Type, e.Message)
	switch e.Type {
	case "RATE_LIMITED":
		return &connector.RateLimited{RetryAfter: waitOf(header), Err: err}
	case "FORBIDDEN", "INSUFFICIENT_SCOPES":
		return &connector.Denied{Err: err, Do: "let the token read the organization's teams: scope admin:org, or Members: read and write"}
	default:
		return &connector.Unavailable{Err: err}
	}
}
