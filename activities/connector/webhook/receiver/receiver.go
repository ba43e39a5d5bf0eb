// Package receiver is an example of a receiver for accessbot's webhook connector, to copy for a system without a connector of
// its own. Handler verifies signatures and implements the protocol; a Store is the system itself. docs/connectors/webhook.md
// describes the protocol.
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

// State is the state of an assignment.
type State string

// The states.
const (
	Held           State = "held"
	NotHeld        State = "not_held"
	Pending        State = "pending"         // requested, not held yet
	PendingRemoval State = "pending_removal" // still held, being revoked
)

// Status is the state of an assignment, with its details.
type Status struct {
	State State `json:"state"`
	// WaitsFor completes "waits for ...", as shown to people, while the state is pending.
	WaitsFor string `json:"waits_for,omitempty"`
	// CheckAfter is the number of seconds after which to ask again.
	CheckAfter int `json:"look_again_seconds,omitempty"`
	// Revision changes with each change of the assignment and is never reused. The IDs of changes are derived from it.
	Revision string `json:"revision,omitempty"`
}

// Assignment is an object and an account that can hold it.
type Assignment struct {
	Account string `json:"account"`
	Object  string `json:"object"`
}

// Store is the target system. Names are compared byte for byte. It is safe for concurrent use.
type Store interface {
	// Read returns the status of an assignment. If the object or the account does not exist, it returns Missing, the object first.
	Read(ctx context.Context, a Assignment) (Status, error)
	// Change grants (held) or revokes an assignment and returns its new status. It ignores a change whose ID it has seen before.
	// It succeeds if nothing has to change. It returns Missing as Read does, and Refused for a change that is not allowed.
	Change(ctx context.Context, id string, a Assignment, held bool) (Status, error)
	// CreateAccount creates an account that holds nothing. It succeeds if the account exists. It returns ErrNotSupported if
	// accounts cannot be created.
	CreateAccount(ctx context.Context, account string) error
	// List returns a page of the held assignments: the first one for an empty cursor, otherwise the page after it. An empty next
	// means that there are no more. It returns ErrNotSupported if it cannot list.
	List(ctx context.Context, cursor string) (page []Assignment, next string, err error)
	// Check describes the system in one line.
	Check(ctx context.Context) (string, error)
}

// Missing is "account" or "object": that part of the assignment does not exist. Return it only if that is certain: access that
// is to be revoked then counts as gone.
type Missing string

func (m Missing) Error() string { return "there is no such " + string(m) }

// Refused is the reason why a change is not allowed, as shown to people. It is not retried.
type Refused string

func (r Refused) Error() string { return string(r) }

// ErrNotSupported is returned by a store that does not support an action.
var ErrNotSupported = errors.New("not supported")

// maxBody limits a request, in bytes. The connector's requests are smaller.
const maxBody = 64 << 10

// request is a request from the connector.
type request struct {
	Version int    `json:"version"`
	Action  string `json:"action"`
	Account string `json:"account"`
	Object  string `json:"object"`
	ID      string `json:"id"`
	Cursor  string `json:"cursor"`
}

// Handler handles the connector's requests with store. Requests must be signed with one of the secrets. There are two while a
// secret is being changed.
func Handler(store Store, secrets ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		switch {
		case err != nil:
			respond(w, http.StatusBadRequest, problem("the request cannot be read"))
			return
		case r.Method != http.MethodPost:
			respond(w, http.StatusMethodNotAllowed, problem("only POST is allowed"))
			return
		}
		if err := Verify(r, body, time.Now(), secrets...); err != nil {
			respond(w, http.StatusUnauthorized, problem(err.Error()))
			return
		}
		var asked request
		if err := json.Unmarshal(body, &asked); err != nil || asked.Version != 1 {
			respond(w, http.StatusBadRequest, problem("the request is not version 1 of the protocol"))
			return
		}
		status, reply, err := serve(r.Context(), store, asked)
		if err != nil {
			status, reply = replyTo(err)
		}
		if status == http.StatusInternalServerError {
			slog.ErrorContext(r.Context(), "webhook failed", "action", asked.Action, "error", err)
		}
		respond(w, status, reply)
	})
}

func serve(ctx context.Context, store Store, asked request) (code int, reply any, err error) {
	a := Assignment{Account: asked.Account, Object: asked.Object}
	switch asked.Action {
	case "read":
		status, err := store.Read(ctx, a)
		return http.StatusOK, status, err
	case "grant", "revoke":
		status, err := store.Change(ctx, asked.ID, a, asked.Action == "grant")
		if status.State == Pending || status.State == PendingRemoval {
			return http.StatusAccepted, status, err
		}
		return http.StatusOK, status, err
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

// replyTo returns the response for a store's error. Details of unexpected errors are logged and not sent.
func replyTo(err error) (status int, reply any) {
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
		return http.StatusInternalServerError, problem("internal error: see the receiver's log")
	}
}

func problem(text string) map[string]string { return map[string]string{"error": text} }

func respond(w http.ResponseWriter, status int, reply any) {
	var body bytes.Buffer
	if err := json.NewEncoder(&body).Encode(reply); err != nil {
		status = http.StatusInternalServerError // cannot happen with these types
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(body.Len()))
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes()) // the client may be gone
}
