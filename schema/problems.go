package schema

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
)

// ProblemCode says why an item cannot proceed. slackapp/views has the texts.
type ProblemCode string

// Problems of an item that waits for approval.
const (
	NoProblem  ProblemCode = ""
	NoApprover ProblemCode = "no_approver"
)

// Problems of an approved item that is tried again.
const (
	TargetUnavailable  ProblemCode = "target_unavailable"
	TargetRateLimited  ProblemCode = "target_rate_limited"
	TargetDenied       ProblemCode = "target_denied"        // bad credentials or configuration
	TargetNotAsWanted  ProblemCode = "target_not_as_wanted" // it reported success, and does not show the access
	AccountDenied      ProblemCode = "account_denied"       // there is no account Name, and the connector may not create one
	AccountNotReady    ProblemCode = "account_not_ready"    // the account Name is not created or not shown yet
	WaitsForManualTask ProblemCode = "manual_task"          // People are the owners who are asked
	WaitsForInvitation ProblemCode = "invitation"           // the requester must accept it
	WaitsForTarget     ProblemCode = "target_pending"       // WaitsFor, if the target says for what
)

// Problems of an approved item that could not be set up.
const (
	ObjectGone     ProblemCode = "object_gone"        // Name is the target's name for it
	AccountGone    ProblemCode = "account_gone"       // there is no account Name, and the target creates none
	AccountRefused ProblemCode = "account_refused"    // there is no account Name, and Reason says why it cannot be created
	TargetRefused  ProblemCode = "target_refused"     // Name, and the connector's Reason
	OwnerRefused   ProblemCode = "owner_refused"      // Reason is the owner's
	WaitedTooLong  ProblemCode = "waited_too_long"    // Cause says for what
	NotSetUpInTime ProblemCode = "not_set_up_in_time" // Cause says for what
	EndPassed      ProblemCode = "end_passed"         // Cause is what it waited for
)

// Problems of an item without proof.
const (
	NotApproved          ProblemCode = "not_approved"
	RequestChanged       ProblemCode = "request_changed"
	RequesterInactive    ProblemCode = "requester_inactive"
	NotRequestable       ProblemCode = "not_requestable"
	AccountOfOtherPerson ProblemCode = "account_of_other_person"
	AccountElsewhere     ProblemCode = "account_elsewhere"
	RuleUnknown          ProblemCode = "rule_unknown"
	ApprovedByRequester  ProblemCode = "approved_by_requester"
	ApprovedBySubmitter  ProblemCode = "approved_by_submitter"
	OtherPolicyVersion   ProblemCode = "other_policy_version"
	NoApprovalAsked      ProblemCode = "no_approval_asked"
	ApproverNotAsked     ProblemCode = "approver_not_asked"
	ApprovalsMissing     ProblemCode = "approvals_missing"
	StageNotAsked        ProblemCode = "stage_not_asked"
	PolicyChanged        ProblemCode = "policy_changed"
)

// ProblemCodes are all codes except NoProblem.
var ProblemCodes = []ProblemCode{NoApprover,
	TargetUnavailable, TargetRateLimited, TargetDenied, TargetNotAsWanted, AccountDenied, AccountNotReady,
	WaitsForManualTask, WaitsForInvitation, WaitsForTarget,
	ObjectGone, AccountGone, AccountRefused, TargetRefused, OwnerRefused, WaitedTooLong, NotSetUpInTime, EndPassed,
	NotApproved, RequestChanged, RequesterInactive, NotRequestable, AccountOfOtherPerson, AccountElsewhere,
	RuleUnknown, ApprovedByRequester, ApprovedBySubmitter, OtherPolicyVersion, NoApprovalAsked, ApproverNotAsked,
	ApprovalsMissing, StageNotAsked, PolicyChanged}

// targetProblems are those of a target that is down, limits its rate or denies us: provisioning waits for it.
var targetProblems = []ProblemCode{
	TargetUnavailable, TargetRateLimited, TargetDenied, TargetNotAsWanted, AccountDenied, AccountNotReady}

