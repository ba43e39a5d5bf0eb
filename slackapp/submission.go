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

// submission is a submitted form or modal, and its problems.
type submission struct {
	shown    map[string]map[string]slack.BlockAction // the inputs, by block and action
	errors   fieldErrors
	outdated bool // the shown list is not the draft's
}

func submissionOf(view *slack.View) submission {
	return submission{shown: inputs(view.State), errors: fieldErrors{}}
}

// inputs returns a view's inputs by block and action.
func inputs(state *slack.ViewState) map[string]map[string]slack.BlockAction {
	if state == nil {
		return nil
	}
	return state.Values
}

// wrong adds a problem at a field, or at the first one if that is not shown: Slack drops errors at unknown fields.
func (s *submission) wrong(blockID, text string) {
	if s.shown[blockID] == nil {
		blockID = s.first()
	}
	if s.errors[blockID] == "" {
		s.errors[blockID] = views.Cut(text, 400)
	}
}

// first returns the form's first field: a form for an earlier request has no "Access Like".
func (s *submission) first() string {
	if s.shown[views.BlockAccessLike] == nil && s.shown[views.BlockDuration] != nil {
		return views.BlockDuration
	}
	return views.BlockAccessLike
}

// grantsField returns the first shown field of the list.
func (s *submission) grantsField() string {
	var all, boxes, others []string
	for blockID := range s.shown {
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

// at returns the field that shows an error about the whole form.
func (s *submission) at(err error) string {
	switch r, _ := refusalOf(requesting, err); r.field {
	case "":
		return s.first()
	case atGrants:
		return s.grantsField()
	default:
		return r.field
	}
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
	if whom, ok := s.shown[views.BlockFor][views.ActionFor]; (ok || d.ForPersonID.Valid) &&
		whom.SelectedOption.Value != fmt.Sprint(d.RequesterID()) {
		s.wrong(views.BlockFor, lost)
		return
	}
	if mode, ok := s.shown[views.BlockAccessLike][views.ActionAccessLike]; !ok || mode.SelectedOption.Value != d.Mode {
		s.wrong(views.BlockAccessLike, lost)
		return
	}
	if d.Mode != schema.Custom {
		subject := s.shown[views.BlockSubject(d.Mode)][views.ActionSubject]
		switch id := d.Offer().LikeID; {
		case id == 0 && subject.SelectedOption.Value == "":
			s.wrong(
				views.BlockSubject(d.Mode),
				"Choose a "+map[string]string{schema.LikePerson: "person", schema.LikeJobTitle: "job title"}[d.Mode]+".",
			)
		case subject.SelectedOption.Value != fmt.Sprint(id):
			s.wrong(views.BlockSubject(d.Mode), lost)
		}
	}
	all, ok := s.shown[views.BlockSelectAll(d.OfferGeneration)][views.ActionSelectAll]
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
	for blockID := range s.shown {
		switch generation, _, ok := views.ParseGrantsBlock(blockID); {
		case ok && generation == d.Generation:
			shown++
		case ok:
			return false
		}
	}
	return shown == want
}

// why returns the reason and the note.
func (s *submission) why(reasons []schema.Reason) (key, note string) {
	chosen := s.shown[views.BlockReason][views.ActionReason]
	written := s.shown[views.BlockNote][views.ActionNote]
	note = writable(written.Value)
	if utf8.RuneCountInString(note) > views.MaxNote {
		s.wrong(views.BlockNote, tooLong(views.MaxNote))
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

// reason returns the reason that a modal asks for.
func (s *submission) reason() (string, error) {
	return s.text(views.BlockReason, views.ActionReason, views.MaxNote, "Enter a reason. The requester will see it.")
}

// written returns the text of a question or an answer.
func (s *submission) written(atMost int) (string, error) {
	return s.text(views.BlockWritten, views.ActionWritten, atMost, "Enter a text.")
}

func (s *submission) text(blockID, actionID string, atMost int, missing string) (string, error) {
	text := writable(s.shown[blockID][actionID].Value)
	switch {
	case views.Clean(text) == "":
		return "", fieldErrors{blockID: missing}
	case utf8.RuneCountInString(text) > atMost:
		return "", fieldErrors{blockID: tooLong(atMost)}
	}
	return text, nil
}

func tooLong(atMost int) string {
	return fmt.Sprintf("This is too long. Shorten it to %d characters.", atMost)
}

// writable returns what the database can hold of a text: no NUL, only valid UTF-8, nothing around it.
func writable(text string) string {
	return strings.TrimSpace(strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", ""))
}

// ends returns until when access is asked for: null, or an instant, and the day where no time was chosen.
func (s *submission) ends(d *schema.Draft, now time.Time, maxDays int) (endsAt, endsOn sql.NullTime) {
	duration := s.shown[views.BlockDuration][views.ActionDuration]
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
	date, shown := s.shown[views.BlockEndDate][views.ActionEndDate]
	clock := s.shown[views.BlockEndTime][views.ActionEndTime]
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
