package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // DEFAULT_TIME_ZONE works on machines without a zone database

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"

	"accessbot/activities"
	"accessbot/activities/connector/kinds"
	"accessbot/schema"
	"accessbot/workflows"
)

// config is everything that the worker takes from its environment.
type config struct {
	databaseURL  string
	connections  int
	temporal     client.Options
	taskQueue    string
	slackToken   string
	slackAPIURL  string // empty: Slack itself
	listenAddr   string
	connectors   *kinds.Config
	sweepEvery   time.Duration
	compareEvery time.Duration
	options      activities.Options
}

// configure reads the environment, and names everything that is wrong with it at once.
func configure(getenv func(string) string) (config, error) {
	e := environment{getenv: getenv}
	c := config{
		databaseURL:  e.required("DATABASE_URL", "the URL of accessbot's PostgreSQL database, as the role accessbot_worker"),
		connections:  e.number("DATABASE_CONNECTIONS", 40, 20),
		taskQueue:    e.text("TEMPORAL_TASK_QUEUE", workflows.DefaultTaskQueue),
		slackToken:   e.required("SLACK_BOT_TOKEN", "the app's bot token (xoxb-...)"),
		slackAPIURL:  e.text("SLACK_API_URL", ""),
		listenAddr:   e.text("LISTEN_ADDR", "127.0.0.1:3001"),
		sweepEvery:   e.duration("SWEEP_EVERY", time.Minute),
		compareEvery: e.duration("COMPARE_EVERY", time.Hour),
		options: activities.Options{
			RemindAfter:     e.duration("REMIND_AFTER", 24*time.Hour),
			EscalateAfter:   e.duration("ESCALATE_AFTER", 3*24*time.Hour),
			ExpireAfter:     e.duration("EXPIRE_AFTER", 14*24*time.Hour),
			ShowPeople:      e.yes("TEMPORAL_SHOW_PEOPLE", true),
			DefaultTimeZone: e.zone("DEFAULT_TIME_ZONE"),
		},
	}
	if c.slackAPIURL != "" && !strings.HasSuffix(c.slackAPIURL, "/") {
		e.wrong("SLACK_API_URL", "it must end in a slash, such as http://127.0.0.1:3002/api/")
	}
	connectors, err := kinds.Read(getenv("CONNECTORS_FILE"), getenv)
	if err != nil {
		e.problems = append(e.problems, err)
	}
	c.connectors = connectors
	options, err := envconfig.LoadDefaultClientOptions()
	if err != nil {
		e.problems = append(e.problems, fmt.Errorf("the TEMPORAL_* settings: %w", err))
	}
	c.temporal = options
	return c, errors.Join(e.problems...)
}

// environment reads settings and collects what is wrong with them.
type environment struct {
	getenv   func(string) string
	problems []error
}

func (e *environment) wrong(name, what string) {
	e.problems = append(e.problems, fmt.Errorf("%s: %s", name, what))
}

func (e *environment) text(name, otherwise string) string {
	if value := e.getenv(name); value != "" {
		return value
	}
	return otherwise
}

// required are secrets, all of them: a value, or a file that holds it.
func (e *environment) required(name, what string) string {
	value, err := schema.Secret(e.getenv, name)
	switch {
	case err != nil:
		e.problems = append(e.problems, err)
	case value == "":
		e.wrong(name, "is not set: grant "+what)
	}
	return value
}

func (e *environment) number(name string, otherwise, least int) int {
	text := e.text(name, strconv.Itoa(otherwise))
	n, err := strconv.Atoi(text)
	if err != nil || n < least {
		e.wrong(name, fmt.Sprintf("%q is not a number of at least %d", text, least))
	}
	return n
}

// duration takes what Go does, and days: 14d.
func (e *environment) duration(name string, otherwise time.Duration) time.Duration {
	text := e.getenv(name)
	if text == "" {
		return otherwise
	}
	d, err := time.ParseDuration(text)
	if days, isDays := strings.CutSuffix(text, "d"); isDays {
		var n int
		n, err = strconv.Atoi(days)
		d = time.Duration(n) * 24 * time.Hour
	}
	if err != nil || d <= 0 {
		e.wrong(name, fmt.Sprintf("%q is not a duration such as 90m, 24h or 14d", text))
	}
	return d
}

func (e *environment) yes(name string, otherwise bool) bool {
	text := e.text(name, strconv.FormatBool(otherwise))
	yes, err := strconv.ParseBool(text)
	if err != nil {
		e.wrong(name, fmt.Sprintf("%q is neither true nor false", text))
	}
	return yes
}

func (e *environment) zone(name string) *time.Location {
	text := e.text(name, "UTC")
	zone, err := time.LoadLocation(text)
	if err != nil || text == "Local" { // the machine's own: not a zone that people have
		e.wrong(name, fmt.Sprintf("%q is not a time zone such as Europe/Berlin", text))
		return time.UTC
	}
	return zone
}
