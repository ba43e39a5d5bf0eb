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

// How long a question and its answer may be, in characters.
const (
	MaxQuestion = 1000
	MaxAnswer   = 2000
)

// MaxOpenQuestions is how many questions about one request may be open: see the trigger questions_check.
const MaxOpenQuestions = 5

// Question is a question of an approver to the requester and submitter, with its answer.
type Question struct {
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

// Waits reports whether any item of the request can still be decided.
func (r *Request) Waits() bool {
	for _, i := range r.Items {
		if i.Waiting() {
			return true
		}
	}
	return false
}

// QuestionByID returns a question about this request; false: there is none.
func (r *Request) QuestionByID(id int64) (Question, bool) {
	for _, e := range r.Questions {
		if e.ID == id {
			return e, true
		}
	}
	return Question{}, false
}

func questions(ctx context.Context, q Queryer, requestID int64) ([]Question, error) {
	var questions []Question
	err := q.SelectContext(ctx, &questions, `
		select e.id, e.request_id, e.asked_by, p.name as asked_by_name, e.text, e.asked_at, coalesce(w.text, '') as answer,
		       w.answered_by, coalesce(n.name, '') as answered_by_name, w.answered_at
		  from questions e
		  join people p on p.id = e.asked_by
		  left join question_answers w on w.question_id = e.id
		  left join people n on n.id = w.answered_by
		 where e.request_id = $1
		 order by e.id`, requestID)
	return questions, err
}

// AskQuestion records an approver's question and returns the request. ErrNotFound: the approval message is not theirs;
// ErrNotOpen, ErrEndPassed: nothing is open; ErrNotAllowed: they are not, or no longer, an approver; ErrTooMany: MaxOpenQuestions are
// open; ErrNotActive, ErrOwnRequest. An open question with the same text is not asked twice, so that a form can be submitted
// again.
func (db *DB) AskQuestion(ctx context.Context, messageID, personID int64, text string) (request *Request, err error) {
	err = db.InTx(ctx, func(tx *sqlx.Tx) error {
		message, err := approvalMessageOf(ctx, tx, messageID, personID)
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
			return fmt.Errorf("request %d is not open: %w", request.ID, ErrNotOpen)
		case len(request.DecidableBy(personID)) == 0:
			return fmt.Errorf("request %d is not for person %d to decide: %w", request.ID, personID, ErrNotAllowed)
		}
		if slices.ContainsFunc(request.Questions, func(e Question) bool {
			return e.AskedBy == personID && e.Text == text && !e.AnsweredAt.Valid
		}) {
			return nil
		}
		var id int64
		err = tx.GetContext(ctx, &id, `
			insert into questions (request_id, asked_by, text) values ($1, $2, $3) returning id`, request.ID, personID, text)
		if err != nil {
			return fmt.Errorf("person %d asks about request %d: %w", personID, request.ID, mapError(err))
		}
		return Audit(ctx, tx, Event{Actor: "person", PersonID: personID, Action: QuestionAsked, RequestID: request.ID,
			Details: map[string]any{"question": id}})
	})
	return request, db.auditRefusedQuestion(ctx, personID, QuestionRefused, messageID, err)
}

// QuestionFor returns a question and its request to those who may answer it; ErrNotFound to anyone else.
func QuestionFor(ctx context.Context, q Queryer, questionID, personID int64) (*Request, Question, error) {
	var requestID int64
	err := q.GetContext(ctx, &requestID, `
		select e.request_id from questions e join access_requests r on r.id = e.request_id
		 where e.id = $1 and $2 in (r.requester_id, r.submitted_by)`, questionID, personID)
	if err != nil {
		return nil, Question{}, fmt.Errorf("question %d to person %d: %w", questionID, personID, mapError(err))
	}
	request, err := RequestByID(ctx, q, requestID)
	if err != nil {
		return nil, Question{}, err
	}
	question, _ := request.QuestionByID(questionID)
	return request, question, nil
}

// AnswerQuestion records an answer, and returns the request's number. ErrNotFound, ErrNotAllowed: it is not theirs to answer;
// ErrDecided: it is already answered; ErrNotOpen: nothing of the request is open; ErrNotActive.
func (db *DB) AnswerQuestion(ctx context.Context, questionID, personID int64, text string) (requestID int64, err error) {
	err = db.InTx(ctx, func(tx *sqlx.Tx) error {
		if err := tx.GetContext(ctx, &requestID, `select request_id from questions where id = $1`, questionID); err != nil {
			return fmt.Errorf("question %d: %w", questionID, mapError(err))
		}
		if err := LockRequest(ctx, tx, requestID); err != nil {
			return err
		}
		request, err := RequestByID(ctx, tx, requestID)
		if err != nil {
			return err
		}
		if e, ok := request.QuestionByID(questionID); ok && request.AskedFor(personID) && !e.AnsweredAt.Valid && !request.Waits() {
			return fmt.Errorf("request %d is not open: %w", requestID, ErrNotOpen)
		}
		_, err = tx.ExecContext(ctx, `
			insert into question_answers (question_id, answered_by, text) values ($1, $2, $3)`, questionID, personID, text)
		if err != nil {
			return fmt.Errorf("person %d answers question %d: %w", personID, questionID, mapError(err))
		}
		return Audit(ctx, tx, Event{Actor: "person", PersonID: personID, Action: QuestionAnswered, RequestID: requestID,
			Details: map[string]any{"question": questionID}})
	})
	return requestID, db.auditRefusedQuestion(ctx, personID, AnswerRefused, questionID, err)
}

// auditRefusedQuestion audits a refused attempt, and returns its error.
func (db *DB) auditRefusedQuestion(ctx context.Context, personID int64, action AuditAction, about int64, err error) error {
	if !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrNotAllowed) && !errors.Is(err, ErrOwnRequest) {
		return err
	}
	return errors.Join(err, Audit(ctx, db, Event{Actor: "slackapp", PersonID: personID, Action: action, Alert: true,
		Details: map[string]any{"of": about, "why": err.Error()}}))
}
