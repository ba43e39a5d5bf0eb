package schema_test

import (
	"context"
	"testing"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"

	"accessbot/schema"
)

func (o office) found(who, typed string) []string {
	o.Helper()
	hits, err := schema.SearchPeople(context.Background(), o.app, o.person(who).ID, typed, 100)
	require.NoError(o, err)
	names := []string{}
	for _, f := range hits {
		names = append(names, f.Name)
	}
	return names
}

// indexed writes the search keys, like an import.
func (o office) indexed() {
	o.Helper()
	require.NoError(
		o,
		o.As(o.T, "accessbot_directory").
			InTx(context.Background(), func(tx *sqlx.Tx) error { return schema.WriteSearchKeys(context.Background(), tx) }),
	)
}

// hires adds active people to the sample.
func (o office) hires(people map[string]string) {
	o.Helper()
	for name, email := range people {
		o.do(`insert into people (email, name, status) values ($1, $2, 'active')`, email, name)
	}
	o.indexed()
}

func TestPersonSearch(t *testing.T) {
	t.Run("people are found by name and e-mail", func(t *testing.T) {
		o := newOffice(t)
		require.Equal(t, []string{"Priya Nair"}, o.found("alice", "PR"))
		require.Equal(t, []string{"Priya Nair"}, o.found("alice", "nair"))
		require.Equal(t, []string{"Nadia Berger", "Priya Nair"}, o.found("alice", "Na"), "two characters begin any word")
		require.Equal(t, []string{"Priya Nair"}, o.found("alice", "  nair   PRI "), "in any order")
		require.Equal(t, []string{"Priya Nair"}, o.found("alice", "priya@example"))
		require.Equal(t, []string{"Priya Nair"}, o.found("alice", "Priya@Example.com"))
		require.Empty(t, o.found("alice", "priya@other.com"))
		require.Empty(t, o.found("alice", "@example.com"))
		require.Empty(t, o.found("alice", "example"), "everyone has the company's domain")
		require.Empty(t, o.found("alice", "com"))
		require.Empty(t, o.found("alice", "riya"), "no word begins with it")
		require.Empty(t, o.found("alice", "priya fischer"), "every word counts")
		for _, signs := range []string{"%", "___", "\\", "'", "-", "🚀", "@"} {
			require.Empty(t, o.found("alice", signs), signs)
		}
		require.NotContains(t, o.found("alice", "ali"), "Alice Martin", "no one is like themselves")
		require.Empty(t, o.found("alice", "viktor"), "suspended")
		require.Empty(t, o.found("alice", "eve@example"), "left")
	})

	t.Run("any word of a name finds its person, without accents", func(t *testing.T) {
		o := newOffice(t)
		o.hires(map[string]string{
			"Jet Li":               "jli@example.com",
			"Seán Ó Briain":        "sob@example.com",
			"Siobhán O’Connor":     "siobhan@example.com",
			"Jürgen Groß":          "jg@example.com",
			"Juergen Mueller":      "jm@example.com",
			"Søren Kierkegård":     "sk@example.com",
			"Łukasz Żak":           "lz@example.com",
			"Işıl İnönü":           "ii@example.com",
			"Þórður Ægisson":       "ta@example.com",
			"Đỗ Hữu Phước":         "dhp@example.com",
			"Jean-Luc Picard":      "jlp@example.com",
			"Αλέξης Παπαδόπουλος":  "ap@example.com",
			"Алёна Королёва":       "ak@example.com",
			"王芳":                   "wf@example.com",
			"山田太郎":                 "yt@example.com",
			"佐藤 花子":                "sh@example.com",
			"サトウ アイ":               "sa@example.com",
			"김민수":                  "kms@example.com",
			"أحمد":                 "a1@example.com",
			"ﬁona Ｗide":            "fw@example.com",
			"network-charles":      "nc@example.com",
			"Ana María de la Cruz": "amc@example.com",
			"Renée Zellweger":      "rz@example.com",
			"राम कुमार":            "rk@example.com",
		})
		for typed, name := range map[string]string{
			"Li": "Jet Li", "jet l": "Jet Li", "li jet": "Jet Li",
			"gomez": "Lucía Gómez", "GÓMEZ": "Lucía Gómez", "lucia gom": "Lucía Gómez", "Gómez": "Lucía Gómez",
			"sean": "Seán Ó Briain", "o briain": "Seán Ó Briain", "connor": "Siobhán O’Connor", "o'connor": "Siobhán O’Connor", "oconnor": "Siobhán O’Connor",
			"O’Con": "Siobhán O’Connor", "brien": "Tom O'Brien", "obrien": "Tom O'Brien",
			"gross": "Jürgen Groß", "groß": "Jürgen Groß", "jurgen": "Jürgen Groß", "Jürgen G": "Jürgen Groß", "juergen g": "Jürgen Groß", "mueller": "Juergen Mueller",
			"soren": "Søren Kierkegård", "soeren": "Søren Kierkegård", "kierkegaard": "Søren Kierkegård", "lukasz": "Łukasz Żak", "zak": "Łukasz Żak",
			"isil": "Işıl İnönü", "ISIL": "Işıl İnönü", "INONU": "Işıl İnönü", "thordur": "Þórður Ægisson", "aegis": "Þórður Ægisson",
			"do huu": "Đỗ Hữu Phước", "phuoc": "Đỗ Hữu Phước", "nguyen": "Nguyễn Thị Lan", "lan thi": "Nguyễn Thị Lan",
			"luc": "Jean-Luc Picard", "jean-luc": "Jean-Luc Picard", "jean luc p": "Jean-Luc Picard", "picard jean": "Jean-Luc Picard",
			"αλεξησ": "Αλέξης Παπαδόπουλος", "παπαδο": "Αλέξης Παπαδόπουλος", "алена": "Алёна Королёва", "КОРОЛЁВА": "Алёна Королёва",
			"王": "王芳", "王芳": "王芳", "芳": "王芳",
			"山田": "山田太郎", "太郎": "山田太郎", "山田 太郎": "山田太郎", "太郎 山田": "山田太郎", "山田太郎": "山田太郎", "山田太": "山田太郎",
			"佐藤花": "佐藤 花子", "花子": "佐藤 花子", "佐藤 花": "佐藤 花子", "さとう": "サトウ アイ", "ｻﾄｳ": "サトウ アイ",
			"김": "김민수", "민수": "김민수", "احمد": "أحمد", "fiona": "ﬁona Ｗide", "wide": "ﬁona Ｗide",
			"net": "network-charles", "char": "network-charles", "network-c": "network-charles",
			"cruz ana": "Ana María de la Cruz", "maria de la": "Ana María de la Cruz", "rene": "Renée Zellweger", "राम": "राम कुमार",
			"田中": "Kenji Tanaka (田中 健二)", "健二": "Kenji Tanaka (田中 健二)", "tanaka kenji": "Kenji Tanaka (田中 健二)", "max bauer": "Max 🚀 Bauer",
			"berg": "Pieter van den Berg", "van den b": "Pieter van den Berg", "petrovic": "Aleksandra Petrović", "مريم": "مريم الزهراء",
		} {
			found := o.found("bob", typed)
			require.NotEmpty(t, found, "%q", typed)
			require.Equal(t, name, found[0], "%q", typed)
		}
		require.ElementsMatch(t, []string{"Jürgen Groß", "Juergen Mueller"}, o.found("bob", "juergen"))
	})

	t.Run("best hits come first", func(t *testing.T) {
		o := newOffice(t)
		o.hires(map[string]string{
			"Li":           "x1@example.com",
			"Li Wei":       "x2@example.com",
			"Jet Li":       "x3@example.com",
			"Lilian Adams": "x4@example.com",
			"Zoe Lindt":    "x5@example.com",
			"Adam Lindt":   "x6@example.com",
			"Bea Ash":      "li.ash@example.com",
			"Abe Ash":      "ash.lisa@example.com",
		})
		require.Equal(
			t,
			[]string{
				"Li",
				"Jet Li",
				"Li Wei",
				"Liam Walsh",
				"Lilian Adams",
				"Adam Lindt",
				"Hannah Lindqvist",
				"Zoe Lindt",
				"Abe Ash",
				"Bea Ash",
			},
			o.found("alice", "li"),
			"whole names, whole words, beginnings of names, of other words, of addresses; each by name",
		)
		o.do(
			`insert into people (email, name, status) select 'li' || n || '@example.com', 'Person ' || n, 'active' from generate_series(1, 500) n`,
		)
		o.do(
			`insert into people (email, name, status) select 'p' || n || '@example.com', 'Aaron Lin' || n, 'active' from generate_series(1, 500) n`,
		)
		o.indexed()
		found := o.found("alice", "li")
		require.Len(t, found, 100)
		require.Equal(
			t,
			[]string{"Li", "Jet Li", "Li Wei", "Liam Walsh", "Lilian Adams", "Aaron Lin1"},
			found[:6],
			"whatever else is found",
		)
		require.NotContains(t, found, "Person 1")
	})

	t.Run("a manager's reports are found like everyone", func(t *testing.T) {
		o := newOffice(t)
		found := func(who, typed string) []string {
			hits, err := schema.SearchReports(context.Background(), o.app, o.person(who).ID, typed, 100)
			require.NoError(t, err)
			names := []string{}
			for _, f := range hits {
				names = append(names, f.Name)
			}
			return names
		}
		require.Equal(
			t,
			[]string{"Alice Martin", "Kenji Tanaka (田中 健二)", "Lucía Gómez", "Nadia Berger", "Priya Nair", "Zoë Laurent"},
			found("bob", ""),
		)
		require.Equal(t, []string{"Lucía Gómez"}, found("bob", "gomez"))
		require.Equal(t, []string{"Zoë Laurent"}, found("bob", "la zoe"))
		require.Empty(t, found("bob", "mateusz"), "someone else's")
		require.Empty(t, found("hannah", "viktor"), "suspended")
		require.Empty(t, found("bob", "%"))
		o.do(
			`insert into people (email, name, status) select 'lu' || n || '@example.com', 'Lu ' || n, 'active' from generate_series(1, 300) n`,
		)
		o.indexed()
		require.Equal(t, []string{"Lucía Gómez"}, found("bob", "lu"), "others are not counted first")
	})

	t.Run("keys follow the directory", func(t *testing.T) {
		o := newOffice(t)
		o.do(`update people set name = 'Priya Gómez-Nair' where email = 'priya@example.com'`)
		o.indexed()
		require.Equal(t, []string{"Lucía Gómez", "Priya Gómez-Nair"}, o.found("alice", "gomez"))
		require.NoError(t, o.As(t, "accessbot_directory").RenamePerson(context.Background(), "priya@example.com", "pgn@example.com"))
		require.Equal(t, []string{"Priya Gómez-Nair"}, o.found("alice", "pgn"))
		require.Empty(t, o.found("alice", "priya@"))
		o.do(`update people set status = 'left' where email = 'pgn@example.com'`)
		require.Empty(t, o.found("alice", "pgn"), "at once")
		o.indexed()
		var kept int
		require.NoError(
			t,
			o.Get(&kept, `select count(*) from people_search s join people p on p.id = s.person_id where p.email = 'pgn@example.com'`),
		)
		require.Zero(t, kept)
		o.do(`update people set status = 'active' where email = 'pgn@example.com'`)
		o.indexed()
		require.Equal(t, []string{"Priya Gómez-Nair"}, o.found("alice", "pgn"))
		o.do(`insert into people (email, name, status) values ('long@example.com', repeat('ﷺ', 200), 'active')`)
		o.indexed() // of any length
	})

	t.Run("titles, applications and grants are found without accents by any word", func(t *testing.T) {
		o := newOffice(t)
		o.do(`insert into job_titles (name) values ('Ingénieur Réseau'), ('Head of 経理部')`)
		o.do(`update applications set name = 'Données & Überblick' where slug = 'dashboards'`)
		o.indexed()
		titles := func(typed string) []string {
			found, err := schema.SearchJobTitles(context.Background(), o.app, typed, 100)
			require.NoError(t, err)
			names := []string{}
			for _, f := range found {
				names = append(names, f.Name)
			}
			return names
		}
		require.Equal(t, []string{"Ingénieur Réseau"}, titles("ingenieur"))
		require.Equal(t, []string{"Ingénieur Réseau"}, titles("reseau ing"))
		require.Equal(t, []string{"Ingénieur Réseau", "Site Reliability Engineer", "Site Reliability Lead"}, titles("ré"))
		require.Equal(t, []string{"Head of 経理部"}, titles("経理"))
		require.Equal(
			t,
			[]string{"Data Engineer", "Head of Engineering", "Security Engineer", "Site Reliability Engineer", "Software Engineer"},
			titles("ENGINEER ")[1:],
			"a title that begins with it first",
		)
		require.Empty(t, titles("%"))
		d := o.opened("V1", "alice", "priya")
		found, err := d.SearchApplications(context.Background(), o.app, "uber don", 99)
		require.NoError(t, err)
		require.Len(t, found, 1)
		d.Mode = schema.Custom
		require.NoError(t, d.MakeOffer(context.Background(), o.app))
		o.do(`update entitlements set name = 'Éditeur du Tableau' where id = $1`, d.ShownIDs()[0])
		o.indexed()
		for _, typed := range []string{"editeur", "tab edit", "TABLEAU", "du"} {
			d.Search = typed
			require.NoError(t, d.MakeList(context.Background(), o.app))
			require.Equal(t, 1, d.Matching, typed)
		}
		d.Search = "%"
		require.NoError(t, d.MakeList(context.Background(), o.app))
		require.Zero(t, d.Matching)
	})

	t.Run("empty search shows the own team first", func(t *testing.T) {
		o := newOffice(t)
		all := o.found("alice", "")
		var team int
		require.NoError(
			t,
			o.Get(
				&team,
				`select count(*) from people where manager_id = $1 and id <> $2 and status = 'active'`,
				o.person("bob").ID,
				o.person("alice").ID,
			),
		)
		require.Contains(t, all[:team], "Priya Nair")
		require.NotContains(t, all[:team], "Bob Fischer")
		require.Contains(t, all[team:], "Bob Fischer")
		var active int
		require.NoError(t, o.Get(&active, `select count(*) from people where status = 'active'`))
		require.Len(t, all, active-1)
	})

	t.Run("search returns no more than asked for", func(t *testing.T) {
		o := newOffice(t)
		o.do(
			`insert into people (email, name, status) select 'many' || n || '@example.com', 'Many ' || n, 'active' from generate_series(1, 500) n`,
		)
		o.indexed()
		for _, typed := range []string{"", "m", "ma", "many", "many 1"} {
			require.Len(t, o.found("alice", typed), 100, typed) // of 111 for the last
		}
	})

	t.Run("search uses its indexes", func(t *testing.T) {
		o := newOffice(t)
		o.do(
			`insert into people (email, name, status, manager_id) select left(md5(n::text), 8) || '@example.com', left(md5((-n)::text), 8) || ' ' || left(md5((-2 * n)::text), 8), 'active', 1 + n % 2000
		from generate_series(1, 40000) n`,
		)
		o.indexed()
		o.do(`vacuum analyze people, people_search`)
		for _, typed := range []string{"", "a", "ab", "abcde", "ab cd", "a b c", "ab@example.com"} {
			for _, reports := range []bool{false, true} {
				query, args := schema.PeopleQuery(o.person("alice").ID, reports, typed, 100)
				var plan string
				require.NoError(t, o.app.Get(&plan, `explain (format json) `+query, args...))
				require.NotContains(t, scans(plan), "people", "%q:\n%s", typed, plan)
				require.NotContains(t, scans(plan), "people_search", "%q:\n%s", typed, plan)
				require.Regexp(t, `"Index Name": "people_search_(key|pkey)"`, plan)
			}
		}
	})
}

func TestApplicationFilter(t *testing.T) {
	t.Run("filter has the applications of the offer", func(t *testing.T) {
		o := newOffice(t)
		d := o.opened("V1", "alice", "priya")
		names := func(typed string) []string {
			found, err := d.SearchApplications(context.Background(), o.app, typed, 99)
			require.NoError(t, err)
			all := []string{}
			for _, f := range found {
				all = append(all, f.Name)
			}
			return all
		}
		require.Equal(t, []string{"Customer Records", "Dashboards", "Data Warehouse", "Production", "Source Code"}, names(""))
		require.Equal(t, []string{"Dashboards", "Data Warehouse"}, names("da"))
		require.Equal(t, []string{"Data Warehouse"}, names("house"))
		d.Mode = schema.Custom
		require.Contains(t, names(""), "Ledger")
	})
}
