package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/slack-go/slack"

	"accessbot/schema"
	"accessbot/slackapp/views"
)

// payload is one thing that Slack delivers: an event, a search in a select, a button or another element, a submitted modal.
type payload struct {
	user  string                     // Slack's ID of the user who acted; empty: nothing of ours
	team  string                     // theirs: what they may send is limited before it is known whether that is ours
	kind  string                     // which of their limits it counts for
	ic    *slack.InteractionCallback // nil: an event
	reply any                        // the ack, where it is known already

	// record is the part before the ack. Whatever the payload changes in the database is committed when it returns.
	record func(ctx context.Context) (outcome, error)
}

// outcome is what a payload leads to. It is data, and follow alone acts on it after the ack: a handler has no code of its own that
// runs then, so what it records is recorded before. The one thing kept after an ack is the draft of a form that was just opened:
// its key is the view's ID, which Slack grants only then, and nothing has been entered yet.
type outcome struct {
	// In the ack.
	errors  fieldErrors    // of a submission, which stays open with them
	options *views.Options // of a search

	// After it.
	wake     *wakeUp                 // runs that should read the database again
	opens    *opening                // a modal
	tell     string                  // mrkdwn, escaped, for the user who acted alone
	form     *shownForm              // the request form is drawn
	replace  *slack.ModalViewRequest // in the place of the modal that was acted in
	list     *shownList              // a list is drawn
	home     *schema.Person          // the Home tab of the user, who is this person, is drawn
	homeOpen bool                    // the user opened their Home tab

	refused bool // nothing was done: the user is told beside everything else that is done for them
}

// opening is a modal to open. What takes longer to read than a trigger lasts is filled in once something is open.
type opening struct {
	view   slack.ModalViewRequest
	button string   // which to press again when it does not open; empty: it is not named
	form   *newForm // filled with this form; nil: none
	list   string   // filled with this list (ListValue); empty: none
}

// shownForm is a request form as it is to be drawn.
type shownForm struct {
	draft    *schema.Draft // nil: as it is by now
	viewID   string
	personID int64
	notice   string
}

// shownList is a page of a list in a modal.
type shownList struct{ viewID, value string }

// fieldErrors are what is wrong with a submission: a text for people by the block ID of an input of the shown view.
type fieldErrors map[string]string

// telling is an outcome that only tells the user something.
func telling(text string) outcome { return outcome{tell: text} }

// wrongAt is an outcome that only says what is wrong at one field.
func wrongAt(blockID, text string) outcome { return outcome{errors: fieldErrors{blockID: text}} }

// A payload's time before its ack. Slack grants 3 s. What is recorded has to be committed by recordWithin; the answer goes out by
// ackWithin whatever happens: lib/pq's BEGIN and COMMIT do not look at a context, and wait for a silent server.
const (
	recordWithin = 1700 * time.Millisecond
	ackWithin    = 2 * time.Second
	sendWithin   = 500 * time.Millisecond // over Socket Mode
)

const (
	notConfirmed      = "We couldn't confirm that this was saved. Check whether it was, or try again: it won't be saved twice."
	notConfirmedField = "We couldn't confirm that this was saved. Submit again in a moment: it won't be saved twice."
	tooFast           = "You're clicking faster than we can keep up. Wait a few seconds and try again."
	tooFastField      = "You're clicking faster than we can keep up. Wait a few seconds, then submit again."
	tooBusy           = "We're very busy right now, so nothing was saved. Try again in a minute."
	tooBusyField      = "We're very busy right now, so nothing was saved. Your form is kept: submit it again in a minute."
)

var errPanicked = errors.New("this went wrong")

