// Package kinds lists the kinds of target systems that have a connector, and reads the configuration of their instances. A new
// kind is one line in its table. It is a package of its own because the connectors import package connector.
package kinds

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"accessbot/activities/connector"
	"accessbot/activities/connector/github"
	"accessbot/activities/connector/ldap"
	"accessbot/activities/connector/manual"
	"accessbot/activities/connector/postgresql"
	"accessbot/activities/connector/scim"
	"accessbot/activities/connector/webhook"
)

// Settings are the settings of one target: a struct with yaml tags, and secrets of type connector.Secret.
type Settings interface {
	// Open returns the connector. The target may be down. A missing or wrong setting is *connector.Denied, whose text contains
	// no secrets.
	Open() (connector.Connector, error)
}

// Kind is one kind of target system.
type Kind struct {
	// MaxNameBytes is the longest name of an account or object there, in bytes.
	MaxNameBytes int
	// Limits are the defaults for a target.
	Limits connector.Limits
	// OwnNames: account names there are not email addresses, so the directory has to list them.
	OwnNames bool

	settings func() Settings
}

// defaultLimits are for servers that the organization runs itself.
var defaultLimits = connector.Limits{Concurrency: 4}

// slowLimits are for hosted services that require them.
var slowLimits = connector.Limits{Concurrency: 1, PerSecond: 1}

var table = map[string]Kind{
	"github": {
		MaxNameBytes: github.MaxNameBytes,
		Limits:       slowLimits,
		OwnNames:     true,
		settings:     func() Settings { return &github.Settings{} },
	},
	"ldap": {MaxNameBytes: ldap.MaxNameBytes, Limits: defaultLimits, settings: func() Settings { return &ldap.Settings{} }},
	"manual": {
		MaxNameBytes: manual.MaxNameBytes,
		Limits:       defaultLimits,
		settings:     func() Settings { return &manual.Settings{} },
	},
	"postgresql": {
		MaxNameBytes: postgresql.MaxNameBytes,
		Limits:       defaultLimits,
		settings:     func() Settings { return &postgresql.Settings{} },
	},
	"scim": {MaxNameBytes: scim.MaxNameBytes, Limits: defaultLimits, settings: func() Settings { return &scim.Settings{} }},
	"webhook": {
		MaxNameBytes: webhook.MaxNameBytes,
		Limits:       defaultLimits,
		settings:     func() Settings { return &webhook.Settings{} },
	},
}

// Names returns the names of all kinds, sorted.
func Names() []string { return slices.Sorted(maps.Keys(table)) }

// Lookup returns a kind by its name in applications.csv.
func Lookup(name string) (Kind, bool) {
	kind, ok := table[name]
	return kind, ok
}

func lookup(name string) (Kind, error) {
	kind, ok := table[name]
	if !ok {
		return kind, &connector.Denied{Fix: fmt.Sprintf("there is no connector %q, use one of: %s", name, strings.Join(Names(), ", "))}
	}
	return kind, nil
}
