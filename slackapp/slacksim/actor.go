package slacksim

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// Actor is one user of a workspace, who acts on what is on the screen, as a person does.
//
// Every action first waits for the element that it names (10 s; see Within), in the top modal or, if
// none is open, on the Home tab. It returns once the app has acknowledged it. What the app does after
// its ack (views.update, views.open, messages) may appear a moment later, and the next action waits for
// it. If the screen had the same words before, wait for something new first (WaitForModal,
// WaitForHome), or use AwaitUpdate.
//
// Names match a whole label, button or option, else one that contains them; two matches are an error.
// Errors include what is on the screen.
type Actor struct {
	w       *Workspace
	who     string
	timeout time.Duration
}

// Within returns the same user with another timeout.
func (a *Actor) Within(timeout time.Duration) *Actor {
	b := *a
	b.timeout = timeout
	return &b
}

// NotAcked means that the app did not acknowledge an action in time. The user saw Notice.
type NotAcked struct{ Notice, Cause string }

func (e NotAcked) Error() string { return e.Notice + " (" + e.Cause + ")" }

func (a *Actor) path(rest string) string { return "/client/users/" + url.PathEscape(a.who) + rest }

var mention = regexp.MustCompile(`<@([A-Z0-9]+)`)

// Screen returns everything that the user sees now.
func (a *Actor) Screen() (Screen, error) {
	sc, _, err := a.look()
	return sc, err
}

func (a *Actor) look() (Screen, map[string]string, error) {
	var raw json.RawMessage
	var sc Screen
	if err := a.w.do(http.MethodGet, a.path("/screen"), nil, &raw); err != nil {
		return sc, nil, err
	}
	if err := json.Unmarshal(raw, &sc); err != nil {
		return sc, nil, fmt.Errorf("read the screen: %w", err)
	}
	// Go encodes < as \u003c.
	names, err := a.w.userNames([]byte(strings.ReplaceAll(string(raw), `\u003c`, "<")))
	for i := range sc.Messages {
		sc.Messages[i].names = names
	}
	return sc, names, err
}

// notThere means that something is not on the screen yet: keep looking.
type notThere struct{ what string }

func (e notThere) Error() string { return e.what }

// await looks at the screen until try succeeds. It continues while try returns notThere, or the server
// reports that the screen has changed (conflict).
func (a *Actor) await(try func(sc Screen, names map[string]string) error) error {
	var last error
	var seen string
	err := a.w.poll(a.timeout, func() (int64, bool, error) {
		sc, names, err := a.look()
		if err != nil {
			return 0, false, err
		}
		last = try(sc, names)
		var n notThere
		var c conflict
		if errors.As(last, &n) || errors.As(last, &c) {
			seen = describe(sc, names)
			return sc.Seq, false, nil
		}
		if last != nil {
			return 0, false, fmt.Errorf("%s: %w\non the screen:\n%s", a.who, last, describe(sc, names))
		}
		return 0, true, nil
	})
	if errors.Is(err, errTimeout) {
		return fmt.Errorf("%s: %w, within %s\non the screen:\n%s", a.who, last, a.timeout, seen)
	}
	return err
}

// describe returns the whole screen as text, for errors.
func describe(sc Screen, names map[string]string) string {
	var parts []string
	for i := len(sc.Modals) - 1; i >= 0; i-- {
		parts = append(parts, sc.Modals[i].text(names))
	}
	if sc.Home != nil {
		parts = append(parts, "-- Home --\n"+sc.Home.text(names))
	} else {
		parts = append(parts, "-- Home: nothing published --")
	}
	for _, m := range sc.Messages[max(0, len(sc.Messages)-5):] {
		kind := "Message"
		if m.Ephemeral {
			kind = "Only visible to you"
		}
		parts = append(parts, fmt.Sprintf("-- %s %s --\n%s", kind, m.TS, m.Text()))
	}
	for _, n := range sc.Notices[max(0, len(sc.Notices)-3):] {
		parts = append(parts, fmt.Sprintf("-- Slack says: %s (%s) --", n.Text, n.Cause))
	}
	return strings.Join(parts, "\n")
}

// front returns the view that the user acts on: the top modal, or the Home tab.
func front(sc Screen) *View {
	if n := len(sc.Modals); n > 0 {
		return &sc.Modals[n-1]
	}
	return sc.Home
}

