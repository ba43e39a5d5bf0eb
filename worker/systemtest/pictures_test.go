package systemtest

import (
	"bytes"
	"cmp"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"accessbot/slackapp/slacksim/slackpage"
	"accessbot/workflows"
)

// TestPictures takes the pictures in the README and docs, and writes them to the folder TEST_PICTURES, as ./temporal-dev.sh
// pictures does. Without that setting, the pictures are taken and dropped.
func TestPictures(t *testing.T) {
	t.Parallel()
	s := startNamed(t, "acme", setting(t, "TEST_TEMPORAL_ADDRESS"), sample)
	s.startWorker()
	s.startSlackApp()
	folder := os.Getenv("TEST_PICTURES")
	if folder == "" {
		folder = t.TempDir()
	}
	take := func(p *slackpage.Tab, name string) {
		t.Helper()
		small := fewColours(t, p.Picture())
		require.Less(t, len(small), 150_000, "%s is a large picture", name)
		require.NoError(t, os.WriteFile(filepath.Join(folder, name+".png"), small, 0o644))
	}

	// Something for each section of the Home tab.
	bobs := s.ask("bob", "crm", "reader", 0)
	s.approve("tom", bobs)
	s.eventually("the item is active", func() bool { return s.itemState(bobs) == "active" })

	page := s.browse("bob", "home")
	page.Press("Hide hints")
	waiting := s.ask("zoe", "dashboards", "publisher", 0)
	page.See(fmt.Sprintf("#%d", bobs))
	page.Visit(s.email("bob"), "messages")
	page.Message(fmt.Sprintf("request #%d", waiting))
	page.Press("Home")
	page.SeeIn("#panel-home", "Zoë Laurent")
	take(page, "home")

	page.Visit(s.email("alice"), "home")
	page.Press("Request Access")
	page.See("Access Like")
	page.Pick("Person", "priya", "Priya Nair")
	page.Tick("Analyst sandbox")
	page.Tick("Marketing marts")
	page.Choose("Temporary")
	page.See("End date")
	page.Set("End date", inDays(30))
	page.Pick("Reason", "", "Project work")
	page.Fill("Note", "For the spring campaign")
	page.Wait(
		`(() => { const d = document.querySelector('[role=dialog] .body, [role=dialog] [data-block]')?.closest('[role=dialog]'); for (const e of d.querySelectorAll('*')) e.scrollTop = 0; return true })()`,
	)
	take(page, "form-person")
	page.Press("Submit")
	page.NoDialog()
	request := s.newest()

	page.Visit(s.email("zoe"), "home")
	page.Press("Request Access")
	page.See("Access Like")
	page.Pick("Person", "sam", "Sam Okafor")
	page.See("Select all access grants")
	take(page, "form-many-grants")
	page.Press("Cancel")
	page.NoDialog()

	page.Visit(s.email("bob"), "messages")
	approvalMessage := fmt.Sprintf("request #%d", request)
	page.Message(approvalMessage)
	page.See("Marketing marts")
	take(page, "approver")
	s.findInTheWebUI(page.Another(), setting(t, "TEST_TEMPORAL_UI"), "awaiting_approval", request)
	page.PressIn(approvalMessage, "Approve")
	page.Message("Approved by you")
	page.Visit(s.email("alice"), "messages")
	page.Message(fmt.Sprintf("#%d is active", request))
	page.Wait(`document.querySelectorAll('article').length >= 2`)
	take(page, "approved")
	page.Press("Traffic")
	page.Wait(`document.querySelectorAll('#traffic li').length > 10`)
	take(page, "traffic")
	page.Press("Traffic")
	page.Press("Dark mode")
	take(page, "dark")
	page.Press("Light mode")
	page.Size(390, 844)
	page.Press("Home")
	page.SeeIn("#panel-home", "Active · until the end of") // wait until Home is up to date
	take(page, "narrow")

	ui := page.Another()
	ui.Go(fmt.Sprintf("%s/namespaces/%s/workflows", setting(t, "TEST_TEMPORAL_UI"), s.id))
	ui.See(workflows.RequestWorkflowID(request))
	ui.See(workflows.RequestWorkflowID(bobs))
	take(ui, "temporal-list")
	ui.Go(fmt.Sprintf("%s/namespaces/%s/workflows/%s", setting(t, "TEST_TEMPORAL_UI"), s.id, workflows.RequestWorkflowID(request)))
	ui.See("Notify before access ends at")
	take(ui, "temporal-run")
}

func distance(a, b color.RGBA) float64 {
	square := func(x, y uint8) float64 { return (float64(x) - float64(y)) * (float64(x) - float64(y)) }
	return square(a.R, b.R) + square(a.G, b.G) + square(a.B, b.B)
}

// fewColours returns a PNG with at most 256 colours: the most frequent ones, and those that would be missed most. It has a fifth
// of the bytes, and text looks the same.
func fewColours(t *testing.T, picture []byte) []byte {
	t.Helper()
	full, err := png.Decode(bytes.NewReader(picture))
	require.NoError(t, err)
	bounds := full.Bounds()
	count := map[color.RGBA]int{}
	at := func(x, y int) color.RGBA { return color.RGBAModel.Convert(full.At(x, y)).(color.RGBA) }
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			count[at(x, y)]++
		}
	}
	colours := make([]color.RGBA, 0, len(count))
	for c := range count {
		colours = append(colours, c)
	}
	slices.SortFunc(colours, func(a, b color.RGBA) int {
		return cmp.Or(cmp.Compare(count[b], count[a]), strings.Compare(fmt.Sprint(a), fmt.Sprint(b)))
	})
	var palette color.Palette
	for _, c := range colours[:min(len(colours), 192)] {
		palette = append(palette, c)
	}
	// A gradient has many colours and little of each, so the rest are the colours that would be missed most.
	missed := make([]float64, len(colours))
	for len(palette) < min(len(colours), 256) {
		worst := 0
		for n, c := range colours {
			missed[n] = float64(count[c]) * distance(c, palette[palette.Index(c)].(color.RGBA))
			if missed[n] > missed[worst] {
				worst = n
			}
		}
		palette = append(palette, colours[worst])
	}
	nearest := map[color.RGBA]uint8{}
	few := image.NewPaletted(bounds, palette)
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			c := at(x, y)
			index, ok := nearest[c]
			if !ok {
				index = uint8(palette.Index(c))
				nearest[c] = index
			}
			few.SetColorIndex(x, y, index)
		}
	}
	var out bytes.Buffer
	require.NoError(t, (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, few))
	return out.Bytes()
}
