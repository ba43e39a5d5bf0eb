package workflows

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"github.com/stretchr/testify/suite"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"accessbot/activities"
)

// accessRequestSuite mocks Advance, whose results stand for the database. Time is skipped.
type accessRequestSuite struct {
	suite.Suite
	testsuite.WorkflowTestSuite
	env *testsuite.TestWorkflowEnvironment
}

func TestAccessRequest(t *testing.T) { suite.Run(t, new(accessRequestSuite)) }

const number = 1042

func (s *accessRequestSuite) SetupTest() {
	s.env = s.NewTestWorkflowEnvironment()
	s.env.SetStartWorkflowOptions(startOptions(RequestWorkflowID(number)))
	registerActivities(s.env)
	s.env.OnActivity(SyncMessages, mock.Anything, SyncInput{RequestID: number}).
		Return(SyncResult{}, nil).Maybe()
	s.env.SetTestTimeout(20 * time.Second)
}

func (s *accessRequestSuite) AfterTest(_, _ string) { s.env.AssertExpectations(s.T()) }

// onAdvance makes the next call of Advance return next.
func (s *accessRequestSuite) onAdvance(next activities.Next) {
	input := mock.MatchedBy(func(in activities.AdvanceInput) bool { return in.RequestID == number && !in.Cancelled })
	s.env.OnActivity(do.Advance, mock.Anything, input).Return(next, nil).Once()
}

// onEveryAdvance makes every call of Advance return the result of next.
func (s *accessRequestSuite) onEveryAdvance(next func() (activities.Next, error)) {
	s.env.OnActivity(do.Advance, mock.Anything, mock.Anything).
		Return(func(context.Context, activities.AdvanceInput) (activities.Next, error) { return next() })
}

// onProvision mocks the provisioning of item, and onDeprovision the de-provisioning of claim.
func (s *accessRequestSuite) onProvision() *testsuite.MockCallWrapper {
	return s.env.OnActivity(do.ProvisionAccess, mock.Anything, activities.ItemInput{ItemID: item.ID})
}

func (s *accessRequestSuite) onDeprovision() *testsuite.MockCallWrapper {
	return s.env.OnActivity(do.DeprovisionAccess, mock.Anything, activities.ClaimInput{ClaimID: claim.ID})
}

// targetDown returns the error of an attempt whose retry is far away.
func targetDown() error {
	return temporal.NewApplicationErrorWithOptions("target down", "Unavailable",
		temporal.ApplicationErrorOptions{NextRetryDelay: 100 * time.Hour})
}

func (s *accessRequestSuite) run() error {
	s.env.ExecuteWorkflow(AccessRequest, AccessRequestInput{RequestID: number})
	s.Require().True(s.env.IsWorkflowCompleted())
	return s.env.GetWorkflowError()
}

func (s *accessRequestSuite) signalAfter(d time.Duration, signal string) {
	s.env.RegisterDelayedCallback(func() { s.env.SignalWorkflow(signal, nil) }, d)
}

var (
	item  = activities.Step{ID: 7, Label: "Warehouse / reader"}
	claim = activities.Step{ID: 70, Label: "Warehouse / reader"}
)

func waiting(dueIn int64) activities.Next {
	return reminding(time.Duration(dueIn)*time.Second, "Expire without a decision at 2026-12-15 10:00 UTC")
}

func (s *accessRequestSuite) TestPermanentAccessIsGranted() {
	s.onAdvance(waiting(3600))
	s.onAdvance(activities.Next{State: "approved", Grant: []activities.Step{item}})
	s.onAdvance(activities.Next{State: "active", Counts: activities.Counts{Granted: 1}, Complete: true})
	s.onProvision().Return(nil).Once()
	s.signalAfter(time.Minute, SignalDecisionRecorded)
	s.NoError(s.run())
	s.JSONEq(`{"state": "active", "granted": 1}`, resultOf(s.T(), s.env))
}

