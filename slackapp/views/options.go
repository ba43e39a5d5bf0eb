package views

import (
	"encoding/json"
	"strconv"

	"github.com/slack-go/slack"

	"accessbot/schema"
)

// Limits of the answer to an external select: more options show as "No result", and Socket Mode drops a larger answer, both
// silently.
const (
	MaxOptions      = 100
	maxOptionsBytes = 18 << 10
)

// Options is the answer to an external select. slack-go's own type omits an empty list, which Slack treats as an error.
type Options struct {
	Options []*slack.OptionBlockObject `json:"options"`
}

// PeopleOptions offers people, with job title and email.
func PeopleOptions(found []schema.Found) Options {
	return options(found, func(f schema.Found) *slack.OptionBlockObject {
		id := strconv.FormatInt(f.ID, 10)
		if f.JobTitle == "" {
			return option(id, f.Name, f.Email)
		}
		who := Cut(Clean(f.Name), 48)
		return option(id, who+" – "+f.JobTitle, f.Email)
	})
}

// ForOptions offers who the access may be for, the reader first: a single select cannot be cleared.
func ForOptions(readerID int64, found []schema.Found) Options {
	o := PeopleOptions(found)
	myself := option(strconv.FormatInt(readerID, 10), Myself, "")
	o.Options = append([]*slack.OptionBlockObject{myself}, o.Options[:min(len(o.Options), MaxOptions-1)]...)
	return o
}

// NameOptions offers things that have only a name.
func NameOptions(found []schema.Found) Options {
	return options(found, func(f schema.Found) *slack.OptionBlockObject {
		return option(strconv.FormatInt(f.ID, 10), f.Name, "")
	})
}

// ApplicationOptions offers applications, and first to clear the filter: a single select cannot be cleared.
func ApplicationOptions(found []schema.Found) Options {
	o := NameOptions(found)
	all := option(ValueAll, "All applications", "")
	o.Options = append([]*slack.OptionBlockObject{all}, o.Options[:min(len(o.Options), MaxOptions-1)]...)
	return o
}

func options(found []schema.Found, draw func(schema.Found) *slack.OptionBlockObject) Options {
	o := Options{Options: []*slack.OptionBlockObject{}}
	size := 0
	for _, f := range found[:min(len(found), MaxOptions)] {
		next := draw(f)
		j, err := json.Marshal(next)
		if err != nil {
			panic("views: " + err.Error()) // it holds only text
		}
		if size += len(j) + 1; size > maxOptionsBytes-200 {
			break
		}
		o.Options = append(o.Options, next)
	}
	return o
}
