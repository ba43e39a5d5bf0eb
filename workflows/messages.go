package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"accessbot/activities"
)

// messages keeps what people see in Slack as the database says. It runs beside the run that owns it, one look at a time,
// and nothing waits for it but the end of the run.
type messages struct {
	requestID int64
	dirty     bool // something changed since the last look
	looking   bool
	wake      workflow.Channel // the run's: a look can find that whom to ask has changed
}

func startMessages(ctx workflow.Context, requestID int64, wake workflow.Channel) *messages {
	m := &messages{requestID: requestID, wake: wake}
	workflow.Go(ctx, m.run)
	return m
}

// look asks for another look.
func (m *messages) look() { m.dirty = true }

func (m *messages) busy() bool { return m.dirty || m.looking }

func (m *messages) run(ctx workflow.Context) {
	for {
		if err := workflow.Await(ctx, func() bool { return m.dirty }); err != nil {
			return
		}
		m.dirty, m.looking = false, true
		again := m.sync(ctx)
		m.looking = false
		if again > 0 && !m.dirty {
			// What is gathered is due in a moment. The end of the run does not wait for it: the sweep would send it.
			m.sleep(ctx, again)
		}
	}
}

// converge brings the messages to what the database says, and answers in how long to look again; 0: when something changes.
func (m *messages) sync(ctx workflow.Context) time.Duration {
	ctx = with(ctx, messagePolicy, "say so in Slack")
	var result activities.SyncResult
	err := workflow.ExecuteActivity(ctx, do.SyncMessages, activities.RequestInput{RequestID: m.requestID}).Get(ctx, &result)
	if err != nil {
		workflow.GetLogger(ctx).Error("messages are behind: the sweep sends them", "error", err)
		return 0
	}
	if result.AskAgain {
		m.wake.SendAsync(nil)
	}
	return time.Duration(result.AgainIn) * time.Second
}

// sleep waits before the next look, and less if something changes.
func (m *messages) sleep(ctx workflow.Context, d time.Duration) {
	timerCtx, cancel := workflow.WithCancel(ctx)
	defer cancel()
	timer := workflow.NewTimerWithOptions(timerCtx, d, workflow.TimerOptions{Summary: "gathers what to say"})
	err := workflow.Await(ctx, func() bool { return m.dirty || timer.IsReady() })
	m.dirty = m.dirty || err == nil
}

// finish waits until the last look is over.
func (m *messages) finish(ctx workflow.Context) {
	if err := workflow.Await(ctx, func() bool { return !m.busy() }); err != nil {
		workflow.GetLogger(ctx).Error("the last messages are behind: the sweep sends them", "error", err)
	}
}
