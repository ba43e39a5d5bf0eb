package scim

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"accessbot/activities/connector"
	"accessbot/activities/connector/httptarget"
)

// service is the SCIM service at base.
type service struct {
	base   string // without a trailing slash
	token  string
	client *http.Client
}

// The media type and messages of RFC 7644.
const (
	mediaType    = "application/scim+json"
	schemaList   = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
	schemaPatch  = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
	schemaUser   = "urn:ietf:params:scim:schemas:core:2.0:User"
	maxResponse  = 4 << 20  // bytes
	maxMembers   = 64 << 20 // bytes of a group, whose members are read one at a time
	maxResources = 10_000   // that match one filter
)

// resource is a user or group, with the attributes that are used.
type resource struct {
	ID          string `json:"id"`
	ExternalID  string `json:"externalId"`
	UserName    string `json:"userName"`
	DisplayName string `json:"displayName"`
	Active      *bool  `json:"active"` // nil: the service does not say
}

type listResponse struct {
	Schemas      []string   `json:"schemas"`
	TotalResults int        `json:"totalResults"`
	StartIndex   int        `json:"startIndex"` // 0: the service does not say
	Resources    []resource `json:"Resources"`
}

type member struct {
	Value string `json:"value"`
}

type operation struct {
	Op    string   `json:"op"`
	Path  string   `json:"path"`
	Value []member `json:"value,omitempty"`
}

// list returns a page of resources, beginning with number start.
func (s *service) list(ctx context.Context, path string, query url.Values, start, count int) (listResponse, error) {
	q := url.Values{"startIndex": {strconv.Itoa(start)}, "count": {strconv.Itoa(count)}}
	for name, values := range query {
		q[name] = values
	}
	var p listResponse
	if err := s.get(ctx, path, q, &p); err != nil {
		return listResponse{}, err
	}
	if !slices.Contains(p.Schemas, schemaList) {
		return listResponse{}, unexpected(path, "something other than a list of resources")
	}
	if p.StartIndex != start && (p.StartIndex != 0 || start > 1) {
		return listResponse{}, &connector.Denied{
			Fix: "use another connector: this service ignores startIndex, so it cannot be read page by page",
		}
	}
	for _, r := range p.Resources {
		if r.ID == "" {
			return listResponse{}, unexpected(path, "a resource without an id")
		}
	}
	return p, nil
}

// pages calls fn for all resources that match a filter. An error from fn ends it.
func (s *service) pages(ctx context.Context, path string, query url.Values, count int, fn func(resource) error) error {
	for start, total := 1, 1; start <= total; {
		p, err := s.list(ctx, path, query, start, count)
		if err != nil {
			return err
		}
		if p.TotalResults > maxResources {
			return &connector.Denied{Fix: "use another connector: this service ignores filters"}
		}
		for _, r := range p.Resources {
			if err := fn(r); err != nil {
				return err
			}
		}
		switch {
		case len(p.Resources) == 0 && start <= p.TotalResults:
			return unexpected(path, "fewer resources than its total")
		case len(p.Resources) == 0:
			return nil
		}
		start, total = start+len(p.Resources), p.TotalResults
	}
	return nil
}

// get reads a response into a value.
func (s *service) get(ctx context.Context, path string, query url.Values, into any) error {
	response, err := s.send(ctx, http.MethodGet, path, query, nil)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := httptarget.Body(response, maxResponse)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, into); err != nil {
		return unexpected(path, "invalid JSON")
	}
	return nil
}

// members calls fn for the ID of each member of a group. A group can be large, so members are read one at a time.
func (s *service) members(ctx context.Context, group string, fn func(id string) error) error {
	path := "/Groups/" + url.PathEscape(group)
	response, err := s.send(ctx, http.MethodGet, path, url.Values{"attributes": {"members"}}, nil)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body := &io.LimitedReader{R: response.Body, N: maxMembers}
	id, err := readMembers(json.NewDecoder(body), fn)
	switch {
	case errors.Is(err, errStop):
		return err
	case body.N == 0:
		return &connector.Denied{Fix: fmt.Sprintf("split the group: its members exceed %d bytes", maxMembers)}
	case err != nil && ctx.Err() != nil:
		return err
	case err != nil:
		return unexpected(path, err.Error())
	case id != group: // such as a proxy's error page, which must not count as an empty group
		return unexpected(path, "a resource other than the group")
	}
	return nil
}

// readMembers reads a group, calls fn for each member, and returns the group's ID.
func readMembers(d *json.Decoder, fn func(id string) error) (group string, err error) {
	if err := expect(d, json.Delim('{')); err != nil {
		return "", err
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return "", err
		}
		switch name {
		case "id":
			err = d.Decode(&group)
		case "members":
			err = eachMember(d, fn)
		default:
			var other json.RawMessage
			err = d.Decode(&other)
		}
		if err != nil {
			return "", err
		}
	}
	if err := expect(d, json.Delim('}')); err != nil {
		return "", err
	}
	return group, nil
}

