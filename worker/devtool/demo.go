package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"time"
	_ "time/tzdata" // the end date is chosen in Alice's time zone

	"github.com/jmoiron/sqlx"

	"accessbot/slackapp/slacksim"
	"accessbot/workflows"
)

// The people and access grants of the demo, from the sample directory.
const (
	demoRequester = "alice@example.com"
	demoZone      = "Europe/Paris" // Alice's
	demoColleague = "Priya Nair"
	demoApprover  = "bob@example.com"
)

var demoGrants = []struct{ name, object string }{
	{"Dashboard editor", "dashboards/editor"},
	{"Marketing marts", "warehouse/marketing-marts"},
}

// demoPatience is how long each step may take that should take a moment.
const demoPatience = 45 * time.Second

// demo plays one temporary request on the running system, as its users would.
type demo struct {
	out       io.Writer
	target    *sqlx.DB
	ui        string
	requester *slacksim.Actor
	approver  *slacksim.Actor
	started   time.Time
}

// runDemo plays the demo, and fails if a step fails. The DEMO_ variables have the addresses.
func runDemo(ctx context.Context, args []string, out io.Writer) error {
	if len(args) > 0 {
		return errUsage
	}
	target, err := sqlx.ConnectContext(ctx, "postgres", os.Getenv("DEMO_TARGET_URL"))
	if err != nil {
		return fmt.Errorf("connect to the target system: %w", err)
	}
	defer target.Close()
	workspace := slacksim.Dial(os.Getenv("DEMO_SLACK_URL"))
	d := &demo{
		out: out, target: target, ui: os.Getenv("DEMO_TEMPORAL_UI_URL"), started: time.Now(),
		requester: workspace.As(demoRequester).Within(demoPatience),
		approver:  workspace.As(demoApprover).Within(demoPatience),
	}
	number, ends, err := d.request(ctx)
	if err != nil {
		return fmt.Errorf("request access as Alice: %w", err)
	}
	if err := d.approve(number); err != nil {
		return fmt.Errorf("approve as Bob: %w", err)
	}
	if err := d.awaitGrant(ctx, number); err != nil {
		return fmt.Errorf("wait until the access is granted: %w", err)
	}
	if err := d.awaitEnd(ctx, number, ends); err != nil {
		return fmt.Errorf("wait until the access ends: %w", err)
	}
	d.heading("The demo is complete")
	d.say("The whole run in Temporal's Web UI: %s", d.runURL(number))
	return nil
}

// request submits the form as Alice: access like a colleague's, for a minute or two.
func (d *demo) request(ctx context.Context) (number int64, ends time.Time, err error) {
	d.heading("Alice opens the app's Home tab in Slack")
	if err := d.requester.OpenHome(); err != nil {
		return 0, ends, err
	}
	home, err := d.requester.WaitForHome("Request Access")
	if err != nil {
		return 0, ends, err
	}
	d.screen(home)
	if err := d.showTarget(ctx, "The target system before the request"); err != nil {
		return 0, ends, err
	}
	if err := d.expect(ctx, false); err != nil {
		return 0, ends, fmt.Errorf("access from an earlier demo has not ended yet, try again in two minutes: %w", err)
	}

	zone, err := time.LoadLocation(demoZone)
	if err != nil {
		return 0, ends, err
	}
	for _, step := range []func() error{
		func() error { return d.requester.Press("Request Access") },
		func() error { return d.requester.Pick("Person", "priya", demoColleague) },
		func() error {
			return d.requester.AwaitUpdate(func() error { return d.requester.Choose("Duration", "Temporary") })
		},
		func() error { return d.requester.Tick(demoGrants[0].name, demoGrants[1].name) },
		func() error { return d.requester.Choose("Reason", "Project work") },
		func() error { return d.requester.Fill("Note", "Quarterly figures, with Priya") },
		func() error {
			// The next full minute that is at least 45 seconds away, so that each step can be seen.
			ends = time.Now().Add(45 * time.Second).Truncate(time.Minute).Add(time.Minute).In(zone)
			if err := d.requester.PickDate("End date", ends.Format(time.DateOnly)); err != nil {
				return err
			}
			return d.requester.PickTime("End time", ends.Format("15:04"))
		},
	} {
		if err := step(); err != nil {
			return 0, ends, err
		}
	}
	form, err := d.requester.Modal()
	if err != nil {
		return 0, ends, err
	}
	d.heading("Alice presses Request Access, chooses Priya as a model, and fills in the form")
	d.screen(form)
	const created = "has been successfully created and sent for approval"
	before, _ := d.requester.Latest(created) // the card of an earlier request, if there is one
	problems, err := d.requester.Submit()
	if err != nil {
		return 0, ends, err
	}
	if len(problems) > 0 {
		return 0, ends, fmt.Errorf("the form has errors: %v", problems)
	}
	var card slacksim.Message
	err = d.requester.WaitUntil("the request card appears", func(slacksim.Screen) bool {
		card, _ = d.requester.Latest(created) // an error means that there is none yet
		return card.TS != before.TS
	})
	if err != nil {
		return 0, ends, err
	}
	d.heading("Alice presses Submit and gets a request card in the Messages tab")
	d.screen(card.Text())
	number, err = numberIn(card.Text())
	return number, ends, err
}

