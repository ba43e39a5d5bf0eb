package activities

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"
	"go.temporal.io/sdk/temporal"

	"accessbot/schema"
	"accessbot/slackapp/views"
)

// AdvanceInput names a request, and says whether its run was cancelled.
type AdvanceInput struct {
	RequestID int64
	Cancelled bool
	// Said are the signals that woke the run. They prove nothing: one that the database knows nothing of is an alert.
	Said []string
}

// Next is what a run has to do now, and when it must look again. Names in it are for people who read runs.
type Next struct {
	State        string    // of the request as a whole: the state of the item that has most to come
	Requester    string    // an e-mail, or p<id>
	Applications []string  // slugs, sorted
	Approvers    []string  // those who are still asked, sorted
	Until        time.Time // the request's end; zero: permanent
	Grant        []Step    // items to provision
	Retry        int64     // the newest order of an administrator to try at once what waits for its target; 0: none
	RevokeAccess []Step    // claims to revoke
	DueIn        int64     // seconds until something is due; 0: nothing will be
	DueFor       string    // what is due then
	Settled      bool      // nothing is left for this run
	MessagesDue  bool      // messages are behind the database
	Details      string    // one Markdown line an item
}

// Step is one thing to do to one item or claim.
type Step struct {
	ID    int64  // an item's for Grant, a claim's for RevokeAccess
	Label string // application and entitlement
}

// Until the sweep wakes a run that is busy. What waits for its target may wait for days, and every look is an event or two.
const (
	dueAfterGranting = 10 * time.Minute
	lookAfterTarget  = time.Hour
	dueAfterRevoking = time.Hour
	lookForApprovers = time.Hour
)

// Advance moves a request on as far as the database lets it, in one short transaction: it opens and closes approvals, moves
// items to what was decided, and answers what is to be done next. It is safe to call at any time, any number of times.
func (a *Activities) Advance(ctx context.Context, in AdvanceInput) (Next, error) {
	var next Next
	err := a.DB.InTx(ctx, func(tx *sqlx.Tx) error {
		if err := schema.LockRequest(ctx, tx, in.RequestID); err != nil {
			return err
		}
		if in.Cancelled {
			if err := schema.StopRequest(ctx, tx, in.RequestID, schema.KindWorkflowCancelled, "cancelled in Temporal"); err != nil {
				return err
			}
		}
		request, err := schema.RequestByID(ctx, tx, in.RequestID)
		if err != nil {
			return err
		}
		if request.Requester.Status == "left" {
			if err := schema.StopRequest(ctx, tx, in.RequestID, schema.KindPersonLeft, "left the company"); err != nil {
				return err
			}
			if request, err = schema.RequestByID(ctx, tx, in.RequestID); err != nil {
				return err
			}
		}
		if err := auditSaid(ctx, tx, request, in.Said); err != nil {
			return err
		}
		next, err = a.advance(ctx, tx, request)
		return err
	})
	if isNotFound(err) {
		return Next{}, temporal.NewNonRetryableApplicationError(fmt.Sprintf("there is no request %d", in.RequestID), "NoSuchRequest", err)
	}
	if err != nil {
		return Next{}, fmt.Errorf("advance request %d: %w", in.RequestID, err)
	}
	return next, nil
}

func (a *Activities) advance(ctx context.Context, tx *sqlx.Tx, r *schema.Request) (Next, error) {
	evaluated, err := schema.Evaluate(ctx, tx, r)
	if err != nil {
		return Next{}, err
	}
	if err := auditEvaluatedOtherwise(ctx, tx, r, evaluated); err != nil {
		return Next{}, err
	}
	changed, err := a.moveOn(ctx, tx, r, evaluated)
	if err != nil {
		return Next{}, err
	}
	failed, err := endUngranted(ctx, tx, r)
	if err != nil {
		return Next{}, err
	}
	changed = changed || failed
	asked, unasked, err := a.ask(ctx, tx, r, evaluated)
	if err != nil {
		return Next{}, err
	}
	if changed || asked {
		if r, err = schema.RequestByID(ctx, tx, r.ID); err != nil {
			return Next{}, err
		}
	}
	reminded, wake, err := a.remind(ctx, tx, r, evaluated)
	if err != nil {
		return Next{}, err
	}
	next, due := a.next(r, unasked, evaluated, wake)
	if next.Retry, err = schema.NewestRetry(ctx, tx, r.ID); err != nil {
		return Next{}, err
	}
	notificationDue := slices.ContainsFunc(endings(r), func(e ending) bool { return !e.notice.After(r.ReadAt) })
	if err := schema.SetDue(ctx, tx, r.ID, due, next.Settled, changed || asked || notificationDue); err != nil {
		return Next{}, err
	}
	next.MessagesDue = changed || asked || reminded || notificationDue || r.MessagesDueAt.Valid
	return next, nil
}

