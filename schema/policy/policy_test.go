package policy_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"accessbot/schema/policy"
)

const whole = `# Five rules.
rules:
  - name: No production for contractors
    when: requester.department == "Contractors" && application.slug == "production"
    deny: Contractors do not work in production. Ask security@example.com.

  - name: A short look at little
    when: risk == "low" && days <= 7 && purpose in ["on-call", "audit"]
    approve: true

  - name: High risk
    when: |
      risk == "high"
        && !requester.administrator
    limits: {max_days: 30, note: required}
    ask:
      - approvers: [manager]
        escalate_to: [manager's manager]
      - approvers: [entitlement owners, application owners, Dana@example.com]
        required_approvals: 2
    remind_after: 4h
    escalate_after: 2d
    expire_after: 7d

  - name: Never for good
    when: 'entitlement.kind.startsWith("team") && permanent || duration > duration("2000h")'
    limits: {permanent: false}
    ask: [{approvers: [application owners]}]

  - name: Everything else
    ask:
      - approvers: [entitlement owners]
        escalate_to: [application owners, manager]
`

func parse(t *testing.T, source string) *policy.Policy {
	t.Helper()
	p, err := policy.Parse("policy.yaml", []byte(source))
	require.NoError(t, err)
	return p
}

func TestPolicy(t *testing.T) {
	t.Run("policy is read completely", func(t *testing.T) {
		p := parse(t, whole)
		require.Len(t, p.Rules, 5)
		assert.Equal(t, "Contractors do not work in production. Ask security@example.com.", p.Rules[0].Deny)
		assert.True(t, p.Rules[1].Approve)
		high := p.Rules[2]
		assert.Equal(t, policy.Limits{MaxDays: 30, NoPermanent: true, NoteRequired: true}, high.Limits)
		assert.Equal(t, []policy.Stage{
			{Approvers: []policy.Source{policy.Managers}, EscalateTo: []policy.Source{policy.ManagersManagers}, RequiredApprovals: 1},
			{Approvers: []policy.Source{policy.EntitlementOwners, policy.ApplicationOwners, "dana@example.com"}, RequiredApprovals: 2},
		}, high.Stages)
		assert.Equal(t, []time.Duration{4 * time.Hour, 48 * time.Hour, 7 * 24 * time.Hour}, []time.Duration{high.RemindAfter, high.EscalateAfter, high.ExpireAfter})
		assert.Equal(t, policy.Limits{NoPermanent: true}, p.Rules[3].Limits)
		assert.Equal(t, []policy.Source{"dana@example.com"}, p.Named())
	})

	t.Run("first matching rule applies", func(t *testing.T) {
		p := parse(t, whole)
		const day = 24 * time.Hour
		about := func(change func(*policy.Subject)) policy.Subject {
			s := policy.Subject{Requester: policy.Requester{Email: "ann@example.com", Department: "Payments"}, Application: policy.Application{Slug: "wiki"},
				Entitlement: policy.Entitlement{Kind: "role", Risk: "low"}, Duration: 3 * day, Purpose: "project"}
			change(&s)
			return s
		}
		for name, c := range map[string]struct {
			about policy.Subject
			want  int
		}{
			"a contractor in production": {about(func(s *policy.Subject) { s.Requester.Department, s.Application.Slug = "Contractors", "production" }), 1},
			"a contractor elsewhere":     {about(func(s *policy.Subject) { s.Requester.Department = "Contractors" }), 5},
			"on call":                    {about(func(s *policy.Subject) { s.Purpose = "on-call" }), 2},
			"just seven days":            {about(func(s *policy.Subject) { s.Purpose, s.Duration = "on-call", 7*day }), 2},
			"a minute more":              {about(func(s *policy.Subject) { s.Purpose, s.Duration = "on-call", 7*day+time.Minute }), 5},
			"for good is no short look":  {about(func(s *policy.Subject) { s.Purpose, s.Duration = "on-call", policy.Forever }), 4},
			"high risk":                  {about(func(s *policy.Subject) { s.Entitlement.Risk = "high" }), 3},
			"an administrator's":         {about(func(s *policy.Subject) { s.Entitlement.Risk, s.Requester.Administrator = "high", true }), 5},
			"a team for good":            {about(func(s *policy.Subject) { s.Entitlement.Kind, s.Duration = "team", policy.Forever }), 4},
			"longer than 2,000 hours":    {about(func(s *policy.Subject) { s.Duration = 84 * day }), 4},
		} {
			t.Run(name, func(t *testing.T) {
				position, err := p.Evaluate(c.about)
				require.NoError(t, err)
				assert.Equal(t, c.want, position)
			})
		}
	})

	t.Run("condition that cannot be evaluated is an error", func(t *testing.T) {
		p := parse(t, strings.Replace(whole, `risk == "low" && days <= 7 && purpose in ["on-call", "audit"]`, `days / (days - days) > 1`, 1))
		_, err := p.Evaluate(policy.Subject{Duration: time.Hour})
		assert.ErrorContains(t, err, "rule 2 (A short look at little)")
		p = parse(t, strings.Replace(whole, `risk == "low" && days <= 7 && purpose in ["on-call", "audit"]`,
			`days > 0 && [1,2,3,4,5,6,7,8,9].all(a, [1,2,3,4,5,6,7,8,9].all(b, [1,2,3,4,5,6,7,8,9].all(c, [1,2,3,4,5,6,7,8,9].all(d, [1,2,3,4,5,6,7,8,9].all(e, a+b+c+d+e > days - days)))))`, 1))
		_, err = p.Evaluate(policy.Subject{Duration: time.Hour})
		assert.ErrorContains(t, err, "cost", "a condition may not take for ever")
	})

	t.Run("mistake is named with line, column and what was expected", func(t *testing.T) {
		swap := func(old, by string) string {
			require.Contains(t, whole, old)
			return strings.Replace(whole, old, by, 1)
		}
		for name, c := range map[string]struct{ source, want string }{
			"no file at all":                   {"", "policy.yaml:1:1: the file is empty"},
			"no YAML":                          {swap("    deny:", "   deny:"), "policy.yaml:5:4: from here on this is no YAML"},
			"an unknown key":                   {swap("    deny:", "    forbid:"), `policy.yaml:5:5: rule 1 (No production for contractors): there is no "forbid" here: a rule has name, when, approve, deny, ask`},
			"an unknown key at the top":        {"version: 1\n" + whole, `policy.yaml:1:1: there is no "version" here: a policy has rules`},
			"a name that there is not":         {swap("requester.department", "requester.dept"), `policy.yaml:4:20: rule 1 (No production for contractors): when: undefined field 'dept'`},
			"in a block, on its own line":      {swap("&& !requester.administrator", "&& !requester.admin"), `policy.yaml:14:22: rule 3 (High risk): when: undefined field 'admin'`},
			"in quotes":                        {swap(`'entitlement.kind`, `'entitlement.kinds`), `policy.yaml:26:23: rule 4 (Never for good): when: undefined field 'kinds'`},
			"no condition at all":              {swap(`risk == "low" && days`, `risk + "low" #`), "policy.yaml:8:11: rule 2 (A short look at little): when: this is a string"},
			"two kinds compared":               {swap(`days <= 7`, `days <= "7"`), "policy.yaml:8:33: rule 2 (A short look at little): when: found no matching overload"},
			"the fifth rule asks no one":       {swap("      - approvers: [entitlement owners]\n", "      - approvers: [owners]\n"), `policy.yaml:32:21: rule 5 (Everything else): "owners" is neither someone's e-mail address nor one of: entitlement owners, application owners`},
			"agree is no number":               {swap("required_approvals: 2", "required_approvals: two"), `policy.yaml:20:29: rule 3 (High risk): "two" should be a number from 1 to 20`},
			"no one has to agree":              {swap("required_approvals: 2", "required_approvals: 0"), `"0" should be a number from 1 to 20`},
			"a duration without a unit":        {swap("remind_after: 4h", "remind_after: 4"), `policy.yaml:21:19: rule 3 (High risk): "4" should be a duration such as 30m, 24h or 14d`},
			"two outcomes":                     {swap("    approve: true", "    approve: true\n    deny: no"), "policy.yaml:7:5: rule 2 (A short look at little): a rule has one of: approve: true, deny"},
			"no outcome":                       {swap("    approve: true\n", ""), "this one has 0"},
			"a wait without anybody asked":     {swap("    approve: true", "    approve: true\n    expire_after: 2d"), "policy.yaml:10:19: rule 2 (A short look at little): expire_after is for rules that ask"},
			"a rule that is never reached":     {swap("    when: |\n      risk == \"high\"\n        && !requester.administrator\n", ""), "rule 4 (Never for good): this is never reached: rule 3 has no condition"},
			"nothing for the rest":             {whole[:strings.Index(whole, "  - name: Everything else")], "the last rule must have no condition"},
			"the same name twice":              {swap("name: High risk", "name: Everything else"), "rule 5 (Everything else): rule 3 has this name already"},
			"a stage asks no one":              {swap("- approvers: [manager]\n        escalate_to", "- escalate_to"), "policy.yaml:17:9: rule 3 (High risk): a stage says whom it asks"},
			"a stage is a word":                {swap("ask: [{approvers: [application owners]}]", "ask: application owners"), "policy.yaml:28:10: rule 4 (Never for good): ask should be a list of stages"},
			"limits of nothing":                {swap("{permanent: false}", "{permanent: yes}"), "permanent can only be false"},
			"a rule is a word":                 {"rules: [all]", "policy.yaml:1:9: rule 1: a rule should have only: name, when"},
			"everything that is wrong at once": {strings.NewReplacer("required_approvals: 2", "required_approvals: x", "4h", "x").Replace(whole), `"x" should be a duration`},
		} {
			t.Run(name, func(t *testing.T) {
				_, err := policy.Parse("policy.yaml", []byte(c.source))
				require.ErrorContains(t, err, c.want)
				var problem *policy.Problem
				require.ErrorAs(t, err, &problem)
			})
		}
		_, err := policy.Parse("policy.yaml", []byte(strings.NewReplacer("required_approvals: 2", "required_approvals: x", "4h", "x").Replace(whole)))
		assert.ErrorContains(t, err, `policy.yaml:20:29: rule 3`, "all of them")
	})

	t.Run("default policy asks the owners", func(t *testing.T) {
		p := parse(t, string(policy.Default))
		position, err := p.Evaluate(policy.Subject{})
		require.NoError(t, err)
		rule, err := p.Rule(position)
		require.NoError(t, err)
		assert.Equal(t, []policy.Stage{owners}, rule.Stages)
		_, err = p.Rule(2)
		assert.ErrorContains(t, err, "no rule 2")
	})

	t.Run("address is lowered in ASCII alone", func(t *testing.T) {
		p, err := policy.Parse("p.yaml", []byte("rules:\n- name: all\n  ask:\n  - approvers: [Priya@Example.com, \"pr\u0130ya@example.com\"]\n"))
		require.NoError(t, err)
		require.Equal(t, []policy.Source{"priya@example.com", "pr\u0130ya@example.com"}, p.Rules[0].Stages[0].Approvers)
	})
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(whole))
	f.Add(policy.Default)
	f.Add([]byte("rules: [{name: a, when: 'a.b(', ask: [{approvers: [x@y], required_approvals: 3}]}]"))
	f.Add([]byte("rules:\n- {name: !!binary x, approve: &a true}\n- *a"))
	f.Fuzz(func(t *testing.T, source []byte) {
		p, err := policy.Parse("f", source)
		if err != nil {
			return
		}
		if _, err := p.Evaluate(policy.Subject{Duration: time.Hour}); err == nil && len(p.Rules) == 0 {
			t.Fatal("evaluated by no rule")
		}
	})
}
