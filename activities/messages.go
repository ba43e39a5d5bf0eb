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

// Converged is what came of a look at a request's messages.
type SyncResult struct {
	AgainIn  int64 // seconds until something is due by the clock alone; 0: when something changes
	AskAgain bool  // someone who was asked is not in Slack: the run should ask the database who else may decide
}

const (
	syncTimeout = 15 * time.Second // one look; what is left, the next look does
	gatherFor   = 30 * time.Second // how long results are gathered while others are still to come
	looksAtOnce = 4                // a Slack that does not answer must not take the database's connections from everybody
)

// SyncMessages makes every message of a request say what the database says: it posts what is missing, updates what
// differs, and touches nothing else. One at a time a request: while another one is at it, it is busy, and Temporal tries it
// again less and less often. An attempt is no event of a run's history, as a new look would be.
func (a *Activities) SyncMessages(ctx context.Context, in RequestInput) (SyncResult, error) {
	ctx, cancel := context.WithTimeout(ctx, syncTimeout)
	defer cancel()
	removeAccess, err := a.looks.take(ctx, looksAtOnce)
	if err != nil {
		return SyncResult{}, a.retry(ctx, fmt.Errorf("messages of request %d: %w", in.RequestID, err))
	}
	defer removeAccess()
	var synced SyncResult
	locked, err := a.DB.Holding(ctx, schema.MessagesLock(in.RequestID), func(conn *sqlx.Conn) error {
		synced, err = a.sync(ctx, conn, in.RequestID)
		return err
	})
	if err != nil {
		return SyncResult{}, err
	}
	if !locked {
		return SyncResult{}, a.retry(ctx, fmt.Errorf("another look at the messages of request %d: %w", in.RequestID, errBusy))
	}
	return synced, a.SendNotifications(ctx, in.RequestID, notificationsAtOnce)
}

func (a *Activities) sync(ctx context.Context, conn *sqlx.Conn, requestID int64) (SyncResult, error) {
	request, err := schema.RequestByID(ctx, conn, requestID)
	if err != nil {
		return SyncResult{}, err
	}
	before, err := schema.MessagesOf(ctx, conn, requestID)
	if err != nil {
		return SyncResult{}, err
	}
	wanted, later, err := a.wanted(ctx, conn, request, before)
	if err != nil {
		return SyncResult{}, err
	}
	asOf := request.MessagesDueAt
	askAgain, sent := false, 0
	var failed error
	for n, key := range wanted {
		if key.kind == card && n > 0 && sent > 0 && wanted[n-1].kind != card { // which says what was sent just now
			if request, err = schema.RequestByID(ctx, conn, requestID); err != nil {
				return SyncResult{}, err
			}
		}
		result, err := a.bring(ctx, conn, request, key)
		if err != nil {
			failed = err
			if errors.Is(err, context.DeadlineExceeded) || isRateLimited(err) {
				break // no time is left, Slack does not answer, or it wants to be left alone
			}
			continue // one who cannot be written to never stops the others
		}
		askAgain = askAgain || result.nobody
		if result.request != nil {
			request = result.request
			sent++
		}
	}
	switch {
	case errors.Is(failed, context.DeadlineExceeded) && sent > 0:
		return SyncResult{AgainIn: 1, AskAgain: askAgain}, nil // there is more than fits into one look
	case failed != nil:
		return SyncResult{}, retrySlack(fmt.Errorf("messages of request %d: %w", requestID, failed))
	}
	done, err := schema.MessagesSynced(ctx, conn, requestID, asOf, later)
	if err != nil {
		return SyncResult{}, err
	}
	if !done {
		later = 0 // what changed meanwhile asks for a look of its own, from the run or from the sweep
	}
	return SyncResult{AgainIn: int64((later + time.Second - 1) / time.Second), AskAgain: askAgain}, nil
}

// key names one message of a request.
type key struct {
	person int64
	kind   string
	about  string
	items  []int64        // what it is about, where that is a part of the request
	was    schema.Message // as it was sent before; ID 0: never
	newer  string         // of a copy of an approval: what the reader's newest copy is about; empty: it is this one
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
	jobChange       = "job_change"
	outage          = "outage"

	question       = "question"
	questionAnswer = "question_answer"
)

