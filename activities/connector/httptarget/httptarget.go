// Package httptarget is what connectors to targets behind HTTP have in common: a
// client that hands no secret to anybody else, answers of bounded size, and what
// an error means.
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

// Bounds on a request, and on the way to its connection.
const (
	requestTimeout = 10 * time.Second
	connectTimeout = 5 * time.Second
)

// longestWait keeps a slip of the target from letting access wait for years.
const longestWait = 24 * time.Hour

// ParseURL reads the setting url, of what is described by who, such as "the
// receiver". Only a loopback address may do without TLS. What is wrong is
// *connector.Denied; it does not repeat the URL, which may hold a password.
func ParseURL(raw, who string) (*url.URL, error) {
	at, err := url.Parse(raw)
	switch {
	case err != nil || at.Host == "" || at.User != nil || at.Fragment != "" || at.Scheme != "https" && at.Scheme != "http":
		return nil, &connector.Denied{Do: "set url to where " + who + " listens: https://HOST/PATH, without a user or password in it"}
	case at.Scheme == "http" && !loopback(at.Hostname()):
		return nil, &connector.Denied{Do: "set url to an https address: whoever can listen could send a request again, or answer it"}
	}
	return at, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Client makes a client that trusts the authorities in caFile (PEM; empty: the
// system's). It follows no redirect: that would hand the credentials to another.
func Client(caFile string) (*http.Client, error) {
	pool, err := trusted(caFile)
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

// Transport keeps few connections, and waits for none for long.
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

func trusted(caFile string) (*x509.CertPool, error) {
	if caFile == "" {
		return nil, nil //nolint:nilnil // nil is what crypto/tls takes for the system's
	}
	text, err := os.ReadFile(caFile) //nolint:gosec // the operator names it
	if err != nil {
		return nil, &connector.Denied{Do: "set ca_file to a file that can be read", Err: err}
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, &connector.Denied{Do: "set ca_file to certificates in PEM: there is none in " + caFile}
	}
	return pool, nil
}

// Body reads an answer of at most limit bytes.
func Body(response *http.Response, limit int) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(response.Body, int64(limit)+1))
	switch {
	case err != nil:
		return nil, err
	case len(text) > limit:
		return nil, &connector.Unavailable{Err: fmt.Errorf("the answer has more than %d bytes", limit)}
	}
	return text, nil
}

// RateLimited tells whether an answer asks for fewer requests, and for how long
// (0: it does not say): 429, or 503 with a Retry-After.
func RateLimited(status int, header http.Header) (wait time.Duration, limited bool) {
	wait, said := RetryAfter(header)
	return wait, status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable && said
}

// RetryAfter is how long an answer says to wait, in seconds or until a time (RFC
// 9110, 10.2.3), if it does.
func RetryAfter(header http.Header) (wait time.Duration, said bool) {
	text := header.Get("Retry-After")
	if seconds, err := strconv.Atoi(text); err == nil {
		return Seconds(seconds), true
	}
	if at, err := http.ParseTime(text); err == nil {
		return min(max(time.Until(at), 0), longestWait), true
	}
	return 0, text != ""
}

// Seconds is how long to wait for what a target said, within reason.
func Seconds(n int) time.Duration {
	return time.Duration(min(max(n, 0), int(longestWait/time.Second))) * time.Second
}

// Bounded lets no answer be longer than limit bytes, for libraries that read all
// there is.
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

// CloseIdleConnections is what http.Client.CloseIdleConnections looks for in a transport: embedding hides it.
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
		return 0, errors.New("the answer is too long")
	}
	n, err := b.ReadCloser.Read(p)
	b.left -= int64(n)
	return n, err
}

// Classify puts an error of a call to who into one of the port's classes. ctx is
// the caller's.
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
		return &connector.Denied{Err: err, Do: "set ca_file to the authority of the certificate of " + who + ", and url to the name that is in it"}
	case errors.Is(err, context.DeadlineExceeded):
		return &connector.Unavailable{Err: fmt.Errorf("%s did not answer in time: %w", who, err)}
	default:
		return &connector.Unavailable{Err: err}
	}
}
