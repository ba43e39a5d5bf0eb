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

// tolerance is the allowed difference between the clocks. For that long, an intercepted request could be sent again; its ID makes
// that harmless.
const tolerance = 5 * time.Minute

// Verify returns an error unless the request was signed recently with one of the secrets. The signed path is that of the URL in
// accessbot's settings, including its query.
func Verify(r *http.Request, body []byte, now time.Time, secrets ...string) error {
	timestamp := r.Header.Get("Accessbot-Timestamp")
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil {
		return errors.New("the request has no timestamp")
	}
	if age := now.Sub(time.Unix(seconds, 0)); age > tolerance || age < -tolerance {
		return errors.New("the request's timestamp is more than five minutes off: check both clocks")
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
	return errors.New("the signature is wrong: compare the secret and the path on both sides")
}
