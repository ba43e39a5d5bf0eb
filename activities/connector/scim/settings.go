package scim

import (
	"strings"
	"time"

	"accessbot/activities/connector"
	"accessbot/activities/connector/httptarget"
)

// Settings are the address of a SCIM service, and the attributes that name its users and groups.
type Settings struct {
	URL              string           `yaml:"url"`               // the base of /Users and /Groups
	Token            connector.Secret `yaml:"token"`             // sent as a bearer token (RFC 6750)
	CAFile           string           `yaml:"ca_file"`           // PEM; default: the system's
	AccountAttribute string           `yaml:"account_attribute"` // userName (default) or externalId
	GroupAttribute   string           `yaml:"group_attribute"`   // displayName (default) or externalId
	CreatesAccounts  bool             `yaml:"creates_accounts"`  // create missing accounts
}

// callTimeout limits a call. A change makes four requests: the group, the user, the members, and the change.
const callTimeout = 30 * time.Second

// Open returns the connector.
func (s *Settings) Open() (connector.Connector, error) {
	c, err := s.open()
	if err != nil {
		return nil, err // not a nil of the connector's own type
	}
	if s.CreatesAccounts {
		return creator{c}, nil
	}
	return c, nil
}

func (s *Settings) open() (*Connector, error) {
	at, err := httptarget.ParseURL(s.URL, "the SCIM service")
	if err != nil {
		return nil, err
	}
	c := &Connector{host: at.Host, bound: callTimeout, page: 100, accountAttribute: "userName", groupAttribute: "displayName"}
	switch s.AccountAttribute {
	case "", "userName":
	case "externalId":
		c.accountAttribute = "externalId"
	default:
		return nil, &connector.Denied{Fix: "set account_attribute to userName or externalId"}
	}
	switch s.GroupAttribute {
	case "", "displayName":
	case "externalId":
		c.groupAttribute = "externalId"
	default:
		return nil, &connector.Denied{Fix: "set group_attribute to displayName or externalId"}
	}
	if s.CreatesAccounts && c.accountAttribute != "userName" {
		return nil, &connector.Denied{Fix: "leave account_attribute or creates_accounts out: accounts are created by userName"}
	}
	if !s.Token.Set() {
		return nil, &connector.Denied{Fix: "set token to a token that the SCIM service issued, as env:NAME or file:PATH"}
	}
	client, err := httptarget.Client(s.CAFile)
	if err != nil {
		return nil, err
	}
	c.service = &service{base: strings.TrimSuffix(at.String(), "/"), token: s.Token.Reveal(), client: client}
	if at.RawQuery != "" {
		return nil, &connector.Denied{Fix: "set url to the base of the SCIM service, without a query"}
	}
	return c, nil
}
