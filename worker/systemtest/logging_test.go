package systemtest

import "log/slog"

// discard is where logs of the test's own clients go: failures show in the assertions.
var discard = slog.New(slog.DiscardHandler)

// quiet is the same for Temporal's client.
type quiet struct{}

func (quiet) Debug(string, ...any) {}
func (quiet) Info(string, ...any)  {}
func (quiet) Warn(string, ...any)  {}
func (quiet) Error(string, ...any) {}
