package views

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/slack-go/slack"

	"accessbot/schema"
)

// Callback and actions of reviewing and revoking other people's access.
const (
	CallbackRevoke = "revoke"
	ActionHolders  = "holders" // opens the modal; no value
	ActionHolder   = "holder"  // external select: a person
	ActionRevoke   = "revoke"  // the claim's ID
)

// ListHolder returns the list of a person's access that the reader owns.
func ListHolder(person int64) string { return listHolder + strconv.FormatInt(person, 10) }

const listHolder = "holder-"

// HolderOf returns the person whose access a list shows; false: it is another list.
func HolderOf(list string) (person int64, ok bool) {
	number, ok := strings.CutPrefix(list, listHolder)
	person, err := strconv.ParseInt(number, 10, 64)
	return person, ok && err == nil && person > 0
}

// Holders asks whose access to review.
func Holders() slack.ModalViewRequest {
	return slack.ModalViewRequest{
		Type:   slack.VTModal,
		Title:  plain("Review access"),
		Submit: plain("Done"), // an input needs one; it closes the view
		Close:  plain("Close"),
		Blocks: slack.Blocks{BlockSet: holderBlocks()},
	}
}

func holderBlocks() []slack.Block {
	return []slack.Block{
		slack.NewInputBlock("holder", plain("Person"), plain("Shows the access that you can revoke as an owner or administrator."),
			externalSelect(ActionHolder, "Choose a person")).WithOptional(true).WithDispatchAction(true),
	}
}

// HolderList returns a page of a person's access that the reader owns.
func HolderList(person schema.Person, lines []schema.AccessLine, total, page int, zone string) slack.ModalViewRequest {
	blocks := []slack.Block{section(bold(name(person.Name)) + ", " + about(person))}
	if total == 0 {
		blocks = append(blocks, section("This person has no access that you can revoke."))
	}
	for _, l := range lines {
		blocks = withButtons(append(blocks, accessLine(l, zone)), ownerButtons(l))
	}
	view := list(ListHolder(person.ID), "Review access", total, page, blocks)
	view.Submit = plain("Done")
	view.Blocks.BlockSet = append(holderBlocks(), view.Blocks.BlockSet...)
	return view
}

// RevokeAccess asks why to revoke a person's access. Zone is the reader's.
func RevokeAccess(l schema.AccessLine, holder schema.Person, zone string) slack.ModalViewRequest {
	reason := slack.NewPlainTextInputBlockElement(plain(Cut(Clean(holder.Name), 60)+" will see it"), ActionReason).
		WithMultiline(true).
		WithMaxLength(MaxNote)
	return slack.ModalViewRequest{
		Type:            slack.VTModal,
		CallbackID:      CallbackRevoke,
		PrivateMetadata: strconv.FormatInt(l.ClaimID, 10),
		Title:           plain("Revoke access"),
		Submit:          plain("Revoke"),
		Close:           plain("Cancel"),
		Blocks: slack.Blocks{BlockSet: []slack.Block{
			section(bold(name(holder.Name)) + ", " + about(holder)),
			accessLine(l, zone),
			section("The access ends now. If this person also has it for another reason, they keep it until that reason ends."),
			slack.NewInputBlock(BlockReason, plain("Reason"), nil, reason),
		}},
	}
}

// accessLine returns one reason why a person has access.
func accessLine(l schema.AccessLine, zone string) slack.Block {
	what := name(l.ApplicationName) + ": " + bold(name(l.Name))
	var detail string
	switch {
	case l.Leaving && l.RequestID.Valid && !l.GrantedAt.Valid:
		detail = removing.label() + "; confirming that there is no access"
	case l.Leaving:
		detail = removing.label()
	case !l.GrantedAt.Valid && l.RequestID.Valid:
		detail = provisioning.label()
	default:
		detail = untilLine(l.EndsAt.Valid, schema.Request{EndsAt: l.EndsAt, EndsOn: l.EndsOn, TimeZone: l.TimeZone.String}, zone)
	}
	detail = sentence(detail)
	if l.RequestID.Valid {
		detail += fmt.Sprintf(" · from request #%d", l.RequestID.Int64)
	} else {
		detail += " · " + sourceWords(l.Source)
	}
	return section(what + "\n" + detail)
}
