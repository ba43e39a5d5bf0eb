// Package scim is the connector to groups of services that speak SCIM 2.0 (RFC
// 7643, RFC 7644). An object is a group, an account a user who is its member.
//
// What is true there is looked at before each change: services exist that add a
// member twice. Answers are taken apart strictly: one that is not what was asked
// for is an error, never "not held".
package scim

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"accessbot/activities/connector"
	"accessbot/activities/connector/httptarget"
)

// MaxNameBytes is the longest name of a user or group that is looked for.
const MaxNameBytes = 255

// Connector implements connector.Connector, connector.Lister and
// connector.Checker; what Settings.Open makes is a connector.AccountCreator too,
// where the settings say so.
type Connector struct {
	service          *service
	host             string        // for people
	bound            time.Duration // no call takes longer
	page             int           // resources asked for at once
	accountAttribute string
	groupAttribute   string
}

// call runs f for at most c.bound and classifies its error.
func (c *Connector) call(ctx context.Context, f func(ctx context.Context) error) error {
	bounded, cancel := context.WithTimeout(ctx, c.bound)
	defer cancel()
	return httptarget.Classify(ctx, "the SCIM service", f(bounded))
}

// Close releases idle connections.
func (c *Connector) Close() error {
	c.service.client.CloseIdleConnections()
	return nil
}

// assignment is an assignment as it was found: the group, the user, and whether one is
// a member of the other.
type assignment struct {
	group  string // ID
	user   string // ID
	active bool   // the user is not disabled
	held   bool
}