func eachMember(d *json.Decoder, fn func(id string) error) error {
	switch open, err := d.Token(); {
	case err != nil:
		return err
	case open == nil: // null: none (RFC 7643, 2.5)
		return nil
	case open != json.Delim('['):
		return errors.New("members that are not a list")
	}
	for d.More() {
		var m member
		if err := d.Decode(&m); err != nil {
			return err
		}
		if m.Value == "" {
			return errors.New("a member without a value")
		}
		if err := fn(m.Value); err != nil {
			return err
		}
	}
	return expect(d, json.Delim(']'))
}

func expect(d *json.Decoder, want json.Delim) error {
	got, err := d.Token()
	if err == nil && got != want {
		err = fmt.Errorf("%v instead of %v", got, want)
	}
	return err
}

// patch changes a group's members.
func (s *service) patch(ctx context.Context, group string, op operation) error {
	message := struct {
		Schemas    []string    `json:"schemas"`
		Operations []operation `json:"Operations"`
	}{[]string{schemaPatch}, []operation{op}}
	_, err := s.change(ctx, http.MethodPatch, "/Groups/"+url.PathEscape(group), message)
	return err
}

// createUser creates an active user. conflict means that the service says that the user exists.
func (s *service) createUser(ctx context.Context, name string) (conflict bool, err error) {
	type email struct {
		Value   string `json:"value"`
		Primary bool   `json:"primary"`
	}
	user := struct {
		Schemas  []string `json:"schemas"`
		UserName string   `json:"userName"`
		Active   bool     `json:"active"`
		Emails   []email  `json:"emails,omitempty"`
	}{Schemas: []string{schemaUser}, UserName: name, Active: true}
	if strings.Contains(name, "@") {
		user.Emails = []email{{name, true}}
	}
	status, err := s.change(ctx, http.MethodPost, "/Users", user, http.StatusConflict)
	return status == http.StatusConflict, err
}

// change sends a change. The content of the response proves nothing and is ignored.
func (s *service) change(ctx context.Context, method, path string, message any, accepted ...int) (status int, err error) {
	body, err := json.Marshal(message)
	if err != nil {
		return 0, err
	}
	response, err := s.send(ctx, method, path, nil, body, accepted...)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	_, err = httptarget.Body(response, maxMembers) // it may be a group with all its members
	return response.StatusCode, err
}

// send returns a response with status 200, 201, 204 or one of accepted. Any other status is an error.
func (s *service) send(
	ctx context.Context,
	method, path string,
	query url.Values,
	body []byte,
	accepted ...int,
) (*http.Response, error) {
	at := s.base + path
	if len(query) > 0 {
		at += "?" + query.Encode()
	}
	request, err := http.NewRequestWithContext(ctx, method, at, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+s.token)
	request.Header.Set("Accept", mediaType)
	request.Header.Set("User-Agent", "accessbot")
	if body != nil {
		request.Header.Set("Content-Type", mediaType)
	}
	response, err := s.client.Do(request)
	if err != nil {
		return nil, err
	}
	switch status := response.StatusCode; {
	case status == http.StatusOK, status == http.StatusCreated, status == http.StatusNoContent, slices.Contains(accepted, status):
		return response, nil
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, 2000))
	if err != nil {
		return nil, err
	}
	return nil, statusError(response.StatusCode, response.Header,
		fmt.Errorf("%s %s: status %d: %s", method, path, response.StatusCode, s.detail(text)))
}

// detail returns the readable part of an error response (RFC 7644, 3.12).
func (s *service) detail(body []byte) string {
	var message struct {
		Detail   string `json:"detail"`
		ScimType string `json:"scimType"`
	}
	text := string(body)
	if json.Unmarshal(body, &message) == nil && message.Detail != "" {
		text = strings.TrimSpace(message.ScimType + " " + message.Detail)
	}
	text = strings.Join(strings.Fields(strings.ToValidUTF8(strings.ReplaceAll(text, s.token, "(token)"), "")), " ")
	if runes := []rune(text); len(runes) > 200 {
		text = string(runes[:200]) + "…"
	}
	return text
}

// unexpected returns the error for a response that makes no sense, and may not be from the service.
func unexpected(path, what string) error {
	return &connector.Unavailable{Err: fmt.Errorf("the SCIM service responded to %s with %s", path, what)}
}

// quote returns a string for use in a filter, as JSON (RFC 7644, 3.4.2.2).
func quote(s string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		panic("scim: " + err.Error()) // cannot happen: any string can be encoded
	}
	return strings.TrimSuffix(b.String(), "\n")
}
