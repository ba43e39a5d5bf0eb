package schema

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"accessbot/schema/policy"
)

// Submission is what a request needs in addition to its draft.
type Submission struct {
	ViewID    string
	PersonID  int64
	EndsAt    sql.NullTime // null: permanent
	EndsOn    sql.NullTime // the date, if the end was chosen without a time
	ReasonKey string
	Note      string
	Quota     Quota
	// LastEnd is the latest end that a limit of this many days allows, in the requester's time zone.
	LastEnd func(days int) time.Time
	// Fill merges what the form shows into its draft, checks it, and sets the rest of the submission; nil: all of it is set. It runs
	// under the draft's lock, and what it returns as an error undoes the merge.
	Fill func(tx *sqlx.Tx, d *Draft, s *Submission) error
}

// Receipt is the result of a Submission.
type Receipt struct {
	RequestID int64
	Before    bool // the form had been submitted: this is its request
}

// Why a submission is refused. People can correct it.
var (
	ErrNothingChosen = errors.New("nothing is selected")
	ErrNoSuchReason  = errors.New("no such reason")
	ErrNotEvaluated  = errors.New("the policy cannot evaluate the request")
	ErrNotYours      = errors.New("the person may not request for the requester")
)

// NoLongerOffered names what is no longer offered: it was retired, granted or requested in the meantime, or the person or job
// title lost it. It is removed from the draft.
type NoLongerOffered struct{ Names []string }

func (e *NoLongerOffered) Error() string { return "no longer offered: " + strings.Join(e.Names, ", ") }

// TooLong names what may not be held for the requested duration.
type TooLong struct {
	Limited   []Limited
	Permanent bool // the requested duration
}

// Limited is a grant with its own limit.
type Limited struct {
	Name    string
	MaxDays int // 0: any duration, but not permanently
}

// NoteNeeded names what needs a note by the policy.
type NoteNeeded struct{ Names []string }

func (e *NoteNeeded) Error() string { return "without a note: " + strings.Join(e.Names, ", ") }

// CoveredAlready names what the requester has until the requested end, or longer.
type CoveredAlready struct {
	Names []string
	For   string // the requester; empty: the person who fills in the form
}

func (e *CoveredAlready) Error() string {
	return "already held until then: " + strings.Join(e.Names, ", ")
}

func (e *TooLong) Error() string {
	parts := make([]string, len(e.Limited))
	for i, l := range e.Limited {
		parts[i] = fmt.Sprintf("%s at most %d days", l.Name, l.MaxDays)
	}
	return "too long: " + strings.Join(parts, ", ")
}

// Submit turns a draft into a request, in one transaction that fills in the submission and checks again that all of it is still
// offered. The view's ID is its key: submitted twice, it is one request. It returns the errors of Fill, ErrNotFound if there is
// neither draft nor request, ErrNotActive, ErrNotYours, ErrNothingChosen, ErrNoSuchReason, ErrEndPassed, ErrNotEvaluated,
// *OverQuota, *NoLongerOffered, *TooLong, *NoteNeeded or *CoveredAlready.
func (db *DB) Submit(ctx context.Context, s Submission) (Receipt, error) {
	var receipt Receipt
	err := db.InTx(ctx, func(tx *sqlx.Tx) error {
		var err error
		receipt, err = submit(ctx, tx, s)
		return err
	})
	var gone *goneError
	if !errors.As(err, &gone) {
		return receipt, err
	}
	_, changeErr := db.ChangeDraft(ctx, s.ViewID, s.PersonID, func(_ *sqlx.Tx, d *Draft) error {
		isGone := func(id int64) bool { return slices.Contains(gone.ids, id) }
		d.Chosen = slices.DeleteFunc(d.Chosen, isGone)
		if d.AllChosen {
			d.Offered = slices.DeleteFunc(d.Offered, isGone)
			d.Total = len(d.Offered)
		}
		return nil
	})
	return receipt, errors.Join(&NoLongerOffered{Names: gone.names}, changeErr)
}

// goneError carries out of the transaction what must be removed from the draft.
type goneError struct {
	ids   []int64
	names []string
}

func (*goneError) Error() string { return "no longer offered" }

