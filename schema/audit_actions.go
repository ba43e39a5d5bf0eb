package schema

// AuditAction is what happened in an audit event, as noun.verb. What varies (a kind, a state, why) is in the event's
// details, never in its action. docs/audit.md lists them all.
type AuditAction string

// Requests and approvals.
const (
	// RequestSubmitted: a form was submitted: its items, and the policy's version.
	RequestSubmitted AuditAction = "request.submitted"
	// ApprovalOpened: approvers are asked about items, in one stage.
	ApprovalOpened AuditAction = "approval.opened"
	// ApprovalWidened: the approvers who were not asked at first are asked too.
	ApprovalWidened AuditAction = "approval.widened"
	// ApprovalEscalated: there was no response, so the next approvers are asked.
	ApprovalEscalated AuditAction = "approval.escalated"
	// ApprovalClosed: its `state`: decided, moved to other approvers, or closed with its items.
	ApprovalClosed AuditAction = "approval.closed"
	// ApprovalUnassigned: no approver is available for an item (alert).
	ApprovalUnassigned AuditAction = "approval.unassigned"
	// DecisionRecorded: its `outcome`, about each item on which basis; an override is an alert.
	DecisionRecorded AuditAction = "decision.recorded"
	// DecisionRefused: someone tried to decide what they may not, or no longer, decide (alert).
	DecisionRefused AuditAction = "decision.refused"
	// EvaluationFailed: the policy could not evaluate what was requested (alert).
	EvaluationFailed AuditAction = "evaluation.failed"
	// EvaluationMismatched: the policy gives another rule than the one recorded at submission (alert).
	EvaluationMismatched AuditAction = "evaluation.mismatched"
	// QuestionAsked: an approver asked the requester.
	QuestionAsked AuditAction = "question.asked"
	// QuestionAnswered: the requester or submitter answered.
	QuestionAnswered AuditAction = "question.answered"
	// QuestionRefused: someone tried to ask who may not (alert).
	QuestionRefused AuditAction = "question.refused"
	// AnswerRefused: someone tried to answer who may not (alert).
	AnswerRefused AuditAction = "answer.refused"
	// ItemRouted: items wait for approval.
	ItemRouted AuditAction = "item.routed"
	// ItemApproved: items passed every stage.
	ItemApproved AuditAction = "item.approved"
	// ItemDenied: items were denied.
	ItemDenied AuditAction = "item.denied"
	// ItemWithdrawn: items were withdrawn.
	ItemWithdrawn AuditAction = "item.withdrawn"
	// ItemExpired: items had no decision in time, or their end passed first.
	ItemExpired AuditAction = "item.expired"
	// SignalUnconfirmed: a signal was about something that is not in the database (alert).
	SignalUnconfirmed AuditAction = "signal.unconfirmed"
	// RunSignalled: the sweep started or signalled a request's late run.
	RunSignalled AuditAction = "run.signalled"
)

// Withdrawals and revocations.
const (
	// WithdrawalRecorded: an order to stop items before access is set up, with its `kind`.
	WithdrawalRecorded AuditAction = "withdrawal.recorded"
	// WithdrawalRefused: someone tried to withdraw another's request (alert).
	WithdrawalRefused AuditAction = "withdrawal.refused"
	// RevocationRecorded: an order to end access before its end date, with its `kind`.
	RevocationRecorded AuditAction = "revocation.recorded"
	// RevocationRefused: someone tried to end access that is not theirs to end (alert).
	RevocationRefused AuditAction = "revocation.refused"
	// RevocationOverdue: access should be gone, and the target has not confirmed it (alert).
	RevocationOverdue AuditAction = "revocation.overdue"
)

