package schema

import (
	"context"
	"database/sql"

	"github.com/lib/pq"
)

// Message is one message of a request to one person: wanted, and perhaps sent.
type Message struct {
	ID        int64         `db:"id"`
	RequestID int64         `db:"request_id"`
	PersonID  int64         `db:"person_id"`
	Kind      string        `db:"kind"`     // card, question, outcome, ending_soon, ended or report
	About     string        `db:"about"`    // tells two of one kind apart
	ItemIDs   pq.Int64Array `db:"item_ids"` // what it showed as open
	Terms     string        `db:"terms"`    // the request's terms as shown
	Channel   string        `db:"channel"`
	TS        string        `db:"ts"`     // empty: not sent yet
	Digest    string        `db:"digest"` // of what was last sent
	Attempts  int           `db:"attempts"`
	Problem   string        `db:"problem"`
	SentAt    sql.NullTime  `db:"sent_at"`
}

const selectMessage = `
select m.id, m.request_id, m.person_id, m.kind, m.about, m.item_ids, m.terms, m.channel, m.ts, m.digest, m.attempts, m.problem, m.sent_at
  from slack_messages m`

func messageByID(ctx context.Context, q Queryer, id int64) (Message, error) {
	var m Message
	err := q.GetContext(ctx, &m, selectMessage+` where m.id = $1`, id)
	return m, refusal(err)
}
