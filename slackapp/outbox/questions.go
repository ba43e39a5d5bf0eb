package outbox

import (
	"strconv"

	"accessbot/schema"
	"accessbot/slackapp/views"
)

// questionMessages returns the messages about approvers' questions: each question goes to the requester and submitter, its
// answer to the approver. A question that was answered, or whose request was decided, before it was sent is not sent.
func questionMessages(r *schema.Request, sent sentMessages) (messages []key) {
	for _, asked := range r.Questions {
		about := strconv.FormatInt(asked.ID, 10)
		open := !asked.AnsweredAt.Valid && r.Waits()
		for _, person := range submitters(r) {
			if open || sent.find(person, question, about).TS != "" {
				messages = append(messages, sent.key(person, question, about, nil))
			}
		}
		if asked.AnsweredAt.Valid {
			messages = append(messages, sent.key(asked.AskedBy, questionAnswer, about, nil))
		}
	}
	return messages
}

// renderQuestion renders a question or an answer; false: the message is something else.
func renderQuestion(r *schema.Request, k key) (message views.Message, ok bool) {
	if k.kind != question && k.kind != questionAnswer {
		return message, false
	}
	id, err := strconv.ParseInt(k.about, 10, 64)
	asked, found := r.QuestionByID(id)
	switch {
	case err != nil || !found:
		return views.Plain("This question no longer exists."), true
	case k.kind == question:
		return views.Question(r, k.person, asked), true
	}
	return views.QuestionAnswer(r, asked), true
}
