package policy_test

import (
	"fmt"
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

  - name: Low risk
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

  - name: Not permanent
    when: 'entitlement.kind.startsWith("team") && permanent || duration > duration("2000h")'
    limits: {permanent: false}
    ask: [{approvers: [application owners]}]

  - name: Everything else
    ask:
      - approvers: [entitlement owners]
        escalate_to: [application owners, manager]
`

const day = 24 * time.Hour

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
			{
				Approvers:         []policy.Source{policy.Managers},
				EscalateTo:        []policy.Source{policy.ManagersManagers},
				RequiredApprovals: 1,
			},
			{
				Approvers:         []policy.Source{policy.EntitlementOwners, policy.ApplicationOwners, "dana@example.com"},
				RequiredApprovals: 2,
			},
		}, high.Stages)
		assert.Equal(t, policy.Times{RemindAfter: 4 * time.Hour, EscalateAfter: 2 * day, ExpireAfter: 7 * day}, high.Times)
		assert.Equal(t, policy.Limits{NoPermanent: true}, p.Rules[3].Limits)
		assert.Equal(t, []policy.Source{"dana@example.com"}, p.Named())
	})

	t.Run("first matching rule applies", func(t *testing.T) {
		p := parse(t, whole)
		about := func(change func(*policy.Subject)) policy.Subject {
			s := policy.Subject{
				Requester:   policy.Requester{Email: "ann@example.com", Department: "Payments"},
				Application: policy.Application{Slug: "wiki"},
				Entitlement: policy.Entitlement{Kind: "role", Risk: "low"},
				Duration:    3 * day,
				Purpose:     "project",
			}
			change(&s)
			return s
		}
		for name, test := range map[string]struct {
			about policy.Subject
			want  int
		}{
			"contractor in production": {
				about(func(s *policy.Subject) { s.Requester.Department, s.Application.Slug = "Contractors", "production" }), 1,
			},
			"contractor elsewhere": {about(func(s *policy.Subject) { s.Requester.Department = "Contractors" }), 5},
			"on call":              {about(func(s *policy.Subject) { s.Purpose = "on-call" }), 2},
			"exactly seven days":   {about(func(s *policy.Subject) { s.Purpose, s.Duration = "on-call", 7*day }), 2},
			"a minute more":        {about(func(s *policy.Subject) { s.Purpose, s.Duration = "on-call", 7*day+time.Minute }), 5},
			"permanent, on call":   {about(func(s *policy.Subject) { s.Purpose, s.Duration = "on-call", policy.Forever }), 4},
			"high risk":            {about(func(s *policy.Subject) { s.Entitlement.Risk = "high" }), 3},
			"high risk, administrator": {
				about(func(s *policy.Subject) { s.Entitlement.Risk, s.Requester.Administrator = "high", true }), 5,
			},
			"permanent team":        {about(func(s *policy.Subject) { s.Entitlement.Kind, s.Duration = "team", policy.Forever }), 4},
			"more than 2,000 hours": {about(func(s *policy.Subject) { s.Duration = 84 * day }), 4},
		} {
			t.Run(name, func(t *testing.T) {
				number, err := p.Evaluate(test.about)
				require.NoError(t, err)
				assert.Equal(t, test.want, number)
			})
		}
	})

	t.Run("condition that cannot be evaluated is an error", func(t *testing.T) {
		const condition = `risk == "low" && days <= 7 && purpose in ["on-call", "audit"]`
		p := parse(t, strings.Replace(whole, condition, `days / (days - days) > 1`, 1))
		_, err := p.Evaluate(policy.Subject{Duration: time.Hour})
		assert.ErrorContains(t, err, "rule 2 (Low risk)")
		nested := "a+b+c+d+e > days - days"
		for _, name := range []string{"e", "d", "c", "b", "a"} {
			nested = fmt.Sprintf("[1,2,3,4,5,6,7,8,9].all(%s, %s)", name, nested)
		}
		p = parse(t, strings.Replace(whole, condition, "days > 0 && "+nested, 1))
		_, err = p.Evaluate(policy.Subject{Duration: time.Hour})
		assert.ErrorContains(t, err, "cost", "the evaluation is bounded")
	})

	t.Run("mistake is named with line, column and what was expected", func(t *testing.T) {
		swap := func(old, by string) string {
			require.Contains(t, whole, old)
			return strings.Replace(whole, old, by, 1)
		}
		const high = "    when: |\n      risk == \"high\"\n        && !requester.administrator\n"
		for name, test := range map[string]struct{ source, want string }{
			"empty file": {"", "policy.yaml:1:1: the file is empty"},
			"no YAML":    {swap("    deny:", "   deny:"), "policy.yaml:5:4: this is not YAML"},
			"unknown key": {
				swap("    deny:", "    forbid:"),
				`policy.yaml:5:5: rule 1 (No production for contractors): unknown key "forbid": a rule has name, when, approve, deny, ask`,
			},
			"unknown key at the top": {"version: 1\n" + whole, `policy.yaml:1:1: unknown key "version": a policy has defaults, rules`},
			"unknown name": {
				swap("requester.department", "requester.dept"),
				`policy.yaml:4:20: rule 1 (No production for contractors): when: undefined field 'dept'`,
			},
			"unknown name in a block": {
				swap("&& !requester.administrator", "&& !requester.admin"),
				`policy.yaml:14:22: rule 3 (High risk): when: undefined field 'admin'`,
			},
			"unknown name in quotes": {
				swap(`'entitlement.kind`, `'entitlement.kinds`),
				`policy.yaml:26:23: rule 4 (Not permanent): when: undefined field 'kinds'`,
			},
			"not a condition": {
				swap(`risk == "low" && days`, `risk + "low" #`), "policy.yaml:8:11: rule 2 (Low risk): when: this is a string",
			},
			"different types compared": {
				swap(`days <= 7`, `days <= "7"`), "policy.yaml:8:33: rule 2 (Low risk): when: found no matching overload",
			},
			"unknown source": {
				swap("      - approvers: [entitlement owners]\n", "      - approvers: [owners]\n"),
				`policy.yaml:32:21: rule 5 (Everything else): "owners" is neither an e-mail address nor one of: entitlement owners`,
			},
			"required approvals are not a number": {
				swap("required_approvals: 2", "required_approvals: two"),
				`policy.yaml:20:29: rule 3 (High risk): "two" should be a number from 1 to 20`,
			},
			"no required approvals": {
				swap("required_approvals: 2", "required_approvals: 0"), `"0" should be a number from 1 to 20`,
			},
			"duration without a unit": {
				swap("remind_after: 4h", "remind_after: 4"),
				`policy.yaml:21:19: rule 3 (High risk): "4" should be a duration such as 30m, 24h or 14d`,
			},
			"two outcomes": {
				swap("    approve: true", "    approve: true\n    deny: no"),
				"policy.yaml:7:5: rule 2 (Low risk): a rule has one of: approve: true, deny",
			},
			"no outcome": {swap("    approve: true\n", ""), "this one has 0"},
			"time without stages": {
				swap("    approve: true", "    approve: true\n    expire_after: 2d"),
				"policy.yaml:10:19: rule 2 (Low risk): expire_after is for rules with ask",
			},
			"rule that is never reached": {
				swap(high, ""), "rule 4 (Not permanent): this rule is never reached: rule 3 has no condition",
			},
			"no last rule":    {whole[:strings.Index(whole, "  - name: Everything else")], "the last rule must have no condition"},
			"same name twice": {swap("name: High risk", "name: Everything else"), "rule 5 (Everything else): rule 3 has the same name"},
			"stage without approvers": {
				swap("- approvers: [manager]\n        escalate_to", "- escalate_to"),
				"policy.yaml:17:9: rule 3 (High risk): a stage needs approvers",
			},
			"old key of a stage": {
				swap("- approvers: [manager]", "- from: [manager]"),
				`unknown key "from": a stage has approvers, escalate_to, required_approvals`,
			},
			"stage that is a word": {
				swap("ask: [{approvers: [application owners]}]", "ask: application owners"),
				"policy.yaml:28:10: rule 4 (Not permanent): ask should be a list of stages",
			},
			"permanent: yes":      {swap("{permanent: false}", "{permanent: yes}"), "permanent can only be false"},
			"rule that is a word": {"rules: [all]", "policy.yaml:1:9: rule 1: a rule should have the keys name, when"},
		} {
			t.Run(name, func(t *testing.T) {
				_, err := policy.Parse("policy.yaml", []byte(test.source))
				require.ErrorContains(t, err, test.want)
				var problem *policy.Problem
				require.ErrorAs(t, err, &problem)
			})
		}
	})

	t.Run("all mistakes are named at once", func(t *testing.T) {
		source := strings.NewReplacer("required_approvals: 2", "required_approvals: x", "4h", "y").Replace(whole)
		_, err := policy.Parse("policy.yaml", []byte("defaults: {max_days: z}\n"+source))
		assert.ErrorContains(t, err, `policy.yaml:1:22: defaults: "z" should be a number`)
		assert.ErrorContains(t, err, `policy.yaml:21:29: rule 3 (High risk): "x" should be a number`)
		assert.ErrorContains(t, err, `policy.yaml:22:19: rule 3 (High risk): "y" should be a duration`)
		assert.Len(t, strings.Split(err.Error(), "\n"), 3, "and nothing else")
	})

	t.Run("default policy asks the owners", func(t *testing.T) {
		p := parse(t, string(policy.Default))
		number, err := p.Evaluate(policy.Subject{})
		require.NoError(t, err)
		rule, err := p.Rule(number)
		require.NoError(t, err)
		assert.Equal(t, []policy.Stage{owners}, rule.Stages)
		_, err = p.Rule(2)
		assert.ErrorContains(t, err, "rule 2")
	})

	t.Run("only ASCII letters of an address are lowered", func(t *testing.T) {
		p := parse(t, "rules:\n- name: all\n  ask:\n  - approvers: [Priya@Example.com, \"pr\u0130ya@example.com\"]\n")
		require.Equal(t, []policy.Source{"priya@example.com", "pr\u0130ya@example.com"}, p.Rules[0].Stages[0].Approvers)
	})
}

