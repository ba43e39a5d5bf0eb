package policy

import (
	"cmp"
	"slices"
)

// Person is what the policy needs to know about a possible approver.
type Person struct {
	ID          int64
	Active      bool // status active, and in the directory
	Unreachable bool // Slack answered that it has no such user
}

// Facts are the people that a stage can ask about one item.
type Facts struct {
	RequesterID int64
	SubmitterID int64 // 0: the requester
	People      map[Source][]Person
	Delegates   map[int64]Person // by the ID of the person who is away
}

// Candidate is a person who may decide.
type Candidate struct {
	PersonID   int64
	Basis      Basis
	OnBehalfOf int64 // the approver who is away; 0: none
}

// Vote returns whose vote the candidate's approval is: of the approver they decide for, if they are a delegate. Each person has
// one vote.
func (c Candidate) Vote() int64 {
	if c.OnBehalfOf != 0 {
		return c.OnBehalfOf
	}
	return c.PersonID
}

// Answer is who may decide an item in a stage, in the order in which they are asked. It is empty if they are too few.
type Answer struct {
	Candidates        []Candidate
	RequiredApprovals int
}

// Ask returns the candidates of the stage at an escalation level. approved are those who have approved in this stage. Their votes
// count even if they would not be asked now, and neither they nor the approvers they decided for are asked through a delegate.
//
// The requester, the submitter, inactive people and people who are not in Slack are never candidates. Delegates are asked for
// approvers who are away.
func (s Stage) Ask(f Facts, level int, approved []Candidate) Answer {
	answer := Answer{RequiredApprovals: s.RequiredApprovals}
	for _, tier := range s.tiers() {
		added := f.candidates(tier, answer.Candidates, approved)
		switch {
		case len(added) == 0:
			continue
		case !answer.enough(approved):
		case level > 0:
			level--
		default:
			return answer
		}
		answer.Candidates = append(answer.Candidates, added...)
	}
	if !answer.enough(approved) {
		answer.Candidates = nil
	}
	return answer
}

// tiers returns the stage's approvers, then those of each escalation level.
func (s Stage) tiers() [][]Source {
	tiers := [][]Source{s.Approvers}
	for _, source := range append(slices.Clone(s.EscalateTo), Administrators) {
		tiers = append(tiers, []Source{source})
	}
	return tiers
}

// candidates returns the candidates that a tier adds to those before: the requester's manager first, then by ID.
func (f Facts) candidates(tier []Source, before, approved []Candidate) []Candidate {
	var managers, others []Candidate
	for _, source := range tier {
		for _, c := range f.candidatesFrom(source, approved) {
			same := func(o Candidate) bool { return o.PersonID == c.PersonID }
			if slices.ContainsFunc(before, same) || slices.ContainsFunc(managers, same) || slices.ContainsFunc(others, same) {
				continue
			}
			if f.forManager(c) {
				managers = append(managers, c)
			} else {
				others = append(others, c)
			}
		}
	}
	slices.SortStableFunc(others, func(a, b Candidate) int { return cmp.Compare(a.PersonID, b.PersonID) })
	return append(managers, others...)
}

// candidatesFrom returns the candidates of one source, by ID. A person can be there twice: as an approver first, then as a
// delegate.
func (f Facts) candidatesFrom(source Source, approved []Candidate) []Candidate {
	var found []Candidate
	for _, p := range f.People[source] {
		if !f.mayDecide(p) {
			continue
		}
		c := Candidate{PersonID: f.delegate(p).ID, Basis: source.Basis()}
		if i := slices.IndexFunc(approved, func(a Candidate) bool { return a.Vote() == p.ID }); i >= 0 {
			c.PersonID = approved[i].PersonID
		}
		if c.PersonID != p.ID {
			c.OnBehalfOf = p.ID
		}
		found = append(found, c)
	}
	slices.SortStableFunc(found, func(a, b Candidate) int {
		return cmp.Or(cmp.Compare(a.PersonID, b.PersonID), cmp.Compare(a.OnBehalfOf, b.OnBehalfOf))
	})
	return found
}

// forManager reports whether the candidate is the requester's manager, on any basis, or decides for them.
func (f Facts) forManager(c Candidate) bool {
	return slices.ContainsFunc(f.People[Managers], func(m Person) bool { return m.ID == c.PersonID || m.ID == c.OnBehalfOf })
}

func (f Facts) mayDecide(p Person) bool {
	return p.ID != f.RequesterID && p.ID != f.SubmitterID && p.Active && !p.Unreachable
}

// delegate returns who decides for a person now: the person, their delegate while they are away, the delegate's own delegate,
// and so on. If that ends with no one who may decide, it is the person, so that a delegation never leaves an approval without
// approvers.
func (f Facts) delegate(p Person) Person {
	seen := map[int64]bool{p.ID: true}
	for at := p; ; {
		next, away := f.Delegates[at.ID]
		switch {
		case !away && f.mayDecide(at):
			return at
		case !away || seen[next.ID], next.ID == f.RequesterID, next.ID == f.SubmitterID: // requesters do not choose who decides
			return p
		}
		seen[next.ID], at = true, next
	}
}

// enough reports whether the required approvals can be reached, with those that exist.
func (a Answer) enough(approved []Candidate) bool {
	n := len(approved)
	for _, c := range a.Candidates {
		if !slices.ContainsFunc(approved, func(o Candidate) bool { return o.PersonID == c.PersonID }) {
			n++
		}
	}
	return n >= a.RequiredApprovals && len(a.Candidates) > 0
}

// Of returns the person as a candidate, if they are one.
func (a Answer) Of(personID int64) (Candidate, bool) {
	i := slices.IndexFunc(a.Candidates, func(c Candidate) bool { return c.PersonID == personID })
	if i < 0 {
		return Candidate{}, false
	}
	return a.Candidates[i], true
}

// Equal reports whether two answers have the same candidates for the same reasons.
func (a Answer) Equal(b Answer) bool {
	return a.RequiredApprovals == b.RequiredApprovals && slices.Equal(a.Candidates, b.Candidates)
}

// IDs returns the IDs of the candidates.
func (a Answer) IDs() []int64 {
	ids := make([]int64, len(a.Candidates))
	for i, c := range a.Candidates {
		ids[i] = c.PersonID
	}
	return ids
}
