package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // for machines without a time zone database

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"

	"accessbot/activities"
	"accessbot/activities/connector/kinds"
	"accessbot/schema"
	"accessbot/workflows"
)

// config holds the worker's settings.
type config struct {
	databaseURL  string
	connections  int
	temporal     client.Options
	taskQueue    string
	slackToken   string
	slackAPIURL  string // empty: Slack's own
	listenAddr   string
	connectors   *kinds.Config
	sweepEvery   time.Duration
	compareEvery time.Duration
	options      activities.Options
}

// configure reads the settings from the environment. Its error lists all problems at once.
func configure(getenv func(string) string) (config, error) {
	e := environment{getenv: getenv}
	c := config{
		databaseURL:  e.required("DATABASE_URL", "the URL of accessbot's database, with the role accessbot_worker"),
		connections:  e.number("DATABASE_CONNECTIONS", 40, 20),
		taskQueue:    e.text("TEMPORAL_TASK_QUEUE", workflows.DefaultTaskQueue),
		slackToken:   e.required("SLACK_BOT_TOKEN", "the app's bot token (xoxb-...)"),
		slackAPIURL:  e.text("SLACK_API_URL", ""),
		listenAddr:   e.text("LISTEN_ADDR", "127.0.0.1:3001"),
		sweepEvery:   e.duration("SWEEP_EVERY", time.Minute),
		compareEvery: e.duration("COMPARE_EVERY", time.Hour),
		options: activities.Options{
			ShowPeople:      e.boolean("TEMPORAL_SHOW_PEOPLE", true),
			DefaultTimeZone: e.zone("DEFAULT_TIME_ZONE"),
		},
	}
	if err := schema.CheckRemovedSettings(getenv); err != nil {
		e.problems = append(e.problems, err)
	}
	if c.slackAPIURL != "" && !strings.HasSuffix(c.slackAPIURL, "/") {
		e.addProblem("SLACK_API_URL", "must end with a slash, such as http://127.0.0.1:3002/api/")
	}
	connectors, err := kinds.Read(getenv("CONNECTORS_FILE"), getenv)
	if err != nil {
		e.problems = append(e.problems, err)
	}
	c.connectors = connectors
	options, err := envconfig.LoadDefaultClientOptions()
	if err != nil {
		e.problems = append(e.problems, fmt.Errorf("TEMPORAL_* settings: %w", err))
	}
	c.temporal = options
	return c, errors.Join(e.problems...)
}

// environment reads settings and collects their problems.
type environment struct {
	getenv   func(string) string
	problems []error
}

func (e *environment) addProblem(name, problem string) {
	e.problems = append(e.problems, fmt.Errorf("%s: %s", name, problem))
}

func (e *environment) text(name, defaultValue string) string {
	if value := e.getenv(name); value != "" {
		return value
	}
	return defaultValue
}

// required reads a secret: from the variable itself, or from the file that name_FILE names.
func (e *environment) required(name, description string) string {
	value, err := schema.Secret(e.getenv, name)
	switch {
	case err != nil:
		e.problems = append(e.problems, err)
	case value == "":
		e.addProblem(name, "not set: enter "+description)
	}
	return value
}

func (e *environment) number(name string, defaultValue, minimum int) int {
	text := e.text(name, strconv.Itoa(defaultValue))
	n, err := strconv.Atoi(text)
	if err != nil || n < minimum {
		e.addProblem(name, fmt.Sprintf("%q is not a number of at least %d", text, minimum))
	}
	return n
}

// duration accepts Go's units, and days: 14d.
func (e *environment) duration(name string, defaultValue time.Duration) time.Duration {
	text := e.getenv(name)
	if text == "" {
		return defaultValue
	}
	d, err := time.ParseDuration(text)
	if days, isDays := strings.CutSuffix(text, "d"); isDays {
		var n int
		n, err = strconv.Atoi(days)
		d = time.Duration(n) * 24 * time.Hour
	}
	if err != nil || d <= 0 {
		e.addProblem(name, fmt.Sprintf("%q is not a duration such as 90m, 24h or 14d", text))
	}
	return d
}

func (e *environment) boolean(name string, defaultValue bool) bool {
	text := e.text(name, strconv.FormatBool(defaultValue))
	value, err := strconv.ParseBool(text)
	if err != nil {
		e.addProblem(name, fmt.Sprintf("%q is not true or false", text))
	}
	return value
}

func (e *environment) zone(name string) *time.Location {
	text := e.text(name, "UTC")
	zone, err := time.LoadLocation(text)
	if err != nil || text == "Local" { // this machine's zone, not a name
		e.addProblem(name, fmt.Sprintf("%q is not a time zone such as Europe/Berlin", text))
		return time.UTC
	}
	return zone
}