func TestDefaults(t *testing.T) {
	const rules = "\nrules:\n- name: one\n  when: days > 3\n  ask: [{approvers: [manager]}]\n  expire_after: 30m\n" +
		"- name: two\n  ask: [{approvers: [manager]}]\n"
	builtIn := policy.Defaults{
		Times:   policy.Times{RemindAfter: day, EscalateAfter: 3 * day, ExpireAfter: 14 * day},
		MaxDays: 365,
	}

	t.Run("default policy states them", func(t *testing.T) {
		p := parse(t, string(policy.Default))
		assert.Equal(t, builtIn, p.Defaults)
		for _, key := range []string{"remind_after: 24h", "escalate_after: 3d", "expire_after: 14d", "max_days: 365"} {
			assert.Contains(t, string(policy.Default), key)
		}
	})

	t.Run("policy without defaults has the built-in ones", func(t *testing.T) {
		p := parse(t, rules)
		assert.Equal(t, builtIn, p.Defaults)
		assert.Equal(t, builtIn.Times, p.Rules[1].Times)
	})

	t.Run("default left out is the built-in one", func(t *testing.T) {
		p := parse(t, "defaults: {remind_after: 5h}"+rules)
		assert.Equal(t, policy.Times{RemindAfter: 5 * time.Hour, EscalateAfter: 3 * day, ExpireAfter: 14 * day}, p.Defaults.Times)
		assert.Equal(t, 365, p.Defaults.MaxDays)
	})

	t.Run("rules have the defaults, and their own times instead", func(t *testing.T) {
		p := parse(t, "defaults: {remind_after: 1m, escalate_after: 2h, expire_after: 99999d, max_days: 36500}"+rules)
		assert.Equal(t, 36500, p.Defaults.MaxDays)
		own := p.Defaults.Times
		own.ExpireAfter = 30 * time.Minute
		assert.Equal(t, own, p.Rules[0].Times)
		assert.Equal(t, p.Defaults.Times, p.Rules[1].Times)
		assert.Equal(t, 99999*day, p.Rules[1].ExpireAfter)
	})

	t.Run("order of the sections does not matter", func(t *testing.T) {
		p := parse(t, rules+"defaults: {remind_after: 5h}\n")
		assert.Equal(t, 5*time.Hour, p.Rules[1].RemindAfter)
	})

	t.Run("mistake is named with line and column", func(t *testing.T) {
		for name, test := range map[string]struct{ source, want string }{
			"unknown key": {
				"defaults:\n  remind: 4h" + rules,
				`policy.yaml:2:3: defaults: unknown key "remind": defaults has remind_after, escalate_after, expire_after, max_days`,
			},
			"key twice":             {"defaults: {max_days: 3, max_days: 4}" + rules, `:1:25: defaults: "max_days" is here twice`},
			"not a section":         {"defaults: 24h" + rules, `policy.yaml:1:11: defaults: defaults should have the keys remind_after`},
			"duration without unit": {"defaults:\n  remind_after: 4" + rules, `:2:17: defaults: "4" should be a duration such as`},
			"duration of nothing":   {"defaults:\n  escalate_after: 0h" + rules, `policy.yaml:2:19: defaults: "0h" should be a duration`},
			"negative duration":     {"defaults:\n  expire_after: -3d" + rules, `policy.yaml:2:17: defaults: "-3d" should be a duration`},
			"duration out of range": {
				"defaults:\n  expire_after: 100000d" + rules,
				`:2:17: defaults: "100000d" should be a duration such as 30m, 24h or 14d, and at most 99999d`,
			},
			"duration that is empty": {"defaults:\n  expire_after:" + rules, `defaults: "" should be a duration`},
			"no days":                {"defaults:\n  max_days: 0" + rules, `:2:13: defaults: "0" should be a number from 1 to 36500`},
			"too many days": {
				"defaults:\n  max_days: 36501" + rules,
				`:2:13: defaults: "36501" should be a number from 1 to 36500`,
			},
			"longer limit of a rule": {
				"defaults: {max_days: 30}\nrules:\n- name: all\n  limits: {max_days: 31}\n  ask: [{approvers: [manager]}]",
				"policy.yaml:4:22: rule 1 (all): max_days of a rule is at most max_days of the defaults, which is 30",
			},
			"longer limit of a rule than the built-in one": {
				"rules:\n- name: all\n  limits: {max_days: 366}\n  ask: [{approvers: [manager]}]",
				"policy.yaml:3:22: rule 1 (all): max_days of a rule is at most max_days of the defaults, which is 365",
			},
		} {
			t.Run(name, func(t *testing.T) {
				_, err := policy.Parse("policy.yaml", []byte(test.source))
				require.ErrorContains(t, err, test.want)
				assert.NotContains(t, err.Error(), "\n", "the only mistake")
			})
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(whole))
	f.Add(policy.Default)
	f.Add([]byte("rules: [{name: a, when: 'a.b(', ask: [{approvers: [x@y], required_approvals: 3}]}]"))
	f.Add([]byte("defaults: {remind_after: 1m, max_days: 2}\nrules: [{name: a, approve: true, limits: {max_days: 3}}]"))
	f.Add([]byte("rules:\n- {name: !!binary x, approve: &a true}\n- *a"))
	f.Fuzz(func(t *testing.T, source []byte) {
		p, err := policy.Parse("f", source)
		if err != nil {
			return
		}
		if _, err := p.Evaluate(policy.Subject{Duration: time.Hour}); err == nil && len(p.Rules) == 0 {
			t.Fatal("a policy without rules matches")
		}
	})
}
