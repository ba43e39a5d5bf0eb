package views

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/slack-go/slack"

	"accessbot/schema"
)

// Action, block and callback IDs of a manual task.
const (
	ActionTaskDone   = "task_done"   // the task's ID
	ActionTaskCannot = "task_cannot" // the task's ID
	BlockTask        = "task"
	CallbackCannot   = "task_cannot"
	ListTasks        = "manual_tasks" // the list of Home
)

// TaskLines is how many of them the Home tab shows.
const TaskLines = 5

// Task asks a reader, whose clock is in zone, to set up or remove access in a system without an interface. Once the task is
// answered or no longer needed, it says so.
func Task(t schema.Task, readerID int64, zone string) Message {
	var b body
	what, todo := taskWhat(t), taskTodo(t)
	done := "Done: " + name(t.PersonName) + " has the access"
	if !t.Held {
		done = "Done: " + name(t.PersonName) + " no longer has the access"
	}
	text := fmt.Sprintf(
		"Manual task: %s for %s, %s %s",
		lower(todo),
		name(t.PersonName),
		name(t.ApplicationName),
		name(t.EntitlementName),
	)
	who := "you"
	if t.AnsweredBy.Int64 != readerID {
		who = name(t.AnsweredName)
	}
	switch t.Outcome {
	case "":
		b.line(bold("Manual task: "+lower(todo)), what)
	case "done":
		b.line(bold(done), what, "✅ Marked as done by "+who+", "+When(t.AnsweredAt.Time, zone))
	case "cannot":
		b.line(bold("This can't be done"), what, "⛔ "+because("Reported by "+who+", "+When(t.AnsweredAt.Time, zone), t.Reason))
	default:
		b.line(bold("No longer needed"), what, "If you already did it, tell us, and we'll ask you to undo it.")
	}
	b.gap()
	b.line(taskFacts(t, zone)...)
	b.small("We can't change this application automatically. Opened " + When(t.OpenedAt, zone))
	switch t.Outcome {
	case "":
		b.buttons(BlockTask, taskButtons(t)...)
	case "dropped":
		b.buttons(BlockTask, button(ActionTaskDone, taskValue(t), "I already did it", slack.StyleDefault))
	}
	return b.message(text)
}

func taskTodo(t schema.Task) string {
	if t.Held {
		return "Set up access"
	}
	return "Remove access"
}

func taskWhat(t schema.Task) string {
	return fmt.Sprintf("%s: %s (%s)", name(t.ApplicationName), bold(name(t.EntitlementName)), name(t.Kind))
}

// taskFacts are what the owner needs to know to do the task.
func taskFacts(t schema.Task, zone string) []string {
	facts := []string{
		fmt.Sprintf("%s %s (%s), account %s", bold("Person:"), name(t.PersonName), name(t.PersonEmail), name(t.Account)),
		bold("Name in the application:") + " " + Escape(Cut(Clean(t.Object), 255)),
	}
	if t.Held {
		until := "permanent"
		if t.EndsAt.Valid {
			until = "until " + When(t.EndsAt.Time, zone) + ". You'll be asked to remove it then"
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
		button(ActionTaskDone, taskValue(t), "Mark as done", slack.StylePrimary),
		button(ActionTaskCannot, taskValue(t), "Can't do it…", slack.StyleDanger),
	}
}

// taskLines are open manual tasks, each with the buttons of its message.
func taskLines(tasks []schema.Task, zone string) []slack.Block {
	var blocks []slack.Block
	for _, t := range tasks {
		facts := append(taskFacts(t, zone), "opened "+When(t.OpenedAt, zone))
		lines := []string{bold(taskTodo(t)+":") + " " + taskWhat(t), facts[0], facts[1], strings.Join(facts[2:], " · ")}
		blocks = append(blocks, section(cutLines(lines, sectionRoom)), slack.NewActionBlock("", taskButtons(t)...))
	}
	return blocks
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

// TaskList is a page of the reader's manual tasks.
func TaskList(tasks []schema.Task, total, page int, zone string) slack.ModalViewRequest {
	return list(ListTasks, "Manual tasks", total, page, taskLines(tasks, zone))
}

// Cannot asks why a task can't be done. The value is that of the button.
func Cannot(value string) slack.ModalViewRequest {
	reason := slack.NewPlainTextInputBlockElement(plain("The requester will see it"), ActionReason).
		WithMultiline(true).
		WithMaxLength(MaxNote)
	return slack.ModalViewRequest{
		Type:            slack.VTModal,
		CallbackID:      CallbackCannot,
		PrivateMetadata: value,
		Title:           plain("Can't do it"),
		Submit:          plain("Send"),
		Close:           plain("Cancel"),
		Blocks: slack.Blocks{BlockSet: []slack.Block{
			section(
				"If you can't set up access, the request fails with your reason. If you can't remove access, we'll ask you again tomorrow.",
			),
			slack.NewInputBlock(BlockReason, plain("Reason"), nil, reason),
		}},
	}
}