func (s *accessRequestSuite) TestTemporaryAccessIsRevokedAtItsEnd() {
	started := s.env.Now()
	const month = 30 * 24 * 3600
	s.onAdvance(activities.Next{State: "approved", Grant: []activities.Step{item}})
	s.onAdvance(activities.Next{State: "active", DueIn: month, DueFor: "Sleep until access ends 2026-12-04 00:00 UTC"})
	s.onAdvance(activities.Next{State: "active", Revoke: []activities.Step{claim}})
	s.onAdvance(activities.Next{State: "ended", Complete: true})
	s.onProvision().Return(nil).Once()
	s.onDeprovision().Return(nil).Once()
	s.NoError(s.run())
	s.GreaterOrEqual(s.env.Now().Sub(started), month*time.Second)
	s.Less(s.env.Now().Sub(started), (month+5)*time.Second)
}

func (s *accessRequestSuite) TestDeniedRequestGrantsNothing() {
	s.onAdvance(waiting(3600))
	s.onAdvance(activities.Next{State: "denied", Counts: activities.Counts{Denied: 2}, Complete: true})
	s.signalAfter(time.Minute, SignalDecisionRecorded)
	s.NoError(s.run())
	s.JSONEq(`{"state": "denied", "denied": 2}`, resultOf(s.T(), s.env))
	s.env.AssertNotCalled(s.T(), "ProvisionAccess", mock.Anything, mock.Anything)
}

func (s *accessRequestSuite) TestEachWaitHasItsTimer() {
	started := s.env.Now()
	var slept []time.Duration
	s.env.SetOnTimerScheduledListener(func(_ string, d time.Duration) { slept = append(slept, d) })
	const day = 24 * time.Hour
	s.onAdvance(reminding(1*day, "Ask other approvers at"))
	s.onAdvance(reminding(2*day, "Escalate to the next approvers at"))
	s.onAdvance(reminding(11*day, "Expire without a decision at"))
	s.onAdvance(activities.Next{State: "expired", Complete: true})
	s.NoError(s.run())
	s.Equal([]time.Duration{24 * time.Hour, 48 * time.Hour, 11 * 24 * time.Hour}, slept)
	s.WithinDuration(started.Add(14*24*time.Hour), s.env.Now(), time.Minute)
}

func (s *accessRequestSuite) TestEndBeforeApprovalExpires() {
	s.onAdvance(waiting(3600))
	s.onAdvance(activities.Next{State: "expired", Complete: true})
	s.NoError(s.run()) // without a signal: the timer fires
}

func (s *accessRequestSuite) TestEarlyRevocationTakesEffectAtOnce() {
	started := s.env.Now()
	s.onAdvance(activities.Next{State: "active", DueIn: 30 * 24 * 3600})
	s.onAdvance(activities.Next{State: "active", Revoke: []activities.Step{claim}})
	s.onAdvance(activities.Next{State: "revoked", Complete: true})
	s.onDeprovision().Return(nil).Once()
	s.signalAfter(time.Hour, SignalRevocationRecorded)
	s.NoError(s.run())
	s.Less(s.env.Now().Sub(started), 2*time.Hour)
}

func (s *accessRequestSuite) TestItemIsGrantedWhileAnotherWaits() {
	next := waiting(3600)
	next.Grant = []activities.Step{item}
	s.onAdvance(next)
	s.onAdvance(waiting(3600))
	s.onAdvance(activities.Next{State: "denied", Complete: true})
	s.onProvision().Return(nil).Once()
	s.signalAfter(30*time.Minute, SignalDecisionRecorded)
	s.NoError(s.run())
}

func (s *accessRequestSuite) TestProvisioningIsRetriedUntilTheEnd() {
	started := s.env.Now()
	attempts := 0
	s.onEveryAdvance(func() (activities.Next, error) {
		if s.env.Now().Sub(started) >= 3*time.Hour { // its end
			return activities.Next{State: "failed", Complete: true}, nil
		}
		return activities.Next{State: "approved", Grant: []activities.Step{item}, DueIn: 3 * 3600}, nil
	})
	s.onProvision().Return(func(context.Context, activities.ItemInput) error {
		attempts++
		return targetDown()
	})
	s.NoError(s.run())
	s.Equal(1, attempts, "the scheduled retry is stopped")
	s.GreaterOrEqual(s.env.Now().Sub(started), 3*time.Hour)
	s.Less(s.env.Now().Sub(started), 4*time.Hour)
	s.Zero(provisionPolicy.ScheduleToCloseTimeout)
	s.Zero(provisionPolicy.RetryPolicy.MaximumAttempts)
	s.LessOrEqual(provisionPolicy.RetryPolicy.MaximumInterval, 5*time.Minute)
	s.True(provisionPolicy.WaitForCancellation, "a current attempt is waited for")
}

