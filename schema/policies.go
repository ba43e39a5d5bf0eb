package schema

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"accessbot/schema/policy"
)

// PolicyVersion is an applied version of the policy.
type PolicyVersion struct {
	Version   int64     `db:"version"`
	Source    string    `db:"source"`
	AppliedAt time.Time `db:"applied_at"`
}

// CurrentPolicy returns the version in force: it evaluates what is submitted now.
func CurrentPolicy(ctx context.Context, q Queryer) (v PolicyVersion, p *policy.Policy, err error) {
	err = q.GetContext(ctx, &v, `select version, source, applied_at from policies order by version desc limit 1`)
	if err != nil {
		return v, nil, fmt.Errorf("read the policy: %w", mapError(err))
	}
	p, err = compiled(v)
	return v, p, err
}

// PolicyOf returns a version of the policy, or ErrNotFound.
func PolicyOf(ctx context.Context, q Queryer, version int64) (*policy.Policy, error) {
	v := PolicyVersion{Version: version}
	if err := q.GetContext(ctx, &v.Source, `select source from policies where version = $1`, version); err != nil {
		return nil, fmt.Errorf("read version %d of the policy: %w", version, mapError(err))
	}
	return compiled(v)
}

// policies are the compiled policies of this process, by the hashes of their sources: versions are few, and never change.
var policies = struct {
	sync.Mutex
	bySum map[[sha256.Size]byte]*policy.Policy
}{bySum: map[[sha256.Size]byte]*policy.Policy{}}

func compiled(v PolicyVersion) (*policy.Policy, error) {
	sum := sha256.Sum256([]byte(v.Source))
	policies.Lock()
	defer policies.Unlock()
	if p := policies.bySum[sum]; p != nil {
		return p, nil
	}
	p, err := policy.Parse(fmt.Sprintf("policy version %d", v.Version), []byte(v.Source))
	if err != nil {
		return nil, fmt.Errorf("compile version %d of the policy: %w", v.Version, err)
	}
	policies.bySum[sum] = p
	return p, nil
}

// ApplyPolicy puts a policy in force. What was submitted before keeps its version. Applying the policy in force again changes
// nothing. The error of a policy with mistakes names all of them.
func (db *DB) ApplyPolicy(ctx context.Context, file string, source []byte) (v PolicyVersion, changed bool, err error) {
	p, err := policy.Parse(file, source)
	if err != nil {
		return v, false, err
	}
	err = db.InTx(ctx, func(tx *sqlx.Tx) error {
		if _, err := tx.ExecContext(ctx, `select pg_advisory_xact_lock(hashtextextended('apply a policy', 0))`); err != nil {
			return fmt.Errorf("lock the policy: %w", err)
		}
		if err := CheckNamed(ctx, tx, p); err != nil {
			return err
		}
		if v, _, err = CurrentPolicy(ctx, tx); err != nil {
			return err
		}
		if v.Source == string(source) {
			return nil
		}
		changed = true
		err := tx.GetContext(ctx, &v, `
			insert into policies (source) values ($1) returning version, source, applied_at`, string(source))
		if err != nil {
			return fmt.Errorf("record the policy: %w", err)
		}
		return Audit(ctx, tx, Event{Actor: "policy", Action: PolicyApplied,
			Details: map[string]any{"version": v.Version, "rules": len(p.Rules)}})
	})
	return v, changed, err
}

// CheckNamed returns an error that lists the addresses in a policy that belong to no active person of the directory.
func CheckNamed(ctx context.Context, q Queryer, p *policy.Policy) error {
	named := p.Named()
	var known []string
	err := q.SelectContext(ctx, &known, `
		select email from people where email = any($1) and is_active(people)`, pq.Array(named))
	if err != nil {
		return fmt.Errorf("look up the people in the policy: %w", err)
	}
	var unknown []policy.Source
	for _, s := range named {
		if !slices.Contains(known, string(s)) && !slices.Contains(unknown, s) {
			unknown = append(unknown, s)
		}
	}
	if len(unknown) > 0 {
		return fmt.Errorf(
			"the policy names %v, who are not active people of the directory: correct the addresses, or import the people first",
			unknown)
	}
	return nil
}