// Provisioning and access.
const (
	// ClaimCreated: before the target is changed; `held_before`: it showed the access already.
	ClaimCreated AuditAction = "claim.created"
	// ClaimImported: the directory names access that someone has.
	ClaimImported AuditAction = "claim.imported"
	// ClaimEnded: an imported claim is no longer in the directory, or one of unexpected access is in it now.
	ClaimEnded AuditAction = "claim.ended"
	// ProvisioningRefused: the decisions of an approved item do not satisfy the policy (alert).
	ProvisioningRefused AuditAction = "provisioning.refused"
	// ProvisioningAccepted: the target has accepted the grant and not completed it; `waits_for` says why.
	ProvisioningAccepted AuditAction = "provisioning.accepted"
	// ProvisioningFailed: an item could not be set up (alert).
	ProvisioningFailed AuditAction = "provisioning.failed"
	// ProvisioningDelayed: requests wait for a target, once for each outage (alert).
	ProvisioningDelayed AuditAction = "provisioning.delayed"
	// ProvisioningRestored: nothing waits for that target any longer.
	ProvisioningRestored AuditAction = "provisioning.restored"
	// RetryOrdered: an administrator ordered a new attempt.
	RetryOrdered AuditAction = "retry.ordered"
	// RetryRefused: someone else tried to (alert).
	RetryRefused AuditAction = "retry.refused"
	// DeprovisioningRefused: a run asked to end a claim that is not over (alert).
	DeprovisioningRefused AuditAction = "deprovisioning.refused"
	// AccessGranted: the target was read again and shows the access.
	AccessGranted AuditAction = "access.granted"
	// AccessRevoked: a claim is over and the target shows no access: why, `late_by_seconds`.
	AccessRevoked AuditAction = "access.revoked"
	// AccessKept: a claim is over and another one keeps the access.
	AccessKept AuditAction = "access.kept"
	// AccessFound: a target shows access that existed before the claim (alert).
	AccessFound AuditAction = "access.found"
	// FindingReported: unexpected or missing access, by its `kind` (alert).
	FindingReported AuditAction = "finding.reported"
	// FindingCorrected: the target is being made to match the claims.
	FindingCorrected AuditAction = "finding.corrected"
	// FindingClosed: the target and the claims agree again.
	FindingClosed AuditAction = "finding.closed"
	// ManualTaskOpened: owners are asked to do something by hand.
	ManualTaskOpened AuditAction = "manual_task.opened"
	// ManualTaskDropped: it is no longer needed.
	ManualTaskDropped AuditAction = "manual_task.dropped"
	// ManualTaskDone: an owner says that it is done.
	ManualTaskDone AuditAction = "manual_task.done"
	// ManualTaskDeclined: an owner says that it can't be done (alert).
	ManualTaskDeclined AuditAction = "manual_task.declined"
	// ManualTaskRefused: someone answered a task that is not theirs to answer (alert).
	ManualTaskRefused AuditAction = "manual_task.refused"
)

// People, Slack and the directory.
const (
	// BindingCreated: a Slack user is a person from now on, on which `basis`.
	BindingCreated AuditAction = "binding.created"
	// BindingRefused: a Slack user was not bound; `reason` says why (alert).
	BindingRefused AuditAction = "binding.refused"
	// BindingRemoved: an operator undid a binding (alert).
	BindingRemoved AuditAction = "binding.removed"
	// BindingContradicted: a bound user's Slack email differs from the directory (alert, once a day).
	BindingContradicted AuditAction = "binding.contradicted"
	// MembershipLost: a bound Slack user is no longer a full member of the workspace (alert).
	MembershipLost AuditAction = "membership.lost"
	// AddressRefused: Slack answered with a user whose email only looks like the person's (alert).
	AddressRefused AuditAction = "address.refused"
	// ButtonRefused: a button was pressed with a value that the app never gave it (alert).
	ButtonRefused AuditAction = "button.refused"
	// FormRefused: a form was to continue another person's request (alert).
	FormRefused AuditAction = "form.refused"
	// SelectionRefused: a form held something that was not offered (alert).
	SelectionRefused AuditAction = "selection.refused"
	// PayloadRefused: a payload came from another app, workspace or enterprise (alert).
	PayloadRefused AuditAction = "payload.refused"
	// MessageRefused: Slack refused a message's content, so a plain one was sent (alert).
	MessageRefused AuditAction = "message.refused"
	// MessageUndelivered: its reader cannot be reached in Slack (alert).
	MessageUndelivered AuditAction = "message.undelivered"
	// ReminderSent: people were reminded of pending approvals.
	ReminderSent AuditAction = "reminder.sent"
	// DelegationRecorded: who decides on behalf of a person, and when.
	DelegationRecorded AuditAction = "delegation.recorded"
	// DelegationEnded: the person decides again.
	DelegationEnded AuditAction = "delegation.ended"
	// DirectoryImported: an import, with its summary.
	DirectoryImported AuditAction = "directory.imported"
	// PersonChanged: status, manager or administrator of a person changed.
	PersonChanged AuditAction = "person.changed"
	// EmailChanged: an operator changed a person's email (alert).
	EmailChanged AuditAction = "email.changed"
	// JobTitleChanged: a person's job title changed.
	JobTitleChanged AuditAction = "job_title.changed"
	// AccountChanged: a person's account in a target was renamed.
	AccountChanged AuditAction = "account.changed"
	// OwnersChanged: the owners of an application or entitlement changed.
	OwnersChanged AuditAction = "owners.changed"
	// PolicyApplied: a new version of the policy.
	PolicyApplied AuditAction = "policy.applied"
)
