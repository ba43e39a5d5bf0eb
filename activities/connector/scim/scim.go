// Package scim is the connector to groups of services that support SCIM 2.0 (RFC 7643, RFC 7644). An object is a group, and an
// account is a user, who can be its member.
//
// The connector reads the group before each change, because some services add a member twice. It parses responses strictly: an
// unexpected response is an error, never "not held".
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

// MaxNameBytes is the longest name of a user or group.
const MaxNameBytes = 255

// Connector implements connector.Connector, connector.Lister and connector.Checker. If the settings allow it, Settings.Open
// returns a connector.AccountCreator too.
type Connector struct {
	service          *service
	host             string        // shown in reports
	bound            time.Duration // of every call
	page             int           // resources per page
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

// assignment is an assignment in the service: the group, the user, and whether the user is a member.
type assignment struct {
	group  string // ID
	user   string // ID
	active bool   // the user is not disabled
	held   bool
}

// find looks up an assignment, the group first.
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
			return errStop
		}
		return nil
	})
	if errors.Is(err, errStop) {
		err = nil
	}
	return s, err
}

// errStop stops the reading of members.
var errStop = errors.New("stop")

// Read reports whether the account is a member of the group.
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

// Grant adds the account to the group. A disabled user is refused: someone decided that they have no access.
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

// Revoke removes the account from the group, including duplicates.
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

// CreateAccount creates an active user with that name, and with that email address if the name is one. If the service says that
// the user exists (409, RFC 7644, 3.3), the user is looked up again: a concurrent call may have created it. A user who still
// does not show may be hidden from the token, which an operator has to check.
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
			return &connector.Unavailable{Err: fmt.Errorf("the SCIM service says that user %q exists and does not show it: "+
				"if that continues, check whether it is deleted, or hidden from the token", account)}
		}
		return err
	})
}

// group returns the group with a name.
func (c *Connector) group(ctx context.Context, name string) (resource, error) {
	// The service ignores letter case (RFC 7643, 4.2); assignments do not.
	return c.findOne(ctx, connector.Object, name, c.groupAttribute, "/Groups", url.Values{"excludedAttributes": {"members"}},
		func(r resource) bool { return c.nameOfGroup(r) == name })
}

func (c *Connector) nameOfGroup(r resource) string {
	if c.groupAttribute == "externalId" {
		return r.ExternalID
	}
	return r.DisplayName
}

// user returns the user with a name. userName is not case-sensitive (RFC 7643, 4.1.1).
func (c *Connector) user(ctx context.Context, name string) (resource, error) {
	return c.findOne(
		ctx,
		connector.Account,
		name,
		c.accountAttribute,
		"/Users",
		url.Values{"attributes": {"userName,externalId,active"}},
		func(r resource) bool {
			if c.accountAttribute == "externalId" {
				return r.ExternalID == name
			}
			return lowerASCII(r.UserName) == lowerASCII(name)
		},
	)
}

// lowerASCII lowers only ASCII letters. With Unicode case folding, other characters become ASCII letters (U+212A becomes k),
// and two users would have the same name.
func lowerASCII(name string) string {
	lower := []byte(name)
	for i, b := range lower {
		if 'A' <= b && b <= 'Z' {
			lower[i] = b + ('a' - 'A')
		}
	}
	return string(lower)
}

// findOne returns the resource that matches. If there is none, it returns *connector.Gone. If there are two, it cannot know
// which one is meant, and returns *connector.Denied.
func (c *Connector) findOne(
	ctx context.Context,
	part connector.Part,
	name, attribute, path string,
	query url.Values,
	match func(resource) bool,
) (resource, error) {
	query.Set("filter", attribute+" eq "+quote(name))
	var found []resource
	err := c.service.pages(ctx, path, query, c.page, func(r resource) error {
		if match(r) {
			found = append(found, r)
		}
		if len(found) > 1 {
			return &connector.Denied{Fix: fmt.Sprintf("give the %ss different names: more than one has the %s %q", part, attribute, name)}
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

// List lists the members of every group. It keeps the names of all users in memory, because groups contain only their IDs.
func (c *Connector) List(ctx context.Context, fn func(connector.Assignment) error) error {
	users, groups := map[string]string{}, map[string]string{}
	err := c.readAll(ctx, "/Users", url.Values{"attributes": {"userName,externalId"}}, func(r resource) {
		users[r.ID] = r.UserName
		if c.accountAttribute == "externalId" {
			users[r.ID] = r.ExternalID
		}
	})
	if err != nil {
		return err
	}
	err = c.readAll(
		ctx,
		"/Groups",
		url.Values{"excludedAttributes": {"members"}},
		func(r resource) { groups[r.ID] = c.nameOfGroup(r) },
	)
	if err != nil {
		return err
	}
	for id, name := range groups {
		if name == "" {
			continue
		}
		accounts := map[string]bool{}
		err := c.call(ctx, func(ctx context.Context) error {
			return c.service.members(ctx, id, func(user string) error {
				if users[user] != "" { // a member can also be a group or a deleted user
					accounts[users[user]] = true
				}
				return nil
			})
		})
		switch {
		case connector.ClassOf(err) == connector.ClassGone: // deleted meanwhile
			continue
		case err != nil:
			return err
		}
		for account := range accounts {
			if err := fn(connector.Assignment{Account: account, Object: name}); err != nil {
				return err
			}
		}
	}
	return nil
}

// readAll reads all resources of a kind, each page in a call of its own.
func (c *Connector) readAll(ctx context.Context, path string, query url.Values, fn func(resource)) error {
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

// Check reports the number of users and groups, and that the service has the required features.
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
			return &connector.Denied{
				Fix: "use another connector: this service has no PATCH or no filters, so single members cannot be changed",
			}
		}
		report = fmt.Sprintf("%s: %d users, %d groups", c.host, users.TotalResults, groups.TotalResults)
		return nil
	})
	return report, err
}

// checkName refuses impossible names.
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
		reason = "contains control characters"
	default:
		return nil
	}
	return &connector.Refused{Part: part, Name: name, Reason: reason}
}

// statusError returns the error for a response with an unexpected status.
func statusError(status int, header http.Header, err error) error {
	if wait, limited := httptarget.RateLimited(status, header); limited {
		return &connector.RateLimited{RetryAfter: wait, Err: err}
	}
	switch {
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return &connector.Denied{Err: err, Fix: "renew the token, or give it permission to read users and change groups"}
	case status >= 300 && status < 400:
		return &connector.Denied{Err: err, Fix: "set url to the final address of the SCIM service: redirects are not followed"}
	case status == http.StatusNotFound, status == http.StatusConflict, status == http.StatusPreconditionFailed,
		status == http.StatusRequestTimeout, status >= 500, status < 300:
		// A 404 is about something that existed a moment ago, or comes from a proxy. The next read finds out.
		return &connector.Unavailable{Err: err}
	default:
		return &connector.Denied{Err: err, Fix: "read the reason of the SCIM service: it rejected a valid request"}
	}
}
