package systemtest

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestManualTask(t *testing.T) {
	t.Parallel()
	t.Run("owner sets up and removes access by hand", func(t *testing.T) {
		t.Parallel()
		s := start(t)
		s.startWorker()
		s.startSlackApp()
		alice := s.open("alice")
		alice.Choose("Access Like", "Custom")
		alice.WaitForModal("Everything that you can request")
		alice.Tick("Evening entry")
		alice.Choose("Duration", "Temporary")
		alice.WaitForModal("End date")
		alice.PickDate("End date", inDays(3))
		alice.Choose("Reason", "Project work")
		alice.SubmitAccepted()
		card := alice.WaitForMessage("has been successfully created and sent for approval")
		request := number(t, card.Text())

		dana := s.as("dana")
		dana.PressIn(dana.WaitForMessage("Alice Martin requests"), "Approve")
		task := dana.WaitForMessage("Manual task: set up access")
		require.Contains(t, task.Text(), "Evening entry")
		alice.WaitForEdit(card, "Evening entry: being set up, waiting for Dana Levi to set it up")
		require.Equal(t, "provisioning", s.itemState(request))
		dana.PressIn(task, "Mark as done")
		alice.WaitForMessage(fmt.Sprintf("#%d is active", request))
		task = dana.WaitForEdit(task, "Done: Alice Martin has the access")
		require.Empty(t, task.Buttons())

		s.shiftClock(4 * 24 * time.Hour)
		removal := dana.WaitForMessage("Manual task: remove access")
		require.Equal(t, "active", s.itemState(request), "the item is not ended before the task is done")
		dana.PressIn(removal, "Can't do it…")
		dana.WaitForModal("Can't do it")
		require.NotEmpty(t, dana.Submit(), "a reason is needed")
		dana.Fill("Reason", "She has left the <!channel> building")
		dana.SubmitAccepted()
		dana.WaitForEdit(removal, "She has left the <!channel> building")
		s.shiftClock(25 * time.Hour)
		again := dana.WaitForMessage("Manual task: remove access")
		require.NotEqual(t, removal.TS, again.TS)
		dana.PressIn(again, "Mark as done")
		alice.WaitForMessage(fmt.Sprintf("#%d has ended", request))
	})
}
