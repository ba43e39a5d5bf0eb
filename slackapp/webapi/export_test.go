package webapi

import "time"

// ShortenPauses lets tests of calls that always fail end soon.
func ShortenPauses() { firstPause = time.Millisecond }