// once tells whether a kind is said once and never changed: an edit does not notify anybody, and what was said stays said.
func once(kind string) bool {
	return kind != card && kind != approvalMessage && kind != task && kind != question
}

// wanted is every message that should are delegates Slack now, in the order in which they are sent, and in how long the clock
// alone will want another.
func (a *Activities) wanted(ctx context.Context, q schema.Queryer, r *schema.Request, sent []schema.Message) (wanted []key, later time.Duration, err error) {
	was := func(person int64, kind, about string) schema.Message {
		n := slices.IndexFunc(sent, func(m schema.Message) bool { return m.PersonID == person && m.Kind == kind && m.About == about })
		if n < 0 {
			return schema.Message{}
		}
		return sent[n]
	}
	add := func(person int64, kind, about string, items []int64) {
		wanted = append(wanted, key{person: person, kind: kind, about: about, items: items, was: was(person, kind, about)})
	}

	for _, k := range approvalMessages(r, was) {
		k.was = was(k.person, approvalMessage, k.about)
		wanted = append(wanted, k)
	}
	if wanted, err = a.noApprover(ctx, q, r, sent, wanted); err != nil {
		return nil, 0, err
	}
	for _, person := range askers(r) { // after those: it says whether they were sent
		add(person, card, "", nil)
	}
	questions(r, add, was)
	for _, g := range gatherings(r) {
		readers := askers(r)
		if g.kind == ended { // whose access it was
			readers = readers[:1]
		}
		for _, person := range readers {
			items := unsaid(sent, person, g.kind, g.about, ids(newsTo(r, person, g.items)))
			if len(items) == 0 {
				continue
			}
			if wait := g.due(r, items); wait > 0 {
				later = shorter(later, wait)
				continue
			}
			add(person, g.kind, fmt.Sprintf("%s%d", g.about, items[0]), items)
		}
	}
	notices, next, err := endNotifications(ctx, q, r, was)
	if err != nil {
		return nil, 0, err
	}
	wanted, later = append(wanted, notices...), shorter(later, next)
	reports, err := a.reports(ctx, q, r)
	if err != nil {
		return nil, 0, err
	}
	for _, k := range reports {
		if items := unsaid(sent, k.person, report, k.about, k.items); len(items) > 0 {
			add(k.person, report, fmt.Sprintf("%s%d", k.about, items[0]), items)
		}
	}
	return wanted, later, nil
}

// noApprover adds reports to administrators about items that have no approver.
func (a *Activities) noApprover(ctx context.Context, q schema.Queryer, r *schema.Request, sent []schema.Message, wanted []key) ([]key, error) {
	items := slices.DeleteFunc(slices.Clone(r.Items), func(i schema.Item) bool { return !r.NoApprover(i) })
	if len(items) == 0 {
		return wanted, nil
	}
	administrators, err := schema.AdministratorsToTell(ctx, q, r)
	if err != nil {
		return nil, err
	}
	for _, person := range administrators {
		untold := unsaid(sent, person, report, schema.AboutNoApprover, ids(items))
		if len(untold) == 0 {
			continue
		}
		k := key{person: person, kind: report, about: fmt.Sprintf("%s%d", schema.AboutNoApprover, untold[0]), items: untold}
		if n := slices.IndexFunc(sent, func(m schema.Message) bool { return m.PersonID == person && m.Kind == report && m.About == k.about }); n >= 0 {
			k.was = sent[n]
		}
		wanted = append(wanted, k)
	}
	return wanted, nil
}

// askers are those who asked for a request: its requester, and whoever asked for them.
func askers(r *schema.Request) []int64 {
	if r.SubmittedBy.Valid {
		return []int64{r.RequesterID, r.SubmittedBy.Int64}
	}
	return []int64{r.RequesterID}
}

// gathering is news about items that is told together: at once when no more of it is to come, else after a moment.
type gathering struct {
	kind, about string
	items       []schema.Item
	more        bool // more of the same is in flight
}