func (s *accessRequestSuite) TestRetryNowMakesOneAttemptAtOnce() {
	started := s.env.Now()
	var attempts []time.Duration
	s.onEveryAdvance(func() (activities.Next, error) {
		next := activities.Next{State: "approved", Grant: []activities.Step{item}, DueIn: 10 * 3600}
		switch since := s.env.Now().Sub(started); {
		case since >= 9*time.Hour:
			return activities.Next{State: "failed", Complete: true}, nil
		case since >= time.Hour:
			next.Retry = 5
		}
		return next, nil
	})
	s.onProvision().Return(func(context.Context, activities.ItemInput) error {
		attempts = append(attempts, s.env.Now().Sub(started))
		return targetDown()
	})
	s.signalAfter(time.Hour, SignalDue)
	s.signalAfter(2*time.Hour, SignalDue) // that retry was carried out
	s.signalAfter(9*time.Hour, SignalDue)
	s.NoError(s.run())
	s.Require().Len(attempts, 2)
	s.InDelta(time.Hour.Seconds(), attempts[1].Seconds(), 10)
}

func (s *accessRequestSuite) TestLongHistoryContinuesAsNewDuringOutage() {
	s.onEveryAdvance(func() (activities.Next, error) {
		return activities.Next{State: "approved", Grant: []activities.Step{item}, Revoke: []activities.Step{claim}}, nil
	})
	s.onProvision().Return(targetDown())
	s.onDeprovision().Return(targetDown())
	s.env.RegisterDelayedCallback(func() {
		s.env.SetContinueAsNewSuggested(true)
		s.env.SignalWorkflow(SignalDue, nil)
	}, time.Hour)
	started := s.env.Now()
	var continued *workflow.ContinueAsNewError
	s.ErrorAs(s.run(), &continued)
	s.Less(s.env.Now().Sub(started), 2*time.Hour)
}

func (s *accessRequestSuite) TestRevocationIsRetriedWithoutLimit() {
	started := s.env.Now()
	recovery := started.Add(26 * time.Hour)
	recovered := false
	s.onEveryAdvance(func() (activities.Next, error) {
		if recovered {
			return activities.Next{State: "ended", Complete: true}, nil
		}
		return activities.Next{State: "active", Revoke: []activities.Step{claim}}, nil
	})
	s.onDeprovision().Return(func(context.Context, activities.ClaimInput) error {
		if recovered = !s.env.Now().Before(recovery); !recovered {
			return errors.New("target down")
		}
		return nil
	})
	s.NoError(s.run())
	took := s.env.Now().Sub(started)
	s.GreaterOrEqual(took, 26*time.Hour)
	s.Less(took, 27*time.Hour, "the backoff is capped")
	// The test environment stops after ten attempts. A server does not.
	s.Zero(deprovisionPolicy.RetryPolicy.MaximumAttempts)
	s.Zero(deprovisionPolicy.ScheduleToCloseTimeout)
	s.LessOrEqual(deprovisionPolicy.RetryPolicy.MaximumInterval, 30*time.Minute)
}

func (s *accessRequestSuite) TestCancellationRevokesTemporaryAccess() {
	s.onAdvance(activities.Next{State: "active", DueIn: 30 * 24 * 3600})
	s.env.OnActivity(do.Advance, mock.Anything, activities.AdvanceInput{RequestID: number, Cancelled: true}).
		Return(activities.Next{State: "active", Revoke: []activities.Step{claim}}, nil).Once()
	s.env.OnActivity(do.Advance, mock.Anything, activities.AdvanceInput{RequestID: number, Cancelled: true}).
		Return(activities.Next{State: "revoked", Complete: true}, nil).Once()
	s.onDeprovision().Return(nil).Once()
	s.env.RegisterDelayedCallback(s.env.CancelWorkflow, time.Hour)
	var cancelled *temporal.CanceledError
	s.ErrorAs(s.run(), &cancelled)
}

