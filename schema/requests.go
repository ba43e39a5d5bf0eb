package schema

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"github.com/lib/pq"
)

// Request is one access request with everything about it.
type Request struct {
	ID            int64         `db:"id"` // the number shown to people
	RequesterID   int64         `db:"requester_id"`
	SubmittedBy   sql.NullInt64 `db:"submitted_by"` // null: the requester
	SubmitterName string        `db:"submitter_name"`
	Requesters    pq.Int64Array `db:"requesters"`  // the requester, and the submitter: see the SQL function requesters
	AccessLike    string        `db:"access_like"` // person, job_title or custom
	LikeName      string        `db:"like_name"`   // of the person or job title; empty: custom
	EndsAt        sql.NullTime  `db:"ends_at"`     // null: permanent
	EndsOn        sql.NullTime  `db:"ends_on"`     // set if the end was chosen without a time: shown as a date
	TimeZone      string        `db:"time_zone"`
	ReasonLabel   string        `db:"reason_label"`
	Note          string        `db:"note"`
	CreatedAt     time.Time     `db:"created_at"`
	CompletedAt   sql.NullTime  `db:"completed_at"`
	MessagesDueAt sql.NullTime  `db:"messages_due_at"`
	PolicyVersion int64         `db:"policy_version"` // that evaluated it
	Terms         string        `db:"terms"`          // see the SQL function request_terms
	ReadAt        time.Time     `db:"read_at"`        // the database's clock
	// AdministratorNotified says that an administrator was sent a message about items without an approver.
	AdministratorNotified bool `db:"administrator_told"`

	Requester Person     `db:"-"`
	Items     []Item     `db:"-"` // by application, then name
	Approvals []Approval `db:"-"` // oldest first
	Questions []Question `db:"-"` // oldest first
}

// Item is one entitlement within a request.
type Item struct {
	ID              int64     `db:"id"`
	RequestID       int64     `db:"request_id"`
	EntitlementID   int64     `db:"entitlement_id"`
	AccountID       int64     `db:"account_id"`
	ApplicationID   int64     `db:"application_id"`
	ApplicationSlug string    `db:"application_slug"`
	ApplicationName string    `db:"application_name"`
	Name            string    `db:"name"`
	Kind            string    `db:"kind"`
	Description     string    `db:"description"`
	Risk            string    `db:"risk"`
	State           string    `db:"state"`
	StateAt         time.Time `db:"state_at"`
	Problem         Problem   `db:"problem"`
	Rule            int       `db:"rule"`    // in the request's policy version, from 1
	Outcome         string    `db:"outcome"` // approve or deny; empty: still open
	AwaitsDecision  bool      `db:"awaits_decision"`
	Withdrawable    bool      `db:"withdrawable"`

	MaxDays sql.NullInt64 `db:"max_days"` // of the entitlement; null: none
	// Administrators may decide the item for everyone: those asked at the last escalation level, or all if it has no approver.
	// See the SQL function override_candidates.
	Administrators pq.Int64Array `db:"administrators"`

	Decisions []Decision `db:"-"` // oldest first
	Decision  *Decision  `db:"-"` // the one that determines the outcome; nil: still open
	StopOrder *StopOrder `db:"-"` // nil: neither withdrawn nor revoked
	Claim     *Claim     `db:"-"` // nil: none yet
}

// States of an item. Those after active are final.
const (
	Submitted        = "submitted"
	AwaitingApproval = "awaiting_approval"
	Approved         = "approved"
	Provisioning     = "provisioning"
	Active           = "active"
	Ended            = "ended"
	Revoked          = "revoked"
	Denied           = "denied"
	Withdrawn        = "withdrawn"
	Expired          = "expired"
	Failed           = "failed"
)

// Final reports whether nothing can happen to the item any more.
func (i Item) Final() bool {
	switch i.State {
	case Ended, Revoked, Denied, Withdrawn, Expired, Failed:
		return true
	}
	return false
}

// Waiting reports whether the item can still be decided. Its state may lag behind decisions and withdrawals.
func (i Item) Waiting() bool {
	return i.AwaitsDecision
}

