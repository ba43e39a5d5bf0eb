// Package outbox keeps Slack's messages in sync with the database: it works out which messages a request and its notifications
// should have now, renders them, and posts or edits those that differ.
//
// SyncMessages does it for one request: wantedMessages lists the messages that should exist, and syncMessage posts or edits one
// that differs. SendNotifications does it for messages that concern several requests or none. A run calls SyncMessages, as an
// activity, and the sweep calls both. What could not be sent stays due in the database.
package outbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/slack-go/slack"

	"accessbot/schema"
	"accessbot/slackapp/views"
)

// Outbox delivers messages to Slack.
type Outbox struct {
	DB              *schema.DB
	Slack           *slack.Client
	Log             *slog.Logger
	DefaultTimeZone *time.Location // of people whose time zone is not known

	syncs schema.Slots // each holds a database connection during calls to Slack
}

// SyncInput names the request whose messages are synced.
type SyncInput struct{ RequestID int64 }

// SyncResult is the result of SyncMessages.
type SyncResult struct {
	DueIn               int64 // seconds until the next sync; 0: when something changes
	ApproverUnreachable bool  // an approver is not in Slack: the run should load its next steps
}

const syncTimeout = 15 * time.Second // of one sync; the next one does the rest

// SyncMessages makes every message of a request match the database: it posts missing messages, updates different ones, and
// touches nothing else. A request has one sync at a time. While another one runs, it is busy, and Temporal retries it less and
// less often, which adds no events to the run's history.
func (o *Outbox) SyncMessages(ctx context.Context, in SyncInput) (SyncResult, error) {
	ctx, cancel := context.WithTimeout(ctx, syncTimeout)
	defer cancel()
	release, err := o.syncs.Take(ctx, schema.MaxSyncs)
	if err != nil {
		return SyncResult{}, retryBusy(ctx, fmt.Errorf("messages of request %d: %w", in.RequestID, err))
	}
	defer release()
	var result SyncResult
	locked, err := o.DB.Holding(ctx, schema.MessagesLock(in.RequestID), func(conn *sqlx.Conn) error {
		result, err = o.sync(ctx, conn, in.RequestID)
		return err
	})
	if err != nil {
		return SyncResult{}, err
	}
	if !locked {
		return SyncResult{}, retryBusy(ctx, fmt.Errorf("messages of request %d, another sync: %w", in.RequestID, schema.ErrBusy))
	}
	return result, o.SendNotifications(ctx, in.RequestID, notificationsPerSync)
}

// sync syncs the messages that the request should have now, new ones first, and records when the next sync is due.
func (o *Outbox) sync(ctx context.Context, conn *sqlx.Conn, requestID int64) (SyncResult, error) {
	request, err := schema.RequestByID(ctx, conn, requestID)
	if err != nil {
		return SyncResult{}, err
	}
	sent, err := schema.MessagesOf(ctx, conn, requestID)
	if err != nil {
		return SyncResult{}, err
	}
	wanted, later, err := o.wantedMessages(ctx, conn, request, sent)
	if err != nil {
		return SyncResult{}, err
	}
	all, err := o.syncEach(ctx, conn, request, newFirst(wanted))
	switch {
	case err != nil:
		return SyncResult{}, err
	case errors.Is(all.failed, context.DeadlineExceeded) && all.posted > 0:
		return SyncResult{DueIn: 1, ApproverUnreachable: all.approverUnreachable}, nil // more messages than one sync can send
	case all.failed != nil:
		return SyncResult{}, retrySlack(fmt.Errorf("messages of request %d: %w", requestID, all.failed))
	}
	done, err := schema.MessagesSynced(ctx, conn, requestID, request.MessagesDueAt, later)
	if err != nil {
		return SyncResult{}, err
	}
	if !done {
		later = 0 // something changed meanwhile: the run or the sweep syncs again
	}
	return SyncResult{DueIn: int64((later + time.Second - 1) / time.Second), ApproverUnreachable: all.approverUnreachable}, nil
}

// syncedAll is the result of syncing all messages of a request.
type syncedAll struct {
	posted              int // posted or edited
	approverUnreachable bool
	failed              error // of the last message that could not be sent
}

// syncEach syncs one message after the other. One failed message does not stop the others.
func (o *Outbox) syncEach(ctx context.Context, conn *sqlx.Conn, r *schema.Request, wanted []key) (all syncedAll, err error) {
	for i, key := range wanted {
		if key.kind == card && i > 0 && all.posted > 0 && wanted[i-1].kind != card { // a card says what was just sent
			if r, err = schema.RequestByID(ctx, conn, r.ID); err != nil {
				return all, err
			}
		}
		result, err := o.syncMessage(ctx, conn, r, key)
		if err != nil {
			all.failed = err
			if errors.Is(err, context.DeadlineExceeded) || isRateLimited(err) {
				break // no time is left, Slack does not answer, or it asks for fewer calls
			}
			continue
		}
		all.approverUnreachable = all.approverUnreachable || result.approverUnreachable
		if result.request != nil {
			r = result.request
			all.posted++
		}
	}
	return all, nil
}

// synced is the result of syncing one message.
type synced struct {
	request             *schema.Request // as it was read for the message; nil: nothing was sent
	approverUnreachable bool
}

// syncMessage makes one message match the database. It reads the request again just before, so that no older state overwrites
// a newer one.
func (o *Outbox) syncMessage(ctx context.Context, conn *sqlx.Conn, r *schema.Request, k key) (synced, error) {
	if sentOnce(k.kind) && k.sent.Digest != "" {
		return synced{}, nil
	}
	address, err := schema.AddressOf(ctx, conn, k.person)
	if err != nil {
		return synced{}, err
	}
	if k.sent.ID != 0 {
		message, err := o.render(ctx, conn, r, k, k.sent, address)
		if err != nil {
			return synced{}, err
		}
		if views.Digest(message) == k.sent.Digest {
			return synced{}, nil
		}
	}
	found, err := o.findSlackUser(ctx, conn, &address)
	if err != nil {
		return synced{}, err
	}
	if !found {
		return synced{approverUnreachable: k.kind == approvalMessage}, o.recordUnreachable(ctx, conn, r, k)
	}
	if r, err = schema.RequestByID(ctx, conn, r.ID); err != nil {
		return synced{}, err
	}
	m, err := schema.ReserveMessage(ctx, conn, schema.Message{
		RequestID: r.ID, PersonID: k.person, Kind: k.kind, About: k.about, ItemIDs: k.items, Terms: r.Terms,
	})
	if err != nil {
		return synced{}, err
	}
	message, err := o.render(ctx, conn, r, k, m, address)
	if err != nil {
		return synced{}, err
	}
	items := k.items
	if k.kind == approvalMessage {
		items = ids(r.DecidableBy(k.person))
	}
	before := m
	m.Terms, m.ItemIDs = r.Terms, items
	if err := schema.OfferMessage(ctx, conn, offer(before, m)); err != nil {
		return synced{}, err
	}
	err = o.send(ctx, conn, m, address.UserID.String, message)
	if errors.Is(err, errNoReader) {
		if err := schema.SaveAddress(ctx, conn, k.person, sql.NullString{}, ""); err != nil {
			return synced{}, err
		}
		return synced{approverUnreachable: k.kind == approvalMessage}, o.recordUnreachable(ctx, conn, r, k)
	}
	return synced{request: r}, err
}
