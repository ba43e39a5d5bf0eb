package systemtest

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lib/pq"
	"github.com/stretchr/testify/require"

	"accessbot/schema"
)

// kubernetes returns a directory with a real organization's data, and a job_titles.csv with a set for the title Chair. The data
// is not part of this repository; without it the test is skipped.
func kubernetes(t *testing.T) string {
	t.Helper()
	data := os.Getenv("ACCESSBOT_KUBERNETES_DATA")
	if data == "" {
		data = "../../../shared/data/kubernetes-org"
	}
	if _, err := os.Stat(data); err != nil {
		t.Skipf("no real organization's data at %s: set ACCESSBOT_KUBERNETES_DATA to its folder", data)
	}
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS(data)))
	standard := "job_title,application,key\nChair,kubernetes,@member\nChair,kubernetes,sig-architecture-leads\nChair,kubernetes-sigs,@member\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "job_titles.csv"), []byte(standard), 0o600))
	return dir
}

func TestRealOrganization(t *testing.T) {
	t.Parallel()
	t.Run("hundreds of items are granted and revoked as offered", func(t *testing.T) {
		t.Parallel()
		dir := kubernetes(t)
		s := startOn(t, setting(t, "TEST_TEMPORAL_ADDRESS"), dir)
		s.importAgain(dir)
		s.startWorker()
		s.startSlackApp()

		model, requester := s.busiest(), s.contributor()
		expected := s.lacks(requester.ID, model.ID)
		require.Greater(t, len(expected), 50, "more than a page")
		before := s.roles(requester.Email)

		a := s.slack.As(requester.Email).Within(60 * time.Second).Must(t)
		a.OpenHome()
		a.Press("Request Access")
		a.WaitForModal("Access Like")
		a.Pick("Person", model.Name[:4], model.Name)
		shown := 0
		for page := 1; ; page++ {
			a.WaitForModal(fmt.Sprintf("page %d of ", page))
			boxes := slices.DeleteFunc(a.Boxes(), func(box string) bool { return strings.HasPrefix(box, "Select all") })
			shown += len(boxes)
			if !strings.Contains(a.Modal(), "[Next]") {
				break
			}
			a.Press("Next")
		}
		require.Equal(t, len(expected), shown, "all pages together show exactly what the requester lacks")
		var offered pq.Int64Array
		require.NoError(t, s.db.Get(&offered, `select offered from form_drafts where person_id = $1`, requester.ID))
		require.ElementsMatch(t, expected, []int64(offered))

		a.Tick(fmt.Sprintf("Select all access grants (%d)", len(expected)))
		a.WaitForModal(fmt.Sprintf("All %d ", len(expected)))
		a.Choose("Duration", "Temporary")
		a.WaitForModal("End date")
		a.PickDate("End date", inDays(2))
		a.Choose("Reason", "Project work")
		a.SubmitAccepted()
		card := a.WaitForMessage("has been successfully created and sent for approval")
		request := number(t, card.Text())
		a.PressIn(card, fmt.Sprintf("Show all %d", len(expected)))
		a.WaitForModal("page 1 of")
		a.Press("Next")
		a.WaitForModal("page 2 of")
		a.CloseAllModals()

		s.approveAll(request)
		s.eventually("all items are active", func() bool { return s.itemState(request) == "active" })
		require.ElementsMatch(t, append(s.targets(expected), before...), s.roles(requester.Email), "every item is granted")
		s.shiftClock(4 * 24 * time.Hour)
		s.eventually("all items have ended", func() bool { return s.itemState(request) == "ended" })
		require.ElementsMatch(t, before, s.roles(requester.Email), "only the requested access is revoked")
	})

	t.Run("job title offers its configured set", func(t *testing.T) {
		t.Parallel()
		s := startOn(t, setting(t, "TEST_TEMPORAL_ADDRESS"), kubernetes(t))
		s.startSlackApp()
		requester := s.contributor()
		var standard []int64
		require.NoError(t, s.db.Select(&standard, `
		select e.entitlement_id from job_title_entitlements e join job_titles t on t.id = e.job_title_id
		 where t.name = 'Chair' and not exists (select from claims c where c.person_id = $1 and c.entitlement_id = e.entitlement_id and c.ended_at is null)`, requester.ID))
		require.NotEmpty(t, standard)
		a := s.slack.As(requester.Email).Within(60 * time.Second).Must(t)
		a.OpenHome()
		a.Press("Request Access")
		a.WaitForModal("Access Like")
		a.Choose("Access Like", "Job Title")
		a.WaitForModal("Job Title:")
		a.Pick("Job Title", "Ch", "Chair")
		a.WaitForModal("Select all access grants")
		var offered pq.Int64Array
		require.NoError(t, s.db.Get(&offered, `select offered from form_drafts where person_id = $1`, requester.ID))
		require.ElementsMatch(t, standard, []int64(offered))
	})
}

