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
	"accessbot/worker/program"
)

// How long Slack's data about a user is cached: whether they are a full member, and their time zone.
const (
	memberFor = 10 * time.Minute
	zoneFor   = time.Hour
)

// slackID returns a user of our workspace.
func (a *app) slackID(userID string) schema.SlackID {
	return schema.SlackID{EnterpriseID: a.home.enterpriseID, TeamID: a.home.teamID, UserID: userID}
}

// who returns the person behind a Slack user who may use the app, or a *refused. At first contact it binds the two. If the user
// becomes a guest, the binding stays but no longer counts.
func (a *app) who(ctx context.Context, userID string) (schema.Person, error) {
	person, err := schema.PersonOfSlackUser(ctx, a.db, a.slackID(userID))
	var user schema.SlackUser
	switch {
	case errors.Is(err, schema.ErrNotBound):
		if user, err = a.slackUser(ctx, userID); err == nil {
			person, err = a.db.BindSlackUser(ctx, user, a.config.MatchByEmail)
		}
	case err == nil:
		err = a.stillMember(ctx, userID)
	}
	return usable(person, user, err)
}

// recheckUser is like who, for a user who opens the app. It asks Slack about the user again, and audits differences.
func (a *app) recheckUser(ctx context.Context, userID string) (schema.Person, error) {
	person, err := schema.PersonOfSlackUser(ctx, a.db, a.slackID(userID))
	bound := err == nil
	user, slackErr := a.slackUser(ctx, userID)
	switch {
	case slackErr != nil && !errors.Is(slackErr, schema.ErrNotMember) && bound:
		a.log.Warn("look up Slack user failed, using the stored identity", "user", userID, "error", slackErr)
	case slackErr != nil:
		err = slackErr
	case bound && !user.Member:
		err = schema.ErrNotMember
		a.audit(ctx, schema.Event{Actor: "slackapp", PersonID: person.ID, Action: schema.MembershipLost, Alert: true,
			Details: map[string]any{"user": userID}})
	case bound:
		if err := schema.LookAtSlackEmail(ctx, a.db, person, user); err != nil {
			a.log.Error("compare Slack email failed", "user", userID, "error", err)
		}
	case errors.Is(err, schema.ErrNotBound):
		person, err = a.db.BindSlackUser(ctx, user, a.config.MatchByEmail)
	}
	return usable(person, user, err)
}

// usable returns the person if they may use the app.
func usable(person schema.Person, user schema.SlackUser, err error) (schema.Person, error) {
	if err == nil && !person.Active {
		err = schema.ErrNotActive
	}
	if err != nil {
		return schema.Person{}, &refused{err: err, email: user.Email, userID: user.UserID}
	}
	return person, nil
}

// bound is like who, for actions in an open form. It creates no binding. It returns ErrNotBound, ErrNotActive or
// ErrNotMember.
func (a *app) bound(ctx context.Context, userID string) (schema.Person, error) {
	person, err := schema.PersonOfSlackUser(ctx, a.db, a.slackID(userID))
	if err != nil {
		return schema.Person{}, err
	}
	if !person.Active {
		return schema.Person{}, schema.ErrNotActive
	}
	return person, a.stillMember(ctx, userID)
}

// turnedAway reports whether a user was refused for who they are, not because of a failure.
func turnedAway(err error) bool {
	return errors.Is(err, schema.ErrNotBound) || errors.Is(err, schema.ErrNotActive) || errors.Is(err, schema.ErrNotMember)
}

// stillMember returns ErrNotMember if a bound user became a guest or was deactivated. While Slack does not answer, the binding
// counts: it proved membership once, and Slack let the user act just now.
func (a *app) stillMember(ctx context.Context, userID string) error {
	user, known := a.users.get(userID, memberFor)
	if !known {
		var err error
		if user, err = a.slackUser(ctx, userID); errors.Is(err, schema.ErrNotMember) {
			return err
		} else if err != nil {
			a.log.Warn("check membership failed, using the stored identity", "user", userID, "error", err)
			return nil
		}
	}
	if !user.Member {
		return schema.ErrNotMember
	}
	return nil
}

// errSlackSilent: Slack did not answer about a user.
var errSlackSilent = errors.New("look up Slack user")

