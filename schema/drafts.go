package schema

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"accessbot/schema/policy"
)

// How much of a list one page of the form shows: Slack takes ten checkboxes a group, and a hundred blocks a view.
const (
	PageSize  = 50
	GroupSize = 10
)

// ErrNotOffered says that Slack sent back something that was not offered: broken, or forged.
var ErrNotOffered = errors.New("not offered")

// Draft is the state of an open form.
type Draft struct {
	ViewID          string        `db:"view_id"`
	PersonID        int64         `db:"person_id"`
	ForPersonID     sql.NullInt64 `db:"for_person_id"` // the requester; null: the person
	ForName         string        `db:"for_name"`      // the requester's; empty: the person. Read only
	Mode            string        `db:"mode"`
	LikePersonID    sql.NullInt64 `db:"like_person_id"`    // kept while another mode is shown
	LikeJobTitleID  sql.NullInt64 `db:"like_job_title_id"` // as above
	ExtendsID       sql.NullInt64 `db:"extends_id"`        // the request that is extended or repeated
	LikeName        string        `db:"like_name"`         // of the mode's subject; empty: none. Read only
	ReasonKey       string        `db:"reason_key"`        // of that request. Read only
	Note            string        `db:"note"`              // as above
	Offered         pq.Int64Array `db:"offered"`           // in the order of the list; custom: those shown so far
	Total           int           `db:"total"`             // how many are offered; custom: the whole list
	Chosen          pq.Int64Array `db:"chosen"`
	AllChosen       bool          `db:"all_chosen"`
	ApplicationID   sql.NullInt64 `db:"application_id"`   // the filter
	ApplicationName string        `db:"application_name"` // the filter's; empty: none. Read only
	Search          string        `db:"search"`
	Page            int           `db:"page"`
	Matching        int           `db:"matching"` // how many filter and search leave
	Shown           groups        `db:"shown"`    // the page, group by group
	Generation      int           `db:"generation"`
	OfferGeneration int           `db:"offer_generation"`
	Touched         pq.Int64Array `db:"touched"` // groups of this generation
	Temporary       bool          `db:"temporary"`
	TimeZone        string        `db:"time_zone"` // IANA name
	Revision        int           `db:"revision"`  // to be raised by every change that must be rendered
	ViewHash        string        `db:"view_hash"`
}

// groups are entitlement IDs, a slice for each group of checkboxes.
type groups [][]int64

// Scan implements sql.Scanner.
func (g *groups) Scan(src any) error {
	raw, ok := src.([]byte)
	if !ok {
		return fmt.Errorf("read groups of entitlements from %T", src)
	}
	return json.Unmarshal(raw, g)
}

// RequesterID returns who will get the access.
func (d *Draft) RequesterID() int64 {
	if d.ForPersonID.Valid {
		return d.ForPersonID.Int64
	}
	return d.PersonID
}

// Offer returns what the draft's mode and subject stand for.
func (d *Draft) Offer() Offer {
	o := Offer{PersonID: d.RequesterID(), ReaderID: d.PersonID, Mode: d.Mode}
	switch d.Mode {
	case LikePerson:
		o.LikeID = d.LikePersonID.Int64
	case LikeJobTitle:
		o.LikeID = d.LikeJobTitleID.Int64
	case Extend, Again:
		o.LikeID = d.ExtendsID.Int64
	}
	return o
}

// Pages returns how many pages the list has, at least 1.
func (d *Draft) Pages() int { return max(1, (d.Matching+PageSize-1)/PageSize) }

// Selected returns the entitlements that a submission would request.
func (d *Draft) Selected() []int64 {
	if d.AllChosen {
		return d.Offered
	}
	return d.Chosen
}

// ShownIDs returns the entitlements of the page, in order.
func (d *Draft) ShownIDs() []int64 { return slices.Concat(d.Shown...) }

