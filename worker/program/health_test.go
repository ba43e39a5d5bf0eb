package program_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"

	"accessbot/worker/program"
)

func TestHealth(t *testing.T) {
	var problem error
	bounded := false
	mux := http.NewServeMux()
	program.HandleHealth(mux, func(ctx context.Context) error {
		_, bounded = ctx.Deadline()
		return problem
	})
	get := func(path string) (int, string) {
		answer := httptest.NewRecorder()
		program.NewServer(mux).Handler.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
		return answer.Code, answer.Body.String()
	}

	t.Run("process that can take work is ready", func(t *testing.T) {
		status, text := get("/readyz")
		assert.Equal(t, http.StatusOK, status)
		assert.Equal(t, "ok\n", text)
		assert.True(t, bounded, "a check has a deadline")
	})

	t.Run("process that cannot says why, and is alive", func(t *testing.T) {
		problem = errors.New("database unavailable")
		status, text := get("/readyz")
		assert.Equal(t, http.StatusServiceUnavailable, status)
		assert.Equal(t, "database unavailable\n", text)
		status, _ = get("/healthz")
		assert.Equal(t, http.StatusOK, status)
	})
}
