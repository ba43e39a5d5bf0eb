package github

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/go-github/v93/github"

	"accessbot/activities/connector"
)

// Check reports the organization, the token's user and permissions, the number of teams, and the requests left this hour.
func (c *Connector) Check(ctx context.Context) (report string, err error) {
	err = c.call(ctx, func(ctx context.Context) error {
		user, response, err := c.client.Users.Get(ctx, "")
		if err != nil {
			return err
		}
		permissions := "a fine-grained token"
		// GitHub returns the scopes of a classic token, and not of a fine-grained one ("Scopes for OAuth apps").
		if scopes := response.Header.Values("X-OAuth-Scopes"); len(scopes) > 0 {
			permissions = "scopes " + scopes[0]
			if !hasScope(scopes[0], "admin:org") {
				return &connector.Denied{
					Fix: fmt.Sprintf("grant the token of %s the scope admin:org: its scopes are %q", user.GetLogin(), scopes[0]),
				}
			}
		}
		if err := c.requireOwner(ctx); err != nil {
			return err
		}
		teams, response, err := c.client.Teams.ListTeams(ctx, c.organization, &github.ListOptions{PerPage: 1})
		if err != nil {
			return err
		}
		count := max(response.LastPage, len(teams))
		report = fmt.Sprintf("organization %s as %s, an owner, with %s: %d teams", c.organization, user.GetLogin(), permissions, count)
		if response.Rate.Limit > 0 { // an Enterprise Server may have no limit
			report += fmt.Sprintf(
				"; %d of %d requests left until %s",
				response.Rate.Remaining,
				response.Rate.Limit,
				response.Rate.Reset.UTC().Format("15:04 MST"),
			)
		}
		if len(teams) == 0 {
			return nil
		}
		_, _, err = c.directMembers(ctx, teams[0].GetSlug(), "", "") // GraphQL works too
		return err
	})
	if err != nil {
		return "", err
	}
	return report, nil
}

func hasScope(scopes, wanted string) bool {
	for scope := range strings.SplitSeq(scopes, ",") {
		if strings.TrimSpace(scope) == wanted {
			return true
		}
	}
	return false
}