// MakeOffer looks up what is offered for the draft's mode and subject, and resets the list and the selection.
func (d *Draft) MakeOffer(ctx context.Context, q Queryer) error {
	d.Offered, d.Chosen, d.AllChosen = nil, nil, false
	d.ApplicationID, d.Search, d.Page, d.Total = sql.NullInt64{}, "", 1, 0
	d.OfferGeneration = d.Generation + 1
	if d.Offer().Chosen() {
		var err error
		if d.Mode == Custom {
			d.Total, err = d.Offer().Total(ctx, q)
		} else {
			d.Offered, err = d.Offer().IDs(ctx, q)
			d.Total = len(d.Offered)
		}
		if err != nil {
			return err
		}
	}
	return d.MakeList(ctx, q)
}

// MakeList looks up the page for filter, search and page number. It starts a new generation: checkboxes of an older one no longer
// count.
func (d *Draft) MakeList(ctx context.Context, q Queryer) error {
	d.Generation++
	d.Touched, d.Shown, d.Matching = nil, nil, 0
	if !d.Offer().Chosen() {
		return nil
	}
	filter := Filter{ApplicationID: d.ApplicationID.Int64, Search: d.Search}
	places, matching, err := d.Offer().page(ctx, q, d.Offered, filter, PageSize, (d.Page-1)*PageSize)
	if err != nil {
		return err
	}
	d.Matching = matching
	if d.Page > d.Pages() {
		d.Page = d.Pages()
		return d.MakeList(ctx, q)
	}
	for i, p := range places {
		last := len(d.Shown) - 1
		if i == 0 || places[i-1].ApplicationID != p.ApplicationID || len(d.Shown[last]) == GroupSize {
			d.Shown, last = append(d.Shown, nil), last+1
		}
		d.Shown[last] = append(d.Shown[last], p.EntitlementID)
		if d.Mode == Custom && !slices.Contains(d.Offered, p.EntitlementID) {
			d.Offered = append(d.Offered, p.EntitlementID)
		}
	}
	return nil
}

// Choose sets which checkboxes of a shown group are selected. An empty group that the person did not change keeps its selection:
// Slack sometimes reports checkboxes as empty that it shows as selected. It returns ErrNotOffered for what is not in the group.
func (d *Draft) Choose(group int, ticked []int64, touched bool) error {
	if group < 0 || group >= len(d.Shown) {
		return fmt.Errorf("group %d of %d: %w", group, len(d.Shown), ErrNotOffered)
	}
	for _, id := range ticked {
		if !slices.Contains(d.Shown[group], id) {
			return fmt.Errorf("entitlement %d: %w", id, ErrNotOffered)
		}
	}
	if touched && !slices.Contains(d.Touched, int64(group)) {
		d.Touched = append(d.Touched, int64(group))
	}
	if len(ticked) == 0 && !slices.Contains(d.Touched, int64(group)) {
		return nil
	}
	d.Chosen = slices.DeleteFunc(d.Chosen, func(id int64) bool { return slices.Contains(d.Shown[group], id) })
	d.Chosen = append(d.Chosen, ticked...)
	return nil
}

// OpenDraft creates the draft of a form that was just opened.
func (db *DB) OpenDraft(ctx context.Context, viewID, viewHash string, personID int64, timeZone string) (Draft, error) {
	_, err := db.ExecContext(ctx, `
		insert into form_drafts (view_id, view_hash, person_id, time_zone) values ($1, $2, $3, $4)`,
		viewID, viewHash, personID, timeZone)
	if err != nil {
		return Draft{}, fmt.Errorf("save the draft of form %s: %w", viewID, err)
	}
	return DraftByView(ctx, db, viewID, personID)
}

