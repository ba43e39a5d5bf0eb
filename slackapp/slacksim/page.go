package slacksim

import (
	"embed"
	"net/http"
	"net/url"
	"path"
	"strings"
)

// The page in the browser: plain files that only use the client API.
//
//go:embed page
var pageFiles embed.FS

var pageTypes = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
}

// pagePolicy limits the page to its own files: what an app sends can't load or run anything.
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Link is a link in the page's sidebar, to something else that runs on this machine.
type Link struct {
	Text string `json:"text"`
	URL  string `json:"url"` // http or https
}

func (s *Server) serveRoot(w http.ResponseWriter, _ *http.Request) { servePageFile(w, "index.html") }

func (s *Server) servePage(w http.ResponseWriter, r *http.Request) {
	servePageFile(w, r.PathValue("file"))
}

func servePageFile(w http.ResponseWriter, name string) {
	content, err := pageFiles.ReadFile("page/" + name)
	kind := pageTypes[path.Ext(name)]
	if err != nil || kind == "" {
		http.Error(w, "the page has no such file", http.StatusNotFound)
		return
	}
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("Content-Security-Policy", pagePolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-cache")
	_, _ = w.Write(content) // the browser may have gone
}

// servePermalink redirects from the address of a message, as the app builds it from auth.test's url, to the page of a user who
// sees it.
func (s *Server) servePermalink(w http.ResponseWriter, r *http.Request) {
	digits, ok := strings.CutPrefix(r.PathValue("message"), "p")
	s.mu.Lock()
	reader := ""
	if c := s.channels[r.PathValue("channel")]; c != nil {
		reader = c.members[0]
	}
	s.mu.Unlock()
	if !ok || len(digits) <= 6 || reader == "" {
		http.Error(w, "there is no such message; the local Slack loses all messages when it restarts", http.StatusNotFound)
		return
	}
	to := url.Values{"as": {reader}, "tab": {"messages"}, "message": {digits[:len(digits)-6] + "." + digits[len(digits)-6:]}}
	http.Redirect(w, r, "/?"+to.Encode(), http.StatusFound)
}
