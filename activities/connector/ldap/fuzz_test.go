package ldap

import (
	"fmt"
	"testing"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"
)

// FuzzFilter: a filter with any name matches exactly that name.
func FuzzFilter(f *testing.F) {
	for _, seed := range []string{"ann@example.com", "*", ")(uid=*", `\2a`, "a\x00", "ä", "", "a)(|(objectClass=*", `\`, "(", "&"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if badName(name) != "" {
			return
		}
		packet, err := ldap.CompileFilter(fmt.Sprintf("(&%s(%s=%s))", "(!"+anyGroup+")", "mail", ldap.EscapeFilter(name)))
		require.NoError(t, err, name)
		require.Len(t, packet.Children, 2)
		asked := packet.Children[1]
		require.EqualValues(t, ldap.FilterEqualityMatch, asked.Tag)
		require.Len(t, asked.Children, 2)
		require.Equal(t, "mail", ber.DecodeString(asked.Children[0].Data.Bytes()))
		require.Equal(t, name, ber.DecodeString(asked.Children[1].Data.Bytes()))
	})
}

// FuzzNames parses arbitrary DNs and account_dn settings: nothing panics, and a name is only found in the places they allow.
func FuzzNames(f *testing.F) {
	for _, seed := range []string{"mail=ann@example.com,ou=people,dc=example,dc=org", "cn=a+mail=b,ou=people,dc=example,dc=org", "", ",", "mail=\\00", "mail=%s,ou=people,dc=example,dc=org", "mail=#04024869,ou=people,dc=example,dc=org"} {
		f.Add(seed, "mail=%s,ou=people,dc=example,dc=org")
		f.Add("mail=x,ou=people,dc=example,dc=org", seed)
	}
	f.Fuzz(func(t *testing.T, value, accountDN string) {
		people, err := ldap.ParseDN("ou=people,dc=example,dc=org")
		require.NoError(t, err)
		c := &Connector{people: people, accountAttribute: "mail", accountDN: newTemplate(accountDN)}
		dn := memberDN(value)
		if dn == nil {
			return
		}
		if _, ok := c.nameIn(dn); ok && c.accountDN == nil {
			require.True(t, people.AncestorOfFold(dn))
		}
		_ = key(dn)
	})
}
