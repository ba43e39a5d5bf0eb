package postgresql_test

import (
	"fmt"
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	if os.Getenv("TEST_TARGET_URL") == "" {
		fmt.Fprintln(os.Stderr, "TEST_TARGET_URL is not set. To start the servers and run these tests: "+
			"./temporal-dev.sh test ./activities/connector/postgresql")
		os.Exit(1)
	}
	os.Exit(m.Run())
}
