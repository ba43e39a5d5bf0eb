package schema

import (
	"slices"
	"time"
)

// Ending is a time at which items of a request end.
type Ending struct {
	At       time.Time
	NotifyAt time.Time // when the requester is notified
	Items    []int64
}

// Endings are the ends of a request's temporary access of which the requester is notified, soonest first: a day before, or
// halfway through if the access lasts less than two days. Access for less than a day has no such notification.
func (r *Request) Endings() []Ending {
	var all []Ending
	for _, item := range r.Items {
		claim := item.Claim
		if item.State != Active || claim == nil || !claim.EndsAt.Valid || !claim.GrantedAt.Valid || !claim.Live {
			continue
		}
		end := claim.EndsAt.Time
		i := slices.IndexFunc(all, func(e Ending) bool { return e.At.Unix() == end.Unix() })
		if i < 0 {
			i = len(all)
			all = append(all, Ending{At: end})
		}
		all[i].Items = append(all[i].Items, item.ID)
		lasts := end.Sub(claim.GrantedAt.Time)
		if lasts < 24*time.Hour {
			continue
		}
		notifyAt := end.Add(-min(24*time.Hour, lasts/2))
		if all[i].NotifyAt.IsZero() || notifyAt.Before(all[i].NotifyAt) {
			all[i].NotifyAt = notifyAt
		}
	}
	all = slices.DeleteFunc(all, func(e Ending) bool { return e.NotifyAt.IsZero() })
	slices.SortFunc(all, func(a, b Ending) int { return a.At.Compare(b.At) })
	return all
}
