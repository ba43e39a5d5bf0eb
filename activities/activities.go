// Package activities holds everything that a workflow does outside of Temporal: in the database, the targets, and Slack.
//
// Arguments are IDs. Activities read everything else from the database.
package activities

import (
	"log/slog"
	"time"

	"github.com/slack-go/slack"

	"accessbot/schema"
)

// Activities are registered with a worker: each exported method is an activity.
type Activities struct {
	DB         *schema.DB
	Reconciler *Reconciler
	Slack      *slack.Client
	Log        *slog.Logger
	Options    Options

	syncs slots // of messages: each holds a database connection during calls to Slack
}

// Options are settings of the company.
type Options struct {
	ShowPeople      bool           // whether Temporal shows people's e-mail addresses; otherwise p<id>
	DefaultTimeZone *time.Location // of people whose time zone is not known
}