// auditEvaluatedOtherwise tells of items that the policy would evaluate by another rule than the one that was recorded: no trigger
// can know that, so the Slack app's role may write any.
func auditEvaluatedOtherwise(ctx context.Context, tx *sqlx.Tx, r *schema.Request, evaluated schema.Evaluation) error {
	if !slices.ContainsFunc(r.Items, func(i schema.Item) bool { return i.State == schema.Submitted }) {
		return nil
	}
	items, err := evaluated.EvaluatedOtherwise(ctx, tx, r.ID)
	if err != nil || len(items) == 0 {
		return err
	}
	return schema.Audit(ctx, tx, schema.Event{Actor: "worker", Action: schema.EvaluationMismatched, RequestID: r.ID, Alert: true, Details: map[string]any{"items": items}})
}

// movedTo are the events of the states that items move on to.
var movedTo = map[string]schema.AuditAction{
	schema.AwaitingApproval: schema.ItemRouted,
	schema.Approved:         schema.ItemApproved,
	schema.Denied:           schema.ItemDenied,
	schema.Withdrawn:        schema.ItemWithdrawn,
	schema.Expired:          schema.ItemExpired,
}

// moveOn moves every item to where the database puts it, one statement a state.
func (a *Activities) moveOn(ctx context.Context, tx *sqlx.Tx, r *schema.Request, evaluated schema.Evaluation) (changed bool, err error) {
	moved := map[string][]int64{}
	for n, i := range r.Items {
		if to := a.decided(r, i, evaluated); to != i.State {
			moved[to] = append(moved[to], i.ID)
			r.Items[n].State = to
		}
	}
	for to, ids := range moved {
		if err := schema.MoveItems(ctx, tx, ids, to, schema.Problem{}); err != nil {
			return false, err
		}
		err := schema.Audit(ctx, tx, schema.Event{Actor: "worker", Action: movedTo[to], RequestID: r.ID, Details: map[string]any{"items": ids}})
		if err != nil {
			return false, err
		}
	}
	return len(moved) > 0, nil
}

// endUngranted ends approved items whose end passed before anything was tried in their target that may have come through.
func endUngranted(ctx context.Context, tx *sqlx.Tx, r *schema.Request) (failed bool, err error) {
	for _, i := range r.Items {
		if end := r.EndOf(i); i.State != schema.Approved || !end.Valid || end.Time.After(r.ReadAt) {
			continue
		}
		if err := schema.FailedItem(ctx, tx, r.ID, i.ID, i.Problem.Became(schema.EndPassed)); err != nil {
			return false, err
		}
		failed = true
	}
	return failed, nil
}

// decided is the state that the database puts an item into, as far as nothing has to be done to a target for it.
func (a *Activities) decided(r *schema.Request, i schema.Item, evaluated schema.Evaluation) string {
	end := r.EndOf(i)
	past := end.Valid && !end.Time.After(r.ReadAt)
	switch i.State {
	case schema.Submitted, schema.AwaitingApproval:
		switch {
		case i.StopOrder != nil:
			return schema.Withdrawn
		case i.Decision != nil && !i.Decision.Approves():
			return schema.Denied
		case i.Decision != nil:
			return schema.Approved // where its end has passed since, see endUngranted
		case past:
			return schema.Expired
		case !a.expires(r, evaluated.Rule(i)).After(r.ReadAt):
			return schema.Expired
		default:
			return schema.AwaitingApproval
		}
	case schema.Approved:
		if i.StopOrder != nil {
			return schema.Withdrawn
		}
	}
	return i.State
}

