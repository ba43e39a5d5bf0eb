package activities

import (
	"strconv"

	"accessbot/schema"
	"accessbot/slackapp/views"
)

// approvals are the messages about what approvers ask: to those who asked for it what is asked, until it is answered
// or nothing waits any more, and to the one who asked what was answered.
func questions(r *schema.Request, add func(person int64, kind, about string, items []int64), was func(person int64, kind, about string) schema.Message) {
	for _, e := range r.Questions {
		about := strconv.FormatInt(e.ID, 10)
		open := !e.AnsweredAt.Valid && r.Waits()
		for _, person := range askers(r) {
			if open || was(person, question, about).TS != "" { // what is over before it was sent bothers no one
				add(person, question, about, nil)
			}
		}
		if e.AnsweredAt.Valid {
			add(e.AskedBy, questionAnswer, about, nil)
		}
	}
}

// renderQuestion draws a message that is about a question; false: it is about something else.
func renderQuestion(r *schema.Request, k key) (message views.Message, ok bool) {
	if k.kind != question && k.kind != questionAnswer {
		return message, false
	}
	id, err := strconv.ParseInt(k.about, 10, 64)
	e, found := r.QuestionByID(id)
	switch {
	case err != nil || !found:
		return views.Plain("This approval is not known any more."), true
	case k.kind == question:
		return views.Question(r, k.person, e), true
	}
	return views.QuestionAnswer(r, e), true
}
