package activities

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	"accessbot/schema"
	"accessbot/schema/email"
	"accessbot/slackapp/views"
)

// RequestInput names a request.
type RequestInput struct{ RequestID int64 }

// SyncResult is the result of SyncMessages.
type SyncResult struct {
	DueIn               int64 // seconds until the next sync; 0: when something changes
	ApproverUnreachable bool  // an approver is not in Slack: the run should load its next steps
}

const (
	syncTimeout = 15 * time.Second // of one sync; the next one does the rest
	batchFor    = 30 * time.Second // how long a notification waits for more results
	maxSyncs    = 4                // at once: a Slack that does not answer must not use up the database connections
)

// SyncMessages makes every message of a request match the database: it posts missing messages, updates different ones, and
// touches nothing else. A request has one sync at a time. While another one runs, it is busy, and Temporal retries it less and
// less often, which adds no events to the run's history.
func (a *Activities) SyncMessages(ctx context.Context, in RequestInput) (SyncResult, error) {
	ctx, cancel := context.WithTimeout(ctx, syncTimeout)
	defer cancel()
	release, err := a.syncs.take(ctx, maxSyncs)
	if err != nil {
		return SyncResult{}, a.retry(ctx, fmt.Errorf("messages of request %d: %w", in.RequestID, err))
	}
	defer release()
	var result SyncResult
	locked, err := a.DB.Holding(ctx, schema.MessagesLock(in.RequestID), func(conn *sqlx.Conn) error {
		result, err = a.sync(ctx, conn, in.RequestID)
		return err
	})
	if err != nil {
		return SyncResult{}, err
	}
	if !locked {
		return SyncResult{}, a.retry(ctx, fmt.Errorf("messages of request %d, another sync: %w", in.RequestID, errBusy))
	}
	return result, a.SendNotifications(ctx, in.RequestID, notificationsPerSync)
}

func (a *Activities) sync(ctx context.Context, conn *sqlx.Conn, requestID int64) (SyncResult, error) {
	request, err := schema.RequestByID(ctx, conn, requestID)
	if err != nil {
		return SyncResult{}, err
	}
	sent, err := schema.MessagesOf(ctx, conn, requestID)
	if err != nil {
		return SyncResult{}, err
	}
	wanted, later, err := a.wantedMessages(ctx, conn, request, sent)
	if err != nil {
		return SyncResult{}, err
	}
	wanted = newFirst(wanted)
	asOf := request.MessagesDueAt
	unreachable, posted := false, 0
	var failed error
	for i, key := range wanted {
		if key.kind == card && i > 0 && posted > 0 && wanted[i-1].kind != card { // a card says what was just sent
			if request, err = schema.RequestByID(ctx, conn, requestID); err != nil {
				return SyncResult{}, err
			}
		}
		result, err := a.syncMessage(ctx, conn, request, key)
		if err != nil {
			failed = err
			if errors.Is(err, context.DeadlineExceeded) || isRateLimited(err) {
				break // no time is left, Slack does not answer, or it asks for fewer calls
			}
			continue // one failed message does not stop the others
		}
		unreachable = unreachable || result.approverUnreachable
		if result.request != nil {
			request = result.request
			posted++
		}
	}
	switch {
	case errors.Is(failed, context.DeadlineExceeded) && posted > 0:
		return SyncResult{DueIn: 1, ApproverUnreachable: unreachable}, nil // more messages than one sync can send
	case failed != nil:
		return SyncResult{}, retrySlack(fmt.Errorf("messages of request %d: %w", requestID, failed))
	}
	done, err := schema.MessagesSynced(ctx, conn, requestID, asOf, later)
	if err != nil {
		return SyncResult{}, err
	}
	if !done {
		later = 0 // something changed meanwhile: the run or the sweep syncs again
	}
	return SyncResult{DueIn: int64((later + time.Second - 1) / time.Second), ApproverUnreachable: unreachable}, nil
}

// newFirst puts new messages before edits: an edit that Slack keeps refusing must not hold up what its reader does not know yet.
func newFirst(keys []key) []key {
	sent := func(k key) bool { return k.sent.TS != "" }
	edits := slices.DeleteFunc(slices.Clone(keys), func(k key) bool { return !sent(k) })
	return append(slices.DeleteFunc(keys, sent), edits...)
}