// take does what comes before the ack of a payload that was received at that time, and answers the ack. After it, follow has to be
// called.
func (a *app) take(received time.Time, p payload) (ack any, follow func(), err error) {
	if p.record == nil {
		return p.reply, func() {}, nil
	}
	user := p.team + " " + p.user
	if ok, first := a.limiter.enter(user, p.kind); !ok {
		o := p.refusal(tooFast, tooFastField)
		if first {
			a.log.Warn("a user is faster than the limit: what is too much is refused", "user", p.user, "kind", p.kind)
		} else {
			o.tell = ""
		}
		return o.ack(), func() { a.later.follow(p, o) }, nil
	}
	select {
	case a.places <- struct{}{}:
	default:
		a.limiter.leave(user)
		a.log.Error("too many payloads at once: one was refused", "user", p.user)
		o := p.refusal(tooBusy, tooBusyField)
		return o.ack(), func() { a.later.follow(p, o) }, nil
	}
	type result struct {
		outcome
		err error
	}
	done := make(chan result, 1)
	a.recording.Go(func() {
		defer func() {
			<-a.places
			a.limiter.leave(user)
		}()
		ctx, cancel := context.WithDeadline(context.Background(), received.Add(recordWithin))
		defer cancel()
		r := result{err: errPanicked}
		guarded(a.log, "a payload", func() { r.outcome, r.err = p.record(ctx) })
		done <- r
	})
	timer := time.NewTimer(time.Until(received.Add(ackWithin)))
	defer timer.Stop()
	select {
	case r := <-done:
		return r.ack(), func() { a.later.follow(p, r.outcome) }, r.err
	case <-timer.C:
	}
	a.log.Error("not recorded in time: the user is told to try again", "user", p.user)
	unclear := p.refusal(notConfirmed, notConfirmedField)
	unclear.homeOpen = p.kind == visits // it says then what is the matter
	return unclear.ack(), func() {
		a.later.follow(p, unclear)
		a.recording.Go(func() {
			r := <-done // perhaps it was recorded after all: then the run and the Home tab still have to hear of it
			a.later.follow(p, outcome{wake: r.wake, form: r.form, home: r.home})
		})
	}, nil
}

// ack is what the ack of a payload says.
func (o outcome) ack() any {
	switch {
	case len(o.errors) > 0:
		return slack.NewErrorsViewSubmissionResponse(o.errors)
	case o.options != nil:
		return *o.options
	}
	return nil
}

// refusal is the outcome of a payload of which nothing is done: a text for the user who acted, or at a field of what they
// submitted. It is acknowledged all the same: Slack would send an event again, and in the end limit the app's subscription.
func (p payload) refusal(text, atField string) outcome {
	switch {
	case p.ic == nil:
		return outcome{refused: true} // the Home tab stays as it was drawn a moment ago
	case p.ic.Type == slack.InteractionTypeBlockSuggestion:
		none := views.NameOptions(nil)
		return outcome{options: &none}
	case p.ic.Type == slack.InteractionTypeViewSubmission:
		return wrongAt(firstInput(&p.ic.View), atField)
	case p.ic.Type == slack.InteractionTypeBlockActions:
		return outcome{tell: text, refused: true}
	}
	return outcome{}
}

// firstInput is the block ID of a view's first input: Slack shows errors at inputs alone.
func firstInput(view *slack.View) string {
	for _, block := range view.Blocks.BlockSet {
		if input, ok := block.(*slack.InputBlock); ok {
			return input.BlockID
		}
	}
	s := submission{values: view.State}
	return s.first()
}

// follow does what follows from a payload, once its ack is out: it talks to Slack, and wakes runs.
func (a *app) follow(p payload, o outcome) {
	if o.wake != nil {
		a.wake(p.ic, *o.wake)
	}
	if opens := o.opens; opens != nil {
		// It waits for nothing else that the user did: its trigger lasts three seconds.
		open := func(ctx context.Context) { a.openModal(ctx, p.ic, *opens) }
		if key := "opens " + p.ic.TriggerID; !a.opens.do(p.user, key, open) {
			a.also(p.user, key, open)
		}
	}
	if o.tell != "" || o.form != nil || o.replace != nil || o.list != nil {
		user, key := p.user, p.user
		switch {
		case o.refused:
			user, key = "refused "+user, "refused "+user
		case p.ic.View.CallbackID == views.CallbackRequest:
			key = p.ic.View.ID
		}
		a.also(user, key, func(ctx context.Context) { a.show(ctx, p.ic, o) })
	}
	if o.home != nil {
		a.publishHome(p.user, *o.home)
	}
	if o.homeOpen {
		a.also(p.user, homeKey(p.user), func(ctx context.Context) { a.homeOpened(ctx, p.user) })
	}
}

