package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"accessbot/schema"
	"accessbot/slackapp/views"
)

// subject is what a user was doing when an error refused it: the same error means something else for each.
type subject int

const (
	anything   subject = iota // also who the user is
	deciding                  // on a request, with a message or as administrator
	asking                    // an approver's question
	answering                 // such a question
	ordering                  // what a requester does with their own request or access
	revoking                  // other people's access
	doingTasks                // manual tasks
	retrying                  // requests that wait for their targets
	delegating                // approvals
	filling                   // the request form
	requesting                // by submitting it
)

// refusal is what users read about errors: mrkdwn, escaped. {email} and {user} are those of the Slack profile, where known, and
// {ask} says who can help.
type refusal struct {
	text  string
	errs  []error
	field string // of the request form, where it is shown; empty: the first
}

func say(text string, about ...error) refusal { return refusal{text: text, errs: about} }

func sayAt(field, text string, about error) refusal { return refusal{text, []error{about}, field} }

const (
	badButton   = "This button no longer works. Open the Home tab and try again."
	slackSilent = "Slack didn't answer when we asked who you are. Nothing was changed. Try again in a minute."
	tryAgain    = "We can't reach our database right now. Nothing was changed. Try again in a minute."
	notSaved    = "We couldn't save your request. Nothing was sent, and your form is kept. Try again in a minute."
	formGone    = "This form has expired. Close it and press Request Access again."
	atGrants    = "grants" // the first shown field of the list
)

var errFormGone = errors.New("the form's draft is gone")

