package schematest

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// Main runs a package's tests, for its TestMain. If one of these settings is missing, it prints one line that says which command
// starts the servers, instead of one failure a test.
func Main(m *testing.M, settings ...string) {
	for _, name := range settings {
		if os.Getenv(name) == "" {
			fmt.Fprintf(
				os.Stderr,
				"%s is not set. To start the servers and run these tests: ./temporal-dev.sh test ./%s\n",
				name,
				folder(),
			)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// folder is the path of the package under test within the repository: go test runs it in its own folder.
func folder() string {
	dir, err := os.Getwd()
	if err != nil {
		return "..."
	}
	root := dir
	for {
		if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
			break
		}
		if root == filepath.Dir(root) {
			return "..."
		}
		root = filepath.Dir(root)
	}
	rel, err := filepath.Rel(root, dir)
	if err != nil {
		return "..."
	}
	return filepath.ToSlash(rel)
}
