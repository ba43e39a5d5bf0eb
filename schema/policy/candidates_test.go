package policy_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"accessbot/schema/policy"
)

const ann = 1 // the requester

func active(ids ...int64) []policy.Person {
	people := make([]policy.Person, len(ids))
	for n, id := range ids {
		people[n] = policy.Person{ID: id, Active: true}
	}
	return people
}

// people are whom an item's stages can ask: everybody that there is.
func people() map[policy.Source][]policy.Person {
	return map[policy.Source][]policy.Person{
		policy.EntitlementOwners: active(5, 4),
		policy.ApplicationOwners: active(6),
		policy.Managers:          active(7),
		policy.ManagersManagers:  active(70),
		policy.Administrators:    active(8, 9),
		"dana@example.com":       active(20),
	}
}

func without(sources ...policy.Source) policy.Facts {
	p := people()
	for _, s := range sources {
		delete(p, s)
	}
	return policy.Facts{RequesterID: ann, People: p}
}

func with(source policy.Source, who ...policy.Person) policy.Facts {
	f := without()
	f.People[source] = who
	return f
}

// owners is the stage of the policy that comes with the program.
var owners = policy.Stage{Approvers: []policy.Source{policy.EntitlementOwners}, EscalateTo: []policy.Source{policy.ApplicationOwners, policy.Managers}, RequiredApprovals: 1}

func by(basis policy.Basis, ids ...int64) (all []policy.Candidate) {
	for _, id := range ids {
		all = append(all, policy.Candidate{PersonID: id, Basis: basis})
	}
	return all
}

