// Package pgdial opens connections to PostgreSQL that obey their contexts, whatever the server does.
//
// lib/pq waits for an answer even after its context has ended (https://github.com/lib/pq/issues/620): a server that is
// stopped, or a network that swallows packets, would hold whatever waits for it. So the end of a context closes the
// socket here: a call never outlasts its context. Where a context has no deadline, every operation gets one.
//
// The package stands apart, and imports nothing of ours: both the database (schema) and the connector to PostgreSQL
// targets open their connections with it, and neither may import the other.
package pgdial

import (
	"context"
	"database/sql/driver"
	"fmt"
	"time"

	"github.com/lib/pq"
)

const (
	// connectTimeout is that of a URL that sets no connect_timeout. lib/pq counts it for each host, its handshake included.
	connectTimeout = 5 * time.Second
	// closeTimeout is for what says goodbye, and has no context.
	closeTimeout = 5 * time.Second
)

// Options of a connector.
type Options struct {
	// Bound is how long an operation may take whose context has no deadline.
	Bound time.Duration
	// CheckIdle has a pooled connection answer before it is used again, at the price of a round trip: one that died
	// while it was idle is replaced instead of failing a call.
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
	// lib/pq's handshake knows connect_timeout, but no context.
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