// next says what the run does now, and in how long the database must be looked at again at the latest: not later than wake.
func (a *Activities) next(r *schema.Request, unasked []int64, evaluated schema.Evaluation, wake schedule) (next Next, due time.Duration) {
	next = Next{State: r.State(), Requester: a.personLabel(r.Requester.ID, r.Requester.Email), Settled: true, Details: a.details(r)}
	next.Until = until(r)
	busy := time.Duration(0)
	for _, i := range r.Items {
		next.Applications = append(next.Applications, i.ApplicationSlug)
		step := Step{Label: i.ApplicationName + " / " + i.Name}
		switch {
		case i.Claim != nil && i.Claim.NeedsRevoking(r.ReadAt):
			step.ID = i.Claim.ID
			next.RevokeAccess = append(next.RevokeAccess, step)
			next.Settled = false
			busy = shorter(busy, dueAfterRevoking)
		case i.State == schema.Provisioning && i.Claim != nil && i.Claim.CheckAt.Time.After(r.ReadAt):
			next.Settled = false
			wake.at(i.Claim.CheckAt.Time, "looks whether it is granted by now")
			if i.Claim.EndsAt.Valid {
				wake.at(i.Claim.EndsAt.Time, "access ends")
			}
		case i.State == schema.Approved, i.State == schema.Provisioning:
			step.ID = i.ID
			next.Grant = append(next.Grant, step)
			next.Settled = false
			if end := r.EndOf(i); end.Valid {
				wake.at(end.Time, "its end: it is not granted any more")
			}
			if i.Problem.Code.OfTarget() {
				busy = shorter(busy, lookAfterTarget)
			} else {
				busy = shorter(busy, dueAfterGranting)
			}
		case i.State == schema.AwaitingApproval:
			next.Settled = false
			wake.at(a.expires(r, evaluated.Rule(i)), "expires if no one decides")
			if end := r.EndOf(i); end.Valid {
				wake.at(end.Time, "expires: the end that was asked for or granted")
			}
			if slices.Contains(unasked, i.ID) {
				wake.at(r.ReadAt.Add(lookForApprovers), "looks again for someone to ask")
			}
		case i.State == schema.Active && i.Claim != nil && i.Claim.EndsAt.Valid:
			next.Settled = false
			wake.at(i.Claim.EndsAt.Time, "access ends")
		}
	}
	for _, e := range endings(r) {
		if e.notice.After(r.ReadAt) {
			wake.at(e.notice, "notification before the end")
		}
	}
	open := false
	for _, approval := range r.Approvals {
		if approval.State != "open" {
			continue
		}
		open = true
		for _, c := range approval.Candidates {
			next.Approvers = append(next.Approvers, a.personLabel(c.PersonID, c.Email))
		}
		if hasUnasked(approval) {
			wake.at(approval.OpenedAt.Add(approval.RemindAfter()), "asks the other approvers")
		}
	}
	if open && !evaluated.Changes.IsZero() {
		wake.at(evaluated.Changes, "someone who decides goes away or comes back")
	}
	slices.Sort(next.Applications)
	next.Applications = slices.Compact(next.Applications)
	slices.Sort(next.Approvers)
	next.Approvers = slices.Compact(next.Approvers)

	if !wake.when.IsZero() {
		// Rounded up: a timer that fires early would only spin.
		wait := max(wake.when.Sub(r.ReadAt)+time.Second-1, time.Second).Truncate(time.Second)
		next.DueIn, next.DueFor = int64(wait/time.Second), wake.what+" "+wake.when.UTC().Format("2006-01-02 15:04 MST")
		due = wait
	}
	return next, shorter(due, busy)
}

// until is the last end of anything in the request; zero: something of it is permanent.
func until(r *schema.Request) (last time.Time) {
	for _, i := range r.Items {
		end := r.EndOf(i)
		if !end.Valid {
			return time.Time{}
		}
		if end.Time.After(last) {
			last = end.Time.UTC()
		}
	}
	return last
}

// schedule keeps the earliest of the instants that it is told.
type schedule struct {
	when time.Time
	what string
}

func (s *schedule) at(when time.Time, what string) {
	if s.when.IsZero() || when.Before(s.when) {
		s.when, s.what = when, what
	}
}

// shorter is the lesser of two durations, where zero means none.
func shorter(a, b time.Duration) time.Duration {
	if a == 0 || (b != 0 && b < a) {
		return b
	}
	return a
}

func (a *Activities) personLabel(id int64, email string) string {
	if a.Options.ShowPeople {
		return email
	}
	return fmt.Sprintf("p%d", id)
}

// details is the request for those who read runs: a line an item. Never a reason, a note or a secret.
func (a *Activities) details(r *schema.Request) string {
	var b strings.Builder
	for _, i := range r.Items {
		fmt.Fprintf(&b, "- %s / %s: **%s**", plain(i.ApplicationName), plain(i.Name), strings.ReplaceAll(i.State, "_", " "))
		if words := views.ProblemForRuns(i); words != "" {
			b.WriteString(", " + plain(words))
		}
		if approval, ok := r.OpenApproval(i); ok && i.Waiting() {
			fmt.Fprintf(&b, ", stage %d of %d, %d of %d agreed", approval.Stage, approval.Stages, len(i.ApprovedIn(approval.Stage)), approval.RequiredApprovals)
		}
		for _, d := range i.Decisions {
			who := "the policy"
			switch {
			case d.DecidedBy.Valid && a.Options.ShowPeople:
				who = plain(d.DeciderName)
			case d.DecidedBy.Valid:
				who = fmt.Sprintf("p%d", d.DecidedBy.Int64)
			}
			fmt.Fprintf(&b, ", %s by %s (%s)", map[bool]string{true: "approved", false: "denied"}[d.Approves()], who, plain(d.Basis))
		}
		b.WriteString("\n")
		if b.Len() > 15_000 { // current details hold 20 KB
			b.WriteString("- and more\n")
			break
		}
	}
	return b.String()
}

// plain keeps names from being read as Markdown.
func plain(s string) string {
	return strings.NewReplacer("*", "\\*", "_", "\\_", "`", "\\`", "[", "\\[", "<", "\\<", "\n", " ").Replace(s)
}