// show tells and draws what an outcome says.
func (a *app) show(ctx context.Context, ic *slack.InteractionCallback, o outcome) {
	if o.tell != "" {
		a.tellLater(ctx, ic, o.tell)
	}
	if form := o.form; form != nil {
		if form.draft != nil {
			a.draw(ctx, ic.User.ID, *form.draft, form.notice)
		} else {
			a.drawAgain(ctx, ic.User.ID, form.viewID, form.personID, form.notice)
		}
	}
	if o.replace != nil {
		a.replace(ctx, ic.User.ID, ic.View.ID, *o.replace)
	}
	if o.list != nil {
		a.showList(ctx, ic.User.ID, o.list.viewID, o.list.value)
	}
}

// openModal opens a modal, and fills it where it has to be filled.
func (a *app) openModal(ctx context.Context, ic *slack.InteractionCallback, o opening) {
	opened, err := a.open(ctx, ic, o.view)
	switch {
	case err != nil:
		a.log.Error("a modal could not be opened", "button", o.button, "user", ic.User.ID, "error", err, "where", problems(err))
		text := modalNotOpened
		if o.button != "" {
			text = "The form could not be opened. Please press " + o.button + " again."
		}
		a.write(ctx, ic.User.ID, text)
	case o.form != nil:
		a.fillForm(ctx, ic, *o.form, opened.View)
	case o.list != "":
		a.showList(ctx, ic.User.ID, opened.View.ID, o.list)
	}
}

// event reads a payload of the Events API.
func (a *app) event(raw []byte) (payload, error) {
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
	if err := json.Unmarshal(raw, &e); err != nil {
		return payload{}, fmt.Errorf("an event: %w", err)
	}
	if e.Type == "url_verification" {
		return payload{reply: map[string]string{"challenge": e.Challenge}}, nil
	}
	if e.Type != "event_callback" || e.Event.Type != "app_home_opened" || e.Event.Tab != "home" || e.Event.User == "" {
		return payload{}, nil // nothing of ours
	}
	p := payload{user: e.Event.User, team: e.TeamID, kind: visits}
	p.record = func(ctx context.Context) (outcome, error) {
		if e.TeamID != a.home.teamID || e.AppID != a.home.appID || e.EnterpriseID != "" && e.EnterpriseID != a.home.enterpriseID {
			a.auditElsewhere(ctx, e.Event.Type, e.TeamID, "", e.Event.User)
			return outcome{}, errElsewhere
		}
		return outcome{homeOpen: !a.seenBefore(ctx, e.EventID)}, nil
	}
	return p, nil
}

// interaction reads what a user did in a view or a message.
func (a *app) interaction(raw []byte) (payload, error) {
	ic := &slack.InteractionCallback{}
	if err := json.Unmarshal(raw, ic); err != nil {
		return payload{}, fmt.Errorf("an interaction: %w", err)
	}
	p := payload{user: ic.User.ID, team: ic.Team.ID, kind: acts, ic: ic}
	if ic.Type == slack.InteractionTypeBlockSuggestion {
		p.kind = searches
	}
	p.record = func(ctx context.Context) (outcome, error) {
		if err := a.ours(ic); err != nil {
			a.auditElsewhere(ctx, string(ic.Type), ic.Team.ID, ic.User.TeamID, ic.User.ID)
			return outcome{}, err
		}
		switch ic.Type {
		case slack.InteractionTypeBlockSuggestion:
			options := a.options(ctx, ic)
			return outcome{options: &options}, nil
		case slack.InteractionTypeBlockActions:
			return a.action(ctx, ic), nil
		case slack.InteractionTypeViewSubmission:
			return a.submitted(ctx, ic), nil
		default: // a view closed, a shortcut: nothing of ours
			return outcome{}, nil
		}
	}
	return p, nil
}

