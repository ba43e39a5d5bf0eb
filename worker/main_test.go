package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"accessbot/schema/schematest"
	"accessbot/worker/program"
)

// command runs one of the worker's commands, and returns what it prints.
func command(t *testing.T, environ program.Environment, args ...string) (output string, err error) {
	t.Helper()
	var out bytes.Buffer
	err = run(t.Context(), &program.Process{Args: args, Environ: environ, Stdout: &out, Stderr: io.Discard})
	return out.String(), err
}

func TestCommands(t *testing.T) {
	t.Run("help says what each command does, and the version what was built", func(t *testing.T) {
		help, err := command(t, nil, "--help")
		require.NoError(t, err)
		for _, name := range []string{
			"run", "migrate", "import", "policy show", "policy check", "policy apply", "policy explain", "unbind", "rename", "grants",
			"audit verify", "audit export", "check",
		} {
			assert.Regexp(t, `(?m)^  `+name+`[ \[<].*\n?.*[A-Z][^.]+\.`, help, "%s is listed with a sentence", name)
			help, err := command(t, nil, append(strings.Fields(name), "--help")...)
			require.NoError(t, err, name)
			assert.Contains(t, help, "Usage: worker "+name)
		}
		help, err = command(t, nil, "import", "--help")
		require.NoError(t, err)
		assert.Contains(t, help, "--allow=KIND=N")
		version, err := command(t, nil, "--version")
		require.NoError(t, err)
		assert.Contains(t, version, "commit")
	})

	t.Run("worker runs without a command", func(t *testing.T) {
		for _, args := range [][]string{nil, {"run"}} {
			_, err := command(t, nil, args...)
			require.ErrorContains(t, err, "DATABASE_URL: not set")
			require.ErrorContains(t, err, "SLACK_BOT_TOKEN: not set")
		}
	})

	t.Run("unknown commands and arguments are refused", func(t *testing.T) {
		for _, c := range []struct{ command, see string }{
			{"migrat", "worker --help"}, {"policy", "worker policy --help"}, {"policy rule", "worker policy --help"}, {"migrate now", "worker migrate --help"},
			{"import", "worker import --help"}, {"import a b", "worker import --help"}, {"rename a@example.com", "worker rename --help"},
			{"unbind", "worker unbind --help"}, {"check --deep", "worker check --help"}, {"audit export --from yesterday", "worker audit export --help"},
		} {
			_, err := command(t, nil, strings.Fields(c.command)...)
			require.ErrorContains(t, err, ": see "+c.see, c.command)
		}
	})

	t.Run("database URL that is missing is named with the role", func(t *testing.T) {
		_, err := command(t, nil, "audit", "verify")
		require.ErrorContains(t, err, "DATABASE_URL: not set: set it to")
		require.ErrorContains(t, err, "accessbot_auditor")
	})

	t.Run("refusal of PostgreSQL names the role that the command needs", func(t *testing.T) {
		db := schematest.New(t)
		dir := t.TempDir()
		require.NoError(
			t,
			os.WriteFile(
				filepath.Join(dir, "people.csv"),
				[]byte("email,name,job_title,department,manager_email,status\na@example.com,A,,,,active\n"),
				0o600,
			),
		)
		policy := filepath.Join(dir, "policy.yaml")
		require.NoError(t, os.WriteFile(policy, []byte("rules: [{name: a, deny: No.}]"), 0o600))
		_, err := db.Exec(`revoke select on audit_events from accessbot_slackapp`)
		require.NoError(t, err)
		unmigrated := schematest.New(t)
		_, err = unmigrated.Exec(`drop table schema_versions`)
		require.NoError(t, err)
		for _, c := range []struct {
			needs, url string
			args       []string
		}{
			{"the database's owner", unmigrated.RoleURL("accessbot_directory"), []string{"migrate"}},
			{"accessbot_directory", db.RoleURL("accessbot_worker"), []string{"import", dir}},
			{"accessbot_directory", db.RoleURL("accessbot_auditor"), []string{"policy", "apply", policy}},
			{"accessbot_directory", db.RoleURL("accessbot_slackapp"), []string{"unbind", "--all"}},
			{"accessbot_directory", db.RoleURL("accessbot_auditor"), []string{"rename", "a@example.com", "b@example.com"}},
			{"accessbot_auditor", db.RoleURL("accessbot_slackapp"), []string{"audit", "verify"}},
			{"accessbot_auditor", db.RoleURL("no_such_role"), []string{"grants", "WIKI"}},
		} {
			_, err := command(t, program.Environment{"DATABASE_URL": c.url}, c.args...)
			require.Error(t, err, c.args)
			assert.Contains(t, err.Error(), "PostgreSQL refuses: set DATABASE_URL to the URL of "+c.needs+": ", c.args)
		}
	})

	t.Run("refusal of a target names no role", func(t *testing.T) {
		w := schematest.NewWorld(t)
		w.Application("crm", w.Person("Owen"))
		w.Do(`update applications set connector = 'postgresql'`)
		environ := program.Environment{"DATABASE_URL": w.RoleURL("accessbot_auditor"), "TARGET_CRM_URL": w.RoleURL("no_such_role")}
		_, err := command(t, environ, "grants", "CRM")
		require.ErrorContains(t, err, `check user "no_such_role"`)
		require.NotContains(t, err.Error(), "DATABASE_URL")
	})
}

func TestTargetSettings(t *testing.T) {
	t.Run("target's URL is read from a file too", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "url")
		require.NoError(t, os.WriteFile(file, []byte("postgres://connector@localhost/target\n"), 0o600))
		connectors, err := readConnectors(program.Environment{"TARGET_WIKI_URL_FILE": file})
		require.NoError(t, err)
		opened, _, err := connectors.Open("postgresql", "WIKI")
		require.NoError(t, err)
		require.NoError(t, opened.Close())
	})

	t.Run("wrong files of targets are reported with the other settings", func(t *testing.T) {
		_, err := configure(program.Environment{
			"SWEEP_EVERY":          "0",
			"TARGET_CRM_URL":       "postgres://hunter2@localhost",
			"TARGET_CRM_URL_FILE":  "/no/such/file",
			"TARGET_WIKI_URL_FILE": "/no/such/file",
		})
		for _, problem := range []string{
			"DATABASE_URL: not set", "SWEEP_EVERY: ", "TARGET_CRM_URL: TARGET_CRM_URL_FILE is set too: remove one of them", "TARGET_WIKI_URL_FILE: open /no/such/file",
		} {
			require.ErrorContains(t, err, problem)
		}
		require.NotContains(t, err.Error(), "hunter2")
	})
}
