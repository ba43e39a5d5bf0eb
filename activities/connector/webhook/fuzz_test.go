package webhook

import (
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"accessbot/activities/connector"
	"accessbot/activities/connector/webhook/receiver"
)

// FuzzReply reads arbitrary replies: errors contain neither the secret nor control characters, and something is gone only if the
// reply says exactly that.
func FuzzReply(f *testing.F) {
	for _, seed := range []string{`{"missing":"object"}`, `{"missing":"account"}`, `{"refused":"no\u0000\n"}`, `{"state":"held","revision":"1"}`, `{"missing":"object","x":"y"}`, `<html>`, `null`, "\xff"} {
		for _, status := range []int{200, 301, 404, 409, 422, 429, 500, 501} {
			f.Add(status, []byte(seed), "30")
		}
	}
	f.Fuzz(func(t *testing.T, status int, body []byte, retryAfter string) {
		e := &endpoint{secret: "0123456789abcdef0123456789abcdef"}
		a := reply{status: status, header: http.Header{"Retry-After": {retryAfter}}, body: append(body, e.secret...)}
		for _, asked := range []request{{Action: "grant", Account: "ann", Object: "admin"}, {Action: "create_account", Account: "ann"}} {
			for _, answer := range []reply{a, {status: status, header: a.header, body: body}} {
				err := e.statusError(asked, answer)
				require.Error(t, err)
				require.NotContains(t, err.Error(), e.secret)
				require.True(t, utf8.ValidString(err.Error()))
				if connector.ClassOf(err) == connector.ClassGone {
					require.Equal(t, http.StatusNotFound, status)
					require.Contains(t, []string{"object", "account"}, answer.onlyField("missing"))
				}
				var s assignmentStatus
				if answer.decode(&s) == nil {
					require.False(t, strings.ContainsAny(readable(s.WaitsFor)+readable(s.State), "\x00\n"))
				}
			}
		}
	})
}

// FuzzSignedRequest: a receiver accepts only the signature of exactly this request, from about now.
func FuzzSignedRequest(f *testing.F) {
	f.Add("1700000000", "/accessbot", []byte(`{"action":"grant"}`), "v1=00")
	f.Add("-9223372036854775808", "/a:b?c", []byte(":"), "")
	f.Fuzz(func(t *testing.T, timestamp, path string, body []byte, signature string) {
		const secret = "0123456789abcdef0123456789abcdef"
		r := &http.Request{Method: http.MethodPost, RequestURI: path, Header: http.Header{}}
		r.Header.Set("Accessbot-Timestamp", timestamp)
		r.Header.Set("Accessbot-Signature", signature)
		now := time.Unix(1700000000, 0)
		right := sign(secret, timestamp, r.Method+path, body)
		if receiver.Verify(r, body, now, secret, "") == nil {
			require.Equal(t, right, signature)
		}
		r.Header.Set("Accessbot-Signature", right)
		if receiver.Verify(r, body, now, secret) == nil {
			require.Error(t, receiver.Verify(r, append(append([]byte{}, body...), 'x'), now, secret))
			require.Error(t, receiver.Verify(r, body, now.Add(11*time.Minute), secret))
			require.Error(t, receiver.Verify(r, body, now, secret+"x", ""))
		}
	})
}
