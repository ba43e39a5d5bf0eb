// Package github is the connector to one organization at GitHub, or at a GitHub
// Enterprise Server: an object is a team ("team:backend") or membership of the
// organization itself ("organization"), an account a user of GitHub. It invites
// those who are no members yet, and creates neither users nor teams.
//
// It needs the token of an owner of the organization. What such a token does not
// see is not there: so a 404 is believed only after that was made sure.
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

// callTimeout bounds a call of the connector, which is several requests.
const callTimeout = 30 * time.Second

// Connector implements connector.Connector, connector.Lister and
// connector.Checker.
type Connector struct {
	client       *github.Client
	http         *http.Client
	organization string
	byID         bool          // accounts are named by the users' IDs
	invites      bool          // those who are no members of the organization
	token        string        // never told
	bound        time.Duration // no call takes longer
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

// Read tells whether the account is an active, direct member; an open invitation
// is pending.
func (c *Connector) Read(ctx context.Context, a connector.Assignment) (state connector.State, err error) {
	err = c.call(ctx, func(ctx context.Context) error {
		s, err := c.find(ctx, a)
		if err != nil {
			return err
		}
		state, _, err = c.look(ctx, s)
		return err
	})
	if err != nil {
		return connector.State{}, err
	}
	return state, nil
}

// Grant makes the account a plain member, or invites it. An account that is a member
// already stays what they are: asking GitHub for it again would make a
// maintainer, or an owner, a plain member.
func (c *Connector) Grant(ctx context.Context, a connector.Assignment) error {
	return c.call(ctx, func(ctx context.Context) error {
		s, err := c.find(ctx, a)
		if err != nil {
			return err
		}
		if err := c.mayGrant(ctx, s); err != nil {
			return err
		}
		state, _, err := c.look(ctx, s)
		switch {
		case err != nil:
			return err
		case state.Matches(true):
			return nil
		case state.Pending:
			return connector.Waiting(a, state)
		}
		if err := c.mayInvite(ctx, s); err != nil {
			return err
		}
		membership, err := c.add(ctx, s)
		if err != nil {
			return writeError(err, "add members to "+s.what())
		}
		if membership.GetState() == pending {
			return connector.Waiting(a, connector.State{Pending: true, On: connector.OnHolder, WaitsFor: s.acceptance()})
		}
		return nil
	})
}

// Revoke ends the membership, or withdraws the invitation. An account that leaves a team
// stays in the organization.
func (c *Connector) Revoke(ctx context.Context, a connector.Assignment) error {
	return c.call(ctx, func(ctx context.Context) error {
		s, err := c.find(ctx, a)
		if err != nil {
			return err
		}
		if err := c.notOwn(ctx, s); err != nil {
			return err
		}
		state, role, err := c.look(ctx, s)
		switch {
		case err != nil:
			return err
		case state.Matches(false):
			return nil
		case s.team == "" && role == owner:
			return &connector.Refused{Part: connector.Account, Name: a.Account, Reason: "is an owner of the organization: owners leave it by the hand of another one"}
		}
		err = c.remove(ctx, s, state)
		if !isNotFound(err) {
			return writeError(err, "remove members of "+s.what())
		}
		// Someone was faster; or the token may not, which GitHub does not say openly.
		if state, _, lookErr := c.look(ctx, s); lookErr != nil || state.Matches(false) {
			return lookErr
		}
		return &connector.Unavailable{Err: fmt.Errorf("GitHub finds nothing to remove, and shows it all the same; "+
			"if it stays so, let the token remove members of %s (scope admin:org, or Members: read and write): %w", s.what(), err)}
	})
}

func (c *Connector) add(ctx context.Context, s assignment) (*github.Membership, error) {
	if s.team == "" {
		membership, _, err := c.client.Organizations.EditOrgMembership(ctx, s.user.GetLogin(), c.organization, &github.Membership{Role: new(member)})
		return membership, err
	}
	membership, _, err := c.client.Teams.AddTeamMembershipBySlug(ctx, c.organization, s.team, s.user.GetLogin(), github.AddTeamMembershipRequest{Role: new(member)})
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

// invitationFor finds the invitation to the organization that was made for this
// team alone, by this connector; 0: there is none such. Without the team it would
// still make its reader a member of the organization, who may see its
// repositories: so all of it is withdrawn.
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
		if err != nil || len(teams) != 1 { // one is this one: it is pending
			return 0, err
		}
		return invitation.GetID(), nil
	}
	return 0, nil
}

func (c *Connector) page() *github.ListOptions { return &github.ListOptions{PerPage: c.pageSize} }

// own is the ID of the token's user.
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
