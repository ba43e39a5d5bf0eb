package main

import (
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/worker"

	"accessbot/activities"
	"accessbot/slackapp/outbox"
	"accessbot/workflows"
)

// register registers each workflow and activity by itself: registering a struct would make an activity of every exported method.
func register(w worker.Registry, a *activities.Activities, messages *outbox.Outbox) {
	w.RegisterWorkflow(workflows.AccessRequest)
	w.RegisterWorkflow(workflows.EndAccess)
	w.RegisterActivity(a.Advance)
	w.RegisterActivity(a.ProvisionAccess)
	w.RegisterActivity(a.DeprovisionAccess)
	w.RegisterActivity(a.CheckClaim)
	w.RegisterActivityWithOptions(messages.SyncMessages, activity.RegisterOptions{Name: workflows.SyncMessages})
}

// Workflows know SyncMessages by its name. These conversions compile only while both sides have the same input and result.
var (
	_ = outbox.SyncInput(workflows.SyncInput{})
	_ = workflows.SyncResult(outbox.SyncResult{})
)