// OpenEarlier creates the draft of a form that extends what an earlier request of the person granted (Extend), or repeats that
// request for what they lack (Again). All of it is selected at first, or only the given entitlements. It returns ErrNotFound if
// the request is not theirs.
func (db *DB) OpenEarlier(
	ctx context.Context, mode, viewID, viewHash string, personID int64, timeZone string, requestID int64, entitlements ...int64,
) (Draft, error) {
	result, err := db.ExecContext(ctx, `
		insert into form_drafts (view_id, view_hash, person_id, time_zone, mode, extends_id, temporary)
		select $1, $2, $3, $4, $5, id, $5 = 'extend' or ends_at is not null from access_requests where id = $6 and requester_id = $3`,
		viewID, viewHash, personID, timeZone, mode, requestID)
	if err != nil {
		return Draft{}, fmt.Errorf("save the draft of form %s: %w", viewID, err)
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return Draft{}, errors.Join(fmt.Errorf("request %d of person %d: %w", requestID, personID, ErrNotFound), err)
	}
	return db.ChangeDraft(ctx, viewID, personID, func(tx *sqlx.Tx, d *Draft) error {
		if err := d.MakeOffer(ctx, tx); err != nil {
			return err
		}
		for _, id := range d.Offered {
			if len(entitlements) == 0 || slices.Contains(entitlements, id) {
				d.Chosen = append(d.Chosen, id)
			}
		}
		return nil
	})
}

// RequestedBy returns ErrNotFound unless the person is the requester of the request.
func RequestedBy(ctx context.Context, q Queryer, requestID, personID int64) error {
	var is bool
	err := q.GetContext(ctx, &is, `
		select exists (select from access_requests where id = $1 and requester_id = $2)`, requestID, personID)
	if err == nil && !is {
		err = ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("request %d of person %d: %w", requestID, personID, err)
	}
	return nil
}

const selectDraft = `
select d.view_id, d.person_id, d.for_person_id, coalesce(f.name, '') as for_name, d.mode,
       d.like_person_id, d.like_job_title_id, d.extends_id,
       coalesce(case d.mode when 'person' then p.name when 'job_title' then t.name
                            when 'extend' then '#' || d.extends_id when 'again' then '#' || d.extends_id end, '') as like_name,
       coalesce(x.reason_key, '') as reason_key, coalesce(x.note, '') as note,
       d.offered, d.total, d.chosen, d.all_chosen, d.application_id, coalesce(a.name, '') as application_name, d.search, d.page,
       d.matching, d.shown, d.generation, d.offer_generation, d.touched, d.temporary, d.time_zone, d.revision, d.view_hash
  from form_drafts d
  left join people f on f.id = d.for_person_id
  left join people p on p.id = d.like_person_id
  left join job_titles t on t.id = d.like_job_title_id
  left join applications a on a.id = d.application_id
  left join access_requests x on x.id = d.extends_id
 where d.view_id = $1 and d.person_id = $2`

// DraftByView returns ErrNotFound if the person has no such form open: it was submitted or deleted, or is another person's.
func DraftByView(ctx context.Context, q Queryer, viewID string, personID int64) (Draft, error) {
	return draft(ctx, q, selectDraft, viewID, personID)
}

func lockDraft(ctx context.Context, tx *sqlx.Tx, viewID string, personID int64) (Draft, error) {
	return draft(ctx, tx, selectDraft+` for update of d`, viewID, personID)
}

func draft(ctx context.Context, q Queryer, query, viewID string, personID int64) (Draft, error) {
	var d Draft
	if err := q.GetContext(ctx, &d, query, viewID, personID); err != nil {
		return Draft{}, fmt.Errorf("read the draft of form %s: %w", viewID, mapError(err))
	}
	return d, nil
}

// ChangeDraft changes a draft under its row's lock, so that concurrent actions see each other's changes, and returns the result.
// Nothing is saved if change fails. It returns ErrNotFound as DraftByView does.
func (db *DB) ChangeDraft(
	ctx context.Context, viewID string, personID int64, change func(tx *sqlx.Tx, d *Draft) error,
) (Draft, error) {
	var changed Draft
	err := db.InTx(ctx, func(tx *sqlx.Tx) error {
		d, err := lockDraft(ctx, tx, viewID, personID)
		if err != nil {
			return err
		}
		if err := change(tx, &d); err != nil {
			return err
		}
		if err := d.save(ctx, tx); err != nil {
			return err
		}
		changed, err = DraftByView(ctx, tx, viewID, personID)
		return err
	})
	return changed, err
}

