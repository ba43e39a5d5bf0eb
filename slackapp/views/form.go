package views

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/slack-go/slack"

	"accessbot/schema"
)

// Form is everything that the request form is drawn from.
type Form struct {
	Draft        schema.Draft
	Offer        schema.CompleteOffer
	MaxDays      int    // the longest that anything can be asked for temporarily
	WorkspaceURL string // for links to messages; empty: no links
	Notice       string // mrkdwn, escaped: what the reader should know first; empty: nothing
}

// View draws the form. A field that stays keeps its block ID and so what was put in; the list's boxes get new ones with every
// generation.
func (f Form) View() slack.ModalViewRequest {
	title, blocks := FormTitle(f.Draft.Mode), []slack.Block{}
	switch {
	case !f.Draft.Offer().OfRequest():
		blocks = append(f.forWhom(), f.accessLike()...)
	case f.Draft.Total == 0: // and nothing else to choose: it is only said
		nothing := Notice(title, f.nothing())
		nothing.Blocks.BlockSet = append(nothing.Blocks.BlockSet, f.leftOut()...)
		return nothing
	}
	if f.Notice != "" {
		blocks = append([]slack.Block{section(f.Notice)}, blocks...)
	}
	if f.Draft.Offer().Chosen() {
		blocks = append(blocks, f.accessGrants()...)
	}
	blocks = append(blocks, f.duration()...)
	blocks = append(blocks, f.why()...)
	return slack.ModalViewRequest{
		Type:       slack.VTModal,
		CallbackID: CallbackRequest,
		Title:      plain(title),
		Submit:     plain("Submit"),
		Close:      plain("Cancel"),
		Blocks:     slack.Blocks{BlockSet: blocks},
	}
}

// FormTitle is the title of a form that asks in such a mode.
func FormTitle(mode string) string {
	switch mode {
	case schema.Extend:
		return "Extend access"
	case schema.Again:
		return "Ask again"
	}
	return "Request access"
}

// forWhom asks whom the access is for, where its reader may ask for someone else.
func (f Form) forWhom() []slack.Block {
	d := f.Draft
	if !f.Offer.ForOthers && !d.ForPersonID.Valid {
		return nil
	}
	whom := externalSelect(ActionFor, "Search by name or e-mail")
	whom.InitialOption = option(strconv.FormatInt(d.PersonID, 10), Myself, "")
	if d.ForPersonID.Valid {
		whom.InitialOption = option(strconv.FormatInt(d.ForPersonID.Int64, 10), d.ForName, "")
	}
	return []slack.Block{slack.NewInputBlock(BlockFor, plain("For"), nil, whom).WithDispatchAction(true)}
}

// Myself is what the form calls its reader.
const Myself = "Myself"

// lacking is who lacks what is offered.
func (f Form) lacking() string {
	if f.Draft.ForPersonID.Valid {
		return name(f.Draft.ForName) + " lacks"
	}
	return "you lack"
}

func (f Form) accessLike() []slack.Block {
	lacked := "you lack"
	if f.Draft.ForPersonID.Valid {
		lacked = "they lack"
	}
	modes := []*slack.OptionBlockObject{
		option(schema.LikePerson, "Person", "What a colleague has and "+lacked),
		option(schema.LikeJobTitle, "Job Title", "What a role has and "+lacked),
		option(schema.Custom, "Custom", "Anything that can be requested"),
	}
	radio := slack.NewRadioButtonsBlockElement(ActionAccessLike, modes...)
	for _, m := range modes {
		if m.Value == f.Draft.Mode {
			radio.InitialOption = m
		}
	}
	blocks := []slack.Block{slack.NewInputBlock(BlockAccessLike, plain("Access Like"), nil, radio).WithDispatchAction(true)}
	label, placeholder := "Person", "Search by name or e-mail"
	switch f.Draft.Mode {
	case schema.Custom:
		return blocks
	case schema.LikeJobTitle:
		label, placeholder = "Job Title", "Search job titles"
	}
	subject := externalSelect(ActionSubject, placeholder)
	if id := f.Draft.Offer().LikeID; id != 0 {
		subject.InitialOption = option(strconv.FormatInt(id, 10), f.Draft.LikeName, "")
	}
	return append(blocks, slack.NewInputBlock(BlockSubject(f.Draft.Mode), plain(label), nil, subject).WithDispatchAction(true))
}

