package workflows

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"accessbot/schema"
)

// DefaultTaskQueue is where runs and activities are queued unless TEMPORAL_TASK_QUEUE says otherwise.
const DefaultTaskQueue = "access-requests"

// askAttributesAgain is how long runs are started without search attributes, once the namespace did not know them.
const askAttributesAgain = 5 * time.Minute

// Waker starts runs and wakes them. What it fails to wake is woken by the sweep: the database knows what is due.
type Starter struct {
	Client     client.Client
	TaskQueue  string
	DB         *schema.DB
	ShowPeople bool // whether a requester is named in Temporal; otherwise p<id>
	Log        *slog.Logger

	unknownUntil atomic.Int64 // Unix time: until then the namespace counts as not knowing our search attributes
}

// Request wakes the run of a request with a signal, and starts it if there is none. A request about which nothing is due
// is left alone.
func (w *Starter) Request(ctx context.Context, requestID int64, signal string) error {
	s, err := schema.SummaryOf(ctx, w.DB, requestID)
	if err != nil {
		return fmt.Errorf("wake request %d: %w", requestID, err)
	}
	if !s.Due {
		return nil
	}
	options := w.options(RequestWorkflowID(requestID), w.sentence(s), fmt.Sprintf("Request #%d, %d items", s.ID, s.Items))
	in := AccessRequestInput{RequestID: requestID}
	if time.Now().Unix() >= w.unknownUntil.Load() {
		in.Attributes = true
		options.TypedSearchAttributes = w.attributes(s)
	}
	_, err = w.Client.SignalWithStartWorkflow(ctx, options.ID, signal, nil, options, AccessRequest, in)
	if in.Attributes && isUnknownAttribute(err) {
		w.unknownUntil.Store(time.Now().Add(askAttributesAgain).Unix())
		w.Log.Warn("Temporal does not know the search attributes: runs that start now cannot be filtered by them", "error", err)
		return w.Request(ctx, requestID, signal)
	}
	if err != nil {
		return fmt.Errorf("wake request %d: %w", requestID, err)
	}
	return nil
}

// Claim starts the run that revokes a claim whose request has none any more.
func (w *Starter) Claim(ctx context.Context, claimID int64) error {
	c, err := schema.ClaimForRun(ctx, w.DB, claimID)
	if err != nil {
		return fmt.Errorf("revoke claim %d: %w", claimID, err)
	}
	summary := fmt.Sprintf("revokes %s / %s from %s", c.Application, c.Entitlement, w.person(c.HolderID, c.Holder))
	options := w.options(EndWorkflowID(claimID), summary, "")
	if _, err := w.Client.ExecuteWorkflow(ctx, options, EndAccess, EndAccessInput{ClaimID: claimID}); err != nil {
		return fmt.Errorf("revoke claim %d: %w", claimID, err)
	}
	return nil
}

func (w *Starter) options(id, summary, details string) client.StartWorkflowOptions {
	return client.StartWorkflowOptions{
		ID:        id,
		TaskQueue: w.TaskQueue,
		// A run that was terminated, or lost to retention, is simply started again: it goes on from the database.
		WorkflowIDReusePolicy:    enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		WorkflowIDConflictPolicy: enums.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		StaticSummary:            cut(summary, 190),
		StaticDetails:            details,
		// No execution or run timeout: it would end a run without revoking access .
	}
}

// sentence says who asks for what until when.
func (w *Starter) sentence(s schema.RequestSummary) string {
	what := s.Application + " / " + s.Entitlement
	if s.Items > 1 {
		what += fmt.Sprintf(" and %d more", s.Items-1)
	}
	until := "permanently"
	if s.EndsAt.Valid {
		until = "until " + s.EndsAt.Time.UTC().Format("2006-01-02 15:04 MST")
	}
	return fmt.Sprintf("#%d: %s asks for %s, %s", s.ID, w.person(s.RequesterID, s.Requester), what, until)
}

func (w *Starter) attributes(s schema.RequestSummary) temporal.SearchAttributes {
	attributes := []temporal.SearchAttributeUpdate{
		AccessRequester.ValueSet(w.person(s.RequesterID, s.Requester)),
		AccessApplication.ValueSet(bounded(s.Applications)),
	}
	if s.EndsAt.Valid {
		attributes = append(attributes, AccessUntil.ValueSet(s.EndsAt.Time.UTC().Truncate(time.Millisecond)))
	}
	return temporal.NewSearchAttributes(attributes...)
}

func (w *Starter) person(id int64, email string) string {
	if w.ShowPeople {
		return email
	}
	return fmt.Sprintf("p%d", id)
}

func isUnknownAttribute(err error) bool {
	var invalid *serviceerror.InvalidArgument
	return errors.As(err, &invalid) && strings.Contains(strings.ToLower(invalid.Message), "search attribute")
}

// cut shortens s to at most n bytes, at the border of a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n-3], "") + "…"
}
