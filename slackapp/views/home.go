package views

import (
	"fmt"
	"strings"

	"github.com/slack-go/slack"

	"accessbot/schema"
)

// HomeLines is how many lines of each list the Home tab shows, and ListLines how many a page of a whole list.
const (
	HomeLines = 10
	ListLines = 15
)

// Home is the data of a person's Home tab. Its lists hold at most HomeLines.
type Home struct {
	Person        schema.Person
	TimeZone      string // the reader's; IANA name
	WorkspaceURL  string
	Waiting       []schema.WaitingLine
	WaitingTotal  int
	Requests      []schema.RequestLine
	RequestsTotal int
	Access        []schema.AccessLine
	AccessTotal   int
	Delegation    *schema.Delegation // their delegation, now or later; nil: none
	Office        schema.Office
	Tasks         []schema.Task // of owners
	TasksTotal    int
	Findings      []schema.Finding // of owners
	FindingsTotal int
}

// View draws the Home tab.
func (h Home) View() slack.HomeTabViewRequest {
	blocks := append([]slack.Block{h.whoYouAre(), slack.NewActionBlock("", h.buttons()...)}, h.away()...)
	list := func(title string, total, shown int, all string, lines []slack.Block, none string) {
		heading := title
		if total > 0 {
			heading += fmt.Sprintf(" (%d)", total)
		}
		blocks = append(blocks, slack.NewDividerBlock(), slack.NewHeaderBlock(plain(heading)))
		if total == 0 {
			blocks = append(blocks, small(none))
			return
		}
		blocks = append(blocks, lines...)
		if total > shown {
			blocks = append(
				blocks,
				slack.NewActionBlock("", button(ActionShowAll, ListValue(all, 1), fmt.Sprintf("Show all %d", total), slack.StyleDefault)),
			)
		}
	}
	list(
		"Waiting for my approval",
		h.WaitingTotal,
		len(h.Waiting),
		ListWaiting,
		waitingLines(h.Waiting, h.TimeZone, h.WorkspaceURL),
		"Nothing is waiting for you.",
	)
	if h.TasksTotal > 0 {
		list("Manual tasks", h.TasksTotal, len(h.Tasks), ListTasks, taskLines(h.Tasks, h.TimeZone), "")
	}
	if h.FindingsTotal > 0 {
		list("Unexpected or missing access", h.FindingsTotal, len(h.Findings), ListFindings, findingLines(h.Findings, h.TimeZone), "")
	}
	list(
		"My requests",
		h.RequestsTotal,
		len(h.Requests),
		ListRequests,
		requestLines(h.Requests, h.TimeZone, h.WorkspaceURL),
		"You haven't requested anything yet.",
	)
	list(
		"My current access",
		h.AccessTotal,
		len(h.Access),
		ListAccess,
		accessLines(h.Access, h.TimeZone),
		"You have no access that we know of.",
	)
	return home(blocks...)
}

// buttons returns what the reader can start.
func (h Home) buttons() []slack.BlockElement {
	buttons := []slack.BlockElement{button(ActionRequestAccess, "", "Request Access", slack.StylePrimary)}
	if h.Office.LooksAfter {
		buttons = append(buttons, button(ActionHolders, "", "Review access…", slack.StyleDefault))
	}
	if (h.Office != (schema.Office{}) || h.WaitingTotal > 0) && h.Delegation == nil { // may be an approver
		buttons = append(buttons, button(ActionAway, "", "Delegate approvals…", slack.StyleDefault))
	}
	return buttons
}

// Small returns the Home tab if it cannot be shown in full: the reader, and the button.
func (h Home) Small() slack.HomeTabViewRequest {
	return home(h.whoYouAre(),
		slack.NewActionBlock("", button(ActionRequestAccess, "", "Request Access", slack.StylePrimary)),
		small("We can't show your requests and access right now. Nothing is lost."))
}

func (h Home) whoYouAre() slack.Block {
	p := h.Person
	lines := []string{bold(name(p.Name)), remark(p.Email)}
	var role []string
	for _, s := range []string{p.JobTitle, p.Department} {
		if s != "" {
			role = append(role, name(s))
		}
	}
	if len(role) > 0 {
		lines = append(lines, strings.Join(role, ", "))
	}
	if p.ManagerName != "" {
		lines = append(lines, "Manager: "+name(p.ManagerName))
	}
	return section(strings.Join(lines, "\n"))
}

// HomeAway returns the Home tab while the database cannot be read.
func HomeAway() slack.HomeTabViewRequest {
	return home(section("We can't show your access right now. Open this tab again in a minute."),
		slack.NewActionBlock("", button(ActionRequestAccess, "", "Request Access", slack.StylePrimary)))
}

