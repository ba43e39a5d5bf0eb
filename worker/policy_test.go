package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"accessbot/schema/schematest"
	"accessbot/worker/program"
)

// operator runs worker's sub-commands on a database.
type operator struct {
	*testing.T
	w   *schematest.World
	dir string
}

func (o operator) run(args ...string) (string, error) {
	return command(o.T, program.Environment{"DATABASE_URL": o.w.RoleURL("accessbot_directory")}, args...)
}

func (o operator) file(source string) string {
	o.Helper()
	path := filepath.Join(o.dir, "policy.yaml")
	require.NoError(o, os.WriteFile(path, []byte(source), 0o600))
	return path
}

func TestPolicyCommand(t *testing.T) {
	t.Run("policy is checked, applied, shown and explained", func(t *testing.T) {
		o := operator{t, schematest.NewWorld(t), t.TempDir()}
		ann, max, mia, owen := o.w.Person("Ann"), o.w.Person("Max"), o.w.Person("Mia"), o.w.Person("Owen")
		o.w.Manages(max, ann)
		o.w.Manages(mia, max)
		o.w.Entitlement(o.w.Application("crm", owen, ann), "export")

		wrong := o.file("rules:\n  - name: a\n    ask:\n      - approvers: [bosses]\n")
		_, err := o.run("policy", "check", wrong)
		require.ErrorContains(t, err, wrong+`:4:21: rule 1 (a): "bosses" is neither`)
		_, err = o.run("policy", "apply", wrong)
		require.ErrorContains(t, err, "nothing was applied")
		_, err = o.run("policy", "check", o.file("rules: [{name: a, ask: [{approvers: [dana@example.com]}]}]"))
		require.ErrorContains(t, err, "dana@example.com")
		shown, err := o.run("policy", "show")
		require.NoError(t, err)
		assert.Contains(t, shown, "# Version 1")

		right := o.file(`
rules:
  - name: Exports
    when: entitlement.key == "export" && days > 3
    limits: {max_days: 30, note: required}
    ask:
      - approvers: [manager]
        escalate_to: [manager's manager]
      - approvers: [application owners]
    expire_after: 90m
`)
		_, err = o.run("policy", "check", right)
		require.ErrorContains(t, err, "the last rule must have no condition")
		text, err := os.ReadFile(right)
		require.NoError(t, err)
		right = o.file(string(text) + "  - name: The rest\n    deny: Not yet.\n")
		said, err := o.run("policy", "check", right)
		require.NoError(t, err)
		assert.Contains(t, said, "a policy of 2 rules; all people in it are in the directory")
		said, err = o.run("policy", "explain", "Ann@example.com", "crm/export", "--days", "9", "--file", right)
		require.NoError(t, err)
		assert.Equal(t, `By `+right+`, rule 1 (Exports) applies: entitlement.key == "export" && days > 3
Limit: at most 30 days, by the policy
Limit: a note is required
Stage 1 of 2, required approvals: 1
  Max <max@example.com> (manager)
  Mia <mia@example.com> (manager's manager), from escalation level 1
Stage 2 of 2, required approvals: 1
  Owen <owen@example.com> (application owner)
  not Ann <ann@example.com> (application owner): a requester cannot decide their own request
Reminded after 24h, escalated after 3d, expired after 90m
`, said)
		said, err = o.run("policy", "apply", right)
		require.NoError(t, err)
		assert.Contains(t, said, "version 2 of the policy")
		said, err = o.run("policy", "apply", right)
		require.NoError(t, err)
		assert.Contains(t, said, "nothing was changed")
		said, err = o.run("policy", "explain", "ann@example.com", "crm/export", "--days=3")
		require.NoError(t, err)
		assert.Equal(t, "By version 2 of the policy, rule 2 (The rest) applies\nDenied: Not yet.\n", said)

		for _, args := range [][]string{
			{"policy"},
			{"policy", "explain", "ann@example.com"},
			{"policy", "explain", "ann@example.com", "crm/none"},
			{"policy", "explain", "no-one@example.com", "crm/export"},
			{"policy", "apply"},
			{"policy", "apply", "no-such-file"},
			{"policy", "rule"},
		} {
			_, err = o.run(args...)
			assert.Error(t, err, "%v", args)
		}
	})
}
