package schema_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
	"github.com/stretchr/testify/require"

	"accessbot/schema"
	"accessbot/schema/schematest"
)

// Names as in an international company: many people share a few given names and surnames.
var (
	givenNames = []string{
		"Alice",
		"Anna",
		"Ana María",
		"José",
		"Jean-Luc",
		"Li",
		"Lisa",
		"Linda",
		"Liam",
		"Wei",
		"Seán",
		"Søren",
		"Jürgen",
		"Łukasz",
		"Zoë",
		"Priya",
		"Rahul",
		"Mohammed",
		"Fatima",
		"Nguyễn",
		"Thị Lan",
		"Olga",
		"Ivan",
		"Алёна",
		"Kenji",
		"Yuki",
		"Min-su",
		"Ji-woo",
		"Chen",
		"Omar",
		"Aisha",
		"Peter",
		"Paul",
		"Mary",
		"John",
		"James",
		"Sarah",
		"Emma",
		"Noah",
		"Oliver",
		"Sofia",
		"Lucía",
		"Mateo",
		"Diego",
		"Carla",
		"Bruno",
		"Hans",
		"Greta",
		"Ingrid",
		"Lars",
	}
	surnames = []string{
		"Li",
		"Wang",
		"Zhang",
		"Kim",
		"Lee",
		"Nguyễn",
		"Tran",
		"Singh",
		"Kumar",
		"Patel",
		"Gómez",
		"García",
		"Rodríguez",
		"Müller",
		"Schmidt",
		"Groß",
		"O'Brien",
		"Ó Briain",
		"van den Berg",
		"de la Cruz",
		"Silva",
		"Santos",
		"Rossi",
		"Ferrari",
		"Novák",
		"Kowalski",
		"Żak",
		"Ivanova",
		"Петров",
		"Tanaka",
		"Sato",
		"Suzuki",
		"Haddad",
		"Farouk",
		"Abebe",
		"Okafor",
		"Mensah",
		"Smith",
		"Johnson",
		"Williams",
		"Brown",
		"Jones",
		"Miller",
		"Davis",
		"Petrović",
		"Lindqvist",
		"Kierkegård",
		"Hansen",
		"Ægisson",
		"Papadopoulos",
	}
	unspacedNames = []string{"王芳", "李娜", "张伟", "山田太郎", "佐藤花子", "김민수", "이지우"}
)

// town returns a database with n active people, searched as the Slack app.
func town(tb testing.TB, people int) (*schema.DB, []string) {
	tb.Helper()
	d := schematest.New(tb)
	dice := rand.New(rand.NewPCG(1, 2)) // the same people every time
	names, emails := make([]string, people), make([]string, people)
	for n := range people {
		names[n] = givenNames[dice.IntN(len(givenNames))] + " " + surnames[dice.IntN(len(surnames))]
		if n%10 == 0 {
			names[n] = unspacedNames[dice.IntN(len(unspacedNames))]
		}
		if n%7 == 0 { // and many unique ones
			names[n] += fmt.Sprintf(" %c%c%c%d", 'a'+dice.IntN(26), 'a'+dice.IntN(26), 'a'+dice.IntN(26), n)
		}
		emails[n] = fmt.Sprintf("network-user%d@kubernetes.example", n)
	}
	ctx := context.Background()
	directory := d.As(tb, "accessbot_directory")
	began := time.Now()
	require.NoError(tb, directory.InTx(ctx, func(tx *sqlx.Tx) error {
		_, err := tx.ExecContext(ctx, `
			insert into people (email, name, status, manager_id)
			select email, name, 'active', case when n > 20 then 1 + n / 20 end from unnest($1::text[], $2::text[]) with ordinality p (email, name, n)
			 order by n`, pq.Array(emails), pq.Array(names))
		return err
	}))
	tb.Logf("%d people: %s", people, time.Since(began).Round(time.Millisecond))
	for _, when := range []string{"first", "again"} {
		began = time.Now()
		require.NoError(tb, directory.InTx(ctx, func(tx *sqlx.Tx) error { return schema.WriteSearchKeys(ctx, tx) }))
		tb.Logf("their keys, %s: %s", when, time.Since(began).Round(time.Millisecond))
	}
	_, err := d.Exec(`vacuum analyze people, people_search`)
	require.NoError(tb, err)
	return d.As(tb, "accessbot_slackapp"), names
}

// BenchmarkSearchPeople prints how long searches among 100,000 people take, by search text.
func BenchmarkSearchPeople(b *testing.B) {
	ctx := context.Background()
	app, names := town(b, 100_000)
	dice := rand.New(rand.NewPCG(3, 4)) // the same searches every time
	beginning := func(of string, n int) string { r := []rune(of); return string(r[:min(n, len(r))]) }
	word := func() string { return surnames[dice.IntN(len(surnames))] }
	name := func() string { return names[dice.IntN(len(names))] }
	for _, search := range []struct {
		what    string
		typed   func() string
		reports bool
	}{
		{"nothing", func() string { return "" }, false},
		{"one character", func() string { return string(rune('a' + dice.IntN(26))) }, false},
		{"two characters", func() string { return beginning(word(), 2) }, false},
		{"three characters", func() string { return beginning(word(), 3) }, false},
		{"a surname", word, false},
		{"a whole name", name, false},
		{"a name backwards", func() string { return word() + " " + beginning(givenNames[dice.IntN(len(givenNames))], 3) }, false},
		{"two single characters", func() string { return fmt.Sprintf("%c %c", 'a'+dice.IntN(26), 'a'+dice.IntN(26)) }, false},
		{"a character of a name without spaces", func() string { r := []rune(unspacedNames[dice.IntN(7)]); return string(r[dice.IntN(len(r))]) }, false},
		{"how every address begins", func() string { return "network" }, false},
		{"an address", func() string { return fmt.Sprintf("network-user%d@kubernetes.example", dice.IntN(100_000)) }, false},
		{"no one's name", func() string { return "zzqx" }, false},
		{"one's reports", func() string { return string(rune('a' + dice.IntN(26))) }, true},
	} {
		b.Run(search.what, func(b *testing.B) {
			var took []time.Duration
			for b.Loop() {
				find := schema.SearchPeople
				if search.reports {
					find = schema.SearchReports
				}
				typed, asker := search.typed(), 1+dice.Int64N(1000)
				began := time.Now()
				_, err := find(ctx, app, asker, typed, 100)
				took = append(took, time.Since(began))
				require.NoError(b, err)
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
		})
	}
}
