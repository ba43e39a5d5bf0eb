package views

import (
	"fmt"
	"strconv"

	"github.com/slack-go/slack"

	"accessbot/schema"
)

// Action, block and callback IDs of a task.
const (
	ActionTaskDone   = "task_done"   // the task's ID
	ActionTaskCannot = "task_cannot" // the task's ID
	BlockTask        = "task"
	CallbackCannot   = "task_cannot"
)

// Task asks a reader, whose clock is in zone, to do something by hand in a system that has no interface. Once it is answered,
// or not needed any more, it says so.
func Task(t schema.Task, readerID int64, zone string) Message {
	var b body
	what := fmt.Sprintf("%s: %s (%s)", name(t.ApplicationName), bold(name(t.EntitlementName)), name(t.Kind))
	verb, done := "Please give", "Done: "+name(t.PersonName)+" has it"
	if !t.Held {
		verb, done = "Please take back", "Done: "+name(t.PersonName)+" does not have it any more"
	}
	text := fmt.Sprintf("%s by hand: %s, %s %s", verb, name(t.PersonName), name(t.ApplicationName), name(t.EntitlementName))
	who := "you"
	if t.AnsweredBy.Int64 != readerID {
		who = name(t.AnsweredName)
	}
	switch t.Outcome {
	case "":
		b.line(bold(verb+" by hand"), what)
	case "done":
		b.line(bold(done), what, "✅ Said by "+who+", "+When(t.AnsweredAt.Time, zone))
	case "cannot":
		b.line(bold("It cannot be done"), what, "⛔ "+because("Said by "+who+", "+When(t.AnsweredAt.Time, zone), t.Reason))
	default:
		b.line(bold("Not needed any more"), what, "If you have done it already, please say so: then you are asked to undo it.")
	}
	b.gap()
	b.line(fmt.Sprintf("%s %s (%s), account %s", bold("Who:"), name(t.PersonName), name(t.PersonEmail), name(t.Account)))
	b.line(bold("Its name there:") + " " + Escape(Cut(Clean(t.Object), 255)))
	if t.Held {
		until := "permanent"
		if t.EndsAt.Valid {
			until = "until " + When(t.EndsAt.Time, zone) + ". You will be asked to take it back then"
		}
		b.line(bold("Duration:") + " " + until)
		if t.ApprovedBy.Valid {
			b.line(bold("Approved by:") + " " + name(t.ApprovedBy.String))
		}
	}
	if t.RequestID.Valid {
		b.line(fmt.Sprintf("%s #%d", bold("Request:"), t.RequestID.Int64))
	}
	b.small("This system has no interface that this app could use. Asked " + When(t.OpenedAt, zone))
	value := strconv.FormatInt(t.ID, 10)
	switch t.Outcome {
	case "":
		b.buttons(BlockTask, button(ActionTaskDone, value, "Done", slack.StylePrimary), button(ActionTaskCannot, value, "Cannot", slack.StyleDanger))
	case "dropped":
		b.buttons(BlockTask, button(ActionTaskDone, value, "I have done it already", slack.StyleDefault))
	}
	return b.message(text)
}

// Cannot asks why a task cannot be done. The value is the one of the button that was pressed.
func Cannot(value string) slack.ModalViewRequest {
	reason := slack.NewPlainTextInputBlockElement(plain("The requester reads it"), ActionReason).WithMultiline(true).WithMaxLength(MaxNote)
	return slack.ModalViewRequest{
		Type:            slack.VTModal,
		CallbackID:      CallbackCannot,
		PrivateMetadata: value,
		Title:           plain("It cannot be done"),
		Submit:          plain("Send"),
		Close:           plain("Cancel"),
		Blocks: slack.Blocks{BlockSet: []slack.Block{
			section("Giving fails with your words. What is to be taken back, you are asked for again tomorrow."),
			slack.NewInputBlock(BlockReason, plain("Why"), nil, reason),
		}},
	}
}
