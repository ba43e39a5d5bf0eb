package directory

import (
	"context"
	"fmt"
	"strconv"

	"github.com/lib/pq"

	"accessbot/schema"
)

const accountsFile = "accounts.csv"

// accounts reads the names of accounts that differ from their person's e-mail address.
func (im *importing) accounts() source {
	return source{
		file:     accountsFile,
		required: []string{"email", "instance", "account"},
		table:    "import_accounts",
		columns:  []string{"email", "instance", "account"},
		row: func(s *sheet) []any {
			instance, account := s.required("instance", s.key("instance")), s.required("account", s.key("account"))
			connector, known := im.connectorOf(instance)
			if instance != "" && !known {
				s.refuse("instance", "no application uses the instance "+strconv.Quote(instance))
			}
			if longest := im.opts.Connectors[connector]; longest > 0 && len(account) > longest {
				s.refuse("account", fmt.Sprintf("is %d bytes long; the limit in %s is %d", len(account), instance, longest))
			}
			return []any{s.required("email", s.email("email")), instance, account}
		},
		check: im.checkAccounts,
		apply: func(ctx context.Context) error { // createAccounts has written them already: grants need them
			return im.summarize(ctx, accountsFile, "import_accounts", 0, nil)
		},
	}
}

// connectorOf returns the connector of an instance that an application uses.
func (im *importing) connectorOf(instance string) (connector string, known bool) {
	for _, p := range im.places {
		if p.instance == instance {
			return p.connector, true
		}
	}
	return "", false
}

func (im *importing) checkAccounts(ctx context.Context) error {
	if err := im.refuseDuplicates(ctx, accountsFile, "import_accounts", "email", "email", "instance"); err != nil {
		return err
	}
	if err := im.refuseDuplicates(ctx, accountsFile, "import_accounts", "account", "instance", "account"); err != nil {
		return err
	}
	if err := im.refuse(ctx, `
		select 'accounts.csv', n.line, 'email', 'no person has the e-mail address ' || n.email
		  from import_accounts n
		 where not exists (select from import_people s where s.email = n.email)
		   and not exists (select from people p where p.email = n.email)`); err != nil {
		return err
	}
	if err := im.exec(ctx, `
		update import_accounts n
		   set id = a.id, before = a.account, change = case when a.account = n.account then 'unchanged' else 'changed' end
		  from accounts a join people p on p.id = a.person_id
		 where p.email = n.email and a.instance = n.instance`); err != nil {
		return err
	}
	// The locks keep out new claims and requests: both need the account's row.
	if err := im.exec(ctx, `
		select from accounts where id in (select id from import_accounts where change = 'changed')
		 order by id for update`); err != nil {
		return err
	}
	if err := im.refuse(ctx, `
		select 'accounts.csv', n.line, 'account',
		       format('already belongs to %s in %s; an account belongs to one person', p.email, n.instance)
		  from import_accounts n
		  join accounts a on a.instance = n.instance and a.account = n.account and a.id is distinct from n.id
		  join people p on p.id = a.person_id
		 where not exists (select from import_accounts other where other.id = a.id and other.change = 'changed')`); err != nil {
		return err
	}
	if err := im.refuse(ctx, `
		select 'accounts.csv', n.line, 'account',
		       format('still holds access as %s (claims not confirmed removed: %s); revoke it first', n.before, count(*))
		  from import_accounts n join claims c on c.account_id = n.id
		 where n.change = 'changed' and c.removed_at is null
		 group by n.line, n.before`); err != nil {
		return err
	}
	return im.refuse(ctx, `
		select 'accounts.csv', n.line, 'account',
		       format('is used as %s by request #%s, which is still open; wait until its access is set up, or withdraw it',
		              n.before, min(i.request_id))
		  from import_accounts n join request_items i on i.account_id = n.id
		 where n.change = 'changed' and i.state in ('submitted', 'awaiting_approval', 'approved', 'provisioning')
		   and not exists (select from claims c where c.account_id = n.id and c.removed_at is null)
		 group by n.line, n.before`)
}

// renameAccounts gives accounts their names from accounts.csv. Two accounts may exchange names, so all get a placeholder first.
func (im *importing) renameAccounts(ctx context.Context) error {
	for _, statement := range []string{
		`update accounts a set account = '~' || a.id from import_accounts n where n.id = a.id and n.change = 'changed'`,
		`update accounts a set account = n.account from import_accounts n where n.id = a.id and n.change = 'changed'`,
		// The name decides whose access is granted and revoked, so each change has an event of its own.
		`insert into audit_events (actor, action, details)
		 select 'import', '` + string(schema.AccountChanged) + `',
		        jsonb_build_object('person_id', a.person_id, 'instance', n.instance, 'before', n.before, 'after', n.account)
		   from import_accounts n join accounts a on a.id = n.id
		  where n.change = 'changed'
		  order by n.line`,
	} {
		if err := im.exec(ctx, statement); err != nil {
			return fmt.Errorf("rename accounts: %w", err)
		}
	}
	return nil
}

// createAccounts gives each person an account name in every target: the one in accounts.csv, else the e-mail address, unless
// the target's accounts have names of their own. A name stays until accounts.csv has another one.
func (im *importing) createAccounts(ctx context.Context) error {
	if err := im.renameAccounts(ctx); err != nil {
		return err
	}
	var missing []struct {
		PersonID  int64 `db:"person_id"`
		Email     string
		Instance  string
		Connector string
		Account   string // from accounts.csv; empty: none there
	}
	const without = `
		from people p cross join (select distinct instance, connector from applications) i
		left join import_people s on s.email = p.email
		left join import_accounts n on n.email = p.email and n.instance = i.instance
		where (p.gone_at is null or p.email in (select email from import_grants) or n.account is not null)
		  and (n.account is not null or i.connector <> all ($1))
		  and not exists (select from accounts a where a.person_id = p.id and a.instance = i.instance)`
	ownNames := pq.StringArray(append([]string{}, im.opts.OwnNames...)) // never null: <> all (null) is never true
	if err := im.tx.SelectContext(ctx, &missing, `
		select p.id as person_id, p.email, i.instance, i.connector, coalesce(n.account, '') as account`+without+`
		 order by n.account is null, p.id`, ownNames); err != nil {
		return fmt.Errorf("find people without an account: %w", err)
	}
	var people pq.Int64Array
	var instances, accounts pq.StringArray
	for _, m := range missing {
		account := m.Account
		if account == "" {
			account = shorten(m.Email, im.opts.Connectors[m.Connector])
		}
		people, instances, accounts = append(people, m.PersonID), append(instances, m.Instance), append(accounts, account)
	}
	if err := im.exec(ctx, `
		insert into accounts (person_id, instance, account)
		select * from unnest($1::bigint[], $2::text[], $3::text[])
		on conflict (instance, account) do nothing`, people, instances, accounts); err != nil {
		return fmt.Errorf("create accounts: %w", err)
	}
	if err := im.refuse(ctx, `
		select case when n.line is null then 'people.csv' else 'accounts.csv' end, coalesce(n.line, s.line, 0),
		       case when n.line is null then 'email' else 'account' end,
		       format('the account of %s in %s already belongs to another person; accounts are never reassigned', p.email, i.instance)`+
		without, ownNames); err != nil {
		return err
	}
	return im.problems.refused() // otherwise each grant of these people would be refused too
}