func (s *accessRequestSuite) TestCancellationDuringGrantRevokesIt() {
	s.onAdvance(activities.Next{State: "approved", Grant: []activities.Step{item}})
	s.onProvision().After(time.Minute).Return(nil).Once()
	s.env.OnActivity(do.Advance, mock.Anything, activities.AdvanceInput{RequestID: number, Cancelled: true}).
		Return(activities.Next{State: "provisioning", Revoke: []activities.Step{claim}}, nil).Once()
	s.onDeprovision().Return(nil).Once()
	s.env.OnActivity(do.Advance, mock.Anything, activities.AdvanceInput{RequestID: number, Cancelled: true}).
		Return(activities.Next{State: "revoked", Complete: true}, nil)
	s.env.RegisterDelayedCallback(s.env.CancelWorkflow, 10*time.Second)
	var cancelled *temporal.CanceledError
	s.ErrorAs(s.run(), &cancelled)
}

func (s *accessRequestSuite) TestUnconfirmedSignalOnlyLoadsNextSteps() {
	s.onAdvance(waiting(3600))
	s.onAdvance(waiting(3590)) // no decision is recorded
	s.onAdvance(activities.Next{State: "expired", Complete: true})
	s.signalAfter(10*time.Second, SignalDecisionRecorded)
	s.NoError(s.run())
	s.env.AssertNotCalled(s.T(), "ProvisionAccess", mock.Anything, mock.Anything)
}

func (s *accessRequestSuite) TestSignalNamesArePassedToAdvance() {
	s.onAdvance(waiting(3600))
	input := activities.AdvanceInput{RequestID: number, Signals: []activities.Signal{
		{Name: SignalRevocationRecorded, Says: activities.RevocationRecorded},
	}}
	s.env.OnActivity(do.Advance, mock.Anything, input).
		Return(activities.Next{State: "denied", Complete: true}, nil).Once()
	s.signalAfter(time.Minute, SignalRevocationRecorded)
	s.NoError(s.run())
}

func (s *accessRequestSuite) TestManySignalsLoadNextStepsOnce() {
	calls := 0
	s.onEveryAdvance(func() (activities.Next, error) {
		if calls++; calls == 1 {
			return waiting(3600), nil
		}
		return activities.Next{State: "denied", Complete: true}, nil
	})
	s.env.RegisterDelayedCallback(func() {
		for range 100 {
			s.env.SignalWorkflow(SignalDecisionRecorded, nil)
		}
	}, time.Minute)
	s.NoError(s.run())
	s.Less(calls, 10)
}

func (s *accessRequestSuite) TestDatabaseOutageFallsBackToAnActivity() {
	calls, local, regular := 0, 0, 0
	s.env.SetOnLocalActivityStartedListener(func(*activity.Info, context.Context, []any) { local++ })
	s.env.SetOnActivityStartedListener(func(info *activity.Info, _ context.Context, _ converter.EncodedValues) {
		if info.ActivityType.Name == "Advance" {
			regular++
		}
	})
	s.onEveryAdvance(func() (activities.Next, error) {
		switch calls++; calls {
		case 1:
			return waiting(3600), nil
		case 2, 3, 4:
			return activities.Next{}, errors.New("database down")
		}
		return activities.Next{State: "expired", Complete: true}, nil
	})
	s.NoError(s.run())
	s.Equal([]int{5, 2, 3}, []int{calls, local, regular})
}

func (s *accessRequestSuite) TestLongHistoryContinuesAsNew() {
	s.env.SetContinueAsNewSuggested(true)
	s.onAdvance(waiting(3600))
	var continued *workflow.ContinueAsNewError
	s.ErrorAs(s.run(), &continued)
	var in AccessRequestInput
	s.NoError(converter.GetDefaultDataConverter().FromPayloads(continued.Input, &in))
	s.Equal(AccessRequestInput{RequestID: number}, in)
}

