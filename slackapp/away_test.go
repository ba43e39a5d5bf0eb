package main

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestDelegation(t *testing.T) {
	t.Run("approver names a delegate for valid days and returns", func(t *testing.T) {
		onBothTransports(t, func(s *stage) {
			number, approvalMessage := s.approvalMessage()
			bob := s.as("bob")
			bob.OpenHome()
			bob.Press("Delegate approvals…")
			bob.WaitForModal("Delegate")
			bob.PickDate("First day", time.Now().AddDate(0, 0, -1).Format(time.DateOnly))
			bob.PickDate("Last day", "2020-02-28")
			require.NotEmpty(s, bob.Submit(), "someone has to be chosen")
			require.Empty(s, bob.Search("Delegate", "Bob Fischer"), "no one is a delegate for themselves")
			bob.Pick("Delegate", "gómez", "Lucía Gómez")
			require.Contains(s, bob.Submit()["Last day"], "This day has passed")
			bob.PickDate("First day", time.Now().AddDate(0, 0, 9).Format(time.DateOnly))
			bob.PickDate("Last day", time.Now().AddDate(0, 0, 5).Format(time.DateOnly))
			require.Contains(s, bob.Submit()["Last day"], "before the first day")
			bob.PickDate("First day", time.Now().AddDate(0, 0, -1).Format(time.DateOnly))
			bob.PickDate("Last day", time.Now().AddDate(2, 0, 0).Format(time.DateOnly))
			require.Contains(s, bob.Submit()["Last day"], "more than a year")
			bob.PickDate("Last day", time.Now().AddDate(0, 0, 5).Format(time.DateOnly))
			bob.SubmitAccepted()
			bob.WaitForHome("decides on your behalf from")
			s.work(number)
			bob.WaitForEdit(approvalMessage, "Reassigned to Lucía")
			require.Empty(s, bob.Again(approvalMessage).Buttons())
			require.Contains(
				s,
				s.as("lucia").WaitForMessage(fmt.Sprintf("#%d", number)).Text(),
				"on behalf of Bob Fischer (application owner)",
			)
			require.Contains(s, s.as("alice").WaitForMessage("successfully created").Text(), "on behalf of Bob Fischer")

			bob.Press("End delegation")
			bob.WaitForHome("Delegate approvals…")
			s.work(number)
			s.eventually("he is asked again", func() bool {
				return len(bob.Latest(fmt.Sprintf("#%d", number)).Buttons()) > 0
			})
		})
	})

	t.Run("person who decides nothing is not offered it", func(t *testing.T) {
		s := newStage(t, 1, false)
		alice := s.as("alice")
		alice.OpenHome()
		require.NotContains(t, alice.Home(), "Delegate approvals…")
	})

	t.Run("delegates and people named by the policy can be away too", func(t *testing.T) {
		s := newStage(t, 1, false)
		alice := s.as("alice")
		alice.OpenHome()
		require.NotContains(t, alice.Home(), "Delegate approvals…")
		s.do(
			`insert into delegations (person_id, delegate_id, starts_at, ends_at) values ($1, $2, app_now(), app_now() + interval '1 day')`,
			s.person("bob").ID,
			s.person("alice").ID,
		)
		alice.OpenHome()
		alice.WaitForHome("Delegate approvals…")
		s.do(`insert into delegations (person_id, starts_at, ends_at) values ($1, app_now(), app_now())`, s.person("bob").ID)
		alice.OpenHome()
		s.homeWithout(alice, "Delegate approvals…")
		s.policy("rules: [{name: All, ask: [{approvers: [application owners], escalate_to: [alice@example.com]}]}]")
		alice.OpenHome()
		alice.WaitForHome("Delegate approvals…")
	})
}
