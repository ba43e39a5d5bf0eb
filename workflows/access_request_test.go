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

// The database is played by what Advance answers, call after call; time is skipped.
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
	s.env.RegisterActivity(&activities.Activities{})
	s.env.OnActivity(do.SyncMessages, mock.Anything, activities.RequestInput{RequestID: number}).Return(activities.SyncResult{}, nil).Maybe()
	s.env.SetTestTimeout(20 * time.Second)
}

func (s *accessRequestSuite) AfterTest(_, _ string) { s.env.AssertExpectations(s.T()) }

// says lets the database answer next, once.
func (s *accessRequestSuite) says(next activities.Next) {
	ours := mock.MatchedBy(func(in activities.AdvanceInput) bool { return in.RequestID == number && !in.Cancelled })
	s.env.OnActivity(do.Advance, mock.Anything, ours).Return(next, nil).Once()
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

func waiting(wake int64) activities.Next {
	return activities.Next{State: "awaiting_approval", DueIn: wake, DueFor: "expires if no one decides", Approvers: []string{"bob@example.com"}}
}

func (s *accessRequestSuite) TestPermanentAccessIsGranted() {
	s.says(waiting(3600))
	s.says(activities.Next{State: "approved", Grant: []activities.Step{item}})
	s.says(activities.Next{State: "active", Settled: true})
	s.env.OnActivity(do.ProvisionAccess, mock.Anything, activities.ItemInput{ItemID: 7}).Return(nil).Once()
	s.signalAfter(time.Minute, SignalDecisionRecorded)
	s.NoError(s.run())
}

func (s *accessRequestSuite) TestTemporaryAccessIsRevokedAtItsEnd() {
	started := s.env.Now()
	const month = 30 * 24 * 3600
	s.says(activities.Next{State: "approved", Grant: []activities.Step{item}})
	s.says(activities.Next{State: "active", DueIn: month, DueFor: "access ends"})
	s.says(activities.Next{State: "active", RevokeAccess: []activities.Step{claim}})
	s.says(activities.Next{State: "ended", Settled: true})
	s.env.OnActivity(do.ProvisionAccess, mock.Anything, activities.ItemInput{ItemID: 7}).Return(nil).Once()
	s.env.OnActivity(do.DeprovisionAccess, mock.Anything, activities.ClaimInput{ClaimID: 70}).Return(nil).Once()
	s.NoError(s.run())
	s.GreaterOrEqual(s.env.Now().Sub(started), month*time.Second)
	s.Less(s.env.Now().Sub(started), (month+5)*time.Second)
}

func (s *accessRequestSuite) TestDeniedRequestGrantsNothing() {
	s.says(waiting(3600))
	s.says(activities.Next{State: "denied", Settled: true})
	s.signalAfter(time.Minute, SignalDecisionRecorded)
	s.NoError(s.run())
	s.env.AssertNotCalled(s.T(), "ProvisionAccess", mock.Anything, mock.Anything)
}

func (s *accessRequestSuite) TestEachWaitHasItsTimer() {
	started := s.env.Now()
	var slept []time.Duration
	s.env.SetOnTimerScheduledListener(func(_ string, d time.Duration) { slept = append(slept, d) })
	const day = 24 * 3600
	waits := func(seconds int64, what string) activities.Next {
		return activities.Next{State: "awaiting_approval", DueIn: seconds, DueFor: what, Approvers: []string{"bob@example.com"}}
	}
	s.says(waits(1*day, "asks the other approvers"))
	s.says(waits(2*day, "asks the next in the chain besides"))
	s.says(waits(11*day, "expires if no one decides"))
	s.says(activities.Next{State: "expired", Settled: true})
	s.NoError(s.run())
	s.Equal([]time.Duration{24 * time.Hour, 48 * time.Hour, 11 * 24 * time.Hour}, slept)
	s.WithinDuration(started.Add(14*24*time.Hour), s.env.Now(), time.Minute)
}

func (s *accessRequestSuite) TestEndBeforeApprovalExpires() {
	s.says(waiting(3600))
	s.says(activities.Next{State: "expired", Settled: true})
	s.NoError(s.run()) // no one signals: the timer asks the database
}

func (s *accessRequestSuite) TestEarlyRevocationTakesEffectAtOnce() {
	started := s.env.Now()
	s.says(activities.Next{State: "active", DueIn: 30 * 24 * 3600})
	s.says(activities.Next{State: "active", RevokeAccess: []activities.Step{claim}})
	s.says(activities.Next{State: "revoked", Settled: true})
	s.env.OnActivity(do.DeprovisionAccess, mock.Anything, activities.ClaimInput{ClaimID: 70}).Return(nil).Once()
	s.signalAfter(time.Hour, SignalRevocationRecorded)
	s.NoError(s.run())
	s.Less(s.env.Now().Sub(started), 2*time.Hour)
}

func (s *accessRequestSuite) TestItemIsGrantedWhileAnotherWaits() {
	next := waiting(3600)
	next.Grant = []activities.Step{item}
	s.says(next)
	s.says(waiting(3600))
	s.says(activities.Next{State: "denied", Settled: true})
	s.env.OnActivity(do.ProvisionAccess, mock.Anything, activities.ItemInput{ItemID: 7}).Return(nil).Once()
	s.signalAfter(30*time.Minute, SignalDecisionRecorded)
	s.NoError(s.run())
}

func (s *accessRequestSuite) TestGrantingWaitsForItsTargetAsLongAsTheRecordSays() {
	started := s.env.Now()
	attempts := 0
	s.env.OnActivity(do.Advance, mock.Anything, mock.Anything).Return(func(context.Context, activities.AdvanceInput) (activities.Next, error) {
		if s.env.Now().Sub(started) >= 3*time.Hour { // its end
			return activities.Next{State: "failed", Settled: true}, nil
		}
		return activities.Next{State: "approved", Grant: []activities.Step{item}, DueIn: 3 * 3600}, nil
	})
	s.env.OnActivity(do.ProvisionAccess, mock.Anything, activities.ItemInput{ItemID: 7}).Return(func(context.Context, activities.ItemInput) error {
		attempts++
		return temporal.NewApplicationErrorWithOptions("the target is away", "Unavailable", temporal.ApplicationErrorOptions{NextRetryDelay: 100 * time.Hour})
	})
	s.NoError(s.run())
	s.Equal(1, attempts, "the attempt that was planned is stopped: the database wants none any more")
	s.GreaterOrEqual(s.env.Now().Sub(started), 3*time.Hour)
	s.Less(s.env.Now().Sub(started), 4*time.Hour)
	s.Zero(grantPolicy.ScheduleToCloseTimeout)
	s.Zero(grantPolicy.RetryPolicy.MaximumAttempts)
	s.LessOrEqual(grantPolicy.RetryPolicy.MaximumInterval, 5*time.Minute)
	s.True(grantPolicy.WaitForCancellation, "an attempt under way is never left to itself")
}

func (s *accessRequestSuite) TestAnOrderToRetryMakesOneAttemptAtOnce() {
	started := s.env.Now()
	var attempts []time.Duration
	s.env.OnActivity(do.Advance, mock.Anything, mock.Anything).Return(func(context.Context, activities.AdvanceInput) (activities.Next, error) {
		next := activities.Next{State: "approved", Grant: []activities.Step{item}, DueIn: 10 * 3600}
		switch since := s.env.Now().Sub(started); {
		case since >= 9*time.Hour:
			return activities.Next{State: "failed", Settled: true}, nil
		case since >= time.Hour:
			next.Retry = 5
		}
		return next, nil
	})
	s.env.OnActivity(do.ProvisionAccess, mock.Anything, activities.ItemInput{ItemID: 7}).Return(func(context.Context, activities.ItemInput) error {
		attempts = append(attempts, s.env.Now().Sub(started))
		return temporal.NewApplicationErrorWithOptions("the target is away", "Unavailable", temporal.ApplicationErrorOptions{NextRetryDelay: 100 * time.Hour})
	})
	s.signalAfter(time.Hour, SignalDue)
	s.signalAfter(2*time.Hour, SignalDue) // the order was carried out
	s.signalAfter(9*time.Hour, SignalDue)
	s.NoError(s.run())
	s.Require().Len(attempts, 2)
	s.InDelta(time.Hour.Seconds(), attempts[1].Seconds(), 10)
}

func (s *accessRequestSuite) TestALongHistoryGoesOnInANewRunWhileATargetIsAway() {
	s.env.OnActivity(do.Advance, mock.Anything, mock.Anything).Return(activities.Next{State: "approved", Grant: []activities.Step{item}, RevokeAccess: []activities.Step{claim}}, nil)
	away := temporal.NewApplicationErrorWithOptions("the target is away", "Unavailable", temporal.ApplicationErrorOptions{NextRetryDelay: 100 * time.Hour})
	s.env.OnActivity(do.ProvisionAccess, mock.Anything, activities.ItemInput{ItemID: 7}).Return(away)
	s.env.OnActivity(do.DeprovisionAccess, mock.Anything, activities.ClaimInput{ClaimID: 70}).Return(away)
	s.env.RegisterDelayedCallback(func() {
		s.env.SetContinueAsNewSuggested(true)
		s.env.SignalWorkflow(SignalDue, nil)
	}, time.Hour)
	started := s.env.Now()
	var again *workflow.ContinueAsNewError
	s.ErrorAs(s.run(), &again)
	s.Less(s.env.Now().Sub(started), 2*time.Hour)
}

func (s *accessRequestSuite) TestRevocationIsRetriedWithoutLimit() {
	started := s.env.Now()
	recovery := started.Add(26 * time.Hour)
	recovered := false
	s.env.OnActivity(do.Advance, mock.Anything, mock.Anything).Return(func(context.Context, activities.AdvanceInput) (activities.Next, error) {
		if recovered {
			return activities.Next{State: "ended", Settled: true}, nil
		}
		return activities.Next{State: "active", RevokeAccess: []activities.Step{claim}}, nil
	})
	s.env.OnActivity(do.DeprovisionAccess, mock.Anything, activities.ClaimInput{ClaimID: 70}).Return(func(context.Context, activities.ClaimInput) error {
		if recovered = !s.env.Now().Before(recovery); !recovered {
			return errors.New("the target is away")
		}
		return nil
	})
	s.NoError(s.run())
	took := s.env.Now().Sub(started)
	s.GreaterOrEqual(took, 26*time.Hour)
	s.Less(took, 27*time.Hour) // the backoff is capped
	// The test environment stops at ten attempts; a real server does not.
	s.Zero(revokePolicy.RetryPolicy.MaximumAttempts)
	s.Zero(revokePolicy.ScheduleToCloseTimeout)
	s.LessOrEqual(revokePolicy.RetryPolicy.MaximumInterval, 30*time.Minute)
}

func (s *accessRequestSuite) TestCancellationRevokesTemporaryAccess() {
	s.says(activities.Next{State: "active", DueIn: 30 * 24 * 3600})
	s.env.OnActivity(do.Advance, mock.Anything, activities.AdvanceInput{RequestID: number, Cancelled: true}).
		Return(activities.Next{State: "active", RevokeAccess: []activities.Step{claim}}, nil).Once()
	s.env.OnActivity(do.Advance, mock.Anything, activities.AdvanceInput{RequestID: number, Cancelled: true}).
		Return(activities.Next{State: "revoked", Settled: true}, nil).Once()
	s.env.OnActivity(do.DeprovisionAccess, mock.Anything, activities.ClaimInput{ClaimID: 70}).Return(nil).Once()
	s.env.RegisterDelayedCallback(s.env.CancelWorkflow, time.Hour)
	var cancelled *temporal.CanceledError
	s.ErrorAs(s.run(), &cancelled)
}

func (s *accessRequestSuite) TestCancellationDuringGrantRevokesIt() {
	s.says(activities.Next{State: "approved", Grant: []activities.Step{item}})
	s.env.OnActivity(do.ProvisionAccess, mock.Anything, activities.ItemInput{ItemID: 7}).After(time.Minute).Return(nil).Once()
	s.env.OnActivity(do.Advance, mock.Anything, activities.AdvanceInput{RequestID: number, Cancelled: true}).
		Return(activities.Next{State: "provisioning", RevokeAccess: []activities.Step{claim}}, nil).Once()
	s.env.OnActivity(do.DeprovisionAccess, mock.Anything, activities.ClaimInput{ClaimID: 70}).Return(nil).Once()
	s.env.OnActivity(do.Advance, mock.Anything, activities.AdvanceInput{RequestID: number, Cancelled: true}).
		Return(activities.Next{State: "revoked", Settled: true}, nil)
	s.env.RegisterDelayedCallback(s.env.CancelWorkflow, 10*time.Second)
	var cancelled *temporal.CanceledError
	s.ErrorAs(s.run(), &cancelled)
}

func (s *accessRequestSuite) TestUnconfirmedSignalOnlyLoadsNextSteps() {
	s.says(waiting(3600))
	s.says(waiting(3590)) // nothing is recorded
	s.says(activities.Next{State: "expired", Settled: true})
	s.signalAfter(10*time.Second, SignalDecisionRecorded)
	s.NoError(s.run())
	s.env.AssertNotCalled(s.T(), "ProvisionAccess", mock.Anything, mock.Anything)
}

func (s *accessRequestSuite) TestSignalNamesArePassedOn() {
	s.says(waiting(3600))
	s.env.OnActivity(do.Advance, mock.Anything, activities.AdvanceInput{RequestID: number, Said: []string{SignalRevocationRecorded}}).
		Return(activities.Next{State: "denied", Settled: true}, nil).Once()
	s.signalAfter(time.Minute, SignalRevocationRecorded)
	s.NoError(s.run())
}

func (s *accessRequestSuite) TestHundredSignalsAreBatched() {
	asked := 0
	s.env.OnActivity(do.Advance, mock.Anything, mock.Anything).Return(func(context.Context, activities.AdvanceInput) (activities.Next, error) {
		if asked++; asked == 1 {
			return waiting(3600), nil
		}
		return activities.Next{State: "denied", Settled: true}, nil
	})
	s.env.RegisterDelayedCallback(func() {
		for range 100 {
			s.env.SignalWorkflow(SignalDecisionRecorded, nil)
		}
	}, time.Minute)
	s.NoError(s.run())
	s.Less(asked, 10)
}

func (s *accessRequestSuite) TestDatabaseOutageFallsBackToActivity() {
	asked, within, byActivity := 0, 0, 0
	s.env.SetOnLocalActivityStartedListener(func(*activity.Info, context.Context, []any) { within++ })
	s.env.SetOnActivityStartedListener(func(info *activity.Info, _ context.Context, _ converter.EncodedValues) {
		if info.ActivityType.Name == "Advance" {
			byActivity++
		}
	})
	s.env.OnActivity(do.Advance, mock.Anything, mock.Anything).Return(func(context.Context, activities.AdvanceInput) (activities.Next, error) {
		switch asked++; asked {
		case 1:
			return waiting(3600), nil
		case 2, 3, 4:
			return activities.Next{}, errors.New("the database is away")
		}
		return activities.Next{State: "expired", Settled: true}, nil
	})
	s.NoError(s.run())
	s.Equal([]int{5, 2, 3}, []int{asked, within, byActivity})
}

func (s *accessRequestSuite) TestLongHistoryContinuesAsNew() {
	s.env.SetContinueAsNewSuggested(true)
	s.says(waiting(3600))
	var again *workflow.ContinueAsNewError
	s.ErrorAs(s.run(), &again)
}

func (s *accessRequestSuite) TestWrongWorkflowIDFails() {
	s.env.SetStartWorkflowOptions(startOptions("access-request-1"))
	s.ErrorContains(s.run(), "is not the one of request 1042")
}

func (s *accessRequestSuite) TestBatchedMessageIsSyncedAgain() {
	s.env = s.NewTestWorkflowEnvironment()
	s.env.SetStartWorkflowOptions(startOptions(RequestWorkflowID(number)))
	s.env.RegisterActivity(&activities.Activities{})
	s.env.OnActivity(do.SyncMessages, mock.Anything, mock.Anything).Return(activities.SyncResult{AgainIn: 30}, nil).Once()
	s.env.OnActivity(do.SyncMessages, mock.Anything, mock.Anything).Return(activities.SyncResult{AskAgain: true}, nil).Once()
	s.env.OnActivity(do.SyncMessages, mock.Anything, mock.Anything).Return(activities.SyncResult{}, nil)
	behind := waiting(3600)
	behind.MessagesDue = true
	s.says(behind)
	s.says(activities.Next{State: "expired", Settled: true}) // asked again, because someone was not in Slack
	started := s.env.Now()
	s.NoError(s.run())
	s.Less(s.env.Now().Sub(started), time.Minute)
}

func (s *accessRequestSuite) TestSlackOutageDelaysNoRevocation() {
	s.env = s.NewTestWorkflowEnvironment()
	s.env.SetStartWorkflowOptions(startOptions(RequestWorkflowID(number)))
	s.env.RegisterActivity(&activities.Activities{})
	s.env.OnActivity(do.SyncMessages, mock.Anything, mock.Anything).Return(activities.SyncResult{}, errors.New("Slack is away"))
	s.says(activities.Next{State: "active", DueIn: 60, MessagesDue: true})
	s.says(activities.Next{State: "active", RevokeAccess: []activities.Step{claim}, MessagesDue: true})
	s.says(activities.Next{State: "ended", Settled: true})
	started := s.env.Now()
	var revoked time.Duration
	s.env.OnActivity(do.DeprovisionAccess, mock.Anything, activities.ClaimInput{ClaimID: 70}).Return(func(context.Context, activities.ClaimInput) error {
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
		kept := bounded(many)
		size := 0
		for _, v := range kept {
			size += len(v) + 3
		}
		require.LessOrEqual(t, len(kept), 50)
		require.LessOrEqual(t, size, 2048)
		require.NotEmpty(t, kept)
	})
}
