package schema

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/lib/pq"
)

// Message is one message to one person, of a request or a notification, sent or not.
type Message struct {
	ID        int64         `db:"id"`
	RequestID int64         `db:"request_id"` // 0: of a notification
	PersonID  int64         `db:"person_id"`
	Kind      string        `db:"kind"`     // see slack_messages_kind_check
	About     string        `db:"about"`    // distinguishes messages of one kind
	ItemIDs   pq.Int64Array `db:"item_ids"` // the items it showed as open
	Terms     string        `db:"terms"`    // as shown
	Channel   string        `db:"channel"`
	TS        string        `db:"ts"`     // empty: not sent yet
	Digest    string        `db:"digest"` // of the content last sent
	Attempts  int           `db:"attempts"`
	Problem   string        `db:"problem"`
	CreatedAt time.Time     `db:"created_at"`
	SentAt    sql.NullTime  `db:"sent_at"`
}

const selectMessage = `
select m.id, coalesce(m.request_id, 0) as request_id, m.person_id, m.kind, m.about, m.item_ids, m.terms, m.channel,
       m.ts, m.digest, m.attempts, m.problem, m.created_at, m.sent_at
  from slack_messages m`

func messageByID(ctx context.Context, q Queryer, id int64) (Message, error) {
	var m Message
	err := q.GetContext(ctx, &m, selectMessage+` where m.id = $1`, id)
	return m, mapError(err)
}

// RequestOfApprovalMessage answers the request of an approval message to its reader; ErrNotFound to anyone else.
func RequestOfApprovalMessage(ctx context.Context, q Queryer, messageID, readerID int64) (*Request, error) {
	m, err := approvalMessageOf(ctx, q, messageID, readerID)
	if err != nil {
		return nil, err
	}
	return RequestByID(ctx, q, m.RequestID)
}

func approvalMessageOf(ctx context.Context, q Queryer, messageID, readerID int64) (Message, error) {
	m, err := messageByID(ctx, q, messageID)
	if err == nil && (m.PersonID != readerID || m.Kind != "approval") {
		err = fmt.Errorf("message %d is no approval message to person %d: %w", messageID, readerID, ErrNotFound)
	}
	return m, err
}

// ApprovalMessageSent tells whether an approval message of a request was sent to a person.
func ApprovalMessageSent(ctx context.Context, q Queryer, requestID, personID int64, about string) (sent bool, err error) {
	err = q.GetContext(ctx, &sent, `
		select exists (select from slack_messages
		                where request_id = $1 and person_id = $2 and kind = 'approval' and about = $3 and ts <> '')`,
		requestID, personID, about)
	if err != nil {
		return false, fmt.Errorf("find the approval message of request %d to person %d: %w", requestID, personID, err)
	}
	return sent, nil
}

// MessagesOf answers the messages of a request, oldest first.
func MessagesOf(ctx context.Context, q Queryer, requestID int64) ([]Message, error) {
	var messages []Message
	err := q.SelectContext(ctx, &messages, selectMessage+` where m.request_id = $1 order by m.id`, requestID)
	if err != nil {
		return nil, fmt.Errorf("list the messages of request %d: %w", requestID, err)
	}
	return messages, nil
}

// ReserveMessage creates the row of a message before it is sent, because its buttons carry the row's ID. It answers the existing
// row if there is one.
func ReserveMessage(ctx context.Context, q Queryer, m Message) (Message, error) {
	var reserved Message
	err := q.GetContext(ctx, &reserved, `
		with m as (
		    insert into slack_messages (request_id, person_id, kind, about, item_ids, terms)
		    values ($1, $2, $3, $4, coalesce($5::bigint[], '{}'), $6)
		    on conflict (request_id, person_id, kind, about) do update set about = excluded.about
		    returning *)
		`+strings.Replace(selectMessage, "slack_messages m", "m", 1),
		m.RequestID, m.PersonID, m.Kind, m.About, m.ItemIDs, m.Terms)
	if err != nil {
		return reserved, fmt.Errorf("reserve the %s of request %d for person %d: %w", m.Kind, m.RequestID, m.PersonID, err)
	}
	return reserved, nil
}

// OfferMessage records the items that a message is about to show as open: its buttons decide these only.
func OfferMessage(ctx context.Context, q Queryer, m Message) error {
	_, err := q.ExecContext(ctx, `
		update slack_messages set item_ids = coalesce($2::bigint[], '{}'), terms = $3 where id = $1`, m.ID, m.ItemIDs, m.Terms)
	return err
}

// MessageSent records where a message is, its content, and the items that it shows as open.
func MessageSent(ctx context.Context, q Queryer, m Message) error {
	_, err := q.ExecContext(ctx, `
		update slack_messages
		   set channel = $2, ts = $3, digest = $4, problem = $5, item_ids = coalesce($6::bigint[], '{}'),
		       attempts = 0, sent_at = app_now()
		 where id = $1`, m.ID, m.Channel, m.TS, m.Digest, m.Problem, m.ItemIDs)
	if err != nil {
		return fmt.Errorf("record that message %d was sent: %w", m.ID, err)
	}
	return nil
}

// MessageLost records that a message is gone, so that the next sync posts it again.
func MessageLost(ctx context.Context, q Queryer, m Message) error {
	_, err := q.ExecContext(ctx, `
		update slack_messages set channel = '', ts = '', digest = '', problem = $2 where id = $1`, m.ID, m.Problem)
	if err != nil {
		return fmt.Errorf("record that message %d is gone: %w", m.ID, err)
	}
	return nil
}

