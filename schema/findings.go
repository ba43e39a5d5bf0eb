package schema

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
)

// ComparisonLock lets one worker at a time compare a target.
func ComparisonLock(instance string) Lock { return Lock("comparison:" + instance) }

// ComparisonsDue returns the targets whose comparison is due, the longest due first.
func ComparisonsDue(ctx context.Context, q Queryer) ([]Instance, error) {
	var due []Instance
	err := q.SelectContext(ctx, &due, `
		select i.instance, i.connector from (select distinct instance, connector from applications where gone_at is null) i
		  left join comparisons d on d.instance = i.instance
		 where coalesce(d.next_at, '-infinity') <= app_now()
		 order by d.next_at nulls first`)
	if err != nil {
		return nil, fmt.Errorf("find targets to compare: %w", err)
	}
	return due, nil
}

// Comparison compares a target with the claims, on a pinned connection with a temporary table of what the target lists.
type Comparison struct {
	conn     *sqlx.Conn
	instance string
	started  time.Time
	listed   int64
}

// changeDelay is how long a change may take to appear in what a target lists.
const changeDelay = 5 * time.Minute

// StartComparison starts a comparison. The next one is due after every, even if this one fails.
func StartComparison(ctx context.Context, conn *sqlx.Conn, instance string, every time.Duration) (*Comparison, error) {
	p := &Comparison{conn: conn, instance: instance}
	err := conn.GetContext(ctx, &p.started, `
		insert into comparisons (instance, started_at, next_at) values ($1, app_now(), app_now() + $2 * interval '1 second')
		on conflict (instance) do update set started_at = excluded.started_at, next_at = excluded.next_at
		returning started_at`, instance, every.Seconds())
	if err != nil {
		return nil, fmt.Errorf("compare %s: %w", instance, err)
	}
	for _, statement := range []string{
		`create temporary table if not exists listed_assignments (account text not null, object text not null)`,
		`truncate listed_assignments`,
	} {
		if _, err := conn.ExecContext(ctx, statement); err != nil {
			return nil, fmt.Errorf("compare %s: %w", instance, err)
		}
	}
	return p, nil
}

// Listed adds a batch of what the target lists, in the target's names: accounts[i] has objects[i].
func (p *Comparison) Listed(ctx context.Context, accounts, objects []string) error {
	_, err := p.conn.ExecContext(ctx, `
		insert into listed_assignments select * from unnest($1::text[], $2::text[])`, pq.Array(accounts), pq.Array(objects))
	if err != nil {
		return fmt.Errorf("compare %s: %w", p.instance, err)
	}
	p.listed += int64(len(accounts))
	return nil
}

// Failed records why a comparison did not finish. Its list is not used: an incomplete one would show missing access.
func (p *Comparison) Failed(ctx context.Context, problem string) error {
	_, err := p.conn.ExecContext(ctx, `update comparisons set problem = $2 where instance = $1`, p.instance, problem)
	if err != nil {
		return fmt.Errorf("compare %s: %w", p.instance, err)
	}
	return nil
}

// ComparisonResult is the result of a comparison.
type ComparisonResult struct {
	Listed     int64 `db:"listed"`
	Unexpected int64 `db:"unexpected"` // held without a claim, in at least two comparisons in a row
	Missing    int64 `db:"missing"`    // claimed and not held, likewise
	Reported   int64 `db:"reported"`   // by this comparison
	Corrected  int64 `db:"corrected"`
}

// Limits of one comparison. What exceeds them waits for the next one.
const (
	maxReported  = 1000 // of one target
	maxCorrected = 20   // of one application; more than that is probably a mistake, and only reported
	minPasses    = 2    // comparisons in a row that must see a finding: access may change while the target is read
)

