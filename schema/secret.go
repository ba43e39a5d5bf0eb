package schema

import (
	"fmt"
	"os"
	"strings"
)

// Secret returns a secret setting: the value of the environment variable, or the content of the file that NAME_FILE names,
// without its final line breaks. Empty: neither is set. Errors never contain the secret.
func Secret(getenv func(string) string, name string) (string, error) {
	value, path := getenv(name), getenv(name+"_FILE")
	switch {
	case path == "":
		return value, nil
	case value != "":
		return "", fmt.Errorf("%s and %s_FILE are both set: remove one of them", name, name)
	}
	held, err := os.ReadFile(path) //nolint:gosec // the operator names it
	if err != nil {
		return "", fmt.Errorf("%s_FILE: %w", name, err)
	}
	value = strings.TrimRight(string(held), "\r\n")
	if value == "" {
		return "", fmt.Errorf("%s_FILE: %s is empty", name, path)
	}
	return value, nil
}
