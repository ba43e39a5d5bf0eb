package views

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/slack-go/slack"

	"accessbot/schema"
)

// HomeLines is how many lines of each list the Home tab shows, and ListLines how many a page of a whole list.
const (
	HomeLines = 10
	ListLines = 15
)

// Home is everything that a person's Home tab is drawn from. The lists hold at most HomeLines.
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
	Delegation    *schema.Delegation // who decides in their place, now or later; nil: no one
	Office        schema.Office
	Stuck         []schema.WaitingLine // of administrators: what no one decides
	StuckTotal    int
	Tasks         []schema.Task // of those who look after applications: to be done by hand
	TasksTotal    int
	Findings      []schema.Finding // and where applications differ from what is recorded
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
			blocks = append(blocks, slack.NewActionBlock("", button(ActionShowAll, ListValue(all, 1), fmt.Sprintf("Show all %d", total), slack.StyleDefault)))
		}
	}
	list("Waiting for my approval", h.WaitingTotal, len(h.Waiting), ListWaiting, waitingLines(h.Waiting, h.TimeZone, h.WorkspaceURL), "Nothing waits for you.")
	if h.TasksTotal > 0 {
		list("To do by hand", h.TasksTotal, len(h.Tasks), ListTasks, taskLines(h.Tasks, h.TimeZone), "")
	}
	if h.StuckTotal > 0 {
		list("Stuck requests", h.StuckTotal, len(h.Stuck), ListStuck, stuckLines(h.Stuck, h.TimeZone), "")
	}
	if h.FindingsTotal > 0 {
		list("Differs from what is recorded", h.FindingsTotal, len(h.Findings), ListFindings, findingLines(h.Findings, h.TimeZone), "")
	}
	list("My requests", h.RequestsTotal, len(h.Requests), ListRequests, requestLines(h.Requests, h.TimeZone, h.WorkspaceURL), "You have not asked for anything yet.")
	list("My current access", h.AccessTotal, len(h.Access), ListAccess, accessLines(h.Access, h.TimeZone), "You have no access that is known here.")
	return home(blocks...)
}

// buttons are what the reader can begin.
func (h Home) buttons() []slack.BlockElement {
	buttons := []slack.BlockElement{button(ActionRequestAccess, "", "Request Access", slack.StylePrimary)}
	if h.Office.LooksAfter {
		buttons = append(buttons, button(ActionHolders, "", "Who has access…", slack.StyleDefault))
	}
	if (h.Office != (schema.Office{}) || h.WaitingTotal > 0) && h.Delegation == nil { // whoever is, or may be, asked
		buttons = append(buttons, button(ActionAway, "", "I will be away…", slack.StyleDefault))
	}
	return buttons
}

