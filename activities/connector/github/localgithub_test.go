package github

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// localGitHub is a fake of the part of GitHub that the connector uses, written for these tests from GitHub's documentation. The
// quoted titles are those of pages and sections at docs.github.com/rest. No test here calls GitHub itself.
type localGitHub struct {
	server *httptest.Server

	mu          sync.Mutex
	tokens      map[string]*localUser
	scopes      string // of every token; empty: fine-grained tokens, which return none
	users       map[string]*localUser
	org         string
	members     map[string]*localMembership // of the organization, by lower-case login
	teams       map[string]*localTeam
	invitations []*localInvitation
	lastID      int64
	writes      []string // method and path of each change
	searches    int      // GraphQL requests
	intercept   func(w http.ResponseWriter, r *http.Request) bool
}

type localUser struct {
	ID    int64  `json:"id"`
	Login string `json:"login"`
	Type  string `json:"type"`
}

type localMembership struct {
	State string `json:"state"`
	Role  string `json:"role"`
}

type localTeam struct {
	slug, parent string
	synced       bool              // with an identity provider
	direct       map[string]string // role by lower-case login
}

// localInvitation is an invitation to the organization, with its teams.
type localInvitation struct {
	ID      int64      `json:"id"`
	Login   string     `json:"login"`
	Role    string     `json:"role"`
	Inviter *localUser `json:"inviter"`
	teams   []string
}

const (
	localToken = "ghp_hunter2hunter2hunter2"
	localOrg   = "Acme-Corp"
)

func newLocalGitHub(t *testing.T) *localGitHub {
	t.Helper()
	g := &localGitHub{
		tokens: map[string]*localUser{}, scopes: "admin:org, read:user", users: map[string]*localUser{}, org: localOrg,
		members: map[string]*localMembership{}, teams: map[string]*localTeam{},
	}
	g.tokens[localToken] = g.addUser("accessbot-app", "User")
	g.members["accessbot-app"] = &localMembership{State: active, Role: owner}
	g.addUser(localOrg, "Organization")
	g.server = httptest.NewServer(http.HandlerFunc(g.serve))
	t.Cleanup(g.server.Close)
	return g
}

func (g *localGitHub) addr(t *testing.T) string {
	t.Helper()
	addr := g.server.Listener.Addr().String()
	host, _, err := net.SplitHostPort(addr)
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1", host)
	return addr
}

// do runs f while it holds the lock.
func (g *localGitHub) do(f func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	f()
}

func (g *localGitHub) addUser(login, kind string) *localUser {
	g.lastID++
	u := &localUser{ID: 1000 + g.lastID, Login: login, Type: kind}
	g.users[strings.ToLower(login)] = u
	return u
}

func (g *localGitHub) addTeam(slug, parent string) *localTeam {
	team := &localTeam{slug: slug, parent: parent, direct: map[string]string{}}
	g.teams[slug] = team
	return team
}

func (g *localGitHub) serve(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.intercept != nil && g.intercept(w, r) {
		return
	}
	// "Troubleshooting the REST API": a bad token is 401, Bad credentials.
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	user, known := g.tokens[token]
	if !known {
		reply(w, http.StatusUnauthorized, message("Bad credentials"))
		return
	}
	// "Scopes for OAuth apps": X-OAuth-Scopes lists the scopes of the token.
	if g.scopes != "" {
		w.Header().Set("X-OAuth-Scopes", g.scopes)
	}
	// "Rate limits for the REST API": every response says how many are left.
	w.Header().Set("X-RateLimit-Limit", "5000")
	w.Header().Set("X-RateLimit-Remaining", "4987")
	w.Header().Set("X-RateLimit-Reset", "1790000000")
	if r.Method != http.MethodGet && r.URL.Path != "/api/graphql" {
		g.writes = append(g.writes, r.Method+" "+r.URL.Path)
	}
	if r.URL.Path == "/api/graphql" { // at an Enterprise Server ("Forming calls with GraphQL")
		g.graphQL(w, r)
		return
	}
	path, _ := strings.CutPrefix(r.URL.Path, "/api/v3/")
	g.rest(w, r, user, strings.Split(path, "/"))
}

