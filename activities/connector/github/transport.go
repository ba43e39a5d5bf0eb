package github

import (
	"net"
	"net/http"
	"time"
)

// connectTimeout bounds the way to a connection: a call as a whole has its own bound.
const connectTimeout = 5 * time.Second

func newTransport() *http.Transport {
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: connectTimeout}).DialContext,
		TLSHandshakeTimeout: connectTimeout,
		ForceAttemptHTTP2:   true,
		MaxIdleConnsPerHost: 4,
		IdleConnTimeout:     time.Minute,
	}
}
