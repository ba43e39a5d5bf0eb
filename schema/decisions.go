package schema

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"accessbot/schema/policy"
)

// Decision is one recorded answer for one item.
type Decision struct {
	ID                int64         `db:"id"`
	ItemID            int64         `db:"item_id"`
	ApprovalID        sql.NullInt64 `db:"approval_id"`
	DecidedBy         sql.NullInt64 `db:"decided_by"` // null: a rule of the policy
	DeciderName       string        `db:"decider_name"`
	OnBehalfOf        sql.NullInt64 `db:"for_person_id"`      // the approver who was away; null: not a delegate
	Stage             int           `db:"stage"`              // from 1
	Stages            int           `db:"stages"`             // of the item
	RequiredApprovals int           `db:"required_approvals"` // in this stage
	Override          bool          `db:"override"`           // by an administrator, for all remaining stages
	Outcome           string        `db:"outcome"`            // approve or deny
	Reason            string        `db:"reason"`
	Basis             string        `db:"basis"` // why they may decide: see policy.Basis
	PolicyVersion     int64         `db:"policy_version"`
	Terms             string        `db:"terms"`
	EndsAt            sql.NullTime  `db:"ends_at"` // the end that was granted; null: permanent
	DecidedAt         time.Time     `db:"decided_at"`
	StagePassed       bool          `db:"stage_passed"` // when it was read: see the SQL function stage_passed
}

// Approves tells which way the decision went.
func (d Decision) Approves() bool { return d.Outcome == "approve" }

// Answer is what an approver chose in their own approval message, or what an administrator decides for everyone.
type Answer struct {
	MessageID int64 // its button decides the items that the message showed as open
	Override  bool  // instead of a message: as an administrator, for everyone, see Request.OverridableBy
	RequestID int64 // of an override
	PersonID  int64 // who decides
	Terms     string
	Approve   bool
	Reason    string         // required to deny, and for an override
	Choice    map[int64]bool // for each item, whether it is approved; nil: Approve, for every item shown
	EndsAt    sql.NullTime   // the granted end, earlier than the requested one; null: the requested one
}

// approves reports whether the answer approves an item, if it covers the item.
func (a Answer) approves(itemID int64) (approve, answered bool) {
	if a.Choice == nil {
		return a.Approve, true
	}
	approve, answered = a.Choice[itemID]
	return approve, answered
}

// Decided is the result of an Answer.
type Decided struct {
	Request *Request // as it is afterwards
	Items   []int64  // decided by this answer; empty: others were first, or nothing is open
}

// Recorded says who recorded what about a request: for display only, never as proof.
type Recorded struct {
	PersonID int64  `db:"person_id"`
	Person   string `db:"person"` // e-mail
	What     string `db:"what"`
	Items    int    `db:"items"` // how many it is about
}

// LatestDecision returns the newest answer by a person about a request: approved, denied or partly approved. ErrNotFound: there
// is none.
func LatestDecision(ctx context.Context, q Queryer, requestID int64) (r Recorded, err error) {
	err = q.GetContext(ctx, &r, `
		with latest as (
		    select d.decided_by, d.xmin as recorded_in
		      from request_items i join decisions d on d.item_id = i.id
		     where i.request_id = $1 and d.decided_by is not null
		     order by d.id desc limit 1)
		select p.id as person_id, p.email as person, count(distinct d.item_id) as items,
		       case when bool_and(d.outcome = 'approve') then 'approved'
		            when bool_or(d.outcome = 'approve') then 'partly approved' else 'denied' end as what
		  from latest l
		  join people p on p.id = l.decided_by
		  join request_items i on i.request_id = $1
		  join decisions d on d.item_id = i.id and d.decided_by = l.decided_by and d.xmin = l.recorded_in -- the same transaction
		 group by p.id`, requestID)
	if err != nil {
		return r, fmt.Errorf("latest decision about request %d: %w", requestID, mapError(err))
	}
	return r, nil
}

// Decide records an approver's answer for every item that their message showed, that is still open, and that the policy lets
// them decide now; or an administrator's, for every item that they may decide for everyone now. It answers ErrNotAllowed if the
// message is not theirs or they may not decide any more (then with the Request, whose run should find its approvers again),
// ErrOwnRequest, ErrNotActive, ErrTermsChanged or ErrEndPassed. Then only the attempt is recorded, in the audit.
func (db *DB) Decide(ctx context.Context, answer Answer) (Decided, error) {
	var decided Decided
	err := db.InTx(ctx, func(tx *sqlx.Tx) error {
		var err error
		decided, err = decide(ctx, tx, answer)
		return err
	})
	if err == nil || !isRefused(err) {
		return decided, err
	}
	// An alert: a forwarded button, an inactive approver, or terms that were changed after they were shown.
	details := map[string]any{"message": answer.MessageID, "why": err.Error()}
	if answer.Override {
		details = map[string]any{"override": true, "why": err.Error()}
	}
	auditErr := Audit(ctx, db, Event{Actor: "slackapp", PersonID: answer.PersonID, Action: DecisionRefused, Alert: true,
		RequestID: answer.RequestID, Details: details})
	return decided, errors.Join(err, auditErr)
}

