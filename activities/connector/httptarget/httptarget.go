// Package httptarget has what all connectors to HTTP targets share: a client that sends secrets to no other host, limits on the
// size of responses, and the classes of errors.
package httptarget

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"time"

	"accessbot/activities/connector"
)

// Timeouts of a request and of its connection.
const (
	requestTimeout = 10 * time.Second
	connectTimeout = 5 * time.Second
)

// maxRetryAfter limits how long a target can make access wait, in case it sends nonsense.
const maxRetryAfter = 24 * time.Hour

// ParseURL parses the setting url. who names the target in errors, such as "the receiver". TLS is required except for loopback
// addresses. An invalid URL is *connector.Denied, which does not repeat it, as it may contain a password.
func ParseURL(raw, who string) (*url.URL, error) {
	at, err := url.Parse(raw)
	switch {
	case err != nil || at.Host == "" || at.User != nil || at.Fragment != "" || at.Scheme != "https" && at.Scheme != "http":
		return nil, &connector.Denied{Fix: "set url to the address of " + who + ": https://HOST/PATH, without a user or password"}
	case at.Scheme == "http" && !loopback(at.Hostname()):
		return nil, &connector.Denied{
			Fix: "set url to an https address: without TLS, requests can be read and repeated, and responses forged",
		}
	}
	return at, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Client returns a client that trusts the certificate authorities in caFile (PEM; empty: the system's). It follows no redirects,
// as that could send the credentials to another host.
func Client(caFile string) (*http.Client, error) {
	pool, err := certPool(caFile)
	if err != nil {
		return nil, err
	}
	transport := Transport()
	transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	return &http.Client{
		Timeout:       requestTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport:     transport,
	}, nil
}

// Transport returns a transport with few idle connections and short connection timeouts.
func Transport() *http.Transport {
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: connectTimeout}).DialContext,
		TLSHandshakeTimeout: connectTimeout,
		ForceAttemptHTTP2:   true,
		MaxIdleConnsPerHost: 4,
		IdleConnTimeout:     time.Minute,
	}
}

func certPool(caFile string) (*x509.CertPool, error) {
	if caFile == "" {
		return nil, nil //nolint:nilnil // crypto/tls uses the system's authorities if it is nil
	}
	text, err := os.ReadFile(caFile) //nolint:gosec // the operator chooses the file
	if err != nil {
		return nil, &connector.Denied{Fix: "set ca_file to a readable file", Err: err}
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, &connector.Denied{Fix: "set ca_file to a file with PEM certificates: there are none in " + caFile}
	}
	return pool, nil
}

// Body reads a response body of at most limit bytes.
func Body(response *http.Response, limit int) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(response.Body, int64(limit)+1))
	switch {
	case err != nil:
		return nil, err
	case len(text) > limit:
		return nil, &connector.Unavailable{Err: fmt.Errorf("the response has more than %d bytes", limit)}
	}
	return text, nil
}

// RateLimited reports whether a response asks for fewer requests (429, or 503 with a Retry-After), and how long it asks to wait;
// zero if it does not say.
func RateLimited(status int, header http.Header) (wait time.Duration, limited bool) {
	wait, said := RetryAfter(header)
	return wait, status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable && said
}

// RetryAfter returns how long a response asks to wait, in seconds or until a time (RFC 9110, 10.2.3), and whether it does.
func RetryAfter(header http.Header) (wait time.Duration, said bool) {
	text := header.Get("Retry-After")
	if seconds, err := strconv.Atoi(text); err == nil {
		return Seconds(seconds), true
	}
	if at, err := http.ParseTime(text); err == nil {
		return min(max(time.Until(at), 0), maxRetryAfter), true
	}
	return 0, text != ""
}

// Seconds converts a number of seconds that a target sent, limited to 0 to 24 hours.
func Seconds(n int) time.Duration {
	return time.Duration(min(max(n, 0), int(maxRetryAfter/time.Second))) * time.Second
}

// Bounded limits response bodies to limit bytes, for libraries that read all of them.
func Bounded(transport http.RoundTripper, limit int64) http.RoundTripper {
	return bounded{transport, limit}
}

type bounded struct {
	http.RoundTripper
	limit int64
}

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := b.RoundTripper.RoundTrip(r)
	if err == nil {
		response.Body = &boundedBody{response.Body, b.limit}
	}
	return response, err
}

// CloseIdleConnections is called by http.Client.CloseIdleConnections. Embedding alone would hide it.
func (b bounded) CloseIdleConnections() {
	if closer, ok := b.RoundTripper.(interface{ CloseIdleConnections() }); ok {
		closer.CloseIdleConnections()
	}
}

type boundedBody struct {
	io.ReadCloser
	left int64
}

func (b *boundedBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errors.New("the response is too long")
	}
	n, err := b.ReadCloser.Read(p)
	b.left -= int64(n)
	return n, err
}

// Classify returns err in one of the classes of package connector. who names the target, and ctx is the caller's.
func Classify(ctx context.Context, who string, err error) error {
	var unavailable *connector.Unavailable
	if err == nil || connector.ClassOf(err) != connector.ClassUnavailable {
		return err
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return ctx.Err()
	}
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.As(err, &unavailable):
		return err
	case errors.As(err, &certificate):
		return &connector.Denied{
			Err: err,
			Fix: "set ca_file to the authority that signed the certificate of " + who + ", and url to a name in that certificate",
		}
	case errors.Is(err, context.DeadlineExceeded):
		return &connector.Unavailable{Err: fmt.Errorf("%s did not answer in time: %w", who, err)}
	default:
		return &connector.Unavailable{Err: err}
	}
}