// OfTarget reports whether provisioning waits for the target.
func (c ProblemCode) OfTarget() bool { return slices.Contains(targetProblems, c) }

// targetProblem is the same as a condition on item i. It repeats the condition of the partial index.
var targetProblem = `i.state in ('approved', 'provisioning')
	and i.problem in ('` + strings.Join(words(targetProblems), `', '`) + `')`

// waitsForTarget is targetProblem of an item without a claim that is over.
var waitsForTarget = targetProblem + `
	and not exists (select from claims c where c.item_id = i.id and not is_live(c))`

func words(codes []ProblemCode) []string {
	words := make([]string, len(codes))
	for i, c := range codes {
		words[i] = string(c)
	}
	return words
}

// Problem is a code with its details.
type Problem struct {
	Code    ProblemCode    `db:"code"`
	Details ProblemDetails `db:"details"`
	Since   sql.NullTime   `db:"since"` // when the first problem of this kind without a break began
}

// ProblemDetails vary by code: see the comments of the codes.
type ProblemDetails struct { //nolint:recvcheck // database/sql scans into a pointer and stores a value
	Name     string      `json:"name,omitempty"`
	Reason   string      `json:"reason,omitempty"`
	People   []string    `json:"people,omitempty"`
	WaitsFor string      `json:"waits_for,omitempty"`
	Cause    ProblemCode `json:"cause,omitempty"`
}

// Scan implements sql.Scanner.
func (d *ProblemDetails) Scan(stored any) error {
	text, ok := stored.([]byte)
	if !ok {
		return fmt.Errorf("read the details of a problem from %T", stored)
	}
	*d = ProblemDetails{}
	return json.Unmarshal(text, d)
}

// Value implements driver.Valuer.
func (d ProblemDetails) Value() (driver.Value, error) {
	text, err := json.Marshal(d)
	return string(text), err
}

// Became returns the final problem of an item, with this one as its cause.
func (p Problem) Became(code ProblemCode) Problem {
	details := p.Details
	details.Cause = p.Code
	return Problem{Code: code, Details: details}
}

// NoteProblem records why an approved item cannot be set up now. A problem of its target that has lasted for tellAfter opens an
// outage notification for the application, unless one is open. It returns whether this call opened it.
func (db *DB) NoteProblem(ctx context.Context, itemID int64, p Problem, tellAfter time.Duration) (opened bool, err error) {
	err = db.InTx(ctx, func(tx *sqlx.Tx) error {
		// The request before its item: the order of every transaction that locks both.
		_, err := tx.ExecContext(ctx, `
			update access_requests set messages_due_at = app_now()
			 where id = (select request_id from request_items where id = $1 and state in ('approved', 'provisioning')
			                and (problem, problem_details) is distinct from ($2, $3::jsonb))`, itemID, p.Code, p.Details)
		if err != nil {
			return fmt.Errorf("record the problem of item %d: %w", itemID, err)
		}
		_, err = tx.ExecContext(ctx, `
			update request_items set `+setProblem+`
			 where id = $1 and state in ('approved', 'provisioning') and (problem, problem_details) is distinct from ($2, $3::jsonb)`,
			itemID, p.Code, p.Details, pq.Array(targetProblems))
		if err != nil {
			return fmt.Errorf("record the problem of item %d: %w", itemID, err)
		}
		opened, err = openOutage(ctx, tx, itemID, tellAfter)
		return err
	})
	return opened, err
}

// setProblem sets a problem to $2 with the details $3. $4 are targetProblems, which count as one kind.
const setProblem = `problem = $2, problem_details = $3,
			       problem_since = case when $2 = '' then null
			                            when problem <> '' and (problem = any($4)) = ($2 = any($4)) then problem_since
			                            else app_now() end`

