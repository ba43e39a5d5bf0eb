package slacksim

import (
	"fmt"
	"strings"
)

// Messages returns the app's messages to this user, the newest last, without ephemeral ones.
func (a *Actor) Messages() ([]Message, error) { return a.messages(false) }

// Ephemerals returns the ephemeral messages: "Only visible to you".
func (a *Actor) Ephemerals() ([]Message, error) { return a.messages(true) }

func (a *Actor) messages(ephemeral bool) ([]Message, error) {
	sc, err := a.Screen()
	return messagesOn(sc, ephemeral), err
}

func messagesOn(sc Screen, ephemeral bool) []Message {
	found := []Message{}
	for _, m := range sc.Messages {
		if m.Ephemeral == ephemeral {
			found = append(found, m)
		}
	}
	return found
}

// Latest returns the newest message that contains a text now; it is an error if there is none.
func (a *Actor) Latest(substring string) (Message, error) {
	all, err := a.Messages()
	if err != nil {
		return Message{}, err
	}
	if m, ok := latest(all, substring); ok {
		return m, nil
	}
	return Message{}, fmt.Errorf("%s: no message says %q", a.who, substring)
}

func latest(all []Message, substring string) (Message, bool) {
	for i := len(all) - 1; i >= 0; i-- {
		if strings.Contains(all[i].Text(), substring) {
			return all[i], true
		}
	}
	return Message{}, false
}

// WaitForMessage waits for a message that contains a text, and returns the newest one.
func (a *Actor) WaitForMessage(substring string) (Message, error) { return a.waitFor(substring, false) }

// WaitForEphemeral waits for an ephemeral message that contains a text.
func (a *Actor) WaitForEphemeral(substring string) (Message, error) {
	return a.waitFor(substring, true)
}

func (a *Actor) waitFor(substring string, ephemeral bool) (Message, error) {
	var found Message
	return found, a.await(func(sc Screen, _ map[string]string) error {
		m, ok := latest(messagesOn(sc, ephemeral), substring)
		if !ok {
			return notThere{fmt.Sprintf("no message says %q", substring)}
		}
		found = m
		return nil
	})
}

// Again returns a message as it is now, for example after an edit.
func (a *Actor) Again(m Message) (Message, error) {
	sc, err := a.Screen()
	if err != nil {
		return m, err
	}
	for _, now := range sc.Messages {
		if now.TS == m.TS {
			return now, nil
		}
	}
	return m, fmt.Errorf("%s: message %s is gone", a.who, m.TS)
}

// WaitForEdit waits until a message contains a text.
func (a *Actor) WaitForEdit(m Message, substring string) (Message, error) {
	var found Message
	return found, a.await(func(sc Screen, _ map[string]string) error {
		for _, now := range sc.Messages {
			if now.TS == m.TS && strings.Contains(now.Text(), substring) {
				found = now
				return nil
			}
		}
		return notThere{fmt.Sprintf("message %s does not say %q", m.TS, substring)}
	})
}

// PressIn presses a button of a message.
func (a *Actor) PressIn(m Message, button string) error { return a.PressAtOnce(m, button, 1) }

// PressAtOnce presses the same button of a message several times at the same moment.
func (a *Actor) PressAtOnce(m Message, button string, times int) error {
	return a.await(func(sc Screen, names map[string]string) error {
		for _, now := range sc.Messages {
			if now.TS == m.TS {
				return a.pressOne(pressables(now.Blocks, Target{TS: now.TS, Channel: now.Channel}, names), button, times)
			}
		}
		return notThere{fmt.Sprintf("message %s is gone", m.TS)}
	})
}

// PressForwarded presses a button of another user's message, as if it had been forwarded or copied.
func (a *Actor) PressForwarded(m Message, button string) error {
	return a.pressOne(pressables(m.Blocks, Target{TS: m.TS, Channel: m.Channel, Forwarded: true}, m.names), button, 1)
}
