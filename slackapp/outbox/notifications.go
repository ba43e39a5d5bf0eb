package outbox

import (
	"context"
	"errors"
	"time"

	"github.com/jmoiron/sqlx"

	"accessbot/schema"
	"accessbot/slackapp/views"
)

const (
	notificationsPerSync = 10             // the sweep sends the rest
	checkOwnersEvery     = 24 * time.Hour // whether an open manual task has new owners
	checkOutageEvery     = 10 * time.Minute
)

// SendNotifications syncs due notifications of one request, or of all with 0, the longest overdue first. A failed one is retried
// later and does not stop the others.
func (o *Outbox) SendNotifications(ctx context.Context, requestID int64, limit int) error {
	due, err := schema.DueNotifications(ctx, o.DB, requestID, limit)
	if err != nil {
		return err
	}
	for _, id := range due {
		_, err := o.DB.Holding(ctx, schema.NotificationLock(id), func(conn *sqlx.Conn) error {
			return o.sendNotification(ctx, conn, id)
		})
		if err == nil {
			continue
		}
		if ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded) {
			return nil //nolint:nilerr // no time is left, the others stay due
		}
		o.Log.Warn("notification not sent, sweep retries", "notification", id, "error", err)
		if err := schema.PostponeNotification(ctx, o.DB, id); err != nil {
			return err
		}
		if isRateLimited(err) {
			return nil
		}
	}
	return nil
}

func (o *Outbox) sendNotification(ctx context.Context, conn *sqlx.Conn, id int64) error {
	n, err := schema.NotificationByID(ctx, conn, id)
	if err != nil {
		return err
	}
	if n.Kind == reminder { // a late one is not sent at night either
		wait, err := o.untilWorkingTime(ctx, conn, n.Readers[0])
		if err != nil {
			return err
		}
		if wait > 0 {
			return schema.NotificationSynced(ctx, conn, n, wait)
		}
	}
	if n.Kind == outage && n.Open {
		if err := schema.CloseOutage(ctx, conn, id); err != nil { // does nothing while the outage lasts
			return err
		}
		if n, err = schema.NotificationByID(ctx, conn, id); err != nil {
			return err
		}
	}
	var failed error
	for _, person := range n.Readers {
		if err := o.syncNotification(ctx, conn, n, person); err != nil {
			failed = errors.Join(failed, err) // one failed message does not stop the others
		}
	}
	if failed != nil {
		return failed
	}
	later := time.Duration(0)
	switch {
	case n.TaskID.Valid && n.Open:
		later = checkOwnersEvery
	case n.Kind == outage && n.Open:
		later = checkOutageEvery
	}
	return schema.NotificationSynced(ctx, conn, n, later)
}

func (o *Outbox) syncNotification(ctx context.Context, conn *sqlx.Conn, n schema.Notice, person int64) error {
	address, err := schema.AddressOf(ctx, conn, person)
	if err != nil {
		return err
	}
	m, err := schema.ReserveNotification(ctx, conn, n, person)
	if err != nil {
		return err
	}
	if n.Kind != task && n.Kind != outage && m.Digest != "" {
		return nil // sent once
	}
	found, err := o.findSlackUser(ctx, conn, &address) // before rendering: it may find the time zone
	if err != nil {
		return err
	}
	message, err := o.renderNotification(ctx, conn, n, address, m.Digest != "")
	if err != nil || message.Text == "" || views.Digest(message) == m.Digest {
		return err
	}
	if found {
		err = o.send(ctx, conn, m, address.UserID.String, message)
	}
	if found && !errors.Is(err, errNoReader) || m.Problem == notInSlack {
		return err
	}
	m.Problem = notInSlack
	if err := schema.MessageFailed(ctx, conn, m); err != nil {
		return err
	}
	return schema.Audit(ctx, conn, schema.Event{Actor: "worker", PersonID: person, Action: schema.MessageUndelivered, Alert: true,
		Details: map[string]any{"notification": n.ID, "message": n.Kind}})
}

// renderNotification renders a notification for one reader. It is empty if nothing was sent and nothing is left to tell.
func (o *Outbox) renderNotification(ctx context.Context, q schema.Queryer, n schema.Notice, to schema.Address, sent bool,
) (views.Message, error) {
	zone := o.zone(to.TimeZone).String()
	switch n.Kind {
	case reminder:
		return o.renderReminder(ctx, q, to.PersonID, zone)
	case task:
		task, err := schema.TaskByID(ctx, q, n.TaskID.Int64)
		if err != nil {
			return views.Message{}, err
		}
		return views.Task(task, to.PersonID, zone), nil
	case outage:
		out, err := schema.OutageOf(ctx, q, n.ID, views.OutageShown)
		if err != nil || !sent && out.Total == 0 {
			return views.Message{}, err
		}
		person, err := schema.PersonByID(ctx, q, to.PersonID)
		return views.Outage(out, person.Administrator, zone), err
	default:
		finding, err := schema.FindingsOf(ctx, q, n.ID, views.FindingShown)
		return views.Finding(finding, zone), err
	}
}

// zone is a person's time zone, or the default.
func (o *Outbox) zone(name string) *time.Location { return schema.ZoneOf(name, o.DefaultTimeZone) }
