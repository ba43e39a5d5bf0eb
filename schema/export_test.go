package schema

// OfferQuery is the query behind an offer's list, for a look at its plan. $1 is the one who asks, $2 whom or what they want to be like.
func OfferQuery(o Offer) string { return `select e.id` + o.from() + listOrder }

// PeopleQuery is the query behind SearchPeople, for a look at its plan.
func PeopleQuery(personID int64, typed string, limit int) (string, []any) {
	return peopleQuery(personID, typed, limit)
}
