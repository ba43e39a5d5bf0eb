package policy_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"accessbot/schema/policy"
)

const ann = 1 // the requester

func active(ids ...int64) []policy.Person {
	people := make([]policy.Person, len(ids))
	for i, id := range ids {
		people[i] = policy.Person{ID: id, Active: true}
	}
	return people
}

// people returns all the people whom an item's stages can ask.
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

// without returns the facts if these sources have no one.
func without(sources ...policy.Source) policy.Facts {
	p := people()
	for _, s := range sources {
		delete(p, s)
	}
	return policy.Facts{RequesterID: ann, People: p}
}

// with returns the facts if a source has these people.
func with(source policy.Source, who ...policy.Person) policy.Facts {
	f := without()
	f.People[source] = who
	return f
}

// only returns the facts if no other source has anyone.
func only(source policy.Source, who ...policy.Person) policy.Facts {
	return policy.Facts{RequesterID: ann, People: map[policy.Source][]policy.Person{source: who}}
}

// stage needs as many approvals from the sources, and escalates to the administrators only.
func stage(requiredApprovals int, approvers ...policy.Source) policy.Stage {
	return policy.Stage{Approvers: approvers, RequiredApprovals: requiredApprovals}
}

// owners is the stage of the default policy.
var owners = policy.Stage{
	Approvers:         []policy.Source{policy.EntitlementOwners},
	EscalateTo:        []policy.Source{policy.ApplicationOwners, policy.Managers},
	RequiredApprovals: 1,
}

func by(basis policy.Basis, ids ...int64) (all []policy.Candidate) {
	for _, id := range ids {
		all = append(all, policy.Candidate{PersonID: id, Basis: basis})
	}
	return all
}

// onBehalfOf returns a delegate.
func onBehalfOf(approver int64, basis policy.Basis, delegate int64) policy.Candidate {
	return policy.Candidate{PersonID: delegate, Basis: basis, OnBehalfOf: approver}
}

// approved returns approvals by application owners.
func approved(ids ...int64) []policy.Candidate { return by(policy.ApplicationOwner, ids...) }

