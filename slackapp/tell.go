package main

import (
	"context"
	"errors"

	"github.com/slack-go/slack"

	"accessbot/slackapp/views"
)

// tell tells only the user who acted: beside the message or over the view that they acted in, or else in the Messages tab, as
// after a modal is submitted and closed. The text is mrkdwn, escaped.
func (a *app) tell(ctx context.Context, ic *slack.InteractionCallback, text string) {
	if ic.Type == slack.InteractionTypeViewSubmission {
		a.write(ctx, ic.User.ID, text)
		return
	}
	channel := ic.Container.ChannelID
	if channel == "" {
		channel = ic.Channel.ID
	}
	var err error
	switch {
	case channel != "":
		_, err = a.slack.PostEphemeralContext(ctx, channel, ic.User.ID, slack.MsgOptionText(text, false))
	default:
		_, err = a.open(ctx, ic, views.Notice("Access", text))
	}
	if err == nil {
		return
	}
	a.log.Info("tell user failed, using the Messages tab", "user", ic.User.ID, "error", err)
	a.write(ctx, ic.User.ID, text)
}

// open opens a modal, over the one that the user acted in if there is one.
func (a *app) open(ctx context.Context, ic *slack.InteractionCallback, view slack.ModalViewRequest) (*slack.ViewResponse, error) {
	if ic.View.Type == slack.VTModal {
		if _, _, err := views.ParseListValue(ic.View.PrivateMetadata); err == nil {
			view.PrivateMetadata = views.OverList(view.PrivateMetadata, ic.View.PrivateMetadata)
		}
		return a.slack.PushViewContext(ctx, ic.TriggerID, view)
	}
	return a.slack.OpenViewContext(ctx, ic.TriggerID, view)
}

// write writes to a user in the Messages tab, even if ctx is done.
func (a *app) write(ctx context.Context, userID, text string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tellWithin)
	defer cancel()
	if _, _, err := a.slack.PostMessageContext(ctx, userID, slack.MsgOptionText(text, false)); err != nil {
		a.log.Error("tell user failed", "user", userID, "error", err)
	}
}

// replace replaces a user's modal, unless it was closed meanwhile.
func (a *app) replace(ctx context.Context, userID, viewID string, view slack.ModalViewRequest) {
	_, err := a.slack.UpdateViewContext(ctx, view, "", "", viewID)
	if err != nil && !slackSays(err, "not_found") {
		a.log.Error("update modal failed", "view", viewID, "error", err, "where", problems(err))
		a.write(ctx, userID, modalNotShown)
	}
}

// Texts for the Messages tab if Slack did not show a view, even after retries.
const (
	modalNotOpened = "We couldn't open the window. Try again."
	modalNotShown  = "We couldn't update the window that you opened. Close it and try again."
	formNotShown   = "We couldn't update your form. Nothing was sent. Close it and try again."
	homeNotShown   = "We couldn't update your Home tab. Open it again in a minute."
)

// slackSays reports whether Slack answered this error.
func slackSays(err error, code string) bool {
	var answer slack.SlackErrorResponse
	return errors.As(err, &answer) && answer.Err == code
}

// problems returns the parts of a view or message that Slack refuses.
func problems(err error) []string {
	var answer slack.SlackErrorResponse
	if errors.As(err, &answer) {
		return answer.ResponseMetadata.Messages
	}
	return nil
}
