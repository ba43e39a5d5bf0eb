package connector

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
)

// Secret is a credential for a target. The configuration only says where it is: env:NAME, an environment variable, or file:PATH,
// a file that contains nothing else. It is never printed.
type Secret struct{ value string }

// NewSecret returns a secret with the given value.
func NewSecret(value string) Secret { return Secret{value} }

// Reveal returns the secret.
func (s Secret) Reveal() string { return s.value }

// Set reports whether the secret has a value.
func (s Secret) Set() bool { return s.value != "" }

// UnmarshalText reads the secret from the place that the text names.
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
			return err // names the file
		}
		s.value = strings.TrimRight(string(value), "\r\n")
		if s.value == "" {
			return fmt.Errorf("the file %s is empty", where)
		}
	default:
		// The text may be the secret, so the error does not repeat it.
		return errors.New("write env:NAME or file:PATH here, not the secret")
	}
	return nil
}

func (s Secret) String() string               { return "(secret)" }
func (s Secret) GoString() string             { return "(secret)" }
func (s Secret) LogValue() slog.Value         { return slog.StringValue("(secret)") }
func (s Secret) MarshalText() ([]byte, error) { return []byte("(secret)"), nil }