// MessageFailed counts a failed attempt and records its cause. With a digest, it is not tried again until the content changes.
func MessageFailed(ctx context.Context, q Queryer, m Message) error {
	_, err := q.ExecContext(ctx, `
		update slack_messages set attempts = attempts + 1, problem = $2, digest = $3 where id = $1`, m.ID, m.Problem, m.Digest)
	if err != nil {
		return fmt.Errorf("record that message %d was not sent: %w", m.ID, err)
	}
	return nil
}

// MessagesSynced records that a request's messages are in sync, and answers false if something changed since asOf. later says
// when time alone makes them due again; zero: never.
func MessagesSynced(ctx context.Context, q Queryer, requestID int64, asOf sql.NullTime, later time.Duration) (bool, error) {
	result, err := q.ExecContext(ctx, `
		update access_requests set messages_due_at = case when $3::float8 > 0 then app_now() + $3::float8 * interval '1 second' end
		 where id = $1 and messages_due_at is not distinct from $2`, requestID, asOf, later.Seconds())
	if err != nil {
		return false, fmt.Errorf("sync the messages of request %d: %w", requestID, err)
	}
	n, err := result.RowsAffected()
	return n == 1, err
}

// MarkRequestsDue makes requests due, so that their runs load their next steps.
func MarkRequestsDue(ctx context.Context, q Queryer, requests ...int64) error {
	_, err := q.ExecContext(ctx, `
		with locked as (select id from access_requests where id = any($1) order by id for update)
		update access_requests r set due_at = app_now(), signals = 0 from locked where r.id = locked.id`, pq.Array(requests))
	if err != nil {
		return fmt.Errorf("mark requests %v due: %w", requests, err)
	}
	return nil
}

// HeldIn is what a person already has in an application: the first names, and the total.
type HeldIn struct {
	ApplicationID int64          `db:"application_id"`
	Names         pq.StringArray `db:"names"`
	Total         int            `db:"total"`
}

// HeldInEach answers what a person has in each of the applications, with at most limit names of each. Applications in which they
// have nothing are left out.
func HeldInEach(ctx context.Context, q Queryer, personID int64, applications []int64, limit int) ([]HeldIn, error) {
	var held []HeldIn
	err := q.SelectContext(ctx, &held, `
		select h.application_id, array_agg(h.name order by h.n) filter (where h.n <= $3) as names, count(*) as total
		  from (select e.application_id, e.name, row_number() over (partition by e.application_id order by lower(e.name), e.id) as n
		          from entitlements e
		         where e.application_id = any($2)
		           and exists (select from claims c
		                        where c.person_id = $1 and c.entitlement_id = e.id and c.granted_at is not null and is_live(c))) h
		 group by h.application_id`, personID, pq.Array(applications), limit)
	if err != nil {
		return nil, fmt.Errorf("find what person %d holds in applications %v: %w", personID, applications, err)
	}
	return held, nil
}

// OwnersToNotify answers up to three active owners for each item, of the entitlement first, then of the application, else
// administrators, each with their items.
func OwnersToNotify(ctx context.Context, q Queryer, items []int64) ([]Owner, error) {
	var owners []Owner
	err := q.SelectContext(ctx, &owners, `
		with active as (
		    select i.id as item_id, o.person_id, o.tier
		      from request_items i cross join lateral entitlement_owner_people(i.entitlement_id) o
		     where i.id = any($1)),
		ranked as (
		    select item_id, person_id, row_number() over (partition by item_id order by tier, person_id) as position,
		           tier = 3 and min(tier) over (partition by item_id) < 3 as spare
		      from active)
		select person_id, array_agg(item_id order by item_id) as items
		  from ranked where position <= 3 and not spare group by person_id order by person_id`,
		pq.Array(items))
	if err != nil {
		return nil, fmt.Errorf("find the owners of items %v: %w", items, err)
	}
	return owners, nil
}

// Owner is an owner with their items of a request.
type Owner struct {
	PersonID int64         `db:"person_id"`
	Items    pq.Int64Array `db:"items"`
}

// AboutNoApprover begins what a report to administrators is about that tells of items without an approver.
const AboutNoApprover = "no approver "

// AdministratorsToTell answers up to three administrators who may decide some of the items for everyone, those first who can be
// reached in Slack.
func AdministratorsToTell(ctx context.Context, q Queryer, items []Item) ([]int64, error) {
	var administrators pq.Int64Array
	for _, i := range items {
		administrators = append(administrators, i.Administrators...)
	}
	var people []int64
	err := q.SelectContext(ctx, &people, `
		select p.id
		  from people p
		  left join slack_addresses s on s.person_id = p.id
		  left join slack_identities b on b.person_id = p.id
		 where p.id = any($1)
		 order by `+unreachable+`, p.id
		 limit 3`, administrators)
	if err != nil {
		return nil, fmt.Errorf("find administrators in Slack among %v: %w", administrators, err)
	}
	return people, nil
}

// UnexpectedBefore answers the items of a request whose access existed before their claims.
func UnexpectedBefore(ctx context.Context, q Queryer, requestID int64) ([]int64, error) {
	var ids []int64
	err := q.SelectContext(ctx, &ids, `
		select i.id from request_items i join claims c on c.unexpected_for = i.id
		 where i.request_id = $1 order by i.id`, requestID)
	if err != nil {
		return nil, fmt.Errorf("find unexpected access for request %d: %w", requestID, err)
	}
	return ids, nil
}

// Overdue answers the items of a request whose removal is overdue.
func Overdue(ctx context.Context, q Queryer, requestID int64) ([]int64, error) {
	var ids []int64
	err := q.SelectContext(ctx, &ids, `
		select i.id from request_items i join claims c on c.item_id = i.id
		 where i.request_id = $1 and c.alerted_at is not null order by i.id`, requestID)
	if err != nil {
		return nil, fmt.Errorf("find what of request %d is overdue: %w", requestID, err)
	}
	return ids, nil
}
