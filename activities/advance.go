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
	"accessbot/schema/words"
)

// AdvanceInput names a request, and says whether its run was cancelled.
type AdvanceInput struct {
	RequestID int64
	Cancelled bool
	// Signals are those that the run received. They prove nothing: one without a record raises an alert.
	Signals []Signal
}

// Next holds a run's next steps, and the time of the next call of Advance. Operators see it in Temporal's Web UI.
type Next struct {
	State        string    // of the request: that of the item with the most left to do
	Counts       Counts    // of what has come of the items
	Requester    string    // a name, or p<id>
	Applications []string  // slugs, sorted
	Approvers    []string  // of open approvals: e-mail addresses, or p<id>, sorted
	Waiting      bool      // an item waits for a decision
	Until        time.Time // the request's end; zero: permanent
	Grant        []Step    // items to provision
	Retry        int64     // ID of the newest "Retry now" by an administrator; 0: none
	Revoke       []Step    // claims to de-provision
	DueIn        int64     // seconds until something is due; 0: nothing is
	DueFor       string    // what is due then, as the timer's summary
	Complete     bool      // nothing is left for this run
	MessagesDue  bool      // messages differ from the database
	MessagesFor  string    // what syncing them does, as the summary of that activity
	Details      string    // one Markdown line per item
}

// Counts are how many of a request's items were granted, and how many have come to an end that is not their end date. An item
// that was granted and revoked counts twice.
type Counts struct {
	Granted   int `json:"granted,omitempty"` // the target showed the access
	Denied    int `json:"denied,omitempty"`
	Withdrawn int `json:"withdrawn,omitempty"`
	Expired   int `json:"expired,omitempty"`
	Failed    int `json:"failed,omitempty"`
	Revoked   int `json:"revoked,omitempty"`
}

// Step is one item to provision, or one claim to de-provision.
type Step struct {
	ID    int64  // of the item, or of the claim
	Label string // application and entitlement
}

// The sweep signals a busy run after these. A target can be down for days, and each signal adds events to the history.
const (
	dueAfterGranting = 10 * time.Minute
	dueAfterOutage   = time.Hour // where the item waits for its target
	dueAfterRevoking = time.Hour
)

// retryApproversAfter is when an item without an approver is evaluated again.
const retryApproversAfter = time.Hour

// Advance moves a request on in one short transaction: it opens and closes approvals, moves items to the states that were
// decided, and returns the next steps. It is safe to call at any time, any number of times.
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
		if err := auditSignals(ctx, tx, request, in.Signals); err != nil {
			return err
		}
		next, err = a.advance(ctx, tx, request)
		return err
	})
	if isNotFound(err) {
		text := fmt.Sprintf("request %d does not exist", in.RequestID)
		return Next{}, temporal.NewNonRetryableApplicationError(text, "NoSuchRequest", err)
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
	if err := auditWrongRule(ctx, tx, r, evaluated); err != nil {
		return Next{}, err
	}
	changed, err := a.moveOn(ctx, tx, r, evaluated)
	if err != nil {
		return Next{}, err
	}
	failed, err := failPastEnd(ctx, tx, r)
	if err != nil {
		return Next{}, err
	}
	changed = changed || failed
	asked, withoutApprover, err := a.ask(ctx, tx, r, evaluated)
	if err != nil {
		return Next{}, err
	}
	if changed || asked {
		if r, err = schema.RequestByID(ctx, tx, r.ID); err != nil {
			return Next{}, err
		}
	}
	reminded, timer, err := a.remind(ctx, tx, r, evaluated)
	if err != nil {
		return Next{}, err
	}
	next, due := a.next(r, withoutApprover, evaluated, timer)
	if next.Retry, err = schema.NewestRetry(ctx, tx, r.ID); err != nil {
		return Next{}, err
	}
	notificationDue := slices.ContainsFunc(r.Endings(), func(e schema.Ending) bool { return !e.NotifyAt.After(r.ReadAt) })
	if err := schema.SetDue(ctx, tx, r.ID, due, next.Complete, changed || asked || notificationDue); err != nil {
		return Next{}, err
	}
	next.MessagesDue = changed || asked || reminded || notificationDue || r.MessagesDueAt.Valid
	return next, nil
}

