package schema_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"

	"accessbot/schema"
	"accessbot/schema/schematest"
)

// opened opens a draft of a person, like another person.
func (o office) opened(viewID, who, like string) schema.Draft {
	o.Helper()
	ctx := context.Background()
	_, err := o.app.OpenDraft(ctx, viewID, "h", o.person(who).ID, "Europe/Paris")
	require.NoError(o, err)
	return o.change(viewID, who, func(tx *sqlx.Tx, d *schema.Draft) error {
		if err := d.SetSubject(ctx, tx, o.person(like).ID); err != nil {
			return err
		}
		return d.MakeOffer(ctx, tx)
	})
}

func (o office) change(viewID, who string, f func(tx *sqlx.Tx, d *schema.Draft) error) schema.Draft {
	o.Helper()
	d, err := o.app.ChangeDraft(context.Background(), viewID, o.person(who).ID, f)
	require.NoError(o, err)
	return d
}

// chosen selects grants by application/key.
func (o office) chosen(viewID, who string, ids ...int64) {
	o.Helper()
	o.change(viewID, who, func(_ *sqlx.Tx, d *schema.Draft) error {
		for n, group := range d.Shown {
			var ticked []int64
			for _, id := range group {
				if slices.Contains(ids, id) {
					ticked = append(ticked, id)
				}
			}
			if err := d.Choose(n, ticked, true); err != nil {
				return err
			}
		}
		return nil
	})
}

