// Package views draws what people see in Slack: pure functions from data to Block Kit. They read no clock, so the same
// data always draws the same view.
package views

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"

	"github.com/slack-go/slack"
)

// Message is what is posted, or replaces what was posted.
type Message struct {
	Text   string        `json:"text"`   // mrkdwn, escaped: the push preview, and the fallback for clients without blocks
	Blocks []slack.Block `json:"blocks"` // empty: the text alone
}

// Digest reports whether two messages are the same.
func Digest(m Message) string {
	j, err := json.Marshal(m)
	if err != nil {
		panic("views: " + err.Error()) // only blocks of this package are in there, and all of them marshal
	}
	sum := sha256.Sum256(j)
	return hex.EncodeToString(sum[:])
}

// Plain replaces a message whose blocks Slack refuses: its text, and where to see and do the rest.
func Plain(text string) Message {
	return Message{Text: Cut(text, 2500) + "\nWe couldn't show this message in full. See the app's Home tab."}
}

// WithoutLayout returns the message reduced to its text and buttons, so that what can be decided can still be decided.
func (m Message) WithoutLayout() Message {
	plain := Plain(m.Text)
	var buttons []slack.Block
	for _, b := range m.Blocks {
		if b.BlockType() == slack.MBTAction {
			buttons = append(buttons, b)
		}
	}
	if len(buttons) == 0 {
		return plain
	}
	plain.Blocks = append([]slack.Block{section(plain.Text)}, buttons...)
	return plain
}

// Slack's limit for a section is 3000 characters. For a whole message it names none, and yet refuses some 12,000 (bolt-js#2509),
// so everything in a message is bounded: listRoom for each list of items, shortRoom for smaller ones.
const (
	sectionRoom = 2900
	listRoom    = 3000
	shortRoom   = 1200
)

// body gathers the blocks of a message. Lines that follow each other share a section as far as they fit.
type body struct {
	blocks []slack.Block
	lines  []string
	used   int // of the section that the lines will be
}

// line adds lines of mrkdwn, each shorter than a section.
func (b *body) line(lines ...string) {
	for _, l := range lines {
		if b.used+length(l) > sectionRoom {
			b.gap()
		}
		b.lines = append(b.lines, l)
		b.used += length(l) + 1
	}
}

// gap ends the section.
func (b *body) gap() {
	if len(b.lines) > 0 {
		b.blocks = append(b.blocks, slack.NewSectionBlock(mrkdwn(strings.Join(b.lines, "\n")), nil, nil))
	}
	b.lines, b.used = nil, 0
}

// quote adds what a user wrote, every line of it: plain text, which formats nothing and pings no one, in quotation marks, so
// that it does not read like this program's words.
func (b *body) quote(text string) {
	b.gap()
	rest := CleanLines(text)
	if rest != "" {
		rest = "“" + rest + "”"
	}
	for rest != "" {
		part := begin(rest, sectionRoom)
		if end := strings.LastIndexByte(part, '\n'); end > 0 && len(part) < len(rest) {
			part = part[:end]
		}
		rest = strings.TrimLeft(rest[len(part):], "\n")
		b.blocks = append(b.blocks, slack.NewSectionBlock(plain(strings.TrimRight(part, "\n")), nil, nil))
	}
}

// small adds a line in small print.
func (b *body) small(text string) {
	b.gap()
	b.blocks = append(b.blocks, slack.NewContextBlock("", mrkdwn(text)))
}

func (b *body) buttons(blockID string, buttons ...slack.BlockElement) {
	b.gap()
	b.blocks = append(b.blocks, slack.NewActionBlock(blockID, buttons...))
}

func (b *body) message(text string) Message {
	b.gap()
	return Message{Text: text, Blocks: b.blocks}
}

// mrkdwn returns our text, in which user input is escaped. Verbatim: Slack adds no links and mentions of its own.
func mrkdwn(text string) *slack.TextBlockObject {
	return slack.NewTextBlockObject(slack.MarkdownType, text, false, true)
}

// plain is shown as it is.
func plain(text string) *slack.TextBlockObject {
	return slack.NewTextBlockObject(slack.PlainTextType, text, false, false)
}

// button returns a button with a style, or slack.StyleDefault.
func button(actionID, value, label string, style slack.Style) *slack.ButtonBlockElement {
	return slack.NewButtonBlockElement(actionID, value, plain(label)).WithStyle(style)
}

// name returns a name of a person, application or entitlement in mrkdwn.
func name(s string) string {
	if s = Escape(Cut(Clean(s), 80)); s == "" {
		return "(no name)"
	}
	return s
}

// remark returns what a user wrote, cut to one line of mrkdwn.
func remark(s string) string { return Escape(Cut(Clean(s), 250)) }

func bold(escaped string) string { return "*" + escaped + "*" }

// sentence begins with a capital letter.
func sentence(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// lower begins with a small letter.
func lower(s string) string {
	if s == "" {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}
