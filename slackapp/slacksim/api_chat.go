package slacksim

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"time"
	"unicode/utf8"
)

// target finds the conversation of a chat method, by a channel's ID or, if Slack allows it, a user's.
func (s *Server) target(id string, userAllowed bool) (*channel, *refusal) {
	if ch := s.channels[id]; ch != nil {
		for _, member := range ch.members {
			if s.users[member].Deleted {
				return nil, refuse("channel_not_found")
			}
		}
		return ch, nil
	}
	if u := s.users[id]; u != nil && userAllowed {
		switch {
		case u.Deleted:
			return nil, refuse("channel_not_found")
		case u.Bot:
			return nil, refuse("cannot_dm_bot")
		}
		ch, _ := s.conversationWith([]string{id})
		return ch, nil
	}
	return nil, refuse("channel_not_found")
}

// content reads and checks text and blocks; given reports whether blocks were sent.
func (c *call) content(maxText int) (text string, blocks []object, given bool, no *refusal) {
	text = c.str("text")
	v, ok := c.value("blocks")
	if !ok {
		return "", nil, false, refuse("invalid_blocks_format")
	}
	given = v != nil && v != ""
	if given {
		if _, ok := v.([]any); !ok {
			return "", nil, false, refuse("invalid_blocks_format")
		}
		if problems := checkBlocks(v); len(problems) > 0 {
			return "", nil, false, &refusal{"invalid_blocks", problems}
		}
		if textLength(v) > maxBlocksText {
			return "", nil, false, refuse("msg_blocks_too_long")
		}
		blocks = objects(v.([]any))
	}
	switch {
	case utf8.RuneCountInString(text) > maxText:
		return "", nil, false, refuse("msg_too_long")
	case text == "" && len(blocks) == 0:
		return "", nil, false, refuse("no_text")
	}
	return text, blocks, given, nil
}

// chatPostMessage posts a message. It is not idempotent: called twice, it posts twice.
func (s *Server) chatPostMessage(c *call) (object, *refusal) {
	ch, no := s.target(c.str("channel"), true)
	if no != nil {
		return nil, no
	}
	text, blocks, _, no := c.content(maxPostText)
	if no != nil {
		return nil, no
	}
	m := s.post(ch, text, blocks, "")
	return object{"channel": ch.id, "ts": m.ts, "message": m.payload(s)}, nil
}

// chatUpdate needs the channel's ID. Text without blocks removes the blocks ("chat.update").
func (s *Server) chatUpdate(c *call) (object, *refusal) {
	ch, no := s.target(c.str("channel"), false)
	if no != nil {
		return nil, no
	}
	m := s.findMessage("", ch.id, c.str("ts"))
	if m == nil || m.ephemeral != "" {
		return nil, refuse("message_not_found")
	}
	text, blocks, given, no := c.content(maxUpdateText)
	if no != nil {
		return nil, no
	}
	if given && text == "" {
		text = m.text
	}
	s.edit(m, text, blocks)
	return object{"channel": ch.id, "ts": m.ts, "text": text, "message": m.payload(s)}, nil
}

func (s *Server) chatDelete(c *call) (object, *refusal) {
	ch, no := s.target(c.str("channel"), false)
	if no != nil {
		return nil, no
	}
	m := s.findMessage("", ch.id, c.str("ts"))
	if m == nil || m.ephemeral != "" {
		return nil, refuse("message_not_found")
	}
	s.remove(m)
	return object{"channel": ch.id, "ts": m.ts}, nil
}

func (s *Server) chatPostEphemeral(c *call) (object, *refusal) {
	ch, no := s.target(c.str("channel"), false)
	if no != nil {
		return nil, no
	}
	if !slices.Contains(ch.members, c.str("user")) {
		return nil, refuse("user_not_in_channel")
	}
	text, blocks, _, no := c.content(maxPostText)
	if no != nil {
		return nil, no
	}
	m := s.post(ch, text, blocks, c.str("user"))
	return object{"message_ts": m.ts}, nil
}

// serveReplyURL handles a post to a response_url: an ephemeral answer, or one that replaces or deletes the
// message that the user acted on.
func (s *Server) serveReplyURL(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	t := Traffic{Direction: fromApp, Name: "response_url", At: start, Status: http.StatusOK, Bytes: int(r.ContentLength)}
	defer func() { s.record(t, start) }()
	if _, ended := s.meetFault(w, r, t.Name, &t); ended {
		return
	}
	fail := func(status int, code string) {
		t.Status, t.Error = status, code
		http.Error(w, code, status)
	}
	var body struct {
		Text            string `json:"text"`
		Blocks          any    `json:"blocks"`
		ResponseType    string `json:"response_type"`
		ReplaceOriginal bool   `json:"replace_original"`
		DeleteOriginal  bool   `json:"delete_original"`
	}
	raw := &bytes.Buffer{}
	if err := json.NewDecoder(io.TeeReader(http.MaxBytesReader(w, r.Body, 1<<20), raw)).Decode(&body); err != nil {
		fail(http.StatusBadRequest, "invalid_payload")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t.request = s.shown(raw.Bytes())
	reply := s.replies[r.PathValue("token")]
	switch {
	case reply == nil:
		fail(http.StatusNotFound, "expired_url")
		return
	case reply.left == 0 || time.Now().After(reply.expires):
		fail(http.StatusNotFound, "used_url")
		return
	}
	c := &call{args: object{"text": body.Text, "blocks": body.Blocks}}
	text, blocks, _, no := c.content(maxPostText)
	if no != nil && !body.DeleteOriginal {
		fail(http.StatusBadRequest, no.code)
		return
	}
	reply.left--
	t.User = reply.user
	t.OK = true
	switch original := reply.message; {
	case body.DeleteOriginal:
		s.remove(original)
	case body.ReplaceOriginal:
		s.edit(original, text, blocks)
	case body.ResponseType == "in_channel":
		s.post(s.channels[original.channel], text, blocks, "")
	default:
		s.post(s.channels[original.channel], text, blocks, reply.user)
	}
	_, _ = w.Write([]byte("ok"))
}
