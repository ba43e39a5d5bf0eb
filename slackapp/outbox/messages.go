package outbox

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"accessbot/schema"
	"accessbot/slackapp/views"
)

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
func (o *Outbox) wantedMessages(ctx context.Context, q schema.Queryer, r *schema.Request, sent sentMessages,
) (wanted []key, later time.Duration, err error) {
	wanted = approvalMessages(r, sent)
	if wanted, err = o.noApprover(ctx, q, r, sent, wanted); err != nil {
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
	reports, err := o.reports(ctx, q, r)
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
func (o *Outbox) noApprover(ctx context.Context, q schema.Queryer, r *schema.Request, sent sentMessages, wanted []key,
) ([]key, error) {
	items := slices.DeleteFunc(slices.Clone(r.Items), func(item schema.Item) bool { return !r.NoApprover(item) })
	if len(items) == 0 {
		return wanted, nil
	}
	administrators, err := schema.AdministratorsToTell(ctx, q, items)
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

const batchFor = 30 * time.Second // how long a notification waits for more results

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
func (o *Outbox) reports(ctx context.Context, q schema.Queryer, r *schema.Request) ([]key, error) {
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
		owners, err := schema.OwnersToNotify(ctx, q, problem.items)
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

// render renders a message of a request for its reader.
func (o *Outbox) render(ctx context.Context, q schema.Queryer, r *schema.Request, k key, m schema.Message, to schema.Address,
) (views.Message, error) {
	zone := to.TimeZone
	if zone == "" {
		zone = o.DefaultTimeZone.String()
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

func ids(items []schema.Item) []int64 {
	ids := make([]int64, len(items))
	for i, item := range items {
		ids[i] = item.ID
	}
	return ids
}

// shorter is the shorter of two durations, where zero means none.
func shorter(a, b time.Duration) time.Duration {
	if a == 0 || (b != 0 && b < a) {
		return b
	}
	return a
}
