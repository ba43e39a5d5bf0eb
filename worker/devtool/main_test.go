package main

import (
	"testing"

	"accessbot/schema/schematest"
)

func TestMain(m *testing.M) { schematest.Main(m, "TEST_TARGET_URL") }