func (d *Draft) save(ctx context.Context, tx *sqlx.Tx) error {
	if d.Shown == nil {
		d.Shown = groups{}
	}
	shown, err := json.Marshal(d.Shown)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `
		update form_drafts
		   set mode = $2, like_person_id = $3, like_job_title_id = $4, offered = coalesce($5::bigint[], '{}'), total = $6,
		       chosen = coalesce($7::bigint[], '{}'), all_chosen = $8, application_id = $9, search = $10, page = $11,
		       matching = $12, shown = $13, generation = $14, offer_generation = $15,
		       touched = coalesce($16::bigint[], '{}'), temporary = $17, revision = $18, for_person_id = $19, updated_at = app_now()
		 where view_id = $1`,
		d.ViewID, d.Mode, d.LikePersonID, d.LikeJobTitleID, d.Offered, d.Total, d.Chosen, d.AllChosen, d.ApplicationID, d.Search,
		d.Page, d.Matching, string(shown), d.Generation, d.OfferGeneration, d.Touched, d.Temporary, d.Revision, d.ForPersonID)
	if err != nil {
		return fmt.Errorf("save the draft of form %s: %w", d.ViewID, err)
	}
	return nil
}

// DraftDrawn records Slack's hash of the view that was rendered from this draft. False: the draft has changed since, so the view
// is outdated.
func (db *DB) DraftDrawn(ctx context.Context, d Draft, hash string) (newest bool, err error) {
	var revision int
	err = db.GetContext(ctx, &revision, `
		update form_drafts set view_hash = $2 where view_id = $1 returning revision`, d.ViewID, hash)
	if errors.Is(err, sql.ErrNoRows) {
		return true, nil // submitted in the meantime: nothing to render
	}
	return revision == d.Revision, err
}

// CompleteOffer is everything else that a form shows of a draft.
type CompleteOffer struct {
	Grants           map[int64]Grant // of the page
	AlreadyRequested []AlreadyRequested
	WithoutAccount   []string // applications
	OtherHolders     int      // of the job title, in that mode
	Reasons          []Reason
	Today            time.Time // the database's clock
	ForOthers        bool      // the person may request for someone else
	MaxDays          int       // the longest temporary access, by the policy
}

// Complete reads it, with at most askedLimit grants that are part of open requests.
func (d *Draft) Complete(ctx context.Context, q Queryer, askedLimit int) (CompleteOffer, error) {
	var c CompleteOffer
	var err error
	if c.Reasons, err = Reasons(ctx, q); err != nil {
		return c, err
	}
	if c.Today, err = Now(ctx, q); err != nil {
		return c, err
	}
	if c.ForOthers, err = MayRequestForOthers(ctx, q, d.PersonID); err != nil {
		return c, err
	}
	_, p, err := CurrentPolicy(ctx, q)
	if err != nil {
		return c, err
	}
	c.MaxDays = p.Defaults.MaxDays
	o := d.Offer()
	if !o.Chosen() {
		return c, nil
	}
	if c.Grants, err = o.Grants(ctx, q, d.ShownIDs()); err != nil {
		return c, err
	}
	if err := limitByPolicy(ctx, q, p, o.PersonID, c.Grants, c.Reasons); err != nil {
		return c, err
	}
	if c.AlreadyRequested, err = o.AlreadyRequested(ctx, q, askedLimit); err != nil {
		return c, err
	}
	if c.WithoutAccount, err = o.WithoutAccount(ctx, q); err != nil {
		return c, err
	}
	if d.Mode == LikeJobTitle {
		c.OtherHolders, err = o.OtherHolders(ctx, q)
	}
	return c, err
}

// limitByPolicy shortens the limits of grants to those of the policy, if these apply for every reason and duration: neither is
// selected yet.
func limitByPolicy(
	ctx context.Context, q Queryer, p *policy.Policy, personID int64, grants map[int64]Grant, reasons []Reason,
) error {
	if !slices.ContainsFunc(p.Rules, func(r policy.Rule) bool { return r.Limits.MaxDays > 0 }) {
		return nil
	}
	subjects, err := SubjectsFor(ctx, q, personID, slices.Collect(maps.Keys(grants)), policy.Forever, "")
	if err != nil {
		return err
	}
	for id, g := range grants {
		if days := longestLimit(p, subjects[id], g.MaxDays, reasons); days > 0 {
			g.MaxDays = sql.NullInt64{Int64: int64(days), Valid: true}
			grants[id] = g
		}
	}
	return nil
}

