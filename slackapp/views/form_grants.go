package views

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/slack-go/slack"

	"accessbot/schema"
)

// AskedShown is how many access grants that are already requested the form names.
const AskedShown = 5

// accessGrants returns the list: groups of checkboxes by application, its filters and pages, and what it leaves out.
func (f Form) accessGrants() []slack.Block {
	d := f.Draft
	var blocks []slack.Block
	switch {
	case d.Total == 0:
		blocks = append(blocks, section(bold("Access Grants")+"\n"+f.nothing()))
	case d.Mode == schema.Custom:
		blocks = append(blocks, section(bold("Access Grants")+"\nEverything that you can request "+f.lacking()+"."))
	case d.Mode == schema.Extend:
		blocks = append(
			blocks,
			section(
				bold("Access Grants")+"\nAccess from request "+name(d.LikeName)+" that has an end date. Extending it needs a new approval.",
			),
		)
	case d.Mode == schema.Again:
		blocks = append(
			blocks,
			section(bold("Access Grants")+"\nAccess from request "+name(d.LikeName)+" that you don't have. It needs a new approval."),
		)
	default:
		all := option(ValueAll, fmt.Sprintf("Select all access grants (%d)", d.Total), "")
		boxes := slack.NewCheckboxGroupsBlockElement(ActionSelectAll, all)
		if d.AllChosen {
			boxes.InitialOptions = []*slack.OptionBlockObject{all}
		}
		blocks = append(
			blocks,
			slack.NewInputBlock(BlockSelectAll(d.OfferGeneration), plain("Access Grants"), nil, boxes).
				WithOptional(true).
				WithDispatchAction(true),
		)
	}
	switch {
	case d.Total == 0:
	case d.AllChosen:
		blocks = append(
			blocks,
			section(fmt.Sprintf("All %d selected. To select individual access grants, clear the checkbox.", d.Total)),
		)
	default:
		blocks = append(blocks, f.narrow()...)
		blocks = append(blocks, f.groups()...)
		blocks = append(blocks, f.pages()...)
	}
	return append(blocks, f.leftOut()...)
}

// nothing says why the list is empty.
func (f Form) nothing() string {
	var text string
	switch who := name(f.Draft.LikeName); f.Draft.Mode {
	case schema.LikePerson:
		text = who + " has nothing that you can request " + f.lacking() + "."
	case schema.LikeJobTitle:
		text = "There is nothing for the job title " + who + " that you can request " + f.lacking() + "."
		if f.Offer.OtherHolders == 0 {
			text += " No other employee has this job title, and no access is configured for it."
		}
	case schema.Extend:
		text = "Nothing from request " + who + " can be extended."
	case schema.Again:
		text = "Nothing from request " + who + " can be requested again."
	default:
		text = "There is nothing that you can request " + f.lacking() + "."
	}
	if len(f.Offer.AlreadyRequested) > 0 {
		text += " Access that is already requested isn't shown."
	}
	return text
}

func (f Form) narrow() []slack.Block {
	d := f.Draft
	if d.Total <= schema.PageSize {
		return nil
	}
	filter := externalSelect(ActionFilter, "All applications")
	if d.ApplicationID.Valid {
		filter.InitialOption = option(strconv.FormatInt(d.ApplicationID.Int64, 10), d.ApplicationName, "")
	}
	search := slack.NewPlainTextInputBlockElement(plain("Type a name and press Enter"), ActionSearch).
		WithMaxLength(100).WithInitialValue(d.Search).
		WithDispatchActionConfig(&slack.DispatchActionConfig{TriggerActionsOn: []string{"on_enter_pressed"}})
	return []slack.Block{
		slack.NewInputBlock(BlockFilter(d.OfferGeneration), plain("Application"), nil, filter).
			WithOptional(true).
			WithDispatchAction(true),
		slack.NewInputBlock(BlockSearch(d.OfferGeneration), plain("Search"), nil, search).WithOptional(true).WithDispatchAction(true),
	}
}

func (f Form) groups() []slack.Block {
	d := f.Draft
	var blocks []slack.Block
	if len(d.Shown) == 0 {
		return append(blocks, section("Nothing matches. Change the application or the search."))
	}
	before := ""
	for n, ids := range d.Shown {
		var options, ticked []*slack.OptionBlockObject
		application := ""
		for _, id := range ids {
			g := f.Offer.Grants[id]
			application = g.ApplicationName
			o := option(strconv.FormatInt(id, 10), g.Name, describe(g))
			options = append(options, o)
			if slices.Contains(d.Chosen, id) {
				ticked = append(ticked, o)
			}
		}
		label := optionText(application)
		if application == before {
			label = plain(Cut(label.Text, 60) + " (continued)")
		}
		before = application
		boxes := slack.NewCheckboxGroupsBlockElement(ActionGrants, options...)
		boxes.InitialOptions = ticked
		blocks = append(
			blocks,
			slack.NewInputBlock(BlockGrants(d.Generation, n), label, nil, boxes).WithOptional(true).WithDispatchAction(true),
		)
	}
	return blocks
}