// subject is a policy.Subject as the database holds it.
type subject struct {
	Email         string   `db:"email"`
	Name          string   `db:"name"`
	JobTitle      string   `db:"job_title"`
	Department    string   `db:"department"`
	Manager       string   `db:"manager"`
	Administrator bool     `db:"administrator"`
	Slug          string   `db:"slug"`
	Application   string   `db:"application"`
	Connector     string   `db:"connector"`
	Key           string   `db:"key"`
	Entitlement   string   `db:"entitlement"`
	Kind          string   `db:"kind"`
	Risk          string   `db:"risk"`
	Seconds       *float64 `db:"seconds"` // nil: permanent
	Purpose       string   `db:"purpose"`
}

const selectSubject = `
	   p.email, p.name, coalesce(t.name, '') as job_title, p.department, coalesce(m.email, '') as manager, p.administrator,
	   a.slug, a.name as application, a.connector, e.key, e.name as entitlement, e.kind, e.risk`

const joinSubject = `
  left join job_titles t on t.id = p.job_title_id
  left join people m on m.id = p.manager_id
  join applications a on a.id = e.application_id`

func (s subject) evaluated() policy.Subject {
	about := policy.Subject{
		Requester: policy.Requester{Email: s.Email, Name: s.Name, JobTitle: s.JobTitle, Department: s.Department,
			Manager: s.Manager, Administrator: s.Administrator},
		Application: policy.Application{Slug: s.Slug, Name: s.Application, Connector: s.Connector},
		Entitlement: policy.Entitlement{Key: s.Key, Name: s.Entitlement, Kind: s.Kind, Risk: s.Risk},
		Duration:    policy.Forever,
		Purpose:     s.Purpose,
	}
	if s.Seconds != nil {
		about.Duration = time.Duration(*s.Seconds * float64(time.Second))
	}
	return about
}

// SubjectsFor returns what the policy evaluates if a person requests entitlements now, by entitlement. A zero duration is
// permanent.
func SubjectsFor(
	ctx context.Context, q Queryer, personID int64, entitlements []int64, lasts time.Duration, purpose string,
) (map[int64]policy.Subject, error) {
	var rows []struct {
		ID int64 `db:"id"`
		subject
	}
	err := q.SelectContext(ctx, &rows, `select e.id, `+selectSubject+`, null::float8 as seconds, $3::text as purpose
  from people p cross join entitlements e`+joinSubject+`
 where p.id = $1 and e.id = any($2)`, personID, pq.Array(entitlements), purpose)
	if err != nil {
		return nil, fmt.Errorf("read what the policy evaluates for person %d: %w", personID, err)
	}
	subjects := map[int64]policy.Subject{}
	for _, row := range rows {
		about := row.evaluated()
		if lasts != 0 {
			about.Duration = lasts
		}
		subjects[row.ID] = about
	}
	return subjects, nil
}

// EvaluatedOtherwise returns the submitted items of a request to which a different rule applies now than the recorded one: the
// directory has changed, or someone wrote to the database directly.
func (e Evaluation) EvaluatedOtherwise(ctx context.Context, q Queryer, requestID int64) (items []int64, err error) {
	var rows []struct {
		ID   int64 `db:"id"`
		Rule int   `db:"rule"`
		subject
	}
	err = q.SelectContext(ctx, &rows, `select i.id, i.rule, `+selectSubject+`,
	   extract(epoch from r.ends_at - r.created_at)::float8 as seconds, r.reason_key as purpose
  from request_items i
  join access_requests r on r.id = i.request_id
  join people p on p.id = r.requester_id
  join entitlements e on e.id = i.entitlement_id`+joinSubject+`
 where i.request_id = $1 and i.state = 'submitted'
 order by i.id`, requestID)
	if err != nil {
		return nil, fmt.Errorf("read what the policy evaluates for request %d: %w", requestID, err)
	}
	for _, row := range rows {
		if rule, err := e.Policy.Evaluate(row.evaluated()); err != nil || rule != row.Rule {
			items = append(items, row.ID)
		}
	}
	return items, nil
}

// subjectOfItem returns what the policy evaluates for an item now.
func subjectOfItem(ctx context.Context, q Queryer, itemID int64) (policy.Subject, error) {
	var s subject
	err := q.GetContext(ctx, &s, `select `+selectSubject+`,
	   extract(epoch from r.ends_at - r.created_at)::float8 as seconds, r.reason_key as purpose
  from request_items i
  join access_requests r on r.id = i.request_id
  join people p on p.id = r.requester_id
  join entitlements e on e.id = i.entitlement_id`+joinSubject+`
 where i.id = $1`, itemID)
	if err != nil {
		return policy.Subject{}, fmt.Errorf("read what the policy evaluates for item %d: %w", itemID, mapError(err))
	}
	return s.evaluated(), nil
}
