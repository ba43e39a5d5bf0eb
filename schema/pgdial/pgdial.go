// Package pgdial opens connections to PostgreSQL that obey their contexts, whatever the server does.
//
// lib/pq waits for an answer even after its context has ended (https://github.com/lib/pq/issues/620), so a stopped server or a
// network that drops packets would block the caller. Here the end of a context closes the socket: no call outlasts its context.
// Operations whose context has no deadline get one.
//
// The package imports nothing of ours: schema and the connector to PostgreSQL targets both use it, and neither may import the
// other.
package pgdial

import (
	"context"
	"database/sql/driver"
	"fmt"
	"time"

	"github.com/lib/pq"
)

const (
	// connectTimeout is used if the URL sets no connect_timeout. lib/pq applies it to each host, including its handshake.
	connectTimeout = 5 * time.Second
	// closeTimeout limits closing, which has no context.
	closeTimeout = 5 * time.Second
)

// Options of a connector.
type Options struct {
	// Bound limits operations whose context has no deadline.
	Bound time.Duration
	// CheckIdle pings a pooled connection before it is used again, so that one that died while idle is replaced and no call fails.
	// It costs a round trip.
	CheckIdle bool
}

// NewConnector makes a connector for sql.OpenDB. It does not connect yet.
func NewConnector(config pq.Config, options Options) driver.Connector {
	if config.ConnectTimeout <= 0 {
		config.ConnectTimeout = connectTimeout
	}
	return connector{config, options}
}

// connector is lib/pq's connector, keeping the socket of each connection.
type connector struct {
	config  pq.Config
	options Options
}

func (c connector) Driver() driver.Driver { return &pq.Driver{} }

func (c connector) Connect(ctx context.Context) (_ driver.Conn, err error) {
	inner, err := pq.NewConnectorConfig(c.config)
	if err != nil {
		return nil, err
	}
	kept := newSocket()
	defer kept.guard(&err)
	inner.Dialer(kept)
	// lib/pq's handshake obeys connect_timeout, but no context.
	stop := context.AfterFunc(ctx, kept.close)
	defer stop()
	conn, err := inner.Connect(ctx)
	if err != nil {
		return nil, ended(ctx, err)
	}
	kept.seal()
	ours, ok := conn.(pqConn)
	if !ok {
		return nil, fmt.Errorf("lib/pq opened a %T", conn)
	}
	return &session{pqConn: ours, socket: kept, options: c.options}, nil
}
