package webapi

import "time"

// ShortenPauses makes retries fast in tests.
func ShortenPauses() { firstPause = time.Millisecond }
