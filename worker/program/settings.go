package program

import (
	"errors"
	"fmt"
	"log/slog"
	"time"
	_ "time/tzdata" // for machines without a time zone database

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
	tlog "go.temporal.io/sdk/log"
)

// Database is the setting of everything that uses the database.
type Database struct {
	// the database, each program as its own role: `accessbot_worker`, `accessbot_slackapp`
	DatabaseURL Secret `env:"DATABASE_URL,required" prefix:"postgres://,postgresql://" want:"accessbot's PostgreSQL URL"`
}

// Common are the settings of both programs. Load explains the tags; docs/settings.md has the same comments, defaults and ranges.
type Common struct {
	Database
	// the app's bot token
	BotToken Secret `env:"SLACK_BOT_TOKEN,required" prefix:"xoxb-" want:"the app's bot token"`
	// another root of the Web API, such as the local Slack
	SlackAPIURL RootURL `env:"SLACK_API_URL"`
	// the task queue of all runs
	TaskQueue string `env:"TEMPORAL_TASK_QUEUE" envDefault:"access-requests"`
	// whether Temporal shows people's names and email addresses; `false`: a person is `p<id>`
	ShowPeople bool `env:"TEMPORAL_SHOW_PEOPLE" envDefault:"true"`
	// the time zone of people for whom neither the directory nor Slack has one
	DefaultTimeZone TimeZone `env:"DEFAULT_TIME_ZONE" envDefault:"UTC"`

	// Temporal is how to connect to it, by its own variables.
	Temporal client.Options `env:"-"`
}

// load reads what is not a field of its own.
func (c *Common) load(environ Environment) error {
	key, err := environ.Secret("TEMPORAL_API_KEY")
	problems := append(checkRemoved(environ), err)
	if key != "" {
		environ["TEMPORAL_API_KEY"] = key // environ is Load's copy
	}
	c.Temporal, err = envconfig.LoadClientOptions(envconfig.LoadClientOptionsRequest{EnvLookup: environ})
	if err != nil {
		problems = append(problems, fmt.Errorf("TEMPORAL_* settings: %w", err))
	}
	return errors.Join(problems...)
}

// NewTemporal returns a client that connects when it is first used.
func (c *Common) NewTemporal(log *slog.Logger) (client.Client, error) {
	options := c.Temporal
	options.Logger = tlog.NewStructuredLogger(log)
	temporal, err := client.NewLazyClient(options)
	if err != nil {
		return nil, fmt.Errorf("TEMPORAL_* settings: %w", err)
	}
	return temporal, nil
}

// RootURL is a URL to which paths are appended.
type RootURL string

// Address is a host and port to listen on.
type Address string

// TimeZone is the IANA name of a time zone.
type TimeZone string

// KnownTimeZone tells whether zone is an IANA time zone that a person can have.
func KnownTimeZone(zone string) bool {
	if zone == "" || zone == "Local" { // this machine's zone, not a name
		return false
	}
	_, err := time.LoadLocation(zone)
	return err == nil
}

// Location returns the time zone. It is known: Load has checked it.
func (z TimeZone) Location() *time.Location {
	location, err := time.LoadLocation(string(z))
	if err != nil {
		return time.UTC
	}
	return location
}
