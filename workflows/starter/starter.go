// Package starter starts and signals runs. It needs the database, to know what is due and to describe a run, and Temporal's client.
// The Slack app uses it after its acks, and the sweep for what the Slack app could not signal.
package starter

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
	"accessbot/workflows"
)

// retryAttributesAfter is how long runs are started without search attributes after the namespace did not know them.
const retryAttributesAfter = 5 * time.Minute

// Starter starts and signals runs. If it fails, the sweep does it later: the database knows what is due.
type Starter struct {
	Client     client.Client
	TaskQueue  string
	DB         *schema.DB
	ShowPeople bool // whether people are named in Temporal by e-mail address; otherwise by p<id>
	Log        *slog.Logger

	unknownUntil atomic.Int64 // Unix time until which runs start without search attributes
}

// SignalRequest signals the run of a request, and starts it if there is none. It does nothing if nothing is due.
func (s *Starter) SignalRequest(ctx context.Context, requestID int64, signal string) error {
	r, err := schema.SummaryOf(ctx, s.DB, requestID)
	if err != nil {
		return fmt.Errorf("signal request %d: %w", requestID, err)
	}
	if !r.Due {
		return nil
	}
	options := s.options(workflows.RequestWorkflowID(requestID), s.summary(r), fmt.Sprintf("Request #%d, items: %d", r.ID, r.Items))
	in := workflows.AccessRequestInput{RequestID: requestID}
	if time.Now().Unix() >= s.unknownUntil.Load() {
		in.Attributes = true
		options.TypedSearchAttributes = s.attributes(r)
	}
	details := s.details(ctx, r, signal)
	_, err = s.Client.SignalWithStartWorkflow(ctx, options.ID, signal, details, options, workflows.AccessRequest, in)
	if in.Attributes && isUnknownAttribute(err) {
		s.unknownUntil.Store(time.Now().Add(retryAttributesAfter).Unix())
		s.Log.Warn("search attributes unknown, runs start without them", "error", err)
		return s.SignalRequest(ctx, requestID, signal)
	}
	if err != nil {
		return fmt.Errorf("signal request %d: %w", requestID, err)
	}
	return nil
}

// EndClaim starts or signals the run that ends a claim which was revoked: its request's, which may have completed long ago, or
// one of its own if it was imported.
func (s *Starter) EndClaim(ctx context.Context, claimID int64) error {
	c, err := schema.ClaimForRun(ctx, s.DB, claimID)
	if err != nil {
		return fmt.Errorf("start ending claim %d: %w", claimID, err)
	}
	if c.RequestID.Valid {
		return s.SignalRequest(ctx, c.RequestID.Int64, workflows.SignalRevocationRecorded)
	}
	summary := fmt.Sprintf("Revoke %s / %s from %s", c.Application, c.Entitlement, s.person(c.HolderID, c.Holder))
	options := s.options(workflows.EndWorkflowID(claimID), summary, "")
	if _, err := s.Client.ExecuteWorkflow(
		ctx,
		options,
		workflows.EndAccess,
		workflows.EndAccessInput{ClaimID: claimID},
	); err != nil {
		return fmt.Errorf("start ending claim %d: %w", claimID, err)
	}
	return nil
}

// details says who did what, for readers of the history. What the sweep signals was done by no one.
func (s *Starter) details(ctx context.Context, r schema.RequestSummary, signal string) any {
	var recorded schema.Recorded
	var err error
	var details workflows.SignalDetails
	switch signal {
	case workflows.SignalSubmitted:
		recorded = schema.Recorded{PersonID: r.SubmitterID, Person: r.Submitter, Items: r.Items}
	case workflows.SignalDecisionRecorded:
		recorded, err = schema.LatestDecision(ctx, s.DB, r.ID)
		details.Decision = recorded.What
	case workflows.SignalWithdrawalRecorded, workflows.SignalRevocationRecorded:
		recorded, err = schema.LatestStopOrder(ctx, s.DB, r.ID)
		details.Order = recorded.What
	default:
		return nil
	}
	if err != nil { // the signal matters, not what it shows
		s.Log.Warn("signal sent without details", "request", r.ID, "signal", signal, "error", err)
		return nil
	}
	details.Person, details.Items = s.person(recorded.PersonID, recorded.Person), recorded.Items
	return details
}

func (s *Starter) options(id, summary, details string) client.StartWorkflowOptions {
	return client.StartWorkflowOptions{
		ID:        id,
		TaskQueue: s.TaskQueue,
		// A run that was terminated, or lost to retention, is started again and continues from the database.
		WorkflowIDReusePolicy:    enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		WorkflowIDConflictPolicy: enums.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		StaticSummary:            workflows.Summary(summary),
		StaticDetails:            details,
		// No execution or run timeout: it would end the run without revoking access.
	}
}

// summary says who requested what, and until when.
func (s *Starter) summary(r schema.RequestSummary) string {
	access := r.Application + " / " + r.Entitlement
	if r.Items > 1 {
		access += fmt.Sprintf(" and %d more", r.Items-1)
	}
	until := "permanent"
	if r.EndsAt.Valid {
		until = "until " + r.EndsAt.Time.UTC().Format("2006-01-02 15:04 MST")
	}
	return fmt.Sprintf("#%d: %s requests %s, %s", r.ID, s.person(r.RequesterID, r.Requester), access, until)
}

func (s *Starter) attributes(r schema.RequestSummary) temporal.SearchAttributes {
	attributes := []temporal.SearchAttributeUpdate{
		workflows.AccessRequester.ValueSet(s.person(r.RequesterID, r.Requester)),
		workflows.AccessApplication.ValueSet(workflows.Keywords(r.Applications)),
	}
	if r.EndsAt.Valid {
		attributes = append(attributes, workflows.AccessUntil.ValueSet(r.EndsAt.Time.UTC().Truncate(time.Millisecond)))
	}
	return temporal.NewSearchAttributes(attributes...)
}

func (s *Starter) person(id int64, email string) string {
	if s.ShowPeople {
		return email
	}
	return fmt.Sprintf("p%d", id)
}

func isUnknownAttribute(err error) bool {
	var invalid *serviceerror.InvalidArgument
	return errors.As(err, &invalid) && strings.Contains(strings.ToLower(invalid.Message), "search attribute")
}