func TestCandidates(t *testing.T) {
	t.Run("stage asks its approvers, and the next ones if they are too few", func(t *testing.T) {
		two := stage(2, policy.ApplicationOwners)
		two.EscalateTo = []policy.Source{policy.Managers}
		unreachable := policy.Person{ID: 4, Active: true, Unreachable: true}
		for name, test := range map[string]struct {
			stage policy.Stage
			facts policy.Facts
			want  []policy.Candidate
		}{
			"entitlement owners, by ID": {owners, without(), by(policy.EntitlementOwner, 4, 5)},
			"without them, application owners": {
				owners, without(policy.EntitlementOwners), by(policy.ApplicationOwner, 6),
			},
			"without those, the manager": {
				owners, without(policy.EntitlementOwners, policy.ApplicationOwners), by(policy.Manager, 7),
			},
			"without a manager, administrators": {
				owners, only(policy.Administrators, active(8, 9)...), by(policy.Administrator, 8, 9),
			},
			"without administrators, no one": {owners, policy.Facts{RequesterID: ann}, nil},
			"all of its sources, each on its basis": {
				stage(1, policy.ManagersManagers, policy.ApplicationOwners, "dana@example.com"), without(),
				slices.Concat(by(policy.ApplicationOwner, 6), by(policy.Named, 20), by(policy.ManagersManager, 70)),
			},
			"too few, with the manager": {
				two, without(), append(by(policy.ApplicationOwner, 6), by(policy.Manager, 7)...),
			},
			"too few, with the administrators": {
				two, without(policy.Managers), append(by(policy.ApplicationOwner, 6), by(policy.Administrator, 8, 9)...),
			},
			"too few in all": {two, only(policy.ApplicationOwners, active(6)...), nil},
			"requester who is the only owner": {
				owners, with(policy.EntitlementOwners, active(ann)...), by(policy.ApplicationOwner, 6),
			},
			"requester who is one of the owners": {
				owners, with(policy.EntitlementOwners, active(ann, 5)...), by(policy.EntitlementOwner, 5),
			},
			"requester who is an administrator": {owners, only(policy.Administrators, active(ann)...), nil},
			"inactive owner": {
				owners, with(policy.EntitlementOwners, policy.Person{ID: 4}, policy.Person{ID: 5, Active: true}),
				by(policy.EntitlementOwner, 5),
			},
			"owner who is not in Slack": {owners, with(policy.EntitlementOwners, unreachable), by(policy.ApplicationOwner, 6)},
			"manager among the owners": {
				owners, with(policy.EntitlementOwners, active(9, 7, 4)...), by(policy.EntitlementOwner, 7, 4, 9),
			},
			"same owner twice": {owners, with(policy.EntitlementOwners, active(4, 5, 4)...), by(policy.EntitlementOwner, 4, 5)},
			"same person from two sources": {
				stage(1, policy.Managers, policy.ApplicationOwners), with(policy.ApplicationOwners, active(7)...), by(policy.Manager, 7),
			},
			"same person from two sources has one vote": {
				stage(2, policy.Managers, policy.ApplicationOwners), with(policy.ApplicationOwners, active(7)...),
				append(by(policy.Manager, 7), by(policy.Administrator, 8, 9)...),
			},
		} {
			t.Run(name, func(t *testing.T) {
				got := test.stage.Ask(test.facts, 0, nil)
				assert.Equal(t, test.want, got.Candidates)
				_, asked := got.Of(ann)
				assert.False(t, asked)
			})
		}
	})

	t.Run("vote counts even if its voter would not be asked now", func(t *testing.T) {
		two := stage(2, policy.ApplicationOwners)
		both, one := with(policy.ApplicationOwners, active(6, 10)...), with(policy.ApplicationOwners, active(6)...)
		assert.Equal(t, by(policy.ApplicationOwner, 6, 10), two.Ask(both, 0, nil).Candidates)
		assert.Equal(t, by(policy.ApplicationOwner, 6, 10), two.Ask(both, 0, approved(6)).Candidates, "same candidates after a vote")
		assert.Equal(t, by(policy.ApplicationOwner, 6), two.Ask(one, 0, approved(99)).Candidates, "the other voter has left")
		assert.Equal(t, append(by(policy.ApplicationOwner, 6), by(policy.Administrator, 8, 9)...),
			two.Ask(one, 0, approved(6)).Candidates, "each person has one vote")
	})

	t.Run("vote and the delegate's vote count once", func(t *testing.T) {
		two := stage(2, policy.ApplicationOwners)
		present := with(policy.ApplicationOwners, active(6, 10)...)
		away := present
		away.Delegates = map[int64]policy.Person{6: {ID: 9, Active: true}}
		delegated := []policy.Candidate{
			{PersonID: 10, Basis: policy.ApplicationOwner}, onBehalfOf(6, policy.ApplicationOwner, 9),
		}
		require.ElementsMatch(t, delegated, two.Ask(away, 0, nil).Candidates)
		assert.Equal(t, approved(6, 10), two.Ask(away, 0, approved(6)).Candidates, "the delegate of an approver who voted is not asked")
		assert.ElementsMatch(t, delegated, two.Ask(present, 0, delegated[1:]).Candidates, "nor an approver whose delegate voted")
		one := with(policy.ApplicationOwners, active(6)...)
		assert.Equal(t, []int64{9, 8}, two.Ask(one, 0, delegated[1:]).IDs()[:2], "the administrators are asked for the second vote")
	})

	t.Run("escalation adds the next approvers", func(t *testing.T) {
		first := by(policy.EntitlementOwner, 4, 5)
		second := slices.Concat(first, by(policy.ApplicationOwner, 6))
		third := slices.Concat(second, by(policy.Manager, 7))
		last := slices.Concat(third, by(policy.Administrator, 8, 9))
		for level, want := range [][]policy.Candidate{first, second, third, last, last} {
			assert.Equal(t, want, owners.Ask(without(), level, nil).Candidates, "level %d", level)
		}
		assert.Equal(t, slices.Concat(first, by(policy.Manager, 7)), owners.Ask(without(policy.ApplicationOwners), 1, nil).Candidates,
			"a source without people is not a level")
	})

	t.Run("answers are equal for the same people and basis", func(t *testing.T) {
		a := policy.Answer{Candidates: by(policy.Manager, 1, 2), RequiredApprovals: 1}
		assert.True(t, a.Equal(policy.Answer{Candidates: by(policy.Manager, 1, 2), RequiredApprovals: 1}))
		assert.False(t, a.Equal(policy.Answer{Candidates: by(policy.Administrator, 1, 2), RequiredApprovals: 1}))
		assert.False(t, a.Equal(policy.Answer{Candidates: by(policy.Manager, 1), RequiredApprovals: 1}))
		assert.False(t, a.Equal(policy.Answer{Candidates: by(policy.Manager, 1, 2), RequiredApprovals: 2}))
	})

	t.Run("delegate is asked for an approver who is away", func(t *testing.T) {
		ask := func(delegates map[int64]policy.Person, ids ...int64) []policy.Candidate {
			f := with(policy.EntitlementOwners, active(ids...)...)
			f.Delegates = delegates
			return owners.Ask(f, 0, nil).Candidates
		}
		to := func(id int64) policy.Person { return policy.Person{ID: id, Active: true} }
		own := func(ids ...int64) []policy.Candidate { return by(policy.EntitlementOwner, ids...) }
		nine := onBehalfOf(4, policy.EntitlementOwner, 9)
		for name, test := range map[string]struct{ got, want []policy.Candidate }{
			"one of two is away":               {ask(map[int64]policy.Person{4: to(9)}, 4, 5), append(own(5), nine)},
			"delegate is away, too":            {ask(map[int64]policy.Person{4: to(8), 8: to(9)}, 4), []policy.Candidate{nine}},
			"two are each other's delegates":   {ask(map[int64]policy.Person{4: to(5), 5: to(4)}, 4, 5), own(4, 5)},
			"delegate is the requester":        {ask(map[int64]policy.Person{4: to(ann)}, 4), own(4)},
			"delegate is inactive":             {ask(map[int64]policy.Person{4: {ID: 9}}, 4), own(4)},
			"delegate is not in Slack":         {ask(map[int64]policy.Person{4: {ID: 9, Active: true, Unreachable: true}}, 4), own(4)},
			"delegate is an owner":             {ask(map[int64]policy.Person{4: to(5)}, 4, 5), own(5)},
			"one delegate for two, asked once": {ask(map[int64]policy.Person{4: to(9), 5: to(9)}, 4, 5), []policy.Candidate{nine}},
		} {
			t.Run(name, func(t *testing.T) { assert.Equal(t, test.want, test.got) })
		}
	})

	t.Run("manager's delegate is asked first", func(t *testing.T) {
		f := with(policy.EntitlementOwners, active(4, 7)...)
		f.Delegates = map[int64]policy.Person{7: {ID: 9, Active: true}}
		assert.Equal(t, []int64{9, 4}, owners.Ask(f, 0, nil).IDs())
	})

	t.Run("delegate of an inactive person is not asked", func(t *testing.T) {
		f := with(policy.EntitlementOwners, policy.Person{ID: 4})
		f.Delegates = map[int64]policy.Person{4: {ID: 9, Active: true}}
		assert.Equal(t, []int64{6}, owners.Ask(f, 0, nil).IDs())
	})

	t.Run("submitter is neither approver nor delegate", func(t *testing.T) {
		f := without()
		f.SubmitterID = 4
		assert.Equal(t, []int64{5}, owners.Ask(f, 0, nil).IDs())
		f.Delegates = map[int64]policy.Person{5: {ID: 4, Active: true}}
		assert.Equal(t, by(policy.EntitlementOwner, 5), owners.Ask(f, 0, nil).Candidates)
	})

	t.Run("delegate chosen by requester or submitter is not asked", func(t *testing.T) {
		f := with(policy.EntitlementOwners, active(4)...)
		f.SubmitterID = 33
		for _, asks := range []int64{ann, 33} {
			f.Delegates = map[int64]policy.Person{4: {ID: asks, Active: true}, asks: {ID: 66, Active: true}}
			assert.Equal(t, by(policy.EntitlementOwner, 4), owners.Ask(f, 0, nil).Candidates, "through %d", asks)
		}
	})
}
