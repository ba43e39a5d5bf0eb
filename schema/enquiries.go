package schema

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jmoiron/sqlx"
)

// How long an enquiry and its answer may be, in characters.
const (
	MaxEnquiry       = 1000
	MaxEnquiryAnswer = 2000
)

// OpenEnquiries is how many enquiries about one request may wait for an answer: see the trigger enquiries_check.
const OpenEnquiries = 5

// Enquiry is what an approver asks the requester, and who asked for them, before they decide, and the answer.
type Enquiry struct {
	ID             int64         `db:"id"`
	RequestID      int64         `db:"request_id"`
	AskedBy        int64         `db:"asked_by"`
	AskedByName    string        `db:"asked_by_name"`
	Text           string        `db:"text"`
	AskedAt        time.Time     `db:"asked_at"`
	Answer         string        `db:"answer"`
	AnsweredBy     sql.NullInt64 `db:"answered_by"`
	AnsweredByName string        `db:"answered_by_name"`
	AnsweredAt     sql.NullTime  `db:"answered_at"` // null: not answered yet
}

// Waits tells whether anything of the request could still be decided.
func (r *Request) Waits() bool {
	for _, i := range r.Items {
		if i.Waiting() {
			return true
		}
	}
	return false
}

// EnquiryByID answers an enquiry about this request; false: it has none of that ID.
func (r *Request) EnquiryByID(id int64) (Enquiry, bool) {
	for _, e := range r.Enquiries {
		if e.ID == id {
			return e, true
		}
	}
	return Enquiry{}, false
}

func enquiries(ctx context.Context, q Queryer, requestID int64) ([]Enquiry, error) {
	var enquiries []Enquiry
	err := q.SelectContext(ctx, &enquiries, `
		select e.id, e.request_id, e.asked_by, p.name as asked_by_name, e.text, e.asked_at, coalesce(w.text, '') as answer, w.answered_by, coalesce(n.name, '') as answered_by_name, w.answered_at
		  from enquiries e
		  join people p on p.id = e.asked_by
		  left join enquiry_answers w on w.enquiry_id = e.id
		  left join people n on n.id = w.answered_by
		 where e.request_id = $1
		 order by e.id`, requestID)
	return enquiries, err
}

// Enquire records what the reader of a copy of a question asks the requester, and answers the request. ErrNotFound: the
// copy is not theirs; ErrNotOpen, ErrEndPassed: nothing waits any more; ErrNotAllowed: nothing of it is theirs to decide
// (any more); ErrTooMany: OpenEnquiries wait for an answer already; ErrNotActive, ErrOwnRequest. What they asked in the same words
// and is not answered yet is not asked twice: a form whose answer was late is submitted again.
func (db *DB) Enquire(ctx context.Context, messageID, personID int64, text string) (request *Request, err error) {
	err = db.InTx(ctx, func(tx *sqlx.Tx) error {
		message, err := messageOfQuestion(ctx, tx, messageID, personID)
		if err != nil {
			return err
		}
		if err := LockRequest(ctx, tx, message.RequestID); err != nil {
			return err
		}
		if request, err = RequestByID(ctx, tx, message.RequestID); err != nil {
			return err
		}
		switch {
		case !request.Waits():
			return fmt.Errorf("request %d does not wait: %w", request.ID, ErrNotOpen)
		case len(request.DecidableBy(personID)) == 0:
			return fmt.Errorf("request %d is not for person %d to decide: %w", request.ID, personID, ErrNotAllowed)
		}
		if slices.ContainsFunc(request.Enquiries, func(e Enquiry) bool {
			return e.AskedBy == personID && e.Text == text && !e.AnsweredAt.Valid
		}) {
			return nil
		}
		var id int64
		err = tx.GetContext(ctx, &id, `insert into enquiries (request_id, asked_by, text) values ($1, $2, $3) returning id`, request.ID, personID, text)
		if err != nil {
			return fmt.Errorf("person %d asks about request %d: %w", personID, request.ID, refusal(err))
		}
		return Audit(ctx, tx, Event{Actor: "person", PersonID: personID, Action: "asked the requester", RequestID: request.ID, Details: map[string]any{"enquiry": id}})
	})
	return request, db.auditRefusedEnquiry(ctx, personID, "asking the requester refused", messageID, err)
}

// EnquiryFor answers the request of an enquiry, and that, for the one who may answer it: ErrNotFound for anybody else.
func EnquiryFor(ctx context.Context, q Queryer, enquiryID, personID int64) (*Request, Enquiry, error) {
	var requestID int64
	err := q.GetContext(ctx, &requestID, `
		select e.request_id from enquiries e join access_requests r on r.id = e.request_id where e.id = $1 and $2 in (r.requester_id, r.submitted_by)`, enquiryID, personID)
	if err != nil {
		return nil, Enquiry{}, fmt.Errorf("enquiry %d to person %d: %w", enquiryID, personID, refusal(err))
	}
	request, err := RequestByID(ctx, q, requestID)
	if err != nil {
		return nil, Enquiry{}, err
	}
	enquiry, _ := request.EnquiryByID(enquiryID)
	return request, enquiry, nil
}

// AnswerEnquiry records an answer, and answers the number of the request. ErrNotFound, ErrNotAllowed: it is not theirs to
// answer; ErrDecided: it is answered; ErrNotOpen: nothing of the request waits any more; ErrNotActive.
func (db *DB) AnswerEnquiry(ctx context.Context, enquiryID, personID int64, text string) (requestID int64, err error) {
	err = db.InTx(ctx, func(tx *sqlx.Tx) error {
		if err := tx.GetContext(ctx, &requestID, `select request_id from enquiries where id = $1`, enquiryID); err != nil {
			return fmt.Errorf("enquiry %d: %w", enquiryID, refusal(err))
		}
		if err := LockRequest(ctx, tx, requestID); err != nil {
			return err
		}
		request, err := RequestByID(ctx, tx, requestID)
		if err != nil {
			return err
		}
		if e, ok := request.EnquiryByID(enquiryID); ok && request.AskedFor(personID) && !e.AnsweredAt.Valid && !request.Waits() {
			return fmt.Errorf("request %d does not wait: %w", requestID, ErrNotOpen)
		}
		_, err = tx.ExecContext(ctx, `insert into enquiry_answers (enquiry_id, answered_by, text) values ($1, $2, $3)`, enquiryID, personID, text)
		if err != nil {
			return fmt.Errorf("person %d answers enquiry %d: %w", personID, enquiryID, refusal(err))
		}
		return Audit(ctx, tx, Event{Actor: "person", PersonID: personID, Action: "answered an approver", RequestID: requestID, Details: map[string]any{"enquiry": enquiryID}})
	})
	return requestID, db.auditRefusedEnquiry(ctx, personID, "answering an approver refused", enquiryID, err)
}

// auditRefusedEnquiry keeps that somebody tried what is not theirs, and answers the error that says so.
func (db *DB) auditRefusedEnquiry(ctx context.Context, personID int64, action string, about int64, err error) error {
	if !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrNotAllowed) && !errors.Is(err, ErrOwnRequest) {
		return err
	}
	return errors.Join(err, Audit(ctx, db, Event{Actor: "slackapp", PersonID: personID, Action: action, Alert: true,
		Details: map[string]any{"of": about, "why": err.Error()}}))
}
