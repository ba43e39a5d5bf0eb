package connector

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
)

// Secret is a credential of a target. Configuration only says where it is:
// env:NAME, an environment variable, or file:PATH, a file that holds nothing
// else. It never prints.
type Secret struct{ value string }

// NewSecret makes a secret of a value, for tests and for settings that come as a
// variable of their own.
func NewSecret(value string) Secret { return Secret{value} }

// Reveal is the secret itself.
func (s Secret) Reveal() string { return s.value }

// Set tells whether there is one.
func (s Secret) Set() bool { return s.value != "" }

// UnmarshalText fetches the secret from where the text says that it is.
func (s *Secret) UnmarshalText(text []byte) error {
	kind, where, _ := strings.Cut(string(text), ":")
	switch {
	case kind == "env" && where != "":
		s.value = os.Getenv(where)
		if s.value == "" {
			return fmt.Errorf("the environment variable %s is not set", where)
		}
	case kind == "file" && where != "":
		value, err := os.ReadFile(where) //nolint:gosec // the operator's configuration names it
		if err != nil {
			return err // it names the file
		}
		s.value = strings.TrimRight(string(value), "\r\n")
		if s.value == "" {
			return fmt.Errorf("the file %s is empty", where)
		}
	default:
		// It may be the secret itself: it is not repeated.
		return errors.New("a secret does not stand here itself: write env:NAME or file:PATH")
	}
	return nil
}

func (s Secret) String() string               { return "(secret)" }
func (s Secret) GoString() string             { return "(secret)" }
func (s Secret) LogValue() slog.Value         { return slog.StringValue("(secret)") }
func (s Secret) MarshalText() ([]byte, error) { return []byte("(secret)"), nil }