// Approval asks a set of candidates about items of one application, in one stage.
type Approval struct {
	ID                int64        `db:"id"`
	ApplicationID     int64        `db:"application_id"`
	Stage             int          `db:"stage"`              // from 1
	Stages            int          `db:"stages"`             // of the rule
	RequiredApprovals int          `db:"required_approvals"` // of the stage
	Level             int          `db:"level"`              // escalation level
	Since             time.Time    `db:"since"`              // when candidates were first asked in this stage
	State             string       `db:"state"`              // open, decided, moved (to other candidates) or closed
	OpenedAt          time.Time    `db:"opened_at"`
	ClosedAt          sql.NullTime `db:"closed_at"`
	RemindedAt        sql.NullTime `db:"reminded_at"`
	RemindSeconds     float64      `db:"remind_seconds"`
	EscalateAt        sql.NullTime `db:"escalate_at"` // null: no further approvers
	ExpiresAt         sql.NullTime `db:"expires_at"`
	ItemIDs           []int64      `db:"-"`
	Candidates        []Candidate  `db:"-"` // in the order in which they are asked
}

// RemindAfter is how long after being asked candidates are reminded.
func (a Approval) RemindAfter() time.Duration {
	return time.Duration(a.RemindSeconds * float64(time.Second))
}

// Candidate answers the person as a candidate; false: they are none.
func (a Approval) Candidate(personID int64) (Candidate, bool) {
	for _, c := range a.Candidates {
		if c.PersonID == personID {
			return c, true
		}
	}
	return Candidate{}, false
}

// Candidate is a person who may decide an approval.
type Candidate struct {
	ApprovalID int64        `db:"approval_id"`
	PersonID   int64        `db:"person_id"`
	Name       string       `db:"name"`
	Email      string       `db:"email"`
	Basis      string       `db:"basis"` // why they may decide: see policy.Basis
	AskedAt    sql.NullTime `db:"asked_at"`
	Sent       bool         `db:"sent"` // an approval message of the request was sent to them
	// OnBehalfOf is the approver on whose behalf a delegate decides; null: no delegate.
	OnBehalfOf    sql.NullInt64 `db:"for_person_id"`
	InPlaceOfName string        `db:"for_name"`
}

// RequestByID answers ErrNotFound if there is none.
func RequestByID(ctx context.Context, q Queryer, id int64) (*Request, error) {
	r := &Request{}
	err := q.GetContext(ctx, r, `
		select r.id, r.requester_id, r.submitted_by, requesters(r) as requesters, coalesce(b.name, '') as submitter_name, r.access_like,
		       coalesce(p.name, t.name, '') as like_name, r.ends_at, r.ends_on, r.time_zone, s.label as reason_label, r.note,
		       r.created_at, r.completed_at, r.messages_due_at, r.policy_version, request_terms(r.id) as terms, app_now() as read_at,
		       exists (select from slack_messages m
		                where m.request_id = r.id and m.kind = 'report' and m.about like '`+AboutNoApprover+`%' and m.ts <> ''
		              ) as administrator_told
		  from access_requests r
		  join reasons s on s.key = r.reason_key
		  left join people b on b.id = r.submitted_by
		  left join people p on p.id = r.like_person_id
		  left join job_titles t on t.id = r.like_job_title_id
		 where r.id = $1`, id)
	if err != nil {
		return nil, fmt.Errorf("request %d: %w", id, mapError(err))
	}
	if r.Requester, err = PersonByID(ctx, q, r.RequesterID); err != nil {
		return nil, fmt.Errorf("read the requester of request %d: %w", id, err)
	}
	if r.Items, err = items(ctx, q, id); err != nil {
		return nil, fmt.Errorf("read the items of request %d: %w", id, err)
	}
	if r.Approvals, err = approvals(ctx, q, id); err != nil {
		return nil, fmt.Errorf("read the approvals of request %d: %w", id, err)
	}
	if r.Questions, err = questions(ctx, q, id); err != nil {
		return nil, fmt.Errorf("read the questions about request %d: %w", id, err)
	}
	return r, nil
}

// AskedFor tells whether the person is the requester or the submitter. Neither may decide the request.
func (r *Request) AskedFor(personID int64) bool {
	return slices.Contains([]int64(r.Requesters), personID)
}

// LockRequest locks the request's row until the end of the transaction, so that decisions, withdrawals, revocations, expiry and
// provisioning exclude each other. Take it after an assignment's lock, and before the audit.
func LockRequest(ctx context.Context, q Queryer, id int64) error {
	_, err := q.ExecContext(ctx, `select lock_request($1)`, id)
	return mapError(err)
}