// auditWrongRule raises an alert for items whose recorded rule is not the one that the policy evaluates to. No trigger can check
// that, and the Slack app's role can write any rule.
func auditWrongRule(ctx context.Context, tx *sqlx.Tx, r *schema.Request, evaluated schema.Evaluation) error {
	if !slices.ContainsFunc(r.Items, func(i schema.Item) bool { return i.State == schema.Submitted }) {
		return nil
	}
	items, err := evaluated.EvaluatedOtherwise(ctx, tx, r.ID)
	if err != nil || len(items) == 0 {
		return err
	}
	return schema.Audit(
		ctx,
		tx,
		schema.Event{
			Actor:     "worker",
			Action:    schema.EvaluationMismatched,
			RequestID: r.ID,
			Alert:     true,
			Details:   map[string]any{"items": items},
		},
	)
}

// movedTo are the events of the states that items move on to.
var movedTo = map[string]schema.AuditAction{
	schema.AwaitingApproval: schema.ItemRouted,
	schema.Approved:         schema.ItemApproved,
	schema.Denied:           schema.ItemDenied,
	schema.Withdrawn:        schema.ItemWithdrawn,
	schema.Expired:          schema.ItemExpired,
}

// moveOn moves every item to its decided state, in one statement per state.
func (a *Activities) moveOn(
	ctx context.Context,
	tx *sqlx.Tx,
	r *schema.Request,
	evaluated schema.Evaluation,
) (changed bool, err error) {
	moved := map[string][]int64{}
	for i, item := range r.Items {
		if to := a.decidedState(r, item, evaluated); to != item.State {
			moved[to] = append(moved[to], item.ID)
			r.Items[i].State = to
		}
	}
	for to, ids := range moved {
		if err := schema.MoveItems(ctx, tx, ids, to, schema.Problem{}); err != nil {
			return false, err
		}
		err := schema.Audit(
			ctx,
			tx,
			schema.Event{Actor: "worker", Action: movedTo[to], RequestID: r.ID, Details: map[string]any{"items": ids}},
		)
		if err != nil {
			return false, err
		}
	}
	return len(moved) > 0, nil
}

// failPastEnd fails approved items whose end passed before anything was granted in their target.
func failPastEnd(ctx context.Context, tx *sqlx.Tx, r *schema.Request) (failed bool, err error) {
	for _, item := range r.Items {
		if end := r.EndOf(item); item.State != schema.Approved || !end.Valid || end.Time.After(r.ReadAt) {
			continue
		}
		if err := schema.FailedItem(ctx, tx, r.ID, item.ID, item.Problem.Became(schema.EndPassed)); err != nil {
			return false, err
		}
		failed = true
	}
	return failed, nil
}

// decidedState returns the state of an item by what is recorded, before anything is done in a target.
func (a *Activities) decidedState(r *schema.Request, item schema.Item, evaluated schema.Evaluation) string {
	end := r.EndOf(item)
	past := end.Valid && !end.Time.After(r.ReadAt)
	switch item.State {
	case schema.Submitted, schema.AwaitingApproval:
		switch {
		case item.StopOrder != nil:
			return schema.Withdrawn
		case item.Decision != nil && !item.Decision.Approves():
			return schema.Denied
		case item.Decision != nil:
			return schema.Approved // if its end has passed: see failPastEnd
		case past:
			return schema.Expired
		case !expiresAt(r, evaluated.Rule(item)).After(r.ReadAt):
			return schema.Expired
		default:
			return schema.AwaitingApproval
		}
	case schema.Approved:
		if item.StopOrder != nil {
			return schema.Withdrawn
		}
	}
	return item.State
}