func gatherings(r *schema.Request) []gathering {
	results := gathering{kind: outcome, about: "result "}
	slow := gathering{kind: outcome, about: "approved ", more: true}
	over := gathering{kind: ended}
	for _, i := range r.Items {
		switch i.State {
		case schema.Submitted, schema.AwaitingApproval:
			results.more = true
		case schema.Approved, schema.Provisioning:
			results.more = true
			slow.items = append(slow.items, i)
		case schema.Active, schema.Denied, schema.Failed, schema.Expired, schema.Withdrawn:
			results.items = append(results.items, i)
		case schema.Ended, schema.Revoked:
			over.items = append(over.items, i)
		}
		if i.State == schema.Active && i.Claim != nil && i.Claim.NeedsRevoking(r.ReadAt) {
			over.more = true
		}
	}
	return []gathering{results, slow, over}
}

// newsTo are the items that are not the doing of the person themselves: who withdraws, or leaves, is not told of it.
func newsTo(r *schema.Request, person int64, items []schema.Item) []schema.Item {
	return slices.DeleteFunc(slices.Clone(items), func(i schema.Item) bool {
		x := i.StopOrder
		return i.State == schema.Withdrawn && x != nil && (x.PersonID.Valid && x.PersonID.Int64 == person || x.Kind == schema.KindPersonLeft && person == r.RequesterID)
	})
}

// unsaid answers the items of which a person was told nothing of this kind yet.
func unsaid(sent []schema.Message, person int64, kind, about string, items []int64) []int64 {
	return slices.DeleteFunc(slices.Clone(items), func(id int64) bool {
		return slices.ContainsFunc(sent, func(m schema.Message) bool {
			return m.PersonID == person && m.Kind == kind && m.TS != "" && strings.HasPrefix(m.About, about) && slices.Contains([]int64(m.ItemIDs), id)
		})
	})
}

// due is in how long the news is to be told; 0: now.
func (g gathering) due(r *schema.Request, unsaid []int64) time.Duration {
	if !g.more {
		return 0
	}
	var oldest time.Time
	for _, i := range g.items {
		if slices.Contains(unsaid, i.ID) && (oldest.IsZero() || i.StateAt.Before(oldest)) {
			oldest = i.StateAt
		}
	}
	return max(oldest.Add(gatherFor).Sub(r.ReadAt), 0)
}

// reports tell those who look after a system what they should know: what could not be granted, what was there before, and
// what could not be revoked in time.
func (a *Activities) reports(ctx context.Context, q schema.Queryer, r *schema.Request) ([]key, error) {
	var failed []int64
	for _, i := range r.Items {
		if i.State == schema.Failed {
			failed = append(failed, i.ID)
		}
	}
	found, err := schema.UnexpectedBefore(ctx, q, r.ID)
	if err != nil {
		return nil, err
	}
	overdue, err := schema.Overdue(ctx, q, r.ID)
	if err != nil {
		return nil, err
	}
	var reports []key
	for _, about := range []struct {
		what  string
		items []int64
	}{{aboutFailed, failed}, {aboutUnexpected, found}, {aboutOverdue, overdue}} {
		if len(about.items) == 0 {
			continue
		}
		owners, err := schema.OwnersToTell(ctx, q, about.items)
		if err != nil {
			return nil, err
		}
		for _, owner := range owners {
			reports = append(reports, key{person: owner.PersonID, kind: report, about: about.what, items: owner.Items})
		}
	}
	return reports, nil
}

// What a report is about.
const (
	aboutFailed     = "failed "
	aboutUnexpected = "found "
	aboutOverdue    = "overdue "
)

// brought is what came of one message.
type brought struct {
	request *schema.Request // as read for it; nil: it was as it should be
	nobody  bool            // its reader is not in Slack, and was asked to decide
}

