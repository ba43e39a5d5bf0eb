package activities

import (
	"context"
	"slices"
	"strconv"
	"time"

	"accessbot/schema"
)

// ending is a time at which items of a request end.
type ending struct {
	at       time.Time
	notifyAt time.Time // when the requester is notified
	items    []int64
}

// endings are the ends of a request's temporary access of which the requester is notified, soonest first: a day before, or
// halfway through if the access lasts less than two days. Access for less than a day has no such notification.
func endings(r *schema.Request) []ending {
	var all []ending
	for _, item := range r.Items {
		claim := item.Claim
		if item.State != schema.Active || claim == nil || !claim.EndsAt.Valid || !claim.GrantedAt.Valid || !claim.Live {
			continue
		}
		end := claim.EndsAt.Time
		i := slices.IndexFunc(all, func(e ending) bool { return e.at.Unix() == end.Unix() })
		if i < 0 {
			i = len(all)
			all = append(all, ending{at: end})
		}
		all[i].items = append(all[i].items, item.ID)
		lasts := end.Sub(claim.GrantedAt.Time)
		if lasts < 24*time.Hour {
			continue
		}
		notifyAt := end.Add(-min(24*time.Hour, lasts/2))
		if all[i].notifyAt.IsZero() || notifyAt.Before(all[i].notifyAt) {
			all[i].notifyAt = notifyAt
		}
	}
	all = slices.DeleteFunc(all, func(e ending) bool { return e.notifyAt.IsZero() })
	slices.SortFunc(all, func(a, b ending) int { return a.at.Compare(b.at) })
	return all
}

// endNotifications are the due notifications before an end, one for each end, and in how long the next is due. Access that
// another claim keeps for longer is left out.
func endNotifications(ctx context.Context, q schema.Queryer, r *schema.Request, sent sentMessages,
) (notifications []key, later time.Duration, err error) {
	var due []ending
	for _, e := range endings(r) {
		if e.notifyAt.After(r.ReadAt) {
			later = shorter(later, e.notifyAt.Sub(r.ReadAt))
		} else {
			due = append(due, e)
		}
	}
	if len(due) == 0 {
		return nil, later, nil
	}
	heldLonger, err := schema.HeldLonger(ctx, q, r.ID)
	if err != nil {
		return nil, 0, err
	}
	for _, e := range due {
		items := slices.DeleteFunc(e.items, func(id int64) bool { return slices.Contains(heldLonger, id) })
		if len(items) == 0 {
			continue
		}
		about := strconv.FormatInt(e.at.Unix(), 10)
		if r.EndsAt.Valid && e.at.Equal(r.EndsAt.Time) && sent.find(r.RequesterID, endingSoon, "").ID != 0 {
			about = "" // the key of earlier versions, which sent one per request: it is not sent again
		}
		notifications = append(notifications, sent.key(r.RequesterID, endingSoon, about, items))
	}
	return notifications, later, nil
}
