package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/slack-go/slack"

	"accessbot/schema"
	"accessbot/slackapp/views"
)

// How long what Slack said about a user is believed: whether they are still a full member, and their time zone.
const (
	memberFor = 10 * time.Minute
	zoneFor   = time.Hour
)

// slackID is a user of our workspace.
func (a *app) slackID(userID string) schema.SlackID {
	return schema.SlackID{EnterpriseID: a.home.enterpriseID, TeamID: a.home.teamID, UserID: userID}
}

// who answers the person behind a Slack user who may use the app, or a *refused. At first contact it binds the two. A
// binding stays while its user becomes a guest, and is worth nothing then.
func (a *app) who(ctx context.Context, userID string) (schema.Person, error) {
	person, err := schema.PersonOfSlackUser(ctx, a.db, a.slackID(userID))
	var user schema.SlackUser
	switch {
	case errors.Is(err, schema.ErrNotBound):
		if user, err = a.slackUser(ctx, userID); err == nil {
			person, err = a.db.BindSlackUser(ctx, user, a.config.bindByEmail)
		}
	case err == nil:
		err = a.stillMember(ctx, userID)
	}
	return usable(person, user, err)
}

// whoNow is who for someone who opens the app: Slack is asked what it says of them by now, and what differs is audited.
func (a *app) whoNow(ctx context.Context, userID string) (schema.Person, error) {
	person, err := schema.PersonOfSlackUser(ctx, a.db, a.slackID(userID))
	bound := err == nil
	user, slackErr := a.slackUser(ctx, userID)
	switch {
	case slackErr != nil && !errors.Is(slackErr, schema.ErrNotMember) && bound:
		a.log.Warn("Slack does not say who someone is: taking whom they were bound to", "user", userID, "error", slackErr)
	case slackErr != nil:
		err = slackErr
	case bound && !user.Member:
		err = schema.ErrNotMember
		a.audit(ctx, schema.Event{Actor: "slackapp", PersonID: person.ID, Action: schema.MembershipLost, Alert: true,
			Details: map[string]any{"user": userID}})
	case bound:
		if err := schema.LookAtSlackEmail(ctx, a.db, person, user); err != nil {
			a.log.Error("a Slack e-mail could not be compared", "user", userID, "error", err)
		}
	case errors.Is(err, schema.ErrNotBound):
		person, err = a.db.BindSlackUser(ctx, user, a.config.bindByEmail)
	}
	return usable(person, user, err)
}

// usable answers the person, if they may use the app.
func usable(person schema.Person, user schema.SlackUser, err error) (schema.Person, error) {
	if err == nil && !person.Active() {
		err = schema.ErrNotActive
	}
	if err != nil {
		return schema.Person{}, &refused{err: err, email: user.Email, userID: user.UserID}
	}
	return person, nil
}

// bound is who for what an open form does, whose user is bound: it binds no one. It answers ErrNotBound, ErrNotActive or
// ErrNotMember.
func (a *app) bound(ctx context.Context, userID string) (schema.Person, error) {
	person, err := schema.PersonOfSlackUser(ctx, a.db, a.slackID(userID))
	if err != nil {
		return schema.Person{}, err
	}
	if !person.Active() {
		return schema.Person{}, schema.ErrNotActive
	}
	return person, a.stillMember(ctx, userID)
}

// turnedAway tells that a person was refused for who they are, not for what is out of order here.
func turnedAway(err error) bool {
	return errors.Is(err, schema.ErrNotBound) || errors.Is(err, schema.ErrNotActive) || errors.Is(err, schema.ErrNotMember)
}

// stillMember tells ErrNotMember of someone who is bound and became a guest, or was deactivated. While Slack does not
// answer, the binding counts: it proved membership once, and Slack let its user press something just now.
func (a *app) stillMember(ctx context.Context, userID string) error {
	user, known := a.users.get(userID, memberFor)
	if !known {
		var err error
		if user, err = a.slackUser(ctx, userID); errors.Is(err, schema.ErrNotMember) {
			return err
		} else if err != nil {
			a.log.Warn("Slack cannot be asked whether a user is still a member", "user", userID, "error", err)
			return nil
		}
	}
	if !user.Member {
		return schema.ErrNotMember
	}
	return nil
}

// errSlackSilent: Slack did not say who a user is.
var errSlackSilent = errors.New("Slack cannot be asked about a user")

// slackUser asks Slack about a user. One whom Slack does not know is no member. A slow answer is waited for half of the time that
// ctx leaves: before an ack, the rest is for the database.
func (a *app) slackUser(ctx context.Context, userID string) (schema.SlackUser, error) {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(deadline)/2)
		defer cancel()
	}
	u, err := a.slack.GetUserInfoContext(ctx, userID)
	var answer slack.SlackErrorResponse
	if errors.As(err, &answer) && (answer.Err == "user_not_found" || answer.Err == "user_not_visible") {
		return schema.SlackUser{}, schema.ErrNotMember
	}
	if err != nil {
		return schema.SlackUser{}, fmt.Errorf("user %s: %w: %w", userID, errSlackSilent, err)
	}
	ofTeam := u.TeamID == a.home.teamID ||
		a.home.enterpriseID != "" && u.Enterprise.EnterpriseID == a.home.enterpriseID && slices.Contains(u.Enterprise.Teams, a.home.teamID)
	ofEnterprise := u.Enterprise.EnterpriseID == "" || u.Enterprise.EnterpriseID == a.home.enterpriseID
	user := schema.SlackUser{
		SlackID: a.slackID(userID),
		Email:   u.Profile.Email, EmailConfirmed: u.IsEmailConfirmed, TimeZone: u.TZ,
		Member: ofTeam && ofEnterprise && !u.Deleted && !u.IsBot && !u.IsRestricted && !u.IsUltraRestricted && !u.IsStranger && !u.IsInvitedUser &&
			!u.IsConnectorBot && !u.IsWorkflowBot && userID != "USLACKBOT",
	}
	a.users.put(user)
	return user, nil
}