func (g *localGitHub) rest(w http.ResponseWriter, r *http.Request, as *localUser, path []string) {
	is := func(pattern ...string) bool {
		if len(path) != len(pattern) {
			return false
		}
		for i, p := range pattern {
			if p != "*" && p != path[i] && !(p == "ORG" && strings.EqualFold(path[i], g.org)) { // its name is not case-sensitive
				return false
			}
		}
		return true
	}
	switch {
	case is("user"): // "Get the authenticated user"
		reply(w, http.StatusOK, as)
	case is("user", "*"): // "Get a user using their ID"
		for _, u := range g.users {
			if strconv.FormatInt(u.ID, 10) == path[1] {
				reply(w, http.StatusOK, u)
				return
			}
		}
		notFound(w)
	case is("users", "*"): // "Get a user"; organizations are found here too
		u, ok := g.users[strings.ToLower(path[1])]
		if !ok {
			notFound(w)
			return
		}
		reply(w, http.StatusOK, u)
	case is("user", "memberships", "orgs", "ORG"): // "Get an organization membership for the authenticated user": 404 if not affiliated
		g.membership(w, as.Login)
	case !g.sees(as): // what a user may not see is 404
		notFound(w)
	case is("orgs", "ORG", "teams"): // "List teams"
		var teams []map[string]any
		for _, slug := range sortedKeys(g.teams) {
			teams = append(teams, map[string]any{"slug": slug})
		}
		paged(w, r, teams)
	case is("orgs", "ORG", "teams", "*"): // "Get a team by name"
		if _, ok := g.teams[path[3]]; !ok {
			notFound(w)
			return
		}
		reply(w, http.StatusOK, map[string]any{"slug": path[3]})
	case is("orgs", "ORG", "teams", "*", "memberships", "*"):
		g.teamMembership(w, r, as, path[3], path[5])
	case is("orgs", "ORG", "members"): // "List organization members"
		var members []*localUser
		for _, login := range sortedKeys(g.members) {
			m, role := g.members[login], r.URL.Query().Get("role")
			if m.State == active && (role == "" || role == "all" || role == m.Role) {
				members = append(members, g.users[login])
			}
		}
		paged(w, r, members)
	case is("orgs", "ORG", "memberships", "*"):
		g.orgMembership(w, r, as, path[3])
	case is("orgs", "ORG", "invitations"): // "List pending organization invitations"
		paged(w, r, g.invitations)
	case is("orgs", "ORG", "invitations", "*", "teams"): // "List organization invitation teams"
		invitation := g.invitation(func(i *localInvitation) bool { return strconv.FormatInt(i.ID, 10) == path[3] })
		if invitation == nil {
			notFound(w)
			return
		}
		var teams []map[string]any
		for _, slug := range invitation.teams {
			teams = append(teams, map[string]any{"slug": slug})
		}
		paged(w, r, teams)
	case is("orgs", "ORG", "invitations", "*") && r.Method == http.MethodDelete: // "Cancel an organization invitation"
		invitation := g.invitation(func(i *localInvitation) bool { return strconv.FormatInt(i.ID, 10) == path[3] })
		if invitation == nil {
			notFound(w)
			return
		}
		g.leave(invitation.Login)
		w.WriteHeader(http.StatusNoContent)
	default:
		notFound(w)
	}
}

// sees reports whether the user sees the organization: only members do.
func (g *localGitHub) sees(as *localUser) bool {
	m := g.members[strings.ToLower(as.Login)]
	return m != nil && m.State == active
}

func (g *localGitHub) isOwner(as *localUser) bool {
	m := g.members[strings.ToLower(as.Login)]
	return m != nil && m.State == active && m.Role == owner
}

func (g *localGitHub) membership(w http.ResponseWriter, login string) {
	m, ok := g.members[strings.ToLower(login)]
	if !ok {
		notFound(w)
		return
	}
	reply(w, http.StatusOK, m)
}

// orgMembership handles "Get / Set / Remove organization membership for a user".
func (g *localGitHub) orgMembership(w http.ResponseWriter, r *http.Request, as *localUser, login string) {
	user, ok := g.users[strings.ToLower(login)]
	if !ok {
		notFound(w)
		return
	}
	m := g.members[strings.ToLower(login)]
	switch r.Method {
	case http.MethodGet:
		g.membership(w, login)
	case http.MethodPut:
		switch role := roleIn(r, member); {
		case !g.isOwner(as): // only owners can
			reply(w, http.StatusForbidden, message("You must be an admin to create an invitation to an organization."))
			return
		case m == nil: // the invited user's state is pending until they accept
			g.invite(user, as, role)
		default: // updates the role, which can demote an owner
			m.Role = role
		}
		g.membership(w, login)
	case http.MethodDelete: // removes a member, or cancels the invitation
		if m == nil {
			notFound(w)
			return
		}
		g.leave(login)
		w.WriteHeader(http.StatusNoContent)
	}
}

