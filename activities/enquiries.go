package activities

import (
	"strconv"

	"accessbot/schema"
	"accessbot/slackapp/views"
)

// enquiries are the messages about what approvers ask: to those who asked for it what is asked, until it is answered
// or nothing waits any more, and to the one who asked what was answered.
func enquiries(r *schema.Request, add func(person int64, kind, about string, items []int64), was func(person int64, kind, about string) schema.Message) {
	for _, e := range r.Enquiries {
		about := strconv.FormatInt(e.ID, 10)
		open := !e.AnsweredAt.Valid && r.Waits()
		for _, person := range askers(r) {
			if open || was(person, enquiry, about).TS != "" { // what is over before it was sent bothers nobody
				add(person, enquiry, about, nil)
			}
		}
		if e.AnsweredAt.Valid {
			add(e.AskedBy, enquiryAnswer, about, nil)
		}
	}
}

// renderEnquiry draws a message that is about an enquiry; false: it is about something else.
func renderEnquiry(r *schema.Request, k key) (message views.Message, ok bool) {
	if k.kind != enquiry && k.kind != enquiryAnswer {
		return message, false
	}
	id, err := strconv.ParseInt(k.about, 10, 64)
	e, found := r.EnquiryByID(id)
	switch {
	case err != nil || !found:
		return views.Plain("This question is not known any more."), true
	case k.kind == enquiry:
		return views.Enquiry(r, k.person, e), true
	}
	return views.EnquiryAnswer(r, e), true
}
