package directory

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"unicode/utf8"
)

// shorten makes name fit into longest bytes (0: any): cut between two characters, with a hash of the whole at its end,
// so that two long names that begin alike stay two.
func shorten(name string, longest int) string {
	if longest == 0 || len(name) <= longest {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	mark := "~" + hex.EncodeToString(sum[:4])
	cut := longest - len(mark)
	for cut > 0 && !utf8.RuneStart(name[cut]) {
		cut--
	}
	return name[:cut] + mark
}

// checkObjects works out which object of which target every entitlement will stand for, in import_objects, and refuses
// two for one object, and another object under someone's access.
func (im *importing) checkObjects(ctx context.Context) error {
	if err := im.exec(ctx, `
		create temporary table import_objects on commit drop as
		with place as (
		    select coalesce(a.slug, s.slug) as slug, a.connector as connector_before, coalesce(s.connector, a.connector) as connector,
		           coalesce(s.instance, a.instance) as instance, s.line
		      from applications a full join import_applications s on s.slug = a.slug),
		known as (
		    select e.*, a.slug from entitlements e join applications a on a.id = e.application_id),
		object as (
		    select e.id, coalesce(e.slug, s.application) as slug, coalesce(e.key, s.key) as key, s.line,
		           e.instance as instance_before, e.target as target_before,
		           case when s.line is null or e.id is not null and not s.target_given then e.target else s.target end as target
		      from known e full join import_entitlements s on s.application = e.slug and s.key = e.key)
		select o.*, p.instance, p.line as place_line,
		       o.id is not null and (o.instance_before, o.target_before) is distinct from (p.instance, o.target) as moves,
		       o.id is not null and (p.connector_before, o.instance_before) is distinct from (p.connector, p.instance) as place_moves
		  from object o join place p on p.slug = o.slug`); err != nil {
		return err
	}
	if err := im.exec(ctx, `analyze import_objects`); err != nil {
		return err
	}
	if err := im.refuse(ctx, `
		select case when line is null then 'applications.csv' else 'entitlements.csv' end, coalesce(line, place_line),
		       case when line is null then 'instance' else 'target' end,
		       format('%s of %s is the object of %s/%s already%s', target, instance, first_slug, first_key, coalesce(' on line ' || first_line, ''))
		  from (select *, first_value(slug) over same as first_slug, first_value(key) over same as first_key, first_value(line) over same as first_line
		          from import_objects
		        window same as (partition by instance, target order by line nulls first, id)) o
		 where (slug, key) <> (first_slug, first_key)`); err != nil {
		return err
	}
	// The lock keeps a claim from being made in the meantime: inserting one needs the entitlement's row.
	if err := im.exec(ctx, `
		select from entitlements where id in (select id from import_objects where moves or place_moves) order by id for update`); err != nil {
		return err
	}
	if err := im.refuse(ctx, `
		select 'applications.csv', place_line, 'instance',
		       format('has claims that are not confirmed removed, %s of them, in %s: leave it there, or retire it and add a new slug', count(*), instance_before)
		  from import_objects o join claims c on c.entitlement_id = o.id
		 where o.place_moves and c.removed_at is null
		 group by place_line, instance_before`); err != nil {
		return err
	}
	return im.refuse(ctx, `
		select 'entitlements.csv', line, 'target',
		       format('has claims that are not confirmed removed, %s of them, on %s: leave that as it is, or retire it and add a new key', count(*), target_before)
		  from import_objects o join claims c on c.entitlement_id = o.id
		 where o.moves and not o.place_moves and c.removed_at is null
		 group by line, target_before`)
}

// unnameObjects gets objects that are about to change names, or to move with their application, out of each other's way.
func (im *importing) unnameObjects(ctx context.Context) error {
	err := im.exec(ctx, `update entitlements e set target = '~' || e.id from import_objects o where o.id = e.id and o.moves`)
	if err != nil {
		return fmt.Errorf("rename objects: %w", err)
	}
	return nil
}

// nameObjects grants them the names that they will have.
func (im *importing) nameObjects(ctx context.Context) error {
	err := im.exec(ctx, `update entitlements e set target = o.target from import_objects o where o.id = e.id and o.moves`)
	if err != nil {
		return fmt.Errorf("rename objects: %w", err)
	}
	return nil
}