// key names one message of a request.
type key struct {
	person int64
	kind   string
	about  string
	items  []int64        // if it is about a part of the request
	sent   schema.Message // as it was sent; ID 0: never
	newer  string         // of an approval message: about of the reader's newest copy; empty: this one
}

// sentMessages are a request's messages so far.
type sentMessages []schema.Message

// find returns the message with this key; ID 0: there is none.
func (s sentMessages) find(person int64, kind, about string) schema.Message {
	i := slices.IndexFunc(s, func(m schema.Message) bool { return m.PersonID == person && m.Kind == kind && m.About == about })
	if i < 0 {
		return schema.Message{}
	}
	return s[i]
}

func (s sentMessages) key(person int64, kind, about string, items []int64) key {
	return key{person: person, kind: kind, about: about, items: items, sent: s.find(person, kind, about)}
}

// Kinds of message.
const (
	card            = "card"
	approvalMessage = "approval"
	outcome         = "outcome"
	endingSoon      = "ending_soon"
	ended           = "ended"
	report          = "report"
	task            = "manual_task"
	reminder        = "reminder"
	outage          = "outage"

	question       = "question"
	questionAnswer = "question_answer"
)

// sentOnce tells whether messages of a kind are never edited: Slack notifies no one of an edit.
func sentOnce(kind string) bool {
	return kind != card && kind != approvalMessage && kind != task && kind != question
}

// wantedMessages are all messages that the request should have now, in the order of sending, and in how long the next is due.
func (a *Activities) wantedMessages(ctx context.Context, q schema.Queryer, r *schema.Request, sent sentMessages,
) (wanted []key, later time.Duration, err error) {
	wanted = approvalMessages(r, sent)
	if wanted, err = a.noApprover(ctx, q, r, sent, wanted); err != nil {
		return nil, 0, err
	}
	for _, person := range submitters(r) { // after the approval messages: the card says whether they were sent
		wanted = append(wanted, sent.key(person, card, "", nil))
	}
	wanted = append(wanted, questionMessages(r, sent)...)
	for _, b := range resultBatches(r) {
		readers := submitters(r)
		if b.kind == ended {
			readers = readers[:1] // the holder only
		}
		for _, person := range readers {
			items := notTold(sent, person, b.kind, b.about, ids(notByPerson(r, person, b.items)))
			if len(items) == 0 {
				continue
			}
			if wait := b.dueIn(r, items); wait > 0 {
				later = shorter(later, wait)
				continue
			}
			wanted = append(wanted, sent.key(person, b.kind, fmt.Sprintf("%s%d", b.about, items[0]), items))
		}
	}
	notifications, next, err := endNotifications(ctx, q, r, sent)
	if err != nil {
		return nil, 0, err
	}
	wanted, later = append(wanted, notifications...), shorter(later, next)
	reports, err := a.reports(ctx, q, r)
	if err != nil {
		return nil, 0, err
	}
	for _, k := range reports {
		if items := notTold(sent, k.person, report, k.about, k.items); len(items) > 0 {
			wanted = append(wanted, sent.key(k.person, report, fmt.Sprintf("%s%d", k.about, items[0]), items))
		}
	}
	return wanted, later, nil
}

// noApprover adds notifications to administrators about items without an approver.
func (a *Activities) noApprover(ctx context.Context, q schema.Queryer, r *schema.Request, sent sentMessages, wanted []key,
) ([]key, error) {
	items := slices.DeleteFunc(slices.Clone(r.Items), func(item schema.Item) bool { return !r.NoApprover(item) })
	if len(items) == 0 {
		return wanted, nil
	}
	administrators, err := schema.AdministratorsToTell(ctx, q, r)
	if err != nil {
		return nil, err
	}
	for _, person := range administrators {
		untold := notTold(sent, person, report, schema.AboutNoApprover, ids(items))
		if len(untold) == 0 {
			continue
		}
		wanted = append(wanted, sent.key(person, report, fmt.Sprintf("%s%d", schema.AboutNoApprover, untold[0]), untold))
	}
	return wanted, nil
}

// submitters are the requester, and the submitter if that is someone else.
func submitters(r *schema.Request) []int64 {
	if r.SubmittedBy.Valid {
		return []int64{r.RequesterID, r.SubmittedBy.Int64}
	}
	return []int64{r.RequesterID}
}

