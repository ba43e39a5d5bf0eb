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

// Submission turns a draft into a request: what the draft does not hold itself.
type Submission struct {
	ViewID    string
	PersonID  int64
	EndsAt    sql.NullTime // null: permanent
	EndsOn    sql.NullTime // the day, when it was chosen without a time
	ReasonKey string
	Note      string
	Quota     Quota
	// LastEnd is the last end that a limit of so many days allows, in the requester's time zone.
	LastEnd func(days int) time.Time
}

// Receipt is what came of a Submission.
type Receipt struct {
	RequestID int64
	Before    bool // the form was submitted before: this is that request
}

// Why a submission is refused, for people to mend.
var (
	ErrNothingChosen = errors.New("nothing is chosen")
	ErrNoSuchReason  = errors.New("not one of the reasons")
	ErrNotEvaluated  = errors.New("the policy cannot evaluate this")
	ErrNotYours      = errors.New("not someone whom the person may ask for")
)

// NoLongerOffered names what was offered when the list was shown, and is not any more: retired, had or asked for meanwhile, or its
// holder lost it. The draft has forgotten it.
type NoLongerOffered struct{ Names []string }

func (e *NoLongerOffered) Error() string { return "no longer offered: " + strings.Join(e.Names, ", ") }

// TooLong names what may not be held for as long as was asked for.
type TooLong struct {
	Limited   []Limited
	Permanent bool // that was asked for
}

// Limited is a grant with its own limit.
type Limited struct {
	Name    string
	MaxDays int // 0: as long as anything, but not permanently
}

// NoteNeeded names what the policy lets no one ask for without a note.
type NoteNeeded struct{ Names []string }

func (e *NoteNeeded) Error() string { return "without a note: " + strings.Join(e.Names, ", ") }

// CoveredAlready names what the person has until the end that was asked for, or longer.
type CoveredAlready struct {
	Names []string
	For   string // the person, where another asks for them; empty: it is who asks
}

func (e *CoveredAlready) Error() string {
	return "had until then already: " + strings.Join(e.Names, ", ")
}

func (e *TooLong) Error() string {
	parts := make([]string, len(e.Limited))
	for i, l := range e.Limited {
		parts[i] = fmt.Sprintf("%s at most %d days", l.Name, l.MaxDays)
	}
	return "too long: " + strings.Join(parts, ", ")
}

// Submit makes the request of a draft, in one transaction that looks again whether all of it is still offered and still missing.
// The view's ID is its key: submitted twice, it is one request. It answers ErrNotFound where there is neither draft nor request,
// ErrNotActive, ErrNotYours, ErrNothingChosen, ErrNoSuchReason, ErrEndPassed, ErrNotEvaluated, *OverQuota, *NoLongerOffered, *TooLong,
// *NoteNeeded or *CoveredAlready.
func (db *DB) Submit(ctx context.Context, s Submission) (Receipt, error) {
	var receipt Receipt
	err := db.InTx(ctx, func(tx *sqlx.Tx) error {
		var err error
		receipt, err = submit(ctx, tx, s)
		return err
	})
	var gone *noLonger
	if !errors.As(err, &gone) {
		return receipt, err
	}
	_, forget := db.ChangeDraft(ctx, s.ViewID, s.PersonID, func(_ *sqlx.Tx, d *Draft) error {
		vanished := func(id int64) bool { return slices.Contains(gone.ids, id) }
		d.Chosen = slices.DeleteFunc(d.Chosen, vanished)
		if d.AllChosen {
			d.Offered = slices.DeleteFunc(d.Offered, vanished)
			d.Total = len(d.Offered)
		}
		return nil
	})
	return receipt, errors.Join(&NoLongerOffered{Names: gone.names}, forget)
}

// noLonger carries out of the transaction what the draft has to forget.
type noLonger struct {
	ids   []int64
	names []string
}

func (*noLonger) Error() string { return "no longer offered" }

