package github

import (
	"net"
	"net/http"
	"net/url"
	"regexp"

	"github.com/google/go-github/v93/github"

	"accessbot/activities/connector"
	"accessbot/activities/connector/httptarget"
)

// Settings are the organization and its token.
type Settings struct {
	URL          string           `yaml:"url"`          // of a GitHub Enterprise Server; default: github.com
	Organization string           `yaml:"organization"` // its login
	Token        connector.Secret `yaml:"token"`        // of an owner
	Accounts     string           `yaml:"accounts"`     // what names an account: login (default) or id
	Invitations  string           `yaml:"invitations"`  // to users who are not members: send (default) or refuse
}

// maxResponse limits a response, in bytes. A page of a hundred is far smaller.
const maxResponse = 16 << 20

var organizationForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]{0,99}$`)

// Open returns the connector.
func (s *Settings) Open() (connector.Connector, error) {
	c, err := s.open(httptarget.Transport())
	if err != nil {
		return nil, err // not a nil of the connector's own type
	}
	return c, nil
}

func (s *Settings) open(transport http.RoundTripper) (*Connector, error) {
	base, err := url.Parse(s.URL)
	switch {
	case err != nil || s.URL != "" && (base.Host == "" || base.User != nil || base.RawQuery != "" || base.Fragment != ""):
		return nil, &connector.Denied{
			Fix: "set url to the address of a GitHub Enterprise Server, https://HOST, or leave it out for github.com",
		}
	case s.URL != "" && base.Scheme != "https" && !(base.Scheme == "http" && loopback(base.Hostname())):
		return nil, &connector.Denied{Fix: "set url to an https address: the token must be encrypted on its way"}
	case !organizationForm.MatchString(s.Organization):
		return nil, &connector.Denied{Fix: "set organization to the organization's name in its URL, https://github.com/NAME"}
	case !s.Token.Set():
		return nil, &connector.Denied{Fix: "set token to the token of an owner of the organization, as env:NAME or file:PATH"}
	case s.Accounts != "" && s.Accounts != "login" && s.Accounts != "id":
		return nil, &connector.Denied{Fix: "set accounts to login or id"}
	case s.Invitations != "" && s.Invitations != "send" && s.Invitations != "refuse":
		return nil, &connector.Denied{Fix: "set invitations to send or refuse"}
	}
	httpClient := &http.Client{
		Transport:     httptarget.Bounded(transport, maxResponse),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	options := []github.ClientOptionsFunc{
		github.WithHTTPClient(httpClient), github.WithAuthToken(s.Token.Reveal()), github.WithUserAgent("accessbot"),
		// The library would wait until the hourly reset after any short limit. The caller gets GitHub's own waiting time instead.
		github.WithDisableRateLimitCheck(),
	}
	if s.URL != "" {
		options = append(options, github.WithEnterpriseURLs(s.URL, s.URL))
	}
	client, err := github.NewClient(options...)
	if err != nil {
		return nil, &connector.Denied{Fix: "correct url", Err: err}
	}
	return &Connector{
		client:       client,
		http:         httpClient,
		token:        s.Token.Reveal(),
		organization: s.Organization,
		byID:         s.Accounts == "id",
		invites:      s.Invitations != "refuse",
		bound:        callTimeout,
		pageSize:     100,
	}, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
