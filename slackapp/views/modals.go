package views

import (
	"fmt"

	"github.com/slack-go/slack"

	"accessbot/schema"
)

// Loading opens at once, while its content is looked up. It says what to do if nothing follows, because Slack may be down or this
// program may have stopped.
func Loading(title string) slack.ModalViewRequest {
	return Notice(title, "One moment…\n\nIf this doesn't change within 30 seconds, close it and try again.")
}

// Notice returns a modal that only shows a text: mrkdwn, escaped.
func Notice(title, text string) slack.ModalViewRequest {
	return slack.ModalViewRequest{
		Type:   slack.VTModal,
		Title:  plain(Cut(title, 24)),
		Close:  plain("Close"),
		Blocks: slack.Blocks{BlockSet: []slack.Block{section(text)}},
	}
}

// Deny asks an approver for the reason. The value is that of the button.
func Deny(value string) slack.ModalViewRequest {
	reason := slack.NewPlainTextInputBlockElement(plain("The requester will see it"), ActionReason).
		WithMultiline(true).
		WithMaxLength(MaxNote)
	return slack.ModalViewRequest{
		Type:            slack.VTModal,
		CallbackID:      CallbackDeny,
		PrivateMetadata: value,
		Title:           plain("Deny"),
		Submit:          plain("Deny"),
		Close:           plain("Cancel"),
		Blocks: slack.Blocks{BlockSet: []slack.Block{
			section("This denies everything in this request that is waiting for your decision."),
			slack.NewInputBlock(BlockReason, plain("Reason"), nil, reason),
		}},
	}
}

// WaitingList returns a page of the requests that wait for the reader's approval.
func WaitingList(lines []schema.WaitingLine, total, page int, zone, workspaceURL string) slack.ModalViewRequest {
	return list(ListWaiting, "Waiting for my approval", total, page, waitingLines(lines, zone, workspaceURL))
}

// RequestList returns a page of the reader's requests.
func RequestList(lines []schema.RequestLine, total, page int, zone, workspaceURL string) slack.ModalViewRequest {
	return list(ListRequests, "My requests", total, page, requestLines(lines, zone, workspaceURL))
}

// AccessList returns a page of the reader's current access.
func AccessList(lines []schema.AccessLine, total, page int, zone string) slack.ModalViewRequest {
	return list(ListAccess, "My current access", total, page, accessLines(lines, zone))
}

// ItemList returns a page of a request's items: all for its requester and submitter, an approver's own for an approver. None: the
// reader may not see any.
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
		what, how := bold(name(i.ApplicationName))+": "+requestedLine(i), i.phase.emoji()+" "+sentence(i.words)
		if length(what)+length(how) < sectionRoom {
			blocks = append(blocks, section(what+"\n"+how))
		} else { // names and words that grow when they are escaped
			blocks = append(blocks, section(what), section(how))
		}
	}
	return list(ListItems(r.ID), fmt.Sprintf("Request #%d", r.ID), len(told), page, blocks), len(shown), len(told)
}

func list(kind, title string, total, page int, lines []slack.Block) slack.ModalViewRequest {
	pages := max(1, (total+ListLines-1)/ListLines)
	blocks := []slack.Block{small(fmt.Sprintf("%d in total, page %d of %d", total, page, pages))}
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
		PrivateMetadata: ListValue(kind, page), // for drawing it again after a button in it
		Title:           plain(Cut(title, 24)),
		Close:           plain("Close"),
		Blocks:          slack.Blocks{BlockSet: blocks},
	}
}
