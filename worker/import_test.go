package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"accessbot/schema/schematest"
)

func TestImportNamesNobodyAtGitHubByTheEMail(t *testing.T) {
	db := schematest.New(t)
	dir := t.TempDir()
	for name, text := range map[string]string{
		"people.csv":       "email,name,job_title,department,manager_email,status\nann@example.com,Ann,,,,active\nbo@example.com,Bo,,,,active\n",
		"applications.csv": "slug,name,connector,owners\nhub,Hub,github,bo@example.com\nwiki,Wiki,postgresql,bo@example.com\n",
		"accounts.csv":     "email,instance,account\nann@example.com,GITHUB,octoann\n",
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	var out bytes.Buffer
	require.NoError(t, importDirectory(t.Context(), []string{dir}, environmentOf(map[string]string{"DATABASE_URL": db.RoleURL("accessbot_directory")}), &out, &bytes.Buffer{}))
	var accounts []string
	require.NoError(t, db.Select(&accounts, `select instance || ' ' || account from accounts order by 1`))
	require.Equal(t, []string{"GITHUB octoann", "POSTGRESQL ann@example.com", "POSTGRESQL bo@example.com"}, accounts)
	require.Contains(t, out.String(), "accounts.csv")
}
