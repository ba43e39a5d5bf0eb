package workflows

import (
	"context"
	"time"

	"github.com/stretchr/testify/mock"

	"accessbot/activities"
)

// reminding is what the database says while it waits for Bob.
func reminding(wake time.Duration, what string) activities.Next {
	return activities.Next{State: "awaiting_approval", DueIn: int64(wake / time.Second), DueFor: what, Approvers: []string{"bob@example.com"}}
}

func (s *accessRequestSuite) TestEachReminderIsOneTimer() {
	s.env = s.NewTestWorkflowEnvironment()
	s.env.SetStartWorkflowOptions(startOptions(RequestWorkflowID(number)))
	s.env.RegisterActivity(&activities.Activities{})
	const day = 24 * time.Hour
	started := s.env.Now()
	var advanced, synced []time.Duration
	next := []activities.Next{ // what the database says, one answer after the other
		reminding(day, "reminds bob@example.com"),
		reminding(2*day, "reminds bob@example.com"),
		reminding(4*day, "reminds bob@example.com"),
		reminding(7*day, "expires if no one decides"),
		{State: "expired", Settled: true},
	}
	for n := range next {
		next[n].MessagesDue = true
	}
	s.env.OnActivity(do.Advance, mock.Anything, mock.Anything).Return(func(context.Context, activities.AdvanceInput) (activities.Next, error) {
		advanced = append(advanced, s.env.Now().Sub(started).Round(time.Hour))
		return next[min(len(advanced), len(next))-1], nil
	})
	s.env.OnActivity(do.SyncMessages, mock.Anything, mock.Anything).Return(func(context.Context, activities.RequestInput) (activities.SyncResult, error) {
		synced = append(synced, s.env.Now().Sub(started).Round(time.Hour))
		return activities.SyncResult{}, nil
	})
	s.NoError(s.run())
	s.Equal([]time.Duration{0, day, 3 * day, 7 * day, 14 * day}, advanced)
	s.Equal(advanced, synced)
}

func (s *accessRequestSuite) TestDecisionEndsTheWaitForAReminder() {
	started := s.env.Now()
	s.says(reminding(24*time.Hour, "reminds bob@example.com"))
	s.says(activities.Next{State: "denied", Settled: true})
	s.signalAfter(time.Hour, SignalDecisionRecorded)
	s.NoError(s.run())
	s.Less(s.env.Now().Sub(started), 2*time.Hour)
}
