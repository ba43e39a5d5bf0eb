package main

import (
	"errors"
	"net"

	"accessbot/schema"
	"accessbot/worker/program"
)

// config holds the Slack app's settings. program.Load explains the tags; docs/settings.md has the same comments, defaults and
// ranges.
type config struct {
	program.Common

	// set: Socket Mode; not set: HTTP
	AppToken program.Secret `env:"SLACK_APP_TOKEN" prefix:"xapp-" want:"an app-level token"`
	// verifies that a payload comes from Slack
	SigningSecret program.Secret `env:"SLACK_SIGNING_SECRET"`
	// whether the confirmed email of a Slack profile identifies a person at first contact; `false`: only `slack_user_id` of the
	// directory does
	MatchByEmail bool `env:"MATCH_SLACK_BY_EMAIL" envDefault:"true"`
	// open requests that one person may have submitted
	MaxOpenRequests int `env:"MAX_OPEN_REQUESTS" envDefault:"50" min:"1" max:"10000"`
	// requests that one person may submit within a minute
	MaxRequestsPerMinute int `env:"MAX_REQUESTS_PER_MINUTE" envDefault:"10" min:"1" max:"10000" atMost:"MAX_ACTIONS_PER_MINUTE"`
	// what one Slack user may do in a minute, counted separately for clicks (with submissions), searches and visits to Home; a burst
	// of 30 on top, and at most 6 at the same moment. Anything beyond is refused, and the user is told once. Each replica counts for
	// itself
	MaxActionsPerMinute int `env:"MAX_ACTIONS_PER_MINUTE" envDefault:"120" min:"1" max:"100000"`
	// `/healthz`, `/readyz`; in HTTP mode also `/slack/events`, `/slack/interactivity`, `/slack/options`
	ListenAddr program.Address `env:"LISTEN_ADDR" envDefault:"127.0.0.1:3000"`

	listener  net.Listener // instead of ListenAddr; for tests
	limit     limit        // of each user's payloads
	beginWork func()       // for tests: called before each job after an ack
}

// socketMode reports whether Slack reaches the app over Socket Mode, not HTTP.
func (c *config) socketMode() bool { return c.AppToken != "" }

// quota limits what one person may submit.
func (c *config) quota() schema.Quota {
	return schema.Quota{Open: c.MaxOpenRequests, PerMinute: c.MaxRequestsPerMinute}
}

// Check checks what depends on the mode.
func (c *config) Check() error {
	if !c.socketMode() && c.SigningSecret == "" {
		return errors.New("SLACK_SIGNING_SECRET: not set: set it to the app's signing secret, or for Socket Mode SLACK_APP_TOKEN")
	}
	return nil
}

// configure reads the settings from the environment. Its error lists all problems at once.
func configure(environ program.Environment) (c config, err error) {
	err = program.Load(environ, &c)
	c.limit = userLimit
	c.limit.perMinute = c.MaxActionsPerMinute
	return c, err
}