// next returns the next steps, and in how long the sweep signals the run. The run's timer fires at timer or earlier.
func (a *Activities) next(r *schema.Request, withoutApprover []int64, evaluated schema.Evaluation, timer schedule,
) (next Next, due time.Duration) {
	next = Next{State: r.State(), Counts: counts(r), Requester: a.personName(r.Requester.ID, r.Requester.Name), Until: until(r),
		MessagesFor: a.messagesFor(r), Details: a.details(r), Complete: true}
	busy := time.Duration(0)
	for _, item := range r.Items {
		next.Applications = append(next.Applications, item.ApplicationSlug)
		step := Step{Label: item.ApplicationName + " / " + item.Name}
		switch {
		case item.Claim != nil && item.Claim.NeedsRevoking():
			step.ID = item.Claim.ID
			next.Revoke = append(next.Revoke, step)
			next.Complete = false
			busy = shorter(busy, dueAfterRevoking)
		case item.State == schema.Provisioning && item.Claim != nil && item.Claim.CheckAt.Time.After(r.ReadAt):
			next.Complete = false
			timer.at(item.Claim.CheckAt.Time, "Check pending access at")
			if item.Claim.EndsAt.Valid {
				timer.at(item.Claim.EndsAt.Time, sleepUntilEnd)
			}
		case item.State == schema.Approved, item.State == schema.Provisioning:
			step.ID = item.ID
			next.Grant = append(next.Grant, step)
			next.Complete = false
			if end := r.EndOf(item); end.Valid {
				timer.at(end.Time, "Stop provisioning at")
			}
			if item.Problem.Code.OfTarget() {
				busy = shorter(busy, dueAfterOutage)
			} else {
				busy = shorter(busy, dueAfterGranting)
			}
		case item.State == schema.AwaitingApproval:
			next.Complete, next.Waiting = false, true
			timer.at(expiresAt(r, evaluated.Rule(item)), "Expire without a decision at")
			if end := r.EndOf(item); end.Valid {
				timer.at(end.Time, "Expire at the requested end")
			}
			if slices.Contains(withoutApprover, item.ID) {
				timer.at(r.ReadAt.Add(retryApproversAfter), "Look for approvers at")
			}
		case item.State == schema.Active && item.Claim != nil && item.Claim.EndsAt.Valid:
			next.Complete = false
			timer.at(item.Claim.EndsAt.Time, sleepUntilEnd)
		}
	}
	for _, e := range r.Endings() {
		if e.NotifyAt.After(r.ReadAt) {
			timer.at(e.NotifyAt, "Notify before access ends at")
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
			timer.at(approval.OpenedAt.Add(approval.RemindAfter()), "Ask other approvers at")
		}
	}
	if open && !evaluated.Changes.IsZero() {
		timer.at(evaluated.Changes, "Update approvers for a delegation at")
	}
	slices.Sort(next.Applications)
	next.Applications = slices.Compact(next.Applications)
	slices.Sort(next.Approvers)
	next.Approvers = slices.Compact(next.Approvers)

	if !timer.when.IsZero() {
		// Rounded up: a timer that fires early would only fire again.
		wait := max(timer.when.Sub(r.ReadAt)+time.Second-1, time.Second).Truncate(time.Second)
		next.DueIn, next.DueFor = int64(wait/time.Second), timer.summary+" "+timer.when.UTC().Format("2006-01-02 15:04 MST")
		due = wait
	}
	return next, shorter(due, busy)
}

// counts counts what has come of the request's items.
func counts(r *schema.Request) (c Counts) {
	for _, item := range r.Items {
		if item.Claim != nil && item.Claim.GrantedAt.Valid {
			c.Granted++
		}
		switch item.State {
		case schema.Denied:
			c.Denied++
		case schema.Withdrawn:
			c.Withdrawn++
		case schema.Expired:
			c.Expired++
		case schema.Failed:
			c.Failed++
		case schema.Revoked:
			c.Revoked++
		}
	}
	return c
}

