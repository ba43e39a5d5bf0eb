package workflows

import (
	"context"
	"time"

	"github.com/stretchr/testify/mock"

	"accessbot/activities"
)

// reminding returns the next step while Bob has not decided.
func reminding(dueIn time.Duration, dueFor string) activities.Next {
	return activities.Next{
		State: "awaiting_approval", Waiting: true, DueIn: int64(dueIn / time.Second), DueFor: dueFor,
		Approvers: []string{"bob@example.com"},
	}
}

func (s *accessRequestSuite) TestEachReminderIsOneTimer() {
	s.env = s.NewTestWorkflowEnvironment()
	s.env.SetStartWorkflowOptions(startOptions(RequestWorkflowID(number)))
	registerActivities(s.env)
	const day = 24 * time.Hour
	started := s.env.Now()
	var advanced, synced []time.Duration
	next := []activities.Next{
		reminding(day, "Remind Bob Fischer at"),
		reminding(2*day, "Remind Bob Fischer at"),
		reminding(4*day, "Remind Bob Fischer at"),
		reminding(7*day, "Expire without a decision at"),
		{State: "expired", Complete: true},
	}
	for i := range next {
		next[i].MessagesDue = true
	}
	s.onEveryAdvance(func() (activities.Next, error) {
		advanced = append(advanced, s.env.Now().Sub(started).Round(time.Hour))
		return next[min(len(advanced), len(next))-1], nil
	})
	recordSync := func(context.Context, SyncInput) (SyncResult, error) {
		synced = append(synced, s.env.Now().Sub(started).Round(time.Hour))
		return SyncResult{}, nil
	}
	s.env.OnActivity(SyncMessages, mock.Anything, mock.Anything).Return(recordSync)
	s.NoError(s.run())
	s.Equal([]time.Duration{0, day, 3 * day, 7 * day, 14 * day}, advanced)
	s.Equal(advanced, synced)
}

func (s *accessRequestSuite) TestDecisionEndsTheReminderTimer() {
	started := s.env.Now()
	s.onAdvance(reminding(24*time.Hour, "Remind Bob Fischer at"))
	s.onAdvance(activities.Next{State: "denied", Complete: true})
	s.signalAfter(time.Hour, SignalDecisionRecorded)
	s.NoError(s.run())
	s.Less(s.env.Now().Sub(started), 2*time.Hour)
}
