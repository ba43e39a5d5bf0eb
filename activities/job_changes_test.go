package activities_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"accessbot/schema"
	"accessbot/schema/schematest"
)

// moving is a company in which Ann, Bea and Cleo are analysts, Olga manages Ann, and Owen looks after the CRM.
type moving struct {
	withSlack
	olga, bea, cleo int64
}

func newMoving(t *testing.T) moving {
	s := moving{withSlack: newWithSlack(t)}
	s.olga, s.bea, s.cleo = s.Person("Olga"), s.Person("Bea"), s.Person("Cleo")
	s.Manages(s.olga, s.ann)
	s.title("Editor")
	s.title("Analyst", s.ann, s.bea, s.cleo)
	return s
}

// title grants people a job title, as one import does.
func (s moving) title(name string, people ...int64) {
	s.t.Helper()
	s.Do(`insert into job_titles (name) values ($1) on conflict do nothing`, name)
	tx := s.MustBegin()
	for _, person := range people {
		tx.MustExec(`update people set job_title_id = (select id from job_titles where name = $1) where id = $2`, name, person)
	}
	require.NoError(s.t, tx.Commit())
}

// held is an entitlement that these people have, as imported.
func (s moving) held(key string, holders ...int64) int64 {
	s.t.Helper()
	id := s.Entitlement(s.crm, key)
	for _, h := range holders {
		s.Imported(h, id)
	}
	return id
}

// grants makes an entitlement part of a title's standard set.
func (s moving) grants(title string, entitlement int64) {
	s.t.Helper()
	s.Do(`insert into job_title_entitlements select id, $2 from job_titles where name = $1`, title, entitlement)
}

// told are the messages of job changes that someone has in Slack, once all that is due is sent.
func (s moving) told(name string) (texts []string) {
	s.t.Helper()
	for range 3 { // a reader who is not in Slack makes others readers
		require.NoError(s.t, s.do.SendNotifications(context.Background(), 0, 100))
	}
	require.Zero(s.t, schematest.Value[int](s.World, `select count(*) from notifications where messages_due_at is not null`))
	for _, text := range s.reads(name) {
		if strings.Contains(text, " was Analyst and is ") || strings.Contains(text, "changed job title") {
			texts = append(texts, text)
		}
	}
	return texts
}

func (s moving) claim(person, entitlement int64) int64 {
	s.t.Helper()
	return schematest.Value[int64](s.World, `select id from claims where person_id = $1 and entitlement_id = $2`, person, entitlement)
}

func (s moving) revokesAccess(by, entitlement int64) error {
	_, err := s.SlackApp.RevokeAccess(context.Background(), s.claim(s.ann, entitlement), by, "moved")
	return err
}

