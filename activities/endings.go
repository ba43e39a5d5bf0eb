package activities

import (
	"context"
	"slices"
	"strconv"
	"time"

	"accessbot/schema"
)

// ending is what of a request ends at one instant.
type ending struct {
	at     time.Time // the end
	notice time.Time // when the requester is told of it
	items  []int64
}

// endings are the ends of temporary access that a request granted, the soonest first, of which its requester is told before: a
// day before, or half-way for less than two days. There is no notification of the end of what was held for less than a day.
func endings(r *schema.Request) []ending {
	var all []ending
	for _, i := range r.Items {
		if i.State != schema.Active || i.Claim == nil || !i.Claim.EndsAt.Valid || !i.Claim.GrantedAt.Valid || !i.Claim.Live(r.ReadAt) {
			continue
		}
		end := i.Claim.EndsAt.Time
		n := slices.IndexFunc(all, func(e ending) bool { return e.at.Unix() == end.Unix() })
		if n < 0 {
			n = len(all)
			all = append(all, ending{at: end})
		}
		all[n].items = append(all[n].items, i.ID)
		held := end.Sub(i.Claim.GrantedAt.Time)
		if notice := end.Add(-min(24*time.Hour, held/2)); held >= 24*time.Hour && (all[n].notice.IsZero() || notice.Before(all[n].notice)) {
			all[n].notice = notice
		}
	}
	all = slices.DeleteFunc(all, func(e ending) bool { return e.notice.IsZero() })
	slices.SortFunc(all, func(a, b ending) int { return a.at.Compare(b.at) })
	return all
}

// endNotifications are the notifications before an end that should are delegates Slack, one for each end, and in how long the next is due.
// What the holder has for longer by another claim does not end for them.
func endNotifications(ctx context.Context, q schema.Queryer, r *schema.Request, was func(person int64, kind, about string) schema.Message) (notices []key, later time.Duration, err error) {
	var due []ending
	for _, e := range endings(r) {
		if e.notice.After(r.ReadAt) {
			later = shorter(later, e.notice.Sub(r.ReadAt))
		} else {
			due = append(due, e)
		}
	}
	if len(due) == 0 {
		return nil, later, nil
	}
	longer, err := schema.HeldLonger(ctx, q, r.ID)
	if err != nil {
		return nil, 0, err
	}
	for _, e := range due {
		items := slices.DeleteFunc(e.items, func(id int64) bool { return slices.Contains(longer, id) })
		if len(items) == 0 {
			continue
		}
		about := strconv.FormatInt(e.at.Unix(), 10)
		if r.EndsAt.Valid && e.at.Equal(r.EndsAt.Time) && was(r.RequesterID, endingSoon, "").ID != 0 {
			about = "" // as earlier versions called the only notification of a request: that is not sent again
		}
		notices = append(notices, key{person: r.RequesterID, kind: endingSoon, about: about, items: items, was: was(r.RequesterID, endingSoon, about)})
	}
	return notices, later, nil
}
