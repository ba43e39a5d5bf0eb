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
	CallbackEnquire = "enquire"
	CallbackAnswer  = "answer"
	ActionEnquire   = "enquire" // see DecisionValue
	ActionAnswer    = "answer"  // the enquiry's ID
	ActionWritten   = "written"
	BlockWritten    = "written"
	BlockAnswer     = "answer"
)

// Enquire asks an approver what they want to know. The value is the one of the button that was pressed.
func Enquire(r *schema.Request, value string) slack.ModalViewRequest {
	who := name(r.Requester.Name)
	if r.SubmittedBy.Valid {
		who = name(r.SubmitterName) + " and " + who + " get"
	} else {
		who += " gets"
	}
	return writing("Ask the requester", "Ask", CallbackEnquire, value, "Question", schema.MaxEnquiry,
		section(fmt.Sprintf("%s your question about request #%d, and can answer it. Everybody who decides about the request sees both. The request goes on waiting meanwhile.", who, r.ID)))
}

// AnswerEnquiry asks the requester for the answer to an enquiry.
func AnswerEnquiry(r *schema.Request, e schema.Enquiry) slack.ModalViewRequest {
	return writing("Answer", "Answer", CallbackAnswer, strconv.FormatInt(e.ID, 10), "Answer", schema.MaxEnquiryAnswer,
		section(fmt.Sprintf("%s asks about request #%d:", name(e.AskedByName), r.ID)), asWritten(e.Text, schema.MaxEnquiry),
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

// asWritten is what somebody wrote, as they wrote it, cut to so many characters.
func asWritten(text string, atMost int) slack.Block {
	text = Cut(CleanLines(text), atMost)
	if text == "" {
		return slack.NewSectionBlock(plain("(nothing that can be shown)"), nil, nil)
	}
	return slack.NewSectionBlock(plain("“"+text+"”"), nil, nil)
}

// Enquiry asks the requester, and who asked for them, what an approver wants to know. Once that is answered it says so, and once nothing of the
// request waits any more there is nothing left to answer.
func Enquiry(r *schema.Request, readerID int64, e schema.Enquiry) Message {
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

// EnquiryAnswer tells an approver what the requester answered to them.
func EnquiryAnswer(r *schema.Request, e schema.Enquiry) Message {
	var b body
	text := fmt.Sprintf("%s answered your question about request #%d", name(e.AnsweredByName), r.ID)
	b.line(bold(text) + ":")
	b.quote(e.Answer)
	b.small("You asked: “" + remark(e.Text) + "”")
	return b.message(text + ": " + remark(e.Answer))
}

// How much of what was asked and answered stands in a copy of a question, beside everything else that it says: of the
// newest as much as there is room for, of the others the beginning.
const (
	enquiryRoom   = 1200
	enquiryShare  = 150
	enquiriesShow = 3
)

// enquiries says to a reader what approvers asked so far, and what was answered.
func (b *body) enquiries(r *schema.Request, readerID int64, zone string) {
	type said struct{ asked, question, answered, answer string }
	var shown []said // the newest first
	room, share := enquiryRoom, enquiryRoom/2
	for n := len(r.Enquiries) - 1; n >= 0 && room > 0 && len(shown) < enquiriesShow; n-- {
		e := r.Enquiries[n]
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
		s.question = Cut(CleanLines(e.Text), min(share, max(room/3, enquiryShare)))
		room -= length(s.question)
		s.answer = Cut(CleanLines(e.Answer), min(share, max(room, enquiryShare)))
		room -= length(s.answer)
		share = enquiryShare
		shown = append(shown, s)
	}
	b.gap()
	if n := len(r.Enquiries) - len(shown); n > 0 {
		b.line(fmt.Sprintf("💬 %d earlier questions to the requester are not shown here.", n))
	}
	for _, s := range slices.Backward(shown) {
		b.line(s.asked)
		b.quote(s.question)
		b.line(s.answered)
		b.quote(s.answer)
		b.gap()
	}
}

// openEnquiries tells the requester who waits for an answer of theirs.
func openEnquiries(r *schema.Request) []string {
	if !r.Waits() {
		return nil
	}
	var lines []string
	left := 0
	for _, e := range r.Enquiries {
		switch {
		case e.AnsweredAt.Valid:
		case len(lines) == 2:
			left++
		default:
			lines = append(lines, fmt.Sprintf("💬 %s asks: “%s” – answer it in the message of its own.", name(e.AskedByName), Escape(Cut(Clean(e.Text), 100))))
		}
	}
	if left > 0 {
		lines = append(lines, fmt.Sprintf("💬 and %d more questions wait for your answer", left))
	}
	return lines
}