// slackUser asks Slack about a user. A user unknown to Slack is not a member. It waits at most half of the time that ctx leaves:
// before an ack, the rest is for the database.
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

// zoneOf returns the time zone that a person's dates are in: the directory's, else the Slack profile's, else the default.
func (a *app) zoneOf(ctx context.Context, p schema.Person, userID string) string {
	if program.KnownTimeZone(p.TimeZone) {
		return p.TimeZone
	}
	user, known := a.users.get(userID, zoneFor)
	if !known {
		var err error
		if user, err = a.slackUser(ctx, userID); err != nil {
			a.log.Warn("look up time zone failed, using the default", "user", userID, "error", err)
		}
	}
	if program.KnownTimeZone(user.TimeZone) {
		return user.TimeZone
	}
	return string(a.config.DefaultTimeZone)
}

// users caches Slack's data about users, which every form, button and Home tab needs.
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
		u.of = map[string]userAt{} // rare, and only costs lookups
	}
	u.of[user.UserID] = userAt{user, time.Now()}
}

// usersKept bounds the memory of this cache.
const usersKept = 50_000

// refused is why a user cannot use the app now.
type refused struct {
	err   error
	email string // of the Slack profile, if it was looked up

	userID string // as the email
}

func (r *refused) Error() string { return r.err.Error() }
func (r *refused) Unwrap() error { return r.err }

// words says why a user cannot use the app, and who can help: mrkdwn, escaped.
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
		return "Only full members of this workspace can request access: not guests, bots, people from other organizations, " +
			"or accounts that are deactivated or haven't accepted their invitation." + a.ask(ctx)
	case errors.Is(err, schema.ErrNoEmail):
		return "Slack doesn't tell us your email address, so we can't tell who you are. " +
			"Check that your Slack profile has one, and open this app's Home tab again." + a.ask(ctx)
	case errors.Is(err, schema.ErrNotConfirmed):
		return "Your email address in Slack" + email + " isn't confirmed, so we can't tell who you are. " +
			"Confirm it in Slack (in your account settings), and open this app's Home tab again." + a.ask(ctx)
	case errors.Is(err, schema.ErrNotInDirectory):
		return "You aren't in the directory" + email + ", so you can't request access." + a.ask(ctx)
	case errors.Is(err, schema.ErrNotASCII):
		return "Your email address in Slack" + email + " contains characters other than plain letters, digits and symbols, so it can't identify you. " +
			"The directory has to name your Slack user ID" + user + "." + a.ask(ctx)
	case errors.Is(err, schema.ErrNotBound):
		return "We don't know yet who you are. Open this app's Home tab, and try again."
	case errors.Is(err, schema.ErrNotNamed):
		return "The directory doesn't name your Slack user ID" + user + ", so you can't request access." + a.ask(ctx)
	case errors.Is(err, schema.ErrBoundBefore):
		return "The directory names this Slack account as yours, but you used this app with another one before. " +
			"An administrator has to unlink that one first." + a.ask(ctx)
	case errors.Is(err, schema.ErrOtherAccount):
		return "Your entry in the directory belongs to another Slack account" + email + ". Use that one." + a.ask(ctx)
	case errors.Is(err, schema.ErrNotActive):
		return "You aren't active in the directory, so you can't request or approve access." + a.ask(ctx)
	}
	a.log.Error("action failed, user told to try again", "error", err)
	switch {
	case errors.Is(err, errSlackSilent):
		return slackSilent
	case errors.Is(err, schema.ErrUnclear):
		return notConfirmed
	}
	return tryAgain
}

const slackSilent = "Slack didn't answer when we asked who you are. Nothing was changed. Try again in a minute."

const tryAgain = "We can't reach our database right now. Nothing was changed. Try again in a minute."

// ask names the administrators to ask.
func (a *app) ask(ctx context.Context) string {
	names, err := schema.Administrators(ctx, a.db)
	if err != nil || len(names) == 0 {
		if err != nil {
			a.log.Error("look up administrators failed", "error", err)
		}
		return " Ask an administrator."
	}
	for n := range names {
		names[n] = views.Escape(views.Cut(names[n], 80))
	}
	return " Ask " + strings.Join(names, " or ") + "."
}