// batch is a set of results that are told in one notification: at once if no more are to come, or after batchFor.
type batch struct {
	kind, about string
	items       []schema.Item
	more        bool // more results are to come
}

func resultBatches(r *schema.Request) []batch {
	results := batch{kind: outcome, about: "result "}
	approved := batch{kind: outcome, about: "approved ", more: true} // told if provisioning takes long
	over := batch{kind: ended}
	for _, item := range r.Items {
		switch item.State {
		case schema.Submitted, schema.AwaitingApproval:
			results.more = true
		case schema.Approved, schema.Provisioning:
			results.more = true
			approved.items = append(approved.items, item)
		case schema.Active, schema.Denied, schema.Failed, schema.Expired, schema.Withdrawn:
			results.items = append(results.items, item)
		case schema.Ended, schema.Revoked:
			over.items = append(over.items, item)
		}
		if item.State == schema.Active && item.Claim != nil && item.Claim.NeedsRevoking() {
			over.more = true
		}
	}
	return []batch{results, approved, over}
}

// notByPerson leaves out items that the person withdrew, or that were withdrawn because they left: they need no notification.
func notByPerson(r *schema.Request, person int64, items []schema.Item) []schema.Item {
	return slices.DeleteFunc(slices.Clone(items), func(item schema.Item) bool {
		if item.State != schema.Withdrawn || item.StopOrder == nil {
			return false
		}
		by := item.StopOrder.PersonID
		return by.Valid && by.Int64 == person || item.StopOrder.Kind == schema.KindPersonLeft && person == r.RequesterID
	})
}

// notTold are the items that no sent message of this kind told the person about.
func notTold(sent sentMessages, person int64, kind, about string, items []int64) []int64 {
	return slices.DeleteFunc(slices.Clone(items), func(id int64) bool {
		return slices.ContainsFunc(sent, func(m schema.Message) bool {
			return m.PersonID == person && m.Kind == kind && m.TS != "" && strings.HasPrefix(m.About, about) &&
				slices.Contains([]int64(m.ItemIDs), id)
		})
	})
}

// dueIn is how long the batch waits; 0: it is due.
func (b batch) dueIn(r *schema.Request, untold []int64) time.Duration {
	if !b.more {
		return 0
	}
	var oldest time.Time
	for _, item := range b.items {
		if slices.Contains(untold, item.ID) && (oldest.IsZero() || item.StateAt.Before(oldest)) {
			oldest = item.StateAt
		}
	}
	return max(oldest.Add(batchFor).Sub(r.ReadAt), 0)
}

// reports notify owners about access that could not be granted, that existed before its claim, or whose revocation is overdue.
func (a *Activities) reports(ctx context.Context, q schema.Queryer, r *schema.Request) ([]key, error) {
	var failed []int64
	for _, item := range r.Items {
		if item.State == schema.Failed {
			failed = append(failed, item.ID)
		}
	}
	unexpected, err := schema.UnexpectedBefore(ctx, q, r.ID)
	if err != nil {
		return nil, err
	}
	overdue, err := schema.Overdue(ctx, q, r.ID)
	if err != nil {
		return nil, err
	}
	var reports []key
	for _, problem := range []struct {
		about string
		items []int64
	}{{aboutFailed, failed}, {aboutUnexpected, unexpected}, {aboutOverdue, overdue}} {
		if len(problem.items) == 0 {
			continue
		}
		owners, err := schema.OwnersToTell(ctx, q, problem.items)
		if err != nil {
			return nil, err
		}
		for _, owner := range owners {
			reports = append(reports, key{person: owner.PersonID, kind: report, about: problem.about, items: owner.Items})
		}
	}
	return reports, nil
}

// Subjects of reports: about begins with one of them.
const (
	aboutFailed     = "failed "
	aboutUnexpected = "found "
	aboutOverdue    = "overdue "
)

// synced is the result of syncing one message.
type synced struct {
	request             *schema.Request // as it was read for the message; nil: nothing was sent
	approverUnreachable bool
}