// bring makes one message say what the database says, reading that again just before, so that an older picture never lands
// on a newer one.
func (a *Activities) bring(ctx context.Context, conn *sqlx.Conn, r *schema.Request, k key) (brought, error) {
	if once(k.kind) && k.was.Digest != "" {
		return brought{}, nil
	}
	address, err := schema.AddressOf(ctx, conn, k.person)
	if err != nil {
		return brought{}, err
	}
	if k.was.ID != 0 {
		same, err := a.render(ctx, conn, r, k, k.was, address)
		if err != nil {
			return brought{}, err
		}
		if views.Digest(same) == k.was.Digest {
			return brought{}, nil
		}
	}
	found, err := a.find(ctx, conn, &address)
	if err != nil {
		return brought{}, err
	}
	if !found {
		return brought{nobody: k.kind == approvalMessage}, a.unreachable(ctx, conn, r, k)
	}
	if r, err = schema.RequestByID(ctx, conn, r.ID); err != nil {
		return brought{}, err
	}
	m, err := schema.ReserveMessage(ctx, conn, schema.Message{RequestID: r.ID, PersonID: k.person, Kind: k.kind, About: k.about, ItemIDs: k.items, Terms: r.Terms})
	if err != nil {
		return brought{}, err
	}
	message, err := a.render(ctx, conn, r, k, m, address)
	if err != nil {
		return brought{}, err
	}
	items := k.items
	if k.kind == approvalMessage {
		items = ids(r.DecidableBy(k.person))
	}
	shown := m
	m.Terms, m.ItemIDs = r.Terms, items
	if err := schema.OfferMessage(ctx, conn, offer(shown, m)); err != nil {
		return brought{}, err
	}
	err = a.send(ctx, conn, m, address.UserID.String, message)
	if errors.Is(err, errNoReader) {
		if err := schema.SaveAddress(ctx, conn, k.person, sql.NullString{}, ""); err != nil {
			return brought{}, err
		}
		return brought{nobody: k.kind == approvalMessage}, a.unreachable(ctx, conn, r, k)
	}
	return brought{request: r}, err
}

// offer is what a message offers until its new form is known to are delegates Slack: no more than both forms show, so that no
// button decides what is not beside it. Buttons that name other terms decide nothing.
func offer(shown, next schema.Message) schema.Message {
	if shown.TS != "" && shown.Terms == next.Terms {
		next.ItemIDs = slices.DeleteFunc(slices.Clone(next.ItemIDs), func(id int64) bool { return !slices.Contains(shown.ItemIDs, id) })
	}
	return next
}

func (a *Activities) render(ctx context.Context, q schema.Queryer, r *schema.Request, k key, m schema.Message, to schema.Address) (views.Message, error) {
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
		what := views.ReportUnexpected
		switch {
		case strings.HasPrefix(k.about, aboutFailed):
			what = views.ReportFailed
		case strings.HasPrefix(k.about, aboutOverdue):
			what = views.ReportOverdue
		case strings.HasPrefix(k.about, schema.AboutNoApprover):
			what = views.ReportNoApprover
		}
		return views.Report(r, what, k.items, zone), nil
	}
}

// find looks up where to write to, once; what Slack denies is remembered. False: there is definitely no one.
func (a *Activities) find(ctx context.Context, q schema.Queryer, address *schema.Address) (bool, error) {
	if address.UserID.Valid {
		return true, nil
	}
	if address.Checked {
		return false, nil
	}
	zone := ""
	if !email.IsASCII(address.Email) { // binds to no one, see schema.BindSlackUser
		return false, schema.SaveAddress(ctx, q, address.PersonID, address.UserID, zone)
	}
	user, err := a.Slack.GetUserByEmailContext(ctx, address.Email)
	switch {
	case isSlackError(err, "users_not_found"):
	case err != nil:
		return false, fmt.Errorf("look up person %d in Slack: %w", address.PersonID, err)
	case user.Profile.Email != "" && email.Lower(user.Profile.Email) != address.Email:
		// Slack does not say how it compares addresses. One that only looks like this person's is another user's.
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

// unreachable records that a message's reader is not in Slack. Whoever was asked to decide is not a candidate any more.
func (a *Activities) unreachable(ctx context.Context, q schema.Queryer, r *schema.Request, k key) error {
	m, err := schema.ReserveMessage(ctx, q, schema.Message{RequestID: r.ID, PersonID: k.person, Kind: k.kind, About: k.about, Terms: r.Terms})
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
	for n, i := range items {
		ids[n] = i.ID
	}
	return ids
}
