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
	Reason    string         // required to deny
	Choice    map[int64]bool // item by item, whether it is approved; nil: Approve, for everything that the copy showed
	EndsAt    sql.NullTime   // the end that is granted, sooner than the one that was asked for; null: that one
}

// verdict is the answer for an item, if there is one.
func (a Answer) verdict(itemID int64) (verdict string, answered bool) {
	approve := a.Approve
	if a.Choice != nil {
		if approve, answered = a.Choice[itemID]; !answered {
			return "", false
		}
	}
	if approve {
		return "approve", true
	}
	return "deny", true
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
		_, answered := answer.verdict(i.ID)
		return !answered || !i.Waiting() || !slices.Contains([]int64(message.ItemIDs), i.ID)
	})
	if len(shown) == 0 {
		return Decided{Request: request}, nil
	}
	if answer.Terms != request.Terms || message.Terms != request.Terms {
		return Decided{}, ErrTermsChanged
	}
	facts, _, err := ApproverFacts(ctx, tx, request.ID)
	if err != nil {
		return Decided{}, err
	}

	ends := request.EndsAt
	if answer.EndsAt.Valid && (!ends.Valid || answer.EndsAt.Time.Before(ends.Time)) {
		ends = answer.EndsAt
	}
	if ends.Valid && !ends.Time.After(request.ReadAt) {
		return Decided{}, ErrEndPassed
	}
	var ids, approvals []int64
	var bases, verdicts, reasons []string
	for _, item := range shown {
		judged := policy.Candidates(facts[item.ID])
		approval, open := request.OpenApproval(item.ID)
		if !open || !judged.Allows(answer.PersonID) {
			continue
		}
		verdict, _ := answer.verdict(item.ID)
		reason := ""
		if verdict == "deny" {
			reason = answer.Reason
		}
		ids, approvals, bases = append(ids, item.ID), append(approvals, approval.ID), append(bases, string(judged.Basis))
		verdicts, reasons = append(verdicts, verdict), append(reasons, reason)
	}
	if len(ids) == 0 {
		return Decided{Request: request}, fmt.Errorf("person %d about request %d: %w", answer.PersonID, request.ID, ErrNotAllowed)
	}
	_, err = tx.ExecContext(ctx, `
		insert into decisions (item_id, approval_id, basis, verdict, reason, decided_by, policy_version, terms, ends_at)
		select d.item_id, d.approval_id, d.basis, d.verdict, d.reason, $6, $7, $8, $9
		  from unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[]) as d (item_id, approval_id, basis, verdict, reason)`,
		pq.Array(ids), pq.Array(approvals), pq.Array(bases), pq.Array(verdicts), pq.Array(reasons), answer.PersonID, policy.Version, request.Terms, ends)
	if err != nil {
		return Decided{}, fmt.Errorf("record the decision about request %d: %w", request.ID, refusal(err))
	}
	for _, verdict := range []string{"approve", "deny"} {
		var items []int64
		for n, id := range ids {
			if verdicts[n] == verdict {
				items = append(items, id)
			}
		}
		if len(items) == 0 {
			continue
		}
		details := map[string]any{"items": items, "approvals": approvals, "bases": bases, "policy": policy.Version, "terms": request.Terms}
		if ends.Valid {
			details["ends at"] = ends.Time.UTC()
		}
		err = Audit(ctx, tx, Event{Actor: "person", PersonID: answer.PersonID, Action: "decided: " + verdict, RequestID: request.ID, Details: details})
		if err != nil {
			return Decided{}, err
		}
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
