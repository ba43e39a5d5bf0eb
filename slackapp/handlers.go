package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/slack-go/slack"

	"accessbot/schema"
	"accessbot/slackapp/views"
)

// handler says what one action or submission needs and does. All of them take the same steps: parse the value, identify the user,
// authorise them, act, tell. An act has only its own business: it returns what follows, and an error if it refuses.
type handler struct {
	act act

	about     subject            // for what a refusal says
	refusedAs schema.AuditAction // audits attempts by people who may not; empty: the database audits them, or anyone may
	field     string             // of a submission: the field that shows a refusal; empty: see submission.at
	button    string             // the label of a button that opens a modal, to press again if it does not open
	form      string             // the mode of the request form that it opens; a refusal opens in its place
	listed    bool               // its button may be in a list, which is drawn again
}

// click is an action or a submission of a user.
type click struct {
	ic     *slack.InteractionCallback
	id     string             // the action ID, or the modal's callback ID
	action *slack.BlockAction // nil: a submission
	value  string             // of the button or select, or the modal's metadata; comes from outside
	person schema.Person      // the user; not set if anyone may do it
	fields submission
}

// act does what a click asks for.
type act func(*app, context.Context, *click) (outcome, error)

// role is who may act.
type role int

const (
	anyone        role = iota // it only opens or draws something; who the user is matters for its content, which is read later
	person                    // who can use the app: bound to a person now, if need be
	known                     // the same, bound before
	administrator             // the same as person, and an administrator
)

// with returns an act that has parsed its value and identified its user.
func with[V any](needs role, parse func(*click) (V, error), do func(*app, context.Context, *click, V) (outcome, error)) act {
	return func(a *app, ctx context.Context, c *click) (outcome, error) {
		value, err := parse(c)
		if err != nil {
			return outcome{}, forged{err}
		}
		if c.person, err = a.identify(ctx, c.ic.User.ID, needs); err != nil {
			return outcome{}, err
		}
		return do(a, ctx, c, value)
	}
}

func (a *app) identify(ctx context.Context, userID string, needs role) (schema.Person, error) {
	switch needs {
	case anyone:
		return schema.Person{}, nil
	case known:
		return a.bound(ctx, userID)
	case person, administrator:
	}
	user, err := a.who(ctx, userID)
	if err == nil && needs == administrator && !user.Administrator {
		err = schema.ErrNotAllowed
	}
	return user, err
}

// none parses nothing.
func none(*click) (struct{}, error) { return struct{}{}, nil }

// number parses an ID, or a request's number.
func number(c *click) (int64, error) { return idOf(c.value) }

// text returns the value of a button that another function parses.
func text(c *click) (string, error) { return c.value, nil }

// decision is what a button or a modal decides about: see views.DecisionValue.
type decision struct {
	id    int64
	terms string
}

func parseDecision(value string) (decision, error) {
	id, terms, err := views.ParseDecisionValue(value)
	return decision{id, terms}, err
}

func decided(c *click) (decision, error) { return parseDecision(c.value) }

// idOf parses a value that is an ID. Anything else was never offered.
func idOf(value string) (int64, error) {
	id, err := strconv.ParseInt(value, 10, 64)
	if err != nil || id <= 0 {
		return 0, fmt.Errorf("%.40q: %w", value, schema.ErrNotOffered)
	}
	return id, nil
}

// opens returns an act that opens a modal about its value.
func opens[V any](view func(value string) slack.ModalViewRequest) func(*app, context.Context, *click, V) (outcome, error) {
	return func(_ *app, _ context.Context, c *click, _ V) (outcome, error) { return opened(view(c.value)), nil }
}

// opened returns an outcome that opens a modal.
func opened(view slack.ModalViewRequest) outcome { return outcome{opens: &opening{view: view}} }

