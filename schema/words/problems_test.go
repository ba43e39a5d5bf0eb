package words

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"accessbot/schema"
)

func TestProblem(t *testing.T) {
	t.Run("every code has words for every reader", func(t *testing.T) {
		secret := schema.ProblemDetails{
			Name:     "ann-account",
			Reason:   "because of Ann",
			WaitsFor: "Ann's desk",
			People:   []string{"Dana Lee"},
		}
		t.Run("every code has words for every reader, and runs name no one", func(t *testing.T) {
			said := map[string]schema.ProblemCode{}
			for _, code := range schema.ProblemCodes {
				p := schema.Problem{Code: code, Details: secret}
				for _, to := range []Reader{ToRequester, ToOwner, ToOperator} {
					words := Problem(p, "GitHub", "Alice Example", to)
					assert.NotEmpty(t, words, code)
					assert.NotContains(t, words, `"`+string(code)+`"`, "it has no words of its own")
				}
				owner := Problem(p, "GitHub", "Alice Example", ToOwner)
				if other := said[owner]; code != schema.NotSetUpInTime {
					assert.Empty(t, other, "%s says the same", code)
				}
				said[owner] = code
				for _, word := range []string{"Ann", "ann", "Dana", "Alice"} {
					if code != schema.ObjectGone { // objects are no people
						assert.NotContains(t, Problem(p, "GitHub", "", ToOperator), word)
					}
				}
			}
			assert.Empty(t, Problem(schema.Problem{}, "GitHub", "Alice Example", ToOwner))
		})
		t.Run("each reader reads what they can do about it", func(t *testing.T) {
			for _, c := range []struct {
				code                       schema.ProblemCode
				requester, owner, operator string
			}{
				{schema.WaitsForInvitation, "waiting for you to accept the invitation to GitHub", "waiting for Alice Example to accept the invitation to GitHub",
					"waiting for the requester to accept the invitation to GitHub"},
				{schema.WaitsForManualTask, "waiting for Dana Lee to set it up", "waiting for Dana Lee to set it up", "waiting for an owner of GitHub to set it up"},
				{schema.TargetDenied, "waiting until our connection to GitHub is fixed; its owners have been notified",
					"waiting until our connection to GitHub is fixed: it doesn't accept our credentials or configuration",
					"waiting until our connection to GitHub is fixed: it doesn't accept our credentials or configuration"},
			} {
				p := schema.Problem{Code: c.code, Details: secret}
				assert.Equal(t, c.requester, Problem(p, "GitHub", "Alice Example", ToRequester))
				assert.Equal(t, c.owner, Problem(p, "GitHub", "Alice Example", ToOwner))
				assert.Equal(t, c.operator, Problem(p, "GitHub", "Alice Example", ToOperator))
			}
		})
		t.Run("ended wait says what it was waiting for", func(t *testing.T) {
			down := schema.Problem{Code: schema.TargetUnavailable}
			assert.Equal(
				t,
				"its end date passed while it was waiting for GitHub, which isn't responding",
				Problem(down.Became(schema.EndPassed), "GitHub", "", ToOwner),
			)
			assert.Equal(
				t,
				"its end date passed before it was set up",
				Problem(schema.Problem{}.Became(schema.EndPassed), "GitHub", "", ToOwner),
			)
			task := schema.Problem{Code: schema.WaitsForManualTask, Details: secret}
			assert.Equal(
				t,
				"it timed out while waiting for Dana Lee to set it up",
				Problem(task.Became(schema.WaitedTooLong), "GitHub", "", ToOwner),
			)
		})
	})
}
