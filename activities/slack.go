package activities

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/slack-go/slack"
	"go.temporal.io/sdk/temporal"

	"accessbot/schema"
	"accessbot/slackapp/views"
)

// SlackTimeout is how long one try of a call of Slack's Web API may take, and SlackLongestWait how long a call waits when
// Slack asks for that. What waits longer, Temporal and the sweep do: a look holds a connection.
const (
	SlackTimeout     = 5 * time.Second
	SlackLongestWait = 3 * time.Second
)

// errNoReader: Slack has no one any more whom a message could be posted to.
var errNoReader = errors.New("the reader's Slack account is closed")

// send posts a message, or updates it where it stands, and records what it says now. It answers errNoReader as it is.
func (a *Activities) send(ctx context.Context, q schema.Queryer, m schema.Message, userID string, message views.Message) error {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < SlackTimeout {
		return context.DeadlineExceeded // cut off in flight, it might be posted twice: the next look has time for it
	}
	digest := views.Digest(message)
	err := a.deliver(ctx, &m, userID, message)
	// What Slack took is recorded, whatever becomes of this look.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if isSlackError(err, refusedContent...) {
		// Something in it breaks a rule of Slack's. What it says in plain words must still arrive.
		a.Log.Error("Slack refuses a message: a plain one is sent instead", "message", m.ID, "kind", m.Kind, "error", err)
		if err := schema.Audit(ctx, q, schema.Event{Actor: "worker", Action: schema.MessageRefused, Alert: true, RequestID: m.RequestID,
			Details: map[string]any{"kind": m.Kind, "error": err.Error()}}); err != nil {
			return err
		}
		m.Problem = "refused by Slack: a plain message was sent"
		if err = a.deliver(ctx, &m, userID, message.WithoutLayout()); isSlackError(err, refusedContent...) {
			err = a.deliver(ctx, &m, userID, views.Plain(message.Text))
		}
	}
	switch {
	case err == nil:
		m.Digest = digest
		return schema.MessageSent(ctx, q, m)
	case m.TS != "" && isSlackError(err, "message_not_found") && !once(m.Kind):
		// Someone waits for this one to say how things stand, or to be answered: it is posted again.
		m.Channel, m.TS, m.Digest, m.Problem = "", "", "", slackProblem(err)
		if err := schema.MessageLost(ctx, q, m); err != nil {
			return err
		}
		return fmt.Errorf("the %s of request %d is gone from Slack: %w", m.Kind, m.RequestID, err)
	case m.TS != "" && isSlackError(err, gone...):
		// It was deleted, or its reader's account is closed: nothing is left to draw on.
		m.Problem, m.Digest = slackProblem(err), digest
		return schema.MessageFailed(ctx, q, m)
	case m.TS == "" && isSlackError(err, noReader...):
		return errNoReader
	default:
		m.Problem = slackProblem(err)
		if recordErr := schema.MessageFailed(ctx, q, m); recordErr != nil {
			return errors.Join(err, recordErr)
		}
		return fmt.Errorf("the %s of request %d to person %d: %w", m.Kind, m.RequestID, m.PersonID, err)
	}
}

func (a *Activities) deliver(ctx context.Context, m *schema.Message, userID string, message views.Message) error {
	options := []slack.MsgOption{
		slack.MsgOptionText(message.Text, false), // escaped by the views
		slack.MsgOptionBlocks(message.Blocks...),
		slack.MsgOptionDisableLinkUnfurl(),
		slack.MsgOptionDisableMediaUnfurl(),
	}
	if m.TS != "" {
		_, _, _, err := a.Slack.UpdateMessageContext(ctx, m.Channel, m.TS, options...)
		return err
	}
	channel, ts, err := a.Slack.PostMessageContext(ctx, userID, options...)
	if err != nil {
		return err
	}
	m.Channel, m.TS = channel, ts
	return nil
}

// Slack's words for what trying again would not change.
var (
	refusedContent = []string{"invalid_blocks", "invalid_blocks_format", "invalid_attachments", "msg_blocks_too_long", "msg_too_long", "invalid_arguments"}
	gone           = []string{"message_not_found", "cant_update_message", "edit_window_closed", "channel_not_found", "is_archived", "user_not_found", "user_disabled"}
	noReader       = []string{"channel_not_found", "is_archived", "user_not_found", "user_disabled"}
)

func isSlackError(err error, codes ...string) bool {
	var answer slack.SlackErrorResponse
	return errors.As(err, &answer) && slices.Contains(codes, answer.Err)
}

// slackProblem is an error's kind, for the database: its text could quote what was sent.
func slackProblem(err error) string {
	var answer slack.SlackErrorResponse
	if errors.As(err, &answer) {
		return answer.Err
	}
	return "Slack could not be reached"
}

func isRateLimited(err error) bool {
	var limited *slack.RateLimitedError
	return errors.As(err, &limited)
}

// retrySlack tells Temporal when Slack wants to hear from us again.
func retrySlack(err error) error {
	options := temporal.ApplicationErrorOptions{Cause: err, Category: temporal.ApplicationErrorCategoryBenign}
	var limited *slack.RateLimitedError
	if errors.As(err, &limited) {
		options.NextRetryDelay = limited.RetryAfter
	}
	return temporal.NewApplicationErrorWithOptions(err.Error(), "Slack", options)
}
