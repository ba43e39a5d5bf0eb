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

// endpoint is the receiver.
type endpoint struct {
	url    *url.URL
	secret string
	client *http.Client
}

// request is what it is asked.
type request struct {
	Version int    `json:"version"`
	Action  string `json:"action"`
	Account string `json:"account,omitempty"`
	Object  string `json:"object,omitempty"`
	ID      string `json:"id,omitempty"`
	Cursor  string `json:"cursor,omitempty"`
}

// reply is its answer.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// maxReply is how large an answer may be.
const maxReply = 1 << 20

// ask sends a signed request. It answers replies of the given statuses only; all
// others are errors.
func (e *endpoint) ask(ctx context.Context, asked request, statuses ...int) (reply, error) {
	answer, err := e.send(ctx, asked, e.secret)
	if err != nil {
		return reply{}, err
	}
	if slices.Contains(statuses, answer.status) {
		return answer, nil
	}
	return reply{}, e.refusal(asked, answer)
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
	// All of it may be asked again. net/http does so by itself, on a connection that died while idle, if one of these is
	// there; the second is never sent.
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

// sign is what docs/connectors/webhook.md says; methodAndPath is such as
// "POST/accessbot".
func sign(secret, timestamp, methodAndPath string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	fmt.Fprintf(mac, "v1:%s:%s:", timestamp, methodAndPath)
	mac.Write(body)
	return "v1=" + hex.EncodeToString(mac.Sum(nil))
}

// decode reads an answer's JSON. What is no JSON did not come from a receiver.
func (a reply) decode(into any) error {
	if err := json.Unmarshal(a.body, into); err != nil {
		return &connector.Unavailable{Err: fmt.Errorf("what answers is no receiver: status %d, and no JSON as agreed: %w", a.status, err)}
	}
	return nil
}

// exactly is that one field of an answer's JSON that has nothing else; empty: it
// is no such answer.
func (a reply) exactly(field string) string {
	var fields map[string]string
	if json.Unmarshal(a.body, &fields) != nil || len(fields) != 1 {
		return ""
	}
	return fields[field]
}

// refusal is what an answer of an unwelcome status means. Nothing but the exact
// words for it says that something does not exist: proxies say 404 too.
func (e *endpoint) refusal(asked request, a reply) error {
	err := fmt.Errorf("%s: status %d: %s", asked.Action, a.status, readable(strings.ReplaceAll(string(a.body), e.secret, "(secret)")))
	if wait, limited := httptarget.RateLimited(a.status, a.header); limited {
		return &connector.RateLimited{RetryAfter: wait, Err: err}
	}
	switch status := a.status; {
	case status == http.StatusNotFound:
		switch missing := a.exactly("missing"); {
		case missing == "object" && asked.Object != "":
			return &connector.Gone{Part: connector.Object, Name: asked.Object}
		case missing == "account" && asked.Account != "":
			return &connector.Gone{Part: connector.Account, Name: asked.Account}
		}
		return &connector.Unavailable{Err: fmt.Errorf("no receiver is at the path of url: %w", err)}
	case status == http.StatusUnprocessableEntity:
		if reason := a.exactly("refused"); readable(reason) != "" {
			refused := &connector.Refused{Part: connector.Object, Name: asked.Object, Reason: readable(reason), ByPeople: true}
			if asked.Object == "" {
				refused.Part, refused.Name = connector.Account, asked.Account
			}
			return refused
		}
		return &connector.Denied{Err: err, Do: `let the receiver say why with {"refused": "..."}`}
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return &connector.Denied{Err: err, Do: "compare the secret, the path of url and the clocks with the receiver's"}
	case status == http.StatusNotImplemented:
		return &connector.Denied{Err: err, Do: "let the receiver answer " + asked.Action}
	case status >= 300 && status < 400:
		return &connector.Denied{Err: err, Do: "set url to where the receiver really is: redirects are not followed"}
	case status == http.StatusConflict, status == http.StatusRequestTimeout, status >= 500, status < 300:
		return &connector.Unavailable{Err: err}
	default:
		return &connector.Denied{Err: err, Do: "let the receiver speak version 1 of the protocol in docs/connectors/webhook.md"}
	}
}

// looksAtSignatures makes sure that not everyone can grant and revoke there.
func (e *endpoint) looksAtSignatures(ctx context.Context) error {
	a, err := e.send(ctx, request{Action: "check"}, "not "+e.secret)
	switch {
	case err != nil:
		return err
	case a.status == http.StatusUnauthorized, a.status == http.StatusForbidden:
		return nil
	case a.status == http.StatusTooManyRequests, a.status >= 500:
		return e.refusal(request{Action: "check"}, a)
	default:
		return &connector.Denied{Do: fmt.Sprintf("let the receiver refuse wrong signatures with 401: it answered one with %d, so anybody can grant access there", a.status)}
	}
}
