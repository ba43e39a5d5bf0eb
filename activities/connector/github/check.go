package github

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/go-github/v93/github"

	"accessbot/activities/connector"
)

// Check says which organization is seen, as whom, with what rights, how many
// teams it has, and how many requests are left in this hour.
func (c *Connector) Check(ctx context.Context) (report string, err error) {
	err = c.call(ctx, func(ctx context.Context) error {
		user, response, err := c.client.Users.Get(ctx, "")
		if err != nil {
			return err
		}
		rights := "a fine-grained token"
		// A classic token says what it may; a fine-grained one does not ("Scopes for OAuth apps").
		if scopes := response.Header.Values("X-OAuth-Scopes"); len(scopes) > 0 {
			rights = "scopes " + scopes[0]
			if !hasScope(scopes[0], "admin:org") {
				return &connector.Denied{Do: fmt.Sprintf("grant the token of %s the scope admin:org: it has %q", user.GetLogin(), scopes[0])}
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
		report = fmt.Sprintf("organization %s as %s, an owner, with %s: %d teams", c.organization, user.GetLogin(), rights, count)
		if response.Rate.Limit > 0 { // an Enterprise Server may have none
			report += fmt.Sprintf("; %d of %d requests left until %s", response.Rate.Remaining, response.Rate.Limit, response.Rate.Reset.UTC().Format("15:04 MST"))
		}
		if len(teams) == 0 {
			return nil
		}
		_, _, err = c.directMembers(ctx, teams[0].GetSlug(), "", "") // GraphQL answers too
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