// importAgain imports the same files again, which must change nothing.
func (s *system) importAgain(directory string) {
	s.t.Helper()
	fingerprint := func() (sum string) {
		require.NoError(s.t, s.db.Get(&sum, `
			select md5(string_agg(row, E'\n' order by row)) from (
			    select p::text as row from people p union all select a::text from applications a union all select e::text from entitlements e
			    union all select c::text from claims c union all select o::text from application_owners o union all select o::text from entitlement_owners o
			    union all select t::text from job_title_entitlements t union all select a::text from accounts a) rows`))
		return sum
	}
	before := fingerprint()
	require.Contains(
		s.t,
		s.runOnce("worker", []string{"import", s.ownDirectory(directory)}, "DATABASE_URL="+s.db.RoleURL("accessbot_directory")),
		"nothing has changed",
	)
	require.Equal(s.t, before, fingerprint())
}

// busiest returns the person who holds the most access. contributor returns one who holds little and may request access.
func (s *system) busiest() schema.Person {
	return s.person(`select person_id from claims where ended_at is null group by person_id order by count(*) desc limit 1`)
}

func (s *system) contributor() schema.Person {
	return s.person(`
		select c.person_id from claims c join people p on p.id = c.person_id join job_titles t on t.id = p.job_title_id
		 where c.ended_at is null and t.name = 'Contributor' and p.status = 'active'
		 group by c.person_id order by count(*), c.person_id limit 1`)
}

func (s *system) person(query string) schema.Person {
	s.t.Helper()
	var id int64
	require.NoError(s.t, s.db.Get(&id, query))
	p, err := schema.PersonByID(s.t.Context(), s.db, id)
	require.NoError(s.t, err)
	return p
}

// lacks returns the entitlements that the model has and the requester lacks and may request, by a query unlike the program's.
func (s *system) lacks(requester, model int64) []int64 {
	s.t.Helper()
	var ids []int64
	require.NoError(s.t, s.db.Select(&ids, `
		select entitlement_id from claims where person_id = $2 and ended_at is null
		except
		select entitlement_id from claims where person_id = $1 and ended_at is null
		except
		select id from entitlements where not requestable or gone_at is not null`, requester, model))
	return ids
}

func (s *system) targets(entitlements []int64) []string {
	s.t.Helper()
	var names []string
	require.NoError(s.t, s.db.Select(&names, `select target from entitlements where id = any($1)`, pq.Array(entitlements)))
	return names
}

// roles returns the roles that a login is a member of in the target.
func (s *system) roles(account string) []string {
	s.t.Helper()
	var roles []string
	require.NoError(s.t, s.target.Select(&roles, `
		select o.rolname from pg_auth_members m join pg_roles o on o.oid = m.roleid join pg_roles a on a.oid = m.member where a.rolname = $1`, account))
	return roles
}

// approveAll lets each approver approve, until every item is decided.
func (s *system) approveAll(request int64) {
	s.t.Helper()
	s.eventually("everything is decided", func() bool {
		var email string
		err := s.db.Get(&email, `
			select p.email from approvals a
			  join approval_candidates c on c.approval_id = a.id and c.asked_at is not null
			  join people p on p.id = c.person_id
			  join approval_items ai on ai.approval_id = a.id
			 where a.request_id = $1 and a.state = 'open' and not exists (select from decisions d where d.item_id = ai.item_id)
			 order by a.id, c.position limit 1`, request)
		if err == nil {
			approver := s.slack.As(email).Within(time.Minute).Must(s.t)
			approvalMessage := approver.WaitForMessage(fmt.Sprintf("request #%d", request))
			approver.PressIn(approvalMessage, "Approve")
			approver.WaitForEdit(approvalMessage, "Approved by you")
		}
		var waiting int
		require.NoError(s.t, s.db.Get(&waiting, `
			select count(*) from request_items i where i.request_id = $1 and not exists (select from decisions d where d.item_id = i.id)`, request))
		return waiting == 0
	})
}
