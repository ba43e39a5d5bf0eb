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

// submit turns the form into a request, which closes the form, or returns the problems at its fields; the form then stays open.
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

// sayDelayed tells a submitter that their request is recorded and continues later. Its card follows then.
func (a *app) sayDelayed(ctx context.Context, userID string, number, personID int64) {
	text := fmt.Sprintf("Your request #%d has been created. We'll continue as soon as our systems are back.", number)
	if request, err := schema.RequestByID(ctx, a.db, number); err != nil {
		a.log.Error("read request failed", "request", number, "error", err)
	} else {
		text = views.Delayed(request, personID)
	}
	a.write(ctx, userID, text)
}

const listChanged = "The list has just changed. Check it, and submit again."

// errFields says that fields have problems: see s.errors.
var errFields = errors.New("invalid fields")

// record merges the shown page into the draft, checks the other fields, and creates the request.
func (a *app) record(ctx context.Context, viewID string, personID int64, s *submission) (schema.Receipt, error) {
	draft, err := a.db.ChangeDraft(ctx, viewID, personID, func(_ *sqlx.Tx, d *schema.Draft) error { return takeBoxes(d, s.values) })
	if errors.Is(err, schema.ErrNotFound) { // already submitted, perhaps at the same moment
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
	_, policy, err := schema.CurrentPolicy(ctx, a.db)
	if err != nil {
		return schema.Receipt{}, err
	}
	s.checkShown(&draft)
	result := schema.Submission{ViewID: viewID, PersonID: personID, Quota: a.config.quota()}
	result.ReasonKey, result.Note = s.why(reasons)
	result.EndsAt, result.EndsOn = s.ends(&draft, now, policy.Defaults.MaxDays)
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

// explain shows at a field why nothing was recorded.
func (a *app) explain(ctx context.Context, s *submission, personID int64, viewID string, err error) {
	var gone *schema.NoLongerOffered
	var long *schema.TooLong
	var covered *schema.CoveredAlready
	var noted *schema.NoteNeeded
	var over *schema.OverQuota
	switch {
	case errors.Is(err, errFields):
	case errors.As(err, &gone):
		s.wrong(s.grantsField(), "No longer available: "+listNames(gone.Names)+". Clear these if they still show, and submit again to request the rest.")
	case errors.As(err, &long) && long.Permanent:
		s.wrong(views.BlockDuration, "These can't be permanent. Choose Temporary: "+listLimits(long.Limited)+".")
	case errors.As(err, &long):
		s.wrong(views.BlockEndDate, "This is longer than some access grants allow: "+listLimits(long.Limited)+".")
	case errors.As(err, &covered):
		who := "You have"
		if covered.For != "" {
			who = listNames([]string{covered.For}) + " has"
		}
		s.wrong(views.BlockEndDate, who+" this until then or longer already: "+listNames(covered.Names)+".")
	case errors.As(err, &noted):
		s.wrong(views.BlockNote, "Enter a note. The policy requires one for "+listNames(noted.Names)+".")
	case errors.Is(err, schema.ErrNotEvaluated):
		a.log.Error("evaluate policy failed", "view", viewID, "error", err)
		a.audit(ctx, schema.Event{Actor: "policy", PersonID: personID, Action: schema.EvaluationFailed, Alert: true, Details: map[string]any{"why": err.Error()}})
		s.wrong(s.grantsField(), "The policy couldn't be evaluated, so nothing was sent. Tell an administrator.")
	case errors.As(err, &over) && over.PerMinute > 0:
		s.wrong(s.first(), fmt.Sprintf("You've made %d requests within a minute, which is the limit. Your form is kept. Submit it again in a minute.", over.PerMinute))
	case errors.As(err, &over):
		s.wrong(s.first(), fmt.Sprintf("You have %d open requests, which is the limit. Withdraw some, or submit again when some are decided.", over.Open))
	case errors.Is(err, schema.ErrNothingChosen):
		s.wrong(s.grantsField(), "Choose at least one access grant.")
	case errors.Is(err, schema.ErrNotOffered):
		a.auditNotOffered(ctx, personID, viewID, err)
		s.wrong(s.grantsField(), "You selected something that this form doesn't offer. Nothing was sent.")
	case errors.Is(err, schema.ErrNoSuchReason):
		s.wrong(views.BlockReason, "This reason is no longer available. Choose another.")
	case errors.Is(err, schema.ErrEndPassed):
		s.wrong(views.BlockEndDate, "This end date has passed. Choose a later one.")
	case errors.Is(err, schema.ErrNotFound):
		s.wrong(s.first(), formGone)
	case errors.Is(err, schema.ErrNotYours):
		a.auditNotOffered(ctx, personID, viewID, err)
		s.wrong(views.BlockFor, "You can't request access for this person. Only their manager or an administrator can.")
	case errors.Is(err, schema.ErrNotActive):
		s.wrong(s.first(), plainWords(a.words(ctx, err)))
	case errors.Is(err, schema.ErrUnclear):
		a.log.Error("submit form: outcome unknown", "view", viewID, "error", err)
		s.wrong(s.first(), notConfirmedField)
	default:
		a.log.Error("submit form failed", "view", viewID, "error", err)
		s.wrong(s.first(), "We couldn't save your request. Nothing was sent, and your form is kept. Try again in a minute.")
	}
}
