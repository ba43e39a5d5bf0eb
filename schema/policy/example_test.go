package policy_test

import (
	"fmt"

	"accessbot/schema/policy"
)

// A policy finds the rule of an item once. Its stages then say who may decide, from the people in the directory.
func ExamplePolicy_Evaluate() {
	p, err := policy.Parse("policy.yaml", []byte(`
rules:
  - name: High risk
    when: risk == "high"
    ask:
      - approvers: [manager]
      - approvers: [entitlement owners]
        required_approvals: 2
  - name: Everything else
    approve: true
`))
	if err != nil {
		panic(err)
	}
	for _, risk := range []string{"low", "high"} {
		number, err := p.Evaluate(policy.Subject{Entitlement: policy.Entitlement{Risk: risk}})
		if err != nil {
			panic(err)
		}
		rule, err := p.Rule(number)
		if err != nil {
			panic(err)
		}
		fmt.Printf("%s risk: %s, %d stages\n", risk, rule.Name, len(rule.Stages))
	}
	// Output:
	// low risk: Everything else, 0 stages
	// high risk: High risk, 2 stages
}

// The requester never decides. While there are too few approvers, the next source is asked too; the administrators come last.
func ExampleStage_Ask() {
	stage := policy.Stage{Approvers: []policy.Source{policy.EntitlementOwners}, RequiredApprovals: 1}
	facts := policy.Facts{RequesterID: 1, People: map[policy.Source][]policy.Person{
		policy.EntitlementOwners: {{ID: 1, Active: true}, {ID: 2, Active: true}},
		policy.Administrators:    {{ID: 3, Active: true}},
	}}
	for level := range 2 {
		fmt.Println("level", level, "asks", stage.Ask(facts, level, nil).IDs())
	}
	// Output:
	// level 0 asks [2]
	// level 1 asks [2 3]
}
