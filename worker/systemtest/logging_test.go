package systemtest

import "log/slog"

// discard drops the logs of the test's own clients: assertions show failures.
var discard = slog.New(slog.DiscardHandler)

// quiet does the same for Temporal's client.
type quiet struct{}

func (quiet) Debug(string, ...any) {}
func (quiet) Info(string, ...any)  {}
func (quiet) Warn(string, ...any)  {}
func (quiet) Error(string, ...any) {}