func submit(ctx context.Context, tx *sqlx.Tx, s Submission) (Receipt, error) {
	draft, err := lockDraft(ctx, tx, s.ViewID, s.PersonID)
	if errors.Is(err, ErrNotFound) {
		return submittedBefore(ctx, tx, s)
	}
	if err != nil {
		return Receipt{}, err
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
		return Receipt{}, fmt.Errorf("forget the draft: %w", err)
	}
	err = Audit(ctx, tx, Event{Actor: "person", PersonID: s.PersonID, Action: RequestSubmitted, RequestID: number,
		Details: map[string]any{"like": draft.Mode, "like_id": draft.Offer().LikeID, "items": items, "all": draft.AllChosen, "policy": version, "for": draft.RequesterID()}})
	if err != nil {
		return Receipt{}, err
	}
	return Receipt{RequestID: number}, decideByPolicy(ctx, tx, number, p)
}

// submittedBefore answers the request of a form that has no draft any more, or ErrNotFound.
func submittedBefore(ctx context.Context, q Queryer, s Submission) (Receipt, error) {
	r := Receipt{Before: true}
	err := q.GetContext(ctx, &r.RequestID, `select id from access_requests where view_id = $1 and coalesce(submitted_by, requester_id) = $2`, s.ViewID, s.PersonID)
	if err != nil {
		return Receipt{}, fmt.Errorf("the request of form %s: %w", s.ViewID, refusal(err))
	}
	return r, nil
}

// lockSubmissions lets the submissions by one person, and those for one person, follow each other: two forms must not ask for
// the same at once, nor pass a quota. In one order, so that no two wait for each other.
func lockSubmissions(ctx context.Context, tx *sqlx.Tx, draft Draft) error {
	_, err := tx.ExecContext(ctx, `
		select pg_advisory_xact_lock(hashtextextended('submit ' || p.id, 0)) from (select $1::bigint as id union select $2 order by id) p`,
		draft.PersonID, draft.RequesterID())
	if err != nil {
		return fmt.Errorf("wait for other submissions: %w", err)
	}
	return nil
}

