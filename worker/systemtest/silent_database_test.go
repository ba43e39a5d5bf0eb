package systemtest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"accessbot/schema/schematest"
)

// Limits while PostgreSQL does not answer. Slack waits three seconds for an ack
// (https://docs.slack.dev/interactivity/handling-user-interaction/#acknowledgment_response).
const (
	ackLimit   = 3 * time.Second
	readyLimit = 2500 * time.Millisecond
)

func TestSilentPostgreSQL(t *testing.T) {
	server := schematest.StartServer(t)
	t.Setenv("TEST_DATABASE_URL", server.URL)
	s := start(t)
	s.startWorker()
	s.startSlackApp()
	s.as("alice").OpenHome()
	s.eventually("the worker is ready", func() bool { return get(t, s.workerURL+"/readyz").status == http.StatusOK })

	server.Stop()
	for round := range 2 { // first with open connections, then with none
		var group sync.WaitGroup
		for n := range 30 { // more than the app's pool
			group.Go(func() {
				a := s.post("/slack/events", fmt.Sprintf(`{"type": "event_callback", "team_id": "T0LOCALSIM", "api_app_id": "A0LOCALSIM",
					"event_id": "Ev%d-%d", "event": {"type": "app_home_opened", "user": "U0UNKNOWN", "tab": "home"}}`, round, n))
				assert.Equal(t, http.StatusOK, a.status)
				assert.Less(t, a.took, ackLimit, "the ack of an event")
			})
			group.Go(func() {
				a := s.post(
					"/slack/options",
					url.Values{"payload": {`{"type": "block_suggestion", "team": {"id": "T0LOCALSIM"}, "api_app_id": "A0LOCALSIM",
					"user": {"id": "U0UNKNOWN", "team_id": "T0LOCALSIM"}, "action_id": "person", "block_id": "person", "value": "ali", "view": {"id": "V1"}}`}}.Encode(),
				)
				assert.Equal(t, http.StatusOK, a.status)
				assert.Less(t, a.took, ackLimit, "the answer to an options request")
			})
		}
		for range 3 {
			group.Go(func() {
				a := get(t, s.appURL+"/readyz")
				assert.Equal(t, http.StatusServiceUnavailable, a.status, "the Slack app")
				assert.Less(t, a.took, readyLimit, "the Slack app")
			})
			group.Go(func() {
				a := get(t, s.workerURL+"/readyz")
				assert.Equal(t, http.StatusServiceUnavailable, a.status, "the worker")
				assert.Less(t, a.took, readyLimit, "the worker")
			})
		}
		group.Wait()
	}

	server.Continue()
	s.eventually("the Slack app is ready", func() bool { return get(t, s.appURL+"/readyz").status == http.StatusOK })
	s.eventually("the worker is ready", func() bool { return get(t, s.workerURL+"/readyz").status == http.StatusOK })
	s.as("alice").OpenHome()
	request := s.ask("alice", "dashboards", "editor", time.Hour)
	s.approve(approver, request)
	s.eventually("access is granted", func() bool { return s.holds("alice", "dashboards", "editor") })
	for role, most := range map[string]int{"accessbot_slackapp": 20 + 20, "accessbot_worker": 40} { // the app's pool, and the test's
		s.eventually("no connection of "+role+" is left over", func() bool {
			var n int
			err := s.db.Get(&n, `select count(*) from pg_stat_activity where usename = $1`, role)
			return err == nil && n <= most
		})
	}
}

// answered is the status of a response, and how long it took.
type answered struct {
	status int
	took   time.Duration
}

func get(t *testing.T, url string) answered {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	return send(t, r)
}

// post sends a request signed as Slack's.
func (s *system) post(path, body string) answered {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.appURL+path, strings.NewReader(body))
	require.NoError(s.t, err)
	now := strconv.FormatInt(time.Now().Unix(), 10)
	mac := hmac.New(sha256.New, []byte(signingSecret))
	mac.Write([]byte("v0:" + now + ":" + body))
	r.Header.Set("X-Slack-Request-Timestamp", now)
	r.Header.Set("X-Slack-Signature", "v0="+hex.EncodeToString(mac.Sum(nil)))
	return send(s.t, r)
}

func send(t *testing.T, r *http.Request) answered {
	t.Helper()
	began := time.Now()
	response, err := http.DefaultClient.Do(r)
	if !assert.NoError(t, err) {
		return answered{took: time.Since(began)}
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	assert.NoError(t, err)
	return answered{response.StatusCode, time.Since(began)}
}
