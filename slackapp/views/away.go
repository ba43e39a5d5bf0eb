package views

import (
	"fmt"
	"time"

	"github.com/slack-go/slack"

	"accessbot/schema"
)

// Callback, actions and fields of delegating approvals.
const (
	CallbackAway   = "away"
	ActionAway     = "away"      // opens the modal; no value
	ActionBack     = "back"      // no value
	ActionDelegate = "delegate"  // external select: a person
	ActionFirstDay = "first_day" // date
	ActionLastDay  = "last_day"  // date
	BlockDelegate  = "delegate"
	BlockFirstDay  = "first_day"
	BlockLastDay   = "last_day"
)

// Away asks who decides on the reader's behalf, and when. Now is the database's clock.
func Away(zone string, now time.Time) slack.ModalViewRequest {
	hint := Cut("In your time zone, "+location(zone).String()+".", 150)
	first := slack.NewDatePickerBlockElement(ActionFirstDay)
	first.InitialDate = now.In(location(zone)).Format(time.DateOnly)
	return slack.ModalViewRequest{
		Type:       slack.VTModal,
		CallbackID: CallbackAway,
		Title:      plain("Delegate approvals"),
		Submit:     plain("Save"),
		Close:      plain("Cancel"),
		Blocks: slack.Blocks{BlockSet: []slack.Block{
			section(
				"Your delegate decides on your behalf on these days. Open approvals move to them for that time, and return to you afterwards.",
			),
			slack.NewInputBlock(BlockDelegate, plain("Delegate"), nil, externalSelect(ActionDelegate, "Choose a person")),
			slack.NewInputBlock(BlockFirstDay, plain("First day"), plain(hint), first),
			slack.NewInputBlock(BlockLastDay, plain("Last day"), plain(hint), slack.NewDatePickerBlockElement(ActionLastDay)),
		}},
	}
}

// away says who decides on the reader's behalf, and has buttons to change that.
func (h Home) away() []slack.Block {
	if h.Delegation == nil {
		return nil
	}
	return []slack.Block{
		section("🌴 " + awayWords(*h.Delegation, h.TimeZone)),
		slack.NewActionBlock(
			"",
			button(ActionBack, "", "End delegation", slack.StyleDefault),
			button(ActionAway, "", "Change delegation…", slack.StyleDefault),
		),
	}
}

func awayWords(d schema.Delegation, zone string) string {
	first, last := d.StartsAt.In(location(zone)), d.EndsAt.In(location(zone)).Add(-time.Second)
	return fmt.Sprintf(
		"%s decides on your behalf from %s until the %s.",
		bold(name(d.DelegateName)),
		first.Format("Mon 2 Jan 2006"),
		EndOf(last, zone),
	)
}
