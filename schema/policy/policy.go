// Package policy says who may decide a request's item. It is pure: what it judges is handed to it, so the transaction
// that records a decision and the one that opens approvals cannot disagree.
package policy

import (
	"maps"
	"slices"
)

// Version names the rules below. Every approval and every decision records the version that judged it.
const Version = "owners-1"

// Basis is why somebody may decide.
type Basis string

// The bases, in the order in which they are tried.
const (
	EntitlementOwner Basis = "entitlement owner"
	ApplicationOwner Basis = "application owner"
	Manager          Basis = "manager"
	Administrator    Basis = "administrator"
	Nobody           Basis = "nobody"
)

// Person is what the policy needs to know of a possible approver.
type Person struct {
	ID          int64
	Active      bool // status active, and still in the directory
	Unreachable bool // Slack said definitely that there is no such user
}

// Facts are what the policy judges about one item.
type Facts struct {
	RequesterID       int64
	EntitlementOwners []Person
	ApplicationOwners []Person
	Manager           *Person // the requester's; nil: none
	Administrators    []Person
	// StandIns decide in the place of people who are away, by who is away.
	StandIns map[int64]Person
}

// Answer is who is asked about an item, and why. Candidates is empty exactly if Basis is Nobody.
type Answer struct {
	Basis      Basis
	Candidates []int64 // the requester's manager first, then by ID; any one of them decides
	// InPlaceOf says for whom a candidate stands in, where they are not one by their own right.
	InPlaceOf map[int64]int64
}

// may tells whether the person can be asked at all.
func (f Facts) may(p Person) bool { return p.ID != f.RequesterID && p.Active && !p.Unreachable }

// standIn is who decides for a person: themselves, or while they are away whoever stands in for them, and so on. It ends
// with themselves where that leads to nobody who may: a question is never put to nobody because of it.
func (f Facts) standIn(p Person) Person {
	seen := map[int64]bool{p.ID: true}
	for at := p; ; {
		next, away := f.StandIns[at.ID]
		switch {
		case !away && f.may(at):
			return at
		case !away || seen[next.ID]:
			return p
		}
		seen[next.ID], at = true, next
	}
}

// Candidates answers who may decide: an entitlement's owners, else its application's owners, else the requester's manager,
// else the administrators; never the requester, nobody inactive, nobody who cannot be found in Slack.
// Who is away is asked through whoever stands in for them.
func Candidates(f Facts) Answer {
	var managers []Person
	var managerID int64
	if f.Manager != nil {
		managers, managerID = []Person{*f.Manager}, f.Manager.ID
	}
	for _, tier := range []struct {
		basis  Basis
		people []Person
	}{
		{EntitlementOwner, f.EntitlementOwners},
		{ApplicationOwner, f.ApplicationOwners},
		{Manager, managers},
		{Administrator, f.Administrators},
	} {
		var ids []int64
		inPlaceOf := map[int64]int64{}
		for _, p := range tier.people {
			if !f.may(p) {
				continue
			}
			decides := f.standIn(p)
			ids = append(ids, decides.ID)
			if decides.ID != p.ID {
				inPlaceOf[decides.ID] = p.ID
			}
		}
		for _, p := range tier.people { // by their own right
			if f.standIn(p).ID == p.ID {
				delete(inPlaceOf, p.ID)
			}
		}
		if len(ids) == 0 {
			continue
		}
		slices.Sort(ids)
		ids = slices.Compact(ids)
		if i := slices.IndexFunc(ids, func(id int64) bool { return id == managerID || managerID != 0 && inPlaceOf[id] == managerID }); i > 0 {
			first := ids[i]
			ids = slices.Insert(slices.Delete(ids, i, i+1), 0, first)
		}
		if len(inPlaceOf) == 0 {
			inPlaceOf = nil
		}
		return Answer{Basis: tier.basis, Candidates: ids, InPlaceOf: inPlaceOf}
	}
	return Answer{Basis: Nobody}
}

// Allows tells whether the person may decide.
func (a Answer) Allows(personID int64) bool { return slices.Contains(a.Candidates, personID) }

// Equal tells whether two answers ask the same people for the same reason.
func (a Answer) Equal(b Answer) bool {
	return a.Basis == b.Basis && slices.Equal(a.Candidates, b.Candidates) && maps.Equal(a.InPlaceOf, b.InPlaceOf)
}