func (d *demo) approve(number int64) error {
	approvalMessage, err := d.approver.WaitForMessage(fmt.Sprintf("#%d", number))
	if err != nil {
		return err
	}
	d.heading("Bob owns both applications and gets an approval message")
	d.screen(approvalMessage.Text())
	if err := d.approver.PressIn(approvalMessage, "Approve"); err != nil {
		return err
	}
	approvalMessage, err = d.approver.WaitForEdit(approvalMessage, "Approved by you")
	if err != nil {
		return err
	}
	d.heading("Bob presses Approve, and his message is updated")
	d.screen(approvalMessage.Text())
	return nil
}

func (d *demo) awaitGrant(ctx context.Context, number int64) error {
	notification, err := awaitNotification(d.requester, fmt.Sprintf("#%d is active", number))
	if err != nil {
		return err
	}
	d.heading("The target system confirms the access, and Alice is notified")
	d.screen(notification.Text())
	if err := d.showTarget(ctx, "The target system while the access is active"); err != nil {
		return err
	}
	return d.expect(ctx, true)
}

func (d *demo) awaitEnd(ctx context.Context, number int64, ends time.Time) error {
	d.heading("The access ends at " + ends.Format("15:04 MST"))
	d.say("Until then the workflow waits in Temporal: %s", d.runURL(number))
	patient := d.requester.Within(time.Until(ends) + demoPatience)
	notification, err := awaitNotification(patient, fmt.Sprintf("#%d has ended", number))
	if err != nil {
		return err
	}
	if early := time.Until(ends); early > 0 {
		return fmt.Errorf("the access ended %s too early", early)
	}
	d.heading("The access is removed, and Alice is notified")
	d.screen(notification.Text())
	if err := d.showTarget(ctx, "The target system after the end"); err != nil {
		return err
	}
	return d.expect(ctx, false)
}

// awaitNotification waits for a new message with the text, other than the request card: Slack sends no notification for an edit.
func awaitNotification(actor *slacksim.Actor, text string) (slacksim.Message, error) {
	err := actor.WaitUntil("a notification says "+text, func(s slacksim.Screen) bool {
		n := 0
		for _, m := range s.Messages {
			if strings.Contains(m.Text(), text) {
				n++
			}
		}
		return n > 1
	})
	if err != nil {
		return slacksim.Message{}, err
	}
	return actor.Latest(text)
}

// holds reads from the target whether Alice's account is a member of the role.
func (d *demo) holds(ctx context.Context, object string) (bool, error) {
	var held bool
	err := d.target.GetContext(ctx, &held, `
		select exists (select from pg_auth_members m join pg_roles o on o.oid = m.roleid join pg_roles a on a.oid = m.member
		                where o.rolname = $1 and a.rolname = $2)`, object, demoRequester)
	if err != nil {
		return false, fmt.Errorf("read the target system: %w", err)
	}
	return held, nil
}

func (d *demo) expect(ctx context.Context, want bool) error {
	for _, grant := range demoGrants {
		held, err := d.holds(ctx, grant.object)
		if err != nil {
			return err
		}
		if held != want {
			return fmt.Errorf("the target system shows %s held: %t; want %t", grant.object, held, want)
		}
	}
	return nil
}

func (d *demo) showTarget(ctx context.Context, heading string) error {
	d.heading(heading + " (role members in PostgreSQL)")
	for _, grant := range demoGrants {
		held, err := d.holds(ctx, grant.object)
		if err != nil {
			return err
		}
		is := "is not a member of"
		if held {
			is = "IS a member of"
		}
		d.say("%q %s %q", demoRequester, is, grant.object)
	}
	return nil
}

func (d *demo) heading(text string) {
	d.say("\n── %s ── %s", text, time.Since(d.started).Round(100*time.Millisecond))
}

// screen prints what a user sees.
func (d *demo) screen(text string) {
	for line := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
		d.say("   │ %s", line)
	}
}

func (d *demo) runURL(number int64) string {
	return fmt.Sprintf("%s/namespaces/default/workflows/%s", d.ui, workflows.RequestWorkflowID(number))
}

func (d *demo) say(format string, args ...any) {
	fmt.Fprintf(d.out, format+"\n", args...)
}

var requestNumber = regexp.MustCompile(`#(\d+)`)

func numberIn(text string) (int64, error) {
	found := requestNumber.FindStringSubmatch(text)
	if found == nil {
		return 0, errors.New("the message has no request number")
	}
	var number int64
	_, err := fmt.Sscan(found[1], &number)
	return number, err
}
