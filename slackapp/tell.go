package main

import (
	"context"
	"errors"

	"github.com/slack-go/slack"

	"accessbot/slackapp/views"
)

// tell tells the one who acted something that only they should see: beside the message that they acted in, over the view
// that they acted in, or else in the Messages tab. The text is mrkdwn, escaped.
func (a *app) tell(ctx context.Context, ic *slack.InteractionCallback, text string) {
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
	a.log.Info("someone is told in the Messages tab instead", "user", ic.User.ID, "error", err)
	a.write(ctx, ic.User.ID, text)
}

// open opens a modal, over the one that was acted in if there is one.
func (a *app) open(ctx context.Context, ic *slack.InteractionCallback, view slack.ModalViewRequest) (*slack.ViewResponse, error) {
	if ic.View.Type == slack.VTModal {
		if _, _, err := views.ParseListValue(ic.View.PrivateMetadata); err == nil {
			view.PrivateMetadata = views.OverList(view.PrivateMetadata, ic.View.PrivateMetadata)
		}
		return a.slack.PushViewContext(ctx, ic.TriggerID, view)
	}
	return a.slack.OpenViewContext(ctx, ic.TriggerID, view)
}

// write writes to someone in the Messages tab, also when the time for what it is about is over.
func (a *app) write(ctx context.Context, userID, text string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tellWithin)
	defer cancel()
	if _, _, err := a.slack.PostMessageContext(ctx, userID, slack.MsgOptionText(text, false)); err != nil {
		a.log.Error("someone could not be told", "user", userID, "error", err)
	}
}

// replace puts something else in the place of a user's modal. One that was closed meanwhile needs nothing.
func (a *app) replace(ctx context.Context, userID, viewID string, view slack.ModalViewRequest) {
	_, err := a.slack.UpdateViewContext(ctx, view, "", "", viewID)
	if err != nil && !slackSays(err, "not_found") {
		a.log.Error("a modal could not be updated", "view", viewID, "error", err, "where", problems(err))
		a.write(ctx, userID, modalNotShown)
	}
}

// What someone reads in the Messages tab when Slack did not show what they asked for, not at the last try either.
const (
	modalNotOpened = "The window could not be opened. Please try again."
	modalNotShown  = "The window that you opened could not be updated. Please close it and try again."
	formNotShown   = "Your form could not be updated. Nothing was sent. Please close it and try again."
	homeNotShown   = "Your Home tab could not be updated. Please open it again in a minute."
)

// slackSays tells whether Slack answered this error.
func slackSays(err error, code string) bool {
	var answer slack.SlackErrorResponse
	return errors.As(err, &answer) && answer.Err == code
}

// problems are the places in a view or message that Slack refuses.
func problems(err error) []string {
	var answer slack.SlackErrorResponse
	if errors.As(err, &answer) {
		return answer.ResponseMetadata.Messages
	}
	return nil
}
