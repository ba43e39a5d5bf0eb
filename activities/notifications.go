package activities

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/jmoiron/sqlx"

	"accessbot/schema"
	"accessbot/slackapp/views"
)

const (
	notificationsAtOnce = 10             // that a look at a request's messages sends: the sweep sends the rest
	lookForOwners       = 24 * time.Hour // whether someone else has come to look after what an open notification is about
	lookAtOutage        = 10 * time.Minute
)

// SendNotifications makes the messages of notifications say what the database says: those of one request, or with 0 of any, the longest
// behind first. One that cannot be sent is tried again later, and stops no other.
func (a *Activities) SendNotifications(ctx context.Context, requestID int64, limit int) error {
	due, err := schema.DueNotifications(ctx, a.DB, requestID, limit)
	if err != nil {
		return err
	}
	for _, id := range due {
		_, err := a.DB.Holding(ctx, schema.NotificationLock(id), func(conn *sqlx.Conn) error { return a.sendNotification(ctx, conn, id) })
		if err == nil {
			continue
		}
		if ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded) {
			return nil //nolint:nilerr // no time is left: the others stay due
		}
		a.Log.Warn("a notification is still behind", "notice", id, "error", err)
		if err := schema.PostponeNotification(ctx, a.DB, id); err != nil {
			return err
		}
		if isRateLimited(err) {
			return nil
		}
	}
	return nil
}

func (a *Activities) sendNotification(ctx context.Context, conn *sqlx.Conn, id int64) error {
	notice, err := schema.NotificationByID(ctx, conn, id)
	if err != nil {
		return err
	}
	if notice.Kind == reminder { // what could not be sent in time is not sent at night
		wait, err := a.untilWorking(ctx, conn, notice.Readers[0])
		if err != nil {
			return err
		}
		if wait > 0 {
			return schema.NotificationSynced(ctx, conn, notice, wait)
		}
	}
	if notice.Kind == outage && notice.Open {
		if err := schema.CloseOutage(ctx, conn, id); err != nil { // if it is over
			return err
		}
		if notice, err = schema.NotificationByID(ctx, conn, id); err != nil {
			return err
		}
	}
	var failed error
	for _, person := range notice.Readers {
		if err := a.syncNotification(ctx, conn, notice, person); err != nil {
			failed = errors.Join(failed, err) // one who cannot be written to never stops the others
		}
	}
	if failed != nil {
		return failed
	}
	later := time.Duration(0)
	switch {
	case notice.TaskID.Valid && notice.Open:
		later = lookForOwners
	case notice.Kind == outage && notice.Open:
		later = lookAtOutage
	}
	return schema.NotificationSynced(ctx, conn, notice, later)
}

func (a *Activities) syncNotification(ctx context.Context, conn *sqlx.Conn, n schema.Notice, person int64) error {
	address, err := schema.AddressOf(ctx, conn, person)
	if err != nil {
		return err
	}
	m, err := schema.ReserveNotification(ctx, conn, n, person)
	if err != nil {
		return err
	}
	if n.Kind != task && n.Kind != jobChange && n.Kind != outage && m.Digest != "" {
		return nil // said once
	}
	found, err := a.find(ctx, conn, &address) // before it is drawn: it may say in which time zone
	if err != nil {
		return err
	}
	message, err := a.renderNotification(ctx, conn, n, address, m.Digest != "")
	if err != nil || message.Text == "" || views.Digest(message) == m.Digest {
		return err
	}
	if found {
		err = a.send(ctx, conn, m, address.UserID.String, message)
	}
	if found && !errors.Is(err, errNoReader) || m.Problem == notInSlack {
		return err
	}
	if n.Kind == jobChange {
		if err := schema.JobChangesUnread(ctx, conn, n.ID); err != nil {
			return err
		}
	}
	m.Problem = notInSlack
	if err := schema.MessageFailed(ctx, conn, m); err != nil {
		return err
	}
	return schema.Audit(ctx, conn, schema.Event{Actor: "worker", PersonID: person, Action: schema.MessageUndelivered, Alert: true,
		Details: map[string]any{"notification": n.ID, "message": n.Kind}})
}

// renderNotification is what a notification says to a reader, who was sent it before or not; empty: nothing any more.
func (a *Activities) renderNotification(ctx context.Context, q schema.Queryer, n schema.Notice, to schema.Address, sent bool) (views.Message, error) {
	zone := a.zone(to.TimeZone).String()
	switch n.Kind {
	case reminder:
		return a.renderReminder(ctx, q, to.PersonID, zone)
	case task:
		task, err := schema.TaskByID(ctx, q, n.TaskID.Int64)
		if err != nil {
			return views.Message{}, err
		}
		return views.Task(task, to.PersonID, zone), nil
	case jobChange:
		changes, err := schema.JobChangesOf(ctx, q, n.ID, views.JobChangeShown)
		if err != nil || !sent && !slices.ContainsFunc(changes, func(c schema.JobChange) bool { return c.Open > 0 }) {
			return views.Message{}, err
		}
		return views.JobChanges(changes, to.PersonID, zone), nil
	case outage:
		o, err := schema.OutageOf(ctx, q, n.ID, views.OutageShown)
		if err != nil || !sent && o.Total == 0 {
			return views.Message{}, err
		}
		person, err := schema.PersonByID(ctx, q, to.PersonID)
		return views.Outage(o, person.Administrator, zone), err
	default:
		finding, err := schema.FindingsOf(ctx, q, n.ID, views.FindingShown)
		return views.Finding(finding, zone), err
	}
}