// Finish compares the list with the claims, reports new findings to the owners, and starts their correction where the
// application is set to correct.
func (p *Comparison) Finish(ctx context.Context) (found ComparisonResult, err error) {
	tx, err := p.conn.BeginTxx(ctx, nil)
	if err != nil {
		return found, fmt.Errorf("compare %s: %w", p.instance, err)
	}
	defer tx.Rollback() //nolint:errcheck // after a commit it has nothing to do, after an error that error is the one to tell
	for _, statement := range []string{
		longTimeouts,
		`create index if not exists listed_assignments_by_name on listed_assignments (object, account)`,
		`analyze listed_assignments`,
	} {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return found, fmt.Errorf("compare %s: %w", p.instance, err)
		}
	}
	for _, statement := range []string{unexpected, missing} {
		if _, err := tx.ExecContext(ctx, statement, p.instance, p.started, changeDelay.Seconds()); err != nil {
			return found, fmt.Errorf("compare %s: %w", p.instance, err)
		}
	}
	_, err = tx.ExecContext(ctx, `
		with gone as (
		    update findings set gone_at = app_now() where instance = $1 and gone_at is null and last_seen_at < $2
		    returning entitlement_id, account, kind, notification_id)
		insert into audit_events (actor, action, details)
		select 'sweep', '`+string(FindingClosed)+`',
		       jsonb_build_object('instance', $1::text, 'entitlement', entitlement_id, 'account', account, 'kind', kind)
		  from gone where notification_id is not null -- it was reported`, p.instance, p.started)
	if err != nil {
		return found, fmt.Errorf("close findings in %s: %w", p.instance, err)
	}
	if err := p.correct(ctx, tx, &found); err != nil {
		return found, fmt.Errorf("correct findings in %s: %w", p.instance, err)
	}
	if err := p.report(ctx, tx, &found); err != nil {
		return found, fmt.Errorf("report findings in %s: %w", p.instance, err)
	}
	err = tx.GetContext(ctx, &found, `
		with pass as (update comparisons set finished_at = app_now(), listed = $2, problem = '' where instance = $1)
		select $2::bigint as listed,
		       count(*) filter (where kind = 'unexpected') as unexpected, count(*) filter (where kind = 'missing') as missing,
		       $4::bigint as reported, $5::bigint as corrected
		  from findings where instance = $1 and gone_at is null and passes >= $3`,
		p.instance, p.listed, minPasses, found.Reported, found.Corrected)
	if err != nil {
		return found, fmt.Errorf("compare %s: %w", p.instance, err)
	}
	if err := tx.Commit(); err != nil {
		return found, fmt.Errorf("compare %s: %w", p.instance, err)
	}
	return found, nil
}

const unexpected = `
insert into findings (instance, entitlement_id, account, account_id, kind)
select distinct e.instance, e.id, l.account, a.id, 'unexpected'
  from listed_assignments l
  join entitlements e on e.instance = $1 and e.target = l.object and e.gone_at is null
  left join accounts a on a.instance = $1 and a.account = l.account
 where not exists (select from claims c where c.account_id = a.id and c.entitlement_id = e.id
                      and (c.removed_at is null or c.removed_at > $2::timestamptz - $3 * interval '1 second'))
on conflict (entitlement_id, account, kind) where gone_at is null do update
   set last_seen_at = app_now(), passes = findings.passes + 1, account_id = excluded.account_id`

const missing = `
insert into findings (instance, entitlement_id, account, account_id, kind)
select distinct e.instance, e.id, a.account, a.id, 'missing'
  from entitlements e
  join claims c on c.entitlement_id = e.id and c.removed_at is null
  join accounts a on a.id = c.account_id
 where e.instance = $1 and is_live(c)
   and c.granted_at < $2::timestamptz - $3 * interval '1 second'
   and not exists (select from listed_assignments l where l.object = e.target and l.account = a.account)
on conflict (entitlement_id, account, kind) where gone_at is null do update
   set last_seen_at = app_now(), passes = findings.passes + 1`

