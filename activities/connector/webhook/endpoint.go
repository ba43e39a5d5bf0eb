package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"accessbot/activities/connector"
	"accessbot/activities/connector/httptarget"
)

// endpoint is the address of a receiver.
type endpoint struct {
	url    *url.URL
	secret string
	client *http.Client
}

// request is the body of a request.
type request struct {
	Version int    `json:"version"`
	Action  string `json:"action"`
	Account string `json:"account,omitempty"`
	Object  string `json:"object,omitempty"`
	ID      string `json:"id,omitempty"`
	Cursor  string `json:"cursor,omitempty"`
}

// reply is a response.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// maxReply limits a response, in bytes.
const maxReply = 1 << 20

// ask sends a signed request. It returns replies with one of the given statuses. Any other status is an error.
func (e *endpoint) ask(ctx context.Context, asked request, statuses ...int) (reply, error) {
	answer, err := e.send(ctx, asked, e.secret)
	if err != nil {
		return reply{}, err
	}
	if slices.Contains(statuses, answer.status) {
		return answer, nil
	}
	return reply{}, e.statusError(asked, answer)
}

func (e *endpoint) send(ctx context.Context, asked request, secret string) (reply, error) {
	asked.Version = 1
	body, err := json.Marshal(asked)
	if err != nil {
		return reply{}, err
	}
	post, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url.String(), bytes.NewReader(body))
	if err != nil {
		return reply{}, err
	}
	timestamp := strconv.FormatInt(time.Now().Unix(), 10)
	post.Header.Set("Content-Type", "application/json")
	post.Header.Set("User-Agent", "accessbot")
	post.Header.Set("Accessbot-Timestamp", timestamp)
	post.Header.Set("Accessbot-Signature", sign(secret, timestamp, post.Method+post.URL.RequestURI(), body))
	// Every request can be repeated. net/http repeats it after a connection died while idle if one of these headers is set. A nil
	// header is not sent.
	post.Header["X-Idempotency-Key"] = nil
	if asked.ID != "" {
		post.Header.Set("Idempotency-Key", asked.ID)
	}
	response, err := e.client.Do(post)
	if err != nil {
		return reply{}, err
	}
	defer response.Body.Close()
	text, err := httptarget.Body(response, maxReply)
	if err != nil {
		return reply{}, err
	}
	return reply{status: response.StatusCode, header: response.Header, body: text}, nil
}

// sign returns the signature that docs/connectors/webhook.md describes. An example of methodAndPath is "POST/accessbot".
func sign(secret, timestamp, methodAndPath string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	fmt.Fprintf(mac, "v1:%s:%s:", timestamp, methodAndPath)
	mac.Write(body)
	return "v1=" + hex.EncodeToString(mac.Sum(nil))
}

// decode decodes the JSON of a reply. Anything else did not come from a receiver.
func (a reply) decode(into any) error {
	if err := json.Unmarshal(a.body, into); err != nil {
		return &connector.Unavailable{
			Err: fmt.Errorf("the response is not from a receiver: status %d, invalid JSON: %w", a.status, err),
		}
	}
	return nil
}

// onlyField returns the value of a field if the reply is JSON with that field and no other; otherwise it returns "".
func (a reply) onlyField(field string) string {
	var fields map[string]string
	if json.Unmarshal(a.body, &fields) != nil || len(fields) != 1 {
		return ""
	}
	return fields[field]
}

// statusError returns the error for a reply with an unexpected status. A 404 means that something does not exist only with the
// exact body for that: proxies return 404 too.
func (e *endpoint) statusError(asked request, a reply) error {
	err := fmt.Errorf(
		"%s: status %d: %s",
		asked.Action,
		a.status,
		readable(strings.ReplaceAll(string(a.body), e.secret, "(secret)")),
	)
	if wait, limited := httptarget.RateLimited(a.status, a.header); limited {
		return &connector.RateLimited{RetryAfter: wait, Err: err}
	}
	switch status := a.status; {
	case status == http.StatusNotFound:
		switch missing := a.onlyField("missing"); {
		case missing == "object" && asked.Object != "":
			return &connector.Gone{Part: connector.Object, Name: asked.Object}
		case missing == "account" && asked.Account != "":
			return &connector.Gone{Part: connector.Account, Name: asked.Account}
		}
		return &connector.Unavailable{Err: fmt.Errorf("there is no receiver at the path of url: %w", err)}
	case status == http.StatusUnprocessableEntity:
		if reason := a.onlyField("refused"); readable(reason) != "" {
			refused := &connector.Refused{Part: connector.Object, Name: asked.Object, Reason: readable(reason), ByOwners: true}
			if asked.Object == "" {
				refused.Part, refused.Name = connector.Account, asked.Account
			}
			return refused
		}
		return &connector.Denied{Err: err, Fix: `let the receiver give a reason: {"refused": "..."}`}
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return &connector.Denied{Err: err, Fix: "compare the secret, the path of url and the clocks with the receiver's"}
	case status == http.StatusNotImplemented:
		return &connector.Denied{Err: err, Fix: "let the receiver support " + asked.Action}
	case status >= 300 && status < 400:
		return &connector.Denied{Err: err, Fix: "set url to the final address of the receiver: redirects are not followed"}
	case status == http.StatusConflict, status == http.StatusRequestTimeout, status >= 500, status < 300:
		return &connector.Unavailable{Err: err}
	default:
		return &connector.Denied{Err: err, Fix: "let the receiver implement version 1 of the protocol in docs/connectors/webhook.md"}
	}
}

// verifiesSignatures checks that the receiver refuses a wrong signature.
func (e *endpoint) verifiesSignatures(ctx context.Context) error {
	a, err := e.send(ctx, request{Action: "check"}, "not "+e.secret)
	switch {
	case err != nil:
		return err
	case a.status == http.StatusUnauthorized, a.status == http.StatusForbidden:
		return nil
	case a.status == http.StatusTooManyRequests, a.status >= 500:
		return e.statusError(request{Action: "check"}, a)
	default:
		return &connector.Denied{
			Fix: fmt.Sprintf(
				"let the receiver refuse wrong signatures with 401: it returned %d, so anyone can grant access there",
				a.status,
			),
		}
	}
}
