package outbox_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"accessbot/schema"
	"accessbot/schema/schematest"
)

// outage is a small company with an administrator, whose CRM is down while two approved requests wait for it.
func outage(t *testing.T) (s *company, olga int64, asked []schematest.Asked) {
	t.Helper()
	s = newCompany(t)
	olga = s.Person("Olga")
	s.Administrator(olga)
	reader := s.Entitlement(s.crm, "reader")
	asked = []schematest.Asked{s.approved(24 * time.Hour), s.Request(s.ann, 24*time.Hour, reader)}
	s.Approve(s.owen, asked[1])
	s.target.always("read", refusesConnection)
	return s, olga, asked
}

// outages returns the person's outage notifications.
func (s *company) outages(name string) (found []string) {
	s.t.Helper()
	for _, text := range s.reads(name) {
		if strings.Contains(text, "Approved requests are waiting for Crm") ||
			strings.Contains(text, "No approved requests are waiting for Crm") {
			found = append(found, text)
		}
	}
	return found
}

func TestOutageNotification(t *testing.T) {
	t.Run("goes to owners and administrators after an hour and is edited when the outage ends", func(t *testing.T) {
		s, _, asked := outage(t)
		retry := func() {
			for _, a := range asked {
				require.Error(t, s.grant(a.Items[0]))
			}
			require.NoError(t, s.outbox.SendNotifications(context.Background(), 0, 10))
		}
		retry()
		s.Shift(59 * time.Minute)
		retry()
		assert.Empty(t, s.outages("owen"))
		assert.Zero(t, s.Alerts(schema.ProvisioningDelayed))
		for range 3 {
			s.Shift(time.Hour)
			retry()
		}
		for _, name := range []string{"owen", "olga"} {
			require.Len(t, s.outages(name), 1)
			assert.Contains(t, s.outages(name)[0], "Crm, which isn't responding")
		}
		assert.Empty(t, s.outages("ann"), "the requester sees it on the card")
		assert.Equal(t, 1, s.Alerts(schema.ProvisioningDelayed))

		s.target.repair()
		for _, a := range asked {
			require.NoError(t, s.grant(a.Items[0]))
		}
		require.NoError(t, s.outbox.SendNotifications(context.Background(), 0, 10))
		require.Len(t, s.outages("owen"), 1, "it is changed in place")
		assert.Contains(t, s.outages("owen")[0], "No approved requests are waiting for Crm")
		assert.Equal(t, 1, s.Audited(schema.ProvisioningRestored))

		s.target.always("read", refusesConnection)
		asked = []schematest.Asked{s.Request(s.ann, 24*time.Hour, s.Entitlement(s.crm, "writer"))}
		s.Approve(s.owen, asked[0])
		retry()
		s.Shift(time.Hour)
		retry()
		assert.Len(t, s.outages("owen"), 2, "another outage is another notification")
	})
	t.Run("leaves out access whose end has passed", func(t *testing.T) {
		s, _, asked := outage(t)
		s.target.repair()
		s.target.always("grant", refusesConnection) // so there is a claim, and the grant is uncertain
		require.Error(t, s.grant(asked[0].Items[0]))
		s.Shift(2 * time.Hour)
		require.Error(t, s.grant(asked[0].Items[0]))
		require.NoError(t, s.outbox.SendNotifications(context.Background(), 0, 10))
		require.Contains(t, s.outages("owen")[0], "Approved requests")
		s.Shift(24 * time.Hour)
		require.NoError(t, s.outbox.SendNotifications(context.Background(), 0, 10))
		require.Equal(t, "provisioning", s.State(asked[0].Items[0]), "it is being revoked")
		require.Contains(t, s.outages("owen")[0], "No approved requests are waiting for Crm")
	})
	t.Run("is sent at once for bad credentials", func(t *testing.T) {
		s, _, asked := outage(t)
		s.target.always("read", denies)
		require.Error(t, s.grant(asked[0].Items[0]))
		require.NoError(t, s.outbox.SendNotifications(context.Background(), 0, 10))
		require.Len(t, s.outages("olga"), 1)
		assert.Contains(t, s.outages("olga")[0], "credentials")
		assert.Equal(t, 1, s.Alerts(schema.ProvisioningDelayed))
	})
}
