package pgdial_test

import (
	"testing"

	"accessbot/schema/schematest"
)

func TestMain(m *testing.M) { schematest.Main(m, "TEST_PG_BIN") }