// syncMessage makes one message match the database. It reads the request again just before, so that no older state overwrites
// a newer one.
func (a *Activities) syncMessage(ctx context.Context, conn *sqlx.Conn, r *schema.Request, k key) (synced, error) {
	if sentOnce(k.kind) && k.sent.Digest != "" {
		return synced{}, nil
	}
	address, err := schema.AddressOf(ctx, conn, k.person)
	if err != nil {
		return synced{}, err
	}
	if k.sent.ID != 0 {
		message, err := a.render(ctx, conn, r, k, k.sent, address)
		if err != nil {
			return synced{}, err
		}
		if views.Digest(message) == k.sent.Digest {
			return synced{}, nil
		}
	}
	found, err := a.findSlackUser(ctx, conn, &address)
	if err != nil {
		return synced{}, err
	}
	if !found {
		return synced{approverUnreachable: k.kind == approvalMessage}, a.recordUnreachable(ctx, conn, r, k)
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
	message, err := a.render(ctx, conn, r, k, m, address)
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
	err = a.send(ctx, conn, m, address.UserID.String, message)
	if errors.Is(err, errNoReader) {
		if err := schema.SaveAddress(ctx, conn, k.person, sql.NullString{}, ""); err != nil {
			return synced{}, err
		}
		return synced{approverUnreachable: k.kind == approvalMessage}, a.recordUnreachable(ctx, conn, r, k)
	}
	return synced{request: r}, err
}

// offer is what a message's buttons can decide until Slack has the new version: only items that both versions show. Buttons with
// other terms decide nothing.
func offer(before, next schema.Message) schema.Message {
	if before.TS != "" && before.Terms == next.Terms {
		next.ItemIDs = slices.DeleteFunc(slices.Clone(next.ItemIDs), func(id int64) bool {
			return !slices.Contains(before.ItemIDs, id)
		})
	}
	return next
}

func (a *Activities) render(ctx context.Context, q schema.Queryer, r *schema.Request, k key, m schema.Message, to schema.Address,
) (views.Message, error) {
	zone := to.TimeZone
	if zone == "" {
		zone = a.Options.DefaultTimeZone.String()
	}
	if message, ok := renderQuestion(r, k); ok {
		return message, nil
	}
	switch k.kind {
	case card:
		return views.Card(r, k.person), nil
	case approvalMessage:
		return renderApproval(ctx, q, r, k, m, zone)
	case outcome:
		return views.Outcome(r, k.person), nil
	case endingSoon:
		return views.EndingSoon(r, k.items, m.ID), nil
	case ended:
		return views.Ended(r), nil
	default:
		kind := views.ReportUnexpected
		switch {
		case strings.HasPrefix(k.about, aboutFailed):
			kind = views.ReportFailed
		case strings.HasPrefix(k.about, aboutOverdue):
			kind = views.ReportOverdue
		case strings.HasPrefix(k.about, schema.AboutNoApprover):
			kind = views.ReportNoApprover
		}
		return views.Report(r, kind, k.items, zone), nil
	}
}

// findSlackUser looks up a person's Slack user once, and records the answer. False: there is definitely none.
func (a *Activities) findSlackUser(ctx context.Context, q schema.Queryer, address *schema.Address) (bool, error) {
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
	user, err := a.Slack.GetUserByEmailContext(ctx, address.Email)
	switch {
	case isSlackError(err, "users_not_found"):
	case err != nil:
		return false, fmt.Errorf("look up person %d in Slack: %w", address.PersonID, err)
	case user.Profile.Email != "" && email.Lower(user.Profile.Email) != address.Email:
		// Slack does not document how it compares addresses. A similar address can be another user's.
		if err := schema.Audit(ctx, q, schema.Event{Actor: "worker", PersonID: address.PersonID, Action: schema.AddressRefused, Alert: true,
			Details: map[string]any{"user": user.ID, "address": strconv.QuoteToASCII(user.Profile.Email)}}); err != nil {
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
func (a *Activities) recordUnreachable(ctx context.Context, q schema.Queryer, r *schema.Request, k key) error {
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
	return schema.Audit(ctx, q, schema.Event{Actor: "worker", PersonID: k.person, Action: schema.MessageUndelivered, Alert: true, RequestID: r.ID,
		Details: map[string]any{"message": k.kind}})
}

const notInSlack = "not in Slack"

func ids(items []schema.Item) []int64 {
	ids := make([]int64, len(items))
	for i, item := range items {
		ids[i] = item.ID
	}
	return ids
}
