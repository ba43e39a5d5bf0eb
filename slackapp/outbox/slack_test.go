package outbox_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"accessbot/schema/schematest"
	"accessbot/slackapp/slacksim"
)

func TestSlackFailure(t *testing.T) {
	t.Run("message is edited although Slack fails", func(t *testing.T) {
		for name, fault := range map[string]slacksim.Fault{
			"502":                {Kind: "status", Status: 502},
			"503 after the edit": {Kind: "status", Status: 503, After: true},
			"connection closed":  {Kind: "cut"},
			"answer lost":        {Kind: "cut", After: true},
			"short rate limit":   {Kind: "ratelimited", RetryAfter: 1},
		} {
			fault.Method = "chat.update"
			t.Run(name+" once", func(t *testing.T) {
				s := newCompany(t)
				asked := s.posted(0)
				s.decide(s.owen, asked.ID, "approve")
				s.advance(asked.ID)
				fault.Times = 1
				s.breakSlack(fault)
				s.synced(asked.ID)
				assert.Empty(t, s.buttons("owen", 0), "in one sync")
				assert.Len(t, s.reads("owen"), 1)
			})
			t.Run(name+" always", func(t *testing.T) {
				s := newCompany(t)
				asked := s.posted(0)
				s.decide(s.owen, asked.ID, "approve")
				s.advance(asked.ID)
				fault.Times, fault.After = 0, false
				s.breakSlack(fault)
				_, err := s.sync(asked.ID)
				require.Error(t, err, "Temporal and the sweep retry")
				assert.NotEmpty(
					t,
					schematest.Value[string](s.World, `select max(problem) from slack_messages where request_id = $1`, asked.ID),
				)
				require.NoError(t, s.slack.Mend())
				s.synced(asked.ID)
				assert.Empty(t, s.buttons("owen", 0))
			})
		}
	})

	t.Run("person is found although Slack fails once", func(t *testing.T) {
		s := newCompany(t)
		asked := s.Request(s.ann, 0, s.admin)
		s.advance(asked.ID)
		s.breakSlack(slacksim.Fault{Method: "users.lookupByEmail", Kind: "status", Status: 502, Times: 1})
		s.synced(asked.ID)
		assert.Len(t, s.reads("ann"), 1)
		assert.Len(t, s.reads("owen"), 1)
	})
}
