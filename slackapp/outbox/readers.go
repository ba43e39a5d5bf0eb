package outbox

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"

	"accessbot/schema"
	"accessbot/schema/email"
)

// findSlackUser looks up a person's Slack user once, and records the answer. False: there is definitely none.
func (o *Outbox) findSlackUser(ctx context.Context, q schema.Queryer, address *schema.Address) (bool, error) {
	if address.UserID.Valid {
		return true, nil
	}
	if address.Checked {
		return false, nil
	}
	zone := ""
	if !email.IsASCII(address.Email) { // matches no one: see schema.BindSlackUser
		return false, schema.SaveAddress(ctx, q, address.PersonID, address.UserID, zone)
	}
	user, err := o.Slack.GetUserByEmailContext(ctx, address.Email)
	switch {
	case isSlackError(err, "users_not_found"):
	case err != nil:
		return false, fmt.Errorf("look up person %d in Slack: %w", address.PersonID, err)
	case user.Profile.Email != "" && email.Lower(user.Profile.Email) != address.Email:
		// Slack does not document how it compares addresses. A similar address can be another user's.
		if err := schema.Audit(
			ctx,
			q,
			schema.Event{Actor: "worker", PersonID: address.PersonID, Action: schema.AddressRefused, Alert: true,
				Details: map[string]any{"user": user.ID, "address": strconv.QuoteToASCII(user.Profile.Email)}},
		); err != nil {
			return false, err
		}
	default:
		address.UserID = sql.NullString{String: user.ID, Valid: true}
		if zone = user.TZ; address.TimeZone == "" {
			address.TimeZone = zone
		}
	}
	return address.UserID.Valid, schema.SaveAddress(ctx, q, address.PersonID, address.UserID, zone)
}

// recordUnreachable records that a message's reader is not in Slack. An approver is then no candidate any more.
func (o *Outbox) recordUnreachable(ctx context.Context, q schema.Queryer, r *schema.Request, k key) error {
	m, err := schema.ReserveMessage(ctx, q, schema.Message{
		RequestID: r.ID, PersonID: k.person, Kind: k.kind, About: k.about, Terms: r.Terms,
	})
	if err != nil {
		return err
	}
	if m.Problem == notInSlack {
		return nil
	}
	m.Problem = notInSlack
	if err := schema.MessageFailed(ctx, q, m); err != nil {
		return err
	}
	if err := schema.MarkRequestsDue(ctx, q, r.ID); err != nil {
		return err
	}
	return schema.Audit(
		ctx,
		q,
		schema.Event{Actor: "worker", PersonID: k.person, Action: schema.MessageUndelivered, Alert: true, RequestID: r.ID,
			Details: map[string]any{"message": k.kind}},
	)
}

const notInSlack = "not in Slack"