// Small is the Home tab when it cannot be shown in full: who you are, and the button.
func (h Home) Small() slack.HomeTabViewRequest {
	return home(h.whoYouAre(),
		slack.NewActionBlock("", button(ActionRequestAccess, "", "Request Access", slack.StylePrimary)),
		small("Your requests and access cannot be shown at the moment. They are kept all the same."))
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

// HomeAway is the Home tab while the database cannot be read.
func HomeAway() slack.HomeTabViewRequest {
	return home(section("Your access cannot be shown right now. Please open this tab again in a minute."),
		slack.NewActionBlock("", button(ActionRequestAccess, "", "Request Access", slack.StylePrimary)))
}

// HomeRefused is the Home tab of someone who cannot use the app: why, and whom to ask.
func HomeRefused(text string) slack.HomeTabViewRequest { return home(section(text)) }

func home(blocks ...slack.Block) slack.HomeTabViewRequest {
	return slack.HomeTabViewRequest{Type: slack.VTHomeTab, Blocks: slack.Blocks{BlockSet: blocks}}
}

// waitingLines are what waits for the reader, with the buttons of their copy of each approval.
func waitingLines(lines []schema.WaitingLine, zone, workspaceURL string) []slack.Block {
	var blocks []slack.Block
	for _, l := range lines {
		text := fmt.Sprintf("%s from %s: %s\n%s · asked %s", numberLink(workspaceURL, l.RequestID, l.Channel, l.TS), bold(forWhom(l)),
			namedOf(l.Names, l.Items), untilLine(l.EndsAt.Valid, schema.Request{EndsAt: l.EndsAt, EndsOn: l.EndsOn, TimeZone: l.TimeZone}, zone), When(l.CreatedAt, zone))
		text += "\n" + bold("Reason:") + " " + name(l.ReasonLabel)
		if l.HighRisk > 0 {
			text += fmt.Sprintf(" · 🔴 %d of high risk", l.HighRisk)
		}
		switch {
		case l.MessageID != 0:
		case l.AskedAt.Valid:
			text += "\nThe approval to you arrives in a moment, here and in the Messages tab."
		default:
			text += "\nOthers are asked first. You are, if they do not answer."
		}
		blocks = append(blocks, section(text))
		if l.MessageID == 0 {
			continue
		}
		value := DecisionValue(l.MessageID, l.Terms)
		buttons := []slack.BlockElement{
			button(ActionApprove, value, "Approve", slack.StylePrimary),
			button(ActionDeny, value, "Deny", slack.StyleDanger),
			button(ActionChoose, value, "Choose…", slack.StyleDefault),
			button(ActionAskQuestion, value, "Ask…", slack.StyleDefault),
		}
		if l.Items > len(l.Names) { // no one decides about what they cannot see
			buttons = append(buttons, button(ActionShowAll, ListValue(ListItems(l.RequestID), 1), fmt.Sprintf("See all %d", l.Items), slack.StyleDefault))
		}
		blocks = append(blocks, slack.NewActionBlock("", buttons...))
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
		line := mrkdwn(fmt.Sprintf("%s%s %s\n%s · %s · asked %s", numberLink(workspaceURL, l.RequestID, l.Channel, l.TS), whose, namedOf(l.Names, l.Items),
			states(l.States), untilLine(l.EndsAt.Valid, schema.Request{EndsAt: l.EndsAt, EndsOn: l.EndsOn, TimeZone: l.TimeZone}, zone), When(l.CreatedAt, zone)))
		var again *slack.Accessory
		for state := range l.States {
			if over := state == schema.KindRemovedByHolder || (schema.Item{State: state}).Final(); over && l.ForName == "" {
				again = slack.NewAccessory(askAgain(l.RequestID))
			}
		}
		blocks = append(blocks, slack.NewSectionBlock(line, nil, again))
	}
	return blocks
}

// forWhom names who a request is for, and who asked for them.
func forWhom(l schema.WaitingLine) string {
	if l.SubmitterName == "" {
		return name(l.RequesterName)
	}
	return name(l.SubmitterName) + " for " + name(l.RequesterName)
}

// stateWords are how many items stand how, in the order in which they are told.
var stateWords = []struct{ state, words string }{
	{schema.Active, "active"},
	{schema.Provisioning, "being granted"},
	{schema.WaitingToBeSetUp, "approved, waiting to be set up"},
	{schema.Approved, "approved"},
	{schema.AwaitingApproval, "waiting for approval"},
	{schema.Denied, "denied"},
	{schema.Failed, failed.label()},
	{schema.Ended, "ended"},
	{schema.KindRemovedByHolder, "removed"},
	{schema.Revoked, "revoked"},
	{schema.Withdrawn, "withdrawn"},
	{schema.Expired, "expired"},
}

func states(n map[string]int) string {
	counts := map[string]int{}
	total := 0
	for state, count := range n {
		if state == schema.Submitted {
			state = schema.AwaitingApproval
		}
		counts[state] += count
		total += count
	}
	var parts []string
	for _, s := range stateWords {
		switch counts[s.state] {
		case 0:
		case total:
			return sentence(s.words)
		default:
			parts = append(parts, fmt.Sprintf("%d %s", counts[s.state], s.words))
		}
	}
	return strings.Join(parts, ", ")
}

func accessLines(lines []schema.AccessLine, zone string) []slack.Block {
	var blocks []slack.Block
	for _, l := range lines {
		blocks = append(blocks, accessLine(l, zone))
		if !l.RequestID.Valid || l.Leaving {
			continue
		}
		var buttons []slack.BlockElement
		if l.EndsAt.Valid && l.GrantedAt.Valid {
			buttons = append(buttons, button(ActionExtend, strconv.FormatInt(l.ClaimID, 10), "Extend", slack.StyleDefault))
		}
		blocks = append(blocks, slack.NewActionBlock("", append(buttons, removeAccess(l))...))
	}
	return blocks
}

func removeAccess(l schema.AccessLine) *slack.ButtonBlockElement {
	text := fmt.Sprintf("Your access to %s: %s from request #%d ends now. To have it again, you have to ask again.",
		Cut(Clean(l.ApplicationName), 80), Cut(Clean(l.Name), 80), l.RequestID.Int64)
	return button(ActionRemoveAccess, strconv.FormatInt(l.ClaimID, 10), "Remove", slack.StyleDefault).WithConfirm(
		slack.NewConfirmationBlockObject(plain("remove this access ?"), plain(text), plain("Remove"), plain("Keep it")))
}

func sourceWords(source string) string {
	switch source {
	case "imported":
		return "from the directory"
	case "birthright":
		return "everyone's"
	default:
		return "was there before"
	}
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
