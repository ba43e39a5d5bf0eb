package ldap

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/url"
	"os"
	"regexp"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"accessbot/activities/connector"
)

// Settings are the directory, the bind account, and the places of people and groups.
type Settings struct {
	URL              string           `yaml:"url"`               // ldaps://HOST[:PORT] or ldap://HOST[:PORT]
	StartTLS         bool             `yaml:"start_tls"`         // with ldap://
	CAFile           string           `yaml:"ca_file"`           // certificates (PEM) to trust instead of the system's
	BindDN           string           `yaml:"bind_dn"`           // the entry that this program binds as
	Password         connector.Secret `yaml:"password"`          // of bind_dn
	PeopleBase       string           `yaml:"people_base"`       // accounts are below it
	AccountAttribute string           `yaml:"account_attribute"` // names an account; default: mail
	AccountDN        string           `yaml:"account_dn"`        // the entry of a deleted account, such as mail=%s,ou=people,dc=example,dc=org
	GroupsBase       string           `yaml:"groups_base"`       // groups are below it
	GroupAttribute   string           `yaml:"group_attribute"`   // names a group; default: cn
	PlaceholderDN    string           `yaml:"placeholder_dn"`    // the member of groups without members; default: bind_dn
}

// attributeForm is a descr of RFC 4512, section 1.4.
var attributeForm = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]*$`)

// Open returns the connector.
func (s *Settings) Open() (connector.Connector, error) {
	c, err := s.open()
	if err != nil {
		return nil, err // not a nil of the connector's own type
	}
	return c, nil
}

func (s *Settings) open() (*Connector, error) {
	c := &Connector{
		bindDN: s.BindDN, password: s.Password, startTLS: s.StartTLS,
		peopleBase: s.PeopleBase, groupsBase: s.GroupsBase, placeholderDN: or(s.PlaceholderDN, s.BindDN),
		accountAttribute: or(s.AccountAttribute, "mail"), groupAttribute: or(s.GroupAttribute, "cn"),
		bound: callTimeout, pageSize: 500,
	}
	if err := s.readURL(c); err != nil {
		return nil, err
	}
	if !s.Password.Set() { // a bind without a password succeeds anonymously (RFC 4513, section 5.1.2)
		return nil, &connector.Denied{Fix: "set password to the password of bind_dn, as env:NAME or file:PATH"}
	}
	for _, setting := range []struct {
		name, value, example string
		dn                   **ldap.DN
	}{
		{"bind_dn", s.BindDN, "cn=accessbot,dc=example,dc=org", &c.bind},
		{"people_base", s.PeopleBase, "ou=people,dc=example,dc=org", &c.people},
		{"groups_base", s.GroupsBase, "ou=groups,dc=example,dc=org", new(*ldap.DN)},
		{"placeholder_dn", c.placeholderDN, "cn=placeholder,dc=example,dc=org", &c.placeholder},
	} {
		dn, err := ldap.ParseDN(setting.value)
		if err != nil || len(dn.RDNs) == 0 {
			return nil, &connector.Denied{Fix: fmt.Sprintf("set %s to a DN, such as %s", setting.name, setting.example)}
		}
		*setting.dn = dn
	}
	if !attributeForm.MatchString(c.accountAttribute) {
		return nil, &connector.Denied{Fix: "set account_attribute to the attribute that names an account, such as mail or uid"}
	}
	if !attributeForm.MatchString(c.groupAttribute) {
		return nil, &connector.Denied{Fix: "set group_attribute to the attribute that names a group, such as cn"}
	}
	if s.AccountDN != "" {
		if c.accountDN = newTemplate(s.AccountDN); c.accountDN == nil {
			return nil, &connector.Denied{Fix: "set account_dn to the DN of accounts, with %s for the account name, such as " +
				"mail=%s,ou=people,dc=example,dc=org, or leave it out"}
		}
	}
	return c, nil
}

// readURL reads the address and TLS settings. Errors do not repeat the URL, which may contain a password.
func (s *Settings) readURL(c *Connector) error {
	parsed, err := url.Parse(s.URL)
	if err != nil || parsed.Hostname() == "" || parsed.User != nil || parsed.RawQuery != "" || parsed.Fragment != "" ||
		strings.Trim(parsed.Path, "/") != "" || parsed.Scheme != "ldap" && parsed.Scheme != "ldaps" {
		return &connector.Denied{
			Fix: "set url to the address of the directory: ldaps://HOST, ldap://HOST with start_tls, or either with :PORT",
		}
	}
	encrypted := parsed.Scheme == "ldaps" || s.StartTLS
	switch {
	case parsed.Scheme == "ldaps" && s.StartTLS:
		return &connector.Denied{Fix: "set start_tls only with an ldap:// url: ldaps:// already uses TLS"}
	case s.CAFile != "" && !encrypted:
		return &connector.Denied{Fix: "set url to ldaps://, or set start_tls: ca_file has no effect without TLS"}
	case !encrypted && !loopback(parsed.Hostname()):
		return &connector.Denied{Fix: "set url to ldaps://, or set start_tls: the password must be encrypted on its way"}
	}
	c.addr = net.JoinHostPort(parsed.Hostname(), or(parsed.Port(), map[string]string{"ldap": "389", "ldaps": "636"}[parsed.Scheme]))
	if !encrypted {
		return nil
	}
	c.tls = &tls.Config{ServerName: parsed.Hostname(), MinVersion: tls.VersionTLS12}
	if s.CAFile == "" {
		return nil
	}
	certificates, err := os.ReadFile(s.CAFile)
	if err != nil {
		return &connector.Denied{Fix: "set ca_file to a readable file with PEM certificates", Err: err}
	}
	c.tls.RootCAs = x509.NewCertPool()
	if !c.tls.RootCAs.AppendCertsFromPEM(certificates) {
		return &connector.Denied{Fix: fmt.Sprintf("set ca_file to a file with PEM certificates: there are none in %s", s.CAFile)}
	}
	return nil
}

func or(value, defaultValue string) string {
	if value == "" {
		return defaultValue
	}
	return value
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
