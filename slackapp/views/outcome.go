package views

import (
	"fmt"

	"accessbot/schema"
)

// Outcome tells the requester and submitter, in a message of its own, what happened to the whole request: what is active and
// until when, what was denied and why, what failed, and what is still open.
func Outcome(r *schema.Request, readerID int64) Message {
	var b body
	items := tell(r, r.Items, r.TimeZone, readerID)
	text := headline(r, readerID, items)
	b.line(bold(text))
	b.gap()
	b.standings(items)
	b.offer(BlockAgain, offer{request: r.ID, over: readerID == r.RequesterID && someOver(items)})
	return b.message(fmt.Sprintf("%s (%s %s)", text, grants(len(items)), inApplications(items)))
}

// reasonRoom is how much of the reasons for denying a message can quote in all.
const reasonRoom = 4000

// standings lists the items by standing, each standing once. Reasons for denials are quoted in full as far as there is
// room.
func (b *body) standings(items []told) {
	room, reasons := listRoom, reasonRoom
	var byPhase [phases][]told
	for _, i := range items {
		byPhase[i.phase] = append(byPhase[i.phase], i)
	}
	var left []told
	for p := range phases {
		for _, g := range grouped(byPhase[p], func(i told) string { return i.words + denialOf(i) }) {
			if room < 0 {
				left = append(left, g.items...)
				continue
			}
			first := g.items[0]
			said, reason := first.words, denialOf(first)
			if reason != "" && length(reason) <= reasons {
				said = denied.words() + " by " + deciders(first.Item, 0)
			} else {
				reason = ""
			}
			said = p.emoji() + " " + sentence(said)
			b.line(said)
			room -= length(said)
			for _, line := range named(g.items, max(room, 0)) {
				b.line(line)
				room -= length(line)
			}
			b.quote(reason)
			reasons -= length(reason)
		}
	}
	if len(left) > 0 {
		b.line(fmt.Sprintf("and %d more (%s)", len(left), summary(left)))
	}
}

// denialOf returns the approver's reason for a denial, as they wrote it.
func denialOf(i told) string {
	if i.phase != denied || i.Decision == nil {
		return ""
	}
	return CleanLines(i.Decision.Reason)
}
