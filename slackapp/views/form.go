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
	WorkspaceURL string // for links to messages; empty: no links
	Notice       string // mrkdwn, escaped: shown first; empty: none
}

// View draws the form. A field that stays keeps its block ID and so its input; the checkboxes of the list get new IDs with every
// generation.
func (f Form) View() slack.ModalViewRequest {
	title, blocks := FormTitle(f.Draft.Mode), []slack.Block{}
	switch {
	case !f.Draft.Offer().OfRequest():
		blocks = append(f.forWhom(), f.accessLike()...)
	case f.Draft.Total == 0: // nothing can be chosen
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

// FormTitle returns the title of the form in a mode.
func FormTitle(mode string) string {
	switch mode {
	case schema.Extend:
		return "Extend access"
	case schema.Again:
		return "Request again"
	}
	return "Request Access"
}

// forWhom asks who the access is for, if the reader may request it for other people.
func (f Form) forWhom() []slack.Block {
	d := f.Draft
	if !f.Offer.ForOthers && !d.ForPersonID.Valid {
		return nil
	}
	person := externalSelect(ActionFor, "Search by name or email")
	person.InitialOption = option(strconv.FormatInt(d.PersonID, 10), Myself, "")
	if d.ForPersonID.Valid {
		person.InitialOption = option(strconv.FormatInt(d.ForPersonID.Int64, 10), d.ForName, "")
	}
	return []slack.Block{slack.NewInputBlock(BlockFor, plain("For"), nil, person).WithDispatchAction(true)}
}

// Myself is what the form calls its reader.
const Myself = "Myself"

// lacking returns the condition under which access is offered.
func (f Form) lacking() string {
	if f.Draft.ForPersonID.Valid {
		return "that " + name(f.Draft.ForName) + " doesn't already have"
	}
	return "and don't already have"
}

func (f Form) accessLike() []slack.Block {
	lacking := "you don't"
	if f.Draft.ForPersonID.Valid {
		lacking = "they don't"
	}
	modes := []*slack.OptionBlockObject{
		option(schema.LikePerson, "Person", "Access that a colleague has and "+lacking),
		option(schema.LikeJobTitle, "Job Title", "Access that goes with a job title"),
		option(schema.Custom, "Custom", "Anything that you can request"),
	}
	radio := slack.NewRadioButtonsBlockElement(ActionAccessLike, modes...)
	for _, m := range modes {
		if m.Value == f.Draft.Mode {
			radio.InitialOption = m
		}
	}
	blocks := []slack.Block{slack.NewInputBlock(BlockAccessLike, plain("Access Like"), nil, radio).WithDispatchAction(true)}
	label, placeholder := "Person", "Search by name or email"
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
	permanent := option(ValuePermanent, "Permanent", "The access will not expire.")
	temporary := option(ValueTemporary, "Temporary", "The access will be automatically revoked on a specific date.")
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
	dateHint := fmt.Sprintf(
		"In your time zone, %s. At most %s from today. Some access grants have a shorter limit.",
		zone,
		days(f.Offer.MaxDays),
	)
	timeHint := fmt.Sprintf("In %s. Without a time, the access lasts until the end of the day.", zone)
	return append(
		blocks,
		slack.NewInputBlock(BlockEndDate, plain("End date"), plain(dateHint), date),
		slack.NewInputBlock(BlockEndTime, plain("End time"), plain(timeHint), slack.NewTimePickerBlockElement(ActionEndTime)).
			WithOptional(true),
	)
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
	hint := "Your approvers will see this."
	if len(need) > 0 {
		hint += " Required for " + Cut(strings.Join(need, ", "), 400) + "."
	}
	note := slack.NewPlainTextInputBlockElement(nil, ActionNote).WithMultiline(true).WithMaxLength(MaxNote).
		WithInitialValue(Cut(CleanLines(f.Draft.Note), MaxNote))
	var reason slack.Block
	if len(options) == 0 { // the form cannot be submitted without one, and says so
		reason = slack.NewSectionBlock(
			plain("No reasons are configured, so you can't request access yet. Tell an administrator."),
			nil,
			nil,
			slack.SectionBlockOptionBlockID(BlockReason),
		)
	} else {
		choice := slack.NewOptionsSelectBlockElement(slack.OptTypeStatic, plain("Choose a reason"), ActionReason, options...)
		choice.InitialOption = before
		reason = slack.NewInputBlock(BlockReason, plain("Reason"), nil, choice)
	}
	return []slack.Block{reason, slack.NewInputBlock(BlockNote, plain("Note"), plain(hint), note).WithOptional(true)}
}

// MaxNote is the maximum length of a note or a reason, in characters: the limit of Slack's field and of the database.
const MaxNote = 3000

// option returns one choice; label and description are cut to Slack's limits.
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

// externalSelect loads its options from us while its user types, and before.
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
