package directory_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"accessbot/schema/directory"
)

// read returns the CSV files of a directory on disk.
func read(t *testing.T, dir string) folder {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.csv"))
	require.NoError(t, err)
	f := folder{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		f[filepath.Base(path)] = string(text)
	}
	return f
}

// all returns the folder with every match of old replaced by new in one file.
func (f folder) all(t *testing.T, file, old, new string) folder {
	t.Helper()
	changed := maps.Clone(f)
	changed[file] = regexp.MustCompile(old).ReplaceAllString(f[file], new)
	require.NotEqual(t, f[file], changed[file])
	return changed
}

func TestImportLosses(t *testing.T) {
	t.Run("status of everyone changed to left is refused", func(t *testing.T) {
		t.Run("after an earlier import", func(t *testing.T) {
			c := newCompany(t)
			c.imports(t, read(t, "sample"))
			// sed 's/,active,/,left,/'
			refused := c.refuses(t, read(t, "sample").all(t, "people.csv", `,active,`, `,left,`), directory.Options{})
			assert.Contains(t, refused.Error(),
				"people.csv: would set 30 of 31 people to left. If the file is complete and correct, use --allow people-left=30")
			assert.Contains(t, refused.Error(), "people.csv: would make 9 of 9 managers inactive")
			assert.Zero(t, c.count(t, `select count(*) from claims where due_at is not null`))
		})
		t.Run("in a first import, whose grants would be revoked at once", func(t *testing.T) {
			c := newCompany(t)
			refused := c.refuses(t, read(t, "sample").all(t, "people.csv", `,active,`, `,left,`), directory.Options{})
			require.Len(t, refused.Problems, 1)
			assert.Contains(
				t,
				refused.Error(),
				"grants.csv: would import 250 of 253 grants of people who have left and revoke them at once",
			)
		})
		t.Run("unless its flag allows it, and only that", func(t *testing.T) {
			c := newCompany(t)
			c.imports(t, folder{"people.csv": read(t, "sample")["people.csv"]})
			left := folder{"people.csv": read(t, "sample")["people.csv"]}.all(t, "people.csv", `,active,`, `,left,`)
			refused := c.refuses(t, left, directory.Options{Allow: map[string]int{"people-left": 30}})
			require.Len(t, refused.Problems, 1)
			assert.Contains(t, refused.Error(), "--allow managers-inactive=9")
			_ = c.refuses(t, left, directory.Options{Allow: map[string]int{"people-left": 28, "managers-inactive": 9}})
			_, err := directory.Import(
				t.Context(),
				c.importer,
				left.write(t),
				directory.Options{Allow: map[string]int{"people-left": 30, "managers-inactive": 9}},
			)
			require.NoError(t, err)
			assert.Equal(t, 31, c.count(t, `select count(*) from people where status = 'left'`))
		})
	})

	t.Run("file without rows is refused", func(t *testing.T) {
		c := newCompany(t)
		c.imports(t, guarded())
		for file, says := range map[string]string{
			"people.csv":       "mark 5 of 5 people as gone. If the file is complete and correct, use --allow people-gone=5",
			"applications.csv": "mark 1 of 1 applications as gone. If the file is complete and correct, use --allow applications-gone=1",
			"entitlements.csv": "mark 1 of 1 entitlements as gone. If the file is complete and correct, use --allow entitlements-gone=1",
			"accounts.csv": "leave out 1 of 1 accounts with names of their own. If the file is complete and correct, " +
				"use --allow accounts-gone=1",
			"grants.csv": "end 1 of 1 imported claims. If the file is complete and correct, use --allow grants-gone=1",
			"job_titles.csv": "remove 1 of 1 access grants from the sets of job titles. If the file is complete and correct, " +
				"use --allow job-titles-gone=1",
		} {
			header, _, _ := strings.Cut(guarded()[file], "\n")
			empty := folder{file: header + "\n"}
			t.Run(file+" alone is refused", func(t *testing.T) {
				refused := c.refuses(t, empty, directory.Options{})
				require.Len(t, refused.Problems, 1)
				assert.Equal(t, file+": has no rows: it would "+says, refused.Problems[0].String())
			})
			t.Run(file+" is imported with the flag that the error names, or into an empty database", func(t *testing.T) {
				kind, number, _ := strings.Cut(says[strings.LastIndex(says, " ")+1:], "=")
				lost := map[string]int{"1": 1, "5": 5}[number]
				c := newCompany(t)
				c.imports(t, empty)
				c.imports(t, guarded())
				_, err := directory.Import(t.Context(), c.importer, empty.write(t), directory.Options{Allow: map[string]int{kind: lost}})
				require.NoError(t, err)
			})
		}
		t.Run("reasons.csv is always refused", func(t *testing.T) {
			refused := c.refuses(
				t,
				folder{"reasons.csv": "key,label,note_required\n"},
				directory.Options{Allow: map[string]int{"reasons-gone": 100}},
			)
			assert.Contains(t, refused.Error(), "a request needs a reason to choose")
		})
	})

	// A change of six rows of twenty is refused, a change of five is accepted.
	t.Run("loss of access or authority of any kind is counted", func(t *testing.T) {
		before := newCompany(t)
		_, err := directory.Import(
			context.Background(),
			before.importer,
			guild().write(t),
			directory.Options{Allow: map[string]int{"reasons-gone": 6}},
		)
		require.NoError(t, err)
		for _, test := range []struct {
			kind, file, old, new string
			effect               string // of six
			others               string // the kinds of loss that come with it
		}{
			{"people-gone", "people.csv", `(?m)^p2[4-9]@.*\n`, ``, "mark 6 of 20 people as gone", "administrators owners-inactive"},
			{"people-left", "people.csv", `(?m)^(p2[4-9]@.*),active,`, `$1,left,`, "set 6 of 20 people to left", "administrators owners-inactive"},
			{"people-suspended", "people.csv", `(?m)^(p2[4-9]@.*),active,`, `$1,suspended,`, "set 6 of 20 active people to suspended",
				"administrators owners-inactive"},
			{"administrators", "people.csv", `(?m)^(p2[4-9]@.*),true`, `$1,`, "remove 6 of 20 administrators", ""},
			{"managers", "people.csv", `(?m)^(p2[4-9]@.*,,)p..@example.com`, `$1`, "remove the manager of 6 of 19 people", ""},
			{"managers", "people.csv", `(?m)^(p2[4-9]@.*,,)p..@example.com`, `${1}p10@example.com`, "remove the manager of 6 of 19 people", ""},
			{"slack-users", "people.csv", `(?m)^(p2[4-9]@.*),U0P..`, `$1,`, "remove the Slack user of 6 of 20 people", ""},
			{"slack-users", "people.csv", `(?m)^(p2[4-9]@.*),U0P`, `$1,U0Q`, "remove the Slack user of 6 of 20 people", ""},
			{"applications-gone", "applications.csv", `(?m)^app2[4-9],.*\n`, ``, "mark 6 of 20 applications as gone", "entitlements-gone"},
			{"application-owners", "applications.csv", `(?m)^(app2[4-9],.*,)p..@example.com;`, `$1`, "remove 6 of 39 owners of applications", ""},
			{"application-owners", "applications.csv", `(?m)^(app2[4-9],.*,)p..@example.com;`, `${1}p11@example.com;`, "remove 6 of 39 owners of applications", ""},
			{"applications-correct", "applications.csv", `(?m)^(app2[4-9],.*,)report`, `${1}correct`, "turn on the correction of findings in 6 of 20 applications", ""},
			{"entitlements-gone", "entitlements.csv", `(?m)^app2[4-9],.*\n`, ``, "mark 6 of 20 entitlements as gone", ""},
			{"entitlement-owners", "entitlements.csv", `(?m)^(app2[4-9],.*,)p..@example.com;`, `$1`, "remove 6 of 39 owners of entitlements", ""},
			{"entitlements-unrequestable", "entitlements.csv", `(?m)^(app2[4-9],.*,)true`, `${1}false`, "make 6 of 20 requestable entitlements not requestable", ""},
			{"grants-gone", "grants.csv", `(?m)^p2[4-9]@.*\n`, ``, "end 6 of 20 imported claims", ""},
			{"job-titles-gone", "job_titles.csv", `(?m)^Title,app2[4-9],.*\n`, ``, "remove 6 of 20 access grants from the sets of job titles", ""},
			{"reasons-gone", "reasons.csv", `(?m)^reason2[4-9],.*\n`, ``, "mark 6 of 20 reasons as gone", ""},
		} {
			change := func(digits string) folder {
				return folder{test.file: guild().all(t, test.file, strings.ReplaceAll(test.old, "[4-9]", digits), test.new)[test.file]}
			}
			t.Run(test.kind+" of six is refused, by its own name", func(t *testing.T) {
				refused := before.refuses(t, change("[4-9]"), directory.Options{})
				assert.Equal(t, test.kind+" "+test.others, kindsOf(t, refused)+map[bool]string{true: " "}[test.others == ""])
				assert.Contains(
					t,
					refused.Error(),
					test.file+": would "+test.effect+". If the file is complete and correct, use --allow "+test.kind+"=6",
				)
				// The flag of one kind allows no other kind.
				allow := map[string]int{test.kind: 5}
				for _, kind := range strings.Fields("people-gone " + test.others) {
					if kind != test.kind {
						allow[kind] = 100
					}
				}
				assert.Equal(t, test.kind, kindsOf(t, before.refuses(t, change("[4-9]"), directory.Options{Allow: allow})))
			})
			t.Run(test.kind+" of six is imported with its flag, and of five without", func(t *testing.T) {
				allow := map[string]int{test.kind: 6}
				for _, kind := range strings.Fields(test.others) {
					allow[kind] = 6
				}
				for _, f := range []struct {
					changed folder
					allow   map[string]int
				}{{change("[5-9]"), nil}, {change("[4-9]"), allow}} {
					summary, err := directory.Import(
						context.Background(),
						before.importer,
						f.changed.write(t),
						directory.Options{Allow: f.allow},
					)
					require.NoError(t, err)
					assert.True(t, summary.Changed())
					_, err = directory.Import(context.Background(), before.importer, guild().write(t), directory.Options{Allow: allow})
					require.NoError(t, err)
				}
			})
		}
		t.Run("accounts-changed of six without access is refused", func(t *testing.T) {
			accounts := folder{"accounts.csv": guild()["accounts.csv"]}
			c := newCompany(t)
			c.imports(t, guild().without("grants.csv").without("reasons.csv"))
			refused := c.refuses(t, accounts.all(t, "accounts.csv", `account(2[4-9])`, `other$1`), directory.Options{})
			assert.Equal(t, "accounts-changed", kindsOf(t, refused))
			assert.Contains(t, refused.Error(), "accounts.csv: would rename 6 of 20 accounts")
			c.imports(t, accounts.all(t, "accounts.csv", `account(2[5-9])`, `other$1`))
		})
		t.Run("grants-left is refused, and accepted once that access is being revoked", func(t *testing.T) {
			c := newCompany(t)
			c.imports(t, guild().without("reasons.csv").without("grants.csv"))
			left := map[string]int{"people-left": 20, "administrators": 20, "managers-inactive": 20, "owners-inactive": 20}
			_, err := directory.Import(
				context.Background(),
				c.importer,
				folder{
					"people.csv": guild().all(t, "people.csv", `,active,`, `,left,`)["people.csv"],
				}.write(
					t,
				),
				directory.Options{Allow: left},
			)
			require.NoError(t, err)
			grants := folder{"grants.csv": guild()["grants.csv"]}
			refused := c.refuses(t, grants, directory.Options{})
			assert.Equal(t, "grants-left", kindsOf(t, refused))
			assert.Contains(t, refused.Error(), "grants.csv: would import 20 of 20 grants of people who have left and revoke them at once")
			_, err = directory.Import(
				context.Background(),
				c.importer,
				grants.write(t),
				directory.Options{Allow: map[string]int{"grants-left": 20}},
			)
			require.NoError(t, err)
			c.imports(t, grants)
		})
		t.Run("binding that another person's slack_user_id contradicts is counted", func(t *testing.T) {
			c := newCompany(t)
			people := folder{"people.csv": guild().all(t, "people.csv", `,U0P..,`, `,,`)["people.csv"]}
			c.imports(t, people)
			c.exec(t, `insert into slack_identities (team_id, user_id, person_id, basis)
			select 'T', 'U0P' || substr(email, 2, 2), id, 'confirmed e-mail' from people`)
			crossed := people.plus("people.csv", "")
			for i := 10; i < 22; i += 2 {
				crossed = crossed.with(
					t,
					"people.csv",
					fmt.Sprintf("P%d,Title,,p%d@example.com,active,,", i+1, i),
					fmt.Sprintf("P%d,Title,,p%d@example.com,active,U0P%d,", i+1, i, i),
				)
			}
			refused := c.refuses(t, crossed, directory.Options{})
			assert.Contains(t, refused.Error(), "people.csv: would remove the Slack user of 12 of 20 people")
		})
		t.Run("unknown kind is refused", func(t *testing.T) {
			_, err := directory.Import(
				context.Background(),
				before.importer,
				guild().write(t),
				directory.Options{Allow: map[string]int{"people": 6}},
			)
			assert.ErrorContains(t, err, "no such kind of loss; use one of: people-gone, ")
		})
	})

	// Replacing a leaver as manager and owner counts as the loss of one person.
	t.Run("one leaver who is replaced everywhere needs no flag", func(t *testing.T) {
		c := newCompany(t)
		c.imports(t, town(t, 100, 20, 100))
		without := town(t, 100, 20, 100)
		for file, text := range without {
			without[file] = strings.NewReplacer(",person1@example.com", ",person2@example.com", ",person1@example.com;", ",person2@example.com;",
				"Department 1,person0@example.com,active", "Department 1,person0@example.com,left").
				Replace(text)
		}
		c.imports(t, without)
		assert.Equal(
			t,
			0,
			c.count(t, `select count(*) from people p join people m on m.id = p.manager_id where m.email = 'person1@example.com'`),
		)
	})

	t.Run("garbled file of a real organization", func(t *testing.T) {
		c := newCompany(t)
		real := read(t, realOrganization(t))
		c.imports(t, real)
		for _, test := range []struct{ file, old, new, says string }{
			{"people.csv", `,active`, `,left`, "people.csv: would set 1504 of 1504 people to left"},
			{"people.csv", `,active`, `,suspended`, "people.csv: would set 1504 of 1504 active people to suspended"},
			{"people.csv", `,[^,\n]*@kubernetes.example,active`, `,,active`, "people.csv: would remove the manager of "},
			{"people.csv", `(?m)^[a-m0-9][^,]*@.*\n`, ``, "people.csv: would mark "},
			{"applications.csv", `(?m)[^,\n]*@[^,\n]*$`, ``, "applications.csv: would remove "},
			{"applications.csv", `(?m)^kube.*\n`, ``, "applications.csv: would mark "},
			{"entitlements.csv", `(?m)[^,\n]*@kubernetes.example$`, ``, "entitlements.csv: would remove "},
			{"entitlements.csv", `(?m)^kubernetes-sigs,.*\n`, ``, "entitlements.csv: would mark "},
			{"grants.csv", `(?m)^[a-c][^,]*@.*\n`, ``, "grants.csv: would end "},
		} {
			t.Run(test.says+"is refused", func(t *testing.T) {
				garbled := folder{test.file: real[test.file]}.all(t, test.file, test.old, test.new)
				_, err := directory.Import(context.Background(), c.importer, garbled.write(t), directory.Options{})
				var refused *directory.Refused
				require.ErrorAs(t, err, &refused)
				assert.Contains(t, refused.Error(), test.says)
			})
		}
		t.Run("unchanged files are accepted", func(t *testing.T) {
			assert.False(t, c.imports(t, real).Changed())
		})
	})
}

