package github

import (
	"context"
	"regexp"
	"strconv"
	"strings"

	"github.com/google/go-github/v93/github"

	"accessbot/activities/connector"
)

// MaxNameBytes is the longest name of an account or object: "team:" and a slug.
const MaxNameBytes = 255

// States and roles, as GitHub calls them ("Get organization membership for a
// user", "Get team membership for a user").
const (
	active  = "active"
	pending = "pending"
	member  = "member"
	owner   = "admin"
)

// Object names. Each object has one name, so that no two assignments are the same.
const (
	organizationObject = "organization"
	teamPrefix         = "team:"
)

var (
	slugForm  = regexp.MustCompile(`^[a-z0-9_-]{1,250}$`)
	loginForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$`) // managed users end with _SHORTCODE
	idForm    = regexp.MustCompile(`^[1-9][0-9]{0,17}$`)
)

// assignment is an assignment with its team and user.
type assignment struct {
	connector.Assignment
	team string // slug; empty: the organization
	user *github.User
}

func (s assignment) name() string {
	if s.team == "" {
		return "the organization"
	}
	return "team " + s.team
}

func (s assignment) acceptance() string { return s.user.GetLogin() + " to accept GitHub's invitation" }

// find looks up both names, the object first.
func (c *Connector) find(ctx context.Context, a connector.Assignment) (assignment, error) {
	s := assignment{Assignment: a}
	team, isTeam := strings.CutPrefix(a.Object, teamPrefix)
	switch {
	case isTeam && slugForm.MatchString(team):
		s.team = team
	case a.Object != organizationObject:
		return s, &connector.Refused{
			Part:   connector.Object,
			Name:   a.Object,
			Reason: "is neither team:SLUG, as in the team's URL, nor organization",
		}
	}
	if form := c.accountForm(); !form.MatchString(a.Account) {
		return s, &connector.Refused{
			Part:   connector.Account,
			Name:   a.Account,
			Reason: "is not a GitHub " + c.accountWord() + ": list it in accounts.csv of the directory",
		}
	}
	if err := c.findObject(ctx, s); err != nil {
		return s, err
	}
	user, err := c.findUser(ctx, a.Account)
	s.user = user
	return s, err
}

func (c *Connector) accountForm() *regexp.Regexp {
	if c.byID {
		return idForm
	}
	return loginForm
}

func (c *Connector) accountWord() string {
	if c.byID {
		return "user ID"
	}
	return "login"
}

func (c *Connector) findObject(ctx context.Context, s assignment) error {
	if s.team == "" {
		return c.requireOwner(ctx)
	}
	_, _, err := c.client.Teams.GetTeamBySlug(ctx, c.organization, s.team)
	if !isNotFound(err) {
		return err
	}
	if err := c.requireOwner(ctx); err != nil {
		return err // only owners see every team
	}
	return &connector.Gone{Part: connector.Object, Name: s.Object}
}

// requireOwner returns an error unless the token's user is an owner, who sees every team and member.
func (c *Connector) requireOwner(ctx context.Context) error {
	membership, _, err := c.client.Organizations.GetOrgMembership(ctx, "", c.organization)
	switch {
	case isNotFound(err):
		return &connector.Denied{Err: err, Fix: "use the token of an owner of organization " + c.organization +
			", with scope admin:org: this token cannot see the organization"}
	case err != nil:
		return err
	case membership.GetState() != active || membership.GetRole() != owner:
		return &connector.Denied{
			Fix: "make the token's user an owner of organization " + c.organization + ": other users cannot see every team",
		}
	default:
		return nil
	}
}

func (c *Connector) findUser(ctx context.Context, account string) (*github.User, error) {
	var user *github.User
	var err error
	if c.byID {
		id, _ := strconv.ParseInt(account, 10, 64) // cannot fail: idForm allows 18 digits
		user, _, err = c.client.Users.GetByID(ctx, id)
	} else {
		user, _, err = c.client.Users.Get(ctx, account)
	}
	if isNotFound(err) {
		return nil, &connector.Gone{Part: connector.Account, Name: account}
	}
	return user, err
}

// state returns the state of an assignment, and the member's role.
func (c *Connector) state(ctx context.Context, s assignment) (connector.State, string, error) {
	var membership *github.Membership
	var err error
	if s.team == "" {
		membership, _, err = c.client.Organizations.GetOrgMembership(ctx, s.user.GetLogin(), c.organization)
	} else {
		membership, _, err = c.client.Teams.GetTeamMembershipBySlug(ctx, c.organization, s.team, s.user.GetLogin())
	}
	switch {
	case isNotFound(err):
		return connector.State{}, "", nil
	case err != nil:
		return connector.State{}, "", err
	case membership.GetState() == pending:
		return connector.State{Pending: true, On: connector.PendingOnHolder, WaitsFor: s.acceptance()}, membership.GetRole(), nil
	case membership.GetState() != active:
		return connector.State{}, "", unexpected(
			"a membership that is neither active nor pending: " + strconv.Quote(membership.GetState()),
		)
	case s.team == "":
		return connector.State{Held: true}, membership.GetRole(), nil
	}
	direct, err := c.isDirect(ctx, s)
	return connector.State{Held: direct}, membership.GetRole(), err
}

// mayGrant refuses an account that is not a person's or is the token's own. It also refuses another spelling of a login: GitHub
// accepts any letter case, but here two spellings would be two assignments.
func (c *Connector) mayGrant(ctx context.Context, s assignment) error {
	if err := c.refuseOwn(ctx, s); err != nil {
		return err
	}
	switch {
	case s.user.GetType() == "":
		return unexpected("an account without a type")
	case s.user.GetType() != "User":
		return &connector.Refused{
			Part:   connector.Account,
			Name:   s.Account,
			Reason: "is not a person's, but of type " + s.user.GetType(),
		}
	case !c.byID && s.user.GetLogin() != s.Account:
		return &connector.Refused{
			Part:   connector.Account,
			Name:   s.Account,
			Reason: "is spelled " + s.user.GetLogin() + " on GitHub: use that spelling in accounts.csv",
		}
	default:
		return nil
	}
}

// refuseOwn refuses the token's own user.
func (c *Connector) refuseOwn(ctx context.Context, s assignment) error {
	own, err := c.own(ctx)
	if err != nil {
		return err
	}
	if s.user.GetID() == own {
		return &connector.Refused{Part: connector.Account, Name: s.Account, Reason: "is the user of this program's token"}
	}
	return nil
}

// mayInvite refuses to grant to users who are not members, which would invite them, if the settings refuse invitations.
func (c *Connector) mayInvite(ctx context.Context, s assignment) error {
	if c.invites {
		return nil
	}
	if s.team != "" {
		membership, _, err := c.client.Organizations.GetOrgMembership(ctx, s.user.GetLogin(), c.organization)
		switch {
		case err == nil && membership.GetState() == active:
			return nil
		case err != nil && !isNotFound(err):
			return err
		}
	}
	return &connector.Refused{
		Part:   connector.Account,
		Name:   s.Account,
		Reason: "is not a member of the organization, and the settings refuse invitations",
	}
}
