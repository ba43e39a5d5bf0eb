package schema

// AuditAction is what an event of the audit tells of, as noun.verb. What varies (a kind, a state, why) is in the event's
// details, never in its action. docs/audit.md lists them all.
type AuditAction string

// Requests and approvals.
const (
	RequestSubmitted     AuditAction = "request.submitted"     // a form was submitted: its items, and the policy's version
	ApprovalOpened       AuditAction = "approval.opened"       // approvers are asked about items, in one stage
	ApprovalWidened      AuditAction = "approval.widened"      // the approvers who were not asked at first are asked too
	ApprovalEscalated    AuditAction = "approval.escalated"    // there was no response, so the next approvers are asked
	ApprovalClosed       AuditAction = "approval.closed"       // its `state`: decided, moved to other approvers, or closed with its items
	ApprovalUnassigned   AuditAction = "approval.unassigned"   // no approver is available for an item (alert)
	DecisionRecorded     AuditAction = "decision.recorded"     // its `outcome`, about each item on which basis; an override is an alert
	DecisionRefused      AuditAction = "decision.refused"      // someone tried to decide what they may not decide, or not any more (alert)
	EvaluationFailed     AuditAction = "evaluation.failed"     // the policy could not evaluate what was requested (alert)
	EvaluationMismatched AuditAction = "evaluation.mismatched" // the policy gives another rule than the one recorded at submission (alert)
	QuestionAsked        AuditAction = "question.asked"        // an approver asked the requester
	QuestionAnswered     AuditAction = "question.answered"     // the requester or submitter answered
	QuestionRefused      AuditAction = "question.refused"      // someone tried to ask who may not (alert)
	AnswerRefused        AuditAction = "answer.refused"        // someone tried to answer who may not (alert)
	ItemRouted           AuditAction = "item.routed"           // items wait for approval
	ItemApproved         AuditAction = "item.approved"         // items passed every stage
	ItemDenied           AuditAction = "item.denied"           // items were denied
	ItemWithdrawn        AuditAction = "item.withdrawn"        // items were withdrawn
	ItemExpired          AuditAction = "item.expired"          // items had no decision in time, or their end passed first
	SignalUnconfirmed    AuditAction = "signal.unconfirmed"    // a signal told of something that the database does not have (alert)
	RunSignalled         AuditAction = "run.signalled"         // the sweep started or signalled a request's late run
)

// Withdrawals and revocations.
const (
	WithdrawalRecorded AuditAction = "withdrawal.recorded" // an order to stop items before access is set up, with its `kind`
	WithdrawalRefused  AuditAction = "withdrawal.refused"  // someone tried to withdraw another's request (alert)
	RevocationRecorded AuditAction = "revocation.recorded" // an order to end access before its end date, with its `kind`
	RevocationRefused  AuditAction = "revocation.refused"  // someone tried to end access that is not theirs to end (alert)
	RevocationOverdue  AuditAction = "revocation.overdue"  // access should be gone, and the target has not confirmed it (alert)
)

// Provisioning and access.
const (
	ClaimCreated          AuditAction = "claim.created"          // before the target is changed; `held_before`: it showed the access already
	ClaimImported         AuditAction = "claim.imported"         // the directory names access that someone has
	ClaimEnded            AuditAction = "claim.ended"            // the directory does not name it any more, or names it now
	ProvisioningRefused   AuditAction = "provisioning.refused"   // the proof of an approved item does not hold (alert)
	ProvisioningAccepted  AuditAction = "provisioning.accepted"  // the target has taken the grant and not finished it; `waits_for` says why
	ProvisioningFailed    AuditAction = "provisioning.failed"    // an item could not be set up (alert)
	ProvisioningDelayed   AuditAction = "provisioning.delayed"   // requests wait for a target, once for each outage (alert)
	ProvisioningRestored  AuditAction = "provisioning.restored"  // nothing waits for that target any more
	RetryOrdered          AuditAction = "retry.ordered"          // an administrator ordered a new attempt
	RetryRefused          AuditAction = "retry.refused"          // someone else tried to (alert)
	DeprovisioningRefused AuditAction = "deprovisioning.refused" // a run asked to end a claim that is not over (alert)
	AccessGranted         AuditAction = "access.granted"         // the target was read again and shows the access
	AccessRevoked         AuditAction = "access.revoked"         // a claim is over and the target shows no access: why, `late_by_seconds`
	AccessKept            AuditAction = "access.kept"            // a claim is over and another one keeps the access
	AccessFound           AuditAction = "access.found"           // a target shows access that existed before the claim (alert)
	FindingReported       AuditAction = "finding.reported"       // unexpected or missing access, by its `kind` (alert)
	FindingCorrected      AuditAction = "finding.corrected"      // the target is being made to match the claims
	FindingClosed         AuditAction = "finding.closed"         // the target and the claims agree again
	ManualTaskOpened      AuditAction = "manual_task.opened"     // owners are asked to do something by hand
	ManualTaskDropped     AuditAction = "manual_task.dropped"    // it is not needed any more
	ManualTaskDone        AuditAction = "manual_task.done"       // an owner says that it is done
	ManualTaskDeclined    AuditAction = "manual_task.declined"   // an owner says that it can't be done (alert)
	ManualTaskRefused     AuditAction = "manual_task.refused"    // someone answered a task that is not theirs to answer (alert)
)

// People, Slack and the directory.
const (
	BindingCreated      AuditAction = "binding.created"      // a Slack user is a person from now on, on which `basis`
	BindingRefused      AuditAction = "binding.refused"      // a Slack user was not bound; `reason` says why (alert)
	BindingRemoved      AuditAction = "binding.removed"      // an operator undid a binding (alert)
	BindingContradicted AuditAction = "binding.contradicted" // a bound user's Slack e-mail differs from the directory (alert, once a day)
	MembershipLost      AuditAction = "membership.lost"      // a bound Slack user is no full member of the workspace any more (alert)
	AddressRefused      AuditAction = "address.refused"      // Slack answered with a user whose e-mail only looks like the person's (alert)
	ButtonRefused       AuditAction = "button.refused"       // a button came back with a value that the app never gave it (alert)
	FormRefused         AuditAction = "form.refused"         // a form was to continue another person's request (alert)
	SelectionRefused    AuditAction = "selection.refused"    // a form held something that was not offered (alert)
	PayloadRefused      AuditAction = "payload.refused"      // a payload came from another app, workspace or enterprise (alert)
	MessageRefused      AuditAction = "message.refused"      // Slack refused a message's content, so a plain one was sent (alert)
	MessageUndelivered  AuditAction = "message.undelivered"  // its reader cannot be reached in Slack (alert)
	ReminderSent        AuditAction = "reminder.sent"        // people were reminded of what waits for them
	DelegationRecorded  AuditAction = "delegation.recorded"  // who decides on behalf of a person, and when
	DelegationEnded     AuditAction = "delegation.ended"     // the person decides again
	DirectoryImported   AuditAction = "directory.imported"   // an import, with its summary
	PersonChanged       AuditAction = "person.changed"       // status, manager or administrator of a person changed
	EmailChanged        AuditAction = "email.changed"        // an operator changed a person's e-mail (alert)
	JobTitleChanged     AuditAction = "job_title.changed"    // a person's job title changed
	AccountChanged      AuditAction = "account.changed"      // a person's account in a target was renamed
	OwnersChanged       AuditAction = "owners.changed"       // the owners of an application or entitlement changed
	PolicyApplied       AuditAction = "policy.applied"       // a new version of the policy
)
