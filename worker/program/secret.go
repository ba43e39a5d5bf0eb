package program

import (
	"fmt"
	"log/slog"
	"os"
	"strings"
)

// Environment holds environment variables by name.
type Environment map[string]string

// Secret returns a secret setting: the value of the variable, or the content of the file that NAME_FILE names, without its final
// line breaks. Empty: neither is set. Errors never contain the secret.
func (e Environment) Secret(name string) (string, error) {
	value, path := e[name], e[name+"_FILE"]
	switch {
	case path == "":
		return value, nil
	case value != "":
		return "", fmt.Errorf("%s: %[1]s_FILE is set too: remove one of them", name)
	}
	content, err := os.ReadFile(path) //nolint:gosec // the operator names it
	if err != nil {
		return "", fmt.Errorf("%s_FILE: %w: set it to a file that holds the secret and nothing else", name, err)
	}
	value = strings.TrimRight(string(content), "\r\n")
	if value == "" {
		return "", fmt.Errorf("%s_FILE: %s is empty: write the secret to it", name, path)
	}
	return value, nil
}

// Has tells whether a secret setting is set, by itself or as a file.
func (e Environment) Has(name string) bool { return e[name] != "" || e[name+"_FILE"] != "" }

// LookupEnv and Environ are those of package os, for envconfig.
func (e Environment) LookupEnv(name string) (value string, set bool) {
	value, set = e[name]
	return value, set
}

// Environ is explained at LookupEnv.
func (e Environment) Environ() (all []string) {
	for name, value := range e {
		all = append(all, name+"="+value)
	}
	return all
}

// Secret is a setting that is never printed.
type Secret string

const hidden = "(secret)"

// Reveal returns the secret.
func (s Secret) Reveal() string { return string(s) }

func (s Secret) String() string               { return hidden }
func (s Secret) GoString() string             { return hidden }
func (s Secret) LogValue() slog.Value         { return slog.StringValue(hidden) }
func (s Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }
