package directory

import (
	"context"
	"time"

	"accessbot/schema"
)

const grantsFile = "grants.csv"

// exportTimeout is how long before the file's last write an export may have read a target, including differences of clocks.
const exportTimeout = time.Hour

func (im *importing) grants() source {
	return source{
		file:     grantsFile,
		required: []string{"email", "application", "key"},
		table:    "import_grants",
		columns:  []string{"email", "application", "key"},
		row: func(s *sheet) []any {
			return []any{
				s.required("email", s.email("email")), s.required("application", s.key("application")), s.required("key", s.key("key")),
			}
		},
		check: im.checkGrants,
		apply: im.applyGrants,
	}
}

func (im *importing) checkGrants(ctx context.Context) error {
	if err := im.refuseDuplicates(ctx, grantsFile, "import_grants", "key", "email", "application", "key"); err != nil {
		return err
	}
	// People who are gone and retired entitlements are known, and the access may still be held.
	if err := im.refuse(ctx, `
		select 'grants.csv', g.line, 'email', 'no person has the e-mail address ' || g.email
		  from import_grants g
		 where not exists (select from import_people s where s.email = g.email)
		   and not exists (select from people p where p.email = g.email)`); err != nil {
		return err
	}
	return im.refuse(ctx, `
		select 'grants.csv', g.line, 'key', format('there is no entitlement %s in application %s', g.key, g.application)
		  from import_grants g
		 where not exists (select from import_entitlements s where s.application = g.application and s.key = g.key)
		   and not exists (select from entitlements e join applications a on a.id = e.application_id
		                    where a.slug = g.application and e.key = g.key)`)
}

// applyGrants turns rows into imported claims, and ends imported claims whose row is no longer there.
//
// An export also shows access that accessbot granted. That access must end when its claim does, and importing the same export
// again is not a reason to keep it. So a row is skipped if its assignment has a claim that came from a request or was revoked,
// unless the target was seen without the access before the export was made. The time the export was made is taken from the
// file's modification time.
func (im *importing) applyGrants(ctx context.Context) error {
	if err := im.exec(ctx, `
		update import_grants g
		   set person_id = p.id, entitlement_id = e.id,
		       account_id = (select c.id from accounts c where c.person_id = p.id and c.instance = e.instance)
		  from people p, applications a, entitlements e
		 where p.email = g.email and a.slug = g.application and e.application_id = a.id and e.key = g.key`); err != nil {
		return err
	}
	if err := im.refuse(ctx, `
		select 'grants.csv', g.line, 'email', format('%s has no account in %s; add one to accounts.csv', g.email, e.instance)
		  from import_grants g join entitlements e on e.id = g.entitlement_id
		 where g.account_id is null`); err != nil {
		return err
	}
	if err := im.problems.refused(); err != nil {
		return err
	}
	if err := im.exec(ctx, `analyze import_grants`); err != nil {
		return err
	}
	if err := im.exec(ctx, `
		update import_grants g set change = case
		    when exists (select from claims c where c.account_id = g.account_id and c.entitlement_id = g.entitlement_id
		                    and c.source = 'imported' and c.ended_at is null) then 'unchanged'
		    when exists (select from claims c where c.account_id = g.account_id and c.entitlement_id = g.entitlement_id
		                    and (c.source = 'request' or c.revoked_at is not null)
		                    and (c.removed_at is null or c.removed_at > $1)) then 'skipped'
		    else 'added' end`, im.written[grantsFile].Add(-exportTimeout)); err != nil {
		return err
	}
	// Unexpected access that the file now names becomes imported: one claim is enough.
	if err := im.exec(ctx, `
		with ended as (
		    update claims c set ended_at = app_now(), end_reason = 'now in grants.csv', due_at = null
		      from import_grants g
		     where c.account_id = g.account_id and c.entitlement_id = g.entitlement_id
		       and c.source = 'unexpected' and c.ended_at is null
		       and g.change = 'added'
		    returning c.id)
		insert into audit_events (actor, action, claim_id, details)
		select 'import', '`+string(schema.ClaimEnded)+`', id, '{"why": "now in grants.csv"}' from ended`); err != nil {
		return err
	}
	// The claims of people who have left are due at once, so that the sweep revokes that access.
	if err := im.exec(ctx, `
		with inserted as (
		    insert into claims (person_id, account_id, entitlement_id, source, granted_at, due_at)
		    select g.person_id, g.account_id, g.entitlement_id, 'imported', app_now(), case when p.status = 'left' then app_now() end
		      from import_grants g join people p on p.id = g.person_id
		     where g.change = 'added'
		     order by g.line
		    returning id, account_id, entitlement_id)
		insert into audit_events (actor, action, claim_id, details)
		select 'import', '`+string(schema.ClaimImported)+`', id,
		       jsonb_build_object('account', account_id, 'entitlement', entitlement_id)
		  from inserted order by id`); err != nil {
		return err
	}
	// An export without the row means that the target was seen without the access. If only claims with an unconfirmed removal
	// are left on the assignment, they become due, and the sweep looks at the target itself.
	var ended int
	if err := im.tx.GetContext(ctx, &ended, `
		with ended as (
		    update claims c set ended_at = app_now(), removed_at = app_now(), end_reason = 'no longer in grants.csv', due_at = null
		     where c.source = 'imported' and c.ended_at is null
		       and not exists (select from import_grants g where g.account_id = c.account_id and g.entitlement_id = c.entitlement_id)
		    returning c.id, c.account_id, c.entitlement_id),
		audited as (
		    insert into audit_events (actor, action, claim_id, details)
		    select 'import', '`+string(schema.ClaimEnded)+`', id, '{"why": "no longer in grants.csv"}' from ended),
		due as (
		    update claims c set due_at = app_now()
		      from ended
		     where c.account_id = ended.account_id and c.entitlement_id = ended.entitlement_id
		       and c.ended_at is not null and c.removed_at is null
		       and not exists (select from claims live
		                        where live.account_id = ended.account_id and live.entitlement_id = ended.entitlement_id
		                          and live.source <> 'imported' and is_live(live)))
		select count(*) from ended`); err != nil {
		return err
	}
	if err := im.tx.GetContext(ctx, &im.summary.Skipped, `select count(*) from import_grants where change = 'skipped'`); err != nil {
		return err
	}
	return im.summarize(ctx, grantsFile, "import_grants", ended, nil)
}
