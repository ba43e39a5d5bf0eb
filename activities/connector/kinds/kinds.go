// Package kinds is the table of the target systems that this program has a
// connector for, and reads how their instances are configured. A new kind is one
// line here. It is a package of its own because the connectors import package
// connector.
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

// Settings are what a kind needs to know of one target: a struct with yaml tags,
// its secrets of type connector.Secret.
type Settings interface {
	// Open makes the connector. The target need not be up. Settings that are
	// missing or wrong are *connector.Denied; its text holds no secret.
	Open() (connector.Connector, error)
}

// Kind is one kind of target system.
type Kind struct {
	// MaxNameBytes is the longest name of an account or object there, in bytes.
	MaxNameBytes int
	// Limits are those of a target for which the configuration names none.
	Limits connector.Limits
	// OwnNames: accounts there have names unlike any e-mail, and the directory has
	// to say them.
	OwnNames bool

	settings func() Settings
}

// usual is for servers of one's own.
var usual = connector.Limits{Concurrency: 4}

// slow is for services of others that ask for it.
var slow = connector.Limits{Concurrency: 1, PerSecond: 1}

var table = map[string]Kind{
	"github":     {MaxNameBytes: github.MaxNameBytes, Limits: slow, OwnNames: true, settings: func() Settings { return &github.Settings{} }},
	"ldap":       {MaxNameBytes: ldap.MaxNameBytes, Limits: usual, settings: func() Settings { return &ldap.Settings{} }},
	"manual":     {MaxNameBytes: manual.MaxNameBytes, Limits: usual, settings: func() Settings { return &manual.Settings{} }},
	"postgresql": {MaxNameBytes: postgresql.MaxNameBytes, Limits: usual, settings: func() Settings { return &postgresql.Settings{} }},
	"scim":       {MaxNameBytes: scim.MaxNameBytes, Limits: usual, settings: func() Settings { return &scim.Settings{} }},
	"webhook":    {MaxNameBytes: webhook.MaxNameBytes, Limits: usual, settings: func() Settings { return &webhook.Settings{} }},
}

// Names lists the kinds, sorted.
func Names() []string { return slices.Sorted(maps.Keys(table)) }

// Lookup finds a kind by its name in applications.csv.
func Lookup(name string) (Kind, bool) {
	kind, ok := table[name]
	return kind, ok
}

func lookup(name string) (Kind, error) {
	kind, ok := table[name]
	if !ok {
		return kind, &connector.Denied{Do: fmt.Sprintf("there is no connector %q, use one of: %s", name, strings.Join(Names(), ", "))}
	}
	return kind, nil
}