// guarded returns five people, and one row of each other file.
func guarded() folder {
	return folder{
		"people.csv": `email,name,job_title,department,manager_email,status
bo@example.com,Bo,Head,Data,,active
ann@example.com,Ann,Analyst,Data,bo@example.com,active
cy@example.com,Cy,Analyst,Data,bo@example.com,active
di@example.com,Di,,,bo@example.com,active
ed@example.com,Ed,,,bo@example.com,active
`,
		"applications.csv": "slug,name,connector,owners\ncrm,Customers,postgresql,bo@example.com\n",
		"entitlements.csv": "application,key,name,kind,description,risk,owners\ncrm,reader,Read,role,,low,\n",
		"accounts.csv":     "email,instance,account\nann@example.com,POSTGRESQL,ann\n",
		"grants.csv":       "email,application,key\nann@example.com,crm,reader\n",
		"job_titles.csv":   "job_title,application,key\nAnalyst,crm,reader\n",
	}
}

// guild has twenty rows in every file. Each person is an owner, an administrator, the manager of the next one and bound to a
// Slack user, and holds a grant under an account name of their own.
func guild() folder {
	text := map[string]*strings.Builder{}
	for file, header := range map[string]string{
		"people.csv":       "email,name,job_title,department,manager_email,status,slack_user_id,administrator",
		"applications.csv": "slug,name,connector,owners,on_finding",
		"entitlements.csv": "application,key,name,kind,description,risk,owners,requestable",
		"accounts.csv":     "email,instance,account",
		"grants.csv":       "email,application,key",
		"job_titles.csv":   "job_title,application,key",
		"reasons.csv":      "key,label,note_required",
	} {
		text[file] = &strings.Builder{}
		text[file].WriteString(header + "\n")
	}
	manager := ""
	for i := 10; i < 30; i++ {
		email := fmt.Sprintf("p%d@example.com", i)
		fmt.Fprintf(text["people.csv"], "%s,P%d,Title,,%s,active,U0P%d,true\n", email, i, manager, i)
		fmt.Fprintf(text["applications.csv"], "app%d,App %d,postgresql,%s;p10@example.com,report\n", i, i, email)
		fmt.Fprintf(text["entitlements.csv"], "app%d,reader,Read,role,,low,%s;p10@example.com,true\n", i, email)
		fmt.Fprintf(text["accounts.csv"], "%s,POSTGRESQL,account%d\n", email, i)
		fmt.Fprintf(text["grants.csv"], "%s,app%d,reader\n", email, i)
		fmt.Fprintf(text["job_titles.csv"], "Title,app%d,reader\n", i)
		fmt.Fprintf(text["reasons.csv"], "reason%d,Reason %d,false\n", i, i)
		manager = email
	}
	f := folder{}
	for file, t := range text {
		f[file] = t.String()
	}
	return f
}

var flagForm = regexp.MustCompile(`--allow ([a-z-]+)=`)

// kindsOf lists the kinds of loss in a refusal, which must have no other problems.
func kindsOf(t *testing.T, refused *directory.Refused) string {
	t.Helper()
	var kinds []string
	for _, p := range refused.Problems {
		found := flagForm.FindStringSubmatch(p.Reason)
		require.NotNil(t, found, p.Reason)
		kinds = append(kinds, found[1])
	}
	return strings.Join(kinds, " ")
}
