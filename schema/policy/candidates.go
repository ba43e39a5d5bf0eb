package policy

import "slices"

// Person is what the policy needs to know of a possible approver.
type Person struct {
	ID          int64
	Active      bool // status active, and still in the directory
	Unreachable bool // Slack said definitely that there is no such user
}

// Facts are whom a stage can ask about one item.
type Facts struct {
	RequesterID int64
	SubmitterID int64 // who asked for them; 0: they themselves
	People      map[Source][]Person
	// Delegates decide in the place of people who are away, by who is away.
	Delegates map[int64]Person
}

// Candidate is someone who may decide.
type Candidate struct {
	PersonID  int64
	Basis     Basis
	InPlaceOf int64 // who is away, for whom they are delegates; 0: by their own right
}

// Voice is whose word the candidate's is: that of who is away, if they are delegates. No one's word counts twice.
func (c Candidate) Vote() int64 {
	if c.InPlaceOf != 0 {
		return c.InPlaceOf
	}
	return c.PersonID
}

// Answer is whom a stage asks about an item, in the order in which they are asked. No one: there are too few who may.
type Answer struct {
	Candidates        []Candidate
	RequiredApprovals int // how many of them have to approve
}

// Ask answers whom the stage asks. level is how often the approval was escalated; agreed are those who have approved in
// this stage before, and count whether or not they would be asked today: who has answered is not asked through someone else,
// nor is who was answered for.
//
// Never the requester nor the submitter, no one inactive, no one who cannot be found in Slack. Who is away is asked through whoever stands
// in for them.
func (s Stage) Ask(f Facts, level int, agreed []Candidate) Answer {
	answer := Answer{RequiredApprovals: s.RequiredApprovals}
	for _, tier := range s.tiers() {
		more := f.candidates(tier, answer.Candidates, agreed)
		switch {
		case len(more) == 0:
			continue
		case !answer.enough(agreed):
		case level > 0:
			level--
		default:
			return answer
		}
		answer.Candidates = append(answer.Candidates, more...)
	}
	if !answer.enough(agreed) {
		answer.Candidates = nil
	}
	return answer
}

// tiers are whom the stage asks, and whom if those are too few or do not answer.
func (s Stage) tiers() [][]Source {
	tiers := [][]Source{s.Approvers}
	for _, source := range append(slices.Clone(s.EscalateTo), Administrators) {
		tiers = append(tiers, []Source{source})
	}
	return tiers
}

// candidates are those of a tier who are none yet: the requester's manager first, then by ID.
func (f Facts) candidates(tier []Source, before, agreed []Candidate) []Candidate {
	var managers, more []Candidate
	for _, source := range tier {
		var found []Candidate
		for _, p := range f.People[source] {
			if !f.may(p) {
				continue
			}
			c := Candidate{PersonID: f.delegate(p).ID, Basis: source.Basis()}
			if n := slices.IndexFunc(agreed, func(a Candidate) bool { return a.Vote() == p.ID }); n >= 0 {
				c.PersonID = agreed[n].PersonID
			}
			if c.PersonID != p.ID {
				c.InPlaceOf = p.ID
			}
			found = append(found, c)
		}
		// By their own right before in someone's place.
		slices.SortStableFunc(found, func(a, b Candidate) int {
			if a.PersonID != b.PersonID {
				return int(a.PersonID - b.PersonID)
			}
			return int(a.InPlaceOf - b.InPlaceOf)
		})
		for _, c := range found {
			same := func(o Candidate) bool { return o.PersonID == c.PersonID }
			if slices.ContainsFunc(before, same) || slices.ContainsFunc(managers, same) || slices.ContainsFunc(more, same) {
				continue
			}
			if f.managerAsked(c) {
				managers = append(managers, c)
			} else {
				more = append(more, c)
			}
		}
	}
	slices.SortStableFunc(more, func(a, b Candidate) int { return int(a.PersonID - b.PersonID) })
	return append(managers, more...)
}

// managerAsked tells whether the candidate is the requester's manager, on whatever basis, or is a delegate for them.
func (f Facts) managerAsked(c Candidate) bool {
	return slices.ContainsFunc(f.People[Managers], func(m Person) bool { return m.ID == c.PersonID || m.ID == c.InPlaceOf })
}

// may tells whether the person can be asked at all.
func (f Facts) may(p Person) bool {
	return p.ID != f.RequesterID && p.ID != f.SubmitterID && p.Active && !p.Unreachable
}

// delegate is who decides for a person: themselves, or while they are away whoever is a delegate for them, and so on. It ends
// with themselves where that leads to no one who may: an approval is never put to no one because of it.
func (f Facts) delegate(p Person) Person {
	seen := map[int64]bool{p.ID: true}
	for at := p; ; {
		next, away := f.Delegates[at.ID]
		switch {
		case !away && f.may(at):
			return at
		case !away || seen[next.ID], next.ID == f.RequesterID, next.ID == f.SubmitterID: // who asked does not choose who decides
			return p
		}
		seen[next.ID], at = true, next
	}
}

// enough tells whether so many can approve as have to, those included who have.
func (a Answer) enough(agreed []Candidate) bool {
	n := len(agreed)
	for _, c := range a.Candidates {
		if !slices.ContainsFunc(agreed, func(o Candidate) bool { return o.PersonID == c.PersonID }) {
			n++
		}
	}
	return n >= a.RequiredApprovals && len(a.Candidates) > 0
}

// Of answers the person as a candidate, if they are one.
func (a Answer) Of(personID int64) (Candidate, bool) {
	n := slices.IndexFunc(a.Candidates, func(c Candidate) bool { return c.PersonID == personID })
	if n < 0 {
		return Candidate{}, false
	}
	return a.Candidates[n], true
}

// Equal tells whether two answers ask the same people for the same reasons.
func (a Answer) Equal(b Answer) bool {
	return a.RequiredApprovals == b.RequiredApprovals && slices.Equal(a.Candidates, b.Candidates)
}

// IDs are the candidates'.
func (a Answer) IDs() []int64 {
	ids := make([]int64, len(a.Candidates))
	for n, c := range a.Candidates {
		ids[n] = c.PersonID
	}
	return ids
}
