package views

import (
	"fmt"
	"strconv"
	"strings"
)

// Callback IDs of the modals that are submitted.
const (
	CallbackRequest = "request"
	CallbackDeny    = "deny"
)

// Action IDs of the buttons that open the form to ask for more time, or again.
const (
	ActionExtend     = "extend"      // the claim's ID
	ActionExtendSoon = "extend_soon" // the ID of the notification: what it names
	ActionExtendAll  = "extend_all"  // the request's number, in notifications of earlier versions: everything of it that ends
	ActionAgain      = "ask_again"   // the request's number: everything of it that is lacked
)

// Action IDs of the form.
const (
	ActionFor        = "for"
	ActionAccessLike = "access_like"
	ActionSubject    = "subject"
	ActionSelectAll  = "select_all"
	ActionFilter     = "filter"
	ActionSearch     = "search"
	ActionGrants     = "grants"
	ActionPrevious   = "previous_page"
	ActionNext       = "next_page"
	ActionClear      = "clear_filter"
	ActionDuration   = "duration"
	ActionEndDate    = "end_date"
	ActionEndTime    = "end_time"
	ActionReason     = "reason"
	ActionNote       = "note"
)

// Block IDs of the fields that keep what was put in, however often the form is drawn.
const (
	BlockFor        = "for"
	BlockAccessLike = "access_like"
	BlockDuration   = "duration"
	BlockEndDate    = "end_date"
	BlockEndTime    = "end_time"
	BlockReason     = "reason"
	BlockNote       = "note"
)

// Values of radio buttons and of the filter.
const (
	ValuePermanent = "permanent"
	ValueTemporary = "temporary"
	ValueAll       = "all"
)

// Action IDs of the lists behind the Home tab.
const (
	ActionShowAll      = "show_all"      // value: see ListValue
	ActionListPrevious = "list_previous" // as above
	ActionListNext     = "list_next"     // as above
)

// Lists of the Home tab that can be shown whole.
const (
	ListWaiting  = "waiting"
	ListRequests = "requests"
	ListAccess   = "access"
)

// ListItems is the list of everything in one request that its reader asked for, or is asked about.
func ListItems(request int64) string { return listItems + strconv.FormatInt(request, 10) }

const listItems = "items-"

// ItemsOf answers whose items a list shows; false: it is another list.
func ItemsOf(list string) (request int64, ok bool) {
	number, ok := strings.CutPrefix(list, listItems)
	request, err := strconv.ParseInt(number, 10, 64)
	return request, ok && err == nil && request > 0
}

// BlockSubject is the block ID of the field for whom or what to be like: each mode has its own, and its own input.
func BlockSubject(mode string) string { return "subject." + mode }

// The blocks around the list start again with it: a block whose ID comes back shows what it held before.

// BlockSelectAll is the block ID of "Select all" in a generation of the offer.
func BlockSelectAll(offerGeneration int) string { return fmt.Sprintf("select_all.%d", offerGeneration) }

// BlockFilter is the block ID of the application filter in a generation of the offer.
func BlockFilter(offerGeneration int) string { return fmt.Sprintf("filter.%d", offerGeneration) }

// BlockSearch is the block ID of the search field in a generation of the offer.
func BlockSearch(offerGeneration int) string { return fmt.Sprintf("search.%d", offerGeneration) }

// BlockPages is the block ID of Previous and Next in a generation of the list.
func BlockPages(generation int) string { return fmt.Sprintf("pages.%d", generation) }

// BlockGrants is the block ID of a group of boxes in a generation of the list.
func BlockGrants(generation, group int) string { return fmt.Sprintf("grants.%d.%d", generation, group) }

// ParseGrantsBlock takes the block ID of a group of boxes apart. False: it is another block.
func ParseGrantsBlock(blockID string) (generation, group int, ok bool) {
	parts := strings.Split(blockID, ".")
	if len(parts) != 3 || parts[0] != "grants" {
		return 0, 0, false
	}
	generation, err := strconv.Atoi(parts[1])
	group, groupErr := strconv.Atoi(parts[2])
	return generation, group, err == nil && groupErr == nil
}

// ListValue is the value of a button that shows a page of a list.
func ListValue(list string, page int) string { return list + ":" + strconv.Itoa(page) }

// OverList adds to the metadata of a modal over which page of a list it is pushed (its ListValue): that page is to be drawn
// again once the modal is submitted, and Slack does not say what lies below.
func OverList(metadata, list string) string { return metadata + overList + list }

// BelowOf takes apart what OverList made. Without a list, none lies below.
func BelowOf(metadata string) (own, list string) {
	own, list, _ = strings.Cut(metadata, overList)
	return own, list
}

// overList is a delegate no metadata otherwise: values of buttons are numbers, hashes and words.
const overList = "\n"

// ParseListValue takes a ListValue apart. It fails on anything else: values come back from outside.
func ParseListValue(value string) (list string, page int, err error) {
	list, number, _ := strings.Cut(value, ":")
	page, err = strconv.Atoi(number)
	switch list {
	case ListWaiting, ListRequests, ListAccess, ListStuck, ListTasks, ListFindings:
	default:
		_, items := ItemsOf(list)
		_, holder := HolderOf(list)
		if !items && !holder {
			err = fmt.Errorf("no such list")
		}
	}
	if err != nil || page < 1 || page > 1_000_000 {
		return "", 0, fmt.Errorf("%.80q does not name a page of a list", value)
	}
	return list, page, nil
}
