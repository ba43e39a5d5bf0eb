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

// Action IDs of the buttons that open the form to extend access, or to request it again.
const (
	ActionExtend     = "extend"        // the claim's ID
	ActionExtendSoon = "extend_soon"   // the ID of the notification: the items that it names
	ActionExtendAll  = "extend_all"    // the request's number: all of its items that end
	ActionAgain      = "request_again" // the request's number: all of its items that the requester does not have
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

// Block IDs of the fields that keep their input, however often the form is drawn.
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

// Lists of the Home tab that can be shown in full.
const (
	ListWaiting  = "waiting"
	ListRequests = "requests"
	ListAccess   = "access"
)

// ListItems returns the list of the items of one request: all for its requester, an approver's own for an approver.
func ListItems(request int64) string { return listItems + strconv.FormatInt(request, 10) }

const listItems = "items-"

// ItemsOf returns the request whose items a list shows; false: it is another list.
func ItemsOf(list string) (request int64, ok bool) {
	number, ok := strings.CutPrefix(list, listItems)
	request, err := strconv.ParseInt(number, 10, 64)
	return request, ok && err == nil && request > 0
}

// BlockSubject returns the block ID of the field for the person or job title of Access Like. Each mode has its own.
func BlockSubject(mode string) string { return "subject." + mode }

// The blocks around the list get new IDs with it: a block whose ID returns shows its earlier input.

// BlockSelectAll returns the block ID of "Select all" in a generation of the offer.
func BlockSelectAll(offerGeneration int) string { return fmt.Sprintf("select_all.%d", offerGeneration) }

// BlockFilter returns the block ID of the application filter in a generation of the offer.
func BlockFilter(offerGeneration int) string { return fmt.Sprintf("filter.%d", offerGeneration) }

// BlockSearch returns the block ID of the search field in a generation of the offer.
func BlockSearch(offerGeneration int) string { return fmt.Sprintf("search.%d", offerGeneration) }

// BlockPages returns the block ID of Previous and Next in a generation of the list.
func BlockPages(generation int) string { return fmt.Sprintf("pages.%d", generation) }

// BlockGrants returns the block ID of a group of checkboxes in a generation of the list.
func BlockGrants(generation, group int) string { return fmt.Sprintf("grants.%d.%d", generation, group) }

// ParseGrantsBlock parses the block ID of a group of checkboxes. False: it is another block.
func ParseGrantsBlock(blockID string) (generation, group int, ok bool) {
	parts := strings.Split(blockID, ".")
	if len(parts) != 3 || parts[0] != "grants" {
		return 0, 0, false
	}
	generation, err := strconv.Atoi(parts[1])
	group, groupErr := strconv.Atoi(parts[2])
	return generation, group, err == nil && groupErr == nil
}

// ListValue returns the value of a button that shows a page of a list.
func ListValue(list string, page int) string { return list + ":" + strconv.Itoa(page) }

// OverList adds to the metadata of a modal the page of the list below it (its ListValue). That page is drawn again when the
// modal is submitted, and Slack does not say what is below.
func OverList(metadata, list string) string { return metadata + overList + list }

// BelowOf parses what OverList returned. List is empty if no list is below.
func BelowOf(metadata string) (own, list string) {
	own, list, _ = strings.Cut(metadata, overList)
	return own, list
}

// overList appears in no other metadata: values of buttons are numbers, hashes and words.
const overList = "\n"

// ParseListValue parses a ListValue. It fails on anything else: values come from outside.
func ParseListValue(value string) (list string, page int, err error) {
	list, number, _ := strings.Cut(value, ":")
	page, err = strconv.Atoi(number)
	switch list {
	case ListWaiting, ListRequests, ListAccess, ListTasks, ListFindings:
	default:
		_, items := ItemsOf(list)
		_, holder := HolderOf(list)
		if !items && !holder {
			err = fmt.Errorf("unknown list")
		}
	}
	if err != nil || page < 1 || page > 1_000_000 {
		return "", 0, fmt.Errorf("parse list value: %.80q is not a page of a list", value)
	}
	return list, page, nil
}
