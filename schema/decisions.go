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
	ID            int64         `db:"id"`
	ItemID        int64         `db:"item_id"`
	ApprovalID    sql.NullInt64 `db:"approval_id"`
	DecidedBy     sql.NullInt64 `db:"decided_by"` // null: a clause of the policy
	DeciderName   string        `db:"decider_name"`
	Verdict       string        `db:"verdict"` // approve or deny
	Reason        string        `db:"reason"`
	Basis         string        `db:"basis"` // why they might decide
	PolicyVersion string        `db:"policy_version"`
	Terms         string        `db:"terms"`
	EndsAt        sql.NullTime  `db:"ends_at"` // the end that was granted; null: permanent
	DecidedAt     time.Time     `db:"decided_at"`
}

// Approves tells which way the decision went.
func (d Decision) Approves() bool { return d.Verdict == "approve" }

// Answer is what an approver pressed, in their own copy of a question.
type Answer struct {
	MessageID int64 // the copy: what it showed as open is what the button decides
	PersonID  int64 // who pressed
	Terms     string
	Approve   bool
	Reason    string // required to deny
}

// Decided is what came of an Answer.
type Decided struct {
	Request *Request // as it stands afterwards
	Items   []int64  // decided by this answer; empty: others were first, or nothing is open any more
}

// Decide records an approver's answer for every item that their copy showed, that is still open, and that the policy
// lets them decide now. It answers ErrNotAllowed when the copy is not theirs or the policy no longer asks them,
// (with the Request, whose run should then see whom to ask now), ErrOwnRequest, ErrNotActive, ErrTermsChanged or ErrEndPassed; then nothing is recorded but the attempt, in the audit.
func (db *DB) Decide(ctx context.Context, answer Answer) (Decided, error) {
	var decided Decided
	err := db.InTx(ctx, func(tx *sqlx.Tx) error {
		var err error
		decided, err = decide(ctx, tx, answer)
		return err
	})
	if err == nil || !isRefusal(err) {
		return decided, err
	}
	// Refused is worth knowing: a forwarded button, a deactivated approver, terms changed behind somebody's back.
	auditErr := Audit(ctx, db, Event{Actor: "slackapp", PersonID: answer.PersonID, Action: "decision refused", Alert: true,
		Details: map[string]any{"message": answer.MessageID, "why": err.Error()}})
	return decided, errors.Join(err, auditErr)
}

func decide(ctx context.Context, tx *sqlx.Tx, answer Answer) (Decided, error) {
	message, err := messageByID(ctx, tx, answer.MessageID)
	if err != nil {
		return Decided{}, fmt.Errorf("the message of the button: %w", err)
	}
	if message.PersonID != answer.PersonID {
		return Decided{}, fmt.Errorf("message %d was sent to person %d, pressed by %d: %w", message.ID, message.PersonID, answer.PersonID, ErrNotAllowed)
	}
	if err := LockRequest(ctx, tx, message.RequestID); err != nil {
		return Decided{}, err
	}
	request, err := RequestByID(ctx, tx, message.RequestID)
	if err != nil {
		return Decided{}, err
	}
	if request.RequesterID == answer.PersonID {
		return Decided{}, ErrOwnRequest
	}
	shown := slices.DeleteFunc(slices.Clone(request.Items), func(i Item) bool {
		return !i.Waiting() || !slices.Contains([]int64(message.ItemIDs), i.ID)
	})
	if len(shown) == 0 {
		return Decided{Request: request}, nil
	}
	if answer.Terms != request.Terms || message.Terms != request.Terms {
		return Decided{}, ErrTermsChanged
	}
	facts, err := ApproverFacts(ctx, tx, request.ID)
	if err != nil {
		return Decided{}, err
	}

	var ids, approvals []int64
	var bases []string
	for _, item := range shown {
		judged := policy.Candidates(facts[item.ID])
		approval, open := request.OpenApproval(item.ID)
		if !open || !judged.Allows(answer.PersonID) {
			continue
		}
		ids, approvals, bases = append(ids, item.ID), append(approvals, approval.ID), append(bases, string(judged.Basis))
	}
	if len(ids) == 0 {
		return Decided{Request: request}, fmt.Errorf("person %d about request %d: %w", answer.PersonID, request.ID, ErrNotAllowed)
	}
	verdict := "deny"
	if answer.Approve {
		verdict = "approve"
	}
	_, err = tx.ExecContext(ctx, `
		insert into decisions (item_id, approval_id, basis, decided_by, verdict, reason, policy_version, terms, ends_at)
		select d.item_id, d.approval_id, d.basis, $4, $5, $6, $7, $8, $9
		  from unnest($1::bigint[], $2::bigint[], $3::text[]) as d (item_id, approval_id, basis)`,
		pq.Array(ids), pq.Array(approvals), pq.Array(bases), answer.PersonID, verdict, answer.Reason, policy.Version, request.Terms, request.EndsAt)
	if err != nil {
		return Decided{}, fmt.Errorf("record the decision about request %d: %w", request.ID, refusal(err))
	}
	err = Audit(ctx, tx, Event{Actor: "person", PersonID: answer.PersonID, Action: "decided: " + verdict, RequestID: request.ID,
		Details: map[string]any{"items": ids, "approvals": approvals, "bases": bases, "policy": policy.Version, "terms": request.Terms}})
	if err != nil {
		return Decided{}, err
	}
	request, err = RequestByID(ctx, tx, request.ID)
	return Decided{Request: request, Items: ids}, err
}

// isRefusal tells a refusal by the rules from a failure to record.
func isRefusal(err error) bool {
	for _, known := range []error{ErrNotFound, ErrNotOpen, ErrDecided, ErrWithdrawn, ErrOwnRequest, ErrNotActive, ErrNotAllowed, ErrTermsChanged, ErrEndPassed, ErrWrongKind} {
		if errors.Is(err, known) {
			return true
		}
	}
	return false
}