func (s *accessRequestSuite) TestSignalDuringTheLastStepIsNotLost() {
	s.env = s.NewTestWorkflowEnvironment()
	s.env.SetStartWorkflowOptions(startOptions(RequestWorkflowID(number)))
	registerActivities(s.env)
	s.env.OnActivity(SyncMessages, mock.Anything, mock.Anything).After(time.Minute).Return(SyncResult{}, nil)
	s.onAdvance(activities.Next{State: "active", Complete: true, MessagesDue: true})
	s.onAdvance(activities.Next{State: "active", Revoke: []activities.Step{claim}})
	s.onAdvance(activities.Next{State: "revoked", Complete: true})
	s.onDeprovision().Return(nil).Once()
	s.signalAfter(30*time.Second, SignalRevocationRecorded) // while the messages are synced
	s.NoError(s.run())
	s.JSONEq(`{"state": "revoked"}`, resultOf(s.T(), s.env))
}

func (s *accessRequestSuite) TestUnknownRequestFails() {
	s.env.OnActivity(do.Advance, mock.Anything, mock.Anything).
		Return(activities.Next{}, temporal.NewNonRetryableApplicationError("request 1042 does not exist", "NoSuchRequest", nil))
	s.ErrorContains(s.run(), "request 1042 does not exist")
}

func (s *accessRequestSuite) TestWrongWorkflowIDFails() {
	s.env.SetStartWorkflowOptions(startOptions("access-request-1"))
	s.ErrorContains(s.run(), "does not belong to request 1042")
}

func (s *accessRequestSuite) TestBatchedNotificationIsSyncedLater() {
	s.env = s.NewTestWorkflowEnvironment()
	s.env.SetStartWorkflowOptions(startOptions(RequestWorkflowID(number)))
	registerActivities(s.env)
	s.env.OnActivity(SyncMessages, mock.Anything, mock.Anything).Return(SyncResult{DueIn: 30}, nil).Once()
	s.env.OnActivity(SyncMessages, mock.Anything, mock.Anything).
		Return(SyncResult{ApproverUnreachable: true}, nil).Once()
	s.env.OnActivity(SyncMessages, mock.Anything, mock.Anything).Return(SyncResult{}, nil)
	next := waiting(3600)
	next.MessagesDue = true
	s.onAdvance(next)
	s.onAdvance(activities.Next{State: "expired", Complete: true}) // loaded again, as an approver is not in Slack
	started := s.env.Now()
	s.NoError(s.run())
	s.Less(s.env.Now().Sub(started), time.Minute)
}

func (s *accessRequestSuite) TestSlackOutageDoesNotDelayRevocation() {
	s.env = s.NewTestWorkflowEnvironment()
	s.env.SetStartWorkflowOptions(startOptions(RequestWorkflowID(number)))
	registerActivities(s.env)
	s.env.OnActivity(SyncMessages, mock.Anything, mock.Anything).Return(SyncResult{}, errors.New("Slack down"))
	s.onAdvance(activities.Next{State: "active", DueIn: 60, MessagesDue: true})
	s.onAdvance(activities.Next{State: "active", Revoke: []activities.Step{claim}, MessagesDue: true})
	s.onAdvance(activities.Next{State: "ended", Complete: true})
	started := s.env.Now()
	var revoked time.Duration
	s.onDeprovision().Return(func(context.Context, activities.ClaimInput) error {
		revoked = s.env.Now().Sub(started)
		return nil
	}).Once()
	s.NoError(s.run())
	s.Less(revoked, 65*time.Second)
}

func TestSearchAttributes(t *testing.T) {
	t.Run("lists stay within Temporal's limits", func(t *testing.T) {
		var many []string
		for range 200 {
			many = append(many, "someone.with.a.long.name@an-even-longer-department.example.com")
		}
		kept := Keywords(many)
		size := 0
		for _, v := range kept {
			size += len(v) + 3
		}
		require.LessOrEqual(t, len(kept), 50)
		require.LessOrEqual(t, size, 2048)
		require.NotEmpty(t, kept)
	})
}
