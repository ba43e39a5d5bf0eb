package views

import (
	"fmt"
	"time"

	"github.com/slack-go/slack"

	"accessbot/schema"
)

// Reminding is everything that waits for a reader's approval.
type Reminding struct {
	Lines    []schema.WaitingLine // the first of them, the oldest first
	Total    int
	TimeZone string // the reader's
}

// Reminder lists everything that waits for a reader, in one message.
func Reminder(r Reminding) Message {
	var b body
	text := "1 request is waiting for your approval"
	if r.Total != 1 {
		text = fmt.Sprintf("%d requests are waiting for your approval", r.Total)
	}
	b.line(bold(text))
	b.gap()
	for _, l := range r.Lines {
		line := fmt.Sprintf("%s %s: %s", bold(fmt.Sprintf("#%d", l.RequestID)), forWhom(l), namedOf(l.Names, l.Items))
		if l.HighRisk > 0 {
			line += ", 🔴 high risk"
		}
		line += " (waiting for " + waits(l.ReadAt.Sub(l.AskedAt.Time))
		if l.ExpiresAt.Valid {
			line += ", respond by " + When(l.ExpiresAt.Time, r.TimeZone)
		}
		b.line(line + ")")
	}
	if more := r.Total - len(r.Lines); more > 0 {
		b.line(fmt.Sprintf("and %d more", more))
	}
	b.buttons("", button(ActionShowAll, ListValue(ListWaiting, 1), "Show all", slack.StylePrimary))
	b.small("They are also on the Home tab. If you'll be away, delegate your approvals there.")
	return b.message(text)
}

// waits says how long something has waited, in the largest unit that fits.
func waits(d time.Duration) string {
	const day = 24 * time.Hour
	n, unit := int(d/day), "day"
	if d < day {
		n, unit = max(int(d/time.Hour), 1), "hour"
	}
	if n != 1 {
		unit += "s"
	}
	return fmt.Sprintf("%d %s", n, unit)
}
