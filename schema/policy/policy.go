// Package policy says who may decide an item of a request. It is pure: it is given everything that it evaluates, so the
// transaction that records a decision and the one that opens approvals cannot disagree.
//
// A policy is a list of rules. The first rule that matches applies to an item. It is found once, at submission: it approves,
// denies, or names the stages of approval. The approvers of a stage are looked up at each read.
package policy

import (
	_ "embed"
	"fmt"
	"slices"
	"time"
)

// Default is the source of the policy that applies until another one is applied.
//
//go:embed default.yaml
var Default []byte

// Policy is one version of the policy, compiled.
type Policy struct {
	Defaults Defaults
	Rules    []Rule // at least one; the last one always matches
}

// Defaults apply to all rules. What a policy leaves out is as in Default.
type Defaults struct {
	Times       // of rules without times of their own
	MaxDays int // the longest temporary access; rules and entitlements can only allow less
}

// Times say what happens without a decision, and when.
type Times struct {
	RemindAfter   time.Duration // since an approver was asked: then they are reminded, and the other candidates are asked
	EscalateAfter time.Duration // of each escalation level: then the next approvers are asked too
	ExpireAfter   time.Duration // since the request
}

// Rule applies to the items that it is the first to match. It has one outcome: Approve, Deny or Stages.
type Rule struct {
	Name      string
	Condition string // in CEL; empty: it always matches
	Approve   bool   // approved without an approver
	Deny      string // denied, with this text for the requester
	Stages    []Stage
	Limits    Limits
	Times     // from the policy's defaults, unless the rule has its own

	matches condition
}

// Limits say what may be requested.
type Limits struct {
	MaxDays      int // 0: only the limits of the policy and the entitlement
	NoPermanent  bool
	NoteRequired bool
}

// Stage is one step of a rule. Stages follow one another.
type Stage struct {
	Approvers         []Source // all of them are candidates
	EscalateTo        []Source // the next ones, one by one, if there are too few or there is no response; then the administrators
	RequiredApprovals int      // at least 1
}

// Source is where a stage finds approvers: one of the constants below, or a person's e-mail address.
type Source string

// The sources that a policy file can name.
const (
	EntitlementOwners Source = "entitlement owners"
	ApplicationOwners Source = "application owners"
	Managers          Source = "manager" // of the requester
	ManagersManagers  Source = "manager's manager"
	Administrators    Source = "administrators"
)

// Basis is the reason why a person may decide.
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

var bases = map[Source]Basis{
	EntitlementOwners: EntitlementOwner,
	ApplicationOwners: ApplicationOwner,
	Managers:          Manager,
	ManagersManagers:  ManagersManager,
	Administrators:    Administrator,
}

// Basis returns the reason why the people of the source may decide.
func (s Source) Basis() Basis {
	if basis, ok := bases[s]; ok {
		return basis
	}
	return Named
}

// Rule returns the rule with a number. Rules are numbered from 1, as items record them.
func (p *Policy) Rule(number int) (*Rule, error) {
	if number < 1 || number > len(p.Rules) {
		return nil, fmt.Errorf("find rule %d of the policy: it has %d rules", number, len(p.Rules))
	}
	return &p.Rules[number-1], nil
}

// Evaluate returns the number of the rule that applies. An error means that a condition could not be evaluated: then nothing
// is decided.
func (p *Policy) Evaluate(about Subject) (number int, err error) {
	for i := range p.Rules {
		rule := &p.Rules[i]
		matches, err := rule.matches.holds(about)
		if err != nil {
			return 0, fmt.Errorf("evaluate rule %d (%s): %w", i+1, rule.Name, err)
		}
		if matches {
			return i + 1, nil
		}
	}
	return 0, fmt.Errorf("evaluate the policy: no rule matches")
}

// Named returns the e-mail addresses in the policy, with repetitions.
func (p *Policy) Named() []Source {
	var named []Source
	for _, rule := range p.Rules {
		for _, stage := range rule.Stages {
			for _, source := range slices.Concat(stage.Approvers, stage.EscalateTo) {
				if source.Basis() == Named {
					named = append(named, source)
				}
			}
		}
	}
	return named
}
