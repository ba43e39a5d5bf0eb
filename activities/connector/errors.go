package connector

import (
	"errors"
	"fmt"
	"time"
)

// Class says what is to be done about an error.
type Class int

const (
	// ClassNone is the class of no error.
	ClassNone Class = iota
	// ClassUnavailable: try again with backoff.
	ClassUnavailable
	// ClassRateLimited: try again after RateLimited.RetryAfter.
	ClassRateLimited
	// ClassNotAsWanted: the target said success, its state says otherwise; try again.
	ClassNotAsWanted
	// ClassDenied: someone must change credentials or configuration first.
	ClassDenied
	// ClassGone: the account or the object does not exist; definite.
	ClassGone
	// ClassRefused: this program will not do it; trying again changes nothing.
	ClassRefused
	// ClassPending: asked for, and not done yet; look again after Pending.LookAgain.
	ClassPending
)

// String is the name of the error type, fit for a metric or an error's type in
// Temporal.
func (c Class) String() string {
	switch c {
	case ClassNone:
		return "None"
	case ClassUnavailable:
		return "Unavailable"
	case ClassRateLimited:
		return "RateLimited"
	case ClassNotAsWanted:
		return "NotAsWanted"
	case ClassDenied:
		return "Denied"
	case ClassGone:
		return "Gone"
	case ClassRefused:
		return "Refused"
	case ClassPending:
		return "Pending"
	default:
		return fmt.Sprintf("Class(%d)", int(c))
	}
}

// ClassOf is the class of err, looking through wrapping. An error that no
// connector has classified is ClassUnavailable: what is not understood is tried
// again, never taken for an answer.
func ClassOf(err error) Class {
	if err == nil {
		return ClassNone
	}
	var classified interface{ Class() Class }
	if errors.As(err, &classified) {
		return classified.Class()
	}
	return ClassUnavailable
}

// Unavailable: the network, the target's own trouble, a conflict, a connection
// that was cut. What was asked for may or may not have happened.
type Unavailable struct{ Err error }

func (e *Unavailable) Error() string { return "the target system is not available: " + e.Err.Error() }
func (e *Unavailable) Unwrap() error { return e.Err }
func (e *Unavailable) Class() Class  { return ClassUnavailable }

// RateLimited: the target asks for fewer calls. RetryAfter is how long it said
// to wait; zero if it did not say.
type RateLimited struct {
	RetryAfter time.Duration
	Err        error // may be nil
}

func (e *RateLimited) Error() string {
	text := "the target system asks for fewer calls"
	if e.RetryAfter > 0 {
		text += fmt.Sprintf(", again after %s", e.RetryAfter)
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}
func (e *RateLimited) Unwrap() error { return e.Err }
func (e *RateLimited) Class() Class  { return ClassRateLimited }

// NotAsWanted: the target reported success, but shows another state.
type NotAsWanted struct {
	Assignment Assignment
	Want       bool // held
	Got        State
}

func (e *NotAsWanted) Error() string {
	want := "revoked"
	if e.Want {
		want = "granted"
	}
	return fmt.Sprintf("%s: the target system said it was %s, but shows it as %s", e.Assignment, want, e.Got)
}
func (e *NotAsWanted) Class() Class { return ClassNotAsWanted }

// WaitsOn is what a pending change waits for.
type WaitsOn string

// What that can be.
const (
	OnTarget WaitsOn = ""       // the target itself, or what WaitsFor says
	OnPeople WaitsOn = "people" // those who do it by hand
	OnHolder WaitsOn = "holder" // the account's own person has to accept an invitation
)

// Pending: the target took the change on, and it is not done yet: an invitation
// waits for its person, a change runs on its own, someone has a task.
type Pending struct {
	Assignment Assignment
	Want       bool          // held
	On         WaitsOn       // whom or what
	WaitsFor   string        // completes "waits for ...", for people; no secrets
	People     []string      // with OnPeople: their names
	LookAgain  time.Duration // when looking again makes sense; zero: the target did not say
}

func (e *Pending) Error() string {
	return fmt.Sprintf("%s: waits for %s", e.Assignment, e.WaitsFor)
}
func (e *Pending) Class() Class { return ClassPending }

// Denied: bad credentials, missing rights or bad configuration. Do says to an
// operator what to do about it.
type Denied struct {
	Do  string
	Err error // may be nil
}

func (e *Denied) Error() string {
	if e.Err == nil {
		return "the target system does not let us: " + e.Do
	}
	return fmt.Sprintf("the target system does not let us: %s (%s)", e.Do, e.Err)
}
func (e *Denied) Unwrap() error { return e.Err }
func (e *Denied) Class() Class  { return ClassDenied }

// Part is one half of an assignment.
type Part string

// The parts.
const (
	Account Part = "account"
	Object  Part = "object"
)

// Gone: the target said definitely that this account or object does not exist.
type Gone struct {
	Part Part
	Name string
}

func (e *Gone) Error() string {
	return fmt.Sprintf("the %s %q does not exist in the target system", e.Part, e.Name)
}
func (e *Gone) Class() Class { return ClassGone }

// NotCreated: granting needs an account that does not exist, and creating it
// failed with Err, whose class it has.
type NotCreated struct {
	Account string
	Err     error
}

func (e *NotCreated) Error() string {
	return fmt.Sprintf("the account %q does not exist in the target system and could not be created: %s", e.Account, e.Err)
}
func (e *NotCreated) Unwrap() error { return e.Err }

// Refused: the account or object is one that this program never touches, such
// as a superuser, a reserved name or its own role.
type Refused struct {
	Part   Part
	Name   string
	Reason string // completes "refused: it ..."

	// ByPeople: those who look after the target said so, and Reason is in their
	// own words.
	ByPeople bool
}

func (e *Refused) Error() string {
	if e.ByPeople {
		return fmt.Sprintf("those who look after %q cannot do it: %s", e.Name, e.Reason)
	}
	return fmt.Sprintf("the %s %q is refused: it %s", e.Part, e.Name, e.Reason)
}
func (e *Refused) Class() Class { return ClassRefused }
