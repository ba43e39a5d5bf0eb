package slacksim

import (
	"encoding/json"
	"maps"
	"slices"
	"time"
)

// Screen is everything that one user sees, as the client API returns it.
type Screen struct {
	Seq      int64     `json:"seq"` // pass it to /client/wait to wait for the next change
	User     User      `json:"user"`
	Home     *View     `json:"home"`     // the Home tab; null until the app has published one
	Modals   []View    `json:"modals"`   // the open modals, the top one last
	Messages []Message `json:"messages"` // from the app, the newest last, including ephemeral ones
	Notices  []Notice  `json:"notices"`  // Slack's own notices, the newest last
}

// Block is one block as the app sent it, with block_id and action_ids filled in.
type Block = map[string]any

// Values are state.values: the values of elements by block_id and action_id.
type Values = map[string]map[string]map[string]any

// View is a modal or the Home tab.
type View struct {
	ID         string            `json:"id"`
	Type       string            `json:"type"` // modal or home
	CallbackID string            `json:"callback_id,omitempty"`
	Hash       string            `json:"hash"`
	RootID     string            `json:"root_view_id"`
	PreviousID string            `json:"previous_view_id,omitempty"`
	Title      string            `json:"title,omitempty"`
	Submit     string            `json:"submit,omitempty"` // the button's text; empty: there is none
	Close      string            `json:"close,omitempty"`
	Blocks     []Block           `json:"blocks"`
	State      Values            `json:"state"`
	Errors     map[string]string `json:"errors,omitempty"` // at input blocks, by block_id
	Notice     string            `json:"notice,omitempty"` // for example "We had some trouble connecting. Try again?"
}

// Message is one message of the app in a direct conversation.
type Message struct {
	Channel   string  `json:"channel"`
	TS        string  `json:"ts"`
	Plain     string  `json:"text"` // the text field: for notifications, and shown if there are no blocks
	Blocks    []Block `json:"blocks"`
	State     Values  `json:"state"`
	Edited    string  `json:"edited,omitempty"` // ts of the last edit
	Ephemeral bool    `json:"ephemeral,omitempty"`

	names map[string]string // by user ID, for Text
}

// Notice is what Slack shows a user when the app did not answer properly.
type Notice struct {
	Seq   int64     `json:"seq"`
	At    time.Time `json:"at"`
	Text  string    `json:"text"`
	Cause string    `json:"cause"` // why, for the developer
}

// Texts of Slack's clients. Source: bolt-python#1318, "Handling user interaction".
const (
	troubleConnecting = "We had some trouble connecting. Try again?"
	somethingWrong    = "Oh no, something went wrong. Please try that again."
	noResult          = "No result"
	pleaseComplete    = "Please complete this required field."
)

// screen returns what the user sees. Call it with mu held, and encode the result before unlocking: it
// shares the server's values.
func (s *Server) screen(u *User) Screen {
	sc := Screen{Seq: s.seq, User: *u, Modals: []View{}, Messages: []Message{}, Notices: s.notices[u.ID]}
	if v := s.homes[u.ID]; v != nil {
		home := v.screen()
		sc.Home = &home
	}
	for _, v := range s.stacks[u.ID] {
		sc.Modals = append(sc.Modals, v.screen())
	}
	for _, id := range slices.Sorted(maps.Keys(s.channels)) {
		c := s.channels[id]
		if !slices.Contains(c.members, u.ID) {
			continue
		}
		for _, m := range c.messages {
			if m.deleted || m.ephemeral != "" && m.ephemeral != u.ID {
				continue
			}
			sc.Messages = append(sc.Messages, Message{
				Channel: m.channel, TS: m.ts, Plain: m.text, Blocks: m.blocks, Edited: m.edited,
				Ephemeral: m.ephemeral != "", State: asValues(shownState(m.blocks, m.state, nil)),
			})
		}
	}
	slices.SortStableFunc(sc.Messages, func(a, b Message) int { return compare(a.TS, b.TS) })
	return sc
}

func compare(a, b string) int {
	switch {
	case len(a) != len(b):
		return len(a) - len(b)
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func (v *view) screen() View {
	return View{
		ID: v.id, Type: str(v.spec, "type"), CallbackID: str(v.spec, "callback_id"), Hash: v.hash,
		RootID: v.rootID, PreviousID: v.prevID, Title: str(obj(v.spec, "title"), "text"),
		Submit: str(obj(v.spec, "submit"), "text"), Close: str(obj(v.spec, "close"), "text"),
		Blocks: v.blocks(), State: asValues(shownState(v.blocks(), v.state, nil)), Errors: v.errors, Notice: v.notice,
	}
}

func asValues(values object) Values {
	all := Values{}
	for block, elements := range values {
		all[block] = map[string]map[string]any{}
		for action, held := range elements.(object) {
			all[block][action] = held.(object)
		}
	}
	return all
}

// notify shows the user a notice of Slack's. Call it with mu held.
func (s *Server) notify(user, text, cause string) {
	s.touch()
	s.notices[user] = append(s.notices[user], Notice{Seq: s.seq, At: time.Now(), Text: text, Cause: cause})
}

func encodeJSON(v any) []byte {
	raw, err := json.Marshal(v)
	if err != nil {
		panic("slacksim: encode " + err.Error()) // only values that came from JSON are encoded
	}
	return raw
}
