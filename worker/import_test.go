package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"accessbot/schema/schematest"
	"accessbot/worker/program"
)

func TestImport(t *testing.T) {
	t.Run("GitHub account name is not derived from the e-mail address", func(t *testing.T) {
		db := schematest.New(t)
		dir := t.TempDir()
		for name, text := range map[string]string{
			"people.csv":       "email,name,job_title,department,manager_email,status\nann@example.com,Ann,,,,active\nbo@example.com,Bo,,,,active\n",
			"applications.csv": "slug,name,connector,owners\nhub,Hub,github,bo@example.com\nwiki,Wiki,postgresql,bo@example.com\n",
			"accounts.csv":     "email,instance,account\nann@example.com,GITHUB,octoann\n",
		} {
			require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
		}
		output, err := command(t, program.Environment{"DATABASE_URL": db.RoleURL("accessbot_directory")}, "import", dir)
		require.NoError(t, err)
		var accounts []string
		require.NoError(t, db.Select(&accounts, `select instance || ' ' || account from accounts order by 1`))
		require.Equal(t, []string{"GITHUB octoann", "POSTGRESQL ann@example.com", "POSTGRESQL bo@example.com"}, accounts)
		require.Contains(t, output, "accounts.csv")
	})

	t.Run("removals that --allow names are imported", func(t *testing.T) {
		db := schematest.New(t)
		dir := t.TempDir()
		people := func(status string) {
			text := "email,name,job_title,department,manager_email,status\n"
			for i := range 6 {
				text += fmt.Sprintf("p%d@example.com,P,,,,%s\n", i, status)
			}
			require.NoError(t, os.WriteFile(filepath.Join(dir, "people.csv"), []byte(text), 0o600))
		}
		imported := func(args ...string) error {
			_, err := command(
				t,
				program.Environment{"DATABASE_URL": db.RoleURL("accessbot_directory")},
				append([]string{"import", dir}, args...)...)
			return err
		}
		people("active")
		require.NoError(t, imported())
		people("left")
		require.ErrorContains(t, imported("--allow", "people-gone=6"), "use --allow people-left=6")
		require.ErrorContains(t, imported("--allow", "people-left"), "use KIND=N")
		require.NoError(t, imported("--allow", "people-gone=1", "--allow", "people-left=6"))
	})
}