func items(ctx context.Context, q Queryer, requestID int64) ([]Item, error) {
	var items []Item
	err := q.SelectContext(ctx, &items, `
		select i.id, i.request_id, i.entitlement_id, i.account_id, e.application_id, a.slug as application_slug,
		       a.name as application_name, e.name, e.kind, e.description, e.risk, e.max_days, i.state, i.state_at, i.rule,
		       coalesce(item_outcome(i.id), '') as outcome, awaits_decision(i), may_be_withdrawn(i) as withdrawable,
		       i.problem as "problem.code", i.problem_details as "problem.details", i.problem_since as "problem.since",
		       array(select c.person_id from override_candidates(i.id) c (person_id)) as administrators
		  from request_items i
		  join entitlements e on e.id = i.entitlement_id
		  join applications a on a.id = e.application_id
		 where i.request_id = $1
		 order by lower(a.name), a.id, lower(e.name), i.id`, requestID)
	if err != nil {
		return nil, err
	}
	position := make(map[int64]int, len(items))
	ids := make([]int64, len(items))
	for i, item := range items {
		position[item.ID], ids[i] = i, item.ID
	}
	decisions, err := decisionsAbout(ctx, q, ids)
	if err != nil {
		return nil, err
	}
	for _, d := range decisions {
		item := &items[position[d.ItemID]]
		item.Decisions = append(item.Decisions, d)
	}
	for i := range items {
		items[i].Decision = conclude(items[i].Outcome, items[i].Decisions)
	}
	var orders []StopOrder
	err = q.SelectContext(ctx, &orders, `
		select x.id, x.item_id, x.claim_id, x.person_id, coalesce(p.name, '') as person_name, x.kind, x.reason, x.ordered_at
		  from stop_orders x left join people p on p.id = x.person_id
		 where x.item_id = any($1)`, pq.Array(ids))
	if err != nil {
		return nil, err
	}
	for i := range orders {
		items[position[orders[i].ItemID.Int64]].StopOrder = &orders[i]
	}
	var claims []Claim
	if err := q.SelectContext(ctx, &claims, selectClaim+` where c.item_id = any($1)`, pq.Array(ids)); err != nil {
		return nil, err
	}
	for i := range claims {
		items[position[claims[i].ItemID.Int64]].Claim = &claims[i]
	}
	return items, nil
}

func approvals(ctx context.Context, q Queryer, requestID int64) ([]Approval, error) {
	var approvals []Approval
	err := q.SelectContext(ctx, &approvals, `
		select id, application_id, stage, stages, required_approvals, level, since, state, opened_at, closed_at, reminded_at,
		       extract(epoch from remind_after)::float8 as remind_seconds, escalate_at, expires_at
		  from approvals where request_id = $1 order by id`, requestID)
	if err != nil {
		return nil, err
	}
	position := make(map[int64]int, len(approvals))
	ids := make([]int64, len(approvals))
	for i, a := range approvals {
		position[a.ID], ids[i] = i, a.ID
	}
	var candidates []Candidate
	err = q.SelectContext(ctx, &candidates, `
		select c.approval_id, c.person_id, p.name, p.email, c.basis, c.asked_at, c.for_person_id, coalesce(f.name, '') as for_name,
		       exists (select from slack_messages m
		                where m.request_id = $2 and m.person_id = c.person_id and m.kind = 'approval' and m.ts <> '') as sent
		  from approval_candidates c join people p on p.id = c.person_id
		  left join people f on f.id = c.for_person_id
		 where c.approval_id = any($1) order by c.approval_id, c.position`, pq.Array(ids), requestID)
	if err != nil {
		return nil, err
	}
	for _, c := range candidates {
		a := &approvals[position[c.ApprovalID]]
		a.Candidates = append(a.Candidates, c)
	}
	var links []struct {
		ApprovalID int64 `db:"approval_id"`
		ItemID     int64 `db:"item_id"`
	}
	err = q.SelectContext(ctx, &links, `
		select approval_id, item_id from approval_items where approval_id = any($1) order by approval_id, item_id`, pq.Array(ids))
	if err != nil {
		return nil, err
	}
	for _, l := range links {
		a := &approvals[position[l.ApprovalID]]
		a.ItemIDs = append(a.ItemIDs, l.ItemID)
	}
	return approvals, nil
}

// EndOf is the end of an item: the requested one, or the earliest that its approvers have granted so far.
func (r *Request) EndOf(i Item) sql.NullTime {
	end := r.EndsAt
	for _, d := range i.Decisions {
		if d.Approves() && d.EndsAt.Valid && (!end.Valid || d.EndsAt.Time.Before(end.Time)) {
			end = d.EndsAt
		}
	}
	return end
}

