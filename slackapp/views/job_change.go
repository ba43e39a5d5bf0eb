package views

import (
	"fmt"

	"github.com/slack-go/slack"

	"accessbot/schema"
)

// JobChangeShown is how much of what each person has from an earlier job title the message names.
const JobChangeShown = 10

// JobChanges tells a reader, whose clock is in zone, what people of theirs have from earlier job titles, and how much of it was
// revoked since.
func JobChanges(changes []schema.JobChange, readerID int64, zone string) Message {
	var b body
	text := fmt.Sprintf("%d people changed job title", len(changes))
	open, room := 0, listRoom
	for _, c := range changes {
		moved := jobChanged(c)
		if len(changes) == 1 {
			text = moved
		}
		b.line(bold(moved))
		switch {
		case !c.Theirs:
			b.line("You no longer look after their access.")
		case c.Open == 0:
			b.line("Nothing that the earlier title alone granted is left to revoke.")
		case c.Open == 1:
			b.line("They still have 1 access grant that the earlier title granted, and the present one does not:")
		default:
			b.line(fmt.Sprintf("They still have %d access grants that the earlier title granted, and the present one does not:", c.Open))
		}
		shown := 0
		for _, l := range c.Lines {
			line := jobChangeLine(c, l, readerID, zone)
			if room -= length(line); room < 0 {
				break
			}
			b.line(line)
			shown++
		}
		if more := c.Total - shown; more > 0 {
			b.line(fmt.Sprintf("and %d more", more))
		}
		b.gap()
		if c.Open > 0 {
			b.buttons("", button(ActionShowAll, ListValue(ListHolder(c.PersonID), 1), "Revoke…", slack.StyleDefault))
		}
		open += c.Open
	}
	if open > 0 {
		b.small("What they do not need any more you can revoke, and say why. Nothing goes by itself.")
	}
	return b.message(text)
}

func jobChanged(c schema.JobChange) string {
	now := "has no job title now"
	if c.NewTitle != "" {
		now = "is " + name(c.NewTitle) + " now"
	}
	return fmt.Sprintf("%s was %s and %s", name(c.PersonName), name(c.OldTitle), now)
}

func jobChangeLine(c schema.JobChange, l schema.JobChangeLine, readerID int64, zone string) string {
	mark, state := "•", untilLine(l.EndsAt.Valid, schema.Request{EndsAt: l.EndsAt, EndsOn: l.EndsOn, TimeZone: l.TimeZone.String}, zone)
	switch {
	case l.Release.String == schema.KindRevoked && l.ReleasedBy.Int64 == readerID:
		mark, state = "✅", "revoked by you"
	case l.Release.String == schema.KindRevoked:
		mark, state = "✅", "revoked by "+name(l.ReleasedByName.String)
	case l.Release.String == schema.KindRemovedByHolder:
		mark, state = "✅", "removed"
	case l.Leaving:
		mark, state = "✅", "over"
	case l.Needed:
		mark, state = "✅", "stays: "+name(c.NewTitle)+" grants it too"
	}
	return fmt.Sprintf("%s %s: %s, %s", mark, name(l.ApplicationName), bold(name(l.Name)), state)
}