// correct makes unexpected access, and missing access that a request granted, due for reconciling: see PlanAssignment.
func (p *Comparison) correct(ctx context.Context, tx *sqlx.Tx, found *ComparisonResult) error {
	var corrected []struct {
		ID            int64 `db:"id"`
		AccountID     int64 `db:"account_id"`
		EntitlementID int64 `db:"entitlement_id"`
		PersonID      int64 `db:"person_id"`
		Unexpected    bool  `db:"unexpected"`
	}
	err := tx.SelectContext(ctx, &corrected, `
		with wrong as (
		    select d.id, d.account_id, d.entitlement_id, a.person_id, d.kind = 'unexpected' as unexpected,
		           count(*) over (partition by e.application_id, d.kind) as many
		      from findings d
		      join entitlements e on e.id = d.entitlement_id
		      join applications p on p.id = e.application_id and p.on_finding = 'correct'
		      join accounts a on a.id = d.account_id
		     where d.instance = $1 and d.gone_at is null and d.passes >= $2 and d.corrected_at is null
		       and (d.kind = 'unexpected'
		            or exists (select from claims c where c.account_id = d.account_id and c.entitlement_id = d.entitlement_id
		                          and c.source = 'request' and c.ended_at is null)))
		update findings d set corrected_at = app_now() from wrong w where w.id = d.id and w.many <= $3
		returning d.id, d.account_id, d.entitlement_id, w.person_id, w.unexpected`, p.instance, minPasses, maxCorrected)
	if err != nil {
		return err
	}
	var events []Event
	for _, c := range corrected { // few: see maxCorrected
		events = append(events, Event{Actor: "sweep", Action: FindingCorrected,
			Details: map[string]any{"instance": p.instance, "entitlement": c.EntitlementID, "account": c.AccountID,
				"person": c.PersonID, "revoked": c.Unexpected}})
		if c.Unexpected {
			_, err = tx.ExecContext(ctx, `
				insert into claims (person_id, account_id, entitlement_id, source, granted_at, ended_at, end_reason, due_at)
				select $1, $2, $3, 'correction', app_now(), app_now(), 'no claim explains it', app_now()
				 where not exists (select from claims c where c.account_id = $2 and c.entitlement_id = $3 and c.removed_at is null)`,
				c.PersonID, c.AccountID, c.EntitlementID)
		} else {
			err = MarkDoubtful(ctx, tx, Assignment{AccountID: c.AccountID, EntitlementID: c.EntitlementID})
		}
		if err != nil {
			return mapError(err)
		}
	}
	found.Corrected = int64(len(corrected))
	return Audit(ctx, tx, events...)
}

// report audits new findings, and opens a notification for the owners of each application.
func (p *Comparison) report(ctx context.Context, tx *sqlx.Tx, found *ComparisonResult) error {
	var findings []struct {
		ID            int64         `db:"id"`
		ApplicationID int64         `db:"application_id"`
		EntitlementID int64         `db:"entitlement_id"`
		Account       string        `db:"account"`
		Kind          string        `db:"kind"`
		Corrected     bool          `db:"corrected"`
		PersonID      sql.NullInt64 `db:"person_id"`
	}
	err := tx.SelectContext(ctx, &findings, `
		select d.id, e.application_id, d.entitlement_id, d.account, d.kind, d.corrected_at is not null as corrected, a.person_id
		  from findings d join entitlements e on e.id = d.entitlement_id left join accounts a on a.id = d.account_id
		 where d.instance = $1 and d.gone_at is null and d.notification_id is null and d.passes >= $2
		 order by e.application_id, d.id limit $3`, p.instance, minPasses, maxReported)
	if err != nil {
		return err
	}
	byApplication := map[int64][]int64{}
	for _, d := range findings {
		byApplication[d.ApplicationID] = append(byApplication[d.ApplicationID], d.ID)
		err := Audit(ctx, tx, Event{Actor: "sweep", Action: FindingReported, Alert: true,
			Details: map[string]any{"kind": d.Kind, "instance": p.instance, "entitlement": d.EntitlementID, "account": d.Account,
				"person": d.PersonID.Int64, "corrected": d.Corrected}})
		if err != nil {
			return err
		}
	}
	for application, ids := range byApplication {
		_, err := tx.ExecContext(ctx, `
			with opened as (insert into notifications (kind, application_id) values ('finding', $1) returning id)
			update findings d set notification_id = opened.id from opened where d.id = any($2)`, application, pq.Array(ids))
		if err != nil {
			return err
		}
	}
	found.Reported = int64(len(findings))
	return nil
}

// Finding is one difference between a target and the claims.
type Finding struct {
	Kind            string        `db:"kind"` // unexpected or missing
	ApplicationName string        `db:"application_name"`
	Account         string        `db:"account"`
	PersonName      string        `db:"person_name"` // empty: the account is not in the directory
	EntitlementName string        `db:"entitlement_name"`
	RequestID       sql.NullInt64 `db:"request_id"` // of the latest claim, if access is missing
	Corrected       bool          `db:"corrected"`
	FirstSeenAt     time.Time     `db:"first_seen_at"`
}

// FindingReport is the content of one notification.
type FindingReport struct {
	ApplicationName string
	Corrects        bool      // the application is set to correct findings
	Findings        []Finding // the first of them
	Unexpected      int       // how many in all
	Missing         int
}