func TestCandidates(t *testing.T) {
	t.Run("stage asks the first in its chain who are enough", func(t *testing.T) {
		two := policy.Stage{Approvers: []policy.Source{policy.ApplicationOwners}, EscalateTo: []policy.Source{policy.Managers}, RequiredApprovals: 2}
		for name, c := range map[string]struct {
			stage policy.Stage
			facts policy.Facts
			want  []policy.Candidate
		}{
			"the entitlement's owners, by ID": {owners, without(), by(policy.EntitlementOwner, 4, 5)},
			"else the application's owners":   {owners, without(policy.EntitlementOwners), by(policy.ApplicationOwner, 6)},
			"else the requester's manager":    {owners, without(policy.EntitlementOwners, policy.ApplicationOwners), by(policy.Manager, 7)},
			"else the administrators":         {owners, without(policy.EntitlementOwners, policy.ApplicationOwners, policy.Managers), by(policy.Administrator, 8, 9)},
			"else no one":                     {owners, policy.Facts{RequesterID: ann}, nil},
			"all of its sources, each on its basis": {
				policy.Stage{Approvers: []policy.Source{policy.ManagersManagers, policy.ApplicationOwners, "dana@example.com"}, RequiredApprovals: 1}, without(),
				append(by(policy.ApplicationOwner, 6), append(by(policy.Named, 20), by(policy.ManagersManager, 70)...)...),
			},
			"too few, so the next as well":                       {two, without(), append(by(policy.ApplicationOwner, 6), by(policy.Manager, 7)...)},
			"too few even so: the administrators":                {two, without(policy.Managers), append(by(policy.ApplicationOwner, 6), by(policy.Administrator, 8, 9)...)},
			"too few altogether: no one":                         {two, policy.Facts{RequesterID: ann, People: map[policy.Source][]policy.Person{policy.ApplicationOwners: active(6)}}, nil},
			"never the requester, though the only owner":         {owners, with(policy.EntitlementOwners, active(ann)...), by(policy.ApplicationOwner, 6)},
			"never the requester, among others":                  {owners, with(policy.EntitlementOwners, active(ann, 5)...), by(policy.EntitlementOwner, 5)},
			"never the requester, though an administrator":       {owners, policy.Facts{RequesterID: ann, People: map[policy.Source][]policy.Person{policy.Administrators: active(ann)}}, nil},
			"no one who is inactive":                             {owners, with(policy.EntitlementOwners, policy.Person{ID: 4}, policy.Person{ID: 5, Active: true}), by(policy.EntitlementOwner, 5)},
			"no one who cannot be found in Slack":                {owners, with(policy.EntitlementOwners, policy.Person{ID: 4, Active: true, Unreachable: true}), by(policy.ApplicationOwner, 6)},
			"the manager first among the owners":                 {owners, with(policy.EntitlementOwners, active(9, 7, 4)...), by(policy.EntitlementOwner, 7, 4, 9)},
			"named twice, asked once":                            {owners, with(policy.EntitlementOwners, active(4, 5, 4)...), by(policy.EntitlementOwner, 4, 5)},
			"the same person from two sources, on the first":     {policy.Stage{Approvers: []policy.Source{policy.Managers, policy.ApplicationOwners}, RequiredApprovals: 1}, with(policy.ApplicationOwners, active(7)...), by(policy.Manager, 7)},
			"the same person twice is not two who agree (agree)": {policy.Stage{Approvers: []policy.Source{policy.Managers, policy.ApplicationOwners}, RequiredApprovals: 2}, with(policy.ApplicationOwners, active(7)...), append(by(policy.Manager, 7), by(policy.Administrator, 8, 9)...)},
		} {
			t.Run(name, func(t *testing.T) {
				got := c.stage.Ask(c.facts, 0, nil)
				assert.Equal(t, c.want, got.Candidates)
				_, asked := got.Of(ann)
				assert.False(t, asked)
			})
		}
	})

	t.Run("vote counts even if its voter would not be asked today", func(t *testing.T) {
		two := policy.Stage{Approvers: []policy.Source{policy.ApplicationOwners}, RequiredApprovals: 2}
		f := with(policy.ApplicationOwners, active(6, 10)...)
		asked := by(policy.ApplicationOwner, 6, 10)
		assert.Equal(t, asked, two.Ask(f, 0, nil).Candidates)
		assert.Equal(t, asked, two.Ask(f, 0, agreed(6)).Candidates, "the approval stays as it was put")
		assert.Equal(t, by(policy.ApplicationOwner, 6), two.Ask(with(policy.ApplicationOwners, active(6)...), 0, agreed(99)).Candidates, "one has agreed who left since: one more is enough")
		assert.Equal(t, append(by(policy.ApplicationOwner, 6), by(policy.Administrator, 8, 9)...),
			two.Ask(with(policy.ApplicationOwners, active(6)...), 0, agreed(6)).Candidates, "who agreed cannot agree again")
	})

	t.Run("vote and the delegate's vote count once", func(t *testing.T) {
		two := policy.Stage{Approvers: []policy.Source{policy.ApplicationOwners}, RequiredApprovals: 2}
		f := with(policy.ApplicationOwners, active(6, 10)...)
		away := f
		away.Delegates = map[int64]policy.Person{6: {ID: 9, Active: true}}
		through := []policy.Candidate{{PersonID: 10, Basis: policy.ApplicationOwner}, {PersonID: 9, Basis: policy.ApplicationOwner, InPlaceOf: 6}}
		require.ElementsMatch(t, through, two.Ask(away, 0, nil).Candidates)
		assert.Equal(t, agreed(6, 10), two.Ask(away, 0, agreed(6)).Candidates, "who agreed and then went away is not asked once more through someone")
		assert.ElementsMatch(t, through, two.Ask(f, 0, through[1:]).Candidates, "nor who comes back and was answered for")
		only := with(policy.ApplicationOwners, active(6)...)
		assert.Equal(t, []int64{9, 8}, two.Ask(only, 0, through[1:]).IDs()[:2], "one word is not two: the administrators besides")
	})

	t.Run("escalation adds the next in the chain", func(t *testing.T) {
		f := without()
		first := by(policy.EntitlementOwner, 4, 5)
		second := append(first, by(policy.ApplicationOwner, 6)...)
		third := append(second, by(policy.Manager, 7)...)
		last := append(third, by(policy.Administrator, 8, 9)...)
		for level, want := range [][]policy.Candidate{first, second, third, last, last} {
			assert.Equal(t, want, owners.Ask(f, level, nil).Candidates, "level %d", level)
		}
		assert.Equal(t, append(by(policy.EntitlementOwner, 4, 5), by(policy.Manager, 7)...), owners.Ask(without(policy.ApplicationOwners), 1, nil).Candidates,
			"a level is not spent on no one")
	})

	t.Run("answers are equal for the same people and basis", func(t *testing.T) {
		a := policy.Answer{Candidates: by(policy.Manager, 1, 2), RequiredApprovals: 1}
		assert.True(t, a.Equal(policy.Answer{Candidates: by(policy.Manager, 1, 2), RequiredApprovals: 1}))
		assert.False(t, a.Equal(policy.Answer{Candidates: by(policy.Administrator, 1, 2), RequiredApprovals: 1}))
		assert.False(t, a.Equal(policy.Answer{Candidates: by(policy.Manager, 1), RequiredApprovals: 1}))
		assert.False(t, a.Equal(policy.Answer{Candidates: by(policy.Manager, 1, 2), RequiredApprovals: 2}))
	})

	t.Run("absent approver is asked through the delegate", func(t *testing.T) {
		ask := func(delegates map[int64]policy.Person, ids ...int64) []policy.Candidate {
			f := with(policy.EntitlementOwners, active(ids...)...)
			f.Delegates = delegates
			return owners.Ask(f, 0, nil).Candidates
		}
		to := func(id int64) policy.Person { return policy.Person{ID: id, Active: true} }
		own := func(ids ...int64) []policy.Candidate { return by(policy.EntitlementOwner, ids...) }
		inPlace := func(id, of int64) policy.Candidate {
			return policy.Candidate{PersonID: id, Basis: policy.EntitlementOwner, InPlaceOf: of}
		}
		for name, c := range map[string]struct{ got, want []policy.Candidate }{
			"one of two":                              {ask(map[int64]policy.Person{4: to(9)}, 4, 5), append(own(5), inPlace(9, 4))},
			"away in turn":                            {ask(map[int64]policy.Person{4: to(8), 8: to(9)}, 4), []policy.Candidate{inPlace(9, 4)}},
			"for each other: no one is away":          {ask(map[int64]policy.Person{4: to(5), 5: to(4)}, 4, 5), own(4, 5)},
			"by the requester: never":                 {ask(map[int64]policy.Person{4: to(ann)}, 4), own(4)},
			"by someone inactive: not":                {ask(map[int64]policy.Person{4: {ID: 9}}, 4), own(4)},
			"by someone unknown to Slack: not":        {ask(map[int64]policy.Person{4: {ID: 9, Active: true, Unreachable: true}}, 4), own(4)},
			"by an owner: asked once, in their right": {ask(map[int64]policy.Person{4: to(5)}, 4, 5), own(5)},
			"two by one: asked once":                  {ask(map[int64]policy.Person{4: to(9), 5: to(9)}, 4, 5), []policy.Candidate{inPlace(9, 4)}},
		} {
			t.Run(name, func(t *testing.T) { assert.Equal(t, c.want, c.got) })
		}
	})

	t.Run("manager's delegate is asked first", func(t *testing.T) {
		f := with(policy.EntitlementOwners, active(4, 7)...)
		f.Delegates = map[int64]policy.Person{7: {ID: 9, Active: true}}
		assert.Equal(t, []int64{9, 4}, owners.Ask(f, 0, nil).IDs())
	})

	t.Run("person who is no candidate has no delegate", func(t *testing.T) {
		f := with(policy.EntitlementOwners, policy.Person{ID: 4})
		f.Delegates = map[int64]policy.Person{4: {ID: 9, Active: true}}
		assert.Equal(t, []int64{6}, owners.Ask(f, 0, nil).IDs(), "whoever left hands nothing on")
	})

	t.Run("submitter is neither approver nor delegate", func(t *testing.T) {
		f := without()
		f.SubmitterID = 4
		assert.Equal(t, []int64{5}, owners.Ask(f, 0, nil).IDs())
		f.Delegates = map[int64]policy.Person{5: {ID: 4, Active: true}}
		assert.Equal(t, by(policy.EntitlementOwner, 5), owners.Ask(f, 0, nil).Candidates, "an approval is not put to them in someone's place either")
	})

	t.Run("delegate chosen by requester or submitter is not asked", func(t *testing.T) {
		f := with(policy.EntitlementOwners, active(4)...)
		f.SubmitterID = 33
		for _, asks := range []int64{ann, 33} {
			f.Delegates = map[int64]policy.Person{4: {ID: asks, Active: true}, asks: {ID: 66, Active: true}}
			assert.Equal(t, by(policy.EntitlementOwner, 4), owners.Ask(f, 0, nil).Candidates, "the chain of who is a delegate leads through %d", asks)
		}
	})
}

func agreed(ids ...int64) []policy.Candidate { return by(policy.ApplicationOwner, ids...) }
