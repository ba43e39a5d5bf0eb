package main

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // the zones of the people, on machines without a zone database

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"

	"accessbot/schema"
	"accessbot/workflows"
)

// config is the Slack app's configuration, from its environment.
type config struct {
	databaseURL   string
	temporal      client.Options
	taskQueue     string
	showPeople    bool
	bindByEmail   bool // at first contact; else only the directory's slack_user_id identifies a user
	botToken      string
	appToken      string // set: Socket Mode
	signingSecret string // HTTP mode
	apiURL        string // empty: Slack itself
	listenAddr    string
	listener      net.Listener // instead of listenAddr; for tests
	quota         schema.Quota
	limit         limit  // of each user's payloads
	timeZone      string // of people without one; IANA name
	beginWork     func() // for tests: called before each job after an ack
}

// socketMode reports whether Slack reaches the app over Socket Mode, not HTTP.
func (c config) socketMode() bool { return c.appToken != "" }

// configure reads the environment, and reports all problems at once.
func configure(getenv func(string) string) (config, error) {
	var problems []error
	wrong := func(name, what string) { problems = append(problems, fmt.Errorf("%s: %s", name, what)) }
	text := func(name, otherwise string) string {
		if value := getenv(name); value != "" {
			return value
		}
		return otherwise
	}
	secret := func(name string) string {
		value, err := schema.Secret(getenv, name)
		if err != nil {
			problems = append(problems, err)
		}
		return value
	}
	c := config{
		databaseURL:   secret("DATABASE_URL"),
		taskQueue:     text("TEMPORAL_TASK_QUEUE", workflows.DefaultTaskQueue),
		botToken:      secret("SLACK_BOT_TOKEN"),
		appToken:      secret("SLACK_APP_TOKEN"),
		signingSecret: secret("SLACK_SIGNING_SECRET"),
		apiURL:        getenv("SLACK_API_URL"),
		listenAddr:    text("LISTEN_ADDR", "127.0.0.1:3000"),
		timeZone:      text("DEFAULT_TIME_ZONE", "UTC"),
	}
	yes := func(name string) bool {
		value := text(name, "true")
		is, err := strconv.ParseBool(value)
		if err != nil {
			wrong(name, fmt.Sprintf("%q is neither true nor false", value))
		}
		return is
	}
	c.showPeople, c.bindByEmail = yes("TEMPORAL_SHOW_PEOPLE"), yes("MATCH_SLACK_BY_EMAIL")
	if err := schema.CheckRemovedSettings(getenv); err != nil {
		problems = append(problems, err)
	}
	if c.databaseURL == "" {
		wrong("DATABASE_URL", "is not set: set it to the URL of accessbot's PostgreSQL database, as the role accessbot_slackapp")
	}
	if c.botToken == "" {
		wrong("SLACK_BOT_TOKEN", "is not set: set it to the app's bot token (xoxb-...)")
	}
	if !c.socketMode() && c.signingSecret == "" {
		wrong("SLACK_SIGNING_SECRET", "is not set: set it to the app's signing secret, or for Socket Mode SLACK_APP_TOKEN (xapp-...)")
	}
	if c.apiURL != "" && !strings.HasSuffix(c.apiURL, "/") {
		wrong("SLACK_API_URL", "it must end in a slash, such as http://127.0.0.1:3002/api/")
	}
	number := func(name, otherwise, what string, most int) int {
		value := text(name, otherwise)
		n, err := strconv.Atoi(value)
		if err != nil || n < 1 || n > most {
			wrong(name, fmt.Sprintf("%q is not a number of %s from 1 to %d", value, what, most))
		}
		return n
	}
	c.quota = schema.Quota{Open: number("MAX_OPEN_REQUESTS", "50", "requests", 10000), PerMinute: number("MAX_REQUESTS_PER_MINUTE", "10", "requests", 10000)}
	c.limit = userLimit
	c.limit.perMinute = number("MAX_ACTIONS_PER_MINUTE", strconv.Itoa(userLimit.perMinute), "actions", 100000)
	if !knownZone(c.timeZone) {
		wrong("DEFAULT_TIME_ZONE", fmt.Sprintf("%q is not a time zone such as Europe/Berlin", c.timeZone))
	}
	var err error
	if c.temporal, err = envconfig.LoadDefaultClientOptions(); err != nil {
		problems = append(problems, fmt.Errorf("the TEMPORAL_* settings: %w", err))
	}
	return c, errors.Join(problems...)
}

// knownZone reports whether zone is an IANA time zone that a person can have.
func knownZone(zone string) bool {
	if zone == "" || zone == "Local" {
		return false
	}
	_, err := time.LoadLocation(zone)
	return err == nil
}
