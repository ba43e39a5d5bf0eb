package slacksim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// This file is the part of the client API that only the page in the browser uses.

func (s *Server) pageRoutes(handle func(pattern string, h func(r *http.Request) (any, error))) {
	s.mux.HandleFunc("GET /page/{file}", s.servePage)
	s.mux.HandleFunc("GET /archives/{channel}/{message}", s.servePermalink)
	handle("GET /client/workspace", s.clientWorkspace)
	handle("GET /client/people", s.clientPeople)
	handle("GET /client/users/{user}/page", s.clientPage)
	handle("POST /client/users/{user}/read", s.clientRead)
	handle("GET /client/traffic/{seq}", s.clientExchange)
}

// clientWorkspace returns what stays the same while the server runs.
func (s *Server) clientWorkspace(*http.Request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := ""
	if u := s.findUser(s.cfg.As); s.cfg.As != "" && u != nil {
		first = u.Email
	}
	for _, id := range s.order {
		if u := s.users[id]; first == "" && !u.Bot && !u.Deleted {
			first = u.Email
			if first == "" {
				first = u.ID
			}
		}
	}
	return object{
		"start": s.start, "seq": s.seq, "team": s.cfg.TeamName, "app": s.users[botUserID].Name, "as": first,
		"links": append([]Link{}, s.cfg.Links...), "ack_ms": s.cfg.AckTimeout.Milliseconds(),
	}, nil
}

// clientPeople finds people whose name and e-mail address contain every word of q. Those whose name or address begins with q
// come first. With "ids" it returns those users instead.
func (s *Server) clientPeople(r *http.Request) (any, error) {
	if ids := r.URL.Query().Get("ids"); ids != "" {
		return s.named(strings.Split(ids, ",")), nil
	}
	limit, err := number(r, "limit", 20)
	if err != nil {
		return nil, err
	}
	q := strings.ToLower(strings.TrimSpace(r.URL.Query().Get("q")))
	words := strings.Fields(q)
	s.mu.Lock()
	defer s.mu.Unlock()
	var first, rest []User
	for _, id := range s.order {
		u := s.users[id]
		if id == botUserID {
			continue
		}
		text := strings.ToLower(u.Name + " " + u.Email)
		if slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(text, word) }) {
			continue
		}
		if strings.HasPrefix(text, q) || strings.HasPrefix(strings.ToLower(u.Email), q) {
			first = append(first, *u)
		} else {
			rest = append(rest, *u)
		}
	}
	found := append(append([]User{}, first...), rest...)
	return object{"total": len(found), "people": found[:min(len(found), limit)]}, nil
}

func (s *Server) named(ids []string) object {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := []User{}
	for _, id := range ids {
		if u := s.users[id]; u != nil {
			found = append(found, *u)
		}
	}
	return object{"total": len(found), "people": found}
}

func number(r *http.Request, name string, absent int) (int, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return absent, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%s must be a number, not %q", name, text)
	}
	return n, nil
}

const (
	pageMessages = 100 // unless the page asks for more
	pageNotices  = 20
	pageOthers   = 30
)

var mentioned = regexp.MustCompile(`(?:<|\\u003c)@([A-Z0-9]+)`)

// clientPage returns all that the page shows for one person: their screen with the newest messages, unread counts, and the
// names of the people mentioned.
func (s *Server) clientPage(r *http.Request) (any, error) {
	limit, err := number(r, "messages", pageMessages)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.findUser(r.PathValue("user"))
	if u == nil || u.ID == botUserID {
		return nil, noUser{r.PathValue("user")}
	}
	sc := s.screen(u)
	earlier := max(0, len(sc.Messages)-limit)
	sc.Messages = sc.Messages[earlier:]
	sc.Notices = sc.Notices[max(0, len(sc.Notices)-pageNotices):]
	raw := encodeJSON(sc)
	names := map[string]string{}
	for _, m := range mentioned.FindAllSubmatch(raw, -1) {
		if v := s.users[string(m[1])]; v != nil {
			names[v.ID] = v.Name
		}
	}
	in := s.inbox(u.ID)
	others := s.unreadOfOthers(u.ID)
	return object{
		"start": s.start, "seq": s.seq, "away": s.away, "screen": json.RawMessage(raw), "earlier": earlier, "names": names,
		"unread": in.unread, "read": in.read, "others": others[:min(len(others), pageOthers)], "others_total": len(others),
	}, nil
}

// clientRead marks all messages up to one as read.
func (s *Server) clientRead(r *http.Request) (any, error) {
	u, err := s.actor(r)
	if err != nil {
		return nil, err
	}
	body, err := read[struct {
		TS string `json:"ts"`
	}](r)
	if err != nil {
		return nil, err
	}
	if !timestamp.MatchString(body.TS) {
		return nil, fmt.Errorf("ts must be the timestamp of a message, not %q", body.TS)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.markRead(u.ID, body.TS)
	return object{"seq": s.seq, "unread": s.inbox(u.ID).unread}, nil
}

var timestamp = regexp.MustCompile(`^[0-9]{1,20}\.[0-9]{6}$`)

// clientExchange returns the contents of one traffic row, as long as they are kept, without tokens.
func (s *Server) clientExchange(r *http.Request) (any, error) {
	seq, err := strconv.ParseInt(r.PathValue("seq"), 10, 64)
	if err != nil {
		return nil, fmt.Errorf("the seq of traffic must be a number, not %q", r.PathValue("seq"))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	x, ok := s.exchanges.of(seq)
	if !ok {
		return nil, gone{"the contents are no longer kept"}
	}
	return x, nil
}
