package connector_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"accessbot/activities/connector"
)

func TestErrors(t *testing.T) {
	t.Run("class is found through wrapping", func(t *testing.T) {
		cause := errors.New("cause")
		for class, err := range map[connector.Class]error{
			connector.ClassUnavailable:  &connector.Unavailable{Err: cause},
			connector.ClassRateLimited:  &connector.RateLimited{RetryAfter: time.Minute, Err: cause},
			connector.ClassNotConfirmed: &connector.NotConfirmed{Assignment: assignment},
			connector.ClassDenied:       &connector.Denied{Fix: "rotate the token", Err: cause},
			connector.ClassGone:         accountGone,
			connector.ClassRefused:      &connector.Refused{Part: connector.Object, Name: "root", Reason: "is a superuser"},
			connector.ClassPending:      &connector.Pending{Assignment: assignment, WaitsFor: "ann"},
		} {
			require.Equal(t, class, connector.ClassOf(err))
			require.Equal(t, class, connector.ClassOf(fmt.Errorf("reconciling: %w", err)))
			require.Equal(t, class, connector.ClassOf(errors.Join(errors.New("also"), err)))
		}
	})

	t.Run("unknown error is retried", func(t *testing.T) {
		require.Equal(t, connector.ClassNone, connector.ClassOf(nil))
		require.Equal(t, connector.ClassUnavailable, connector.ClassOf(errors.New("unknown")))
		require.Equal(t, connector.ClassUnavailable, connector.ClassOf(context.Canceled))
	})

	t.Run("error keeps its cause", func(t *testing.T) {
		cause := errors.New("cause")
		for _, err := range []error{
			&connector.Unavailable{Err: cause}, &connector.RateLimited{Err: cause}, &connector.Denied{Err: cause},
		} {
			require.ErrorIs(t, err, cause)
			require.ErrorContains(t, err, "cause")
		}
	})

	t.Run("error reads as a sentence", func(t *testing.T) {
		for want, err := range map[string]error{
			`the account "ann" does not exist in the target system`:                                               accountGone,
			`the object "root" is refused: it is a superuser`:                                                     &connector.Refused{Part: connector.Object, Name: "root", Reason: "is a superuser"},
			`the target system asks for fewer calls, retry after 30s`:                                             &connector.RateLimited{RetryAfter: 30 * time.Second},
			`the target system denied access: rotate the token`:                                                   &connector.Denied{Fix: "rotate the token"},
			`ann on admins: waits for ann to accept the invitation`:                                               &connector.Pending{Assignment: assignment, WaitsFor: "ann to accept the invitation"},
			`ann on admins: the target system reported it as granted and shows it as not held`:                    notConfirmed,
			`ann on admins: the target system reported it as revoked and shows it as held`:                        &connector.NotConfirmed{Assignment: assignment, Got: heldState},
			`ann on admins: the target system reported it as granted and shows it as pending, not held yet`:       &connector.NotConfirmed{Assignment: assignment, Want: true, Got: pendingState},
			`ann on admins: the target system reported it as granted and shows it as held, with a change pending`: &connector.NotConfirmed{Assignment: assignment, Want: true, Got: connector.State{Held: true, Pending: true}},
		} {
			require.EqualError(t, err, want)
		}
	})
}
