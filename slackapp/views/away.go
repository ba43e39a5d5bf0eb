package views

import (
	"fmt"
	"time"

	"github.com/slack-go/slack"

	"accessbot/schema"
)

// Callback, actions and fields of saying that one is away.
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

// Away asks who decides in the reader's place, and when. Now is the database's clock.
func Away(zone string, now time.Time) slack.ModalViewRequest {
	hint := Cut("In your time zone, "+location(zone).String()+".", 150)
	first := slack.NewDatePickerBlockElement(ActionFirstDay)
	first.InitialDate = now.In(location(zone)).Format(time.DateOnly)
	return slack.ModalViewRequest{
		Type:       slack.VTModal,
		CallbackID: CallbackAway,
		Title:      plain("While you are away"),
		Submit:     plain("Save"),
		Close:      plain("Cancel"),
		Blocks: slack.Blocks{BlockSet: []slack.Block{
			section("What you would be asked to approve is put to someone else. Approvals that are open move at once, and come back to you afterwards."),
			slack.NewInputBlock(BlockDelegate, plain("Who decides in your place"), nil, externalSelect(ActionDelegate, "Choose a person")),
			slack.NewInputBlock(BlockFirstDay, plain("First day"), plain(hint), first),
			slack.NewInputBlock(BlockLastDay, plain("Last day"), plain(hint), slack.NewDatePickerBlockElement(ActionLastDay)),
		}},
	}
}

// away says who decides in the reader's place, and lets them change it.
func (h Home) away() []slack.Block {
	if h.Delegation == nil {
		return nil
	}
	return []slack.Block{
		section("🌴 " + awayWords(*h.Delegation, h.TimeZone)),
		slack.NewActionBlock("", button(ActionBack, "", "I decide myself again", slack.StyleDefault), button(ActionAway, "", "Change…", slack.StyleDefault)),
	}
}

func awayWords(d schema.Delegation, zone string) string {
	first, last := d.StartsAt.In(location(zone)), d.EndsAt.In(location(zone)).Add(-time.Second)
	return fmt.Sprintf("%s decides in your place from %s until the %s.", bold(name(d.DelegateName)), first.Format("Mon 2 Jan 2006"), EndOf(last, zone))
}
