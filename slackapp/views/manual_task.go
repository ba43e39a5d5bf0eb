package views

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/slack-go/slack"

	"accessbot/schema"
)

// Action, block and callback IDs of a task.
const (
	ActionTaskDone   = "task_done"   // the task's ID
	ActionTaskCannot = "task_cannot" // the task's ID
	BlockTask        = "task"
	CallbackCannot   = "task_cannot"
	ListTasks        = "manual_tasks" // the list of Home
)

// TaskLines is how many of them the Home tab shows.
const TaskLines = 5

// Task asks a reader, whose clock is in zone, to do something by hand in a system that has no interface. Once it is answered,
// or not needed any more, it says so.
func Task(t schema.Task, readerID int64, zone string) Message {
	var b body
	what, verb := taskWhat(t), taskVerb(t)
	done := "Done: " + name(t.PersonName) + " has it"
	if !t.Held {
		done = "Done: " + name(t.PersonName) + " does not have it any more"
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
	b.line(taskFacts(t, zone)...)
	b.small("This system has no interface that this app could use. Asked " + When(t.OpenedAt, zone))
	switch t.Outcome {
	case "":
		b.buttons(BlockTask, taskButtons(t)...)
	case "dropped":
		b.buttons(BlockTask, button(ActionTaskDone, taskValue(t), "I have done it already", slack.StyleDefault))
	}
	return b.message(text)
}

func taskVerb(t schema.Task) string {
	if t.Held {
		return "Please grant"
	}
	return "Please revoke"
}

func taskWhat(t schema.Task) string {
	return fmt.Sprintf("%s: %s (%s)", name(t.ApplicationName), bold(name(t.EntitlementName)), name(t.Kind))
}

// taskFacts are what whoever does it has to know.
func taskFacts(t schema.Task, zone string) []string {
	facts := []string{
		fmt.Sprintf("%s %s (%s), account %s", bold("Who:"), name(t.PersonName), name(t.PersonEmail), name(t.Account)),
		bold("Its name there:") + " " + Escape(Cut(Clean(t.Object), 255)),
	}
	if t.Held {
		until := "permanent"
		if t.EndsAt.Valid {
			until = "until " + When(t.EndsAt.Time, zone) + ". You will be asked to revoke it  then"
		}
		facts = append(facts, bold("Duration:")+" "+until)
		if t.ApprovedBy.Valid {
			facts = append(facts, bold("Approved by:")+" "+name(t.ApprovedBy.String))
		}
	}
	if t.RequestID.Valid {
		facts = append(facts, fmt.Sprintf("%s #%d", bold("Request:"), t.RequestID.Int64))
	}
	return facts
}

func taskValue(t schema.Task) string { return strconv.FormatInt(t.ID, 10) }

func taskButtons(t schema.Task) []slack.BlockElement {
	return []slack.BlockElement{
		button(ActionTaskDone, taskValue(t), "Done", slack.StylePrimary),
		button(ActionTaskCannot, taskValue(t), "Cannot", slack.StyleDanger),
	}
}

// taskLines are open manual_tasks, each with the buttons of its message.
func taskLines(tasks []schema.Task, zone string) []slack.Block {
	var blocks []slack.Block
	for _, t := range tasks {
		facts := append(taskFacts(t, zone), "asked "+When(t.OpenedAt, zone))
		lines := []string{bold(taskVerb(t)+":") + " " + taskWhat(t), facts[0], facts[1], strings.Join(facts[2:], " · ")}
		blocks = append(blocks, section(cutLines(lines, sectionRoom)), slack.NewActionBlock("", taskButtons(t)...))
	}
	return blocks
}

// TaskList is a page of what the reader is to do by hand.
func TaskList(tasks []schema.Task, total, page int, zone string) slack.ModalViewRequest {
	return list(ListTasks, "To do by hand", total, page, taskLines(tasks, zone))
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
			section("Granting fails with your words. What is to be revoked, you are asked for again tomorrow."),
			slack.NewInputBlock(BlockReason, plain("Why"), nil, reason),
		}},
	}
}
