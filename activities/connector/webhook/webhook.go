// Package webhook is the connector for systems without a connector of their own. It sends signed JSON over HTTP to a receiver
// next to the target system. docs/connectors/webhook.md describes the protocol. Package receiver is an example of a receiver
// and does not import this package.
package webhook

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"time"

	"accessbot/activities/connector"
	"accessbot/activities/connector/httptarget"
)

// MaxNameBytes is the longest name of an account or object.
const MaxNameBytes = 255

// Connector implements connector.Connector, connector.AccountCreator and connector.Checker. If the settings say that the
// receiver can list, Open returns a connector.Lister too.
type Connector struct {
	receiver *endpoint
	host     string        // shown in reports
	bound    time.Duration // of every call
}

// call runs f for at most c.bound and classifies its error.
func (c *Connector) call(ctx context.Context, f func(ctx context.Context) error) error {
	bounded, cancel := context.WithTimeout(ctx, c.bound)
	defer cancel()
	return httptarget.Classify(ctx, "the receiver", f(bounded))
}

// Close releases idle connections.
func (c *Connector) Close() error {
	c.receiver.client.CloseIdleConnections()
	return nil
}

// assignmentStatus is the state of an assignment in a response.
type assignmentStatus struct {
	State      string `json:"state"`
	WaitsFor   string `json:"waits_for"`
	CheckAfter int    `json:"look_again_seconds"`
	Revision   string `json:"revision"`
}

// Read asks the receiver for the state of the assignment.
func (c *Connector) Read(ctx context.Context, a connector.Assignment) (state connector.State, err error) {
	err = c.call(ctx, func(ctx context.Context) error {
		state, _, err = c.read(ctx, a)
		return err
	})
	if err != nil {
		return connector.State{}, err
	}
	return state, nil
}

// read returns the revision too.
func (c *Connector) read(ctx context.Context, a connector.Assignment) (connector.State, string, error) {
	if err := checkNames(a); err != nil {
		return connector.State{}, "", err
	}
	reply, err := c.receiver.ask(ctx, request{Action: "read", Account: a.Account, Object: a.Object}, http.StatusOK)
	if err != nil {
		return connector.State{}, "", err
	}
	var s assignmentStatus
	if err := reply.decode(&s); err != nil {
		return connector.State{}, "", err
	}
	state := connector.State{WaitsFor: readable(s.WaitsFor)}
	switch s.State {
	case "held":
		state = connector.State{Held: true}
	case "not_held":
		state = connector.State{}
	case "pending":
		state.Pending = true
	case "pending_removal":
		state.Held, state.Pending = true, true
	default: // never guessed: a wrong guess could report access as ended
		return connector.State{}, "", &connector.Denied{Fix: fmt.Sprintf(
			"let the receiver return held, not_held, pending or pending_removal: it returned %q", readable(s.State))}
	}
	return state, s.Revision, nil
}

// Grant asks the receiver to grant the object.
func (c *Connector) Grant(ctx context.Context, a connector.Assignment) error {
	return c.call(ctx, func(ctx context.Context) error { return c.change(ctx, a, true) })
}

// Revoke asks the receiver to revoke the object, unless it is not held.
func (c *Connector) Revoke(ctx context.Context, a connector.Assignment) error {
	return c.call(ctx, func(ctx context.Context) error { return c.change(ctx, a, false) })
}

func (c *Connector) change(ctx context.Context, a connector.Assignment, held bool) error {
	state, revision, err := c.read(ctx, a)
	switch {
	// A grant is always sent, even if the object is held or the account is missing: the receiver may refuse it, and then no
	// account must be created.
	case held && connector.ClassOf(err) == connector.ClassGone:
	case err != nil:
		return err
	case !held && state.Confirms(false):
		return nil
	}
	action := map[bool]string{true: "grant", false: "revoke"}[held]
	change := request{Action: action, Account: a.Account, Object: a.Object, ID: changeID(action, a, revision)}
	reply, err := c.receiver.ask(ctx, change, http.StatusOK, http.StatusAccepted)
	if err != nil || reply.status == http.StatusOK {
		return err
	}
	var s assignmentStatus
	if len(reply.body) > 0 { // the body is optional
		if err := reply.decode(&s); err != nil {
			return err
		}
	}
	pending := &connector.Pending{
		Assignment: a,
		Want:       held,
		WaitsFor:   readable(s.WaitsFor),
		CheckAfter: httptarget.Seconds(s.CheckAfter),
	}
	if pending.WaitsFor == "" {
		pending.WaitsFor = "the target system"
	}
	return pending
}

// changeID returns the ID of a change. Repetitions of a change have the same ID, and the next change of the assignment has
// another, because its revision differs. Without a revision there is no ID: a receiver that remembers IDs would ignore the next
// change.
func changeID(action string, a connector.Assignment, revision string) string {
	if revision == "" {
		return ""
	}
	hash := sha256.New()
	for _, part := range []string{action, a.Account, a.Object, revision} {
		fmt.Fprintf(hash, "%d:%s", len(part), part)
	}
	return hex.EncodeToString(hash.Sum(nil))
}

// CreateAccount asks the receiver to create an account. If it does not support that, the account is *connector.Gone.
func (c *Connector) CreateAccount(ctx context.Context, account string) error {
	if err := checkName(connector.Account, account); err != nil {
		return err
	}
	return c.call(ctx, func(ctx context.Context) error {
		reply, err := c.receiver.ask(ctx, request{Action: "create_account", Account: account}, http.StatusOK, http.StatusNotImplemented)
		if err == nil && reply.status == http.StatusNotImplemented {
			return &connector.Gone{Part: connector.Account, Name: account}
		}
		return err
	})
}

// Check returns the receiver's description of itself, and denies a receiver that does not verify signatures.
func (c *Connector) Check(ctx context.Context) (report string, err error) {
	var check struct {
		Says string `json:"says"`
	}
	err = c.call(ctx, func(ctx context.Context) error {
		reply, err := c.receiver.ask(ctx, request{Action: "check"}, http.StatusOK)
		if err != nil {
			return err
		}
		if err := reply.decode(&check); err != nil {
			return err
		}
		return c.receiver.verifiesSignatures(ctx)
	})
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s: %s", c.host, readable(check.Says)), nil
}

// lister is a Connector whose receiver can list.
type lister struct{ *Connector }

// page is a response to "list".
type page struct {
	Assignments []struct {
		Account string `json:"account"`
		Object  string `json:"object"`
	} `json:"assignments"`
	Next string `json:"next"`
}

// List requests one page after another. Each is a separate call, so fn may be slow.
func (c lister) List(ctx context.Context, fn func(connector.Assignment) error) error {
	cursor, seen := "", map[string]bool{}
	for {
		var p page
		err := c.call(ctx, func(ctx context.Context) error {
			reply, err := c.receiver.ask(ctx, request{Action: "list", Cursor: cursor}, http.StatusOK, http.StatusNotImplemented)
			switch {
			case err != nil:
				return err
			case reply.status == http.StatusNotImplemented:
				return &connector.Denied{Fix: "remove \"lists: true\" from its settings: the receiver cannot list"}
			default:
				return reply.decode(&p)
			}
		})
		if err != nil {
			return err
		}
		for _, a := range p.Assignments {
			if err := fn(connector.Assignment{Account: a.Account, Object: a.Object}); err != nil {
				return err
			}
		}
		if p.Next == "" {
			return nil
		}
		if cursor = p.Next; seen[cursor] {
			return &connector.Denied{Fix: "correct the receiver's list: it returns the same cursor twice"}
		}
		seen[cursor] = true
	}
}
