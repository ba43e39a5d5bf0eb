// Package kinds is the table of the target systems that this program has a
// connector for. A new kind is one line here. It is a package of its own because
// the connectors import package connector.
package kinds

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"accessbot/activities/connector"
	"accessbot/activities/connector/postgresql"
)

// Kind is one kind of target system.
type Kind struct {
	// MaxNameBytes is the longest name of an account or object there, in bytes.
	MaxNameBytes int

	open func(url string) (connector.Connector, error)
}

var table = map[string]Kind{
	"postgresql": {
		MaxNameBytes: postgresql.MaxNameBytes,
		open:         func(url string) (connector.Connector, error) { return postgresql.Open(url) },
	},
}

// Names lists the kinds, sorted.
func Names() []string { return slices.Sorted(maps.Keys(table)) }

// Lookup finds a kind by its name in applications.csv.
func Lookup(name string) (Kind, bool) {
	kind, ok := table[name]
	return kind, ok
}

// Open makes a connector of the named kind for the target at url, which need not
// be up. An unknown kind or a bad URL is *connector.Denied; its text does not
// contain the URL.
func Open(name, url string) (connector.Connector, error) {
	kind, ok := table[name]
	if !ok {
		return nil, &connector.Denied{Do: fmt.Sprintf(
			"there is no connector %q, use one of: %s", name, strings.Join(Names(), ", "))}
	}
	c, err := kind.open(url)
	if err != nil {
		return nil, err // not a nil of the connector's own type
	}
	return c, nil
}