func submit(ctx context.Context, tx *sqlx.Tx, s Submission) (Receipt, error) {
	draft, err := lockDraft(ctx, tx, s.ViewID, s.PersonID)
	if errors.Is(err, ErrNotFound) {
		return submittedBefore(ctx, tx, s)
	}
	if err != nil {
		return Receipt{}, err
	}
	if s.Fill != nil {
		if err := s.Fill(tx, &draft, &s); err != nil {
			return Receipt{}, err
		}
	}
	if err := lockSubmissions(ctx, tx, draft); err != nil {
		return Receipt{}, err
	}
	if err := s.Quota.check(ctx, tx, s.PersonID); err != nil {
		return Receipt{}, err
	}
	if err := checkSubmitter(ctx, tx, draft); err != nil {
		return Receipt{}, err
	}
	if err := checkTerms(ctx, tx, s); err != nil {
		return Receipt{}, err
	}
	assignments, err := stillOffered(ctx, tx, draft, s)
	if err != nil {
		return Receipt{}, err
	}
	version, p, err := evaluate(ctx, tx, draft.RequesterID(), s, assignments)
	if err != nil {
		return Receipt{}, err
	}
	if err := checkLimits(s, p, assignments); err != nil {
		return Receipt{}, err
	}
	number, items, err := insertRequest(ctx, tx, draft, s, version, assignments)
	if err != nil {
		return Receipt{}, err
	}
	if _, err := tx.ExecContext(ctx, `delete from form_drafts where view_id = $1`, s.ViewID); err != nil {
		return Receipt{}, fmt.Errorf("delete the draft: %w", err)
	}
	err = Audit(ctx, tx, Event{Actor: "person", PersonID: s.PersonID, Action: RequestSubmitted, RequestID: number,
		Details: map[string]any{"like": draft.Mode, "like_id": draft.Offer().LikeID, "items": items, "all": draft.AllChosen,
			"policy": version, "for": draft.RequesterID()}})
	if err != nil {
		return Receipt{}, err
	}
	return Receipt{RequestID: number}, decideByPolicy(ctx, tx, number, p)
}

// submittedBefore returns the request of a form whose draft is gone, or ErrNotFound.
func submittedBefore(ctx context.Context, q Queryer, s Submission) (Receipt, error) {
	r := Receipt{Before: true}
	err := q.GetContext(ctx, &r.RequestID, `
		select id from access_requests where view_id = $1 and coalesce(submitted_by, requester_id) = $2`, s.ViewID, s.PersonID)
	if err != nil {
		return Receipt{}, fmt.Errorf("find the request of form %s: %w", s.ViewID, mapError(err))
	}
	return r, nil
}

// lockSubmissions serializes submissions by one person and for one person: two forms must not request the same, nor exceed a
// quota together. The locks are taken in one order, so there is no deadlock.
func lockSubmissions(ctx context.Context, tx *sqlx.Tx, draft Draft) error {
	_, err := tx.ExecContext(ctx, `
		select pg_advisory_xact_lock(hashtextextended('submit ' || p.id, 0))
		  from (select $1::bigint as id union select $2 order by id) p`,
		draft.PersonID, draft.RequesterID())
	if err != nil {
		return fmt.Errorf("lock submissions: %w", err)
	}
	return nil
}

// checkSubmitter returns ErrNotActive or ErrNotYours if the person may not submit the draft.
func checkSubmitter(ctx context.Context, tx *sqlx.Tx, draft Draft) error {
	person, err := PersonByID(ctx, tx, draft.PersonID)
	if err != nil {
		return err
	}
	if !person.Active {
		return ErrNotActive
	}
	if !draft.ForPersonID.Valid {
		return nil
	}
	may, err := mayAskFor(ctx, tx, draft.PersonID, draft.ForPersonID.Int64)
	if err == nil && !may {
		err = ErrNotYours
	}
	return err
}

// evaluate sets the policy's rule of each assignment.
func evaluate(
	ctx context.Context, tx *sqlx.Tx, requesterID int64, s Submission, assignments []requestedAssignment,
) (version int64, p *policy.Policy, err error) {
	v, p, err := CurrentPolicy(ctx, tx)
	if err != nil {
		return 0, nil, err
	}
	now, err := Now(ctx, tx)
	if err != nil {
		return 0, nil, err
	}
	lasts := policy.Forever
	if s.EndsAt.Valid {
		lasts = s.EndsAt.Time.Sub(now)
	}
	entitlements := make([]int64, len(assignments))
	for i, assignment := range assignments {
		entitlements[i] = assignment.EntitlementID
	}
	subjects, err := SubjectsFor(ctx, tx, requesterID, entitlements, lasts, s.ReasonKey)
	if err != nil {
		return 0, nil, err
	}
	for i, assignment := range assignments {
		if assignments[i].Rule, err = p.Evaluate(subjects[assignment.EntitlementID]); err != nil {
			return 0, nil, errors.Join(fmt.Errorf("%s: %w", assignment.Name, ErrNotEvaluated), err)
		}
	}
	return v.Version, p, nil
}

