package views

import (
	"accessbot/schema"
	"accessbot/schema/words"
)

// readerOf is the kind of reader that a person is for a request; 0: an owner.
func readerOf(r *schema.Request, personID int64) words.Reader {
	if personID == r.RequesterID {
		return words.ToRequester
	}
	return words.ToOwner
}

// problemOf is an item's problem for the reader of a message about its request; empty: none.
func problemOf(r *schema.Request, i schema.Item, to words.Reader) string {
	return problemWords(i.Problem, i.ApplicationName, r.Requester.Name, to)
}

// problemWords are the words of a problem in an application, in plain text.
func problemWords(p schema.Problem, app, requester string, to words.Reader) string {
	return words.Problem(p, Cut(Clean(app), 80), requester, to)
}
