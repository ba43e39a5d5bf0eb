package systemtest

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/operatorservice/v1"
	sdkpb "go.temporal.io/api/sdk/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"accessbot/activities"
	"accessbot/schema"
	"accessbot/workflows"
)

func TestOperator(t *testing.T) {
	t.Parallel()
	t.Run("runs are found and readable in Temporal", func(t *testing.T) {
		t.Parallel()
		s := start(t)
		s.startWorker()
		s.eventually("the worker has registered the search attributes", func() bool {
			known, err := s.temporal.OperatorService().
				ListSearchAttributes(t.Context(), &operatorservice.ListSearchAttributesRequest{Namespace: s.id})
			return err == nil && known.CustomAttributes["AccessUntil"] != 0
		})
		request := s.ask("alice", "dashboards", "editor", 48*time.Hour)
		other := s.ask("zoe", "crm", "reader", 0)
		id := workflows.RequestWorkflowID(request)
		s.eventually("the request waits for approval", func() bool { return s.itemState(request) == "awaiting_approval" })

		for query, want := range map[string][]string{
			`AccessState = 'awaiting_approval'`:                                               {id, workflows.RequestWorkflowID(other)},
			fmt.Sprintf(`AccessApprover = '%s'`, s.email(approver)):                           {id},
			fmt.Sprintf(`AccessRequester = '%s'`, s.email("zoe")):                             {workflows.RequestWorkflowID(other)},
			fmt.Sprintf(`AccessApplication = '%s-dashboards'`, s.id):                          {id},
			`AccessUntil < '` + time.Now().Add(72*time.Hour).UTC().Format(time.RFC3339) + `'`: {id},
		} {
			var found []string
			s.eventually(query, func() bool {
				found = nil
				list, err := s.temporal.ListWorkflow(
					t.Context(),
					&workflowservice.ListWorkflowExecutionsRequest{Namespace: s.id, Query: query},
				)
				require.NoError(t, err)
				for _, e := range list.Executions {
					found = append(found, e.Execution.WorkflowId)
				}
				return len(found) == len(want)
			})
			require.ElementsMatch(t, want, found, query)
		}

		description, err := s.temporal.DescribeWorkflow(t.Context(), id, "")
		require.NoError(t, err)
		summary, err := description.GetStaticSummary()
		require.NoError(t, err)
		require.Contains(t, summary, fmt.Sprintf("#%d: %s requests Dashboards / Dashboard editor, until", request, s.email("alice")))

		status, err := s.temporal.QueryWorkflow(t.Context(), id, "", workflows.QueryStatus)
		require.NoError(t, err)
		var next activities.Next
		require.NoError(t, status.Get(&next))
		require.Equal(t, "awaiting_approval", next.State)
		require.Contains(t, next.Approvers, s.email(approver))

		s.approve(approver, request)
		s.eventually("the item is active", func() bool { return s.itemState(request) == "active" })
		s.eventually("the timer until the end has a summary", func() bool {
			return strings.Contains(s.summaries(id), "Sleep until access ends") ||
				strings.Contains(s.summaries(id), "Notify before access ends")
		})
		require.Contains(t, s.summaries(id), "Grant Dashboards / Dashboard editor to Alice Martin")
		require.Contains(t, s.summaries(id), "Ask approvers: Bob Fischer")
		require.Contains(t, s.signals(id), `decision-recorded {"person":"`+s.email(approver)+`","decision":"approved","items":1}`)
	})

	t.Run("run tells what came of the request", func(t *testing.T) {
		t.Parallel()
		s := start(t)
		s.startWorker()
		denied := s.ask("alice", "dashboards", "editor", time.Hour)
		s.answer(approver, denied, schema.Answer{Reason: "privately reasoned"})
		id := workflows.RequestWorkflowID(denied)
		s.eventually("the denied request's run is over", func() bool { return s.runStatus(id) == "Completed" })
		require.JSONEq(t, `{"state": "denied", "denied": 1}`, s.result(id))
		require.Contains(t, s.signals(id), `"decision":"denied"`)
		require.NotContains(t, s.history(id), "privately")

		request := s.ask("alice", "dashboards", "editor", time.Hour)
		s.approve(approver, request)
		s.eventually("the item is active", func() bool { return s.itemState(request) == "active" })
		s.shiftClock(2 * time.Hour)
		s.signal(request, workflows.SignalDue)
		id = workflows.RequestWorkflowID(request)
		s.eventually("the run is over", func() bool { return s.runStatus(id) == "Completed" })
		require.JSONEq(t, `{"state": "ended", "granted": 1}`, s.result(id))
	})

	t.Run("Temporal has no names if they are switched off", func(t *testing.T) {
		t.Parallel()
		s := start(t)
		s.starter.ShowPeople = false
		s.startWorker("TEMPORAL_SHOW_PEOPLE=false")
		request := s.ask("alice", "dashboards", "editor", 48*time.Hour)
		s.approve(approver, request)
		s.eventually("it is active", func() bool { return s.itemState(request) == "active" })
		denied := s.ask("alice", "dashboards", "editor", 24*time.Hour)
		s.answer(approver, denied, schema.Answer{Reason: "privately reasoned"})
		s.eventually("the request is denied", func() bool { return s.itemState(denied) == "denied" })
		for _, id := range []string{workflows.RequestWorkflowID(request), workflows.RequestWorkflowID(denied)} {
			kept := s.history(id) + s.description(id)
			require.Contains(t, kept, "dashboards")
			for _, personal := range []string{"alice", "Alice", "bob", "Bob", "@" + s.id, "privately", "xoxb-", "postgres://"} {
				require.NotContains(t, kept, personal, id)
			}
		}
	})
}

