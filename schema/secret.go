package schema

import (
	"fmt"
	"os"
	"strings"
)

// Secret is a secret setting of a program: the value of the environment variable of that name, or what the file holds that NAME_FILE
// names, without the line break at its end. Empty: neither is set. An error never says the secret.
func Secret(getenv func(string) string, name string) (string, error) {
	value, path := getenv(name), getenv(name+"_FILE")
	switch {
	case path == "":
		return value, nil
	case value != "":
		return "", fmt.Errorf("%s: %s_FILE is set too: leave one of them out", name, name)
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
