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

// runInstances prints the instances of the connector postgresql, one per line. Each needs a TARGET_<INSTANCE>_URL.
func runInstances(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("instances", flag.ContinueOnError)
	database := flags.String("database", "", "URL of the database")
	if err := flags.Parse(args); err != nil {
		return err
	}
	db, err := schema.Open(*database, 1)
	if err != nil {
		return err
	}
	defer db.Close()
	var instances []string
	err = db.SelectContext(ctx, &instances, `
		select distinct instance from applications where connector = 'postgresql' and gone_at is null order by instance`)
	if err != nil {
		return fmt.Errorf("read the applications' instances: %w", err)
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

// holdings are the roles, accounts and memberships of the directory or of a target.
type holdings struct {
	roles       []string
	accounts    []string // those with a membership; of a target, the same as roles
	memberships []membership
}

// runSeedTarget creates the directory's roles and memberships in a PostgreSQL target. It adds what is missing and removes
// nothing. Only imported claims count: access that accessbot granted or revoked since is left as it is.
func runSeedTarget(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("seed-target", flag.ContinueOnError)
	database := flags.String("database", "", "URL of the database")
	target := flags.String("target", "", "URL of the target, as the role that the connector uses there")
	if err := flags.Parse(args); err != nil {
		return err
	}
	db, err := schema.Open(*database, 1)
	if err != nil {
		return err
	}
	defer db.Close()
	wanted, err := readDirectory(ctx, db, flags.Args())
	if err != nil {
		return err
	}
	targetDB, err := sqlx.ConnectContext(ctx, "postgres", *target)
	if err != nil {
		return fmt.Errorf("connect to the target: %w", err)
	}
	defer targetDB.Close()
	existing, err := readTarget(ctx, targetDB)
	if err != nil {
		return err
	}
	missing := wanted.without(existing)
	// Without arguments the driver sends all statements at once, and the server runs them in one transaction.
	if _, err := targetDB.ExecContext(ctx, missing.statements()); err != nil {
		return fmt.Errorf("seed the target: %w", err)
	}
	_, err = fmt.Fprintf(out, "created %d of %d roles, %d of %d accounts, %d of %d memberships\n",
		len(missing.roles), len(wanted.roles), len(missing.accounts), len(wanted.accounts),
		len(missing.memberships), len(wanted.memberships))
	return err
}

func readDirectory(ctx context.Context, db *schema.DB, instances []string) (holdings, error) {
	var wanted holdings
	err := db.SelectContext(ctx, &wanted.roles, `
		select e.target
		  from entitlements e
		  join applications a on a.id = e.application_id
		 where a.connector = 'postgresql' and e.instance = any($1) and e.gone_at is null
		 order by e.target`, pq.Array(instances))
	if err != nil {
		return holdings{}, fmt.Errorf("read the entitlements: %w", err)
	}
	err = db.SelectContext(ctx, &wanted.memberships, `
		select s.account, e.target as role
		  from claims c
		  join accounts s on s.id = c.account_id
		  join entitlements e on e.id = c.entitlement_id
		  join applications a on a.id = e.application_id
		 where c.source = 'imported' and is_live(c)
		   and a.connector = 'postgresql' and e.instance = any($1) and e.gone_at is null
		 order by e.target, s.account`, pq.Array(instances))
	if err != nil {
		return holdings{}, fmt.Errorf("read the imported claims: %w", err)
	}
	for _, m := range wanted.memberships {
		wanted.accounts = append(wanted.accounts, m.Account)
	}
	slices.Sort(wanted.accounts)
	wanted.accounts = slices.Compact(wanted.accounts)
	return wanted, nil
}

func readTarget(ctx context.Context, db *sqlx.DB) (holdings, error) {
	var existing holdings
	if err := db.SelectContext(ctx, &existing.roles, `select rolname from pg_roles`); err != nil {
		return holdings{}, fmt.Errorf("read the target's roles: %w", err)
	}
	existing.accounts = existing.roles
	err := db.SelectContext(ctx, &existing.memberships, `
		select account.rolname as account, role.rolname as role
		  from pg_auth_members m
		  join pg_roles account on account.oid = m.member
		  join pg_roles role on role.oid = m.roleid`)
	if err != nil {
		return holdings{}, fmt.Errorf("read the target's memberships: %w", err)
	}
	return existing, nil
}

// without returns what h has and other does not.
func (h holdings) without(other holdings) holdings {
	return holdings{
		roles:       without(h.roles, other.roles),
		accounts:    without(h.accounts, other.accounts),
		memberships: without(h.memberships, other.memberships),
	}
}

func without[T comparable](all, other []T) []T {
	known := make(map[T]bool, len(other))
	for _, t := range other {
		known[t] = true
	}
	return slices.DeleteFunc(slices.Clone(all), func(t T) bool { return known[t] })
}

// statements returns SQL that creates all of h, with one GRANT per role: memberships are sorted by role.
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
