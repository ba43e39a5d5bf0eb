package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/slack-go/slack"

	"accessbot/schema"
	"accessbot/slackapp/views"
	"accessbot/workflows"
)

// submit turns the form into a request, which closes the form, or answers what is wrong at which field; the form then stays as it
// is.
func (a *app) submit(ctx context.Context, ic *slack.InteractionCallback) outcome {
	s := submission{values: ic.View.State, errors: fieldErrors{}}
	person, err := a.bound(ctx, ic.User.ID)
	if turnedAway(err) {
		s.wrong(s.first(), plainWords(a.words(ctx, &refused{err: err})))
		return outcome{errors: s.errors}
	}
	var receipt schema.Receipt
	if err == nil {
		receipt, err = a.record(ctx, ic.View.ID, person.ID, &s)
	}
	if err != nil {
		a.explain(ctx, &s, person.ID, ic.View.ID, err)
	}
	if s.outdated {
		return outcome{errors: s.errors, form: &shownForm{viewID: ic.View.ID, personID: person.ID, notice: listChanged}}
	}
	if len(s.errors) > 0 {
		return outcome{errors: s.errors}
	}
	o := outcome{home: &person}
	if !receipt.Before {
		o.wake = wakeRequest(receipt.RequestID, workflows.SignalSubmitted, "")
		o.wake.submittedBy = person.ID
	}
	return o
}

// sayDelayed tells someone that their request is kept and goes on later. Its card follows once it does.
func (a *app) sayDelayed(ctx context.Context, userID string, number, personID int64) {
	text := fmt.Sprintf("Your request #%d has been created. We'll continue as soon as our systems are back.", number)
	if request, err := schema.RequestByID(ctx, a.db, number); err != nil {
		a.log.Error("a request could not be read", "request", number, "error", err)
	} else {
		text = views.Delayed(request, personID)
	}
	a.write(ctx, userID, text)
}

const listChanged = "The list has changed at the same moment. Please look at it again, and submit."

// errFields says that something is wrong at fields: s.errors tells what.
var errFields = errors.New("something is wrong at the fields")

// record takes the shown page over into the draft, looks at the other fields, and makes the request.
func (a *app) record(ctx context.Context, viewID string, personID int64, s *submission) (schema.Receipt, error) {
	draft, err := a.db.ChangeDraft(ctx, viewID, personID, func(_ *sqlx.Tx, d *schema.Draft) error { return takeBoxes(d, s.values) })
	if errors.Is(err, schema.ErrNotFound) { // submitted before, at the same moment perhaps
		return a.db.Submit(ctx, schema.Submission{ViewID: viewID, PersonID: personID})
	}
	if err != nil {
		return schema.Receipt{}, err
	}
	now, err := schema.Now(ctx, a.db)
	if err != nil {
		return schema.Receipt{}, err
	}
	reasons, err := schema.Reasons(ctx, a.db)
	if err != nil {
		return schema.Receipt{}, err
	}
	s.checkShown(&draft)
	result := schema.Submission{ViewID: viewID, PersonID: personID, Quota: a.config.quota}
	result.ReasonKey, result.Note = s.why(reasons)
	result.EndsAt, result.EndsOn = s.ends(&draft, now, a.config.maxDays)
	zone, err := time.LoadLocation(draft.TimeZone)
	if err != nil {
		return schema.Receipt{}, fmt.Errorf("the time zone of form %s: %w", viewID, err)
	}
	result.LastEnd = func(days int) time.Time { return lastEnd(now, days, zone) }
	if len(s.errors) > 0 {
		return schema.Receipt{}, errFields
	}
	return a.db.Submit(ctx, result)
}

// explain puts why nothing was recorded at the field that it is about.
func (a *app) explain(ctx context.Context, s *submission, personID int64, viewID string, err error) {
	var gone *schema.NoLongerOffered
	var long *schema.TooLong
	var covered *schema.CoveredAlready
	var noted *schema.NoteNeeded
	var over *schema.OverQuota
	switch {
	case errors.Is(err, errFields):
	case errors.As(err, &gone):
		s.wrong(s.grantsField(), "No longer offered: "+listNames(gone.Names)+". Take the tick off where it still shows, and submit again to ask for the rest.")
	case errors.As(err, &long) && long.Permanent:
		s.wrong(views.BlockDuration, "These cannot be held permanently. Choose Temporary: "+listLimits(long.Limited)+".")
	case errors.As(err, &long):
		s.wrong(views.BlockEndDate, "This is longer than some access grants allow: "+listLimits(long.Limited)+".")
	case errors.As(err, &covered):
		who := "You have"
		if covered.For != "" {
			who = listNames([]string{covered.For}) + " has"
		}
		s.wrong(views.BlockEndDate, who+" this until then already, or longer: "+listNames(covered.Names)+".")
	case errors.As(err, &noted):
		s.wrong(views.BlockNote, "Say in a note what it is for: the policy asks for that with "+listNames(noted.Names)+".")
	case errors.Is(err, schema.ErrNotEvaluated):
		a.log.Error("the policy cannot evaluate what is asked for", "view", viewID, "error", err)
		a.audit(ctx, schema.Event{Actor: "policy", PersonID: personID, Action: schema.EvaluationFailed, Alert: true, Details: map[string]any{"why": err.Error()}})
		s.wrong(s.grantsField(), "The policy cannot evaluate this, so nothing was sent. Please tell an administrator; it is on record.")
	case errors.As(err, &over) && over.PerMinute > 0:
		s.wrong(s.first(), fmt.Sprintf("You have made %d requests within a minute, and no one may make more. Your form is kept: please submit it again in a minute.", over.PerMinute))
	case errors.As(err, &over):
		s.wrong(s.first(), fmt.Sprintf("%d requests of yours are open, and no one may have more. Withdraw some, or submit this form again when some are decided.", over.Open))
	case errors.Is(err, schema.ErrNothingChosen):
		s.wrong(s.grantsField(), "Choose at least one access grant.")
	case errors.Is(err, schema.ErrNotOffered):
		a.auditNotOffered(ctx, personID, viewID, err)
		s.wrong(s.grantsField(), "Something was asked for that this form did not offer. Nothing was sent.")
	case errors.Is(err, schema.ErrNoSuchReason):
		s.wrong(views.BlockReason, "This reason is no longer used. Choose another one.")
	case errors.Is(err, schema.ErrEndPassed):
		s.wrong(views.BlockEndDate, "This end has passed. Choose a later one.")
	case errors.Is(err, schema.ErrNotFound):
		s.wrong(s.first(), formGone)
	case errors.Is(err, schema.ErrNotYours):
		a.auditNotOffered(ctx, personID, viewID, err)
		s.wrong(views.BlockFor, "You cannot ask for this person: that is for their manager, or an administrator.")
	case errors.Is(err, schema.ErrNotActive):
		s.wrong(s.first(), plainWords(a.words(ctx, err)))
	case errors.Is(err, schema.ErrUnclear):
		a.log.Error("a form may have been submitted", "view", viewID, "error", err)
		s.wrong(s.first(), notConfirmedField)
	default:
		a.log.Error("a form could not be submitted", "view", viewID, "error", err)
		s.wrong(s.first(), "Our records cannot be reached right now, so nothing was sent. Your form is kept: please submit it again in a minute.")
	}
}
