// Package webhook is the connector to anything that has no connector of its own:
// a receiver, beside the target system, answers signed JSON over HTTP. The
// protocol is described in docs/connectors/webhook.md; package receiver is an
// example of the other side, and imports nothing of this one.
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

// Connector implements connector.Connector, connector.AccountCreator and
// connector.Checker. What Open makes is a connector.Lister too, where the
// settings say that the receiver lists.
type Connector struct {
	receiver *endpoint
	host     string        // for people
	bound    time.Duration // no call takes longer
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

// standing is how an assignment stands, as the receiver says.
type standing struct {
	State     string `json:"state"`
	WaitsFor  string `json:"waits_for"`
	LookAgain int    `json:"look_again_seconds"`
	Revision  string `json:"revision"`
}

// Read asks how the assignment stands.
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

// read also answers the revision.
func (c *Connector) read(ctx context.Context, a connector.Assignment) (connector.State, string, error) {
	if err := checkNames(a); err != nil {
		return connector.State{}, "", err
	}
	reply, err := c.receiver.ask(ctx, request{Action: "read", Account: a.Account, Object: a.Object}, http.StatusOK)
	if err != nil {
		return connector.State{}, "", err
	}
	var s standing
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
	default: // never guessed: a wrong guess here is a false "ended"
		return connector.State{}, "", &connector.Denied{Do: fmt.Sprintf(
			"let the receiver answer one of held, not_held, pending, pending_removal: it said %q", readable(s.State))}
	}
	return state, s.Revision, nil
}

// Grant asks the receiver to grant it, unless it is held already.
func (c *Connector) Grant(ctx context.Context, a connector.Assignment) error {
	return c.call(ctx, func(ctx context.Context) error { return c.change(ctx, a, true) })
}

// Take asks the receiver to revoke it , unless it is not held.
func (c *Connector) Revoke(ctx context.Context, a connector.Assignment) error {
	return c.call(ctx, func(ctx context.Context) error { return c.change(ctx, a, false) })
}

func (c *Connector) change(ctx context.Context, a connector.Assignment, held bool) error {
	state, revision, err := c.read(ctx, a)
	switch {
	// What must not be granted is refused also where someone has it already, and
	// before an account is made for it: so granting is always asked for.
	case held && connector.ClassOf(err) == connector.ClassGone:
	case err != nil:
		return err
	case !held && state.Matches(false):
		return nil
	}
	action := map[bool]string{true: "grant", false: "revoke"}[held]
	asked := request{Action: action, Account: a.Account, Object: a.Object, ID: changeID(action, a, revision)}
	reply, err := c.receiver.ask(ctx, asked, http.StatusOK, http.StatusAccepted)
	if err != nil || reply.status == http.StatusOK {
		return err
	}
	var s standing
	if len(reply.body) > 0 { // it may have nothing to say
		if err := reply.decode(&s); err != nil {
			return err
		}
	}
	pending := &connector.Pending{Assignment: a, Want: held, WaitsFor: readable(s.WaitsFor), LookAgain: httptarget.Seconds(s.LookAgain)}
	if pending.WaitsFor == "" {
		pending.WaitsFor = "the target system"
	}
	return pending
}

// changeID is the same for repetitions of one change, and another for the next
// change of that assignment, which then has another revision. Without a revision
// there is none: a receiver that remembers IDs would take the next for the same.
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

// CreateAccount asks the receiver for an account. Where it makes none, the
// account is still gone.
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

// Check says what the receiver says of itself, and refuses one that does not look
// at signatures.
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
		return c.receiver.looksAtSignatures(ctx)
	})
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s: %s", c.host, readable(check.Says)), nil
}

// lister is a Connector whose receiver lists.
type lister struct{ *Connector }

// page is an answer to "list".
type page struct {
	Assignments []struct {
		Account string `json:"account"`
		Object  string `json:"object"`
	} `json:"assignments"`
	Next string `json:"next"`
}

// List asks for page after page, each a call of its own, so fn may take its time.
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
				return &connector.Denied{Do: "take \"lists: true\" out of its settings: the receiver does not list"}
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
			return &connector.Denied{Do: "correct the receiver's list: it names the same cursor as the next one twice"}
		}
		seen[cursor] = true
	}
}