func TestDraft(t *testing.T) {
	t.Run("draft belongs to its owner alone", func(t *testing.T) {
		o := newOffice(t)
		o.opened("V1", "alice", "priya")
		_, err := schema.DraftByView(context.Background(), o.app, "V1", o.person("bob").ID)
		require.ErrorIs(t, err, schema.ErrNotFound)
		_, err = o.app.ChangeDraft(context.Background(), "V1", o.person("bob").ID, func(*sqlx.Tx, *schema.Draft) error { return nil })
		require.ErrorIs(t, err, schema.ErrNotFound)
	})

	t.Run("list is grouped by application and paged", func(t *testing.T) {
		o := newOffice(t)
		d := o.opened("V1", "alice", "sam") // 53 grants
		require.Greater(t, d.Total, schema.PageSize)
		require.Len(t, d.ShownIDs(), schema.PageSize)
		require.Equal(t, 2, d.Pages())
		for _, group := range d.Shown {
			require.LessOrEqual(t, len(group), schema.GroupSize)
			applications := map[string]bool{}
			for _, key := range o.keys(group) {
				application, _, _ := strings.Cut(key, "/")
				applications[application] = true
			}
			require.Len(t, applications, 1)
		}
		rest := o.change("V1", "alice", func(tx *sqlx.Tx, d *schema.Draft) error {
			d.Page = 99 // the last page
			return d.MakeList(context.Background(), tx)
		})
		require.Equal(t, 2, rest.Page)
		require.Len(t, rest.ShownIDs(), d.Total-schema.PageSize)
		require.ElementsMatch(t, []int64(d.Offered), append(d.ShownIDs(), rest.ShownIDs()...))
		require.Greater(t, rest.Generation, d.Generation)
	})

	t.Run("two characters match the start of a word and three match anywhere", func(t *testing.T) {
		o := newOffice(t)
		o.opened("V1", "alice", "sam")
		for search, want := range map[string][]string{
			"de":         {"crm/support", "production/deploy-api", "production/deploy-web", "production/deploy-workers", "sso/helpdesk"},
			"eploy the ": {"production/deploy-api", "production/deploy-web", "production/deploy-workers"},
			"DEPLOY-WEB": {"production/deploy-web"},
			"%%%":        {},
			"___":        {},
			`\`:          {},
		} {
			d := o.change("V1", "alice", func(tx *sqlx.Tx, d *schema.Draft) error {
				d.Search, d.Page = search, 1
				return d.MakeList(context.Background(), tx)
			})
			require.ElementsMatch(t, want, o.keys(d.ShownIDs()), search)
			require.Equal(t, len(want), d.Matching)
		}
	})

	t.Run("concurrent ticks are all kept", func(t *testing.T) {
		o := newOffice(t)
		d := o.opened("V1", "alice", "sam")
		var actions sync.WaitGroup
		for n, group := range d.Shown {
			actions.Go(func() {
				_, err := o.app.ChangeDraft(
					context.Background(),
					"V1",
					d.PersonID,
					func(_ *sqlx.Tx, d *schema.Draft) error { return d.Choose(n, group[:1], true) },
				)
				require.NoError(t, err)
			})
		}
		actions.Wait()
		after, err := schema.DraftByView(context.Background(), o.app, "V1", d.PersonID)
		require.NoError(t, err)
		require.Len(t, after.Chosen, len(d.Shown))
	})

	t.Run("only offered items of the group can be ticked", func(t *testing.T) {
		o := newOffice(t)
		d := o.opened("V1", "alice", "priya")
		require.ErrorIs(t, d.Choose(0, []int64{o.entitlement("warehouse", "admin")}, true), schema.ErrNotOffered)
		require.ErrorIs(t, d.Choose(0, d.Shown[1], true), schema.ErrNotOffered, "of another group")
		require.ErrorIs(t, d.Choose(len(d.Shown), nil, true), schema.ErrNotOffered)
		require.ErrorIs(t, d.Choose(-1, nil, true), schema.ErrNotOffered)
		require.Empty(t, d.Chosen)
	})

	t.Run("empty group counts only after it was touched", func(t *testing.T) {
		o := newOffice(t)
		d := o.opened("V1", "alice", "priya")
		one := d.Shown[0][:1]
		require.NoError(t, d.Choose(0, one, true))
		d.Touched = nil // another generation
		require.NoError(t, d.Choose(0, nil, false))
		require.Equal(t, one, []int64(d.Chosen), "Slack forgets what it shows as ticked")
		require.NoError(t, d.Choose(0, nil, true))
		require.Empty(t, d.Chosen)
		require.NoError(t, d.Choose(0, nil, false))
		require.Empty(t, d.Chosen)
	})
}

// submission requests a draft's selection permanently.
func (o office) submission(viewID, who string) schema.Submission {
	return schema.Submission{ViewID: viewID, PersonID: o.person(who).ID, ReasonKey: "project",
		LastEnd: func(days int) time.Time { return time.Now().AddDate(0, 0, days+1) }}
}

func TestSubmission(t *testing.T) {
	t.Run("concurrent forms never request the same access twice", func(t *testing.T) {
		o := newOffice(t)
		editor := o.entitlement("dashboards", "editor")
		var forms sync.WaitGroup
		for n := range 5 {
			o.opened(fmt.Sprint("V", n), "alice", "priya")
			o.chosen(fmt.Sprint("V", n), "alice", editor)
			forms.Go(func() { // each with its own connection, so that they run concurrently
				_, err := o.app.Exec(`select pg_sleep(0.2)`)
				require.NoError(t, err)
			})
		}
		forms.Wait()
		var mu sync.Mutex
		refused := 0
		for n := range 5 {
			forms.Go(func() {
				_, err := o.app.Submit(context.Background(), o.submission(fmt.Sprint("V", n), "alice"))
				if err == nil {
					return
				}
				var gone *schema.NoLongerOffered
				require.ErrorAs(t, err, &gone)
				require.Equal(t, []string{"Dashboard editor"}, gone.Names)
				mu.Lock()
				defer mu.Unlock()
				refused++
			})
		}
		forms.Wait()
		require.Equal(t, 4, refused)
		var items int
		require.NoError(t, o.Get(&items, `select count(*) from request_items`))
		require.Equal(t, 1, items)
	})

	t.Run("submission is checked again", func(t *testing.T) {
		o := newOffice(t)
		ctx := context.Background()
		editor := o.entitlement("dashboards", "editor")
		o.opened("V1", "alice", "priya")
		submit := func() error {
			_, err := o.app.Submit(ctx, o.submission("V1", "alice"))
			return err
		}
		require.ErrorIs(t, submit(), schema.ErrNothingChosen)
		o.chosen("V1", "alice", editor)

		o.do(`update entitlements set requestable = false where id = $1`, editor)
		var gone *schema.NoLongerOffered
		require.ErrorAs(t, submit(), &gone)
		require.Equal(t, []string{"Dashboard editor"}, gone.Names)
		o.do(`update entitlements set requestable = true where id = $1`, editor)
		require.ErrorIs(t, submit(), schema.ErrNothingChosen, "the draft has forgotten it")
		o.chosen("V1", "alice", editor)

		s := o.submission("V1", "alice")
		s.ReasonKey = "no-such"
		_, err := o.app.Submit(ctx, s)
		require.ErrorIs(t, err, schema.ErrNoSuchReason)
		s = o.submission("V1", "alice")
		s.EndsAt.Time, s.EndsAt.Valid = time.Now().Add(-time.Second), true
		_, err = o.app.Submit(ctx, s)
		require.ErrorIs(t, err, schema.ErrEndPassed)
		s = o.submission("V1", "alice")
		s.Note = strings.Repeat("é", 3001) // the form shows an error at its field
		_, err = o.app.Submit(ctx, s)
		require.ErrorContains(t, err, "note_check", "the database takes no more than 3000 characters")

		o.do(`update entitlements set max_days = 3 where id = $1`, editor)
		var long *schema.TooLong
		require.ErrorAs(t, submit(), &long)
		require.True(t, long.Permanent)
		require.Equal(t, 3, long.Limited[0].MaxDays)
		s = o.submission("V1", "alice")
		s.EndsAt.Time, s.EndsAt.Valid = time.Now().AddDate(0, 0, 5), true
		_, err = o.app.Submit(ctx, s)
		require.ErrorAs(t, err, &long)
		require.False(t, long.Permanent)
		s.EndsAt.Time = time.Now().AddDate(0, 0, 3)
		receipt, err := o.app.Submit(ctx, s)
		require.NoError(t, err)
		require.False(t, receipt.Before)
		again, err := o.app.Submit(ctx, schema.Submission{ViewID: "V1", PersonID: s.PersonID})
		require.NoError(t, err)
		require.Equal(t, schema.Receipt{RequestID: receipt.RequestID, Before: true}, again)
		_, err = o.app.Submit(ctx, schema.Submission{ViewID: "V1", PersonID: o.person("bob").ID})
		require.ErrorIs(t, err, schema.ErrNotFound, "a view is its owner's")
	})

	t.Run("form is merged, checked and recorded together", func(t *testing.T) {
		ctx := context.Background()
		o := newOffice(t)
		o.opened("V1", "alice", "priya")
		editor := o.entitlement("dashboards", "editor")
		refused := errors.New("a field is wrong")
		s := schema.Submission{ViewID: "V1", PersonID: o.person("alice").ID}
		s.Fill = func(_ *sqlx.Tx, d *schema.Draft, _ *schema.Submission) error {
			d.Chosen = []int64{editor}
			return refused
		}
		_, err := o.app.Submit(ctx, s)
		require.ErrorIs(t, err, refused)
		d, err := schema.DraftByView(ctx, o.app, "V1", s.PersonID)
		require.NoError(t, err)
		require.NotContains(t, d.Chosen, editor, "the draft is as it was")

		refused = nil
		s.ReasonKey = "no-such"
		_, err = o.app.Submit(ctx, s)
		require.ErrorIs(t, err, schema.ErrNoSuchReason, "what is filled in is checked")
		fill := s.Fill
		s.Fill = func(tx *sqlx.Tx, d *schema.Draft, s *schema.Submission) error {
			s.ReasonKey = "project"
			return fill(tx, d, s)
		}
		receipt, err := o.app.Submit(ctx, s)
		require.NoError(t, err)
		var items []int64
		require.NoError(t, o.Select(&items, `select entitlement_id from request_items where request_id = $1`, receipt.RequestID))
		require.Equal(t, []int64{editor}, items)
		again, err := o.app.Submit(ctx, s)
		require.NoError(t, err)
		require.Equal(t, schema.Receipt{RequestID: receipt.RequestID, Before: true}, again)
	})

	t.Run("longest temporary access is that of the policy in force", func(t *testing.T) {
		ctx := context.Background()
		o := newOffice(t)
		directory := o.As(t, "accessbot_directory")
		apply := func(source string) {
			_, _, err := directory.ApplyPolicy(ctx, "policy.yaml", []byte(source))
			require.NoError(t, err)
		}
		apply(schematest.WithDefaults("max_days: 10"))
		d := o.opened("V1", "alice", "priya")
		offer, err := d.Complete(ctx, o.app, 1)
		require.NoError(t, err)
		require.Equal(t, 10, offer.MaxDays, "the form says so")
		editor := o.entitlement("dashboards", "editor")
		o.chosen("V1", "alice", editor)
		s := o.submission("V1", "alice")
		s.EndsAt.Time, s.EndsAt.Valid = time.Now().AddDate(0, 0, 9), true
		apply(schematest.WithDefaults("max_days: 7")) // while the form is open
		var long *schema.TooLong
		_, err = o.app.Submit(ctx, s)
		require.ErrorAs(t, err, &long)
		require.Equal(t, 7, long.Limited[0].MaxDays)
		o.do(`update entitlements set max_days = 3 where id = $1`, editor)
		_, err = o.app.Submit(ctx, s)
		require.ErrorAs(t, err, &long)
		require.Equal(t, 3, long.Limited[0].MaxDays, "the shorter of the two")
		o.do(`update entitlements set max_days = 300 where id = $1`, editor)
		apply(schematest.WithDefaults("max_days: 9"))
		_, err = o.app.Submit(ctx, s)
		require.NoError(t, err)
	})

	t.Run("inactive person submits nothing", func(t *testing.T) {
		o := newOffice(t)
		o.opened("V1", "alice", "priya")
		o.chosen("V1", "alice", o.entitlement("dashboards", "editor"))
		o.do(`update people set status = 'left' where email = 'alice@example.com'`)
		_, err := o.app.Submit(context.Background(), o.submission("V1", "alice"))
		require.ErrorIs(t, err, schema.ErrNotActive)
	})

	t.Run("quota holds for concurrent submissions", func(t *testing.T) {
		o := newOffice(t)
		editor, sandbox, marts := o.entitlement(
			"dashboards",
			"editor",
		), o.entitlement(
			"warehouse",
			"sandbox",
		), o.entitlement(
			"warehouse",
			"marketing-marts",
		)
		var errs [3]error
		submit := func(n int, q schema.Quota) error {
			s := o.submission(fmt.Sprint("V", n), "alice")
			s.Quota = q
			_, err := o.app.Submit(context.Background(), s)
			return err
		}
		var submissions sync.WaitGroup
		for n, e := range []int64{editor, sandbox, marts} {
			view := fmt.Sprint("V", n)
			o.opened(view, "alice", "priya")
			o.chosen(view, "alice", e)
		}
		for n := range errs {
			submissions.Go(func() { errs[n] = submit(n, schema.Quota{Open: 2, PerMinute: 10}) })
		}
		submissions.Wait()
		refused := slices.DeleteFunc([]int{0, 1, 2}, func(n int) bool { return errs[n] == nil })
		require.Len(t, refused, 1)
		var over *schema.OverQuota
		require.ErrorAs(t, errs[refused[0]], &over)
		require.Equal(t, &schema.OverQuota{Open: 2}, over)
		require.ErrorAs(t, submit(refused[0], schema.Quota{Open: 9, PerMinute: 2}), &over)
		require.Equal(t, &schema.OverQuota{PerMinute: 2}, over)
		// Active and denied items are not open.
		o.do(
			`begin; set local session_replication_role = replica; update request_items set state = case when id % 2 = 0 then 'active' else 'denied' end; commit`,
		)
		require.NoError(t, submit(refused[0], schema.Quota{Open: 1, PerMinute: 3}))
	})
}
