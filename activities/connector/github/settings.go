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

// Settings say which organization, and with what token.
type Settings struct {
	URL          string           `yaml:"url"`          // of a GitHub Enterprise Server; empty: github.com
	Organization string           `yaml:"organization"` // its login
	Token        connector.Secret `yaml:"token"`        // of an owner
	Accounts     string           `yaml:"accounts"`     // what names an account: login (as when empty) or id
	Invitations  string           `yaml:"invitations"`  // to those who are no members yet: send (as when empty) or refuse
}

// maxAnswer is how many bytes an answer may have: a page of a hundred is far smaller.
const maxAnswer = 16 << 20

var organizationForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]{0,99}$`)

// Open makes the connector.
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
		return nil, &connector.Denied{Do: "set url to where a GitHub Enterprise Server is, https://HOST, or leave it out for github.com"}
	case s.URL != "" && base.Scheme != "https" && !(base.Scheme == "http" && loopback(base.Hostname())):
		return nil, &connector.Denied{Do: "set url to an https address: the token must not travel in the open"}
	case !organizationForm.MatchString(s.Organization):
		return nil, &connector.Denied{Do: "set organization to the organization's name in its address, https://github.com/NAME"}
	case !s.Token.Set():
		return nil, &connector.Denied{Do: "set token to that of an owner of the organization, as env:NAME or file:PATH"}
	case s.Accounts != "" && s.Accounts != "login" && s.Accounts != "id":
		return nil, &connector.Denied{Do: "set accounts to login or id"}
	case s.Invitations != "" && s.Invitations != "send" && s.Invitations != "refuse":
		return nil, &connector.Denied{Do: "set invitations to send or refuse"}
	}
	httpClient := &http.Client{Transport: httptarget.Bounded(transport, maxAnswer), CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	options := []github.ClientOptionsFunc{
		github.WithHTTPClient(httpClient), github.WithAuthToken(s.Token.Reveal()), github.WithUserAgent("accessbot"),
		// It would wait for the hourly limit's end after any short slow-down. What GitHub asks for is told to the caller instead.
		github.WithDisableRateLimitCheck(),
	}
	if s.URL != "" {
		options = append(options, github.WithEnterpriseURLs(s.URL, s.URL))
	}
	client, err := github.NewClient(options...)
	if err != nil {
		return nil, &connector.Denied{Do: "correct url", Err: err}
	}
	return &Connector{
		client: client, http: httpClient, token: s.Token.Reveal(), organization: s.Organization, byID: s.Accounts == "id", invites: s.Invitations != "refuse",
		bound: callTimeout, pageSize: 100,
	}, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
