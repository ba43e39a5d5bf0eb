package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/slack-go/slack"

	"accessbot/schema"
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

// bound returns the person behind a Slack user who may use the app and was bound before, or a *refused. If the user becomes a
// guest, the binding stays but no longer counts.
func (a *app) bound(ctx context.Context, userID string) (schema.Person, error) {
	person, err := schema.PersonOfSlackUser(ctx, a.db, a.slackID(userID))
	if err == nil {
		err = a.stillMember(ctx, userID)
	}
	return usable(person, schema.SlackUser{}, err)
}

// who is like bound, and binds the two at first contact.
func (a *app) who(ctx context.Context, userID string) (schema.Person, error) {
	person, err := a.bound(ctx, userID)
	if !errors.Is(err, schema.ErrNotBound) {
		return person, err
	}
	user, err := a.slackUser(ctx, userID)
	if err == nil {
		person, err = a.db.BindSlackUser(ctx, user, a.config.MatchByEmail)
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
		a.home.enterpriseID != "" && u.Enterprise.EnterpriseID == a.home.enterpriseID &&
			slices.Contains(u.Enterprise.Teams, a.home.teamID)
	ofEnterprise := u.Enterprise.EnterpriseID == "" || u.Enterprise.EnterpriseID == a.home.enterpriseID
	user := schema.SlackUser{
		SlackID:        a.slackID(userID),
		Email:          u.Profile.Email,
		EmailConfirmed: u.IsEmailConfirmed,
		TimeZone:       u.TZ,
		Member: ofTeam && ofEnterprise && !u.Deleted && !u.IsBot && !u.IsRestricted && !u.IsUltraRestricted && !u.IsStranger && !u.IsInvitedUser &&
			!u.IsConnectorBot && !u.IsWorkflowBot &&
			userID != "USLACKBOT",
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
