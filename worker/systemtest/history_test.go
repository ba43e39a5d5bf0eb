package systemtest

import (
	"os"
	"os/exec"
	"path/filepath"

	"github.com/stretchr/testify/require"
)

// keepHistory saves a run's history for the replay test of package workflows, if RECORD_HISTORIES is set to a folder.
// Histories of released commits must not be recorded again from the code under test.
func (s *system) keepHistory(name, workflowID string) {
	s.t.Helper()
	folder := os.Getenv("RECORD_HISTORIES")
	if folder == "" {
		return
	}
	history, err := exec.Command(setting(s.t, "TEST_TEMPORAL_CLI"), "workflow", "show",
		"--address", s.address, "--namespace", s.id, "-w", workflowID, "-o", "json").Output()
	require.NoError(s.t, err)
	require.NoError(s.t, os.WriteFile(filepath.Join(folder, name+".json"), history, 0o644)) // to be committed
}