func decide(ctx context.Context, tx *sqlx.Tx, answer Answer) (Decided, error) {
	var message Message
	var err error
	if !answer.Override {
		if message, err = messageByID(ctx, tx, answer.MessageID); err != nil {
			return Decided{}, fmt.Errorf("find the message of the button: %w", err)
		}
		if message.PersonID != answer.PersonID {
			return Decided{}, fmt.Errorf("message %d to person %d, used by person %d: %w",
				message.ID, message.PersonID, answer.PersonID, ErrNotAllowed)
		}
		answer.RequestID = message.RequestID
	}
	if err := LockRequest(ctx, tx, answer.RequestID); err != nil {
		return Decided{}, err
	}
	request, err := RequestByID(ctx, tx, answer.RequestID)
	if err != nil {
		return Decided{}, err
	}
	if request.AskedFor(answer.PersonID) {
		return Decided{}, ErrOwnRequest
	}
	shown := slices.DeleteFunc(slices.Clone(request.Items), func(i Item) bool {
		_, answered := answer.approves(i.ID)
		return !answered || !i.Waiting() || !answer.Override &&
			(!slices.Contains([]int64(message.ItemIDs), i.ID) || request.overridableBy(i, answer.PersonID))
	})
	if len(shown) == 0 {
		return Decided{Request: request}, nil
	}
	if answer.Terms != request.Terms || !answer.Override && message.Terms != request.Terms {
		return Decided{}, ErrTermsChanged
	}
	evaluated, err := Evaluate(ctx, tx, request)
	if err != nil {
		return Decided{}, err
	}
	ends := request.EndsAt
	if answer.EndsAt.Valid && (!ends.Valid || answer.EndsAt.Time.Before(ends.Time)) {
		ends = answer.EndsAt
	}
	shown = slices.DeleteFunc(shown, func(i Item) bool { return past(request.EndOf(i), request.ReadAt) })
	if past(ends, request.ReadAt) || len(shown) == 0 {
		return Decided{}, ErrEndPassed
	}
	decisionsOf := evaluated.votes
	if answer.Override {
		decisionsOf = evaluated.overrides
	}
	var decisions []Decision
	var ids []int64
	for _, item := range shown {
		approve, _ := answer.approves(item.ID)
		of := decisionsOf(request, item, answer.PersonID, approve)
		if len(of) == 0 {
			continue
		}
		ids = append(ids, item.ID)
		for _, d := range of {
			if d.EndsAt = ends; !approve || d.Override {
				d.Reason = answer.Reason
			}
			decisions = append(decisions, d)
		}
	}
	if len(ids) == 0 {
		return Decided{Request: request}, fmt.Errorf("person %d decides request %d: %w", answer.PersonID, request.ID, ErrNotAllowed)
	}
	if err := recordDecisions(ctx, tx, request, decisions); err != nil {
		return Decided{}, err
	}
	request, err = RequestByID(ctx, tx, request.ID)
	return Decided{Request: request, Items: ids}, err
}

// votes are a person's answer about an item as it is recorded: one decision for the current stage and, if it is an approval,
// one for every later stage that would ask them too, so that no approver is asked twice. None: it is not theirs to decide.
func (e Evaluation) votes(r *Request, i Item, personID int64, approve bool) []Decision {
	approval, open := r.OpenApproval(i)
	if !open {
		return nil
	}
	stages := e.Rule(i).Stages
	var decisions []Decision
	for stage := approval.Stage; stage <= len(stages); stage++ {
		level := 0
		if stage == approval.Stage {
			level = approval.Level
		}
		candidate, may := e.Ask(i, stage, level).Of(personID)
		if may && !slices.Contains(i.ApprovedIn(stage), personID) {
			decisions = append(decisions, Decision{
				ItemID: i.ID, ApprovalID: sql.NullInt64{Int64: approval.ID, Valid: true},
				DecidedBy: sql.NullInt64{Int64: personID, Valid: true},
				Stage:     stage, Stages: len(stages), RequiredApprovals: stages[stage-1].RequiredApprovals,
				Basis: string(candidate.Basis), Outcome: outcomeOf(approve),
			})
		}
		if len(decisions) == 0 || !approve {
			break
		}
	}
	return decisions
}

