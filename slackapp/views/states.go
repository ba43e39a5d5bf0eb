package views

import (
	"fmt"
	"strings"

	"accessbot/schema"
	"accessbot/schema/words"
)

// phase is where an access grant of a request stands, as this package's readers know it.
type phase int

// In the order in which a summary counts them: what is held, what is to come, how the rest ended.
const (
	active phase = iota
	provisioning
	approved
	waiting
	unsent     // waits, and no approver has been sent it yet
	noApprover // waits, and has no approver
	submitted
	removing
	unconfirmed
	denied
	failed
	expired
	endPassed
	withdrawn
	ended
	removedByHolder
	revoked
	kept   // over, but the access is kept for another reason
	phases // how many there are
)

// states are the emoji and words of each phase.
var states = [phases]struct{ emoji, label string }{
	active:          {"✅", words.State(schema.Active)},
	provisioning:    {"⚙️", words.State(schema.Provisioning)},
	approved:        {"👍", words.State(schema.Approved)},
	waiting:         {"⏳", words.State(schema.AwaitingApproval)},
	unsent:          {"⏳", words.State(schema.AwaitingApproval)},
	noApprover:      {"⚠️", words.State(schema.AwaitingApproval)},
	submitted:       {"⏳", words.State(schema.Submitted)},
	removing:        {"⚙️", words.BeingRemoved},
	unconfirmed:     {"⚠️", words.RemovalNotConfirmed},
	denied:          {"⛔", words.State(schema.Denied)},
	failed:          {"⚠️", words.State(schema.Failed)},
	expired:         {"⌛", words.State(schema.Expired)},
	endPassed:       {"⌛", words.EndDatePassed},
	withdrawn:       {"↩️", words.State(schema.Withdrawn)},
	ended:           {"🏁", words.State(schema.Ended)},
	removedByHolder: {"🏁", words.State(schema.KindRemovedByHolder)}, // for other readers: see removedBy
	revoked:         {"🏁", words.State(schema.Revoked)},
	kept:            {"🔁", words.State(schema.Ended)},
}

func (p phase) emoji() string { return states[p].emoji }
func (p phase) label() string { return states[p].label }

// words is the label within a sentence.
func (p phase) words() string { return lower(p.label()) }

// removedBy is the label of access that its holder removed; you: the holder is the reader.
func removedBy(holder string, you bool) string {
	if you {
		return removedByHolder.label()
	}
	return "Removed by " + name(holder)
}

// byState is the phase of an item of which only its state is known: what schema.RequestLine counts.
var byState = map[string]phase{
	schema.Active:              active,
	schema.Provisioning:        provisioning,
	schema.WaitingToBeSetUp:    provisioning,
	schema.Approved:            approved,
	schema.AwaitingApproval:    waiting,
	schema.Submitted:           submitted,
	schema.Denied:              denied,
	schema.Failed:              failed,
	schema.Expired:             expired,
	schema.Withdrawn:           withdrawn,
	schema.Ended:               ended,
	schema.KindRemovedByHolder: removedByHolder,
	schema.Revoked:             revoked,
}

// stateCounts says how many items are in each state: "Active", or "1 active, 2 denied".
func stateCounts(n map[string]int, holder string, you bool) string {
	var counts [phases]int
	for state, count := range n {
		counts[byState[state]] += count
	}
	var c counter
	for p := range phases {
		label := p.label()
		if p == removedByHolder {
			label = removedBy(holder, you)
		}
		c.add(label, counts[p])
	}
	if len(c.labels) == 1 {
		return c.labels[0]
	}
	return c.String()
}

// summary counts items by their label: "2 active, 1 denied".
func summary(items []told) string {
	var c counter
	for p := range phases {
		for _, i := range items {
			if i.phase == p {
				c.add(i.label, 1)
			}
		}
	}
	return c.String()
}

// counter counts labels, in the order in which they come.
type counter struct {
	labels []string
	counts map[string]int
}

func (c *counter) add(label string, n int) {
	if n == 0 {
		return
	}
	if c.counts == nil {
		c.counts = map[string]int{}
	}
	if c.counts[label] == 0 {
		c.labels = append(c.labels, label)
	}
	c.counts[label] += n
}

func (c *counter) String() string {
	parts := make([]string, len(c.labels))
	for n, label := range c.labels {
		parts[n] = fmt.Sprintf("%d %s", c.counts[label], lower(label))
	}
	return strings.Join(parts, ", ")
}

// count is how many items there are of each phase.
func count(items []told) (n [phases]int) {
	for _, i := range items {
		n[i.phase]++
	}
	return n
}
