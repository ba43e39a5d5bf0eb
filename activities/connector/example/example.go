// Package example is a connector to a system that stores each group as a file, with one member per line. docs/connectors.md
// explains it.
package example

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"accessbot/activities/connector"
)

// Settings are the settings of an instance in CONNECTORS_FILE.
type Settings struct {
	Folder string `yaml:"folder"`
}

// Open returns the connector. It does not check that the folder exists: a target may be down when the worker starts.
func (s *Settings) Open() (connector.Connector, error) {
	if !filepath.IsAbs(s.Folder) {
		return nil, &connector.Denied{Fix: "set folder to the absolute path of the folder with the groups"}
	}
	return &Connector{folder: s.Folder}, nil
}

// Connector implements connector.Connector.
type Connector struct {
	folder string
	mutex  sync.Mutex
}

// Close does nothing.
func (c *Connector) Close() error { return nil }

// Read looks for the account in the group's file.
func (c *Connector) Read(_ context.Context, a connector.Assignment) (connector.State, error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	members, err := c.members(a.Object)
	return connector.State{Held: slices.Contains(members, a.Account)}, err
}

// Grant adds the line if it is missing.
func (c *Connector) Grant(_ context.Context, a connector.Assignment) error {
	return c.change(a, func(members []string) []string {
		if slices.Contains(members, a.Account) {
			return members
		}
		return append(members, a.Account)
	})
}

// Revoke removes the line.
func (c *Connector) Revoke(_ context.Context, a connector.Assignment) error {
	return c.change(a, func(members []string) []string {
		return slices.DeleteFunc(members, func(m string) bool { return m == a.Account })
	})
}

func (c *Connector) change(a connector.Assignment, edit func([]string) []string) error {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	members, err := c.members(a.Object)
	if err != nil {
		return err
	}
	text := strings.Join(append(edit(members), ""), "\n")
	if err := os.WriteFile(filepath.Join(c.folder, a.Object), []byte(text), 0o600); err != nil {
		return &connector.Unavailable{Err: err}
	}
	return nil
}

func (c *Connector) members(object string) ([]string, error) {
	if object != filepath.Base(object) {
		return nil, &connector.Refused{Part: connector.Object, Name: object, Reason: "is not a file name"}
	}
	text, err := os.ReadFile(filepath.Join(c.folder, object)) //nolint:gosec // a base name: see above
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, &connector.Gone{Part: connector.Object, Name: object}
	case errors.Is(err, fs.ErrPermission):
		return nil, &connector.Denied{Fix: "let the worker's user read the folder", Err: err}
	case err != nil:
		return nil, &connector.Unavailable{Err: err}
	}
	return strings.Fields(string(text)), nil
}
