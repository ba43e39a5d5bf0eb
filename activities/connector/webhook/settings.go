package webhook

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"

	"accessbot/activities/connector"
)

// Settings say where a receiver is, and what it knows us by.
type Settings struct {
	URL    string           `yaml:"url"`
	Secret connector.Secret `yaml:"secret"`  // of HMAC-SHA256, at least 32 characters
	CAFile string           `yaml:"ca_file"` // PEM; empty: the system's
	Lists  bool             `yaml:"lists"`   // the receiver answers "list"
}

// How long a receiver may take. A change is two requests: a look, and the change.
const (
	callTimeout    = 20 * time.Second
	requestTimeout = 10 * time.Second
	connectTimeout = 5 * time.Second
)

// shortestSecret is what cannot be guessed: 128 bits in hex.
const shortestSecret = 32

// Open makes the connector.
func (s *Settings) Open() (connector.Connector, error) {
	c, err := s.open()
	if err != nil {
		return nil, err // not a nil of the connector's own type
	}
	if s.Lists {
		return lister{c}, nil
	}
	return c, nil
}

func (s *Settings) open() (*Connector, error) {
	at, err := url.Parse(s.URL)
	switch {
	case err != nil || at.Host == "" || at.User != nil || at.Fragment != "" || at.Scheme != "https" && at.Scheme != "http":
		// It may hold a password: it is not repeated.
		return nil, &connector.Denied{Do: "set url to where the receiver listens: https://HOST/PATH, without a user or password in it"}
	case at.Scheme == "http" && !loopback(at.Hostname()):
		return nil, &connector.Denied{Do: "set url to an https address: whoever can listen could send a request again, or answer it"}
	case len(s.Secret.Reveal()) < shortestSecret:
		return nil, &connector.Denied{Do: fmt.Sprintf("set secret to at least %d characters, such as what openssl rand -hex 32 prints", shortestSecret)}
	}
	trusted, err := s.trusted()
	if err != nil {
		return nil, err
	}
	return &Connector{
		host:  at.Host,
		bound: callTimeout,
		receiver: &endpoint{
			url:    at,
			secret: s.Secret.Reveal(),
			client: &http.Client{
				Timeout:       requestTimeout,
				CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
				Transport: &http.Transport{
					Proxy:               http.ProxyFromEnvironment,
					DialContext:         (&net.Dialer{Timeout: connectTimeout}).DialContext,
					TLSHandshakeTimeout: connectTimeout,
					TLSClientConfig:     &tls.Config{RootCAs: trusted, MinVersion: tls.VersionTLS12},
					ForceAttemptHTTP2:   true,
					MaxIdleConnsPerHost: 4,
					IdleConnTimeout:     time.Minute,
				},
			},
		},
	}, nil
}

// trusted are the authorities in CAFile; nil: the system's.
func (s *Settings) trusted() (*x509.CertPool, error) {
	if s.CAFile == "" {
		return nil, nil //nolint:nilnil // nil is what crypto/tls takes for the system's
	}
	text, err := os.ReadFile(s.CAFile)
	if err != nil {
		return nil, &connector.Denied{Do: "set ca_file to a file that can be read", Err: err}
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, &connector.Denied{Do: "set ca_file to certificates in PEM: there is none in " + s.CAFile}
	}
	return pool, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