// find looks an assignment up, the group first.
func (c *Connector) find(ctx context.Context, a connector.Assignment) (assignment, error) {
	if err := checkName(connector.Object, a.Object); err != nil {
		return assignment{}, err
	}
	if err := checkName(connector.Account, a.Account); err != nil {
		return assignment{}, err
	}
	group, err := c.group(ctx, a.Object)
	if err != nil {
		return assignment{}, err
	}
	user, err := c.user(ctx, a.Account)
	if err != nil {
		return assignment{}, err
	}
	s := assignment{group: group.ID, user: user.ID, active: user.Active == nil || *user.Active}
	err = c.service.members(ctx, group.ID, func(id string) error {
		if id == user.ID {
			s.held = true
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return s, err
}

// errEnough ends the reading of members.
var errEnough = errors.New("enough")

// Read looks for the account among the group's members.
func (c *Connector) Read(ctx context.Context, a connector.Assignment) (state connector.State, err error) {
	err = c.call(ctx, func(ctx context.Context) error {
		s, err := c.find(ctx, a)
		state.Held = s.held
		return err
	})
	if err != nil {
		return connector.State{}, err
	}
	return state, nil
}

// Grant adds the account to the group's members. A user who is disabled there is
// refused: someone meant them to have nothing.
func (c *Connector) Grant(ctx context.Context, a connector.Assignment) error {
	return c.call(ctx, func(ctx context.Context) error {
		s, err := c.find(ctx, a)
		switch {
		case err != nil:
			return err
		case !s.active:
			return &connector.Refused{Part: connector.Account, Name: a.Account, Reason: "is disabled there"}
		case s.held:
			return nil
		}
		return c.service.patch(ctx, s.group, operation{Op: "add", Path: "members", Value: []member{{Value: s.user}}})
	})
}

// Take removes the account from the group's members, however often it is there.
func (c *Connector) Revoke(ctx context.Context, a connector.Assignment) error {
	return c.call(ctx, func(ctx context.Context) error {
		s, err := c.find(ctx, a)
		if err != nil || !s.held {
			return err
		}
		return c.service.patch(ctx, s.group, operation{Op: "remove", Path: "members[value eq " + quote(s.user) + "]"})
	})
}

// creator is a Connector that creates missing accounts.
type creator struct{ *Connector }

// CreateAccount creates an active user of that name, and of that e-mail where the
// name is one. A service that says that such a user exists (409, RFC 7644, 3.3)
// and shows none is asked again: a colleague of this call was faster, or the user
// is one that the token may not see, and then people have to look.
func (c creator) CreateAccount(ctx context.Context, account string) error {
	if err := checkName(connector.Account, account); err != nil {
		return err
	}
	return c.call(ctx, func(ctx context.Context) error {
		_, err := c.user(ctx, account)
		var gone *connector.Gone
		if !errors.As(err, &gone) {
			return err
		}
		conflict, err := c.service.createUser(ctx, account)
		if err != nil || !conflict {
			return err
		}
		if _, err = c.user(ctx, account); errors.As(err, &gone) {
			return &connector.Unavailable{Err: fmt.Errorf("the SCIM service says that user %q exists, and does not show it: "+
				"if that stays so, look whether it is deleted, or hidden from the token", account)}
		}
		return err
	})
}

// group finds the one group of a name.
func (c *Connector) group(ctx context.Context, name string) (resource, error) {
	// The service compares names without regard to case (RFC 7643, 4.2): we do not.
	return c.one(ctx, connector.Object, name, c.groupAttribute, "/Groups", url.Values{"excludedAttributes": {"members"}},
		func(r resource) bool { return c.nameOfGroup(r) == name })
}

func (c *Connector) nameOfGroup(r resource) string {
	if c.groupAttribute == "externalId" {
		return r.ExternalID
	}
	return r.DisplayName
}

// user finds the one user of a name. userName has no case (RFC 7643, 4.1.1).
func (c *Connector) user(ctx context.Context, name string) (resource, error) {
	return c.one(ctx, connector.Account, name, c.accountAttribute, "/Users", url.Values{"attributes": {"userName,externalId,active"}},
		func(r resource) bool {
			if c.accountAttribute == "externalId" {
				return r.ExternalID == name
			}
			return lowerASCII(r.UserName) == lowerASCII(name)
		})
}

// lowerASCII lowers ASCII letters alone. In Unicode's case folding other characters become them too (U+212A is k), and the name
// of one user would be that of another.
func lowerASCII(name string) string {
	lower := []byte(name)
	for i, b := range lower {
		if 'A' <= b && b <= 'Z' {
			lower[i] = b + ('a' - 'A')
		}
	}
	return string(lower)
}

// one finds the resource that match is true of. None is *connector.Gone; two are
// an error: which of them was meant, no one knows.
func (c *Connector) one(ctx context.Context, part connector.Part, name, attribute, path string, query url.Values, match func(resource) bool) (resource, error) {
	query.Set("filter", attribute+" eq "+quote(name))
	var found []resource
	err := c.service.pages(ctx, path, query, c.page, func(r resource) error {
		if match(r) {
			found = append(found, r)
		}
		if len(found) > 1 {
			return &connector.Denied{Do: fmt.Sprintf("grant the %ss whose %s is %q different names there: there is more than one", part, attribute, name)}
		}
		return nil
	})
	switch {
	case err != nil:
		return resource{}, err
	case len(found) == 0:
		return resource{}, &connector.Gone{Part: part, Name: name}
	}
	return found[0], nil
}

// List tells the members of every group. It holds the names of all users in
// memory: members are told by their IDs only.
func (c *Connector) List(ctx context.Context, fn func(connector.Assignment) error) error {
	users, groups := map[string]string{}, map[string]string{}
	err := c.listing(ctx, "/Users", url.Values{"attributes": {"userName,externalId"}}, func(r resource) {
		users[r.ID] = r.UserName
		if c.accountAttribute == "externalId" {
			users[r.ID] = r.ExternalID
		}
	})
	if err != nil {
		return err
	}
	err = c.listing(ctx, "/Groups", url.Values{"excludedAttributes": {"members"}}, func(r resource) { groups[r.ID] = c.nameOfGroup(r) })
	if err != nil {
		return err
	}
	for id, name := range groups {
		if name == "" {
			continue
		}
		told := map[string]bool{}
		err := c.call(ctx, func(ctx context.Context) error {
			return c.service.members(ctx, id, func(user string) error {
				if users[user] != "" { // members may be groups, or users who are no more
					told[users[user]] = true
				}
				return nil
			})
		})
		switch {
		case connector.ClassOf(err) == connector.ClassGone: // meanwhile
			continue
		case err != nil:
			return err
		}
		for account := range told {
			if err := fn(connector.Assignment{Account: account, Object: name}); err != nil {
				return err
			}
		}
	}
	return nil
}

// listing reads all resources of a kind, each page in a call of its own.
func (c *Connector) listing(ctx context.Context, path string, query url.Values, fn func(resource)) error {
	for start, total := 1, 1; start <= total; {
		var p listResponse
		err := c.call(ctx, func(ctx context.Context) (err error) {
			p, err = c.service.list(ctx, path, query, start, c.page)
			return err
		})
		if err != nil {
			return err
		}
		for _, r := range p.Resources {
			fn(r)
		}
		if len(p.Resources) == 0 {
			return nil
		}
		start, total = start+len(p.Resources), p.TotalResults
	}
	return nil
}

// Check says how much there is, and that the service can do what is asked of it.
func (c *Connector) Check(ctx context.Context) (report string, err error) {
	err = c.call(ctx, func(ctx context.Context) error {
		var groups, users listResponse
		if groups, err = c.service.list(ctx, "/Groups", url.Values{"excludedAttributes": {"members"}}, 1, 1); err != nil {
			return err
		}
		if users, err = c.service.list(ctx, "/Users", url.Values{"attributes": {"userName"}}, 1, 1); err != nil {
			return err
		}
		var can struct {
			Patch  struct{ Supported bool } `json:"patch"`
			Filter struct{ Supported bool } `json:"filter"`
		}
		if err := c.service.get(ctx, "/ServiceProviderConfig", nil, &can); err != nil {
			return err
		}
		if !can.Patch.Supported || !can.Filter.Supported {
			return &connector.Denied{Do: "use another connector: this service says that it has no PATCH or no filter, so members cannot be changed one by one"}
		}
		report = fmt.Sprintf("%s: %d users, %d groups", c.host, users.TotalResults, groups.TotalResults)
		return nil
	})
	return report, err
}

// checkName refuses what cannot be a name, before anything is asked.
func checkName(part connector.Part, name string) error {
	var reason string
	switch {
	case name == "":
		reason = "is empty"
	case len(name) > MaxNameBytes:
		reason = fmt.Sprintf("is longer than %d bytes", MaxNameBytes)
	case !utf8.ValidString(name):
		reason = "is not UTF-8"
	case strings.ContainsFunc(name, unicode.IsControl):
		reason = "has control characters"
	default:
		return nil
	}
	return &connector.Refused{Part: part, Name: name, Reason: reason}
}

// refusal is what an answer of an unwelcome status means.
func refusal(status int, header http.Header, err error) error {
	if wait, limited := httptarget.RateLimited(status, header); limited {
		return &connector.RateLimited{RetryAfter: wait, Err: err}
	}
	switch {
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return &connector.Denied{Err: err, Do: "renew the token, or grant it the right to read users and to change groups"}
	case status >= 300 && status < 400:
		return &connector.Denied{Err: err, Do: "set url to where the SCIM service really is: redirects are not followed"}
	case status == http.StatusNotFound, status == http.StatusConflict, status == http.StatusPreconditionFailed,
		status == http.StatusRequestTimeout, status >= 500, status < 300:
		// Not found was just there: the next look says what is true. Or a proxy says so.
		return &connector.Unavailable{Err: err}
	default:
		return &connector.Denied{Err: err, Do: "see what the SCIM service says: it understands the request, and will not do it"}
	}
}