// OpenHome opens the Home tab and waits until the app has published it again.
func (a *Actor) OpenHome() error {
	before, err := a.Screen()
	if err != nil {
		return err
	}
	if err := a.VisitHome(); err != nil {
		return err
	}
	return a.await(func(sc Screen, _ map[string]string) error {
		if sc.Home == nil || before.Home != nil && sc.Home.Hash == before.Home.Hash {
			return notThere{"the app did not publish the Home tab"}
		}
		return nil
	})
}

// VisitHome opens the Home tab and waits only for the app's ack.
func (a *Actor) VisitHome() error { return a.open("home") }

// OpenMessages opens the Messages tab.
func (a *Actor) OpenMessages() error { return a.open("messages") }

func (a *Actor) open(tab string) error {
	return a.act("/open", object{"tab": tab})
}

// act sends an action, and returns an error if the app did not acknowledge it.
func (a *Actor) act(path string, in object) error {
	var o Outcome
	if err := a.w.do(http.MethodPost, a.path(path), in, &o); err != nil {
		return err
	}
	if o.Dispatched && !o.Acked {
		return NotAcked{somethingWrong, o.Problem}
	}
	return nil
}

// AwaitUpdate calls do and waits until the app has changed the view in front: the top modal or the Home
// tab was updated, or a modal opened or closed.
func (a *Actor) AwaitUpdate(do func() error) error {
	version := func(sc Screen) string {
		if v := front(sc); v != nil {
			return v.ID + " " + v.Hash
		}
		return ""
	}
	before, err := a.Screen()
	if err != nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	return a.await(func(sc Screen, _ map[string]string) error {
		if version(sc) == version(before) {
			return notThere{"the app changed nothing"}
		}
		return nil
	})
}

// Home returns the text of the Home tab; empty if the app has published none.
func (a *Actor) Home() (string, error) {
	sc, names, err := a.look()
	if err != nil || sc.Home == nil {
		return "", err
	}
	return sc.Home.text(names), nil
}

// Modal returns the text of the top modal; empty if none is open.
func (a *Actor) Modal() (string, error) {
	sc, names, err := a.look()
	if err != nil || len(sc.Modals) == 0 {
		return "", err
	}
	return sc.Modals[len(sc.Modals)-1].text(names), nil
}

// WaitForHome waits until the Home tab contains a text, and returns all of its text.
func (a *Actor) WaitForHome(substring string) (string, error) {
	var text string
	return text, a.await(func(sc Screen, names map[string]string) error {
		if sc.Home == nil {
			return notThere{"no Home tab"}
		}
		if text = sc.Home.text(names); !strings.Contains(text, substring) {
			return notThere{fmt.Sprintf("the Home tab does not say %q", substring)}
		}
		return nil
	})
}

// WaitForModal waits until the top modal contains a text, and returns all of its text.
func (a *Actor) WaitForModal(substring string) (string, error) {
	var text string
	return text, a.await(func(sc Screen, names map[string]string) error {
		if len(sc.Modals) == 0 {
			return notThere{"no modal is open"}
		}
		if text = sc.Modals[len(sc.Modals)-1].text(names); !strings.Contains(text, substring) {
			return notThere{fmt.Sprintf("the modal does not say %q", substring)}
		}
		return nil
	})
}

// WaitForNoModal waits until no modal is open.
func (a *Actor) WaitForNoModal() error {
	return a.await(func(sc Screen, _ map[string]string) error {
		if len(sc.Modals) > 0 {
			return notThere{"a modal is open"}
		}
		return nil
	})
}

// WaitUntil waits until the screen meets a condition; what describes it.
func (a *Actor) WaitUntil(what string, condition func(Screen) bool) error {
	return a.await(func(sc Screen, _ map[string]string) error {
		if !condition(sc) {
			return notThere{"condition not met: " + what}
		}
		return nil
	})
}

// Notices returns Slack's own notices to the user, the newest last.
func (a *Actor) Notices() ([]Notice, error) {
	sc, err := a.Screen()
	return sc.Notices, err
}

// WaitForNotice waits for a notice of Slack's whose text or cause contains a text.
func (a *Actor) WaitForNotice(substring string) (Notice, error) {
	var found Notice
	return found, a.await(func(sc Screen, _ map[string]string) error {
		for i := len(sc.Notices) - 1; i >= 0; i-- {
			if n := sc.Notices[i]; strings.Contains(n.Text+" "+n.Cause, substring) {
				found = n
				return nil
			}
		}
		return notThere{fmt.Sprintf("Slack shows no notice with %q", substring)}
	})
}
