package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/slack-go/slack"

	"accessbot/schema"
)

// workspace is where the app is installed, according to Slack.
type workspace struct {
	teamID       string
	enterpriseID string // empty: none
	botID        string
	appID        string
	url          string // for links to messages
}

// meetSlack asks Slack for the workspace of the app, and retries until Slack answers. It returns an error that a retry
// would not fix.
func (a *app) meetSlack(ctx context.Context) error {
	for pause := time.Second; ; pause = min(2*pause, time.Minute) {
		home, err := a.whereInstalled(ctx)
		if err == nil {
			a.home = home
			return nil
		}
		if errors.Is(err, errNoBot) {
			return err
		}
		if refusedToken(err) {
			return fmt.Errorf("SLACK_BOT_TOKEN: Slack refuses it (%w): use the bot token of the installed app", err)
		}
		if ctx.Err() != nil {
			return nil //nolint:nilerr // told to stop, which is not a failure
		}
		a.log.Warn("reach Slack failed, retrying", "error", err)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil
		}
	}
}

var errNoBot = errors.New("SLACK_BOT_TOKEN: not an app's bot token: use the one that starts with xoxb-")

func (a *app) whereInstalled(ctx context.Context) (workspace, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	auth, err := a.slack.AuthTestContext(ctx)
	if err != nil {
		return workspace{}, err
	}
	if auth.BotID == "" {
		return workspace{}, errNoBot
	}
	bot, err := a.slack.GetBotInfoContext(ctx, slack.GetBotInfoParameters{Bot: auth.BotID})
	if err != nil {
		return workspace{}, fmt.Errorf("look up bot %s: %w", auth.BotID, err)
	}
	if bot.AppID == "" {
		return workspace{}, errNoBot
	}
	return workspace{teamID: auth.TeamID, enterpriseID: auth.EnterpriseID, botID: auth.BotID, appID: bot.AppID, url: auth.URL}, nil
}

// refusedToken reports whether Slack refuses the token, as opposed to a temporary error.
func refusedToken(err error) bool {
	var answer slack.SlackErrorResponse
	return errors.As(err, &answer) && slices.Contains([]string{
		"invalid_auth",
		"not_authed",
		"account_inactive",
		"token_revoked",
		"token_expired",
		"not_allowed_token_type",
		"missing_scope",
		"org_login_required",
	}, answer.Err)
}

// errElsewhere says that a payload is not from our workspace, or not for our app.
var errElsewhere = errors.New("not from this workspace and app")

// ours refuses payloads of other teams, enterprises and apps. Slack leaves out some fields.
func (a *app) ours(ic *slack.InteractionCallback) error {
	switch {
	case ic.Team.ID != a.home.teamID,
		ic.APIAppID != a.home.appID,
		ic.User.ID == "",
		ic.User.TeamID != "" && ic.User.TeamID != a.home.teamID && ic.User.TeamID != a.home.enterpriseID,
		ic.Enterprise.ID != "" && ic.Enterprise.ID != a.home.enterpriseID,
		ic.View.AppID != "" && ic.View.AppID != a.home.appID,
		ic.View.BotID != "" && ic.View.BotID != a.home.botID,
		ic.Message.BotID != "" && ic.Message.BotID != a.home.botID:
		return errElsewhere
	}
	return nil
}

// auditElsewhere records a payload from elsewhere.
func (a *app) auditElsewhere(ctx context.Context, kind, teamID, userTeamID, userID string) {
	a.audit(ctx, schema.Event{Actor: "slackapp", Action: schema.PayloadRefused, Alert: true,
		Details: map[string]any{"kind": kind, "team": teamID, "user_team": userTeamID, "user": userID}})
}

// audit records an event outside a transaction. Failures are logged.
func (a *app) audit(ctx context.Context, e schema.Event) {
	if err := schema.Audit(ctx, a.db, e); err != nil {
		a.log.Error("audit failed", "action", e.Action, "person", e.PersonID, "error", err)
	}
}
