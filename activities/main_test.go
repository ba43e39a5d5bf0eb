package activities_test

import (
	"testing"

	"accessbot/schema/schematest"
)

func TestMain(m *testing.M) { schematest.Main(m, "TEST_DATABASE_URL") }
