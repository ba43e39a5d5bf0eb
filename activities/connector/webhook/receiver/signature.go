package receiver

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"strconv"
	"time"
)

// tolerance is how far the clocks may be apart, and how long someone who got
// hold of a request could send it again; the ID makes that change nothing.
const tolerance = 5 * time.Minute

// Verify tells whether a request was signed, with one of the secrets and not long
// before now. The path that was signed is that of the URL which accessbot was
// given, its query included.
func Verify(r *http.Request, body []byte, now time.Time, secrets ...string) error {
	timestamp := r.Header.Get("Accessbot-Timestamp")
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil {
		return errors.New("the request has no timestamp")
	}
	if age := now.Sub(time.Unix(seconds, 0)); age > tolerance || age < -tolerance {
		return errors.New("the request's timestamp is more than five minutes off: are both clocks right?")
	}
	signed := "v1:" + timestamp + ":" + r.Method + r.RequestURI + ":" + string(body)
	for _, secret := range secrets {
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write([]byte(signed))
		want := "v1=" + hex.EncodeToString(mac.Sum(nil))
		if secret != "" && hmac.Equal([]byte(want), []byte(r.Header.Get("Accessbot-Signature"))) {
			return nil
		}
	}
	return errors.New("the signature is wrong: do both sides have the same secret, and is the path the one that was called?")
}