// zoneOf is the time zone that a person's dates are in: the directory's, else the Slack profile's, else the default.
func (a *app) zoneOf(ctx context.Context, p schema.Person, userID string) string {
	if knownZone(p.TimeZone) {
		return p.TimeZone
	}
	user, known := a.users.get(userID, zoneFor)
	if !known {
		var err error
		if user, err = a.slackUser(ctx, userID); err != nil {
			a.log.Warn("the time zone of a user is not known: taking the default", "user", userID, "error", err)
		}
	}
	if knownZone(user.TimeZone) {
		return user.TimeZone
	}
	return a.config.timeZone
}

// users keeps for a while what Slack said about users: it is asked for at every form, button and Home tab.
type users struct {
	mu sync.Mutex
	of map[string]userAt
}

type userAt struct {
	schema.SlackUser
	at time.Time
}

func (u *users) get(userID string, within time.Duration) (schema.SlackUser, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	user, ok := u.of[userID]
	return user.SlackUser, ok && time.Since(user.at) < within
}

func (u *users) put(user schema.SlackUser) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.of == nil || len(u.of) >= usersKept {
		u.of = map[string]userAt{} // rarely: and then they are asked about once more
	}
	u.of[user.UserID] = userAt{user, time.Now()}
}

// usersKept bounds the memory that this takes.
const usersKept = 50_000

// refused is why someone cannot use the app now.
type refused struct {
	err   error
	email string // of the Slack profile, where it was looked at

	userID string // as the email
}

func (r *refused) Error() string { return r.err.Error() }
func (r *refused) Unwrap() error { return r.err }

// words tells someone why they cannot use the app, and whom to ask: mrkdwn, escaped.
func (a *app) words(ctx context.Context, err error) string {
	var r *refused
	email, user := "", ""
	if errors.As(err, &r) && r.email != "" {
		email = " (" + views.Escape(r.email) + ")"
	}
	if r != nil && r.userID != "" {
		user = " (" + views.Escape(r.userID) + ")"
	}
	switch {
	case errors.Is(err, schema.ErrNotMember):
		return "Access can be requested by full members of this workspace only: not by guests, bots, people from other organizations, " +
			"or accounts that are deactivated or have not accepted their invitation." + a.ask(ctx)
	case errors.Is(err, schema.ErrNoEmail):
		return "Slack doesn't tell us your e-mail address, so we can't tell who you are. Check that your Slack profile has one, and open this app's Home tab again." + a.ask(ctx)
	case errors.Is(err, schema.ErrNotConfirmed):
		return "Your e-mail address in Slack" + email + " is not confirmed, so we can't tell who you are. " +
			"Confirm it in Slack (in your account settings), and open this app's Home tab again." + a.ask(ctx)
	case errors.Is(err, schema.ErrNotInDirectory):
		return "You are not in the directory" + email + ", so access cannot be requested for you." + a.ask(ctx)
	case errors.Is(err, schema.ErrNotASCII):
		return "Your email address in Slack" + email + " contains characters other than plain letters, digits and symbols, so it can't identify you. " +
			"The directory has to name your Slack user" + user + "." + a.ask(ctx)
	case errors.Is(err, schema.ErrNotBound):
		return "It is not known yet who you are. Please open this app's Home tab, and try again."
	case errors.Is(err, schema.ErrNotNamed):
		return "The directory does not name your Slack user" + user + ", so access cannot be requested for you." + a.ask(ctx)
	case errors.Is(err, schema.ErrBoundBefore):
		return "The directory names this Slack account as yours, but you used this app with another one before. An administrator has to unlink that one first." + a.ask(ctx)
	case errors.Is(err, schema.ErrOtherAccount):
		return "Your entry in the directory belongs to another Slack account" + email + ". Please use that one." + a.ask(ctx)
	case errors.Is(err, schema.ErrNotActive):
		return "You are not active in the directory, so you can neither ask for access nor decide about it." + a.ask(ctx)
	}
	a.log.Error("someone was told to try again", "error", err)
	switch {
	case errors.Is(err, errSlackSilent):
		return slackSilent
	case errors.Is(err, schema.ErrUnclear):
		return notConfirmed
	}
	return tryAgain
}

const slackSilent = "Slack did not answer when we asked who you are. Nothing was changed. Please try again in a minute."

const tryAgain = "Our records cannot be reached right now. Nothing was changed. Please try again in a minute."

// ask names whom to ask.
func (a *app) ask(ctx context.Context) string {
	names, err := schema.Administrators(ctx, a.db)
	if err != nil || len(names) == 0 {
		if err != nil {
			a.log.Error("no one could be named to ask", "error", err)
		}
		return " Please ask an administrator."
	}
	for n := range names {
		names[n] = views.Escape(views.Cut(names[n], 80))
	}
	return " Please ask " + strings.Join(names, " or ") + "."
}
