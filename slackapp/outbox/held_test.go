package outbox_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestExistingAccess(t *testing.T) {
	t.Run("approver sees existing access only in applications where they decide", func(t *testing.T) {
		t.Run("each approver sees only their own application", func(t *testing.T) {
			s := newCompany(t)
			olga := s.Person("Olga")
			vault := s.Application("vault", olga)
			secrets, keys := s.Entitlement(vault, "secrets"), s.Entitlement(vault, "keys")
			s.Imported(s.ann, secrets)
			asked := s.Request(s.ann, 0, s.admin, keys)
			s.advance(asked.ID)
			s.synced(asked.ID)
			require.Contains(t, s.reads("owen")[0], "Current access in Crm:* none")
			require.NotContains(t, s.reads("owen")[0], "Secrets")
			require.NotContains(t, s.reads("owen")[0], "Vault")
			require.Contains(t, s.reads("olga")[0], "Current access in Vault:* Secrets")
		})
		t.Run("access from the same request counts once it is active", func(t *testing.T) {
			s := newCompany(t)
			olga := s.Person("Olga")
			reader := s.Entitlement(s.crm, "reader", olga)
			asked := s.Request(s.ann, 0, s.admin, reader)
			s.advance(asked.ID)
			s.decide(olga, asked.ID, "approve")
			s.advance(asked.ID)
			s.synced(asked.ID)
			require.Contains(t, s.reads("owen")[0], "Current access in Crm:* none")
			require.NoError(t, s.grant(asked.Items[1]))
			s.advance(asked.ID)
			s.synced(asked.ID)
			require.Contains(t, s.reads("owen")[0], "Current access in Crm:* Reader")
		})
	})
}
