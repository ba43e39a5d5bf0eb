package views

import (
	"fmt"
	"time"

	"github.com/slack-go/slack"

	"accessbot/schema"
)

// Reminding is everything that waits for a reader.
type Reminding struct {
	Lines    []schema.WaitingLine // the first of them, the oldest first
	Total    int
	TimeZone string // the reader's
}

// Reminder reminds a reader of all that waits for them, in one message.
func Reminder(r Reminding) Message {
	var b body
	text := "1 request waits for you"
	if r.Total != 1 {
		text = fmt.Sprintf("%d requests wait for you", r.Total)
	}
	b.line(bold(text))
	b.gap()
	for _, l := range r.Lines {
		line := fmt.Sprintf("%s %s: %s", bold(fmt.Sprintf("#%d", l.RequestID)), forWhom(l), namedOf(l.Names, l.Items))
		if l.HighRisk > 0 {
			line += ", 🔴 high risk"
		}
		line += " (waits " + waits(l.ReadAt.Sub(l.AskedAt.Time))
		if l.ExpiresAt.Valid {
			line += ", expires " + When(l.ExpiresAt.Time, r.TimeZone)
		}
		b.line(line + ")")
	}
	if more := r.Total - len(r.Lines); more > 0 {
		b.line(fmt.Sprintf("and %d more", more))
	}
	b.buttons("", button(ActionShowAll, ListValue(ListWaiting, 1), "Show all", slack.StylePrimary))
	b.small("The Home tab has them too. If you will be away, say there who decides in your place.")
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
