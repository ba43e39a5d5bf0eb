package outbox

import (
	"context"
	"slices"
	"strconv"
	"time"

	"accessbot/schema"
)

// endNotifications are the due notifications before an end, one for each end, and in how long the next is due. Access that
// another claim keeps for longer is left out.
func endNotifications(ctx context.Context, q schema.Queryer, r *schema.Request, sent sentMessages,
) (notifications []key, later time.Duration, err error) {
	var due []schema.Ending
	for _, e := range r.Endings() {
		if e.NotifyAt.After(r.ReadAt) {
			later = shorter(later, e.NotifyAt.Sub(r.ReadAt))
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
		items := slices.DeleteFunc(e.Items, func(id int64) bool { return slices.Contains(heldLonger, id) })
		if len(items) == 0 {
			continue
		}
		about := strconv.FormatInt(e.At.Unix(), 10)
		if r.EndsAt.Valid && e.At.Equal(r.EndsAt.Time) && sent.find(r.RequesterID, endingSoon, "").ID != 0 {
			about = "" // the key of earlier versions, which sent one per request: it is not sent again
		}
		notifications = append(notifications, sent.key(r.RequesterID, endingSoon, about, items))
	}
	return notifications, later, nil
}
