package schema

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"strings"

	"github.com/jmoiron/sqlx"
)

// The rules are the views, functions and triggers: rules/<table>.sql has those of a table, as they are today. Every migrate
// replaces them all. A file may name tables, and functions of any file within a function's body, which is not checked. What a
// trigger or view names must be in its own file or one before it, in the order of their names.
//
//go:embed rules/*.sql
var rules embed.FS

// prepareRules: a running system may hold locks on the tables, and everything else waits behind us while we wait for it.
const prepareRules = `
	set local search_path = public, pg_temp;
	set local check_function_bodies = off;
	set local lock_timeout = '10s';
	select pg_advisory_xact_lock(1635083369)`

// closeTriggers: trigger functions run as the owner, and a role that may execute one can fire it from a temporary table of its own,
// so no role may. Triggers fire all the same.
const closeTriggers = `
	do $$
	declare
	    f regprocedure;
	begin
	    for f in select oid from pg_proc where pronamespace = 'public'::regnamespace and prorettype = 'trigger'::regtype loop
	        execute format('revoke execute on function %s from public', f);
	    end loop;
	end $$`

// leftovers are the statements that drop the triggers, views and functions that no file defines: those whose catalog row this
// transaction has not written. An extension's are left alone.
const leftovers = `
	with ours as (
	    select 1 as step, format('drop trigger %I on %s', t.tgname, t.tgrelid::regclass) as statement
	      from pg_trigger t join pg_class c on c.oid = t.tgrelid
	     where c.relnamespace = 'public'::regnamespace and not t.tgisinternal and t.xmin <> pg_current_xact_id()::xid
	    union all
	    select 2, 'drop view ' || string_agg(c.oid::regclass::text, ', ')
	      from pg_class c join pg_rewrite r on r.ev_class = c.oid
	     where c.relnamespace = 'public'::regnamespace and c.relkind = 'v' and r.xmin <> pg_current_xact_id()::xid
	       and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
	    union all
	    select 3, 'drop routine ' || string_agg(p.oid::regprocedure::text, ', ')
	      from pg_proc p
	     where p.pronamespace = 'public'::regnamespace and p.xmin <> pg_current_xact_id()::xid
	       and not exists (select from pg_depend d where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e'))
	select statement from ours where statement is not null order by step`

// applyRules makes the views, functions and triggers of the database those of files, in one transaction: a running system never
// lacks one.
func applyRules(ctx context.Context, db *DB, files fs.FS) error {
	names, err := fs.Glob(files, "*.sql")
	if err != nil {
		return err
	}
	return db.InTx(ctx, func(tx *sqlx.Tx) error {
		if _, err := tx.ExecContext(ctx, prepareRules); err != nil {
			return fmt.Errorf("lock the rules: %w", err)
		}
		for _, name := range names {
			text, err := fs.ReadFile(files, name)
			if err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, string(text)); err != nil {
				return fmt.Errorf("apply schema/rules/%s: %w", name, err)
			}
		}
		var drops []string
		if err := tx.SelectContext(ctx, &drops, leftovers); err != nil {
			return fmt.Errorf("find rules that no file defines: %w", err)
		}
		if _, err := tx.ExecContext(ctx, strings.Join(drops, ";\n")); err != nil {
			return fmt.Errorf("drop rules that no file defines: %w", err)
		}
		if _, err := tx.ExecContext(ctx, closeTriggers); err != nil {
			return fmt.Errorf("revoke execute on trigger functions: %w", err)
		}
		return nil
	})
}