func TestJobChange(t *testing.T) {
	t.Run("manager reads what the earlier job title gave", func(t *testing.T) {
		s := newMoving(t)
		common, own, rare := s.held("common", s.ann, s.bea, s.cleo), s.held("own", s.ann, s.bea), s.held("rare", s.ann)
		kept := s.held("kept", s.ann, s.bea, s.cleo)
		s.grants("Editor", kept)
		like := s.held("like")
		s.Do(`insert into access_requests (view_id, requester_id, access_like, like_job_title_id, time_zone, reason_key, policy_version)
		select 'V', $1, 'job_title', id, 'UTC', 'project', 1 from job_titles where name = 'Analyst'`, s.ann)
		s.Do(`insert into request_items (request_id, entitlement_id, account_id, rule) select max(id), $1, $2, 1 from access_requests`, like, s.Account(s.ann, like))
		s.Do(`alter table claims disable trigger user`)
		s.Do(`insert into claims (person_id, account_id, entitlement_id, source, item_id, granted_at) select $1, account_id, entitlement_id, 'request', id, app_now() from request_items`, s.ann)
		s.Do(`alter table claims enable trigger user`)

		s.title("Editor", s.ann)
		s.title("Editor", s.ann) // imported again
		told := s.told("olga")
		require.Len(t, told, 1)
		assert.Contains(t, told[0], "Ann was Analyst and is Editor now")
		assert.Contains(t, told[0], "They still have 2 access grants")
		assert.Contains(t, told[0], "Common")
		assert.Contains(t, told[0], "Like", "it was asked for like the title")
		assert.NotContains(t, told[0], "Own", "one other holder is not what the title grants")
		assert.NotContains(t, told[0], "Kept", "the new title grants it too")
		assert.NotContains(t, told[0], "Rare")

		// Exactly that the manager sees and may revoke.
		lines, total, err := schema.AccessUnder(context.Background(), s.SlackApp, s.ann, s.olga, 20, 0)
		require.NoError(t, err)
		require.Equal(t, 2, total)
		assert.Equal(t, []string{"Common", "Like"}, []string{lines[0].Name, lines[1].Name})
		for _, e := range []int64{own, kept, rare} {
			require.ErrorIs(t, s.revokesAccess(s.olga, e), schema.ErrNotAllowed)
		}
		require.ErrorIs(t, s.revokesAccess(s.bea, common), schema.ErrNotAllowed)
		require.NoError(t, s.revokesAccess(s.olga, common))
		require.NoError(t, s.revokesAccess(s.olga, common), "pressed twice")
		assert.Equal(t, 1, s.Audited(schema.RevocationRecorded))
		told = s.told("olga")
		require.Len(t, told, 1, "what was said stands where it was said")
		assert.Contains(t, told[0], "They still have 1 access grant ")
		assert.Contains(t, told[0], "revoked by you")

		s.Administrator(s.owen)
		require.NoError(t, s.revokesAccess(s.owen, like))
		told = s.told("olga")
		require.Len(t, told, 1)
		assert.Contains(t, told[0], "revoked by Owen")
		assert.Contains(t, told[0], "Nothing that the earlier title alone granted is left to revoke")
		assert.NotContains(t, told[0], "Revoke…")
	})

	t.Run("standard set of a job title is all of its access", func(t *testing.T) {
		s := newMoving(t)
		standard, common := s.held("standard", s.ann), s.held("common", s.ann, s.bea, s.cleo)
		s.grants("Analyst", standard)
		s.title("Editor", s.ann)
		told := s.told("olga")
		require.Len(t, told, 1)
		assert.Contains(t, told[0], "Standard")
		assert.NotContains(t, told[0], "Common", "where there is a standard set, it is all that the title grants")
		require.ErrorIs(t, s.revokesAccess(s.olga, common), schema.ErrNotAllowed)
	})

	t.Run("return to the earlier job title keeps its access", func(t *testing.T) {
		s := newMoving(t)
		standard := s.held("standard", s.ann)
		s.grants("Analyst", standard)
		s.title("Editor", s.ann)
		require.Len(t, s.told("olga"), 1)
		s.title("Analyst", s.ann)
		told := s.told("olga")
		require.Len(t, told, 1)
		assert.Contains(t, told[0], "stays: Analyst grants it too")
		require.ErrorIs(t, s.revokesAccess(s.olga, standard), schema.ErrNotAllowed)
	})

	t.Run("new manager is notified and the old one loses the right", func(t *testing.T) {
		s := newMoving(t)
		standard := s.held("standard", s.ann)
		s.grants("Analyst", standard)
		s.title("Editor", s.ann)
		require.Len(t, s.told("olga"), 1)
		pia := s.Person("Pia")
		s.Application("wiki", pia) // who owns something else
		s.Manages(s.owen, s.ann)
		s.Do(`delete from application_owners where person_id = $1`, s.owen)
		require.Len(t, s.told("owen"), 1)
		told := s.told("olga")
		require.Len(t, told, 1)
		assert.Contains(t, told[0], "You no longer look after their access")
		assert.NotContains(t, told[0], "Revoke…")
		require.ErrorIs(t, s.revokesAccess(s.olga, standard), schema.ErrNotAllowed)
		require.ErrorIs(t, s.revokesAccess(pia, standard), schema.ErrNotAllowed)
		require.NoError(t, s.revokesAccess(s.owen, standard))
	})

	t.Run("earlier job title that gave nothing sends no message", func(t *testing.T) {
		s := newMoving(t)
		s.held("rare", s.ann)
		s.title("Editor", s.ann)
		assert.Empty(t, s.told("olga"))
		assert.Zero(t, schematest.Value[int](s.World, `select count(*) from notifications`))

		// Nor is one whose gifts are over before it was sent.
		standard := s.held("standard", s.bea)
		s.grants("Analyst", standard)
		s.Manages(s.olga, s.bea)
		s.title("Editor", s.bea)
		_, err := s.SlackApp.RevokeAccess(context.Background(), s.claim(s.bea, standard), s.owen, "moved")
		require.NoError(t, err)
		assert.Empty(t, s.told("olga"))
	})

	t.Run("job changes of one import are one message", func(t *testing.T) {
		s := newMoving(t)
		s.grants("Analyst", s.held("standard", s.ann, s.bea, s.cleo))
		s.grants("Editor", s.held("other")) // without a set it would grant what these three have
		s.Manages(s.olga, s.bea)
		s.Manages(s.olga, s.cleo)
		s.title("Editor", s.ann, s.bea, s.cleo)
		told := s.told("olga")
		require.Len(t, told, 1)
		for _, who := range []string{"Ann", "Bea", "Cleo"} {
			assert.Contains(t, told[0], who+" was Analyst and is Editor now")
		}
		many := make([]int64, 12)
		for n := range many {
			many[n] = s.Person(fmt.Sprintf("N%d", n))
			s.Manages(s.olga, many[n])
		}
		s.grants("Analyst", s.held("more", many...))
		s.title("Analyst", many...)
		s.title("Editor", many...)
		assert.Len(t, s.told("olga"), 1+3, "five people a message")
	})

	t.Run("administrators are notified where no manager can read it", func(t *testing.T) {
		s := newMoving(t)
		standard := s.held("standard", s.ann, s.cleo)
		s.grants("Analyst", standard)
		s.Administrator(s.olga)
		s.Do(`update people set manager_id = null where id = $1`, s.ann)
		s.title("Editor", s.ann)
		require.Len(t, s.told("olga"), 1, "no manager")
		require.NoError(t, s.revokesAccess(s.olga, standard))

		s.Manages(s.bea, s.cleo) // who is not in Slack
		s.title("Editor", s.cleo)
		require.Len(t, s.told("olga"), 2, "no one to write to")
		assert.Equal(t, 1, s.Alerts(schema.MessageUndelivered))
		s.Shift(time.Hour)
		s.Do(`update notifications set messages_due_at = app_now()`)
		require.Len(t, s.told("olga"), 2, "once")

		s.grants("Analyst", s.held("hers", s.olga)) // who is the only administrator
		s.title("Analyst", s.olga)
		s.title("Editor", s.olga)
		require.Len(t, s.told("olga"), 2, "no one is told of themselves")
	})
}