// teamMembership handles "Get / Add or update / Remove team membership for a user".
func (g *localGitHub) teamMembership(w http.ResponseWriter, r *http.Request, as *localUser, slug, login string) {
	team, user := g.teams[slug], g.users[strings.ToLower(login)]
	if team == nil || user == nil {
		notFound(w)
		return
	}
	key := strings.ToLower(login)
	switch r.Method {
	case http.MethodGet:
		// "Team members will include the members of child teams." For organization owners the role is maintainer.
		role, in := g.inTeam(team, key)
		switch {
		case in && g.members[key].Role == owner:
			reply(w, http.StatusOK, localMembership{State: active, Role: "maintainer"})
		case in:
			reply(w, http.StatusOK, localMembership{State: active, Role: role})
		case g.invited(key, slug):
			reply(w, http.StatusOK, localMembership{State: pending, Role: member})
		default:
			notFound(w)
		}
	case http.MethodPut:
		switch role := roleIn(r, member); {
		case team.synced: // 403: "Forbidden if team synchronization is set up"
			reply(w, http.StatusForbidden, message("This team's members are managed by an identity provider."))
		case user.Type == "Organization": // 422: "Unprocessable Entity if you attempt to add an organization to a team"
			reply(w, http.StatusUnprocessableEntity, message("Cannot add an organization as a member."))
		case !g.isOwner(as): // only owners and maintainers of the team can; others get 404
			notFound(w)
		case g.members[key] != nil && g.members[key].State == active: // already a member: updates the role
			team.direct[key] = role
			reply(w, http.StatusOK, localMembership{State: active, Role: role})
		default: // a user who is not a member is invited, and pending until they accept
			invitation := g.invitation(func(i *localInvitation) bool { return strings.EqualFold(i.Login, login) })
			if invitation == nil {
				invitation = g.invite(user, as, member)
			}
			if !slices.Contains(invitation.teams, slug) {
				invitation.teams = append(invitation.teams, slug)
			}
			reply(w, http.StatusOK, localMembership{State: pending, Role: role})
		}
	case http.MethodDelete: // active and pending; the user stays in the organization, and an invitation to it stays open
		_, direct := team.direct[key]
		switch {
		case team.synced:
			reply(w, http.StatusForbidden, message("This team's members are managed by an identity provider."))
		case !g.isOwner(as) || !direct && !g.invited(key, slug):
			notFound(w)
		default:
			delete(team.direct, key)
			if invitation := g.invitation(func(i *localInvitation) bool { return strings.EqualFold(i.Login, login) }); invitation != nil {
				invitation.teams = slices.DeleteFunc(invitation.teams, func(s string) bool { return s == slug })
			}
			w.WriteHeader(http.StatusNoContent)
		}
	}
}

func (g *localGitHub) inTeam(team *localTeam, key string) (role string, in bool) {
	if role, in = team.direct[key]; in {
		return role, true
	}
	for _, child := range g.teams {
		if child.parent == team.slug {
			if role, in = g.inTeam(child, key); in {
				return role, true
			}
		}
	}
	return "", false
}

func (g *localGitHub) invitation(is func(*localInvitation) bool) *localInvitation {
	if i := slices.IndexFunc(g.invitations, is); i >= 0 {
		return g.invitations[i]
	}
	return nil
}

func (g *localGitHub) invited(key, slug string) bool {
	return g.invitation(func(i *localInvitation) bool {
		return strings.ToLower(i.Login) == key && slices.Contains(i.teams, slug)
	}) != nil
}

func (g *localGitHub) invite(user, as *localUser, role string) *localInvitation {
	g.lastID++
	// "List pending organization invitations": the role is direct_member, admin, and others.
	invitation := &localInvitation{
		ID:      g.lastID,
		Login:   user.Login,
		Inviter: as,
		Role:    map[string]string{member: "direct_member", owner: "admin"}[role],
	}
	g.invitations = append(g.invitations, invitation)
	g.members[strings.ToLower(user.Login)] = &localMembership{State: pending, Role: role}
	return invitation
}