// checkLimits checks the limits of the entitlements, of the rules that apply to them, and of the policy.
func checkLimits(s Submission, p *policy.Policy, assignments []requestedAssignment) error {
	long, noted := &TooLong{Permanent: !s.EndsAt.Valid}, &NoteNeeded{}
	for _, assignment := range assignments {
		rule, err := p.Rule(assignment.Rule)
		if err != nil {
			return err
		}
		if rule.Deny != "" {
			continue // denied anyway, with a reason
		}
		days := limitOf(assignment.MaxDays, rule)
		longest := p.Defaults.MaxDays
		if days > 0 {
			longest = min(longest, days)
		}
		switch {
		case !s.EndsAt.Valid && (days > 0 || rule.Limits.NoPermanent),
			s.EndsAt.Valid && s.EndsAt.Time.After(s.LastEnd(longest)):
			if s.EndsAt.Valid {
				days = longest
			}
			long.Limited = append(long.Limited, Limited{assignment.Name, days})
		case rule.Limits.NoteRequired && strings.TrimSpace(s.Note) == "":
			noted.Names = append(noted.Names, assignment.Name)
		}
	}
	switch {
	case len(long.Limited) > 0:
		return long
	case len(noted.Names) > 0:
		return noted
	}
	return nil
}

// limitOf returns the shorter of the limits of an entitlement and its rule, in days; 0: neither has one.
func limitOf(maxDays sql.NullInt64, rule *policy.Rule) int {
	days := int(maxDays.Int64)
	if limit := rule.Limits.MaxDays; limit > 0 && (days == 0 || limit < days) {
		days = limit
	}
	return days
}

// LimitsOf returns the limits of a request's items in days, by item: see limitOf. Items without a limit are left out.
func LimitsOf(ctx context.Context, q Queryer, r *Request) (map[int64]int, error) {
	p, err := PolicyOf(ctx, q, r.PolicyVersion)
	if err != nil {
		return nil, fmt.Errorf("read the limits of request %d: %w", r.ID, err)
	}
	limits := map[int64]int{}
	for _, i := range r.Items {
		rule, err := p.Rule(i.Rule)
		if err != nil {
			return nil, fmt.Errorf("read the limits of request %d: %w", r.ID, err)
		}
		if days := limitOf(i.MaxDays, rule); days > 0 {
			limits[i.ID] = days
		}
	}
	return limits, nil
}

// decideByPolicy records the decisions of rules that approve or deny by themselves.
func decideByPolicy(ctx context.Context, tx *sqlx.Tx, number int64, p *policy.Policy) error {
	if !slices.ContainsFunc(p.Rules, func(c policy.Rule) bool { return c.Stages == nil }) {
		return nil
	}
	request, err := RequestByID(ctx, tx, number)
	if err != nil {
		return err
	}
	var decisions []Decision
	for _, i := range request.Items {
		rule, err := p.Rule(i.Rule)
		if err != nil {
			return err
		}
		if rule.Stages == nil {
			decisions = append(decisions, Decision{ItemID: i.ID, Stage: 1, Stages: 1, RequiredApprovals: 1, Basis: rule.Name,
				Outcome: outcomeOf(rule.Approve), Reason: rule.Deny, EndsAt: request.EndsAt})
		}
	}
	if len(decisions) == 0 {
		return nil
	}
	return recordDecisions(ctx, tx, request, decisions)
}

func checkTerms(ctx context.Context, tx *sqlx.Tx, s Submission) error {
	var reason, ended bool
	err := tx.QueryRowxContext(ctx, `
		select exists (select from reasons where key = $1 and gone_at is null), coalesce($2::timestamptz <= app_now(), false)`,
		s.ReasonKey, s.EndsAt).Scan(&reason, &ended)
	switch {
	case err != nil:
		return fmt.Errorf("check the reason and the end: %w", err)
	case !reason:
		return ErrNoSuchReason
	case ended:
		return ErrEndPassed
	}
	return nil
}

