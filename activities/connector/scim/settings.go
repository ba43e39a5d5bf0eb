package scim

import (
	"strings"
	"time"

	"accessbot/activities/connector"
	"accessbot/activities/connector/httptarget"
)

// Settings say where a SCIM service is, and what names people and groups there.
type Settings struct {
	URL              string           `yaml:"url"`               // its base, below which /Users and /Groups are
	Token            connector.Secret `yaml:"token"`             // sent as a bearer token (RFC 6750)
	CAFile           string           `yaml:"ca_file"`           // PEM; empty: the system's
	AccountAttribute string           `yaml:"account_attribute"` // userName (if empty) or externalId
	GroupAttribute   string           `yaml:"group_attribute"`   // displayName (if empty) or externalId
	CreatesAccounts  bool             `yaml:"creates_accounts"`  // a missing account is created
}

// callTimeout is how long a call may take. A change is four requests: the group,
// the person, the members, and the change.
const callTimeout = 30 * time.Second

// Open makes the connector.
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
		return nil, &connector.Denied{Do: "set account_attribute to userName or externalId"}
	}
	switch s.GroupAttribute {
	case "", "displayName":
	case "externalId":
		c.groupAttribute = "externalId"
	default:
		return nil, &connector.Denied{Do: "set group_attribute to displayName or externalId"}
	}
	if s.CreatesAccounts && c.accountAttribute != "userName" {
		return nil, &connector.Denied{Do: "leave account_attribute out, or creates_accounts: an account is created by its userName"}
	}
	if !s.Token.Set() {
		return nil, &connector.Denied{Do: "set token to one that the SCIM service granted out, as env:NAME or file:PATH"}
	}
	client, err := httptarget.Client(s.CAFile)
	if err != nil {
		return nil, err
	}
	c.service = &service{base: strings.TrimSuffix(at.String(), "/"), token: s.Token.Reveal(), client: client}
	if at.RawQuery != "" {
		return nil, &connector.Denied{Do: "set url to the base of the SCIM service, without a query"}
	}
	return c, nil
}
