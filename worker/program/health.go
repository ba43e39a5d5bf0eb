package program

import (
	"context"
	"io"
	"net/http"
	"time"
)

// readyWithin limits a readiness check.
const readyWithin = 2 * time.Second

// HandleHealth adds /healthz, which tells that the process answers, and /readyz, which tells whether it can take work now. ready
// returns why not, in words that anyone may read.
func HandleHealth(mux *http.ServeMux, ready func(context.Context) error) {
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { Say(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), readyWithin)
		defer cancel()
		if err := ready(ctx); err != nil {
			Say(w, http.StatusServiceUnavailable, err.Error())
			return
		}
		Say(w, http.StatusOK, "ok")
	})
}

// Say responds in plain text. It ignores clients that have gone.
func Say(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text+"\n")
}

// NewServer returns an HTTP server whose clients cannot hold a connection, or memory, for long.
func NewServer(handler http.Handler) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      15 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
	}
}