const selectFinding = `
		select d.kind, d.account, coalesce(h.name, '') as person_name, p.name as application_name, e.name as entitlement_name,
		       d.corrected_at is not null as corrected, d.first_seen_at,
		       (select i.request_id from claims c join request_items i on i.id = c.item_id
		         where d.kind = 'missing' and c.account_id = d.account_id and c.entitlement_id = d.entitlement_id
		         order by c.id desc limit 1) as request_id
		  from findings d
		  join entitlements e on e.id = d.entitlement_id
		  join applications p on p.id = e.application_id
		  left join accounts a on a.id = d.account_id
		  left join people h on h.id = a.person_id`

// FindingsOf returns the content of a notification, with at most shown of its findings.
func FindingsOf(ctx context.Context, q Queryer, notificationID int64, shown int) (FindingReport, error) {
	var r FindingReport
	var head struct {
		Name       string `db:"name"`
		Corrects   bool   `db:"corrects"`
		Unexpected int    `db:"unexpected"`
		Missing    int    `db:"missing"`
	}
	err := q.GetContext(ctx, &head, `
		select p.name, p.on_finding = 'correct' as corrects,
		       count(*) filter (where d.kind = 'unexpected') as unexpected, count(*) filter (where d.kind = 'missing') as missing
		  from notifications n join applications p on p.id = n.application_id left join findings d on d.notification_id = n.id
		 where n.id = $1 group by p.id`, notificationID)
	if err != nil {
		return r, fmt.Errorf("read the findings of notification %d: %w", notificationID, mapError(err))
	}
	r.ApplicationName, r.Corrects, r.Unexpected, r.Missing = head.Name, head.Corrects, head.Unexpected, head.Missing
	err = q.SelectContext(ctx, &r.Findings, selectFinding+`
		 where d.notification_id = $1 order by d.id limit $2`, notificationID, shown)
	if err != nil {
		return r, fmt.Errorf("read the findings of notification %d: %w", notificationID, err)
	}
	return r, nil
}

// NamesOf returns assignments of a target as rows of grants.csv.
func NamesOf(ctx context.Context, q Queryer, instance string, accounts, objects []string) (rows [][3]string, err error) {
	var names []struct {
		Email       string `db:"email"`
		Application string `db:"application"`
		Key         string `db:"key"`
	}
	err = q.SelectContext(ctx, &names, `
		select h.email, p.slug as application, e.key
		  from unnest($2::text[], $3::text[]) with ordinality l(account, object, n)
		  join accounts a on a.instance = $1 and a.account = l.account
		  join people h on h.id = a.person_id
		  join entitlements e on e.instance = $1 and e.target = l.object
		  join applications p on p.id = e.application_id
		 order by l.n`, instance, pq.Array(accounts), pq.Array(objects))
	if err != nil {
		return nil, fmt.Errorf("find the names of what %s lists: %w", instance, err)
	}
	for _, n := range names {
		rows = append(rows, [3]string{n.Email, n.Application, n.Key})
	}
	return rows, nil
}

// ErrNoInstance says that the directory has no such target.
var ErrNoInstance = errors.New("no such target in the directory")

// InstanceNamed returns a target of the directory, or ErrNoInstance.
func InstanceNamed(ctx context.Context, q Queryer, name string) (Instance, error) {
	var i Instance
	err := q.GetContext(ctx, &i, `
		select distinct instance, connector from applications where gone_at is null and instance = $1`, name)
	if errors.Is(err, sql.ErrNoRows) {
		return i, fmt.Errorf("%s: %w", name, ErrNoInstance)
	}
	if err != nil {
		return i, fmt.Errorf("find target %s: %w", name, err)
	}
	return i, nil
}

// FindingsFor returns the open, reported findings in what a person owns, the newest first.
func FindingsFor(ctx context.Context, q Queryer, personID int64, limit, offset int) (findings []Finding, total int, err error) {
	ids, total, err := pageOf(ctx, q, `
		select d.id, count(*) over () as total
		  from findings d
		  join entitlements e on e.id = d.entitlement_id
		  join applications p on p.id = e.application_id and p.gone_at is null -- a gone application has no owners
		 where d.gone_at is null and d.notification_id is not null and `+looksAfter+`
		 order by d.id desc`, personID, limit, offset)
	if err == nil && len(ids) > 0 {
		err = q.SelectContext(ctx, &findings, selectFinding+` where d.id = any($1) order by d.id desc`, ids)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("find the findings for owner %d: %w", personID, err)
	}
	return findings, total, nil
}
