package views

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/slack-go/slack"

	"accessbot/schema"
)

// Of what administrators decide because no one else does.
const (
	ActionDecideAsAdministrator   = "stuck" // the request's number
	CallbackDecideAsAdministrator = "stuck" // see ChooseAsAdministrator
	ListStuck                     = "stuck" // the list of Home
)

// StuckLines is how many of them the Home tab shows.
const StuckLines = 5

// stuckLines are requests that no one decides, each with the button to do so.
func stuckLines(lines []schema.WaitingLine, zone string) []slack.Block {
	var blocks []slack.Block
	for _, l := range lines {
		text := fmt.Sprintf("#%d from %s: %s\n%s · asked %s", l.RequestID, bold(forWhom(l)), namedOf(l.Names, l.Items),
			untilLine(l.EndsAt.Valid, schema.Request{EndsAt: l.EndsAt, EndsOn: l.EndsOn, TimeZone: l.TimeZone}, zone), When(l.CreatedAt, zone))
		if l.HighRisk > 0 {
			text += fmt.Sprintf(" · 🔴 %d of high risk", l.HighRisk)
		}
		decide := slack.NewAccessory(button(ActionDecideAsAdministrator, strconv.FormatInt(l.RequestID, 10), "Decide…", slack.StyleDefault))
		blocks = append(blocks, slack.NewSectionBlock(mrkdwn(text), nil, decide))
	}
	return blocks
}

// StuckList is a page of the requests that no one decides.
func StuckList(lines []schema.WaitingLine, total, page int, zone string) slack.ModalViewRequest {
	return list(ListStuck, "Stuck requests", total, page, stuckLines(lines, zone))
}

// ChooseAsAdministrator lets an administrator decide, in the place of everybody, what no one has. Times are in the administrator's zone.
func ChooseAsAdministrator(r *schema.Request, administrator schema.Person, zone string, limits map[int64]int) slack.ModalViewRequest {
	who, whom := submittedBy(r)
	lines := []string{
		bold(fmt.Sprintf("Request #%d", r.ID)) + " from " + who + whom + ", created " + When(r.CreatedAt, zone),
		bold("Duration:") + " " + Until(r, zone),
		bold("Reason:") + " " + name(r.ReasonLabel),
	}
	if note := Escape(Cut(Clean(r.Note), 500)); note != "" {
		lines = append(lines, "“"+note+"”")
	}
	waits := append(approvers(r, zone), "No one could be asked, or no one has answered.")
	boxes, shown := choice(r, r.Stuck(administrator), limits)
	blocks := []slack.Block{section(cutLines(lines, 2900)), section(cutLines(waits, 2900))}
	blocks = append(append(blocks, boxes...),
		slack.NewInputBlock(BlockReason, plain("Why you decide"), nil, reasonInput("The requester and the approvers read it")),
		small("You decide on behalf of all approvers, in the place of all who have to agree, and your decision is marked as that."))
	return choiceModal("Stuck request", CallbackDecideAsAdministrator, StuckValue(r.ID, r.Terms), shown, blocks)
}

// cutLines are lines as far as there is room.
func cutLines(lines []string, room int) string {
	n := 0
	for n < len(lines) && room >= length(lines[n])+1 {
		room -= length(lines[n]) + 1
		n++
	}
	return strings.Join(lines[:n], "\n")
}

// StuckValue names a request and the terms that were shown.
func StuckValue(request int64, terms string) string { return DecisionValue(request, terms) }

// ParseStuckValue takes a StuckValue apart. It fails on anything else.
func ParseStuckValue(value string) (request int64, terms string, err error) {
	return ParseDecisionValue(value)
}
