// Package github is the connector to one organization on GitHub or a GitHub Enterprise Server. An object is a team
// ("team:backend") or membership of the organization ("organization"); an account is a GitHub user. It invites users who are
// not members yet, and creates neither users nor teams.
//
// It needs the token of an owner of the organization. Only an owner sees everything, so a 404 counts as missing only after the
// token has been checked.
package github

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/go-github/v93/github"

	"accessbot/activities/connector"
)

// callTimeout limits a call of the connector, which makes several requests.
const callTimeout = 30 * time.Second

// Connector implements connector.Connector, connector.Lister and
// connector.Checker.
type Connector struct {
	client       *github.Client
	http         *http.Client
	organization string
	byID         bool          // account names are user IDs
	invites      bool          // users who are not members of the organization
	token        string        // never shown
	bound        time.Duration // of every call
	pageSize     int           // of every list

	ownID atomic.Int64 // of the token's user; 0: not known yet
}

// Close releases idle connections.
func (c *Connector) Close() error {
	c.http.CloseIdleConnections()
	return nil
}

// call runs f for at most c.bound and classifies its error.
func (c *Connector) call(ctx context.Context, f func(ctx context.Context) error) error {
	bounded, cancel := context.WithTimeout(ctx, c.bound)
	defer cancel()
	return classify(ctx, c.token, f(bounded))
}

// Read reports whether the account is an active, direct member. An open invitation is pending.
func (c *Connector) Read(ctx context.Context, a connector.Assignment) (state connector.State, err error) {
	err = c.call(ctx, func(ctx context.Context) error {
		s, err := c.find(ctx, a)
		if err != nil {
			return err
		}
		state, _, err = c.state(ctx, s)
		return err
	})
	if err != nil {
		return connector.State{}, err
	}
	return state, nil
}

// Grant makes the account a plain member, or invites it. It leaves an existing member alone: adding a maintainer or an owner
// again would make them a plain member.
func (c *Connector) Grant(ctx context.Context, a connector.Assignment) error {
	return c.call(ctx, func(ctx context.Context) error {
		s, err := c.find(ctx, a)
		if err != nil {
			return err
		}
		if err := c.mayGrant(ctx, s); err != nil {
			return err
		}
		state, _, err := c.state(ctx, s)
		switch {
		case err != nil:
			return err
		case state.Confirms(true):
			return nil
		case state.Pending:
			return connector.NewPending(a, state)
		}
		if err := c.mayInvite(ctx, s); err != nil {
			return err
		}
		membership, err := c.add(ctx, s)
		if err != nil {
			return writeError(err, "add members to "+s.name())
		}
		if membership.GetState() == pending {
			return connector.NewPending(a, connector.State{Pending: true, On: connector.PendingOnHolder, WaitsFor: s.acceptance()})
		}
		return nil
	})
}

// Revoke ends the membership, or withdraws the invitation. An account that is removed from a team stays in the organization.
func (c *Connector) Revoke(ctx context.Context, a connector.Assignment) error {
	return c.call(ctx, func(ctx context.Context) error {
		s, err := c.find(ctx, a)
		if err != nil {
			return err
		}
		if err := c.refuseOwn(ctx, s); err != nil {
			return err
		}
		state, role, err := c.state(ctx, s)
		switch {
		case err != nil:
			return err
		case state.Confirms(false):
			return nil
		case s.team == "" && role == owner:
			return &connector.Refused{
				Part:   connector.Account,
				Name:   a.Account,
				Reason: "is an owner of the organization: only another owner can remove it",
			}
		}
		err = c.remove(ctx, s, state)
		if !isNotFound(err) {
			return writeError(err, "remove members of "+s.name())
		}
		// Someone else removed it, or the token lacks the permission, for which GitHub also returns 404.
		if state, _, stateErr := c.state(ctx, s); stateErr != nil || state.Confirms(false) {
			return stateErr
		}
		return &connector.Unavailable{Err: fmt.Errorf("GitHub found nothing to remove and still shows the membership; "+
			"if that continues, let the token remove members of %s (scope admin:org, or Members: read and write): %w", s.name(), err)}
	})
}

func (c *Connector) add(ctx context.Context, s assignment) (*github.Membership, error) {
	if s.team == "" {
		membership, _, err := c.client.Organizations.EditOrgMembership(
			ctx,
			s.user.GetLogin(),
			c.organization,
			&github.Membership{Role: new(member)},
		)
		return membership, err
	}
	membership, _, err := c.client.Teams.AddTeamMembershipBySlug(
		ctx,
		c.organization,
		s.team,
		s.user.GetLogin(),
		github.AddTeamMembershipRequest{Role: new(member)},
	)
	return membership, err
}

func (c *Connector) remove(ctx context.Context, s assignment, state connector.State) error {
	if s.team == "" {
		_, err := c.client.Organizations.RemoveOrgMembership(ctx, s.user.GetLogin(), c.organization)
		return err
	}
	if state.Pending {
		if invitation, err := c.invitationFor(ctx, s); err != nil {
			return err
		} else if invitation != 0 {
			_, err := c.client.Organizations.CancelInvite(ctx, c.organization, invitation)
			return err
		}
	}
	_, err := c.client.Teams.RemoveTeamMembershipBySlug(ctx, c.organization, s.team, s.user.GetLogin())
	return err
}

// invitationFor returns the ID of the invitation to the organization that this connector sent for this team alone; 0 if there is
// none. Without the team, accepting it would still make the user a member of the organization, who may see its repositories, so
// the whole invitation is withdrawn.
func (c *Connector) invitationFor(ctx context.Context, s assignment) (id int64, err error) {
	own, err := c.own(ctx)
	if err != nil {
		return 0, err
	}
	for invitation, err := range c.client.Organizations.ListPendingOrgInvitationsIter(ctx, c.organization, c.page()) {
		if err != nil {
			return 0, err
		}
		if !strings.EqualFold(invitation.GetLogin(), s.user.GetLogin()) {
			continue
		}
		if invitation.GetInviter().GetID() != own || invitation.GetRole() != "direct_member" {
			return 0, nil
		}
		teams, _, err := c.client.Organizations.ListOrgInvitationTeams(ctx, c.organization, fmt.Sprint(invitation.GetID()), c.page())
		if err != nil || len(teams) != 1 { // if there is one, it is this team, which is pending
			return 0, err
		}
		return invitation.GetID(), nil
	}
	return 0, nil
}

func (c *Connector) page() *github.ListOptions { return &github.ListOptions{PerPage: c.pageSize} }

// own returns the ID of the token's user.
func (c *Connector) own(ctx context.Context) (int64, error) {
	if id := c.ownID.Load(); id != 0 {
		return id, nil
	}
	user, _, err := c.client.Users.Get(ctx, "")
	if err != nil {
		return 0, err
	}
	c.ownID.Store(user.GetID())
	return user.GetID(), nil
}
