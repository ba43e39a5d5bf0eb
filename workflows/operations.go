package workflows

import (
	"slices"
	"time"

	"go.temporal.io/sdk/workflow"
)

// operation is one item that is being provisioned, or one claim that is being de-provisioned.
type operation struct {
	id      int64
	stopped bool // no attempt follows the current one
	cancel  workflow.CancelFunc
}

func (o *operation) stop() {
	o.stopped = true
	o.cancel()
}

func inProgress(operations []*operation, id int64) bool {
	return slices.ContainsFunc(operations, func(o *operation) bool { return o.id == id })
}

// start runs an operation in parallel with the others, until it is done or stopped.
func (r *accessRequest) start(ctx workflow.Context, operations *[]*operation, id int64, execute func(workflow.Context) error) {
	ctx, cancel := workflow.WithCancel(ctx)
	o := &operation{id: id, cancel: cancel}
	*operations = append(*operations, o)
	workflow.Go(ctx, func(ctx workflow.Context) {
		defer cancel()
		err := execute(ctx)
		*operations = slices.DeleteFunc(*operations, func(other *operation) bool { return other == o })
		if o.stopped {
			r.changed.SendAsync(nil) // the database says whether there is another attempt
			return
		}
		if err != nil {
			r.log.Error("operation failed", "id", id, "error", err)
		}
		r.finished(ctx)
	})
}

// stopRetries stops all operations after their current attempts.
func (r *accessRequest) stopRetries() {
	for _, o := range slices.Concat(r.provisioning, r.deprovisioning) {
		o.stop()
	}
}

// batchFor is how long a finished operation waits for the others before the next steps are loaded.
const batchFor = 10 * time.Second

// finished syncs messages at once, and has the next steps loaded when all operations are done, or after batchFor: a hundred
// items that finish one by one do not load them a hundred times.
func (r *accessRequest) finished(ctx workflow.Context) {
	r.messages.requestSync(syncSummary)
	if r.batching {
		return
	}
	r.batching = true
	if !r.idle() {
		timerCtx, cancel := workflow.WithCancel(ctx)
		defer cancel()
		timer := newTimer(timerCtx, batchFor, "Batch results")
		if err := workflow.Await(ctx, func() bool { return timer.IsReady() || r.idle() }); err != nil {
			r.log.Error("batching results failed", "error", err)
		}
	}
	r.batching = false
	r.changed.SendAsync(nil)
}
