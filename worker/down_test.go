package main

import (
	"context"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"accessbot/activities/connector"
	"accessbot/schema/schematest"
)

func TestUnavailableTarget(t *testing.T) {
	t.Run("refused connections do not slow other targets", func(t *testing.T) {
		const ends = 200
		var alone, beside time.Duration
		t.Run("in parallel", func(t *testing.T) {
			for down, took := range map[bool]*time.Duration{false: &alone, true: &beside} { // in parallel, so that both run on an equally slow machine
				t.Run(fmt.Sprintf("other target down: %t", down), func(t *testing.T) {
					o, s := storm(t, ends, &busyTarget{takes: 2 * time.Millisecond}, connector.Limits{Concurrency: 3})
					o.Do(`insert into accounts (person_id, instance, account) select id, 'WIKI', email from people where email like 'storm%'`)
					o.Do(`insert into claims (person_id, account_id, entitlement_id, source, granted_at, ends_at, due_at)
			      select a.person_id, a.id, $1, 'imported', app_now(), app_now() + interval '1 hour', app_now() + interval '1 hour'
			        from accounts a where a.account like 'storm%' and a.instance = 'WIKI'`, o.wiki)
					if down {
						listener, err := net.Listen("tcp", "127.0.0.1:0")
						require.NoError(t, err)
						address := listener.Addr().String()
						require.NoError(t, listener.Close())
						o.targets["WIKI"].failWith(func(ctx context.Context) error {
							connection, err := new(net.Dialer).DialContext(ctx, "tcp", address)
							require.Error(t, err, "the port is closed")
							require.Nil(t, connection)
							return &connector.Unavailable{Err: err}
						})
					}
					left := func(instance string) int {
						return schematest.Value[int](o.World, `select count(*) from claims c join accounts a on a.id = c.account_id
				                                        where a.instance = $1 and c.source = 'imported' and c.removed_at is null`, instance)
					}
					o.Shift(time.Hour + time.Second)
					began := time.Now()
					for left("CRM") > 0 {
						require.NoError(t, s.once(context.Background()))
						require.Less(t, time.Since(began), 2*time.Minute)
					}
					*took = time.Since(began)
					require.Zero(t, o.targets["CRM"].holding())
					if down {
						require.Equal(t, ends, left("WIKI"), "no end is recorded before the target confirms it")
					}
				})
			}
		})
		t.Logf("%d ends took %s, and %s with another target down", ends, alone, beside)
		require.Less(t, beside, 3*alone+2*time.Second)
	})
}
