package outbox

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/slack-go/slack"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"accessbot/schema"
	"accessbot/slackapp/views"
)

// SlackTimeout limits one attempt of a call to Slack's Web API, and SlackLongestWait how long a call waits if Slack asks for
// fewer calls. Longer waits are left to Temporal and the sweep, as a sync holds a database connection.
const (
	SlackTimeout     = 5 * time.Second
	SlackLongestWait = 3 * time.Second
)

// errNoReader: a message cannot be posted, as its reader's Slack account is closed.
var errNoReader = errors.New("the reader's Slack account is closed")

// send posts a message, or edits it if it was posted, and records its digest. It returns errNoReader unwrapped.
func (o *Outbox) send(ctx context.Context, q schema.Queryer, m schema.Message, userID string, message views.Message) error {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < SlackTimeout {
		return context.DeadlineExceeded // a call that is cut off may be posted twice: leave it to the next sync
	}
	digest := views.Digest(message)
	err := o.deliver(ctx, &m, userID, message)
	// What Slack accepted is recorded, even if this sync is cancelled.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if isSlackError(err, refusedContent...) {
		// Its layout breaks one of Slack's rules. The text must still arrive.
		o.Log.Error("message refused by slack, plain text sent", "message", m.ID, "kind", m.Kind, "error", err)
		if err := schema.Audit(ctx, q, schema.Event{Actor: "worker", Action: schema.MessageRefused, Alert: true, RequestID: m.RequestID,
			Details: map[string]any{"kind": m.Kind, "error": err.Error()}}); err != nil {
			return err
		}
		m.Problem = "refused by Slack, plain text sent"
		if err = o.deliver(ctx, &m, userID, message.WithoutLayout()); isSlackError(err, refusedContent...) {
			err = o.deliver(ctx, &m, userID, views.Plain(message.Text))
		}
	}
	switch {
	case err == nil:
		m.Digest = digest
		return schema.MessageSent(ctx, q, m)
	case m.TS != "" && isSlackError(err, "message_not_found") && !sentOnce(m.Kind):
		// A message with a current state or buttons is posted again.
		m.Channel, m.TS, m.Digest, m.Problem = "", "", "", slackProblem(err)
		if err := schema.MessageLost(ctx, q, m); err != nil {
			return err
		}
		return fmt.Errorf("update %s of request %d: deleted in Slack: %w", m.Kind, m.RequestID, err)
	case m.TS != "" && isSlackError(err, gone...):
		// It was deleted, or its reader's account is closed: nothing is left to update.
		m.Problem, m.Digest = slackProblem(err), digest
		return schema.MessageFailed(ctx, q, m)
	case m.TS == "" && isSlackError(err, noReader...):
		return errNoReader
	default:
		m.Problem = slackProblem(err)
		if recordErr := schema.MessageFailed(ctx, q, m); recordErr != nil {
			return errors.Join(err, recordErr)
		}
		return fmt.Errorf("send %s of request %d to person %d: %w", m.Kind, m.RequestID, m.PersonID, err)
	}
}

func (o *Outbox) deliver(ctx context.Context, m *schema.Message, userID string, message views.Message) error {
	options := []slack.MsgOption{
		slack.MsgOptionText(message.Text, false), // escaped by the views
		slack.MsgOptionBlocks(message.Blocks...),
		slack.MsgOptionDisableLinkUnfurl(),
		slack.MsgOptionDisableMediaUnfurl(),
	}
	if m.TS != "" {
		_, _, _, err := o.Slack.UpdateMessageContext(ctx, m.Channel, m.TS, options...)
		return err
	}
	channel, ts, err := o.Slack.PostMessageContext(ctx, userID, options...)
	if err != nil {
		return err
	}
	m.Channel, m.TS = channel, ts
	return nil
}

// Error codes of Slack that a retry does not change.
var (
	refusedContent = []string{
		"invalid_blocks", "invalid_blocks_format", "invalid_attachments", "msg_blocks_too_long", "msg_too_long", "invalid_arguments",
	}
	gone = []string{
		"message_not_found", "cant_update_message", "edit_window_closed", "channel_not_found", "is_archived", "user_not_found",
		"user_disabled",
	}
	noReader = []string{"channel_not_found", "is_archived", "user_not_found", "user_disabled"}
)

func isSlackError(err error, codes ...string) bool {
	var answer slack.SlackErrorResponse
	return errors.As(err, &answer) && slices.Contains(codes, answer.Err)
}

// slackProblem returns an error's code, for the database. Its text could quote the message.
func slackProblem(err error) string {
	var answer slack.SlackErrorResponse
	if errors.As(err, &answer) {
		return answer.Err
	}
	return "Slack unreachable"
}

func isRateLimited(err error) bool {
	var limited *slack.RateLimitedError
	return errors.As(err, &limited)
}

// retrySlack makes a benign error that is retried when Slack accepts calls again.
func retrySlack(err error) error {
	options := temporal.ApplicationErrorOptions{Cause: err, Category: temporal.ApplicationErrorCategoryBenign}
	var limited *slack.RateLimitedError
	if errors.As(err, &limited) {
		options.NextRetryDelay = limited.RetryAfter
	}
	return temporal.NewApplicationErrorWithOptions(err.Error(), "Slack", options)
}

// IsBusy tells whether err says that another sync of the request is running, or as many as may. Nothing was tried, and nothing is
// wrong.
func IsBusy(err error) bool { return errors.Is(err, schema.ErrBusy) }

// retryBusy makes a benign error that is retried less and less often.
func retryBusy(ctx context.Context, err error) error {
	options := temporal.ApplicationErrorOptions{Cause: err, Category: temporal.ApplicationErrorCategoryBenign}
	if IsBusy(err) {
		attempt := int32(1)
		if activity.IsActivity(ctx) {
			attempt = activity.GetInfo(ctx).Attempt
		}
		options.NextRetryDelay = schema.BusyRetry(attempt)
	}
	return temporal.NewApplicationErrorWithOptions(err.Error(), "Busy", options)
}