// refusals are the texts about errors, by subject. Those of anything, and those about deciding for questions, apply too.
var refusals = map[subject][]refusal{
	deciding: {
		say("You can't approve your own request.", schema.ErrOwnRequest),
		say("You're not an approver for this request. It may have been reassigned.", schema.ErrNotAllowed, schema.ErrNotFound),
		say("This request has changed since this message was sent, so nothing was recorded. Ask an administrator what changed.",
			schema.ErrTermsChanged),
		say("The requested end date has passed.", schema.ErrEndPassed),
		say("This request was withdrawn.", schema.ErrWithdrawn),
		say("This is already decided.", schema.ErrDecided, schema.ErrNotOpen),
	},
	asking: {
		say(fmt.Sprintf("%d questions about this request already wait for an answer. Ask again when one is answered.",
			schema.MaxOpenQuestions), schema.ErrTooMany),
		say("This request is no longer waiting, so there is nothing to ask.", schema.ErrNotOpen),
		say("You can't ask about your own request.", schema.ErrOwnRequest),
	},
	answering: {
		say("This question wasn't for you.", schema.ErrNotFound, schema.ErrNotAllowed),
		say("This question is already answered.", schema.ErrDecided),
		say("This request is no longer waiting, so no answer is needed.", schema.ErrNotOpen),
	},
	ordering: {
		say("Only the requester can do this.", schema.ErrNotAllowed, schema.ErrNotFound, schema.ErrNotOffered),
		say("This has already ended.", schema.ErrNotOpen),
		say("This access is being set up right now. Once it is active, you can remove it on the Home tab.", schema.ErrWrongKind),
	},
	revoking: {
		say("Only owners and administrators can revoke this access.", schema.ErrNotAllowed, schema.ErrNotFound),
		say("This access has ended or is already being removed.", schema.ErrNotOpen),
	},
	doingTasks: {
		say("Only owners of the application can do this.", schema.ErrNotAllowed, schema.ErrNotFound),
		say("This task is already answered.", schema.ErrDecided),
		say("This task is no longer needed.", schema.ErrNotOpen),
	},
	retrying: {
		say("Only administrators can retry a request.", schema.ErrNotAllowed),
		say("This request is no longer waiting.", schema.ErrNotOpen),
	},
	delegating: {
		say("This person isn't active in the directory. Choose another.", schema.ErrNotActive, schema.ErrNotFound),
	},
	filling: {
		say("", schema.ErrNotOffered), // only a forged payload selects what the form does not show
		say(formGone, errFormGone),
	},
	requesting: {
		sayAt(atGrants, "The policy couldn't be evaluated, so nothing was sent. Tell an administrator.", schema.ErrNotEvaluated),
		sayAt(atGrants, "Choose at least one access grant.", schema.ErrNothingChosen),
		sayAt(atGrants, "You selected something that this form doesn't offer. Nothing was sent.", schema.ErrNotOffered),
		sayAt(views.BlockReason, "This reason is no longer available. Choose another.", schema.ErrNoSuchReason),
		sayAt(views.BlockEndDate, "This end date has passed. Choose a later one.", schema.ErrEndPassed),
		sayAt(
			views.BlockFor,
			"You can't request access for this person. Only their manager or an administrator can.",
			schema.ErrNotYours,
		),
		say(formGone, errFormGone),
	},
	anything: {
		say("Only full members of this workspace can request access: not guests, bots, people from other organizations, or accounts "+
			"that are deactivated or haven't accepted their invitation.{ask}", schema.ErrNotMember),
		say("Slack doesn't tell us your email address, so we can't tell who you are. Check that your Slack profile has one, and open "+
			"this app's Home tab again.{ask}", schema.ErrNoEmail),
		say("Your email address in Slack{email} isn't confirmed, so we can't tell who you are. Confirm it in Slack (in your account "+
			"settings), and open this app's Home tab again.{ask}", schema.ErrNotConfirmed),
		say("You aren't in the directory{email}, so you can't request access.{ask}", schema.ErrNotInDirectory),
		say(
			"Your email address in Slack{email} contains characters other than plain letters, digits and symbols, so it can't identify "+
				"you. The directory has to name your Slack user ID{user}.{ask}",
			schema.ErrNotASCII,
		),
		say("We don't know yet who you are. Open this app's Home tab, and try again.", schema.ErrNotBound),
		say("The directory doesn't name your Slack user ID{user}, so you can't request access.{ask}", schema.ErrNotNamed),
		say("The directory names this Slack account as yours, but you used this app with another one before. An administrator has to "+
			"unlink that one first.{ask}", schema.ErrBoundBefore),
		say("Your entry in the directory belongs to another Slack account{email}. Use that one.{ask}", schema.ErrOtherAccount),
		say("You aren't active in the directory, so you can't request or approve access.{ask}", schema.ErrNotActive),
	},
}

// said is a refusal in the words that the user reads: mrkdwn, escaped.
type said string

func (s said) Error() string { return string(s) }

// forged says that a payload holds what no button or modal of ours sends.
type forged struct{ error }

func (f forged) Unwrap() error { return f.error }

// refused is why a user cannot use the app now.
type refused struct {
	err   error
	email string // of the Slack profile, if it was looked up

	userID string // as the email
}

func (r *refused) Error() string { return r.err.Error() }
func (r *refused) Unwrap() error { return r.err }

// turnedAway reports whether a user was refused for who they are, not because of a failure.
func turnedAway(err error) bool {
	_, ok := find(anything, err)
	return ok
}

func find(about subject, err error) (refusal, bool) {
	for _, r := range refusals[about] {
		if slices.ContainsFunc(r.errs, func(known error) bool { return errors.Is(err, known) }) {
			return r, true
		}
	}
	return refusal{}, false
}

// refusalOf returns what is said about an error; false: it is a failure.
func refusalOf(about subject, err error) (r refusal, ok bool) {
	if identity := (*refused)(nil); errors.As(err, &identity) {
		return find(anything, err) // whatever the user was doing
	}
	if about == requesting {
		if r, ok = refusalOfForm(err); ok {
			return r, true
		}
	}
	chain := []subject{about, anything}
	if about == asking {
		chain = []subject{asking, deciding, anything}
	}
	for _, about := range chain {
		if r, ok = find(about, err); ok {
			break
		}
	}
	return r, ok
}

