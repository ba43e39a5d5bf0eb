// Package policy says who may decide a request's item. It is pure: what it evaluates is handed to it, so the transaction
// that records a decision and the one that opens approvals cannot disagree.
//
// A policy is a list of rules, of which the first that matches evaluates an item, once, when it is submitted: it approves,
// denies, or names the stages in which people are asked. Whom a stage asks is found again whenever it is looked at.
package policy

import (
	_ "embed"
	"fmt"
	"slices"
	"time"
)

// Default is the source of the policy that holds as long as no other was applied.
//
//go:embed default.yaml
var Default []byte

// Policy is one version of the policy, compiled.
type Policy struct {
	Rules []Rule // at least one; the last one always matches
}

// Rule says what becomes of the items that it is the first to match. It has one outcome.
type Rule struct {
	Name      string
	Condition string // in CEL; empty: it always matches
	Approve   bool   // approved without asking anybody
	Deny      string // denied, with these words to the requester
	Stages    []Stage
	Limits    Limits

	// Zero: as the settings of the program say.
	RemindAfter   time.Duration // first reminder, after which the others of the candidates are asked too
	EscalateAfter time.Duration // then the next in the chain are asked besides, and so on
	ExpireAfter   time.Duration // since the request

	matches condition
}

// Limits are what may be asked for at all.
type Limits struct {
	MaxDays      int  // 0: as long as the settings and the entitlement allow
	NoPermanent  bool // it has to have an end
	NoteRequired bool
}

// Stage is one approval: so many of these people have to approve. Stages are asked one after the other.
type Stage struct {
	Approvers         []Source // all of them are candidates
	EscalateTo        []Source // tried one by one where there are too few, or no one answers; then the administrators
	RequiredApprovals int      // how many; at least 1
}

// Source is whom a stage may ask: one of those below, or someone's e-mail address.
type Source string

// The sources that a policy's file knows by name.
const (
	EntitlementOwners Source = "entitlement owners"
	ApplicationOwners Source = "application owners"
	Managers          Source = "manager" // the requester's
	ManagersManagers  Source = "manager's manager"
	Administrators    Source = "administrators"
)

// Basis is why someone may decide.
type Basis string

// The bases.
const (
	EntitlementOwner Basis = "entitlement owner"
	ApplicationOwner Basis = "application owner"
	Manager          Basis = "manager"
	ManagersManager  Basis = "manager's manager"
	Administrator    Basis = "administrator"
	Named            Basis = "named by the policy"
)

// bases are those that a source makes people candidates by.
var bases = map[Source]Basis{
	EntitlementOwners: EntitlementOwner,
	ApplicationOwners: ApplicationOwner,
	Managers:          Manager,
	ManagersManagers:  ManagersManager,
	Administrators:    Administrator,
}

// Basis is why someone from the source may decide.
func (s Source) Basis() Basis {
	if basis, ok := bases[s]; ok {
		return basis
	}
	return Named
}

// Rule answers the rule at a position, counted from 1, as items record it.
func (p *Policy) Rule(position int) (*Rule, error) {
	if position < 1 || position > len(p.Rules) {
		return nil, fmt.Errorf("the policy has no rule %d, but %d", position, len(p.Rules))
	}
	return &p.Rules[position-1], nil
}

// Judge answers the position, counted from 1, of the rule that evaluates what is asked for. An error is a condition that
// could not be evaluated: then nothing is decided.
func (p *Policy) Evaluate(about Subject) (position int, err error) {
	for n := range p.Rules {
		c := &p.Rules[n]
		matches, err := c.matches.holds(about)
		if err != nil {
			return 0, fmt.Errorf("rule %d (%s) of the policy: %w", n+1, c.Name, err)
		}
		if matches {
			return n + 1, nil
		}
	}
	return 0, fmt.Errorf("no rule of the policy matches")
}

// Named are the e-mail addresses of those whom the policy names, as often as it does.
func (p *Policy) Named() []Source {
	var named []Source
	for _, c := range p.Rules {
		for _, s := range c.Stages {
			for _, source := range slices.Concat(s.Approvers, s.EscalateTo) {
				if source.Basis() == Named {
					named = append(named, source)
				}
			}
		}
	}
	return named
}
