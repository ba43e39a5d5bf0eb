package connector

import (
	"errors"
	"fmt"
	"time"
)

// Class says how to respond to an error.
type Class int

const (
	// ClassNone is the class of a nil error.
	ClassNone Class = iota
	// ClassUnavailable: retry with backoff.
	ClassUnavailable
	// ClassRateLimited: retry after RateLimited.RetryAfter.
	ClassRateLimited
	// ClassNotConfirmed: the target reported success and shows another state; retry.
	ClassNotConfirmed
	// ClassDenied: someone must change credentials or configuration first.
	ClassDenied
	// ClassGone: the account or the object does not exist, which is certain.
	ClassGone
	// ClassRefused: this program will never do it; do not retry.
	ClassRefused
	// ClassPending: the target accepted the change and has not completed it; check again after Pending.CheckAfter.
	ClassPending
)

// String returns the name of the error type, which is also the error's type in Temporal.
func (c Class) String() string {
	switch c {
	case ClassNone:
		return "None"
	case ClassUnavailable:
		return "Unavailable"
	case ClassRateLimited:
		return "RateLimited"
	case ClassNotConfirmed:
		return "NotConfirmed"
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

// ClassOf returns the class of err, also if it is wrapped. An unclassified error is ClassUnavailable: it is retried, and says
// nothing about the assignment.
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

// Unavailable: a network error, an error inside the target, a conflict, a lost connection. The change may or may not have
// happened.
type Unavailable struct{ Err error }

func (e *Unavailable) Error() string { return "the target system is not available: " + e.Err.Error() }
func (e *Unavailable) Unwrap() error { return e.Err }
func (e *Unavailable) Class() Class  { return ClassUnavailable }

// RateLimited: the target asks for fewer calls. RetryAfter is how long it asks to wait; zero if it does not say.
type RateLimited struct {
	RetryAfter time.Duration
	Err        error // may be nil
}

func (e *RateLimited) Error() string {
	text := "the target system asks for fewer calls"
	if e.RetryAfter > 0 {
		text += fmt.Sprintf(", retry after %s", e.RetryAfter)
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}
func (e *RateLimited) Unwrap() error { return e.Err }
func (e *RateLimited) Class() Class  { return ClassRateLimited }

// NotConfirmed: the target reported success and shows another state.
type NotConfirmed struct {
	Assignment Assignment
	Want       bool // held
	Got        State
}

func (e *NotConfirmed) Error() string {
	want := "revoked"
	if e.Want {
		want = "granted"
	}
	return fmt.Sprintf("%s: the target system reported it as %s and shows it as %s", e.Assignment, want, e.Got)
}
func (e *NotConfirmed) Class() Class { return ClassNotConfirmed }

// PendingOn is what a pending change waits for.
type PendingOn string

// What a pending change can wait for.
const (
	PendingOnTarget PendingOn = ""       // the target, or what WaitsFor says
	PendingOnOwners PendingOn = "people" // owners, who make the change by hand
	PendingOnHolder PendingOn = "holder" // the account's person, who has to accept an invitation
)

// Pending: the target accepted the change and has not completed it, such as an unaccepted invitation, an asynchronous change or
// an open task.
type Pending struct {
	Assignment Assignment
	Want       bool // held
	On         PendingOn
	WaitsFor   string        // completes "waits for ...", as shown to people; no secrets
	People     []string      // with PendingOnOwners: the owners' names
	CheckAfter time.Duration // when to check again; zero: the target does not say
}

func (e *Pending) Error() string {
	return fmt.Sprintf("%s: waits for %s", e.Assignment, e.WaitsFor)
}
func (e *Pending) Class() Class { return ClassPending }

// Denied: bad credentials, missing permissions or bad configuration. Fix tells an operator what to change.
type Denied struct {
	Fix string
	Err error // may be nil
}

func (e *Denied) Error() string {
	if e.Err == nil {
		return "the target system denied access: " + e.Fix
	}
	return fmt.Sprintf("the target system denied access: %s (%s)", e.Fix, e.Err)
}
func (e *Denied) Unwrap() error { return e.Err }
func (e *Denied) Class() Class  { return ClassDenied }

// Part is a part of an assignment.
type Part string

// The parts.
const (
	Account Part = "account"
	Object  Part = "object"
)

// Gone: the target is certain that this account or object does not exist.
type Gone struct {
	Part Part
	Name string
}

func (e *Gone) Error() string {
	return fmt.Sprintf("the %s %q does not exist in the target system", e.Part, e.Name)
}
func (e *Gone) Class() Class { return ClassGone }

// NotCreated: the account to grant to does not exist, and could not be created. It has the class of Err.
type NotCreated struct {
	Account string
	Err     error
}

func (e *NotCreated) Error() string {
	return fmt.Sprintf("the account %q does not exist in the target system and could not be created: %s", e.Account, e.Err)
}
func (e *NotCreated) Unwrap() error { return e.Err }

// Refused: this program never changes this account or object, such as a superuser, a reserved name or its own role.
type Refused struct {
	Part   Part
	Name   string
	Reason string // completes "refused: it ..."

	// ByOwners: the target's owners refused it, and Reason is in their own words.
	ByOwners bool
}

func (e *Refused) Error() string {
	if e.ByOwners {
		return fmt.Sprintf("the owners of %q cannot do it: %s", e.Name, e.Reason)
	}
	return fmt.Sprintf("the %s %q is refused: it %s", e.Part, e.Name, e.Reason)
}
func (e *Refused) Class() Class { return ClassRefused }
