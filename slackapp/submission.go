package main

import (
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/slack-go/slack"

	"accessbot/schema"
	"accessbot/slackapp/views"
)

// submission is a submitted form, and its problems.
type submission struct {
	values   *slack.ViewState
	errors   fieldErrors
	outdated bool // the shown list is not the draft's
}

// field returns the value of an input of the shown view. False: it is not shown.
func (s *submission) field(blockID, actionID string) (slack.BlockAction, bool) {
	if s.values == nil {
		return slack.BlockAction{}, false
	}
	action, ok := s.values.Values[blockID][actionID]
	return action, ok
}

// all returns the fields by block and action.
func (s *submission) all() map[string]map[string]slack.BlockAction {
	if s.values == nil {
		return nil
	}
	return s.values.Values
}

// wrong adds a problem at a field, or at the first one if that is not shown: Slack drops errors at unknown fields.
func (s *submission) wrong(blockID, text string) {
	if !s.shown(blockID) {
		blockID = s.first()
	}
	if s.errors[blockID] == "" {
		s.errors[blockID] = views.Cut(text, 400)
	}
}

func (s *submission) shown(blockID string) bool {
	return s.values != nil && s.values.Values[blockID] != nil
}

// first returns the form's first field: a form for an earlier request has no "Access Like".
func (s *submission) first() string {
	if s.shown(views.BlockAccessLike) || !s.shown(views.BlockDuration) {
		return views.BlockAccessLike
	}
	return views.BlockDuration
}

// grantsField returns the first shown field of the list.
func (s *submission) grantsField() string {
	if s.values == nil {
		return views.BlockAccessLike
	}
	var all, boxes, others []string
	for blockID := range s.values.Values {
		_, _, isGrants := views.ParseGrantsBlock(blockID)
		switch prefix, _, _ := strings.Cut(blockID, "."); {
		case prefix == "select_all":
			all = append(all, blockID)
		case isGrants:
			boxes = append(boxes, blockID)
		case prefix == "search", prefix == "subject":
			others = append(others, blockID)
		}
	}
	slices.Sort(boxes)
	slices.Sort(others)
	return append(slices.Concat(all, boxes, others), s.first())[0]
}

// checkShown compares the fields that determine the list with the draft. They differ only if an action was lost: then the shown
// list is not the one that would be submitted.
func (s *submission) checkShown(d *schema.Draft) {
	s.outdated = !s.showsList(d)
	if s.outdated {
		s.wrong(s.grantsField(), listChanged)
		return
	}
	const lost = "We couldn't save this choice. Choose again."
	if d.Offer().OfRequest() {
		return // none of it can be changed
	}
	if whom, ok := s.field(views.BlockFor, views.ActionFor); (ok || d.ForPersonID.Valid) && whom.SelectedOption.Value != fmt.Sprint(d.RequesterID()) {
		s.wrong(views.BlockFor, lost)
		return
	}
	if mode, ok := s.field(views.BlockAccessLike, views.ActionAccessLike); !ok || mode.SelectedOption.Value != d.Mode {
		s.wrong(views.BlockAccessLike, lost)
		return
	}
	if d.Mode != schema.Custom {
		subject, _ := s.field(views.BlockSubject(d.Mode), views.ActionSubject)
		switch id := d.Offer().LikeID; {
		case id == 0 && subject.SelectedOption.Value == "":
			s.wrong(views.BlockSubject(d.Mode), "Choose a "+map[string]string{schema.LikePerson: "person", schema.LikeJobTitle: "job title"}[d.Mode]+".")
		case subject.SelectedOption.Value != fmt.Sprint(id):
			s.wrong(views.BlockSubject(d.Mode), lost)
		}
	}
	all, ok := s.field(views.BlockSelectAll(d.OfferGeneration), views.ActionSelectAll)
	if ok && (len(all.SelectedOptions) > 0) != d.AllChosen {
		s.wrong(views.BlockSelectAll(d.OfferGeneration), lost)
	}
}

// showsList reports whether the shown checkboxes are those of the draft's list.
func (s *submission) showsList(d *schema.Draft) bool {
	want, shown := len(d.Shown), 0
	if d.AllChosen {
		want = 0
	}
	if s.values != nil {
		for blockID := range s.values.Values {
			generation, _, ok := views.ParseGrantsBlock(blockID)
			switch {
			case ok && generation == d.Generation:
				shown++
			case ok:
				return false
			}
		}
	}
	return shown == want
}