// describe says what helps to choose: how common, how risky, how long, what for.
func describe(g schema.Grant) string {
	var parts []string
	if g.Holders > 0 {
		parts = append(parts, fmt.Sprintf("held by %d of %d", g.HeldBy, g.Holders))
	}
	if g.Risk != "low" {
		parts = append(parts, g.Risk+" risk")
	}
	if g.MaxDays.Valid {
		parts = append(parts, "up to "+days(int(g.MaxDays.Int64)))
	}
	parts = append(parts, g.Kind)
	if g.Description != "" {
		parts = append(parts, g.Description)
	}
	return strings.Join(parts, " · ")
}

// hidden returns the selected access grants that the form does not show.
func (f Form) hidden() []int64 {
	if f.Draft.AllChosen {
		return f.Draft.Offered
	}
	shown := f.Draft.ShownIDs()
	return slices.DeleteFunc(slices.Clone([]int64(f.Draft.Chosen)), func(id int64) bool { return slices.Contains(shown, id) })
}

func (f Form) pages() []slack.Block {
	d := f.Draft
	// Selecting does not draw the form again, so the text counts only what is not shown.
	text := fmt.Sprintf("%d in total", d.Total)
	narrowed := d.ApplicationID.Valid || d.Search != ""
	if narrowed {
		text += fmt.Sprintf(", %d matching", d.Matching)
	}
	var buttons []slack.BlockElement
	if d.Pages() > 1 {
		text += fmt.Sprintf(", page %d of %d", d.Page, d.Pages())
	}
	if n := len(f.hidden()); n > 0 {
		text += fmt.Sprintf(". Also selected, not shown here: %d", n)
	}
	if d.Page > 1 {
		buttons = append(buttons, button(ActionPrevious, "", "Previous", slack.StyleDefault))
	}
	if d.Page < d.Pages() {
		buttons = append(buttons, button(ActionNext, "", "Next", slack.StyleDefault))
	}
	if narrowed {
		buttons = append(buttons, button(ActionClear, "", "Show all", slack.StyleDefault))
	}
	if len(buttons) == 0 {
		return nil // everything is shown
	}
	return []slack.Block{small(text), slack.NewActionBlock(BlockPages(d.Generation), buttons...)}
}

// leftOut says what the list leaves out, and why.
func (f Form) leftOut() []slack.Block {
	var blocks []slack.Block
	if asked := f.Offer.AlreadyRequested; len(asked) > 0 {
		for _, a := range asked[:min(len(asked), AskedShown)] {
			blocks = append(
				blocks,
				small(fmt.Sprintf("%s: %s – already requested in %s", name(a.ApplicationName), name(a.Name), f.link(a))),
			)
		}
		if len(asked) > AskedShown {
			more := "More access is already requested. See your requests on the Home tab."
			if f.Draft.ForPersonID.Valid {
				more = "More access is already requested. " + name(f.Draft.ForName) + " can see the requests on their Home tab."
			}
			blocks = append(blocks, small(more))
		}
	}
	if without := f.Offer.WithoutAccount; len(without) > 0 {
		var escaped []string
		for _, a := range without[:min(len(without), AskedShown)] {
			escaped = append(escaped, name(a))
		}
		who := "You have"
		if f.Draft.ForPersonID.Valid {
			who = name(f.Draft.ForName) + " has"
		}
		blocks = append(
			blocks,
			small(who+" no account in "+andMore(escaped, len(without))+", so you can't request access there. Ask an administrator."),
		)
	}
	return blocks
}

func (f Form) link(a schema.AlreadyRequested) string {
	return numberLink(f.WorkspaceURL, a.RequestID, a.Channel, a.TS)
}

// numberLink returns a request's number, as a link to its message if there is one.
func numberLink(workspaceURL string, number int64, channel, ts string) string {
	text := fmt.Sprintf("#%d", number)
	if url := Permalink(workspaceURL, channel, ts); url != "" {
		return "<" + url + "|" + text + ">"
	}
	return text
}

// Permalink returns the URL of a message; empty if there is none.
func Permalink(workspaceURL, channel, ts string) string {
	if workspaceURL == "" || channel == "" || ts == "" {
		return ""
	}
	return strings.TrimSuffix(workspaceURL, "/") + "/archives/" + channel + "/p" + strings.Replace(ts, ".", "", 1)
}

func section(text string) slack.Block {
	return slack.NewSectionBlock(mrkdwn(text), nil, nil)
}

func small(text string) slack.Block {
	return slack.NewContextBlock("", mrkdwn(text))
}