func (f Form) duration() []slack.Block {
	permanent := option(ValuePermanent, "Permanent", "Until it is removed or revoked")
	temporary := option(ValueTemporary, "Temporary", "Revoked by itself on a date that you choose")
	radio := slack.NewRadioButtonsBlockElement(ActionDuration, permanent, temporary)
	radio.InitialOption = permanent
	if f.Draft.Temporary {
		radio.InitialOption = temporary
	}
	blocks := []slack.Block{slack.NewInputBlock(BlockDuration, plain("Duration"), nil, radio).WithDispatchAction(true)}
	if !f.Draft.Temporary {
		return blocks
	}
	date := slack.NewDatePickerBlockElement(ActionEndDate)
	date.Placeholder = plain("Choose the last day")
	zone := location(f.Draft.TimeZone).String()
	dateHint := fmt.Sprintf("In your time zone, %s. At most %s from today, or less where an access grant has its own limit.", zone, days(f.MaxDays))
	timeHint := fmt.Sprintf("In %s. Without a time, access lasts until the end of that day.", zone)
	return append(blocks,
		slack.NewInputBlock(BlockEndDate, plain("End date"), plain(dateHint), date),
		slack.NewInputBlock(BlockEndTime, plain("End time"), plain(timeHint), slack.NewTimePickerBlockElement(ActionEndTime)).WithOptional(true))
}

func (f Form) why() []slack.Block {
	var options []*slack.OptionBlockObject
	var before *slack.OptionBlockObject
	var need []string
	for _, r := range f.Offer.Reasons {
		options = append(options, option(r.Key, r.Label, ""))
		if r.Key == f.Draft.ReasonKey {
			before = options[len(options)-1]
		}
		if r.NoteRequired {
			need = append(need, "“"+Cut(Clean(r.Label), 75)+"”")
		}
	}
	hint := "Your approvers read it."
	if len(need) > 0 {
		hint += " Needed with " + Cut(strings.Join(need, ", "), 400) + "."
	}
	note := slack.NewPlainTextInputBlockElement(nil, ActionNote).WithMultiline(true).WithMaxLength(MaxNote).
		WithInitialValue(Cut(CleanLines(f.Draft.Note), MaxNote))
	var reason slack.Block
	if len(options) == 0 { // the form cannot be submitted without one, and says so
		reason = slack.NewSectionBlock(plain("No reasons are configured, so nothing can be requested yet. Please tell an administrator."), nil, nil,
			slack.SectionBlockOptionBlockID(BlockReason))
	} else {
		choice := slack.NewOptionsSelectBlockElement(slack.OptTypeStatic, plain("Choose a reason"), ActionReason, options...)
		choice.InitialOption = before
		reason = slack.NewInputBlock(BlockReason, plain("Reason"), nil, choice)
	}
	return []slack.Block{reason, slack.NewInputBlock(BlockNote, plain("Note"), plain(hint), note).WithOptional(true)}
}

// MaxNote is how long a note or the reason of a denial may be, in characters: what Slack's field and the database take.
const MaxNote = 3000

// option is one choice; label and description are shortened to what Slack takes.
func option(value, label, description string) *slack.OptionBlockObject {
	o := slack.NewOptionBlockObject(value, optionText(label), nil)
	if description = Cut(Clean(description), 75); description != "" {
		o.Description = plain(description)
	}
	return o
}

func optionText(label string) *slack.TextBlockObject {
	label = Cut(Clean(label), 75)
	if label == "" {
		label = "(no name)"
	}
	return plain(label)
}

// externalSelect asks us for its options with every letter, and for the first ones before any.
func externalSelect(actionID, placeholder string) *slack.SelectBlockElement {
	s := slack.NewOptionsSelectBlockElement(slack.OptTypeExternal, plain(placeholder), actionID)
	none := 0
	s.MinQueryLength = &none
	return s
}

func days(n int) string {
	if n == 1 {
		return "1 day"
	}
	return fmt.Sprintf("%d days", n)
}