// why returns the reason and the note.
func (s *submission) why(reasons []schema.Reason) (key, note string) {
	chosen, _ := s.field(views.BlockReason, views.ActionReason)
	written, _ := s.field(views.BlockNote, views.ActionNote)
	note = writable(written.Value)
	if utf8.RuneCountInString(note) > views.MaxNote {
		s.wrong(views.BlockNote, fmt.Sprintf("This is too long. Shorten it to %d characters.", views.MaxNote))
	}
	key = chosen.SelectedOption.Value
	at := slices.IndexFunc(reasons, func(r schema.Reason) bool { return r.Key == key })
	switch {
	case key == "":
		s.wrong(views.BlockReason, "Choose a reason.")
	case at < 0:
		s.wrong(views.BlockReason, "This reason is no longer available. Choose another.")
	case reasons[at].NoteRequired && views.Clean(note) == "":
		s.wrong(views.BlockNote, "This reason needs a note.")
	}
	return key, note
}

// writable returns what the database can hold of a text: no NUL, only valid UTF-8, nothing around it.
func writable(text string) string {
	return strings.TrimSpace(strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", ""))
}

// ends returns until when access is asked for: null, or an instant, and the day where no time was chosen.
func (s *submission) ends(d *schema.Draft, now time.Time, maxDays int) (endsAt, endsOn sql.NullTime) {
	duration, _ := s.field(views.BlockDuration, views.ActionDuration)
	switch duration.SelectedOption.Value {
	case views.ValuePermanent:
		return endsAt, endsOn
	case views.ValueTemporary:
	default:
		s.wrong(views.BlockDuration, "Choose how long you need the access.")
		return endsAt, endsOn
	}
	zone, err := time.LoadLocation(d.TimeZone)
	if err != nil { // it was checked when the form opened
		s.wrong(views.BlockDuration, "Your time zone is not known. Please open the form again.")
		return endsAt, endsOn
	}
	date, shown := s.field(views.BlockEndDate, views.ActionEndDate)
	clock, _ := s.field(views.BlockEndTime, views.ActionEndTime)
	switch {
	case !shown:
		s.wrong(views.BlockDuration, "This was not kept. Please choose it again.")
		return endsAt, endsOn
	case date.SelectedDate == "":
		s.wrong(views.BlockEndDate, "Choose the day on which the access ends.")
		return endsAt, endsOn
	case clock.SelectedTime != "":
		endsAt.Time, err = endAt(date.SelectedDate, clock.SelectedTime, zone)
	default:
		endsAt.Time, endsOn.Time, err = endOfDay(date.SelectedDate, zone)
		endsOn.Valid = true
	}
	switch {
	case errors.Is(err, errNoSuchTime):
		s.wrong(views.BlockEndTime, "There is no such time of day.")
	case err != nil:
		s.wrong(views.BlockEndDate, "There is no such day.")
	case !endsAt.Time.After(now):
		s.wrong(views.BlockEndDate, "This end date has passed. Choose a later one.")
	case endsAt.Time.After(lastEnd(now, maxDays, zone)):
		s.wrong(views.BlockEndDate, fmt.Sprintf("Temporary access lasts at most %s. Choose an earlier day.", daysWords(maxDays)))
	}
	endsAt.Valid = true
	return endsAt, endsOn
}

func daysWords(n int) string {
	if n == 1 {
		return "1 day"
	}
	return fmt.Sprintf("%d days", n)
}

// listNames names the first few of what an error is about. Errors at fields are plain text.
func listNames(names []string) string {
	shown := make([]string, len(names))
	for i, n := range names {
		shown[i] = views.Cut(views.Clean(n), 60)
	}
	return listed(shown)
}

// listed returns the first few, and how many more there are.
func listed(names []string) string {
	const few = 5
	list := strings.Join(names[:min(few, len(names))], ", ")
	if len(names) > few {
		list += fmt.Sprintf(" and %d more", len(names)-few)
	}
	return list
}

// listLimits names each grant with its own limit, the shortest first.
func listLimits(limited []schema.Limited) string {
	limited = slices.Clone(limited)
	slices.SortStableFunc(limited, func(a, b schema.Limited) int { return a.MaxDays - b.MaxDays })
	parts := make([]string, len(limited))
	for i, l := range limited {
		parts[i] = views.Cut(views.Clean(l.Name), 60)
		if l.MaxDays > 0 {
			parts[i] += " (at most " + daysWords(l.MaxDays) + ")"
		}
	}
	return listed(parts)
}

// plainWords turns our mrkdwn into plain text.
func plainWords(text string) string {
	return strings.NewReplacer("&amp;", "&", "&lt;", "<", "&gt;", ">").Replace(text)
}