// checkSubmitter answers why the one who fills in a draft may not ask for its requester: ErrNotActive, or ErrNotYours.
func checkSubmitter(ctx context.Context, tx *sqlx.Tx, draft Draft) error {
	person, err := PersonByID(ctx, tx, draft.PersonID)
	if err != nil {
		return err
	}
	if !person.Active() {
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

// evaluate finds the rule of the policy for each assignment.
func evaluate(ctx context.Context, tx *sqlx.Tx, requesterID int64, s Submission, assignments []requestedAssignment) (version int64, p *policy.Policy, err error) {
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
	for n, assignment := range assignments {
		entitlements[n] = assignment.EntitlementID
	}
	subjects, err := SubjectsFor(ctx, tx, requesterID, entitlements, lasts, s.ReasonKey)
	if err != nil {
		return 0, nil, err
	}
	for n, assignment := range assignments {
		if assignments[n].Rule, err = p.Evaluate(subjects[assignment.EntitlementID]); err != nil {
			return 0, nil, errors.Join(fmt.Errorf("%s: %w", assignment.Name, ErrNotEvaluated), err)
		}
	}
	return v.Version, p, nil
}

// checkLimits holds what is asked for against the limits of the entitlements and of the rules that evaluate them.
func checkLimits(s Submission, p *policy.Policy, assignments []requestedAssignment) error {
	long, noted := &TooLong{Permanent: !s.EndsAt.Valid}, &NoteNeeded{}
	for _, assignment := range assignments {
		rule, err := p.Rule(assignment.Rule)
		if err != nil {
			return err
		}
		if rule.Deny != "" {
			continue // the requester is told that it is denied, and why
		}
		days := limitOf(assignment.MaxDays, rule)
		switch {
		case !s.EndsAt.Valid && (days > 0 || rule.Limits.NoPermanent), s.EndsAt.Valid && days > 0 && s.EndsAt.Time.After(s.LastEnd(days)):
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

// limitOf is for how many days an entitlement may be held that a rule evaluates: the shorter of both limits; 0: neither has one.
func limitOf(maxDays sql.NullInt64, rule *policy.Rule) int {
	days := int(maxDays.Int64)
	if limit := rule.Limits.MaxDays; limit > 0 && (days == 0 || limit < days) {
		days = limit
	}
	return days
}

// LimitsOf answers the limits of a request's items, in days by item: the entitlement's own, or a shorter one of the rule
// that evaluated the item. Items without a limit are left out.
func LimitsOf(ctx context.Context, q Queryer, r *Request) (map[int64]int, error) {
	p, err := PolicyOf(ctx, q, r.PolicyVersion)
	if err != nil {
		return nil, fmt.Errorf("the limits of request %d: %w", r.ID, err)
	}
	limits := map[int64]int{}
	for _, i := range r.Items {
		rule, err := p.Rule(i.Rule)
		if err != nil {
			return nil, fmt.Errorf("the limits of request %d: %w", r.ID, err)
		}
		if days := limitOf(i.MaxDays, rule); days > 0 {
			limits[i.ID] = days
		}
	}
	return limits, nil
}

// decideByPolicy records what rules of the policy decide by themselves.
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
			decisions = append(decisions, Decision{ItemID: i.ID, Stage: 1, Stages: 1, RequiredApprovals: 1, Basis: rule.Name, Verdict: verdictOf(rule.Approve),
				Reason: rule.Deny, EndsAt: request.EndsAt})
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
		return fmt.Errorf("look at the terms: %w", err)
	case !reason:
		return ErrNoSuchReason
	case ended:
		return ErrEndPassed
	}
	return nil
}

// requestedAssignment is one entitlement with the account to be granted it.
type requestedAssignment struct {
	EntitlementID int64         `db:"id"`
	Name          string        `db:"name"`
	MaxDays       sql.NullInt64 `db:"max_days"`
	AccountID     sql.NullInt64 `db:"account_id"` // null: no longer offered
	HadUntil      sql.NullTime  `db:"had_until"`  // null: not had at all
	Rule          int           `db:"-"`          // of the policy, that evaluates it
}

// stillOffered looks everything up again that the draft asks for.
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
		       (select max(m.ends_at) from claims m where m.person_id = $1 and m.entitlement_id = e.id and `+live("m")+`) as had_until
		  from entitlements e
		  left join offered o on o.id = e.id
		 where e.id = any($3)
		 order by e.id`, o.PersonID, o.LikeID, pq.Array(selected))
	if err != nil {
		return nil, fmt.Errorf("look up again what form %s asks for: %w", draft.ViewID, err)
	}
	gone, covered := &noLonger{}, &CoveredAlready{For: draft.ForName}
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

func insertRequest(ctx context.Context, tx *sqlx.Tx, draft Draft, s Submission, version int64, assignments []requestedAssignment) (number int64, items []int64, err error) {
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
		insert into access_requests (view_id, requester_id, submitted_by, access_like, like_person_id, like_job_title_id, ends_at, ends_on, time_zone, reason_key, note, policy_version)
		values ($1, $2, nullif($12::bigint, $2), $3, $4, $5, $6, $7::date, $8, $9, $10, $11)
		returning id`, s.ViewID, draft.RequesterID(), like, likePerson, likeTitle, s.EndsAt, day(s.EndsOn), draft.TimeZone, s.ReasonKey, s.Note, version, s.PersonID)
	if err != nil {
		return 0, nil, fmt.Errorf("record the request of form %s: %w", s.ViewID, err)
	}
	var entitlements, accounts, rules []int64
	for _, assignment := range assignments {
		entitlements, accounts, rules = append(entitlements, assignment.EntitlementID), append(accounts, assignment.AccountID.Int64), append(rules, int64(assignment.Rule))
	}
	err = tx.SelectContext(ctx, &items, `
		insert into request_items (request_id, entitlement_id, account_id, rule)
		select $1, s.entitlement_id, s.account_id, s.rule from unnest($2::bigint[], $3::bigint[], $4::int[]) as s (entitlement_id, account_id, rule)
		returning id`,
		number, pq.Array(entitlements), pq.Array(accounts), pq.Array(rules))
	if err != nil {
		return 0, nil, fmt.Errorf("record what request %d asks for: %w", number, err)
	}
	return number, items, nil
}

// day is a date without a time, so that no session's time zone moves it.
func day(t sql.NullTime) sql.NullString {
	return sql.NullString{String: t.Time.Format(time.DateOnly), Valid: t.Valid}
}
