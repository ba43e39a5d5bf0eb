package slacksim

import "slices"

// inbox counts what a user has not read yet of the app's messages. It is kept as messages come and go: the page asks for
// everybody's after each change.
type inbox struct {
	unread int
	latest string // ts of the newest message
	read   string // ts up to which all is read
}

func (s *Server) inbox(user string) *inbox {
	if s.inboxes[user] == nil {
		s.inboxes[user] = &inbox{}
	}
	return s.inboxes[user]
}

// arrived counts a new message for those who see it. An ephemeral one is not counted, as in Slack.
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

// markRead says that the user has read everything up to that message.
func (s *Server) markRead(user, ts string) {
	in := s.inbox(user)
	if compare(ts, in.read) <= 0 {
		return
	}
	in.read = ts
	before := in.unread
	in.unread = 0
	if compare(ts, in.latest) < 0 { // rare: a page that has not seen the newest yet
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

// Unread is what someone has not read yet.
type Unread struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Email  string `json:"email"`
	Unread int    `json:"unread"`
	Latest string `json:"latest"` // ts of their newest message
}

// unreadOfOthers lists who else has something to read, whoever got the newest message first.
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
