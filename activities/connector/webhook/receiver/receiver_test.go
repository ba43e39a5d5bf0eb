package receiver_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"accessbot/activities/connector/webhook/receiver"
)

const (
	secret    = "0123456789abcdef0123456789abcdef"
	oldSecret = "fedcba9876543210fedcba9876543210"
)

// post returns a request as in docs/connectors/webhook.md, signed now.
func post(body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/accessbot?team=a", strings.NewReader(body))
	signed(r, body, secret, time.Now())
	return r
}

func signed(r *http.Request, body, secret string, at time.Time) {
	timestamp := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte("v1:" + timestamp + ":" + r.Method + r.RequestURI + ":" + body))
	r.Header.Set("Accessbot-Timestamp", timestamp)
	r.Header.Set("Accessbot-Signature", "v1="+hex.EncodeToString(mac.Sum(nil)))
}

func answer(handler http.Handler, r *http.Request) (status int, body string) {
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	return w.Code, strings.TrimSpace(w.Body.String())
}

const (
	grant  = `{"version":1,"action":"grant","account":"ann","object":"crew","id":"%s"}`
	revoke = `{"version":1,"action":"revoke","account":"ann","object":"crew","id":"%s"}`
	check  = `{"version":1,"action":"check"}`
)

func store(t *testing.T) *receiver.Memory {
	t.Helper()
	m := receiver.NewMemory(10)
	require.NoError(t, m.CreateAccount(t.Context(), "ann"))
	m.AddObject("crew", "")
	return m
}

func TestHandler(t *testing.T) {
	t.Run("recently signed request is accepted", func(t *testing.T) {
		handler := receiver.Handler(store(t), "", secret, oldSecret)
		for name, change := range map[string]func(*http.Request){
			"the secret":               func(*http.Request) {},
			"the old secret":           func(r *http.Request) { signed(r, check, oldSecret, time.Now()) },
			"clocks a little apart":    func(r *http.Request) { signed(r, check, secret, time.Now().Add(4*time.Minute)) },
			"four minutes late":        func(r *http.Request) { signed(r, check, secret, time.Now().Add(-4*time.Minute)) },
			"a path that was stripped": func(r *http.Request) { r.URL.Path = "/" },
		} {
			r := post(check)
			change(r)
			status, body := answer(handler, r)
			assert.Equal(t, http.StatusOK, status, "%s: %s", name, body)
		}
	})

	t.Run("missing or wrong signature is refused and changes nothing", func(t *testing.T) {
		m := store(t)
		handler := receiver.Handler(m, secret, "")
		body := fmt.Sprintf(grant, "1")
		for name, change := range map[string]func(*http.Request){
			"no signature":   func(r *http.Request) { r.Header.Del("Accessbot-Signature") },
			"no timestamp":   func(r *http.Request) { r.Header.Del("Accessbot-Timestamp") },
			"another secret": func(r *http.Request) { signed(r, body, oldSecret, time.Now()) },
			"no secret":      func(r *http.Request) { signed(r, body, "", time.Now()) },
			"another body": func(r *http.Request) {
				r.Body = io.NopCloser(strings.NewReader(strings.Replace(body, "ann", "bob", 1)))
			},
			"another path":    func(r *http.Request) { r.RequestURI = "/accessbot?team=b" },
			"too old":         func(r *http.Request) { signed(r, body, secret, time.Now().Add(-6*time.Minute)) },
			"from the future": func(r *http.Request) { signed(r, body, secret, time.Now().Add(6*time.Minute)) },
			"another time": func(r *http.Request) {
				r.Header.Set("Accessbot-Timestamp", strconv.FormatInt(time.Now().Unix()+1, 10))
			},
			"another version of the signature": func(r *http.Request) {
				r.Header.Set("Accessbot-Signature", "v0="+strings.TrimPrefix(r.Header.Get("Accessbot-Signature"), "v1="))
			},
		} {
			r := post(body)
			change(r)
			status, reply := answer(handler, r)
			assert.Equal(t, http.StatusUnauthorized, status, "%s: %s", name, reply)
		}
		status, err := m.Read(t.Context(), receiver.Assignment{Account: "ann", Object: "crew"})
		require.NoError(t, err)
		require.Equal(t, receiver.NotHeld, status.State)
	})

	t.Run("grant repeated after its revocation changes nothing", func(t *testing.T) {
		m := store(t)
		handler := receiver.Handler(m, secret)
		for range 2 {
			status, reply := answer(handler, post(fmt.Sprintf(grant, "first")))
			require.Equal(t, http.StatusOK, status)
			require.JSONEq(t, `{"state":"held","revision":"1"}`, reply)
		}
		_, reply := answer(handler, post(fmt.Sprintf(revoke, "second")))
		require.JSONEq(t, `{"state":"not_held","revision":"2"}`, reply)
		status, reply := answer(handler, post(fmt.Sprintf(grant, "first")))
		require.Equal(t, http.StatusOK, status)
		require.JSONEq(t, `{"state":"not_held","revision":"2"}`, reply)
		_, reply = answer(handler, post(fmt.Sprintf(grant, "third")))
		require.JSONEq(t, `{"state":"held","revision":"3"}`, reply)
	})

	t.Run("changes without IDs are all made", func(t *testing.T) {
		handler := receiver.Handler(store(t), secret)
		for _, body := range []string{grant, revoke, grant} {
			_, reply := answer(handler, post(fmt.Sprintf(body, "")))
			want := map[bool]string{true: `"held"`, false: `"not_held"`}[body == grant]
			require.Contains(t, reply, want)
		}
	})

	t.Run("malformed request is refused", func(t *testing.T) {
		handler := receiver.Handler(store(t), secret)
		for body, want := range map[string]int{
			`{"version":2,"action":"check"}`: http.StatusBadRequest,
			`check`:                          http.StatusBadRequest,
			`{"version":1,"action":"` + strings.Repeat("x", 70_000) + `"}`: http.StatusBadRequest,
			`{"version":1,"action":"destroy"}`:                             http.StatusNotImplemented,
			`{"version":1,"action":"read","account":"ann","object":"x"}`:   http.StatusNotFound,
		} {
			status, reply := answer(handler, post(body))
			assert.Equal(t, want, status, "%.60s: %s", body, reply)
		}
		r := httptest.NewRequest(http.MethodGet, "/accessbot", nil)
		signed(r, "", secret, time.Now())
		status, _ := answer(handler, r)
		assert.Equal(t, http.StatusMethodNotAllowed, status)
	})
}