// actions are the handlers of buttons and other elements outside the request form, by action ID.
var actions = map[string]handler{
	views.ActionRequestAccess: {act: with(person, none, (*app).openForm), form: schema.LikePerson, button: "Request Access"},
	views.ActionExtend:        earlier(schema.Extend, "Extend…", ofClaim),
	views.ActionExtendSoon:    earlier(schema.Extend, "Extend…", schema.EndingSoonContent),
	views.ActionExtendAll:     earlier(schema.Extend, "Extend…", ofRequest),
	views.ActionAgain:         earlier(schema.Again, "Request again", ofRequest),

	views.ActionApprove: {act: with(person, decided, (*app).approve), about: deciding, listed: true},
	views.ActionDeny:    {act: with(anyone, decided, opens[decision](views.Deny)), button: "Deny…"},
	views.ActionChoose: {
		act:       with(person, decided, (*app).openChoice),
		about:     deciding,
		refusedAs: schema.ButtonRefused,
		button:    "Approve with changes…",
	},
	views.ActionAskQuestion: {
		act:       with(person, decided, (*app).openQuestion),
		about:     asking,
		refusedAs: schema.ButtonRefused,
		button:    "Ask a question…",
	},
	views.ActionAnswer: {
		act:       with(person, number, (*app).openAnswer),
		about:     answering,
		refusedAs: schema.ButtonRefused,
		button:    "Answer…",
	},
	views.ActionDecideAsAdministrator: {
		act: with(
			administrator,
			number,
			(*app).openOverride,
		),
		about:     deciding,
		refusedAs: schema.ButtonRefused,
		button:    views.DecideAsAdministrator,
	},

	views.ActionWithdraw: {act: with(person, number, (*app).withdraw), about: ordering, refusedAs: schema.WithdrawalRefused},
	views.ActionRemoveAccess: {
		act:       with(person, number, (*app).removeAccess),
		about:     ordering,
		refusedAs: schema.RevocationRefused,
		listed:    true,
	},
	views.ActionHolders: {act: with(anyone, none, (*app).openHolders), button: "Review access…"},
	views.ActionHolder:  {act: with(anyone, number, (*app).pickHolder)},
	views.ActionRevoke: {
		act:       with(person, number, (*app).askWhyRevoked),
		about:     revoking,
		refusedAs: schema.RevocationRefused,
		button:    "Revoke…",
	},

	views.ActionTaskDone:   {act: with(person, number, (*app).taskDone), about: doingTasks, listed: true},
	views.ActionTaskCannot: {act: with(anyone, number, opens[int64](views.Cannot)), button: "Can't do it…"},
	views.ActionRetry:      {act: with(person, number, (*app).retryNow), about: retrying},
	views.ActionAway:       {act: with(person, none, (*app).openAway), button: "Delegate approvals…"},
	views.ActionBack:       {act: with(person, none, (*app).back)},

	views.ActionShowAll:      {act: with(anyone, text, (*app).openList)},
	views.ActionListPrevious: {act: with(anyone, text, (*app).turnList)},
	views.ActionListNext:     {act: with(anyone, text, (*app).turnList)},
}

// submissions are the handlers of submitted modals, by callback ID.
var submissions = map[string]handler{
	views.CallbackRequest: {
		act:       with(known, none, (*app).submit),
		about:     requesting,
		refusedAs: schema.SelectionRefused,
	},
	views.CallbackDeny: {
		act:   with(person, decided, (*app).submitDenial),
		about: deciding,
		field: views.BlockReason,
	},
	views.CallbackChoose: {
		act:   with(person, choiceOf, (*app).submitChoice),
		about: deciding,
		field: views.BlockChosen(0),
	},
	views.CallbackDecideAsAdministrator: {
		act:   with(person, choiceOf, (*app).submitOverride),
		about: deciding,
		field: views.BlockReason,
	},
	views.CallbackAskQuestion: {
		act:   with(person, decided, (*app).submitQuestion),
		about: asking,
		field: views.BlockWritten,
	},
	views.CallbackAnswer: {
		act:   with(person, number, (*app).submitAnswer),
		about: answering,
		field: views.BlockWritten,
	},
	views.CallbackRevoke: {
		act:   with(person, number, (*app).submitRevocation),
		about: revoking,
		field: views.BlockReason,
	},
	views.CallbackCannot: {
		act:   with(person, number, (*app).submitCannot),
		about: doingTasks,
		field: views.BlockReason,
	},
	views.CallbackAway: {act: with(person, none, (*app).submitAway), about: delegating, field: views.BlockDelegate},
}