// openOutage opens the outage notification of an item's application, and audits an alert, once the item has waited for tellAfter.
func openOutage(ctx context.Context, tx *sqlx.Tx, itemID int64, tellAfter time.Duration) (opened bool, err error) {
	var outage struct {
		RequestID   int64       `db:"request_id"`
		Application string      `db:"slug"`
		Problem     ProblemCode `db:"problem"`
	}
	err = tx.GetContext(ctx, &outage, `
		with opened as (
		    insert into notifications (kind, application_id)
		    select 'outage', e.application_id
		      from request_items i join entitlements e on e.id = i.entitlement_id
		     where i.id = $1 and `+targetProblem+` and i.problem_since <= app_now() - $2 * interval '1 second'
		        on conflict (application_id) where kind = 'outage' and closed_at is null do nothing
		    returning application_id)
		select i.request_id, a.slug, i.problem
		  from opened o join applications a on a.id = o.application_id cross join request_items i
		 where i.id = $1`, itemID, tellAfter.Seconds())
	if err = mapError(err); err == ErrNotFound { //nolint:errorlint // mapError returns it as it is
		return false, nil
	} else if err != nil {
		return false, fmt.Errorf("open an outage for item %d: %w", itemID, err)
	}
	return true, Audit(ctx, tx, Event{Actor: "worker", Action: ProvisioningDelayed, Alert: true,
		RequestID: outage.RequestID, ItemID: itemID,
		Details: map[string]any{"application": outage.Application, "problem": outage.Problem}})
}

// Outage is the approved access that waits for an application's target.
type Outage struct {
	NoticeID        int64        `db:"id"`
	ApplicationName string       `db:"application_name"`
	OpenedAt        time.Time    `db:"opened_at"`
	ClosedAt        sql.NullTime `db:"closed_at"`
	Waiting         []OutageLine `db:"-"` // the longest waiting first
	Total           int          `db:"-"` // requests
}

// OutageLine is a request with items that wait.
type OutageLine struct {
	RequestID     int64          `db:"request_id"`
	RequesterName string         `db:"requester_name"`
	Names         pq.StringArray `db:"names"`
	Problem       Problem        `db:"problem"` // the oldest
	Total         int            `db:"total"`
}

// OutageOf returns the content of a notification, with at most limit requests.
func OutageOf(ctx context.Context, q Queryer, notificationID int64, limit int) (o Outage, err error) {
	err = q.GetContext(ctx, &o, `
		select n.id, a.name as application_name, n.opened_at, n.closed_at
		  from notifications n join applications a on a.id = n.application_id where n.id = $1`, notificationID)
	if err == nil {
		err = q.SelectContext(ctx, &o.Waiting, `
			select w.request_id, p.name as requester_name, w.names, count(*) over () as total,
			       w.problem as "problem.code", w.details as "problem.details", w.since as "problem.since"
			  from (select i.request_id, min(i.problem_since) as since,
			               array_agg(e.name order by lower(e.name), i.id) as names,
			               (array_agg(i.problem order by i.problem_since, i.id))[1] as problem,
			               (array_agg(i.problem_details order by i.problem_since, i.id))[1] as details
			          from notifications n
			          join entitlements e on e.application_id = n.application_id
			          join request_items i on i.entitlement_id = e.id and `+waitsForTarget+`
			         where n.id = $1
			         group by i.request_id) w
			  join access_requests r on r.id = w.request_id
			  join people p on p.id = r.requester_id
			 order by w.since, w.request_id limit $2`, notificationID, limit)
	}
	if err != nil {
		return o, fmt.Errorf("read the outage of notification %d: %w", notificationID, mapError(err))
	}
	if len(o.Waiting) > 0 {
		o.Total = o.Waiting[0].Total
	}
	return o, nil
}

// CloseOutage closes a notification once nothing waits any longer.
func CloseOutage(ctx context.Context, q Queryer, notificationID int64) error {
	_, err := q.ExecContext(ctx, `
		with closed as (
		    update notifications n set closed_at = app_now()
		     where n.id = $1 and n.kind = 'outage' and n.closed_at is null
		       and not exists (select from entitlements e join request_items i on i.entitlement_id = e.id and `+waitsForTarget+`
		                        where e.application_id = n.application_id)
		    returning n.application_id)
		insert into audit_events (actor, action, details)
		select 'worker', $2, jsonb_build_object('application', a.slug)
		  from closed c join applications a on a.id = c.application_id`, notificationID, ProvisioningRestored)
	if err != nil {
		return fmt.Errorf("close notification %d: %w", notificationID, err)
	}
	return nil
}