// accept accepts an invitation as the invited user.
func (g *localGitHub) accept(login string) {
	key := strings.ToLower(login)
	g.members[key].State = active
	g.invitations = slices.DeleteFunc(g.invitations, func(i *localInvitation) bool {
		if strings.ToLower(i.Login) != key {
			return false
		}
		for _, slug := range i.teams {
			g.teams[slug].direct[key] = member
		}
		return true
	})
}

// leave removes a user from the organization and its teams ("Remove an organization member").
func (g *localGitHub) leave(login string) {
	key := strings.ToLower(login)
	delete(g.members, key)
	for _, team := range g.teams {
		delete(team.direct, key)
	}
	g.invitations = slices.DeleteFunc(g.invitations, func(i *localInvitation) bool { return strings.ToLower(i.Login) == key })
}

// graphQL handles the connector's one query: members of a team, with membership IMMEDIATE ("GraphQL reference", Team.members,
// TeamMembershipType).
func (g *localGitHub) graphQL(w http.ResponseWriter, r *http.Request) {
	g.searches++
	var asked struct {
		Query     string
		Variables struct {
			Organization, Team, Search, After string
			Size                              int
		}
	}
	if err := json.NewDecoder(r.Body).
		Decode(&asked); err != nil ||
		!strings.Contains(asked.Query, "members(membership: IMMEDIATE, query: $search, first: $size, after: $after)") {
		reply(w, http.StatusOK, map[string]any{"errors": []any{map[string]any{"message": "unknown query"}}})
		return
	}
	team := g.teams[asked.Variables.Team]
	if team == nil || !strings.EqualFold(asked.Variables.Organization, g.org) {
		reply(w, http.StatusOK, map[string]any{"data": map[string]any{"organization": map[string]any{"team": nil}}})
		return
	}
	nodes, next := []map[string]any{}, ""
	for _, key := range sortedKeys(team.direct) {
		if key <= asked.Variables.After || !strings.HasPrefix(key, strings.ToLower(asked.Variables.Search)) {
			continue
		}
		if len(nodes) == asked.Variables.Size {
			next = strings.ToLower(nodes[len(nodes)-1]["login"].(string))
			break
		}
		nodes = append(nodes, map[string]any{"login": g.users[key].Login, "databaseId": g.users[key].ID})
	}
	reply(w, http.StatusOK, map[string]any{"data": map[string]any{"organization": map[string]any{"team": map[string]any{
		"members": map[string]any{"nodes": nodes, "pageInfo": map[string]any{"hasNextPage": next != "", "endCursor": next}}}}}})
}

// paged writes a page of a list: "Using pagination in the REST API": per_page, page, and a Link header.
func paged[T any](w http.ResponseWriter, r *http.Request, all []T) {
	size, page := 30, 1
	if n, err := strconv.Atoi(r.URL.Query().Get("per_page")); err == nil {
		size = n
	}
	if n, err := strconv.Atoi(r.URL.Query().Get("page")); err == nil {
		page = n
	}
	last := max((len(all)+size-1)/size, 1)
	if page < last {
		link := func(page int, rel string) string {
			u := *r.URL
			q := u.Query()
			q.Set("page", strconv.Itoa(page))
			u.RawQuery = q.Encode()
			return fmt.Sprintf(`<http://%s%s>; rel="%s"`, r.Host, u.RequestURI(), rel)
		}
		w.Header().Set("Link", link(page+1, "next")+", "+link(last, "last"))
	}
	from := min((page-1)*size, len(all))
	part := all[from:min(from+size, len(all))]
	if part == nil {
		part = []T{}
	}
	reply(w, http.StatusOK, part)
}

func roleIn(r *http.Request, defaultRole string) string {
	var body struct{ Role string }
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil || body.Role == "" {
		return defaultRole
	}
	return body.Role
}

func sortedKeys[T any](m map[string]T) []string {
	var keys []string
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

func message(text string) map[string]string {
	return map[string]string{"message": text, "documentation_url": "https://docs.github.com/rest"}
}

func notFound(w http.ResponseWriter) { reply(w, http.StatusNotFound, message("Not Found")) }

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client may be gone
}

func bodyOf(text []byte) io.ReadCloser { return io.NopCloser(bytes.NewReader(text)) }
