package webhook

import (
	"fmt"
	"time"

	"accessbot/activities/connector"
	"accessbot/activities/connector/httptarget"
)

// Settings say where a receiver is, and what it knows us by.
type Settings struct {
	URL    string           `yaml:"url"`
	Secret connector.Secret `yaml:"secret"`  // of HMAC-SHA256, at least 32 characters
	CAFile string           `yaml:"ca_file"` // PEM; empty: the system's
	Lists  bool             `yaml:"lists"`   // the receiver answers "list"
}

// callTimeout is how long a call may take: a change is two requests, a look and the change.
const callTimeout = 20 * time.Second

// shortestSecret is what cannot be guessed: 128 bits in hex.
const shortestSecret = 32

// Open makes the connector.
func (s *Settings) Open() (connector.Connector, error) {
	c, err := s.open()
	if err != nil {
		return nil, err // not a nil of the connector's own type
	}
	if s.Lists {
		return lister{c}, nil
	}
	return c, nil
}

func (s *Settings) open() (*Connector, error) {
	at, err := httptarget.ParseURL(s.URL, "the receiver")
	if err != nil {
		return nil, err
	}
	if len(s.Secret.Reveal()) < shortestSecret {
		return nil, &connector.Denied{Do: fmt.Sprintf("set secret to at least %d characters, such as what openssl rand -hex 32 prints", shortestSecret)}
	}
	client, err := httptarget.Client(s.CAFile)
	if err != nil {
		return nil, err
	}
	return &Connector{host: at.Host, bound: callTimeout, receiver: &endpoint{url: at, secret: s.Secret.Reveal(), client: client}}, nil
}