// OpenApproval answers the open approval of the item.
func (r *Request) OpenApproval(i Item) (Approval, bool) {
	stage := i.Stage()
	for _, a := range r.Approvals {
		if a.State == "open" && a.Stage == stage && slices.Contains(a.ItemIDs, i.ID) {
			return a, true
		}
	}
	return Approval{}, false
}

// Sent tells whether an approver of the item was sent an approval message.
func (r *Request) Sent(i Item) bool {
	a, ok := r.OpenApproval(i)
	return ok && slices.ContainsFunc(a.Candidates, func(c Candidate) bool { return c.AskedAt.Valid && c.Sent })
}

// NoApprover tells whether a waiting item has no approver at all.
func (r *Request) NoApprover(i Item) bool {
	_, asked := r.OpenApproval(i)
	return i.State == AwaitingApproval && i.Waiting() && !asked && i.Problem.Code == NoApprover
}

// DecidableBy answers the waiting items of which the person is a candidate who has not decided yet.
func (r *Request) DecidableBy(personID int64) []Item {
	var decidable []Item
	for _, i := range r.Items {
		if !i.Waiting() {
			continue
		}
		a, ok := r.OpenApproval(i)
		if _, candidate := a.Candidate(personID); ok && candidate && !slices.Contains(i.ApprovedIn(a.Stage), personID) {
			decidable = append(decidable, i)
		}
	}
	return decidable
}

// OverridableBy answers the waiting items that the person may decide for everyone, as an administrator: see Item.Administrators.
func (r *Request) OverridableBy(personID int64) []Item {
	return slices.DeleteFunc(slices.Clone(r.Items), func(i Item) bool { return !r.overridableBy(i, personID) })
}

func (r *Request) overridableBy(i Item, personID int64) bool {
	_, asked := r.OpenApproval(i)
	return i.Waiting() && (asked || r.NoApprover(i)) && slices.Contains(i.Administrators, personID)
}

// VotableBy answers the waiting items on which the person votes as an approver: those of DecidableBy that they do not decide for
// everyone.
func (r *Request) VotableBy(personID int64) []Item {
	return slices.DeleteFunc(r.DecidableBy(personID), func(i Item) bool { return r.overridableBy(i, personID) })
}

// State is the state of the request in lists: that of its least advanced item.
func (r *Request) State() string {
	for _, state := range []string{
		Submitted, AwaitingApproval, Approved, Provisioning, Active, Failed, Ended, Revoked, Denied, Expired, Withdrawn} {
		for _, i := range r.Items {
			if i.State == state {
				return state
			}
		}
	}
	return Submitted
}

// RequestSummary is what lists of runs in Temporal show of a request.
type RequestSummary struct {
	ID           int64          `db:"id"`
	RequesterID  int64          `db:"requester_id"`
	Requester    string         `db:"requester"`    // e-mail
	SubmitterID  int64          `db:"submitter_id"` // who sent it: often the requester
	Submitter    string         `db:"submitter"`    // e-mail
	EndsAt       sql.NullTime   `db:"ends_at"`
	Items        int            `db:"items"`
	Application  string         `db:"application"`  // of the first item
	Entitlement  string         `db:"entitlement"`  // of the first item
	Applications pq.StringArray `db:"applications"` // slugs, sorted
	Due          bool           `db:"due"`          // a run has something left to do
}

// SummaryOf answers ErrNotFound if there is no such request.
func SummaryOf(ctx context.Context, q Queryer, requestID int64) (RequestSummary, error) {
	var s RequestSummary
	err := q.GetContext(ctx, &s, `
		select r.id, r.requester_id, p.email as requester, b.id as submitter_id, b.email as submitter, r.ends_at, r.due_at is not null as due,
		       (select count(*) from request_items i where i.request_id = r.id) as items,
		       f.application, f.entitlement,
		       array(select distinct a.slug
		               from request_items i
		               join entitlements e on e.id = i.entitlement_id
		               join applications a on a.id = e.application_id
		              where i.request_id = r.id order by a.slug) as applications
		  from access_requests r
		  join people p on p.id = r.requester_id
		  join people b on b.id = coalesce(r.submitted_by, r.requester_id)
		  join lateral (select a.name as application, e.name as entitlement
		                  from request_items i
		                  join entitlements e on e.id = i.entitlement_id
		                  join applications a on a.id = e.application_id
		                 where i.request_id = r.id order by lower(a.name), a.id, lower(e.name), i.id limit 1) f on true
		 where r.id = $1`, requestID)
	if err != nil {
		return s, fmt.Errorf("request %d: %w", requestID, mapError(err))
	}
	return s, nil
}
