package views

import (
	"fmt"

	"github.com/slack-go/slack"

	"accessbot/schema"
)

// Loading is what opens at once, while what belongs there is looked up. It says what to do when nothing follows: Slack may be
// away, or this program have ended, and then nothing else can.
func Loading(title string) slack.ModalViewRequest {
	return Notice(title, "One moment…\n\nIf this does not change within half a minute, close it and try again.")
}

// Notification is a modal that only says something: mrkdwn, escaped.
func Notice(title, text string) slack.ModalViewRequest {
	return slack.ModalViewRequest{
		Type:   slack.VTModal,
		Title:  plain(Cut(title, 24)),
		Close:  plain("Close"),
		Blocks: slack.Blocks{BlockSet: []slack.Block{section(text)}},
	}
}

// Deny asks an approver why. The value is the one of the button that was pressed.
func Deny(value string) slack.ModalViewRequest {
	reason := slack.NewPlainTextInputBlockElement(plain("The requester reads it"), ActionReason).WithMultiline(true).WithMaxLength(MaxNote)
	return slack.ModalViewRequest{
		Type:            slack.VTModal,
		CallbackID:      CallbackDeny,
		PrivateMetadata: value,
		Title:           plain("Deny"),
		Submit:          plain("Deny"),
		Close:           plain("Cancel"),
		Blocks: slack.Blocks{BlockSet: []slack.Block{
			section("Everything in this request that is yours to decide and still waits is denied."),
			slack.NewInputBlock(BlockReason, plain("Reason"), nil, reason),
		}},
	}
}

// WaitingList is a page of what waits for the reader's approval.
func WaitingList(lines []schema.WaitingLine, total, page int, zone, workspaceURL string) slack.ModalViewRequest {
	return list(ListWaiting, "Waiting for me", total, page, waitingLines(lines, zone, workspaceURL))
}

// RequestList is a page of the reader's requests.
func RequestList(lines []schema.RequestLine, total, page int, zone, workspaceURL string) slack.ModalViewRequest {
	return list(ListRequests, "My requests", total, page, requestLines(lines, zone, workspaceURL))
}

// AccessList is a page of the reader's current access.
func AccessList(lines []schema.AccessLine, total, page int, zone string) slack.ModalViewRequest {
	return list(ListAccess, "My current access", total, page, accessLines(lines, zone))
}

// ItemList is a page of what a request is about: all of it for those who asked for it, for anybody else what they are or were asked
// about. None: it is not theirs to see.
func ItemList(r *schema.Request, readerID int64, page int, zone string) (view slack.ModalViewRequest, lines, total int) {
	items := r.Items
	if !r.AskedFor(readerID) {
		items = askedOf(r, readerID)
	}
	told := inOrder(tell(r, items, zone, readerID))
	from := min((page-1)*ListLines, len(told))
	shown := told[from:min(from+ListLines, len(told))]
	var blocks []slack.Block
	for _, i := range shown {
		what, how := bold(name(i.ApplicationName))+": "+wantedLine(i), i.phase.emoji()+" "+i.words
		if length(what)+length(how) < sectionRoom {
			blocks = append(blocks, section(what+"\n"+how))
		} else { // names and words of many signs that grow when they are escaped
			blocks = append(blocks, section(what), section(how))
		}
	}
	return list(ListItems(r.ID), fmt.Sprintf("Request #%d", r.ID), len(told), page, blocks), len(shown), len(told)
}

// seeAll is a button for what a message had no room to name.
func seeAll(r *schema.Request, items int) *slack.ButtonBlockElement {
	return button(ActionShowAll, ListValue(ListItems(r.ID), 1), fmt.Sprintf("See all %d", items), slack.StyleDefault)
}

func list(kind, title string, total, page int, lines []slack.Block) slack.ModalViewRequest {
	pages := max(1, (total+ListLines-1)/ListLines)
	blocks := []slack.Block{small(fmt.Sprintf("%d in all, page %d of %d", total, page, pages))}
	blocks = append(blocks, lines...)
	var buttons []slack.BlockElement
	if page > 1 {
		buttons = append(buttons, button(ActionListPrevious, ListValue(kind, page-1), "Previous", slack.StyleDefault))
	}
	if page < pages {
		buttons = append(buttons, button(ActionListNext, ListValue(kind, page+1), "Next", slack.StyleDefault))
	}
	if len(buttons) > 0 {
		blocks = append(blocks, slack.NewActionBlock("", buttons...))
	}
	return slack.ModalViewRequest{
		Type:            slack.VTModal,
		PrivateMetadata: ListValue(kind, page), // to be drawn again after something in it was pressed
		Title:           plain(Cut(title, 24)),
		Close:           plain("Close"),
		Blocks:          slack.Blocks{BlockSet: blocks},
	}
}