// overrides are an administrator's answer about an item for everyone as it is recorded: one decision for each stage that is left.
// None: it is not theirs to decide.
func (e Evaluation) overrides(r *Request, i Item, personID int64, approve bool) []Decision {
	if !r.overridableBy(i, personID) {
		return nil
	}
	stages := e.Rule(i).Stages
	var decisions []Decision
	for stage := i.Stage(); stage <= len(stages) && (approve || len(decisions) == 0); stage++ {
		if stagePassed(i.Decisions, stage) {
			continue // by approvers of an earlier stage
		}
		decisions = append(decisions, Decision{
			ItemID: i.ID, DecidedBy: sql.NullInt64{Int64: personID, Valid: true}, Override: true,
			Stage: stage, Stages: len(stages), RequiredApprovals: stages[stage-1].RequiredApprovals,
			Basis: string(policy.Administrator), Outcome: outcomeOf(approve),
		})
	}
	return decisions
}

// past tells whether an end has passed.
func past(end sql.NullTime, now time.Time) bool { return end.Valid && !end.Time.After(now) }

func outcomeOf(approve bool) string {
	if approve {
		return "approve"
	}
	return "deny"
}

// recordDecisions records decisions about a request's items, all by one person or all by the policy, and audits them.
func recordDecisions(ctx context.Context, tx *sqlx.Tx, r *Request, decisions []Decision) error {
	var items, approvals, stages, stageCounts, required []int64
	var bases, outcomes, reasons []string
	for _, d := range decisions {
		items, approvals = append(items, d.ItemID), append(approvals, d.ApprovalID.Int64)
		stages, stageCounts = append(stages, int64(d.Stage)), append(stageCounts, int64(d.Stages))
		required = append(required, int64(d.RequiredApprovals))
		bases, outcomes, reasons = append(bases, d.Basis), append(outcomes, d.Outcome), append(reasons, d.Reason)
	}
	first := decisions[0]
	_, err := tx.ExecContext(ctx, `
		insert into decisions (item_id, approval_id, stage, stages, required_approvals, basis, outcome, reason,
		                       decided_by, override, policy_version, terms, ends_at)
		select d.item_id, nullif(d.approval_id, 0), d.stage, d.stages, d.required_approvals, d.basis, d.outcome, d.reason,
		       $9, $10, $11, $12, $13
		  from unnest($1::bigint[], $2::bigint[], $3::int[], $4::int[], $5::int[], $6::text[], $7::text[], $8::text[])
		       as d (item_id, approval_id, stage, stages, required_approvals, basis, outcome, reason)`,
		pq.Array(items), pq.Array(approvals), pq.Array(stages), pq.Array(stageCounts), pq.Array(required),
		pq.Array(bases), pq.Array(outcomes), pq.Array(reasons),
		first.DecidedBy, first.Override, r.PolicyVersion, r.Terms, first.EndsAt)
	if err != nil {
		return fmt.Errorf("record the decision about request %d: %w", r.ID, mapError(err))
	}
	for _, outcome := range []string{"approve", "deny"} {
		var about []map[string]any
		for _, d := range decisions {
			if d.Outcome == outcome {
				about = append(about, map[string]any{"item": d.ItemID, "approval": d.ApprovalID.Int64, "stage": d.Stage,
					"stages": d.Stages, "required_approvals": d.RequiredApprovals, "basis": d.Basis})
			}
		}
		if len(about) == 0 {
			continue
		}
		details := map[string]any{"outcome": outcome, "items": about, "policy": r.PolicyVersion, "terms": r.Terms}
		if first.EndsAt.Valid {
			details["ends_at"] = first.EndsAt.Time.UTC()
		}
		e := Event{Actor: "policy", Action: DecisionRecorded, RequestID: r.ID, Details: details, Alert: first.Override}
		if first.DecidedBy.Valid {
			e.Actor, e.PersonID = "person", first.DecidedBy.Int64
		}
		if first.Override {
			details["override"] = true
		}
		if err := Audit(ctx, tx, e); err != nil {
			return err
		}
	}
	return nil
}

// isRefused tells a refusal by the rules from a failure to record.
func isRefused(err error) bool {
	for _, known := range []error{ErrNotFound, ErrNotOpen, ErrDecided, ErrWithdrawn, ErrOwnRequest, ErrNotActive,
		ErrNotAllowed, ErrTermsChanged, ErrEndPassed, ErrWrongKind} {
		if errors.Is(err, known) {
			return true
		}
	}
	return false
}
