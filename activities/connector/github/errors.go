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

// defaultWait is how long to wait if GitHub asks for fewer requests and does not say for how long ("Rate limits for the REST
// API": at least one minute).
const defaultWait = time.Minute

// classify returns err in one of the classes of package connector. It removes the token if GitHub repeats it. ctx is the
// caller's.
func classify(ctx context.Context, token string, err error) error {
	err = classOf(ctx, err)
	if denied := (*connector.Denied)(nil); errors.As(err, &denied) && denied.Err != nil {
		return &connector.Denied{Fix: denied.Fix, Err: without(token, denied.Err)}
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
	switch a, ok := responseOf(err); {
	case errors.As(err, &unavailable):
		return err
	case ok:
		return classifyResponse(a, err)
	case errors.As(err, &certificate):
		return &connector.Denied{Err: err, Fix: "check url: the server's certificate is not valid for it"}
	case errors.Is(err, context.DeadlineExceeded):
		return &connector.Unavailable{Err: fmt.Errorf("GitHub did not answer in time: %w", err)}
	default:
		return &connector.Unavailable{Err: err}
	}
}

func classifyResponse(a response, err error) error {
	if wait, limited := rateLimited(a, err); limited {
		return &connector.RateLimited{RetryAfter: wait, Err: err}
	}
	switch status := a.status; {
	case status == http.StatusUnauthorized:
		return &connector.Denied{Err: err, Fix: "renew the token: it is unknown to GitHub, or has expired"}
	case status == http.StatusForbidden && a.header.Get("X-GitHub-SSO") != "":
		return &connector.Denied{Err: err, Fix: "authorize the token for the organization's single sign-on"}
	case status == http.StatusForbidden:
		return &connector.Denied{Err: err, Fix: "use the token of an owner, with scope admin:org, or Members: read and write"}
	case status >= 300 && status < 400:
		return &connector.Denied{Err: err, Fix: "check organization and url: GitHub redirects to another address"}
	case status == http.StatusUnprocessableEntity:
		return &connector.Denied{Err: err, Fix: "read GitHub's reason: it rejected a valid request"}
	default: // including an unexpected 404: if something is gone, the next read says so
		return &connector.Unavailable{Err: err}
	}
}

// rateLimited reports whether GitHub asks for fewer requests, and how long to wait: as Retry-After says, else until the reset
// if no requests remain, else a minute ("Rate limits for the REST API"). A 403 without these signs is a missing permission.
func rateLimited(a response, err error) (time.Duration, bool) {
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
		wait := httptarget.Seconds(int(max(at, 0) - time.Now().Unix())) // limited to 24 hours
		return max(wait, time.Second) + time.Second                     // clocks differ, and reset times are whole seconds
	}
	return defaultWait
}

// response is the status and header of a response. The error has its body.
type response struct {
	status int
	header http.Header
}

// responseOf returns the response that an error is about, if there was one.
func responseOf(err error) (r response, ok bool) {
	var (
		plain     *github.ErrorResponse
		primary   *github.RateLimitError
		secondary *github.AbuseRateLimitError
		moved     *github.RedirectionError
		twoFactor *github.TwoFactorAuthError
	)
	switch {
	case errors.As(err, &plain):
		return response{plain.Response.StatusCode, plain.Response.Header}, true
	case errors.As(err, &primary):
		return response{primary.Response.StatusCode, primary.Response.Header}, true
	case errors.As(err, &secondary):
		return response{secondary.Response.StatusCode, secondary.Response.Header}, true
	case errors.As(err, &moved):
		return response{moved.Response.StatusCode, moved.Response.Header}, true
	case errors.As(err, &twoFactor):
		return response{twoFactor.Response.StatusCode, twoFactor.Response.Header}, true
	default:
		return response{}, false
	}
}

func isNotFound(err error) bool {
	a, _ := responseOf(err)
	return a.status == http.StatusNotFound
}

// writeError explains an error of a change. The team and the user have just been read, so a 404 means that the token lacks the
// permission, which GitHub does not say directly.
func writeError(err error, change string) error {
	a, ok := responseOf(err)
	if !ok {
		return err
	}
	if _, limited := rateLimited(a, err); limited {
		return err
	}
	switch a.status {
	case http.StatusNotFound:
		return &connector.Denied{Err: err, Fix: "let the token " + change + ": scope admin:org, or Members: read and write"}
	case http.StatusForbidden:
		return &connector.Denied{
			Err: err,
			Fix: "let the token " + change + " (scope admin:org, or Members: read and write); if an identity provider " +
				"manages these members, change them there and mark the entitlement as not requestable",
		}
	default:
		return err
	}
}

// unexpected returns the error for a response that makes no sense.
func unexpected(what string) error {
	return &connector.Unavailable{Err: errors.New("GitHub returned " + what)}
}

// graphQLFailed returns the error for a GraphQL response with status 200 that contains errors.
func graphQLFailed(header http.Header, e graphQLError) error {
	err := fmt.Errorf("GraphQL: %s: %s", e.Type, e.Message)
	switch e.Type {
	case "RATE_LIMITED":
		return &connector.RateLimited{RetryAfter: waitOf(header), Err: err}
	case "FORBIDDEN", "INSUFFICIENT_SCOPES":
		return &connector.Denied{
			Err: err,
			Fix: "let the token read the organization's teams: scope admin:org, or Members: read and write",
		}
	default:
		return &connector.Unavailable{Err: err}
	}
}
