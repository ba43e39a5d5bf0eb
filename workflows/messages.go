package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"
)

// SyncMessages is the name of the activity that syncs a request's Slack messages with the database. The outbox of the Slack app
// implements it: workflows know only its name, its input and its result.
const SyncMessages = "SyncMessages"

// SyncInput names the request whose messages are synced.
type SyncInput struct{ RequestID int64 }

// SyncResult is the result of SyncMessages.
type SyncResult struct {
	DueIn               int64 // seconds until the next sync; 0: when something changes
	ApproverUnreachable bool  // an approver is not in Slack: the run should load its next steps
}

// messages syncs a request's Slack messages with the database. It runs beside its run, one sync at a time. Only the end of the
// run waits for it.
type messages struct {
	requestID int64
	due       bool   // something changed since the last sync began
	summary   string // of the sync that is due
	syncing   bool
	changed   workflow.Channel // the run's: a sync can find that an approver is not in Slack
}

func startMessages(ctx workflow.Context, requestID int64, changed workflow.Channel) *messages {
	m := &messages{requestID: requestID, changed: changed}
	workflow.Go(ctx, m.run)
	return m
}

// requestSync makes run sync once more. The summary says what for.
func (m *messages) requestSync(summary string) {
	if !m.due || summary != syncSummary {
		m.summary = summary
	}
	m.due = true
}

func (m *messages) busy() bool { return m.due || m.syncing }

func (m *messages) run(ctx workflow.Context) {
	for {
		if err := workflow.Await(ctx, func() bool { return m.due }); err != nil {
			return
		}
		m.due, m.syncing = false, true
		wait := m.sync(ctx)
		m.syncing = false
		if wait > 0 && !m.due {
			// Batched notifications are due then. The run does not stay open for them: the sweep would send them.
			m.sleep(ctx, wait)
		}
	}
}

// sync makes the messages match the database. It returns the time until the next sync; 0: when something changes.
func (m *messages) sync(ctx workflow.Context) time.Duration {
	ctx = withPolicy(ctx, messagePolicy, m.summary)
	var result SyncResult
	err := workflow.ExecuteActivity(ctx, SyncMessages, SyncInput{RequestID: m.requestID}).Get(ctx, &result)
	if err != nil {
		workflow.GetLogger(ctx).Error("messages not synced, sweep retries", "error", err)
		return 0
	}
	if result.ApproverUnreachable {
		m.changed.SendAsync(nil)
	}
	return time.Duration(result.DueIn) * time.Second
}

// sleep waits until the next sync, or until something changes.
func (m *messages) sleep(ctx workflow.Context, d time.Duration) {
	timerCtx, cancel := workflow.WithCancel(ctx)
	defer cancel()
	timer := newTimer(timerCtx, d, "Wait for the next notification")
	if err := workflow.Await(ctx, func() bool { return m.due || timer.IsReady() }); err == nil {
		m.requestSync(syncSummary)
	}
}

// finish waits until the last sync is done.
func (m *messages) finish(ctx workflow.Context) {
	if err := workflow.Await(ctx, func() bool { return !m.busy() }); err != nil {
		workflow.GetLogger(ctx).Error("messages not synced, sweep retries", "error", err)
	}
}
