package views

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/slack-go/slack"

	"accessbot/schema"
)

// Callbacks of the modals in which an approver, or an administrator for everyone, decides item by item.
const (
	CallbackChoose                = "choose"
	CallbackDecideAsAdministrator = "decide_as_administrator"
)

// Fields of that modal.
const (
	ActionChosen = "chosen" // selected: approved
	ActionOthers = "others" // what happens to those that are not selected
	BlockOthers  = "others"

	ValueWait = "wait"
	ValueDeny = "deny"
)

// BlockChosen returns the n-th group of boxes.
func BlockChosen(n int) string { return "chosen-" + strconv.Itoa(n) }

// chooseAtMost is how many items are shown: a view holds a hundred blocks of ten boxes, a reader fewer.
const chooseAtMost = 50

// boxesAGroup is Slack's limit.
const boxesAGroup = 10

// Choose lets an approver decide item by item. The value is that of the button. Items that it does not show are not decided.
// Limits are in days, by item: see schema.LimitsOf.
func Choose(r *schema.Request, readerID int64, value string, limits map[int64]int) slack.ModalViewRequest {
	blocks, shown := choice(r, r.VotableBy(readerID), limits)
	zone := location(r.TimeZone).String()
	endHint := fmt.Sprintf(
		"Requested: %s. To shorten the access, choose its last day in the requester's time zone (%s).",
		Until(r, r.TimeZone),
		zone,
	)
	blocks = append(
		blocks,
		slack.NewInputBlock(BlockEndDate, plain("Earlier end date"), plain(Cut(endHint, 2000)), slack.NewDatePickerBlockElement(ActionEndDate)).
			WithOptional(true),
		slack.NewInputBlock(BlockReason, plain("Reason"), plain("Required if you deny anything."), reasonInput("The requester will see it")).
			WithOptional(true),
	)
	return choiceModal("Approve with changes", CallbackChoose, value, shown, blocks)
}

// ChooseForEveryone lets an administrator decide item by item for everyone. Limits are as for Choose.
func ChooseForEveryone(r *schema.Request, readerID int64, zone string, limits map[int64]int) slack.ModalViewRequest {
	items := r.OverridableBy(readerID)
	var b body
	b.line(bold(fmt.Sprintf("Request #%d", r.ID))+", requested "+When(r.CreatedAt, zone), bold("Duration:")+" "+Until(r, zone))
	b.line(overrideTags(r, items, len(items))...)
	b.line(approvers(r, zone)...)
	b.line(bold("Reason:") + " " + name(r.ReasonLabel))
	b.quote(r.Note)
	boxes, shown := choice(r, items, limits)
	blocks := append(
		append(b.blocks, boxes...),
		slack.NewInputBlock(
			BlockReason,
			plain("Reason for your decision"),
			nil,
			reasonInput("The requester and the approvers will see it"),
		),
		small("You decide for all approvers, in all remaining stages. Your decision is marked as an override."),
	)
	return choiceModal("Decide as administrator", CallbackDecideAsAdministrator, DecisionValue(r.ID, r.Terms), shown, blocks)
}

func reasonInput(placeholder string) *slack.PlainTextInputBlockElement {
	return slack.NewPlainTextInputBlockElement(plain(placeholder), ActionReason).WithMultiline(true).WithMaxLength(MaxNote)
}

func choiceModal(title, callback, value string, shown []int64, blocks []slack.Block) slack.ModalViewRequest {
	return slack.ModalViewRequest{
		Type:            slack.VTModal,
		CallbackID:      callback,
		PrivateMetadata: value + ";" + joined(shown),
		Title:           plain(title),
		Submit:          plain("Submit"),
		Close:           plain("Cancel"),
		Blocks:          slack.Blocks{BlockSet: blocks},
	}
}

// choice returns a checkbox for each item that waits, and what happens to those that are not selected.
func choice(r *schema.Request, waiting []schema.Item, limits map[int64]int) (blocks []slack.Block, ids []int64) {
	all := riskiestFirst(tell(r, waiting, r.TimeZone, 0))
	shown := all[:min(len(all), chooseAtMost)]
	who, forWhom := submittedBy(r)
	blocks = []slack.Block{
		section(fmt.Sprintf("%s requests %s%s. Select the ones to approve.", bold(who), grants(len(all)), forWhom)),
	}
	if left := len(all) - len(shown); left > 0 {
		blocks = append(blocks, small(fmt.Sprintf("%d more aren't shown. Open this form again when these are decided.", left)))
	}
	group := 0
	for _, app := range byApplication(shown) {
		for begin := 0; begin < len(app); begin += boxesAGroup {
			var options []*slack.OptionBlockObject
			for _, i := range app[begin:min(begin+boxesAGroup, len(app))] {
				options = append(
					options,
					option(strconv.FormatInt(i.ID, 10), i.Name, i.Risk+" risk · "+limitWords(limits[i.ID])+i.Kind+" · "+i.Description),
				)
				ids = append(ids, i.ID)
			}
			label := optionText(app[0].ApplicationName)
			if begin > 0 {
				label = plain(Cut(label.Text, 60) + " (continued)")
			}
			boxes := slack.NewCheckboxGroupsBlockElement(ActionChosen, options...)
			blocks = append(blocks, slack.NewInputBlock(BlockChosen(group), label, nil, boxes).WithOptional(true))
			group++
		}
	}
	wait, deny := option(ValueWait, "Decide later", ""), option(ValueDeny, "Deny", "")
	others := slack.NewRadioButtonsBlockElement(ActionOthers, wait, deny)
	others.InitialOption = wait
	return append(blocks, slack.NewInputBlock(BlockOthers, plain("Access grants not selected"), nil, others)), ids
}

// limitWords returns a limit in days before other words; 0: no limit.
func limitWords(maxDays int) string {
	if maxDays == 0 {
		return ""
	}
	return "up to " + days(maxDays) + " · "
}

func joined(ids []int64) string {
	parts := make([]string, len(ids))
	for n, id := range ids {
		parts[n] = strconv.FormatInt(id, 10)
	}
	return strings.Join(parts, ",")
}

// Chosen is a submission of Choose. It comes from outside: the database says whether the reader may decide these items.
type Chosen struct {
	Value  string // see DecisionValue
	Shown  []int64
	Ticked []int64
}

// ParseChosen parses a submission's metadata and the values of its selected checkboxes.
func ParseChosen(metadata string, ticked []string) (c Chosen, err error) {
	value, list, ok := strings.Cut(metadata, ";")
	if !ok {
		return c, fmt.Errorf("parse choice: %.80q is not its metadata", metadata)
	}
	c.Value = value
	if c.Shown, err = parseIDs(strings.Split(list, ",")); err != nil {
		return c, err
	}
	if c.Ticked, err = parseIDs(ticked); err != nil {
		return c, err
	}
	for _, id := range c.Ticked {
		if !slices.Contains(c.Shown, id) {
			return c, fmt.Errorf("parse choice: item %d is selected and was not shown", id)
		}
	}
	return c, nil
}

func parseIDs(values []string) (ids []int64, err error) {
	for _, v := range values {
		id, err := strconv.ParseInt(v, 10, 64)
		if err != nil || id <= 0 {
			return nil, fmt.Errorf("parse choice: %.40q is not an item", v)
		}
		ids = append(ids, id)
	}
	return ids, nil
}