// requestedAssignment is one requested entitlement with its account.
type requestedAssignment struct {
	EntitlementID int64         `db:"id"`
	Name          string        `db:"name"`
	MaxDays       sql.NullInt64 `db:"max_days"`
	AccountID     sql.NullInt64 `db:"account_id"` // null: no longer offered
	HadUntil      sql.NullTime  `db:"had_until"`  // null: not held
	Rule          int           `db:"-"`          // of the policy
}

// stillOffered looks up again what the draft requests.
func stillOffered(ctx context.Context, tx *sqlx.Tx, draft Draft, s Submission) ([]requestedAssignment, error) {
	selected := draft.Selected()
	if len(selected) == 0 {
		return nil, ErrNothingChosen
	}
	o := draft.Offer()
	var assignments []requestedAssignment
	err := tx.SelectContext(ctx, &assignments, `
		with offered as (select e.id, s.id as account_id`+o.from()+` and e.id = any($3))
		select e.id, e.name, e.max_days, o.account_id,
		       (select max(m.ends_at) from claims m where m.person_id = $1 and m.entitlement_id = e.id and is_live(m)) as had_until
		  from entitlements e
		  left join offered o on o.id = e.id
		 where e.id = any($3)
		 order by e.id`, o.PersonID, o.LikeID, pq.Array(selected))
	if err != nil {
		return nil, fmt.Errorf("look up again what form %s requests: %w", draft.ViewID, err)
	}
	gone, covered := &goneError{}, &CoveredAlready{For: draft.ForName}
	for _, assignment := range assignments {
		switch {
		case !assignment.AccountID.Valid:
			gone.ids, gone.names = append(gone.ids, assignment.EntitlementID), append(gone.names, assignment.Name)
		case assignment.HadUntil.Valid && s.EndsAt.Valid && !s.EndsAt.Time.After(assignment.HadUntil.Time):
			covered.Names = append(covered.Names, assignment.Name)
		}
	}
	switch {
	case len(gone.ids) > 0:
		return nil, gone
	case len(covered.Names) > 0:
		return nil, covered
	}
	return assignments, nil
}

func insertRequest(
	ctx context.Context, tx *sqlx.Tx, draft Draft, s Submission, version int64, assignments []requestedAssignment,
) (number int64, items []int64, err error) {
	var likePerson, likeTitle sql.NullInt64
	like := draft.Mode
	switch draft.Mode {
	case LikePerson:
		likePerson = draft.LikePersonID
	case LikeJobTitle:
		likeTitle = draft.LikeJobTitleID
	case Extend, Again: // a request like any other; the claims of an extension overlap
		like = Custom
	}
	err = tx.GetContext(ctx, &number, `
		insert into access_requests (view_id, requester_id, submitted_by, access_like, like_person_id, like_job_title_id,
		                             ends_at, ends_on, time_zone, reason_key, note, policy_version)
		values ($1, $2, nullif($12::bigint, $2), $3, $4, $5, $6, $7::date, $8, $9, $10, $11)
		returning id`, s.ViewID, draft.RequesterID(), like, likePerson, likeTitle,
		s.EndsAt, day(s.EndsOn), draft.TimeZone, s.ReasonKey, s.Note, version, s.PersonID)
	if err != nil {
		return 0, nil, fmt.Errorf("record the request of form %s: %w", s.ViewID, err)
	}
	var entitlements, accounts, rules []int64
	for _, assignment := range assignments {
		entitlements, accounts = append(entitlements, assignment.EntitlementID), append(accounts, assignment.AccountID.Int64)
		rules = append(rules, int64(assignment.Rule))
	}
	err = tx.SelectContext(ctx, &items, `
		insert into request_items (request_id, entitlement_id, account_id, rule)
		select $1, s.entitlement_id, s.account_id, s.rule
		  from unnest($2::bigint[], $3::bigint[], $4::int[]) as s (entitlement_id, account_id, rule)
		returning id`,
		number, pq.Array(entitlements), pq.Array(accounts), pq.Array(rules))
	if err != nil {
		return 0, nil, fmt.Errorf("record the items of request %d: %w", number, err)
	}
	return number, items, nil
}

// day returns a date without a time, so that no session's time zone shifts it.
func day(t sql.NullTime) sql.NullString {
	return sql.NullString{String: t.Time.Format(time.DateOnly), Valid: t.Valid}
}
