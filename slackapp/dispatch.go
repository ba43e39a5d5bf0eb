package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/slack-go/slack"

	"accessbot/slackapp/views"
)

// job is what is done after the ack, in turn with the key's other jobs. The zero job is nothing.
type job struct {
	key string
	do  func(ctx context.Context)
}

// follow gives the place that a payload took to the job that follows from it.
func (a *app) follow(after job) {
	if after.do == nil {
		a.jobs.leave()
		return
	}
	a.jobs.run(after.key, after.do)
}

// event handles a payload of the Events API: what it answers is the ack, the job follows.
func (a *app) event(ctx context.Context, payload []byte) (reply any, after job, err error) {
	var e struct {
		Type         string `json:"type"`
		Challenge    string `json:"challenge"`
		TeamID       string `json:"team_id"`
		EnterpriseID string `json:"enterprise_id"`
		EventID      string `json:"event_id"`
		Event        struct {
			Type string `json:"type"`
			User string `json:"user"`
			Tab  string `json:"tab"`
		} `json:"event"`
	}
	if err := json.Unmarshal(payload, &e); err != nil {
		return nil, job{}, fmt.Errorf("an event: %w", err)
	}
	if e.Type == "url_verification" {
		return map[string]string{"challenge": e.Challenge}, job{}, nil
	}
	if e.Type != "event_callback" || e.Event.Type != "app_home_opened" || e.Event.Tab != "home" || e.Event.User == "" {
		return nil, job{}, nil // nothing of ours
	}
	if e.TeamID != a.home.teamID || e.EnterpriseID != "" && e.EnterpriseID != a.home.enterpriseID {
		a.auditElsewhere(ctx, e.Event.Type, e.TeamID, "", e.Event.User)
		return nil, job{}, errElsewhere
	}
	if a.seenBefore(ctx, e.EventID) {
		return nil, job{}, nil
	}
	return nil, job{e.Event.User, func(ctx context.Context) { a.homeOpened(ctx, e.Event.User) }}, nil
}

// interaction handles what somebody did in a view or a message.
func (a *app) interaction(ctx context.Context, payload []byte) (reply any, after job, err error) {
	var ic slack.InteractionCallback
	if err := json.Unmarshal(payload, &ic); err != nil {
		return nil, job{}, fmt.Errorf("an interaction: %w", err)
	}
	if err := a.ours(&ic); err != nil {
		a.auditElsewhere(ctx, string(ic.Type), ic.Team.ID, ic.User.TeamID, ic.User.ID)
		return nil, job{}, err
	}
	var do func(ctx context.Context)
	switch ic.Type {
	case slack.InteractionTypeBlockSuggestion:
		return a.options(ctx, &ic), job{}, nil
	case slack.InteractionTypeViewSubmission:
		switch ic.View.CallbackID {
		case views.CallbackRequest:
			reply, do = a.submit(ctx, &ic)
		case views.CallbackDeny:
			reply, do = a.submitDenial(ctx, &ic)
		}
	case slack.InteractionTypeBlockActions:
		do = a.action(ctx, &ic)
	default: // a view closed, a shortcut: nothing of ours
	}
	if errors, ok := reply.(fieldErrors); ok {
		reply = slack.NewErrorsViewSubmissionResponse(errors)
	}
	return reply, job{ic.User.ID, do}, nil
}

// fieldErrors are what is wrong with a submission: a text for people by the block ID of an input of the shown view.
type fieldErrors map[string]string

// action handles a button or another element, and answers what follows after the ack. Only the form's state is changed before it:
// the next action, at any replica, has to find it.
func (a *app) action(ctx context.Context, ic *slack.InteractionCallback) func(ctx context.Context) {
	if len(ic.ActionCallback.BlockActions) == 0 {
		return nil
	}
	action := ic.ActionCallback.BlockActions[0]
	if ic.View.CallbackID == views.CallbackRequest {
		return a.formAction(ctx, ic, action)
	}
	do := map[string]func(context.Context, *slack.InteractionCallback, *slack.BlockAction){
		views.ActionRequestAccess: a.openForm,
		views.ActionShowAll:       a.openList,
		views.ActionListPrevious:  a.turnList,
		views.ActionListNext:      a.turnList,
		views.ActionApprove:       a.approve,
		views.ActionDeny:          a.askWhyDenied,
		views.ActionWithdraw:      a.withdraw,
		views.ActionGiveBack:      a.giveBack,
	}[action.ActionID]
	if do == nil {
		a.log.Warn("an action that nobody handles", "action", action.ActionID)
		return nil
	}
	return func(ctx context.Context) { do(ctx, ic, action) }
}