// longestLimit returns the longest limit that may apply, in days; 0: there may be none, or the policy cannot be evaluated.
func longestLimit(p *policy.Policy, about policy.Subject, maxDays sql.NullInt64, reasons []Reason) (longest int) {
	for _, reason := range reasons {
		for _, about.Duration = range []time.Duration{policy.Forever, 24 * time.Hour} {
			about.Purpose = reason.Key
			number, err := p.Evaluate(about)
			if err != nil {
				return 0 // the submission reports it
			}
			rule, err := p.Rule(number)
			if err != nil {
				return 0
			}
			days := limitOf(maxDays, rule)
			if days == 0 {
				return 0
			}
			longest = max(longest, days)
		}
	}
	return longest
}

// SetSubject selects the person or job title of the draft's mode. It returns ErrNotOffered for one that cannot be selected.
func (d *Draft) SetSubject(ctx context.Context, q Queryer, id int64) error {
	subject := sql.NullInt64{Int64: id, Valid: true}
	query := `select exists (select from job_titles where id = $1 and $2::bigint <> 0 and $3::boolean is not null)`
	if d.Mode == LikePerson {
		query = `select exists (select from people where id = $1 and (id <> $2 or $3) and is_active(people))`
	}
	var exists bool
	if err := q.GetContext(ctx, &exists, query, id, d.PersonID, d.ForPersonID.Valid); err != nil {
		return fmt.Errorf("look for %s %d: %w", d.Mode, id, err)
	}
	if !exists || d.Mode == Custom || d.Offer().OfRequest() {
		return fmt.Errorf("%s %d: %w", d.Mode, id, ErrNotOffered)
	}
	if d.Mode == LikePerson {
		d.LikePersonID = subject
	} else {
		d.LikeJobTitleID = subject
	}
	return nil
}

// SetFor selects the requester. It returns ErrNotOffered for a person for whom they may not request.
func (d *Draft) SetFor(ctx context.Context, q Queryer, id int64) error {
	if d.Offer().OfRequest() {
		return fmt.Errorf("change the requester of an earlier request to person %d: %w", id, ErrNotOffered)
	}
	d.ForPersonID = sql.NullInt64{Int64: id, Valid: id != d.PersonID}
	if !d.ForPersonID.Valid {
		return nil
	}
	may, err := mayAskFor(ctx, q, d.PersonID, id)
	if err == nil && !may {
		err = fmt.Errorf("request for person %d: %w", id, ErrNotOffered)
	}
	return err
}

// MayRequestForOthers reports whether the person may request for others: as a manager or an administrator.
func MayRequestForOthers(ctx context.Context, q Queryer, personID int64) (may bool, err error) {
	err = q.GetContext(ctx, &may, `
		select exists (select from people where id = $1 and administrator)
		    or exists (select from people where manager_id = $1 and is_active(people))`, personID)
	if err != nil {
		return false, fmt.Errorf("check whether person %d may request for others: %w", personID, err)
	}
	return may, nil
}

func mayAskFor(ctx context.Context, q Queryer, personID, requesterID int64) (may bool, err error) {
	if err := q.GetContext(ctx, &may, `select may_request_for($1, $2)`, personID, requesterID); err != nil {
		return false, fmt.Errorf("check whether person %d may request for person %d: %w", personID, requesterID, err)
	}
	return may, nil
}

// SetFilter limits the list to one application; null: no filter. It returns ErrNotOffered if there is no such application.
func (d *Draft) SetFilter(ctx context.Context, q Queryer, application sql.NullInt64) error {
	if application.Valid {
		var exists bool
		if err := q.GetContext(ctx, &exists, `select exists (select from applications where id = $1)`, application.Int64); err != nil {
			return fmt.Errorf("look for application %d: %w", application.Int64, err)
		}
		if !exists {
			return fmt.Errorf("application %d: %w", application.Int64, ErrNotOffered)
		}
	}
	d.ApplicationID = application
	return nil
}