// submissions are what records a submitted modal, by its callback ID.
var submissions = map[string]func(*app, context.Context, *slack.InteractionCallback) outcome{
	views.CallbackRequest:               (*app).submit,
	views.CallbackDeny:                  (*app).submitDenial,
	views.CallbackAway:                  (*app).submitAway,
	views.CallbackRevoke:                (*app).submitRevocation,
	views.CallbackChoose:                (*app).submitChoice,
	views.CallbackDecideAsAdministrator: (*app).submitStuck,
	views.CallbackAskQuestion:           (*app).submitQuestion,
	views.CallbackAnswer:                (*app).submitAnswer,
	views.CallbackCannot:                (*app).submitCannot,
}

func (a *app) submitted(ctx context.Context, ic *slack.InteractionCallback) outcome {
	below := listBelow(ic)
	submit := submissions[ic.View.CallbackID]
	if submit == nil {
		return outcome{}
	}
	o := submit(a, ctx, ic)
	o.list = below // drawn also where another approver was first
	return o
}

// actions are what records a button or another element of a message, of Home and of our modals but the request form, by action ID.
var actions = map[string]func(*app, context.Context, *slack.InteractionCallback, *slack.BlockAction) outcome{
	views.ActionRequestAccess:         (*app).openForm,
	views.ActionExtend:                (*app).openEarlier,
	views.ActionExtendSoon:            (*app).openEarlier,
	views.ActionExtendAll:             (*app).openEarlier,
	views.ActionAgain:                 (*app).openEarlier,
	views.ActionShowAll:               (*app).openList,
	views.ActionDeny:                  (*app).askWhyDenied,
	views.ActionChoose:                (*app).openChoice,
	views.ActionDecideAsAdministrator: (*app).openStuck,
	views.ActionAskQuestion:           (*app).openQuestion,
	views.ActionAnswer:                (*app).openAnswer,
	views.ActionAway:                  (*app).openAway,
	views.ActionHolders:               (*app).openHolders,
	views.ActionRevoke:                (*app).askWhyRevoked,
	views.ActionTaskCannot:            (*app).askWhyCannot,
	views.ActionListPrevious:          (*app).turnList,
	views.ActionListNext:              (*app).turnList,
	views.ActionApprove:               (*app).approve,
	views.ActionWithdraw:              (*app).withdraw,
	views.ActionRemoveAccess:          (*app).removeAccess,
	views.ActionTaskDone:              (*app).taskDone,
	views.ActionBack:                  (*app).back,
	views.ActionHolder:                (*app).pickHolder,
	views.ActionRetry:                 (*app).retryNow,
}

func (a *app) action(ctx context.Context, ic *slack.InteractionCallback) outcome {
	if len(ic.ActionCallback.BlockActions) == 0 {
		return outcome{}
	}
	action := ic.ActionCallback.BlockActions[0]
	if ic.View.CallbackID == views.CallbackRequest {
		return a.formAction(ctx, ic, action)
	}
	act := actions[action.ActionID]
	if act == nil {
		a.log.Warn("an action without a handler", "action", action.ActionID)
		return outcome{}
	}
	return act(a, ctx, ic, action)
}

// alsoListed adds to the outcome of a button that is a delegate a list that the list is drawn again.
func (o outcome) alsoListed(ic *slack.InteractionCallback) outcome {
	if ic.View.Type == slack.VTModal {
		o.list = &shownList{ic.View.ID, ic.View.PrivateMetadata}
	}
	return o
}

// also does something for a user after an ack, in turn with the key's other jobs.
func (a *app) also(user, key string, do func(ctx context.Context)) {
	if !a.jobs.do(user, key, do) {
		a.log.Error("too much to do: something was left out", "user", user, "what", key)
	}
}
