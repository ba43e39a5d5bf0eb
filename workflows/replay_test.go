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
	// A run sleeps for months. Code that would have gone another way than a run that is under way stops it for good, so
	// every history that was ever recorded from a commit that ran somewhere must replay. A history is never recorded again:
	// code that changes goes on from it by workflow.GetVersion. What replay does not see (the length of a timer, the input
	// of an activity) the other tests assert.
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
