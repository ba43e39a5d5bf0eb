package directory

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"unicode/utf8"
)

// shorten cuts name to at most longest bytes (0: no limit), between two characters. A hash of the whole name at the end keeps
// long names with the same beginning apart.
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

// checkObjects fills import_objects with the target object of each entitlement after the import. It refuses two entitlements
// for one object, and another object for an entitlement that is held.
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
		       format('%s in %s is already the object of %s/%s%s',
		              target, instance, first_slug, first_key, coalesce(' on line ' || first_line, ''))
		  from (select *, first_value(slug) over same as first_slug, first_value(key) over same as first_key,
		               first_value(line) over same as first_line
		          from import_objects
		        window same as (partition by instance, target order by line nulls first, id)) o
		 where (slug, key) <> (first_slug, first_key)`); err != nil {
		return err
	}
	// The lock keeps out new claims: inserting one needs the entitlement's row.
	if err := im.exec(ctx, `
		select from entitlements where id in (select id from import_objects where moves or place_moves)
		 order by id for update`); err != nil {
		return err
	}
	if err := im.refuse(ctx, `
		select 'applications.csv', place_line, 'instance',
		       format('access is still held in %s (claims not confirmed removed: %s); '
		              'keep that instance, or retire this application and add one with a new slug', instance_before, count(*))
		  from import_objects o join claims c on c.entitlement_id = o.id
		 where o.place_moves and c.removed_at is null
		 group by place_line, instance_before`); err != nil {
		return err
	}
	return im.refuse(ctx, `
		select 'entitlements.csv', line, 'target',
		       format('access is still held through %s (claims not confirmed removed: %s); '
		              'keep that target, or retire this entitlement and add one with a new key', target_before, count(*))
		  from import_objects o join claims c on c.entitlement_id = o.id
		 where o.moves and not o.place_moves and c.removed_at is null
		 group by line, target_before`)
}

// clearObjectNames gives placeholder names to objects that will be renamed or moved, so that they can exchange names.
func (im *importing) clearObjectNames(ctx context.Context) error {
	err := im.exec(ctx, `update entitlements e set target = '~' || e.id from import_objects o where o.id = e.id and o.moves`)
	if err != nil {
		return fmt.Errorf("rename objects: %w", err)
	}
	return nil
}

// nameObjects gives these objects their new names.
func (im *importing) nameObjects(ctx context.Context) error {
	err := im.exec(ctx, `update entitlements e set target = o.target from import_objects o where o.id = e.id and o.moves`)
	if err != nil {
		return fmt.Errorf("rename objects: %w", err)
	}
	return nil
}
