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
			connector.ClassUnavailable: &connector.Unavailable{Err: cause},
			connector.ClassRateLimited: &connector.RateLimited{RetryAfter: time.Minute, Err: cause},
			connector.ClassNotAsWanted: &connector.NotAsWanted{Assignment: assignment},
			connector.ClassDenied:      &connector.Denied{Do: "rotate the token", Err: cause},
			connector.ClassGone:        accountGone,
			connector.ClassRefused:     &connector.Refused{Part: connector.Object, Name: "root", Reason: "is a superuser"},
			connector.ClassPending:     &connector.Pending{Assignment: assignment, WaitsFor: "ann"},
		} {
			require.Equal(t, class, connector.ClassOf(err))
			require.Equal(t, class, connector.ClassOf(fmt.Errorf("reconciling: %w", err)))
			require.Equal(t, class, connector.ClassOf(errors.Join(errors.New("also"), err)))
		}
	})

	t.Run("unknown error is retried", func(t *testing.T) {
		require.Equal(t, connector.ClassNone, connector.ClassOf(nil))
		require.Equal(t, connector.ClassUnavailable, connector.ClassOf(errors.New("what is this")))
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
			`the account "ann" does not exist in the target system`:                                                     accountGone,
			`the object "root" is refused: it is a superuser`:                                                           &connector.Refused{Part: connector.Object, Name: "root", Reason: "is a superuser"},
			`the target system asks for fewer calls, again after 30s`:                                                   &connector.RateLimited{RetryAfter: 30 * time.Second},
			`the target system does not let us: rotate the token`:                                                       &connector.Denied{Do: "rotate the token"},
			`ann on admins: waits for ann to accept the invitation`:                                                     &connector.Pending{Assignment: assignment, WaitsFor: "ann to accept the invitation"},
			`ann on admins: the target system said it was granted, but shows it as not held`:                            notWantedHeld,
			`ann on admins: the target system said it was revoked, but shows it as held`:                                &connector.NotAsWanted{Assignment: assignment, Got: heldState},
			`ann on admins: the target system said it was granted, but shows it as under way, not held yet`:             &connector.NotAsWanted{Assignment: assignment, Want: true, Got: pendingState},
			`ann on admins: the target system said it was granted, but shows it as held, with a change to it under way`: &connector.NotAsWanted{Assignment: assignment, Want: true, Got: connector.State{Held: true, Pending: true}},
		} {
			require.EqualError(t, err, want)
		}
	})
}
