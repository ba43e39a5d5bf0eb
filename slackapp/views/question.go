package views

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/slack-go/slack"

	"accessbot/schema"
)

// Callbacks, actions and fields of questions and answers.
const (
	CallbackAskQuestion = "ask_question"
	CallbackAnswer      = "answer"
	ActionAskQuestion   = "ask_question" // see DecisionValue
	ActionAnswer        = "answer"       // the question's ID
	ActionWritten       = "written"
	BlockWritten        = "written"
	BlockAnswer         = "answer"
)

// AskQuestion asks an approver for their question to the requester. The value is that of the button.
func AskQuestion(r *schema.Request, value string) slack.ModalViewRequest {
	who := name(r.Requester.Name)
	if r.SubmittedBy.Valid {
		who = name(r.SubmitterName) + " and " + who
	}
	return writing(
		"Ask a question",
		"Send",
		CallbackAskQuestion,
		value,
		"Question",
		schema.MaxQuestion,
		section(
			fmt.Sprintf(
				"We'll send your question about request #%d to %s. All approvers will see the question and the answer. The request stays open in the meantime.",
				r.ID,
				who,
			),
		),
	)
}

// AnswerQuestion asks the requester for the answer to a question.
func AnswerQuestion(r *schema.Request, e schema.Question) slack.ModalViewRequest {
	return writing("Answer", "Send", CallbackAnswer, strconv.FormatInt(e.ID, 10), "Answer", schema.MaxAnswer,
		section(fmt.Sprintf("%s asks about request #%d:", name(e.AskedByName), r.ID)), asWritten(e.Text, schema.MaxQuestion),
		small("All approvers of the request will see your answer."))
}

// writing returns a modal with one text field.
func writing(title, submit, callback, metadata, label string, atMost int, before ...slack.Block) slack.ModalViewRequest {
	text := slack.NewPlainTextInputBlockElement(nil, ActionWritten).WithMultiline(true).WithMaxLength(atMost)
	return slack.ModalViewRequest{
		Type:            slack.VTModal,
		CallbackID:      callback,
		PrivateMetadata: metadata,
		Title:           plain(title),
		Submit:          plain(submit),
		Close:           plain("Cancel"),
		Blocks:          slack.Blocks{BlockSet: append(before, slack.NewInputBlock(BlockWritten, plain(label), nil, text))},
	}
}

// asWritten returns what someone wrote, as they wrote it, cut to so many characters.
func asWritten(text string, atMost int) slack.Block {
	text = Cut(CleanLines(text), atMost)
	if text == "" {
		return slack.NewSectionBlock(plain("(This text can't be shown.)"), nil, nil)
	}
	return slack.NewSectionBlock(plain("“"+text+"”"), nil, nil)
}

// Question asks the requester and submitter an approver's question. It says so once the question is answered, or once the request
// no longer waits.
func Question(r *schema.Request, readerID int64, e schema.Question) Message {
	var b body
	request := yours(r, readerID)
	if strings.HasPrefix(request, "Your") {
		request = lower(request)
	}
	text := fmt.Sprintf("%s asks about %s", name(e.AskedByName), request)
	items := tell(r, r.Items, r.TimeZone, 0)
	b.line(bold(text) + fmt.Sprintf(" (%s %s):", grants(len(items)), inApplications(items)))
	b.quote(e.Text)
	switch {
	case e.AnsweredAt.Valid:
		who := "You"
		if e.AnsweredBy.Int64 != readerID {
			who = name(e.AnsweredByName)
		}
		b.line(bold(who+" answered") + ", " + When(e.AnsweredAt.Time, r.TimeZone) + ":")
		b.quote(e.Answer)
	case r.Waits():
		b.small("All approvers of the request will see your answer. The request stays open in the meantime.")
		b.buttons(BlockAnswer, button(ActionAnswer, strconv.FormatInt(e.ID, 10), "Answer…", slack.StylePrimary))
	default:
		b.small("This request is no longer waiting, so no answer is needed.")
	}
	return b.message(text + ": " + remark(e.Text))
}

// QuestionAnswer tells an approver the answer to their question.
func QuestionAnswer(r *schema.Request, e schema.Question) Message {
	var b body
	text := fmt.Sprintf("%s answered your question about request #%d", name(e.AnsweredByName), r.ID)
	b.line(bold(text) + ":")
	b.quote(e.Answer)
	b.small("You asked: “" + remark(e.Text) + "”")
	return b.message(text + ": " + remark(e.Answer))
}

// How much of the questions and answers an approval message shows: the newest as far as there is room, of the others the
// beginning.
const (
	questionRoom   = 1200
	questionShare  = 150
	questionsShown = 3
)

// questions shows a reader the questions and answers so far.
func (b *body) questions(r *schema.Request, readerID int64, zone string) {
	type said struct{ asked, question, answered, answer string }
	var shown []said // the newest first
	room, share := questionRoom, questionRoom/2
	for n := len(r.Questions) - 1; n >= 0 && room > 0 && len(shown) < questionsShown; n-- {
		e := r.Questions[n]
		who := name(e.AskedByName)
		if e.AskedBy == readerID {
			who = "You"
		}
		s := said{asked: fmt.Sprintf("💬 %s asked, %s:", who, When(e.AskedAt, zone)), answered: "Not answered."}
		switch {
		case e.AnsweredAt.Valid:
			s.answered = fmt.Sprintf("%s answered, %s:", name(e.AnsweredByName), When(e.AnsweredAt.Time, zone))
		case r.Waits():
			s.answered = "Not answered yet."
		}
		room -= length(s.asked) + length(s.answered)
		s.question = Cut(CleanLines(e.Text), min(share, max(room/3, questionShare)))
		room -= length(s.question)
		s.answer = Cut(CleanLines(e.Answer), min(share, max(room, questionShare)))
		room -= length(s.answer)
		share = questionShare
		shown = append(shown, s)
	}
	b.gap()
	if n := len(r.Questions) - len(shown); n > 0 {
		b.line(fmt.Sprintf("💬 %d earlier questions aren't shown here.", n))
	}
	for _, s := range slices.Backward(shown) {
		b.line(s.asked)
		b.quote(s.question)
		b.line(s.answered)
		b.quote(s.answer)
		b.gap()
	}
}

// openQuestions lists the questions that wait for the requester's answer.
func openQuestions(r *schema.Request) []string {
	if !r.Waits() {
		return nil
	}
	var lines []string
	left := 0
	for _, e := range r.Questions {
		switch {
		case e.AnsweredAt.Valid:
		case len(lines) == 2:
			left++
		default:
			lines = append(
				lines,
				fmt.Sprintf("💬 %s asks: “%s” Answer in the separate message.", name(e.AskedByName), Escape(Cut(Clean(e.Text), 100))),
			)
		}
	}
	if left > 0 {
		lines = append(lines, fmt.Sprintf("💬 and %d more questions are waiting for your answer", left))
	}
	return lines
}
