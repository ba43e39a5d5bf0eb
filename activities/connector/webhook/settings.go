package webhook

import (
	"fmt"
	"time"

	"accessbot/activities/connector"
	"accessbot/activities/connector/httptarget"
)

// Settings are the address of a receiver and the shared secret.
type Settings struct {
	URL    string           `yaml:"url"`
	Secret connector.Secret `yaml:"secret"`  // for HMAC-SHA256, at least 32 characters
	CAFile string           `yaml:"ca_file"` // PEM; default: the system's
	Lists  bool             `yaml:"lists"`   // the receiver supports "list"
}

// callTimeout limits a call. A change makes two requests: a read and the change.
const callTimeout = 20 * time.Second

// minSecret is the length of 128 bits in hex, which cannot be guessed.
const minSecret = 32

// Open returns the connector.
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
	if len(s.Secret.Reveal()) < minSecret {
		return nil, &connector.Denied{
			Fix: fmt.Sprintf("set secret to at least %d characters, such as the output of openssl rand -hex 32", minSecret),
		}
	}
	client, err := httptarget.Client(s.CAFile)
	if err != nil {
		return nil, err
	}
	return &Connector{
		host:     at.Host,
		bound:    callTimeout,
		receiver: &endpoint{url: at, secret: s.Secret.Reveal(), client: client},
	}, nil
}
