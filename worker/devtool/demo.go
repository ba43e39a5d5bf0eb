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
	_ "time/tzdata" // the demo chooses its end in a time zone

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

// demoPatience is how long each thing may take that should take a moment.
const demoPatience = 45 * time.Second

// demo is one temporary request on the running system, driven as its users would.
type demo struct {
	out       io.Writer
	target    *sqlx.DB
	ui        string
	requester *slacksim.Actor
	approver  *slacksim.Actor
	started   time.Time
}

// runDemo plays the demo, and fails unless all of it happened. The DEMO_ variables say where everything is.
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
	number, ends, err := d.ask(ctx)
	if err != nil {
		return fmt.Errorf("Alice requests: %w", err)
	}
	if err := d.decide(number); err != nil {
		return fmt.Errorf("Bob decides: %w", err)
	}
	if err := d.given(ctx, number); err != nil {
		return fmt.Errorf("access is granted: %w", err)
	}
	if err := d.revoked(ctx, number, ends); err != nil {
		return fmt.Errorf("access is revoked: %w", err)
	}
	d.heading("All of it happened")
	d.say("The run in the Web UI: %s/namespaces/default/workflows/%s", d.ui, workflows.RequestWorkflowID(number))
	return nil
}

// ask fills in the form as Alice, like a colleague, for a minute or two.
func (d *demo) ask(ctx context.Context) (number int64, ends time.Time, err error) {
	d.heading("Alice opens the app's Home tab")
	if err := d.requester.OpenHome(); err != nil {
		return 0, ends, err
	}
	home, err := d.requester.WaitForHome("Request Access")
	if err != nil {
		return 0, ends, err
	}
	d.screen(home)
	if err := d.showTarget(ctx, "The target system, before"); err != nil {
		return 0, ends, err
	}
	if err := d.expect(ctx, false); err != nil {
		return 0, ends, fmt.Errorf("an earlier demo was interrupted, and its access has not ended yet: try again in two minutes (%w)", err)
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
			// The first full minute that leaves time to see it all.
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
	d.heading("Alice presses Request Access and fills in the form")
	d.screen(form)
	const created = "has been successfully created and sent for approval"
	before, _ := d.requester.Latest(created) // of a request of hers that waits already: there need be none
	problems, err := d.requester.Submit()
	if err != nil {
		return 0, ends, err
	}
	if len(problems) > 0 {
		return 0, ends, fmt.Errorf("the form was refused: %v", problems)
	}
	var card slacksim.Message
	err = d.requester.WaitUntil("a message says that it was created", func(slacksim.Screen) bool {
		card, _ = d.requester.Latest(created) // none: it is waited for
		return card.TS != before.TS
	})
	if err != nil {
		return 0, ends, err
	}
	d.heading("Alice presses Submit, and is told in the Messages tab")
	d.screen(card.Text())
	number, err = numberIn(card.Text())
	return number, ends, err
}

func (d *demo) decide(number int64) error {
	approvalMessage, err := d.approver.WaitForMessage(fmt.Sprintf("#%d", number))
	if err != nil {
		return err
	}
	d.heading("Bob, who owns both systems, is asked to approve")
	d.screen(approvalMessage.Text())
	if err := d.approver.PressIn(approvalMessage, "Approve"); err != nil {
		return err
	}
	approvalMessage, err = d.approver.WaitForEdit(approvalMessage, "Approved by you")
	if err != nil {
		return err
	}
	d.heading("Bob presses Approve, and his copy says so")
	d.screen(approvalMessage.Text())
	return nil
}

func (d *demo) given(ctx context.Context, number int64) error {
	news, err := told(d.requester, fmt.Sprintf("#%d is active", number))
	if err != nil {
		return err
	}
	d.heading("Alice is told, once the target system shows it")
	d.screen(news.Text())
	if err := d.showTarget(ctx, "The target system, during"); err != nil {
		return err
	}
	return d.expect(ctx, true)
}

func (d *demo) revoked(ctx context.Context, number int64, ends time.Time) error {
	d.heading("Everyone waits for the end date, " + ends.Format("15:04 MST"))
	d.say("Meanwhile the run sleeps: %s/namespaces/default/workflows/%s", d.ui, workflows.RequestWorkflowID(number))
	patient := d.requester.Within(time.Until(ends) + demoPatience)
	news, err := told(patient, fmt.Sprintf("#%d has ended", number))
	if err != nil {
		return err
	}
	if early := time.Until(ends); early > 0 {
		return fmt.Errorf("the access ended %s before its end", early)
	}
	d.heading("Alice is told that the access has ended")
	d.screen(news.Text())
	if err := d.showTarget(ctx, "The target system, after"); err != nil {
		return err
	}
	return d.expect(ctx, false)
}

// told waits for a message of its own that says so: the request's card says it too, but an edit notifies no one.
func told(actor *slacksim.Actor, text string) (slacksim.Message, error) {
	err := actor.WaitUntil("a new message says "+text, func(s slacksim.Screen) bool {
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

// holds reads the target itself: which of the roles Alice's login is a member of.
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
			return fmt.Errorf("the target system shows %s held: %t, and it should be %t", grant.object, held, want)
		}
	}
	return nil
}

func (d *demo) showTarget(ctx context.Context, heading string) error {
	d.heading(heading + " (PostgreSQL, pg_auth_members)")
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

// screen prints what someone has before them.
func (d *demo) screen(text string) {
	for line := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
		d.say("   │ %s", line)
	}
}

func (d *demo) say(format string, args ...any) {
	fmt.Fprintf(d.out, format+"\n", args...)
}

var requestNumber = regexp.MustCompile(`#(\d+)`)

func numberIn(text string) (int64, error) {
	found := requestNumber.FindStringSubmatch(text)
	if found == nil {
		return 0, errors.New("the message names no request number")
	}
	var number int64
	_, err := fmt.Sscan(found[1], &number)
	return number, err
}
