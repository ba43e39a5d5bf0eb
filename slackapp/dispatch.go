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
	user  string                     // Slack's ID of the user who acted; empty: not for us
	team  string                     // the user's: the limiter runs before we know whether the team is ours
	kind  string                     // which of the user's limits it counts against
	ic    *slack.InteractionCallback // nil: an event
	reply any                        // the ack, if it is already known

	// record is the part before the ack. Everything that the payload changes in the database is committed when it returns.
	record func(ctx context.Context) (outcome, error)
}

// outcome is what a payload leads to. It is data, and only follow acts on it after the ack: handlers have no code that runs
// then, so what they record is recorded before. The one exception is the draft of a form that was just opened: its key is the
// view's ID, which Slack returns only then, and nothing has been entered yet.
type outcome struct {
	// In the ack.
	errors  fieldErrors    // of a submission, which stays open with them
	options *views.Options // of a search

	// After it.
	wake     *wakeUp                 // runs to signal
	opens    *opening                // a modal
	tell     string                  // mrkdwn, escaped, for the user who acted alone
	form     *shownForm              // the request form to draw
	replace  *slack.ModalViewRequest // replaces the modal that the user acted in
	list     *shownList              // a list to draw
	home     *schema.Person          // the user, whose Home tab is drawn
	homeOpen bool                    // the user opened their Home tab

	refused bool // nothing was done: the user is told apart from their other jobs
}

// opening is a modal to open. What takes longer to read than a trigger lasts is filled in once the modal is open.
type opening struct {
	view   slack.ModalViewRequest
	button string   // to press again if it does not open: see handler
	form   *newForm // filled with this form; nil: none
	list   string   // filled with this list (ListValue); empty: none
}

// shownForm is a request form to draw.
type shownForm struct {
	draft    *schema.Draft // nil: the newest
	viewID   string
	personID int64
	notice   string
}

// shownList is a page of a list in a modal.
type shownList struct{ viewID, value string }

// fieldErrors are problems with a submission: texts by the block ID of an input of the shown view.
type fieldErrors map[string]string

func (e fieldErrors) Error() string { return fmt.Sprintf("wrong fields: %v", map[string]string(e)) }

// A payload's time before its ack. Slack allows 3 s. Changes must be committed by recordWithin; the ack goes out by ackWithin
// in any case: lib/pq's BEGIN and COMMIT ignore the context, and wait for a silent server.
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

var errPanicked = errors.New("internal error")

// take handles a payload up to its ack, and returns the ack. The caller sends it and then calls follow.
func (a *app) take(received time.Time, p payload) (ack any, follow func(), err error) {
	if p.record == nil {
		return p.reply, func() {}, nil
	}
	user := p.team + " " + p.user
	if ok, first := a.limiter.enter(user, p.kind); !ok {
		o := p.refusal(tooFast, tooFastField)
		if first {
			a.log.Warn("rate limit exceeded, payload refused", "user", p.user, "kind", p.kind)
		} else {
			o.tell = ""
		}
		return o.ack(), func() { a.later.follow(p, o) }, nil
	}
	select {
	case a.places <- struct{}{}:
	default:
		a.limiter.leave(user)
		a.log.Error("too many payloads at once, payload refused", "user", p.user)
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
	a.log.Error("payload not recorded in time, user told to try again", "user", p.user)
	unclear := p.refusal(notConfirmed, notConfirmedField)
	unclear.homeOpen = p.kind == visits // it shows the problem
	return unclear.ack(), func() {
		a.later.follow(p, unclear)
		a.recording.Go(func() {
			r := <-done // it may have been recorded after all: then the run is signalled and Home drawn
			a.later.follow(p, outcome{wake: r.wake, form: r.form, home: r.home})
		})
	}, nil
}

// ack returns the body of a payload's ack.
func (o outcome) ack() any {
	switch {
	case len(o.errors) > 0:
		return slack.NewErrorsViewSubmissionResponse(o.errors)
	case o.options != nil:
		return *o.options
	}
	return nil
}

// refusal returns the outcome of a payload that is not handled: a text for the user who acted, or at a field of what they
// submitted. It is acknowledged nevertheless: Slack would resend events, and in the end limit the app's subscription.
func (p payload) refusal(text, atField string) outcome {
	switch {
	case p.ic == nil:
		return outcome{refused: true} // the Home tab stays as it was drawn a moment ago
	case p.ic.Type == slack.InteractionTypeBlockSuggestion:
		none := views.NameOptions(nil)
		return outcome{options: &none}
	case p.ic.Type == slack.InteractionTypeViewSubmission:
		return outcome{errors: fieldErrors{firstInput(&p.ic.View): atField}}
	case p.ic.Type == slack.InteractionTypeBlockActions:
		return outcome{tell: text, refused: true}
	}
	return outcome{}
}

// firstInput returns the block ID of a view's first input: Slack shows errors only at inputs.
func firstInput(view *slack.View) string {
	for _, block := range view.Blocks.BlockSet {
		if input, ok := block.(*slack.InputBlock); ok {
			return input.BlockID
		}
	}
	s := submissionOf(view)
	return s.first()
}

// follow does the work after a payload's ack: it calls Slack, and signals runs.
func (a *app) follow(p payload, o outcome) {
	if o.wake != nil {
		a.wake(p.ic, *o.wake)
	}
	if opens := o.opens; opens != nil {
		// It does not wait for the user's other jobs: its trigger lasts three seconds.
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

// show shows a user the texts, forms and lists of an outcome.
func (a *app) show(ctx context.Context, ic *slack.InteractionCallback, o outcome) {
	if o.tell != "" {
		a.tell(ctx, ic, o.tell)
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

// openModal opens a modal, and fills it if necessary.
func (a *app) openModal(ctx context.Context, ic *slack.InteractionCallback, o opening) {
	opened, err := a.open(ctx, ic, o.view)
	switch {
	case err != nil:
		a.log.Error("open modal failed", "button", o.button, "user", ic.User.ID, "error", err, "where", problems(err))
		text := modalNotOpened
		if o.button != "" {
			text = "We couldn't open the form. Press “" + o.button + "” again."
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
		return payload{}, fmt.Errorf("parse event: %w", err)
	}
	if e.Type == "url_verification" {
		return payload{reply: map[string]string{"challenge": e.Challenge}}, nil
	}
	if e.Type != "event_callback" || e.Event.Type != "app_home_opened" || e.Event.Tab != "home" || e.Event.User == "" {
		return payload{}, nil // not for us
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
		return payload{}, fmt.Errorf("parse interaction: %w", err)
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
		default: // a closed view, a shortcut: not for us
			return outcome{}, nil
		}
	}
	return p, nil
}

// also queues work for a user after an ack, in order with the key's other jobs.
func (a *app) also(user, key string, do func(ctx context.Context)) {
	if !a.jobs.do(user, key, do) {
		a.log.Error("job queue full, job dropped", "user", user, "what", key)
	}
}