// messagesFor says what syncing the request's messages does: it asks approvers who have no message yet, or shows the state.
func (a *Activities) messagesFor(r *schema.Request) string {
	var asked []string
	for _, approval := range r.Approvals {
		for _, c := range approval.Candidates {
			name := a.personName(c.PersonID, c.Name)
			if approval.State == "open" && c.AskedAt.Valid && !c.Sent && !slices.Contains(asked, name) {
				asked = append(asked, name)
			}
		}
	}
	if len(asked) > 0 {
		return "Ask approvers: " + strings.Join(asked, ", ")
	}
	return "Sync Slack messages: " + words.State(r.State())
}

// until returns the last end of the request's items; zero: one of them is permanent.
func until(r *schema.Request) (last time.Time) {
	for _, item := range r.Items {
		end := r.EndOf(item)
		if !end.Valid {
			return time.Time{}
		}
		if end.Time.After(last) {
			last = end.Time.UTC()
		}
	}
	return last
}

// sleepUntilEnd is the summary of a run's longest timer. The time follows, as for every schedule.
const sleepUntilEnd = "Sleep until access ends"

// schedule keeps the earliest of several times, and what is done then. Its summary ends where the time follows.
type schedule struct {
	when    time.Time
	summary string
}

func (s *schedule) at(when time.Time, summary string) {
	if s.when.IsZero() || when.Before(s.when) {
		s.when, s.summary = when, summary
	}
}

// shorter returns the shorter of two durations, where zero means none.
func shorter(a, b time.Duration) time.Duration {
	if a == 0 || (b != 0 && b < a) {
		return b
	}
	return a
}

// personLabel identifies a person in search attributes.
func (a *Activities) personLabel(id int64, email string) string {
	if a.Options.ShowPeople {
		return email
	}
	return fmt.Sprintf("p%d", id)
}

// personName names a person in summaries, where people read it.
func (a *Activities) personName(id int64, name string) string {
	if a.Options.ShowPeople {
		return name
	}
	return fmt.Sprintf("p%d", id)
}

// details describes the request to operators, one line per item. It never contains a reason, a note or a secret.
func (a *Activities) details(r *schema.Request) string {
	var b strings.Builder
	for _, item := range r.Items {
		fmt.Fprintf(&b, "- %s / %s: **%s**", plain(item.ApplicationName), plain(item.Name), words.State(item.State))
		if problem := words.ProblemForRuns(item); problem != "" {
			b.WriteString(", " + plain(problem))
		}
		if approval, ok := r.OpenApproval(item); ok && item.Waiting() {
			fmt.Fprintf(&b, ", stage %d of %d: %d of %d approvals", approval.Stage, approval.Stages,
				len(item.ApprovedIn(approval.Stage)), approval.RequiredApprovals)
		}
		for _, d := range item.Decisions {
			decider, outcome := "policy", "denied"
			switch {
			case d.DecidedBy.Valid && a.Options.ShowPeople:
				decider = plain(d.DeciderName)
			case d.DecidedBy.Valid:
				decider = fmt.Sprintf("p%d", d.DecidedBy.Int64)
			}
			if d.Approves() {
				outcome = "approved"
			}
			fmt.Fprintf(&b, ", %s by %s (%s)", outcome, decider, plain(d.Basis))
		}
		b.WriteString("\n")
		if b.Len() > 15_000 { // current details hold 20 KB
			b.WriteString("- and more\n")
			break
		}
	}
	return b.String()
}

// plain escapes Markdown in names.
func plain(s string) string {
	return strings.NewReplacer("*", "\\*", "_", "\\_", "`", "\\`", "[", "\\[", "<", "\\<", "\n", " ").Replace(s)
}
