package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"accessbot/schema"
)

// runInstances prints the connector instances of kind postgresql, one a line: each needs a TARGET_<INSTANCE>_URL.
func runInstances(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("instances", flag.ContinueOnError)
	database := flags.String("database", "", "URL of the database")
	if err := flags.Parse(args); err != nil {
		return err
	}
	record, err := schema.Open(*database, 1)
	if err != nil {
		return err
	}
	defer record.Close()
	var instances []string
	err = record.SelectContext(ctx, &instances, `
		select distinct instance from applications where connector = 'postgresql' and gone_at is null order by instance`)
	if err != nil {
		return fmt.Errorf("read the applications' targets: %w", err)
	}
	for _, instance := range instances {
		if _, err := fmt.Fprintln(out, instance); err != nil {
			return err
		}
	}
	return nil
}

// membership is one account that holds one role.
type membership struct {
	Account string `db:"account"`
	Role    string `db:"role"`
}

// holdings are roles, logins and memberships: those that the directory says, or those that the target has.
type holdings struct {
	roles       []string // that can be held; in the target: all of its roles
	accounts    []string // that hold something
	memberships []membership
}

// runSeedTarget makes in a PostgreSQL target what the directory says is there today. It adds what is missing and
// takes nothing away, and knows imported claims only: what accessbot granted or revoked since is not its business.
func runSeedTarget(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("seed-target", flag.ContinueOnError)
	database := flags.String("database", "", "URL of the database")
	target := flags.String("target", "", "URL of the target, as the role that the connector uses there")
	if err := flags.Parse(args); err != nil {
		return err
	}
	record, err := schema.Open(*database, 1)
	if err != nil {
		return err
	}
	defer record.Close()
	said, err := readDirectory(ctx, record, flags.Args())
	if err != nil {
		return err
	}
	db, err := sqlx.ConnectContext(ctx, "postgres", *target)
	if err != nil {
		return fmt.Errorf("connect to the target: %w", err)
	}
	defer db.Close()
	there, err := readTarget(ctx, db)
	if err != nil {
		return err
	}
	missing := said.without(there)
	// Without arguments the driver sends all statements at once, and the server runs them in one transaction.
	if _, err := db.ExecContext(ctx, missing.statements()); err != nil {
		return fmt.Errorf("make what the directory says in the target: %w", err)
	}
	_, err = fmt.Fprintf(out, "made %d of %d roles, %d of %d accounts, %d of %d memberships\n",
		len(missing.roles), len(said.roles), len(missing.accounts), len(said.accounts),
		len(missing.memberships), len(said.memberships))
	return err
}

func readDirectory(ctx context.Context, record *schema.DB, instances []string) (holdings, error) {
	var said holdings
	err := record.SelectContext(ctx, &said.roles, `
		select e.target
		  from entitlements e
		  join applications a on a.id = e.application_id
		 where a.connector = 'postgresql' and e.instance = any($1) and e.gone_at is null
		 order by e.target`, pq.Array(instances))
	if err != nil {
		return holdings{}, fmt.Errorf("read the entitlements: %w", err)
	}
	err = record.SelectContext(ctx, &said.memberships, `
		select s.account, e.target as role
		  from claims c
		  join accounts s on s.id = c.account_id
		  join entitlements e on e.id = c.entitlement_id
		  join applications a on a.id = e.application_id
		 where c.source = 'imported' and c.ended_at is null and c.revoked_at is null
		   and coalesce(c.ends_at, 'infinity') > app_now()
		   and a.connector = 'postgresql' and e.instance = any($1) and e.gone_at is null
		 order by e.target, s.account`, pq.Array(instances))
	if err != nil {
		return holdings{}, fmt.Errorf("read the imported claims: %w", err)
	}
	for _, m := range said.memberships {
		said.accounts = append(said.accounts, m.Account)
	}
	slices.Sort(said.accounts)
	said.accounts = slices.Compact(said.accounts)
	return said, nil
}

func readTarget(ctx context.Context, db *sqlx.DB) (holdings, error) {
	var there holdings
	if err := db.SelectContext(ctx, &there.roles, `select rolname from pg_roles`); err != nil {
		return holdings{}, fmt.Errorf("read the target's roles: %w", err)
	}
	there.accounts = there.roles
	err := db.SelectContext(ctx, &there.memberships, `
		select account.rolname as account, role.rolname as role
		  from pg_auth_members m
		  join pg_roles account on account.oid = m.member
		  join pg_roles role on role.oid = m.roleid`)
	if err != nil {
		return holdings{}, fmt.Errorf("read the target's memberships: %w", err)
	}
	return there, nil
}

// without is what h has and there has not.
func (h holdings) without(there holdings) holdings {
	return holdings{
		roles:       without(h.roles, there.roles),
		accounts:    without(h.accounts, there.accounts),
		memberships: without(h.memberships, there.memberships),
	}
}

func without[T comparable](all, there []T) []T {
	known := make(map[T]bool, len(there))
	for _, t := range there {
		known[t] = true
	}
	return slices.DeleteFunc(slices.Clone(all), func(t T) bool { return known[t] })
}

// statements make all of h, with one GRANT a role: memberships are sorted by role.
func (h holdings) statements() string {
	var sql strings.Builder
	for _, role := range h.roles {
		fmt.Fprintf(&sql, "create role %s nologin;\n", pq.QuoteIdentifier(role))
	}
	for _, account := range h.accounts {
		fmt.Fprintf(&sql, "create role %s login;\n", pq.QuoteIdentifier(account))
	}
	for i, m := range h.memberships {
		switch {
		case i == 0:
			fmt.Fprintf(&sql, "grant %s to ", pq.QuoteIdentifier(m.Role))
		case m.Role != h.memberships[i-1].Role:
			fmt.Fprintf(&sql, ";\ngrant %s to ", pq.QuoteIdentifier(m.Role))
		default:
			sql.WriteString(", ")
		}
		sql.WriteString(pq.QuoteIdentifier(m.Account))
	}
	return sql.String()
}
