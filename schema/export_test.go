package schema

import (
	"context"

	"github.com/jmoiron/sqlx"
)

// OfferQuery returns the query of an offer's list, to explain it. $1 is the requester, $2 the subject.
func OfferQuery(o Offer) string { return `select e.id` + o.from() + listOrder }

// PeopleQuery returns the query of SearchPeople, to explain it.
func PeopleQuery(personID int64, reports bool, typed string, limit int) (string, []any) {
	return peopleQuery(personID, reports, typed, limit)
}

// Unproven returns why the decisions about an item are not sufficient.
var Unproven = unproven

// CheckQuota checks whether a person may make another request.
func CheckQuota(ctx context.Context, tx *sqlx.Tx, q Quota, personID int64) error {
	return q.check(ctx, tx, personID)
}

// Rules are the files of rules.
var Rules = rules

// ApplyRules makes the database's rules those of files.
var ApplyRules = applyRules