// description returns all that Temporal shows of a run except its history: memo, search attributes, summary, details and
// pending activities.
func (s *system) description(workflowID string) string {
	s.t.Helper()
	d, err := s.temporal.DescribeWorkflowExecution(s.t.Context(), workflowID, "")
	require.NoError(s.t, err)
	answer, err := s.temporal.QueryWorkflow(s.t.Context(), workflowID, "", "__temporal_workflow_metadata")
	require.NoError(s.t, err)
	var metadata sdkpb.WorkflowMetadata
	require.NoError(s.t, answer.Get(&metadata))
	require.NotEmpty(s.t, metadata.CurrentDetails)
	return d.String() + metadata.String()
}

// result returns the result of a workflow's newest run, which is over, as JSON.
func (s *system) result(workflowID string) string {
	s.t.Helper()
	var result json.RawMessage
	require.NoError(s.t, s.temporal.GetWorkflow(s.t.Context(), workflowID, "").Get(s.t.Context(), &result))
	return string(result)
}

// signals returns the signals of a run with what they carry, one a line.
func (s *system) signals(workflowID string) string {
	s.t.Helper()
	var text strings.Builder
	events := s.temporal.GetWorkflowHistory(s.t.Context(), workflowID, "", false, 0)
	for events.HasNext() {
		event, err := events.Next()
		require.NoError(s.t, err)
		if signal := event.GetWorkflowExecutionSignaledEventAttributes(); signal != nil {
			fmt.Fprintf(&text, "%s %s\n", signal.SignalName, signal.Input.GetPayloads()[0].GetData())
		}
	}
	return text.String()
}

// summaries returns the summaries of a run's activities and timers, as the Web UI shows them.
func (s *system) summaries(workflowID string) string {
	s.t.Helper()
	var summaries []string
	events := s.temporal.GetWorkflowHistory(s.t.Context(), workflowID, "", false, 0)
	for events.HasNext() {
		event, err := events.Next()
		require.NoError(s.t, err)
		if event.UserMetadata == nil {
			continue
		}
		var summary string
		require.NoError(s.t, converter.GetDefaultDataConverter().FromPayload(event.UserMetadata.Summary, &summary))
		summaries = append(summaries, summary)
	}
	return strings.Join(summaries, "\n")
}

// history returns a run's whole history, with payloads as text.
func (s *system) history(workflowID string) string {
	s.t.Helper()
	var text strings.Builder
	var events client.HistoryEventIterator = s.temporal.GetWorkflowHistory(s.t.Context(), workflowID, "", false, 0)
	for events.HasNext() {
		event, err := events.Next()
		require.NoError(s.t, err)
		text.WriteString(event.String())
	}
	return text.String()
}
