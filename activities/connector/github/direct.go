package github

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/google/go-github/v93/github"

	"accessbot/activities/connector"
)

// In the REST API, the members of a team include those of its child teams ("Get team membership for a user", "List team
// members"). Only GraphQL returns direct members (TeamMembershipType: IMMEDIATE).
const membersQuery = `
query($organization: String!, $team: String!, $search: String, $size: Int!, $after: String) {
  organization(login: $organization) {
    team(slug: $team) {
      members(membership: IMMEDIATE, query: $search, first: $size, after: $after) {
        nodes { login databaseId }
        pageInfo { hasNextPage endCursor }
      }
    }
  }
}`

// person is a member in a GraphQL response.
type person struct {
	Login string `json:"login"`
	ID    int64  `json:"databaseId"`
}

type membersReply struct {
	Data struct {
		Organization *struct {
			Team *struct {
				Members struct {
					Nodes    []person `json:"nodes"`
					PageInfo struct {
						HasNextPage bool   `json:"hasNextPage"`
						EndCursor   string `json:"endCursor"`
					} `json:"pageInfo"`
				} `json:"members"`
			} `json:"team"`
		} `json:"organization"`
	} `json:"data"`
	Errors []graphQLError `json:"errors"`
}

type graphQLError struct {
	Type    string `json:"type"`
	Message string `json:"message"`
}

// directMembers returns a page of a team's direct members, and the cursor of the next page; empty on the last one. If search is
// not empty, only members who match it are returned.
func (c *Connector) directMembers(ctx context.Context, team, search, after string) (page []person, next string, err error) {
	variables := map[string]any{"organization": c.organization, "team": team, "size": c.pageSize}
	if search != "" {
		variables["search"] = search
	}
	if after != "" {
		variables["after"] = after
	}
	request, err := c.client.NewRequest(
		ctx,
		http.MethodPost,
		c.graphQLPath(),
		map[string]any{"query": membersQuery, "variables": variables},
	)
	if err != nil {
		return nil, "", err
	}
	var reply membersReply
	response, err := c.client.Do(request, &reply)
	switch {
	case err != nil:
		return nil, "", err
	case len(reply.Errors) > 0:
		return nil, "", graphQLFailed(response.Header, reply.Errors[0])
	case reply.Data.Organization == nil || reply.Data.Organization.Team == nil:
		return nil, "", unexpected("no team " + team + ", which existed a moment ago")
	}
	members := reply.Data.Organization.Team.Members
	if members.PageInfo.HasNextPage {
		if next = members.PageInfo.EndCursor; next == "" || next == after {
			return nil, "", unexpected("a list of members that never ends")
		}
	}
	return members.Nodes, next, nil
}

// graphQLPath returns the path of the GraphQL API: next to REST on an Enterprise Server, below it on github.com ("Forming calls
// with GraphQL").
func (c *Connector) graphQLPath() string {
	if strings.HasSuffix(c.client.BaseURL(), "/api/v3/") {
		return "/api/graphql"
	}
	return "graphql"
}

// isDirect reports whether the user is a direct member of the team. A search usually finds the user with one request. It can miss
// members, so if it finds nothing, all pages are read.
func (c *Connector) isDirect(ctx context.Context, s assignment) (bool, error) {
	found := func(page []person) bool {
		for _, p := range page {
			if p.ID == s.user.GetID() {
				return true
			}
		}
		return false
	}
	page, _, err := c.directMembers(ctx, s.team, s.user.GetLogin(), "")
	if err != nil || found(page) {
		return err == nil, err
	}
	for after := ""; ; {
		page, next, err := c.directMembers(ctx, s.team, "", after)
		if err != nil || found(page) {
			return err == nil, err
		}
		if next == "" {
			return false, nil
		}
		after = next
	}
}

// List lists the direct members of every team, except the token's user, and the members of the organization, except its owners.
// Open invitations are left out. Each page is a separate call, so fn may be slow.
func (c *Connector) List(ctx context.Context, fn func(connector.Assignment) error) error {
	var own int64
	err := c.call(ctx, func(ctx context.Context) (err error) {
		if err := c.requireOwner(ctx); err != nil {
			return err
		}
		own, err = c.own(ctx)
		return err
	})
	if err != nil {
		return err
	}
	if err := c.listTeams(ctx, func(team string) error { return c.listTeam(ctx, team, own, fn) }); err != nil {
		return err
	}
	return c.pages(ctx, func(ctx context.Context, options github.ListOptions) (*github.Response, func() error, error) {
		members, response, err := c.client.Organizations.ListMembers(
			ctx,
			c.organization,
			&github.ListMembersOptions{Role: member, ListOptions: options},
		)
		return response, func() error {
			for _, user := range members {
				if err := fn(
					connector.Assignment{Account: c.account(person{user.GetLogin(), user.GetID()}), Object: organizationObject},
				); err != nil {
					return err
				}
			}
			return nil
		}, err
	})
}

func (c *Connector) listTeams(ctx context.Context, fn func(slug string) error) error {
	return c.pages(ctx, func(ctx context.Context, options github.ListOptions) (*github.Response, func() error, error) {
		teams, response, err := c.client.Teams.ListTeams(ctx, c.organization, &options)
		return response, func() error {
			for _, team := range teams {
				if err := fn(team.GetSlug()); err != nil {
					return err
				}
			}
			return nil
		}, err
	})
}

// pages fetches one page after another, each in a call of its own, and processes each page outside of that call.
func (c *Connector) pages(
	ctx context.Context,
	fetch func(context.Context, github.ListOptions) (*github.Response, func() error, error),
) error {
	options := github.ListOptions{PerPage: c.pageSize, Page: 1}
	for options.Page != 0 {
		var process func() error
		err := c.call(ctx, func(ctx context.Context) error {
			response, processPage, err := fetch(ctx, options)
			if err != nil {
				return err
			}
			process, options.Page = processPage, response.NextPage
			return nil
		})
		if err != nil {
			return err
		}
		if err := process(); err != nil {
			return err
		}
	}
	return nil
}

func (c *Connector) listTeam(ctx context.Context, team string, own int64, fn func(connector.Assignment) error) error {
	for after := ""; ; {
		var page []person
		var next string
		err := c.call(ctx, func(ctx context.Context) (err error) {
			page, next, err = c.directMembers(ctx, team, "", after)
			return err
		})
		if err != nil {
			return fmt.Errorf("members of team %s: %w", team, err)
		}
		for _, p := range page {
			if p.ID == own {
				continue
			}
			if err := fn(connector.Assignment{Account: c.account(p), Object: teamPrefix + team}); err != nil {
				return err
			}
		}
		if next == "" {
			return nil
		}
		after = next
	}
}

// account returns the user's account name.
func (c *Connector) account(p person) string {
	if c.byID {
		return strconv.FormatInt(p.ID, 10)
	}
	return p.Login
}