// formAction is the handler of every element of the request form.
var formAction = handler{act: with(known, none, (*app).changeForm), about: filling, refusedAs: schema.SelectionRefused}

func (a *app) action(ctx context.Context, ic *slack.InteractionCallback) outcome {
	if len(ic.ActionCallback.BlockActions) == 0 {
		return outcome{}
	}
	action := ic.ActionCallback.BlockActions[0]
	h, ok := actions[action.ActionID]
	if ic.View.CallbackID == views.CallbackRequest {
		h, ok = formAction, true
	}
	if !ok {
		a.log.Warn("no handler for action", "action", action.ActionID)
		return outcome{}
	}
	value := action.Value
	if value == "" {
		value = action.SelectedOption.Value
	}
	o := a.perform(ctx, h, &click{ic: ic, id: action.ActionID, action: action, value: value})
	if h.listed && ic.View.Type == slack.VTModal {
		o.list = &shownList{ic.View.ID, ic.View.PrivateMetadata}
	}
	return o
}

func (a *app) submitted(ctx context.Context, ic *slack.InteractionCallback) outcome {
	below := listBelow(ic)
	h, ok := submissions[ic.View.CallbackID]
	if !ok {
		return outcome{}
	}
	o := a.perform(ctx, h, &click{ic: ic, id: ic.View.CallbackID, value: ic.View.PrivateMetadata, fields: submissionOf(&ic.View)})
	o.list = below // also drawn if another approver was first
	return o
}

// perform handles a click: what it recorded is committed when it returns.
func (a *app) perform(ctx context.Context, h handler, c *click) outcome {
	o, err := h.act(a, ctx, c)
	if err != nil {
		o = a.refuse(ctx, h, c, o, err)
	}
	if o.opens != nil {
		o.opens.button = h.button
	}
	return o
}

// refuse adds to an outcome why nothing was done: at a field, in place of the form, or in a text for the user alone.
func (a *app) refuse(ctx context.Context, h handler, c *click, o outcome, err error) outcome {
	var wrong fieldErrors
	if errors.As(err, &wrong) {
		o.errors = wrong
		return o
	}
	a.auditRefused(ctx, h, c, err)
	text := a.explain(ctx, h.about, err)
	switch {
	case h.about == requesting:
		c.fields.wrong(c.fields.at(err), plainWords(text))
		o.errors = c.fields.errors
	case h.field != "":
		o.errors = fieldErrors{h.field: plainWords(text)}
	case h.form != "":
		o.opens = &opening{view: views.Notice(views.FormTitle(h.form), text)}
	case h.about == filling && (turnedAway(err) || errors.Is(err, errFormGone)):
		notice := views.Notice(views.FormTitle(""), text)
		o.replace = &notice
	default:
		o.tell = text
	}
	return o
}

// auditRefused records a value that none of our buttons has, and an attempt by someone who may not do this.
func (a *app) auditRefused(ctx context.Context, h handler, c *click, err error) {
	action, odd := h.refusedAs, forged{}
	if errors.As(err, &odd) {
		action = schema.ButtonRefused
	} else if action == "" || !notTheirs(err) {
		return
	}
	details := map[string]any{"user": c.ic.User.ID, "action": c.id, "why": err.Error()}
	if value := views.Cut(views.Clean(c.value), 40); value != "" {
		details["value"] = value
	}
	if c.ic.View.ID != "" {
		details["view"] = c.ic.View.ID
	}
	a.audit(ctx, schema.Event{Actor: "slackapp", PersonID: c.person.ID, Action: action, Alert: true, Details: details})
}

// notTheirs reports whether a user was refused because something is not theirs, or was not offered to them.
func notTheirs(err error) bool {
	return errors.Is(err, schema.ErrNotAllowed) || errors.Is(err, schema.ErrNotFound) || errors.Is(err, schema.ErrNotOffered) ||
		errors.Is(err, schema.ErrNotYours)
}
