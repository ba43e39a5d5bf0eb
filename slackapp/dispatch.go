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

	opens bool // a modal: its trigger lasts three seconds, so it does not stand in line with the rest
}

// follow gives the place that a payload took to the job that follows from it.
func (a *app) follow(after job) {
	if after.do == nil {
		a.jobs.leave()
		return
	}
	if after.opens && a.opens.enter() {
		a.jobs.leave()
		a.opens.run(after.key, after.do)
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
		AppID        string `json:"api_app_id"`
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
	if e.TeamID != a.home.teamID || e.AppID != a.home.appID || e.EnterpriseID != "" && e.EnterpriseID != a.home.enterpriseID {
		a.auditElsewhere(ctx, e.Event.Type, e.TeamID, "", e.Event.User)
		return nil, job{}, errElsewhere
	}
	if a.seenBefore(ctx, e.EventID) {
		return nil, job{}, nil
	}
	return nil, job{key: homeKey(e.Event.User), do: func(ctx context.Context) { a.homeOpened(ctx, e.Event.User) }}, nil
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
	switch ic.Type {
	case slack.InteractionTypeBlockSuggestion:
		return a.options(ctx, &ic), job{}, nil
	case slack.InteractionTypeBlockActions:
		return nil, a.action(ctx, &ic), nil
	case slack.InteractionTypeViewSubmission:
		var errors fieldErrors
		below := a.listBelow(&ic)
		switch ic.View.CallbackID {
		case views.CallbackRequest:
			errors, after.do = a.submit(ctx, &ic)
		case views.CallbackDeny:
			errors, after.do = a.submitDenial(ctx, &ic)
		case views.CallbackAway:
			errors, after.do = a.submitAway(ctx, &ic)
		case views.CallbackTakeBack:
			errors, after.do = a.submitTakeBack(ctx, &ic)
		case views.CallbackChoose:
			errors, after.do = a.submitChoice(ctx, &ic)
		case views.CallbackStuck:
			errors, after.do = a.submitStuck(ctx, &ic)
		case views.CallbackEnquire:
			errors, after.do = a.submitEnquiry(ctx, &ic)
		case views.CallbackAnswer:
			errors, after.do = a.submitAnswer(ctx, &ic)
		case views.CallbackCannot:
			errors, after.do = a.submitCannot(ctx, &ic)
		}
		after.key = ic.User.ID
		if do := after.do; do != nil && below != nil { // also where somebody else was first
			after.do = func(ctx context.Context) { do(ctx); below(ctx) }
		}
		if len(errors) > 0 {
			return slack.NewErrorsViewSubmissionResponse(errors), after, nil
		}
	default: // a view closed, a shortcut: nothing of ours
	}
	return nil, after, nil
}

// fieldErrors are what is wrong with a submission: a text for people by the block ID of an input of the shown view.
type fieldErrors map[string]string

// action handles a button or another element, and answers what follows after the ack. Only the form's state is changed before it:
// the next action, at any replica, has to find it.
func (a *app) action(ctx context.Context, ic *slack.InteractionCallback) job {
	if len(ic.ActionCallback.BlockActions) == 0 {
		return job{}
	}
	action := ic.ActionCallback.BlockActions[0]
	if ic.View.CallbackID == views.CallbackRequest {
		return job{key: ic.View.ID, do: a.formAction(ctx, ic, action)}
	}
	type handler func(context.Context, *slack.InteractionCallback, *slack.BlockAction)
	// What opens a modal has three seconds, so it waits for nothing else that the user did.
	opens := map[string]handler{
		views.ActionRequestAccess: a.openForm,
		views.ActionExtend:        a.openEarlier,
		views.ActionExtendSoon:    a.openEarlier,
		views.ActionExtendAll:     a.openEarlier,
		views.ActionAgain:         a.openEarlier,
		views.ActionShowAll:       a.openList,
		views.ActionDeny:          a.askWhyDenied,
		views.ActionChoose:        a.openChoice,
		views.ActionStuck:         a.openStuck,
		views.ActionEnquire:       a.openEnquiry,
		views.ActionAnswer:        a.openAnswer,
		views.ActionAway:          a.openAway,
		views.ActionHolders:       a.openHolders,
		views.ActionTakeBack:      a.askWhyTakenBack,
		views.ActionTaskCannot:    a.askWhyCannot,
	}
	acts := map[string]handler{
		views.ActionListPrevious: a.turnList,
		views.ActionListNext:     a.turnList,
		views.ActionApprove:      a.approve,
		views.ActionWithdraw:     a.withdraw,
		views.ActionGiveBack:     a.giveBack,
		views.ActionTaskDone:     a.taskDone,
		views.ActionBack:         a.back,
		views.ActionHolder:       a.pickHolder,
		views.ActionRetry:        a.retryNow,
	}
	if do := opens[action.ActionID]; do != nil {
		return job{key: "opens " + ic.TriggerID, do: func(ctx context.Context) { do(ctx, ic, action) }, opens: true}
	}
	if do := acts[action.ActionID]; do != nil {
		return job{key: ic.User.ID, do: func(ctx context.Context) { do(ctx, ic, action) }}
	}
	a.log.Warn("an action that nobody handles", "action", action.ActionID)
	return job{}
}

// also does something beside the job that asks for it, in turn with the key's other jobs.
func (a *app) also(key string, do func(ctx context.Context)) {
	if !a.jobs.enter() {
		a.log.Error("too much to do: something was left out", "what", key)
		return
	}
	a.jobs.run(key, do)
}
