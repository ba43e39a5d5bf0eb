// Package activities holds everything that a workflow does outside of Temporal: in the database and the targets. Messages in
// Slack are the outbox's.
//
// Arguments are IDs. Activities read everything else from the database.
package activities

import (
	"log/slog"
	"time"

	"accessbot/schema"
)

// Activities are what a run calls. The worker registers each by itself: not every exported method has to be an activity.
type Activities struct {
	DB         *schema.DB
	Reconciler *Reconciler
	Log        *slog.Logger
	Options    Options
}

// Options are settings of the company.
type Options struct {
	ShowPeople      bool           // whether Temporal shows people's names and e-mail addresses; otherwise p<id>
	DefaultTimeZone *time.Location // of people whose time zone is not known
}
