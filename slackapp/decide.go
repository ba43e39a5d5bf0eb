package main

import (
	"context"

	"accessbot/schema"
	"accessbot/slackapp/views"
	"accessbot/workflows"
)

// approve records an approval. The worker updates every copy of the message.
func (a *app) approve(ctx context.Context, c *click, about decision) (outcome, error) {
	return a.decide(ctx, c, about, schema.Answer{Approve: true})
}

// submitDenial records a denial.
func (a *app) submitDenial(ctx context.Context, c *click, about decision) (outcome, error) {
	reason, err := c.fields.reason()
	if err != nil {
		return outcome{}, err
	}
	return a.decide(ctx, c, about, schema.Answer{Reason: reason})
}

const backShortly = "Your decision is recorded. It will take effect as soon as our systems are back."

// decide records a decision.
func (a *app) decide(ctx context.Context, c *click, about decision, answer schema.Answer) (outcome, error) {
	answer.PersonID, answer.Terms = c.person.ID, about.terms
	if answer.Override {
		answer.RequestID = about.id
	} else {
		answer.MessageID = about.id
	}
	decided, err := a.db.Decide(ctx, answer)
	switch {
	case err != nil && decided.Request != nil:
		// Other people may be the approvers by now: the run has to ask them.
		return outcome{wake: wakeRequest(decided.Request.ID, workflows.SignalDue, "")}, err
	case err != nil:
		return outcome{}, err
	case len(decided.Items) == 0:
		return outcome{home: &c.person}, a.decidedBefore(ctx, c, decided.Request)
	}
	return outcome{home: &c.person, wake: wakeRequest(decided.Request.ID, workflows.SignalDecisionRecorded, backShortly)}, nil
}

// decidedBefore says who decided what the user has nothing left to decide about.
func (a *app) decidedBefore(ctx context.Context, c *click, request *schema.Request) said {
	return said(views.DecidedBy(request, c.person.ID, a.zoneOf(ctx, c.person, c.ic.User.ID)))
}
