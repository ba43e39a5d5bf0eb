package views

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/slack-go/slack"

	"accessbot/schema"
)

// Callbacks, actions and fields of asking the requester, and of answering.
const (
	CallbackAskQuestion = "enquire"
	CallbackAnswer      = "answer"
	ActionAskQuestion   = "enquire" // see DecisionValue
	ActionAnswer        = "answer"  // the question's ID
	ActionWritten       = "written"
	BlockWritten        = "written"
	BlockAnswer         = "answer"
)

// Enquire asks an approver what they want to know. The value is the one of the button that was pressed.
func AskQuestion(r *schema.Request, value string) slack.ModalViewRequest {
	who := name(r.Requester.Name)
	if r.SubmittedBy.Valid {
		who = name(r.SubmitterName) + " and " + who + " get"
	} else {
		who += " gets"
	}
	return writing("Ask the requester", "Ask", CallbackAskQuestion, value, "Approval", schema.MaxQuestion,
		section(fmt.Sprintf("%s your approval about request #%d, and can answer it. Everybody who decides about the request sees both. The request goes on waiting meanwhile.", who, r.ID)))
}

// AnswerQuestion asks the requester for the answer to a question.
func AnswerQuestion(r *schema.Request, e schema.Question) slack.ModalViewRequest {
	return writing("Answer", "Answer", CallbackAnswer, strconv.FormatInt(e.ID, 10), "Answer", schema.MaxAnswer,
		section(fmt.Sprintf("%s asks about request #%d:", name(e.AskedByName), r.ID)), asWritten(e.Text, schema.MaxQuestion),
		small("Everybody who decides about the request reads your answer."))
}

// writing is a modal in which something is written.
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

// asWritten is what someone wrote, as they wrote it, cut to so many characters.
func asWritten(text string, atMost int) slack.Block {
	text = Cut(CleanLines(text), atMost)
	if text == "" {
		return slack.NewSectionBlock(plain("(nothing that can be shown)"), nil, nil)
	}
	return slack.NewSectionBlock(plain("“"+text+"”"), nil, nil)
}

// Question asks the requester, and who asked for them, what an approver wants to know. Once that is answered it says so, and once nothing of the
// request waits any more there is nothing left to answer.
func Question(r *schema.Request, readerID int64, e schema.Question) Message {
	var b body
	asked := yours(r, readerID)
	if strings.HasPrefix(asked, "Your") {
		asked = "your" + strings.TrimPrefix(asked, "Your")
	}
	text := fmt.Sprintf("%s asks about %s", name(e.AskedByName), asked)
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
		b.small("Everybody who decides about the request reads your answer. The request goes on waiting meanwhile.")
		b.buttons(BlockAnswer, button(ActionAnswer, strconv.FormatInt(e.ID, 10), "Answer", slack.StylePrimary))
	default:
		b.small("Nothing of this request waits any more, so there is nothing left to answer.")
	}
	return b.message(text + ": " + remark(e.Text))
}

// QuestionAnswer tells an approver what the requester answered to them.
func QuestionAnswer(r *schema.Request, e schema.Question) Message {
	var b body
	text := fmt.Sprintf("%s answered your approval about request #%d", name(e.AnsweredByName), r.ID)
	b.line(bold(text) + ":")
	b.quote(e.Answer)
	b.small("You asked: “" + remark(e.Text) + "”")
	return b.message(text + ": " + remark(e.Answer))
}

// How much of what was asked and answered is a delegate a copy of an approval, beside everything else that it says: of the
// newest as much as there is room for, of the others the beginning.
const (
	questionRoom   = 1200
	questionShare  = 150
	questionsShown = 3
)

// approvals says to a reader what approvers asked so far, and what was answered.
func (b *body) questions(r *schema.Request, readerID int64, zone string) {
	type said struct{ asked, approvalMessage, answered, answer string }
	var shown []said // the newest first
	room, share := questionRoom, questionRoom/2
	for n := len(r.Questions) - 1; n >= 0 && room > 0 && len(shown) < questionsShown; n-- {
		e := r.Questions[n]
		who := name(e.AskedByName)
		if e.AskedBy == readerID {
			who = "You"
		}
		s := said{asked: fmt.Sprintf("💬 %s asked, %s:", who, When(e.AskedAt, zone)), answered: "This was not answered."}
		switch {
		case e.AnsweredAt.Valid:
			s.answered = fmt.Sprintf("%s answered, %s:", name(e.AnsweredByName), When(e.AnsweredAt.Time, zone))
		case r.Waits():
			s.answered = "This is not answered yet."
		}
		room -= length(s.asked) + length(s.answered)
		s.approvalMessage = Cut(CleanLines(e.Text), min(share, max(room/3, questionShare)))
		room -= length(s.approvalMessage)
		s.answer = Cut(CleanLines(e.Answer), min(share, max(room, questionShare)))
		room -= length(s.answer)
		share = questionShare
		shown = append(shown, s)
	}
	b.gap()
	if n := len(r.Questions) - len(shown); n > 0 {
		b.line(fmt.Sprintf("💬 %d earlier approvals to the requester are not shown here.", n))
	}
	for _, s := range slices.Backward(shown) {
		b.line(s.asked)
		b.quote(s.approvalMessage)
		b.line(s.answered)
		b.quote(s.answer)
		b.gap()
	}
}

// openQuestions tells the requester who waits for an answer of theirs.
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
			lines = append(lines, fmt.Sprintf("💬 %s asks: “%s” – answer it in the message of its own.", name(e.AskedByName), Escape(Cut(Clean(e.Text), 100))))
		}
	}
	if left > 0 {
		lines = append(lines, fmt.Sprintf("💬 and %d more approvals wait for your answer", left))
	}
	return lines
}
