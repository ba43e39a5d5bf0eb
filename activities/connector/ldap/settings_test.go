package ldap

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"accessbot/activities/connector"
)

func TestSettings(t *testing.T) {
	t.Run("missing or wrong setting is named", func(t *testing.T) {
		noPEM := filepath.Join(t.TempDir(), "ca.pem")
		require.NoError(t, os.WriteFile(noPEM, []byte("hunter2"), 0o600))
		for says, changes := range map[string][]func(s *Settings){
			"set url to the address of the directory": {
				func(s *Settings) { s.URL = "" },
				func(s *Settings) { s.URL = "ldap.example.org" },
				func(s *Settings) { s.URL = "https://ldap.example.org" },
				func(s *Settings) { s.URL = "ldapi:///var/run/slapd" },
				func(s *Settings) { s.URL = "ldap://ldap:hunter2/" },
				func(s *Settings) { s.URL = "ldap://me:hunter2@127.0.0.1" },
				func(s *Settings) { s.URL = "ldap://127.0.0.1/dc=example?mail" },
			},
			"the password must be encrypted on its way": {
				func(s *Settings) { s.URL = "ldap://ldap.example.org" },
				func(s *Settings) { s.URL = "ldap://10.0.0.1:389" },
			},
			"set start_tls only with an ldap:// url": {func(s *Settings) { s.URL, s.StartTLS = "ldaps://127.0.0.1", true }},
			"ca_file has no effect":                  {func(s *Settings) { s.CAFile = noPEM }},
			"set ca_file to a ": {
				func(s *Settings) { s.URL, s.CAFile = "ldaps://127.0.0.1", noPEM },
				func(s *Settings) { s.URL, s.CAFile = "ldaps://127.0.0.1", noPEM+".none" },
			},
			"set bind_dn to a DN, such as ":           {func(s *Settings) { s.BindDN = "" }, func(s *Settings) { s.BindDN = "accessbot" }},
			"set password to the password of bind_dn": {func(s *Settings) { s.Password = connector.Secret{} }},
			"set people_base to a DN, such as ":       {func(s *Settings) { s.PeopleBase = "" }, func(s *Settings) { s.PeopleBase = "people" }},
			"set groups_base to a DN, such as ":       {func(s *Settings) { s.GroupsBase = "" }, func(s *Settings) { s.GroupsBase = "ou=a,," }},
			"set placeholder_dn to a DN, such as ":    {func(s *Settings) { s.PlaceholderDN = "placeholder" }},
			"set account_attribute to ":               {func(s *Settings) { s.AccountAttribute = "mail)(cn" }},
			"set group_attribute to ":                 {func(s *Settings) { s.GroupAttribute = "cn=" }},
			"set account_dn to ": {
				func(s *Settings) { s.AccountDN = "%s" },
				func(s *Settings) { s.AccountDN = "ou=people,dc=example,dc=org" },
				func(s *Settings) { s.AccountDN = "mail=x%s,ou=people,dc=example,dc=org" },
				func(s *Settings) { s.AccountDN = "cn=a+mail=%s,ou=people,dc=example,dc=org" },
				func(s *Settings) { s.AccountDN = "mail=%s" },
			},
		} {
			for _, change := range changes {
				c, err := settings("127.0.0.1:389", change).Open()
				requireClass(t, connector.ClassDenied, err, says)
				require.NotContains(t, err.Error(), "hunter2")
				require.Equal(t, connector.Connector(nil), c, "not a typed nil")
			}
		}
	})

	t.Run("omitted setting has its default", func(t *testing.T) {
		for url, addr := range map[string]string{
			"ldap://localhost": "localhost:389", "ldap://[::1]/": "[::1]:389",
			"ldaps://ldap.example.org": "ldap.example.org:636", "ldaps://ldap.example.org:1636": "ldap.example.org:1636",
		} {
			c := openWith(t, "", func(s *Settings) { s.URL, s.PlaceholderDN = url, "" })
			require.Equal(t, addr, c.addr)
			require.Equal(t, "mail", c.accountAttribute)
			require.Equal(t, "cn", c.groupAttribute)
			require.Equal(t, botDN, c.placeholderDN)
		}
	})
}
