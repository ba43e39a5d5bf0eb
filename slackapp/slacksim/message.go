package slacksim

import (
	"crypto/sha256"
	"encoding/base32"
	"slices"
	"strings"
	"time"
)

// channel is a direct conversation between the app and one or more people.
type channel struct {
	id       string // D..., or G... for several people
	members  []string
	messages []*message
}

// message is one posted message.
type message struct {
	channel   string
	ts        string
	text      string
	blocks    []object
	state     state
	loaded    map[control][]object
	edited    string // ts of the last edit, or ""
	ephemeral string // the only user who sees it, or ""
	deleted   bool
}

// conversationWith returns the channel between the app and these users; opened reports whether it existed.
func (s *Server) conversationWith(users []string) (c *channel, opened bool) {
	sorted := slices.Compact(slices.Sorted(slices.Values(users)))
	sum := sha256.Sum256([]byte(strings.Join(sorted, " ")))
	prefix := "D0"
	if len(sorted) > 1 {
		prefix = "G0"
	}
	id := prefix + base32.StdEncoding.EncodeToString(sum[:])[:9]
	if c, ok := s.channels[id]; ok {
		return c, true
	}
	c = &channel{id: id, members: sorted}
	s.channels[id] = c
	return c, false
}

// post adds a message. An ephemeral one is only for one user.
func (s *Server) post(c *channel, text string, blocks []object, ephemeralFor string) *message {
	m := &message{channel: c.id, ts: s.newTS(), ephemeral: ephemeralFor}
	m.show(text, blocks)
	c.messages = append(c.messages, m)
	s.arrived(c, m)
	s.touch()
	return m
}

// show sets the message's text and blocks. An element that keeps its IDs keeps what it holds.
func (m *message) show(text string, blocks []object) {
	m.text, m.blocks = text, blocks
	fillIDs(blocks)
	kept := m.state
	m.state, m.loaded = state{}, map[control][]object{}
	for _, e := range elements(blocks) {
		initial := initialState(e.element)
		if initial == nil {
			continue
		}
		if old, ok := kept[e.control]; ok && old["type"] == initial["type"] {
			initial = old
		}
		m.state[e.control] = initial
	}
}

// edit replaces the message's text and blocks.
func (s *Server) edit(m *message, text string, blocks []object) {
	m.show(text, blocks)
	m.edited = s.newTS()
	s.touch()
}

// payload returns the message as the app gets it.
func (m *message) payload(s *Server) object {
	o := object{
		"type": "message", "user": botUserID, "bot_id": botID, "app_id": s.cfg.AppID, "team": s.cfg.TeamID,
		"text": m.text, "ts": m.ts,
	}
	if len(m.blocks) > 0 {
		o["blocks"] = m.blocks
	}
	if m.edited != "" {
		o["edited"] = object{"user": botID, "ts": m.edited}
	}
	return o
}

// findMessage finds a message that the user sees.
func (s *Server) findMessage(user, channelID, ts string) *message {
	for _, c := range s.channels {
		if channelID != "" && c.id != channelID || user != "" && !slices.Contains(c.members, user) {
			continue
		}
		for _, m := range c.messages {
			if m.ts == ts && !m.deleted && (m.ephemeral == "" || m.ephemeral == user) {
				return m
			}
		}
	}
	return nil
}

// replyURL is a response_url: it can be used five times within half an hour ("Handling user interaction", response_url).
type replyURL struct {
	user    string
	message *message
	left    int
	expires time.Time
}

func (s *Server) newReplyURL(base, user string, m *message) string {
	token := s.newID("R") + randomID() + randomID()
	s.replies[token] = &replyURL{user, m, 5, time.Now().Add(30 * time.Minute)}
	return base + "/response/" + token
}
