// Package policy says who may decide a request's item. It is pure: what it judges is handed to it, so the transaction
// that records a decision and the one that opens approvals cannot disagree.
package policy

import "slices"

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
}

// Answer is who is asked about an item, and why. Candidates is empty exactly if Basis is Nobody.
type Answer struct {
	Basis      Basis
	Candidates []int64 // the requester's manager first, then by ID; any one of them decides
}

// Candidates answers who may decide: an entitlement's owners, else its application's owners, else the requester's manager,
// else the administrators; never the requester, nobody inactive, nobody who cannot be found in Slack.
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
		for _, p := range tier.people {
			if p.ID != f.RequesterID && p.Active && !p.Unreachable {
				ids = append(ids, p.ID)
			}
		}
		if len(ids) == 0 {
			continue
		}
		slices.Sort(ids)
		ids = slices.Compact(ids)
		if i := slices.Index(ids, managerID); i > 0 {
			ids = slices.Insert(slices.Delete(ids, i, i+1), 0, managerID)
		}
		return Answer{Basis: tier.basis, Candidates: ids}
	}
	return Answer{Basis: Nobody}
}

// Allows tells whether the person may decide.
func (a Answer) Allows(personID int64) bool { return slices.Contains(a.Candidates, personID) }

// Equal tells whether two answers ask the same people for the same reason.
func (a Answer) Equal(b Answer) bool {
	return a.Basis == b.Basis && slices.Equal(a.Candidates, b.Candidates)
}