// markOutagesDue makes the open outage notification of an entitlement's application due.
func markOutagesDue(ctx context.Context, q Queryer, entitlementID int64) error {
	_, err := q.ExecContext(ctx, `
		update notifications set messages_due_at = app_now()
		 where kind = 'outage' and closed_at is null
		   and application_id = (select application_id from entitlements where id = $1)`, entitlementID)
	return err
}

// OrderRetry records that an administrator orders a new attempt for the items of a request that wait for their targets. It
// returns ErrNotAllowed, or ErrNotOpen if none does. Then only the attempt is recorded, in the audit.
func (db *DB) OrderRetry(ctx context.Context, requestID, personID int64) error {
	err := db.InTx(ctx, func(tx *sqlx.Tx) error {
		_, err := tx.ExecContext(ctx, `insert into retry_orders (request_id, person_id) values ($1, $2)`, requestID, personID)
		if err != nil {
			return fmt.Errorf("order a new attempt for request %d: %w", requestID, mapError(err))
		}
		return Audit(ctx, tx, Event{Actor: "person", PersonID: personID, Action: RetryOrdered, RequestID: requestID})
	})
	if err == nil || !isRefused(err) {
		return err
	}
	auditErr := Audit(ctx, db, Event{Actor: "slackapp", PersonID: personID, Action: RetryRefused, Alert: true, RequestID: requestID,
		Details: map[string]any{"why": err.Error()}})
	if auditErr != nil {
		return fmt.Errorf("%w; not audited: %w", err, auditErr)
	}
	return err
}

// NewestRetry returns the newest order for a request; 0: none.
func NewestRetry(ctx context.Context, q Queryer, requestID int64) (id int64, err error) {
	err = q.GetContext(ctx, &id, `select coalesce(max(id), 0) from retry_orders where request_id = $1`, requestID)
	if err != nil {
		return 0, fmt.Errorf("find the newest retry order of request %d: %w", requestID, err)
	}
	return id, nil
}

// Granting is the state of provisioning an item.
type Granting struct {
	Over      bool    `db:"over"`       // nothing may be granted any longer
	Temporary bool    `db:"temporary"`  // with an end
	Approved  float64 `db:"approved"`   // seconds since it was approved
	Rule      int     `db:"rule"`       // of the item
	Version   int64   `db:"policy"`     // of the policy
	Problem   Problem `db:"problem"`    // of the last attempt
	RequestID int64   `db:"request_id"` // of the item
}

// GrantingOf reads it.
func GrantingOf(ctx context.Context, q Queryer, itemID int64) (g Granting, err error) {
	err = q.GetContext(ctx, &g, `
		select i.request_id, i.rule, r.policy_version as policy, d.ends_at is not null as temporary,
		       coalesce(extract(epoch from app_now() - d.at), 0)::float8 as approved,
		       i.problem as "problem.code", i.problem_details as "problem.details", i.problem_since as "problem.since",
		       i.state not in ('approved', 'provisioning') or coalesce(d.ends_at <= app_now(), false)
		       or exists (select from stop_orders x where x.item_id = i.id)
		       or exists (select from claims c where c.item_id = i.id and c.ended_at is not null) as over
		  from request_items i
		  join access_requests r on r.id = i.request_id
		 cross join lateral (
		       select least(min(d.ends_at), r.ends_at) as ends_at, max(d.decided_at) as at from decisions d where d.item_id = i.id) d
		 where i.id = $1`, itemID)
	if err != nil {
		return g, fmt.Errorf("item %d: %w", itemID, mapError(err))
	}
	return g, nil
}
