package workflows

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

func TestReplay(t *testing.T) {
	// A run can sleep for months. Code that takes another path than the run's history blocks the run, so every history that a
	// released version recorded must replay. After a release no history is recorded again: changed code uses
	// workflow.GetVersion. The other tests assert what replay does not check, such as the length of a timer or the input of an
	// activity.
	t.Run("every recorded history replays", func(t *testing.T) {
		histories, err := filepath.Glob("testdata/*/*.json")
		require.NoError(t, err)
		require.NotEmpty(t, histories)
		for _, name := range histories {
			t.Run(filepath.Base(name), func(t *testing.T) {
				file, err := os.Open(name)
				require.NoError(t, err)
				defer file.Close()
				history, err := client.HistoryFromJSON(file, client.HistoryJSONOptions{})
				require.NoError(t, err)
				started := history.Events[0].GetWorkflowExecutionStartedEventAttributes()
				replayer := worker.NewWorkflowReplayer()
				replayer.RegisterWorkflow(AccessRequest)
				replayer.RegisterWorkflow(EndAccess)
				require.NoError(t, replayer.ReplayWorkflowHistoryWithOptions(nil, history, worker.ReplayWorkflowHistoryOptions{
					OriginalExecution: workflow.Execution{ID: started.WorkflowId, RunID: started.OriginalExecutionRunId},
				}))
			})
		}
	})
}
