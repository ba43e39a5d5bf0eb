package views

import (
	"fmt"
	"strconv"

	"github.com/slack-go/slack"

	"accessbot/schema"
	"accessbot/schema/words"
)

// OutageShown is how many requests a message about an outage names.
const OutageShown = 10

// ActionRetry is the button that retries a request at once. Its value is the request's number.
const ActionRetry = "retry_now"

// Outage tells an owner or administrator, whose clock is in zone, which approved requests wait for an application.
// Administrators can retry each of them.
func Outage(o schema.Outage, administrator bool, zone string) Message {
	var b body
	app := name(o.ApplicationName)
	if o.ClosedAt.Valid || o.Total == 0 {
		text := fmt.Sprintf("No approved requests are waiting for %s", app)
		b.line(bold(text))
		b.small(fmt.Sprintf("The first was waiting on %s", When(o.OpenedAt, zone)))
		return b.message(text)
	}
	text := fmt.Sprintf("Approved requests are waiting for %s", app)
	b.line(bold(text))
	b.line("We'll keep trying, and set them up as soon as it works. " +
		"Please check that the application is available, and that our credentials for it are valid.")
	b.gap()
	room, shown := listRoom, 0
	for _, l := range o.Waiting {
		escaped := make([]string, len(l.Names))
		for n, s := range l.Names {
			escaped[n] = name(s)
		}
		why := sentence(remark(problemWords(l.Problem, o.ApplicationName, l.RequesterName, words.ToOwner)))
		line := fmt.Sprintf("#%d for %s: %s\n%s (since %s)", l.RequestID, bold(name(l.RequesterName)),
			andMore(escaped[:min(len(escaped), 3)], len(escaped)), why, When(l.Problem.Since.Time, zone))
		if room -= length(line); room < 0 && shown > 0 {
			break
		}
		shown++
		if !administrator {
			b.line(line)
			continue
		}
		b.gap()
		retry := button(ActionRetry, strconv.FormatInt(l.RequestID, 10), "Retry now", slack.StyleDefault)
		b.blocks = append(b.blocks, slack.NewSectionBlock(mrkdwn(line), nil, slack.NewAccessory(retry)))
	}
	if more := o.Total - shown; more > 0 {
		b.line(fmt.Sprintf("and %d more", more))
	}
	return b.message(text)
}