// HomeRefused returns the Home tab of a user who cannot use the app: why, and who can help.
func HomeRefused(text string) slack.HomeTabViewRequest { return home(section(text)) }

func home(blocks ...slack.Block) slack.HomeTabViewRequest {
	return slack.HomeTabViewRequest{Type: slack.VTHomeTab, Blocks: slack.Blocks{BlockSet: blocks}}
}

// waitingLines returns the requests that wait for the reader, with the buttons of their approval messages.
func waitingLines(lines []schema.WaitingLine, zone, workspaceURL string) []slack.Block {
	var blocks []slack.Block
	for _, l := range lines {
		text := fmt.Sprintf(
			"%s from %s: %s\n%s · requested %s",
			numberLink(workspaceURL, l.RequestID, l.Channel, l.TS),
			bold(forWhom(l)),
			namedOf(
				l.Names,
				l.Items,
			),
			untilLine(l.EndsAt.Valid, schema.Request{EndsAt: l.EndsAt, EndsOn: l.EndsOn, TimeZone: l.TimeZone}, zone),
			When(l.CreatedAt, zone),
		)
		text += "\n" + bold("Reason:") + " " + name(l.ReasonLabel)
		if l.HighRisk > 0 {
			text += fmt.Sprintf(" · 🔴 %d high risk", l.HighRisk)
		}
		votes := l.Items - l.Overridable
		for _, tag := range tags(l.Overridable-l.NoApprover, l.ReadAt.Sub(l.Since.Time), l.NoApprover, l.Items) {
			text += "\n" + tag
		}
		switch {
		case l.MessageID != 0 || votes == 0:
		case l.AskedAt.Valid:
			text += "\nYour approval message is on its way. You can decide in a moment, here or in the Messages tab."
		default:
			text += "\nOther approvers are asked first. You're asked if there is no response."
		}
		blocks = append(blocks, section(text))
		value := ""
		if l.MessageID != 0 {
			value = DecisionValue(l.MessageID, l.Terms)
		}
		may := offer{request: l.RequestID, decision: value, votes: votes, forEveryone: l.Overridable, items: l.Items}
		may.more = l.MessageID != 0 && l.Items > len(l.Names) // approvers can see all that they decide
		blocks = withButtons(blocks, may.buttons())
	}
	return blocks
}

func requestLines(lines []schema.RequestLine, zone, workspaceURL string) []slack.Block {
	var blocks []slack.Block
	for _, l := range lines {
		whose := ""
		switch {
		case l.ForName != "":
			whose = " for " + bold(name(l.ForName)) + ":"
		case l.ByName != "":
			whose = " by " + bold(name(l.ByName)) + ":"
		}
		line := mrkdwn(
			fmt.Sprintf(
				"%s%s %s\n%s · %s · requested %s",
				numberLink(workspaceURL, l.RequestID, l.Channel, l.TS),
				whose,
				namedOf(l.Names, l.Items),
				stateCounts(
					l.States,
					l.ForName,
					l.ForName == "",
				),
				untilLine(l.EndsAt.Valid, schema.Request{EndsAt: l.EndsAt, EndsOn: l.EndsOn, TimeZone: l.TimeZone}, zone),
				When(l.CreatedAt, zone),
			),
		)
		var again *slack.Accessory
		for _, b := range (offer{request: l.RequestID, over: l.ForName == "" && someOverOf(l)}).buttons() {
			again = slack.NewAccessory(b)
		}
		blocks = append(blocks, slack.NewSectionBlock(line, nil, again))
	}
	return blocks
}

// forWhom names the requester of a request, and who submitted it for them.
func forWhom(l schema.WaitingLine) string {
	if l.SubmitterName == "" {
		return name(l.RequesterName)
	}
	return name(l.SubmitterName) + " for " + name(l.RequesterName)
}

func accessLines(lines []schema.AccessLine, zone string) []slack.Block {
	var blocks []slack.Block
	for _, l := range lines {
		blocks = withButtons(append(blocks, accessLine(l, zone)), holderButtons(l))
	}
	return blocks
}

// withButtons adds a line's buttons, if there are any.
func withButtons(blocks []slack.Block, buttons []slack.BlockElement) []slack.Block {
	if len(buttons) == 0 {
		return blocks
	}
	return append(blocks, slack.NewActionBlock("", buttons...))
}

func sourceWords(source string) string {
	if source == "imported" {
		return "from the directory"
	}
	return "found in the application"
}

func untilLine(temporary bool, r schema.Request, zone string) string {
	if !temporary {
		return "permanent"
	}
	return Until(&r, zone)
}

// namedOf names the first of a request's items and counts the others.
func namedOf(names []string, items int) string {
	escaped := make([]string, len(names))
	for n, s := range names {
		escaped[n] = name(s)
	}
	return andMore(escaped, items)
}