// refusalOfForm returns what is said about errors that name what is wrong with a submitted form.
func refusalOfForm(err error) (refusal, bool) {
	var gone *schema.NoLongerOffered
	var long *schema.TooLong
	var covered *schema.CoveredAlready
	var noted *schema.NoteNeeded
	var over *schema.OverQuota
	var r refusal
	switch {
	case errors.As(err, &gone):
		r.field, r.text = atGrants, "No longer available: "+listNames(gone.Names)+
			". Clear these if they still show, and submit again to request the rest."
	case errors.As(err, &long) && long.Permanent:
		r.field, r.text = views.BlockDuration, "These can't be permanent. Choose Temporary: "+listLimits(long.Limited)+"."
	case errors.As(err, &long):
		r.field, r.text = views.BlockEndDate, "This is longer than some access grants allow: "+listLimits(long.Limited)+"."
	case errors.As(err, &covered):
		who := "You have"
		if covered.For != "" {
			who = listNames([]string{covered.For}) + " has"
		}
		r.field, r.text = views.BlockEndDate, who+" this until then or longer already: "+listNames(covered.Names)+"."
	case errors.As(err, &noted):
		r.field, r.text = views.BlockNote, "Enter a note. The policy requires one for "+listNames(noted.Names)+"."
	case errors.As(err, &over) && over.PerMinute > 0:
		r.text = fmt.Sprintf(
			"You've made %d requests within a minute, which is the limit. Your form is kept. Submit it again in a minute.",
			over.PerMinute,
		)
	case errors.As(err, &over):
		r.text = fmt.Sprintf("You have %d open requests, which is the limit. Withdraw some, or submit again when some are decided.",
			over.Open)
	default:
		return refusal{}, false
	}
	return r, true
}

// explain says to a user why nothing was done: mrkdwn, escaped. A failure is logged.
func (a *app) explain(ctx context.Context, about subject, err error) string {
	var words said
	var odd forged
	switch r, ok := refusalOf(about, err); {
	case errors.As(err, &words):
		return string(words)
	case errors.As(err, &odd):
		return badButton
	case ok && turnedAway(err):
		return a.filled(ctx, r.text, err)
	case ok:
		return r.text
	}
	a.log.Error("action failed, user told to try again", "error", err)
	switch {
	case errors.Is(err, schema.ErrUnclear) && about == requesting:
		return notConfirmedField
	case errors.Is(err, schema.ErrUnclear):
		return notConfirmed
	case about == requesting:
		return notSaved
	case errors.Is(err, errSlackSilent):
		return slackSilent
	}
	return tryAgain
}

// filled replaces the placeholders of a refusal's text.
func (a *app) filled(ctx context.Context, text string, err error) string {
	email, user, ask := "", "", ""
	if r := (*refused)(nil); errors.As(err, &r) {
		if r.email != "" {
			email = " (" + views.Escape(r.email) + ")"
		}
		if r.userID != "" {
			user = " (" + views.Escape(r.userID) + ")"
		}
	}
	if strings.Contains(text, "{ask}") {
		ask = a.ask(ctx)
	}
	return strings.NewReplacer("{email}", email, "{user}", user, "{ask}", ask).Replace(text)
}

// ask names the administrators to ask.
func (a *app) ask(ctx context.Context) string {
	names, err := schema.Administrators(ctx, a.db)
	if err != nil || len(names) == 0 {
		if err != nil {
			a.log.Error("look up administrators failed", "error", err)
		}
		return " Ask an administrator."
	}
	for i := range names {
		names[i] = views.Escape(views.Cut(names[i], 80))
	}
	return " Ask " + strings.Join(names, " or ") + "."
}

// plainWords turns our mrkdwn into plain text.
func plainWords(text string) string {
	return strings.NewReplacer("&amp;", "&", "&lt;", "<", "&gt;", ">").Replace(text)
}
