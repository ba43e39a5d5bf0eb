package schema

import (
	"context"

	"github.com/jmoiron/sqlx"
)

// OfferQuery is the query behind an offer's list, for a look at its plan. $1 is the one who asks, $2 whom or what they want to be
// like.
func OfferQuery(o Offer) string { return `select e.id` + o.from() + listOrder }

// PeopleQuery is the query behind SearchPeople, for a look at its plan.
func PeopleQuery(personID int64, reports bool, typed string, limit int) (string, []any) {
	return peopleQuery(personID, reports, typed, limit)
}

// Unproven is why the decisions about an item do not prove its approval.
var Unproven = unproven

// CheckQuota answers whether a person may ask for more.
func CheckQuota(ctx context.Context, tx *sqlx.Tx, q Quota, personID int64) error {
	return q.check(ctx, tx, personID)
}
