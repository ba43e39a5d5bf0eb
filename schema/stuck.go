package schema

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/jmoiron/sqlx"
)

// What is stuck: no one can be asked about it, or those who were asked have not answered by its first escalation. An
// administrator may decide it in the place of everybody, and every trace of it says so.

// StuckFor answers the stuck requests that an administrator may decide, the oldest first; nothing for anybody else.
func StuckFor(ctx context.Context, q Queryer, administratorID int64, limit, offset int) (lines []WaitingLine, total int, err error) {
	err = q.SelectContext(ctx, &lines, `
		with stuck as (
		  select i.request_id, i.id, e.risk, ap.name || ': ' || e.name as name, row_number() over (partition by i.request_id order by lower(ap.name), lower(e.name), i.id) as n
		    from (select i.id from request_items i where i.state = 'awaiting_approval' and i.problem <> ''
		          union
		          select ai.item_id from approvals a join approval_items ai on ai.approval_id = a.id where a.state = 'open' and a.level > 0) s
		    join request_items i on i.id = s.id and i.state = 'awaiting_approval'
		    join entitlements e on e.id = i.entitlement_id
		    join applications ap on ap.id = e.application_id
		   where item_outcome(i.id) is null
		     and not exists (select from stop_orders l where l.item_id = i.id))
		select r.id as request_id, p.name as requester_name, coalesce(by.name, '') as submitter_name, w.items, w.high_risk, w.names, r.created_at, r.ends_at, r.ends_on, r.time_zone, count(*) over () as total
		  from (select request_id, count(*) as items, count(*) filter (where risk = 'high') as high_risk, array_agg(name order by n) filter (where n <= $2) as names from stuck group by request_id) w
		  join access_requests r on r.id = w.request_id
		  join people p on p.id = r.requester_id
		  left join people by on by.id = r.submitted_by
		 where not asked_for(r, $1)
		   and exists (select from people a where a.id = $1 and a.administrator and is_active(a))
		 order by r.id
		 limit $3 offset $4`, administratorID, namedItems, limit, offset)
	if err != nil {
		return nil, 0, fmt.Errorf("what is stuck: %w", err)
	}
	if len(lines) > 0 {
		total = lines[0].Total
	}
	return lines, total, nil
}

// Stuck are the items that an administrator may decide in the place of everybody.
func (r *Request) Stuck(administrator Person) []Item {
	if !administrator.Administrator || !administrator.Active || r.AskedFor(administrator.ID) {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(r.Items), func(i Item) bool {
		open, _ := r.OpenApproval(i)
		return i.State != AwaitingApproval || !i.Waiting() || !r.NoApprover(i) && open.Level == 0
	})
}

// AboutNoApprover begins what a report to administrators is about that tells of items without an approver.
const AboutNoApprover = "no approver "

// AdministratorsToTell answers up to three active administrators who may decide a request, those first who can be reached in Slack.
func AdministratorsToTell(ctx context.Context, q Queryer, r *Request) ([]int64, error) {
	var people []int64
	err := q.SelectContext(ctx, &people, `
		select p.id
		  from people p
		  left join slack_addresses s on s.person_id = p.id
		  left join slack_identities b on b.person_id = p.id
		 where p.administrator and is_active(p)
		   and p.id <> all($1)
		 order by `+unreachable+`, p.id
		 limit 3`, r.Requesters)
	if err != nil {
		return nil, fmt.Errorf("which administrators to tell about request %d: %w", r.ID, err)
	}
	return people, nil
}

// StuckAnswer is what an administrator decided about what is stuck in a request.
type StuckAnswer struct {
	RequestID int64
	PersonID  int64
	Terms     string         // as shown
	Choice    map[int64]bool // item by item, whether it is approved
	Reason    string         // required: everybody reads it
}

// DecideAsAdministrator records an administrator's answer about what is stuck. It passes every stage that is left, alone. It answers
// ErrNotAllowed where the person is no administrator or nothing of it is stuck, ErrOwnRequest, ErrTermsChanged or
// ErrEndPassed; then nothing is recorded but the attempt, in the audit.
func (db *DB) DecideAsAdministrator(ctx context.Context, answer StuckAnswer) (Decided, error) {
	var decided Decided
	err := db.InTx(ctx, func(tx *sqlx.Tx) error {
		var err error
		decided, err = decideAsAdministrator(ctx, tx, answer)
		return err
	})
	if err == nil || !isRefused(err) {
		return decided, err
	}
	auditErr := Audit(ctx, db, Event{Actor: "slackapp", PersonID: answer.PersonID, Action: DecisionRefused, Alert: true, RequestID: answer.RequestID,
		Details: map[string]any{"why": err.Error(), "override": true}})
	return Decided{}, errors.Join(err, auditErr)
}

func decideAsAdministrator(ctx context.Context, tx *sqlx.Tx, answer StuckAnswer) (Decided, error) {
	if err := LockRequest(ctx, tx, answer.RequestID); err != nil {
		return Decided{}, err
	}
	request, err := RequestByID(ctx, tx, answer.RequestID)
	if err != nil {
		return Decided{}, err
	}
	person, err := PersonByID(ctx, tx, answer.PersonID)
	switch {
	case err != nil:
		return Decided{}, err
	case request.AskedFor(person.ID):
		return Decided{}, ErrOwnRequest
	case !person.Administrator:
		return Decided{}, ErrNotAllowed
	case request.Terms != answer.Terms:
		return Decided{}, ErrTermsChanged
	case past(request.EndsAt, request.ReadAt):
		return Decided{}, ErrEndPassed
	}
	evaluated, err := Evaluate(ctx, tx, request)
	if err != nil {
		return Decided{}, err
	}
	var decisions []Decision
	var ids []int64
	for _, i := range request.Stuck(person) {
		approve, chosen := answer.Choice[i.ID]
		if !chosen || past(request.EndOf(i), request.ReadAt) {
			continue
		}
		ids = append(ids, i.ID)
		stages := evaluated.Rule(i).Stages
		for stage := i.Stage(); stage <= len(stages); stage++ {
			if stage > i.Stage() && stagePassed(i.Decisions, stage) {
				continue
			}
			decisions = append(decisions, Decision{ItemID: i.ID, DecidedBy: sql.NullInt64{Int64: person.ID, Valid: true}, Stage: stage, Stages: len(stages),
				RequiredApprovals: stages[stage-1].RequiredApprovals, Override: true, Basis: "administrator, for a stuck request", Verdict: verdictOf(approve), Reason: answer.Reason, EndsAt: request.EndsAt})
			if !approve {
				break
			}
		}
	}
	if len(decisions) == 0 {
		return Decided{Request: request}, nil // someone was first
	}
	if err := recordDecisions(ctx, tx, request, decisions); err != nil {
		return Decided{}, err
	}
	request, err = RequestByID(ctx, tx, request.ID)
	return Decided{Request: request, Items: ids}, err
}
