package views

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/slack-go/slack"

	"accessbot/schema"
)

// CallbackChoose is of the modal in which an approver decides item by item.
const CallbackChoose = "choose"

// Fields of that modal.
const (
	ActionChosen = "chosen" // ticked: approved
	ActionOthers = "others" // what becomes of those that are not ticked
	BlockOthers  = "others"

	ValueWait = "wait"
	ValueDeny = "deny"
)

// BlockChosen is the n-th group of boxes.
func BlockChosen(n int) string { return "chosen-" + strconv.Itoa(n) }

// chooseAtMost is how many items are shown: a view holds a hundred blocks of ten boxes, a reader fewer.
const chooseAtMost = 50

// boxesAGroup is Slack's limit.
const boxesAGroup = 10

// Choose lets an approver decide item by item. The value is the one of the button that was pressed. What the reader cannot see here is not decided by it.
// Limits are in days, by item: see schema.LimitsOf.
func Choose(r *schema.Request, readerID int64, value string, limits map[int64]int) slack.ModalViewRequest {
	blocks, shown := choice(r, r.DecidableBy(readerID), limits)
	zone := location(r.TimeZone).String()
	endHint := fmt.Sprintf("Asked for: %s. Leave it empty for that, or choose the last day, in the requester's time zone, %s.", Until(r, r.TimeZone), zone)
	blocks = append(blocks,
		slack.NewInputBlock(BlockEndDate, plain("End sooner"), plain(Cut(endHint, 2000)), slack.NewDatePickerBlockElement(ActionEndDate)).WithOptional(true),
		slack.NewInputBlock(BlockReason, plain("Reason"), plain("Needed where something is denied."), reasonInput("The requester reads it")).WithOptional(true))
	return choiceModal("Choose", CallbackChoose, value, shown, blocks)
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
		Submit:          plain("Decide"),
		Close:           plain("Cancel"),
		Blocks:          slack.Blocks{BlockSet: blocks},
	}
}

// choice are boxes for what waits, and what becomes of what is not ticked.
func choice(r *schema.Request, waiting []schema.Item, limits map[int64]int) (blocks []slack.Block, ids []int64) {
	all := riskiestFirst(tell(r, waiting, r.TimeZone, 0))
	shown := all[:min(len(all), chooseAtMost)]
	who, whom := askedBy(r)
	blocks = []slack.Block{section(fmt.Sprintf("%s asks for %s%s. What you tick is approved.", bold(who), grants(len(all)), whom))}
	if left := len(all) - len(shown); left > 0 {
		blocks = append(blocks, small(fmt.Sprintf("%d more keep waiting: choose again when these are decided.", left)))
	}
	group := 0
	for _, app := range byApplication(shown) {
		for begin := 0; begin < len(app); begin += boxesAGroup {
			var options []*slack.OptionBlockObject
			for _, i := range app[begin:min(begin+boxesAGroup, len(app))] {
				options = append(options, option(strconv.FormatInt(i.ID, 10), i.Name, i.Risk+" risk · "+limitWords(limits[i.ID])+i.Kind+" · "+i.Description))
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
	wait, deny := option(ValueWait, "keeps waiting", ""), option(ValueDeny, "is denied", "")
	others := slack.NewRadioButtonsBlockElement(ActionOthers, wait, deny)
	others.InitialOption = wait
	return append(blocks, slack.NewInputBlock(BlockOthers, plain("What is not ticked"), nil, others)), ids
}

// limitWords is a limit in front of other words; none: nothing.
func limitWords(maxDays int) string {
	if maxDays == 0 {
		return ""
	}
	return "at most " + days(maxDays) + " · "
}

func joined(ids []int64) string {
	parts := make([]string, len(ids))
	for n, id := range ids {
		parts[n] = strconv.FormatInt(id, 10)
	}
	return strings.Join(parts, ",")
}

// Chosen is what was submitted of Choose. It comes from outside: whether these items are the reader's to decide, the
// record says.
type Chosen struct {
	Value  string // see DecisionValue
	Shown  []int64
	Ticked []int64
}

// ParseChosen takes a submission's metadata and the values of its ticked boxes apart.
func ParseChosen(metadata string, ticked []string) (c Chosen, err error) {
	value, list, ok := strings.Cut(metadata, ";")
	if !ok {
		return c, fmt.Errorf("%.80q is not the metadata of a choice", metadata)
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
			return c, fmt.Errorf("item %d was ticked and never shown", id)
		}
	}
	return c, nil
}

func parseIDs(values []string) (ids []int64, err error) {
	for _, v := range values {
		id, err := strconv.ParseInt(v, 10, 64)
		if err != nil || id <= 0 {
			return nil, fmt.Errorf("%.40q is no item", v)
		}
		ids = append(ids, id)
	}
	return ids, nil
}
