package policy_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

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

func TestCandidatesAreTheFirstTierThatHasSomebody(t *testing.T) {
	manager := policy.Person{ID: 7, Active: true}
	all := policy.Facts{RequesterID: ann, EntitlementOwners: active(5, 4), ApplicationOwners: active(6), Manager: &manager, Administrators: active(8, 9)}
	without := func(change func(*policy.Facts)) policy.Facts {
		f := all
		change(&f)
		return f
	}
	for name, c := range map[string]struct {
		facts policy.Facts
		want  policy.Answer
	}{
		"the entitlement's owners, by ID": {all, policy.Answer{Basis: policy.EntitlementOwner, Candidates: []int64{4, 5}}},
		"else the application's owners": {
			without(func(f *policy.Facts) { f.EntitlementOwners = nil }),
			policy.Answer{Basis: policy.ApplicationOwner, Candidates: []int64{6}},
		},
		"else the requester's manager": {
			without(func(f *policy.Facts) { f.EntitlementOwners, f.ApplicationOwners = nil, nil }),
			policy.Answer{Basis: policy.Manager, Candidates: []int64{7}},
		},
		"else the administrators": {
			without(func(f *policy.Facts) { f.EntitlementOwners, f.ApplicationOwners, f.Manager = nil, nil, nil }),
			policy.Answer{Basis: policy.Administrator, Candidates: []int64{8, 9}},
		},
		"else nobody": {policy.Facts{RequesterID: ann}, policy.Answer{Basis: policy.Nobody}},
		"never the requester, though the only owner": {
			without(func(f *policy.Facts) { f.EntitlementOwners = active(ann) }),
			policy.Answer{Basis: policy.ApplicationOwner, Candidates: []int64{6}},
		},
		"never the requester, among others": {
			without(func(f *policy.Facts) { f.EntitlementOwners = active(ann, 5) }),
			policy.Answer{Basis: policy.EntitlementOwner, Candidates: []int64{5}},
		},
		"never the requester, though an administrator": {
			policy.Facts{RequesterID: ann, Administrators: active(ann)},
			policy.Answer{Basis: policy.Nobody},
		},
		"nobody who is inactive": {
			without(func(f *policy.Facts) { f.EntitlementOwners = []policy.Person{{ID: 4}, {ID: 5, Active: true}} }),
			policy.Answer{Basis: policy.EntitlementOwner, Candidates: []int64{5}},
		},
		"nobody who cannot be found in Slack": {
			without(func(f *policy.Facts) { f.EntitlementOwners = []policy.Person{{ID: 4, Active: true, Unreachable: true}} }),
			policy.Answer{Basis: policy.ApplicationOwner, Candidates: []int64{6}},
		},
		"an inactive manager is passed over": {
			policy.Facts{RequesterID: ann, Manager: &policy.Person{ID: 7}, Administrators: active(8)},
			policy.Answer{Basis: policy.Administrator, Candidates: []int64{8}},
		},
		"the manager first among the owners": {
			without(func(f *policy.Facts) { f.EntitlementOwners = active(9, 7, 4) }),
			policy.Answer{Basis: policy.EntitlementOwner, Candidates: []int64{7, 4, 9}},
		},
		"named twice, asked once": {
			without(func(f *policy.Facts) { f.EntitlementOwners = active(4, 5, 4) }),
			policy.Answer{Basis: policy.EntitlementOwner, Candidates: []int64{4, 5}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := policy.Candidates(c.facts)
			assert.Equal(t, c.want, got)
			assert.False(t, got.Allows(ann))
			for _, id := range got.Candidates {
				assert.True(t, got.Allows(id))
			}
		})
	}
}

func TestAnswersAreEqualIfTheyAskTheSamePeopleForTheSameReason(t *testing.T) {
	a := policy.Answer{Basis: policy.Manager, Candidates: []int64{1, 2}}
	assert.True(t, a.Equal(policy.Answer{Basis: policy.Manager, Candidates: []int64{1, 2}}))
	assert.False(t, a.Equal(policy.Answer{Basis: policy.Administrator, Candidates: []int64{1, 2}}))
	assert.False(t, a.Equal(policy.Answer{Basis: policy.Manager, Candidates: []int64{1}}))
}

func TestWhoIsAwayIsAskedThroughWhoeverStandsIn(t *testing.T) {
	owners := func(standIns map[int64]policy.Person, ids ...int64) policy.Answer {
		return policy.Candidates(policy.Facts{RequesterID: ann, EntitlementOwners: active(ids...), StandIns: standIns})
	}
	to := func(id int64) policy.Person { return policy.Person{ID: id, Active: true} }
	for name, c := range map[string]struct {
		got        policy.Answer
		candidates []int64
		inPlaceOf  map[int64]int64
	}{
		"one of two":                              {owners(map[int64]policy.Person{4: to(9)}, 4, 5), []int64{5, 9}, map[int64]int64{9: 4}},
		"away in turn":                            {owners(map[int64]policy.Person{4: to(8), 8: to(9)}, 4), []int64{9}, map[int64]int64{9: 4}},
		"for each other: nobody is away":          {owners(map[int64]policy.Person{4: to(5), 5: to(4)}, 4, 5), []int64{4, 5}, nil},
		"by the requester: never":                 {owners(map[int64]policy.Person{4: to(ann)}, 4), []int64{4}, nil},
		"by somebody inactive: not":               {owners(map[int64]policy.Person{4: {ID: 9}}, 4), []int64{4}, nil},
		"by somebody unknown to Slack: not":       {owners(map[int64]policy.Person{4: {ID: 9, Active: true, Unreachable: true}}, 4), []int64{4}, nil},
		"by an owner: asked once, in their right": {owners(map[int64]policy.Person{4: to(5)}, 4, 5), []int64{5}, nil},
		"two by one: asked once":                  {owners(map[int64]policy.Person{4: to(9), 5: to(9)}, 4, 5), []int64{9}, map[int64]int64{9: 5}},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, c.candidates, c.got.Candidates)
			assert.Equal(t, c.inPlaceOf, c.got.InPlaceOf)
			assert.False(t, c.got.Allows(ann))
		})
	}
}

func TestTheManagersStandInIsAskedFirst(t *testing.T) {
	manager := policy.Person{ID: 7, Active: true}
	got := policy.Candidates(policy.Facts{RequesterID: ann, EntitlementOwners: active(4, 7), Manager: &manager, StandIns: map[int64]policy.Person{7: {ID: 9, Active: true}}})
	assert.Equal(t, []int64{9, 4}, got.Candidates)
}

func TestWhoIsNoCandidateHasNoStandIn(t *testing.T) {
	got := policy.Candidates(policy.Facts{RequesterID: ann, EntitlementOwners: []policy.Person{{ID: 4}}, ApplicationOwners: active(6), StandIns: map[int64]policy.Person{4: {ID: 9, Active: true}}})
	assert.Equal(t, []int64{6}, got.Candidates, "whoever left hands nothing on")
}
