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

// Settings say which directory, as whom, and where its people and groups are.
type Settings struct {
	URL              string           `yaml:"url"`               // ldaps://HOST[:PORT] or ldap://HOST[:PORT]
	StartTLS         bool             `yaml:"start_tls"`         // with ldap://
	CAFile           string           `yaml:"ca_file"`           // certificates (PEM) to trust instead of the system's
	BindDN           string           `yaml:"bind_dn"`           // the entry that this program is there
	Password         connector.Secret `yaml:"password"`          // of bind_dn
	PeopleBase       string           `yaml:"people_base"`       // where accounts are looked for
	AccountAttribute string           `yaml:"account_attribute"` // what names an account; empty: mail
	AccountDN        string           `yaml:"account_dn"`        // where the entry of a deleted account was, such as mail=%s,ou=people,dc=example,dc=org
	GroupsBase       string           `yaml:"groups_base"`       // where groups are looked for
	GroupAttribute   string           `yaml:"group_attribute"`   // what names a group; empty: cn
	PlaceholderDN    string           `yaml:"placeholder_dn"`    // the member of a group without members; empty: bind_dn
}

// attributeForm is a descr of RFC 4512, section 1.4.
var attributeForm = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]*$`)

// Open makes the connector.
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
		peopleBase: s.PeopleBase, groupsBase: s.GroupsBase, holdsPlace: or(s.PlaceholderDN, s.BindDN),
		accountAttribute: or(s.AccountAttribute, "mail"), groupAttribute: or(s.GroupAttribute, "cn"),
		bound: callTimeout, pageSize: 500,
	}
	if err := s.secure(c); err != nil {
		return nil, err
	}
	if !s.Password.Set() { // a bind without one succeeds, as no one (RFC 4513, section 5.1.2)
		return nil, &connector.Denied{Do: "set password to that of bind_dn, as env:NAME or file:PATH"}
	}
	for _, setting := range []struct {
		name, value, example string
		dn                   **ldap.DN
	}{
		{"bind_dn", s.BindDN, "cn=accessbot,dc=example,dc=org", &c.bind},
		{"people_base", s.PeopleBase, "ou=people,dc=example,dc=org", &c.people},
		{"groups_base", s.GroupsBase, "ou=groups,dc=example,dc=org", new(*ldap.DN)},
		{"placeholder_dn", c.holdsPlace, "cn=nobody,dc=example,dc=org", &c.placeholder},
	} {
		dn, err := ldap.ParseDN(setting.value)
		if err != nil || len(dn.RDNs) == 0 {
			return nil, &connector.Denied{Do: fmt.Sprintf("set %s to a DN, such as %s", setting.name, setting.example)}
		}
		*setting.dn = dn
	}
	if !attributeForm.MatchString(c.accountAttribute) {
		return nil, &connector.Denied{Do: "set account_attribute to the attribute that names an account, such as mail or uid"}
	}
	if !attributeForm.MatchString(c.groupAttribute) {
		return nil, &connector.Denied{Do: "set group_attribute to the attribute that names a group, such as cn"}
	}
	if s.AccountDN != "" {
		if c.accountDN = newTemplate(s.AccountDN); c.accountDN == nil {
			return nil, &connector.Denied{Do: "set account_dn to where accounts are, with %s for the account's name, such as " +
				"mail=%s,ou=people,dc=example,dc=org, or leave it out"}
		}
	}
	return c, nil
}

// secure reads how the server is reached. What is wrong with the URL is not
// repeated: it might hold a password.
func (s *Settings) secure(c *Connector) error {
	parsed, err := url.Parse(s.URL)
	if err != nil || parsed.Hostname() == "" || parsed.User != nil || parsed.RawQuery != "" || parsed.Fragment != "" ||
		strings.Trim(parsed.Path, "/") != "" || parsed.Scheme != "ldap" && parsed.Scheme != "ldaps" {
		return &connector.Denied{Do: "set url to where the directory is: ldaps://HOST, ldap://HOST with start_tls, or either with :PORT"}
	}
	encrypted := parsed.Scheme == "ldaps" || s.StartTLS
	switch {
	case parsed.Scheme == "ldaps" && s.StartTLS:
		return &connector.Denied{Do: "set start_tls for an ldap:// url only: ldaps:// begins with TLS"}
	case s.CAFile != "" && !encrypted:
		return &connector.Denied{Do: "set url to ldaps://, or start_tls: ca_file says nothing about a connection in the open"}
	case !encrypted && !loopback(parsed.Hostname()):
		return &connector.Denied{Do: "set url to ldaps://, or set start_tls: the password must not travel in the open"}
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
		return &connector.Denied{Do: "set ca_file to a file of certificates (PEM) that can be read", Err: err}
	}
	c.tls.RootCAs = x509.NewCertPool()
	if !c.tls.RootCAs.AppendCertsFromPEM(certificates) {
		return &connector.Denied{Do: fmt.Sprintf("set ca_file to a file of certificates (PEM): there is none in %s", s.CAFile)}
	}
	return nil
}

func or(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
