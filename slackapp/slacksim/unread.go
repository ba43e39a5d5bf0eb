package slacksim

import "slices"

// inbox counts a user's unread messages from the app. It is updated with each message, because the page asks for all counts
// after each change.
type inbox struct {
	unread int
	latest string // ts of the newest message
	read   string // ts of the last read message
}

func (s *Server) inbox(user string) *inbox {
	if s.inboxes[user] == nil {
		s.inboxes[user] = &inbox{}
	}
	return s.inboxes[user]
}

// arrived counts a new message for its readers. As in Slack, an ephemeral one is not counted.
func (s *Server) arrived(c *channel, m *message) {
	if m.ephemeral != "" {
		return
	}
	for _, member := range c.members {
		in := s.inbox(member)
		in.unread++
		in.latest = m.ts
	}
}

// remove deletes a message.
func (s *Server) remove(m *message) {
	if !m.deleted && m.ephemeral == "" {
		for _, member := range s.channels[m.channel].members {
			if in := s.inbox(member); compare(m.ts, in.read) > 0 {
				in.unread--
			}
		}
	}
	m.deleted = true
	s.touch()
}

// markRead marks all messages up to one as read.
func (s *Server) markRead(user, ts string) {
	in := s.inbox(user)
	if compare(ts, in.read) <= 0 {
		return
	}
	in.read = ts
	before := in.unread
	in.unread = 0
	if compare(ts, in.latest) < 0 { // rare: the page does not show the newest message yet
		for _, c := range s.channels {
			if !slices.Contains(c.members, user) {
				continue
			}
			for _, m := range c.messages {
				if !m.deleted && m.ephemeral == "" && compare(m.ts, ts) > 0 {
					in.unread++
				}
			}
		}
	}
	if in.unread != before {
		s.touch()
	}
}

// Unread is the number of a user's unread messages.
type Unread struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Email  string `json:"email"`
	Unread int    `json:"unread"`
	Latest string `json:"latest"` // ts of their newest message
}

// unreadOfOthers lists the other users with unread messages, the newest message first.
func (s *Server) unreadOfOthers(user string) []Unread {
	others := []Unread{}
	for id, in := range s.inboxes {
		if u := s.users[id]; id != user && in.unread > 0 && !u.Deleted {
			others = append(others, Unread{id, u.Name, u.Email, in.unread, in.latest})
		}
	}
	slices.SortFunc(others, func(a, b Unread) int { return compare(b.Latest, a.Latest) })
	return others
}
