// Package activities is everything that a workflow does to the world: the database, the targets, and Slack.
//
// Their arguments are IDs. What is true, they read from the database.
package activities

import (
	"log/slog"
	"time"

	"github.com/slack-go/slack"

	"accessbot/schema"
)

// Activities are registered with a worker as they are: each method is one activity.
type Activities struct {
	DB         *schema.DB
	Reconciler *Reconciler
	Slack      *slack.Client
	Log        *slog.Logger
	Options    Options

	looks slots // at requests' messages: each holds a connection to the database while Slack is spoken to
}

// Options are the settings that companies differ in.
type Options struct {
	RemindAfter     time.Duration  // then those candidates are asked who were not at first
	EscalateAfter   time.Duration  // then the next in the chain are asked besides; 0: they are not
	ExpireAfter     time.Duration  // then what no one decided expires
	ShowPeople      bool           // whether people are named in Temporal; otherwise they are p<id>
	DefaultTimeZone *time.Location // of people for whom nothing else says
}
