// Package receiver answers accessbot's webhook connector: an example to copy
// next to a system that has no connector of its own. Handler checks who asks and
// speaks the protocol; a Store is the system itself. The protocol is described
// in docs/connectors/webhook.md.
package receiver

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"time"
)

// State is how an assignment stands.
type State string

// The states.
const (
	Held           State = "held"
	NotHeld        State = "not_held"
	Pending        State = "pending"         // asked for, not held yet
	PendingRemoval State = "pending_removal" // still held, being revoked
)

// Standing is how an assignment stands, in full.
type Standing struct {
	State State `json:"state"`
	// WaitsFor completes "waits for ..." for people, while the state is pending.
	WaitsFor string `json:"waits_for,omitempty"`
	// LookAgain is in how many seconds it makes sense to ask again.
	LookAgain int `json:"look_again_seconds,omitempty"`
	// Revision is another one after each change of this assignment, and never one
	// that it had before. The IDs of changes are made of it.
	Revision string `json:"revision,omitempty"`
}

// Assignment is an object that an account holds.
type Assignment struct {
	Account string `json:"account"`
	Object  string `json:"object"`
}

// Store is the system that accounts hold objects in. Names are compared byte for
// byte. It is safe for concurrent use.
type Store interface {
	// Read tells how it stands. What does not exist is Missing, the object first.
	Read(ctx context.Context, a Assignment) (Standing, error)
	// Change grants it (held) or revokes it, and returns its new standing. A
	// change with an ID that was seen before does nothing. What is so already is
	// no error; what does not exist is Missing; what must not be is Refused.
	Change(ctx context.Context, id string, a Assignment, held bool) (Standing, error)
	// CreateAccount makes an account that holds nothing; one that is there is no
	// error. ErrNotSupported: accounts come from somewhere else.
	CreateAccount(ctx context.Context, account string) error
	// List tells what is held, a page at a time: from the start for an empty
	// cursor, and then from where next said; an empty next is the end.
	// ErrNotSupported: it cannot tell.
	List(ctx context.Context, cursor string) (page []Assignment, next string, err error)
	// Check says in a line what system this is.
	Check(ctx context.Context) (string, error)
}

// Missing is "account" or "object": that of the assignment does not exist. It is
// a definite answer: access that is to be revoked counts as gone then.
type Missing string

func (m Missing) Error() string { return "there is no such " + string(m) }

// Refused is why a change must not be, in words for people. Asking again does
// not help.
type Refused string

func (r Refused) Error() string { return string(r) }

// ErrNotSupported is the answer of a store that cannot do what is asked for.
var ErrNotSupported = errors.New("not supported")

// maxBody is more than any request of the connector needs.
const maxBody = 64 << 10

// request is what the connector sends.
type request struct {
	Version int    `json:"version"`
	Action  string `json:"action"`
	Account string `json:"account"`
	Object  string `json:"object"`
	ID      string `json:"id"`
	Cursor  string `json:"cursor"`
}

// Handler answers the connector on behalf of store. Requests must be signed with
// one of the secrets: while a secret is being changed there are two.
func Handler(store Store, secrets ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		switch {
		case err != nil:
			answer(w, http.StatusBadRequest, problem("the request cannot be read"))
			return
		case r.Method != http.MethodPost:
			answer(w, http.StatusMethodNotAllowed, problem("this is a webhook: POST to it"))
			return
		}
		if err := Verify(r, body, time.Now(), secrets...); err != nil {
			answer(w, http.StatusUnauthorized, problem(err.Error()))
			return
		}
		var asked request
		if err := json.Unmarshal(body, &asked); err != nil || asked.Version != 1 {
			answer(w, http.StatusBadRequest, problem("this is no request of version 1"))
			return
		}
		status, reply, err := serve(r.Context(), store, asked)
		if err != nil {
			status, reply = answerOf(err)
		}
		if status == http.StatusInternalServerError {
			slog.ErrorContext(r.Context(), "the webhook failed", "action", asked.Action, "error", err)
		}
		answer(w, status, reply)
	})
}

func serve(ctx context.Context, store Store, asked request) (status int, reply any, err error) {
	a := Assignment{Account: asked.Account, Object: asked.Object}
	switch asked.Action {
	case "read":
		standing, err := store.Read(ctx, a)
		return http.StatusOK, standing, err
	case "grant", "revoke":
		standing, err := store.Change(ctx, asked.ID, a, asked.Action == "grant")
		if standing.State == Pending || standing.State == PendingRemoval {
			return http.StatusAccepted, standing, err
		}
		return http.StatusOK, standing, err
	case "create_account":
		return http.StatusOK, struct{}{}, store.CreateAccount(ctx, asked.Account)
	case "list":
		page, next, err := store.List(ctx, asked.Cursor)
		return http.StatusOK, map[string]any{"assignments": page, "next": next}, err
	case "check":
		says, err := store.Check(ctx)
		return http.StatusOK, map[string]string{"says": says}, err
	default:
		return 0, nil, ErrNotSupported
	}
}

// answerOf turns a store's error into an answer. What it means besides those
// words is this side's own business, and nothing for the reply.
func answerOf(err error) (status int, reply any) {
	var missing Missing
	var refused Refused
	switch {
	case errors.As(err, &missing):
		return http.StatusNotFound, map[string]string{"missing": string(missing)}
	case errors.As(err, &refused):
		return http.StatusUnprocessableEntity, map[string]string{"refused": string(refused)}
	case errors.Is(err, ErrNotSupported):
		return http.StatusNotImplemented, problem("not supported")
	default:
		return http.StatusInternalServerError, problem("it failed: see the receiver's log")
	}
}

func problem(text string) map[string]string { return map[string]string{"error": text} }

func answer(w http.ResponseWriter, status int, reply any) {
	var body bytes.Buffer
	if err := json.NewEncoder(&body).Encode(reply); err != nil {
		status = http.StatusInternalServerError // of our own types: it does not happen
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(body.Len()))
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes()) // who hung up asks again
}
