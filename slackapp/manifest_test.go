package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// manifest is the part of a manifest that this app uses. Decoding it refuses unknown keys and wrong types, as Slack does.
// Source: slackapi/manifest-schema, schemas/manifest.schema.1.0.0.json.
type manifest struct {
	Display struct {
		Name        string `yaml:"name"`
		Description string `yaml:"description"`
		Background  string `yaml:"background_color"`
	} `yaml:"display_information"`
	Features struct {
		Home struct {
			Home         bool `yaml:"home_tab_enabled"`
			Messages     bool `yaml:"messages_tab_enabled"`
			MessagesRead bool `yaml:"messages_tab_read_only_enabled"`
		} `yaml:"app_home"`
		Bot struct {
			Name   string `yaml:"display_name"`
			Online bool   `yaml:"always_online"`
		} `yaml:"bot_user"`
	} `yaml:"features"`
	OAuth struct {
		Scopes struct {
			Bot []string `yaml:"bot"`
		} `yaml:"scopes"`
	} `yaml:"oauth_config"`
	Settings struct {
		Events struct {
			URL string   `yaml:"request_url"`
			Bot []string `yaml:"bot_events"`
		} `yaml:"event_subscriptions"`
		Interactivity struct {
			Enabled bool   `yaml:"is_enabled"`
			URL     string `yaml:"request_url"`
			Options string `yaml:"message_menu_options_url"`
		} `yaml:"interactivity"`
		Org      bool `yaml:"org_deploy_enabled"`
		Socket   bool `yaml:"socket_mode_enabled"`
		Rotation bool `yaml:"token_rotation_enabled"`
	} `yaml:"settings"`
}

var (
	aColour = regexp.MustCompile(`^#[0-9a-fA-F]{3}([0-9a-fA-F]{3})?$`)
	aURL    = regexp.MustCompile(`^https?://`)
)

// readManifest reads a manifest and refuses what the published schema refuses.
func readManifest(text []byte) (m manifest, err error) {
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(&m); err != nil {
		return m, err
	}
	sized := func(what, s string, least, most int) {
		if n := len([]rune(s)); err == nil && (n < least || n > most) {
			err = fmt.Errorf("%s has %d characters, not %d to %d", what, n, least, most)
		}
	}
	sized("display_information.name", m.Display.Name, 1, 35)
	sized("display_information.description", m.Display.Description, 1, 140)
	sized("features.bot_user.display_name", m.Features.Bot.Name, 1, 80)
	if err == nil && !aColour.MatchString(m.Display.Background) {
		err = fmt.Errorf("background_color %q is not a colour", m.Display.Background)
	}
	for _, s := range slices.Concat(m.OAuth.Scopes.Bot, m.Settings.Events.Bot) {
		sized("a scope or event", s, 1, 50)
	}
	for _, u := range []string{m.Settings.Events.URL, m.Settings.Interactivity.URL, m.Settings.Interactivity.Options} {
		sized("a URL", u, 0, 3500)
		if err == nil && u != "" && !aURL.MatchString(u) {
			err = fmt.Errorf("%q is not a web address", u)
		}
	}
	events := slices.Clone(m.Settings.Events.Bot)
	slices.Sort(events)
	if err == nil && len(slices.Compact(events)) != len(m.Settings.Events.Bot) {
		err = fmt.Errorf("duplicate event")
	}
	return m, err
}

func ourManifest(t *testing.T, file string) manifest {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	m, err := readManifest(text)
	require.NoError(t, err, file)
	return m
}

func TestManifest(t *testing.T) {
	t.Run("manifests fit the schema and each other", func(t *testing.T) {
		overHTTP, bySocket := ourManifest(t, "manifest.yaml"), ourManifest(t, "manifest.socket.yaml")
		require.True(t, bySocket.Settings.Socket)
		require.False(t, overHTTP.Settings.Socket)
		for _, m := range []manifest{overHTTP, bySocket} {
			require.True(t, m.Features.Home.Home && m.Features.Home.Messages && m.Features.Home.MessagesRead)
			require.True(t, m.Settings.Interactivity.Enabled)
		}
		bySocket.Settings.Socket = false
		bySocket.Settings.Events.URL = overHTTP.Settings.Events.URL
		bySocket.Settings.Interactivity.URL, bySocket.Settings.Interactivity.Options = overHTTP.Settings.Interactivity.URL, overHTTP.Settings.Interactivity.Options
		require.Equal(t, overHTTP, bySocket, "but for the addresses they say the same")
	})

	t.Run("manifest that Slack would refuse is refused", func(t *testing.T) {
		ours, err := os.ReadFile("manifest.yaml")
		require.NoError(t, err)
		for old, changed := range map[string]string{
			"  name: accessbot":              "  name: " + strings.Repeat("a", 36),
			"  description: Ask":             "  description: Ask" + strings.Repeat("k", 140),
			"  home_tab_enabled: true":       "  home_tab: true",
			"is_enabled: true":               "is_enabled: perhaps",
			`background_color: "#1f4e79"`:    "background_color: blue",
			"      - app_home_opened":        "      - app_home_opened\n      - app_home_opened",
			"https://accessbot.example.com/": "accessbot.example.com/",
		} {
			require.Contains(t, string(ours), old)
			_, err := readManifest([]byte(strings.Replace(string(ours), old, changed, 1)))
			require.Error(t, err, changed)
		}
	})

	t.Run("routes and events are those of the app", func(t *testing.T) {
		m := ourManifest(t, "manifest.yaml")
		source, err := os.ReadFile("http.go")
		require.NoError(t, err)
		for _, address := range []string{m.Settings.Events.URL, m.Settings.Interactivity.URL, m.Settings.Interactivity.Options} {
			u, err := url.Parse(address)
			require.NoError(t, err)
			require.Contains(t, string(source), u.Path+`"`, "the app serves it")
		}
		dispatch, err := os.ReadFile("dispatch.go")
		require.NoError(t, err)
		handled := regexp.MustCompile(`e\.Event\.Type != "([a-z_]+)"`).FindAllStringSubmatch(string(dispatch), -1)
		require.Len(t, handled, 1)
		require.Equal(t, []string{handled[0][1]}, m.Settings.Events.Bot)
	})

	// The scopes are exactly those that the Slack app and the worker need.
	t.Run("scopes are those that the code needs", func(t *testing.T) {
		need := map[string]bool{}
		for _, folder := range []string{".", "outbox", "../worker"} {
			files, err := filepath.Glob(filepath.Join(folder, "*.go"))
			require.NoError(t, err)
			for _, file := range files {
				if strings.HasSuffix(file, "_test.go") {
					continue
				}
				parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
				require.NoError(t, err)
				ast.Inspect(parsed, func(n ast.Node) bool {
					call, ok := n.(*ast.CallExpr)
					if !ok {
						return true
					}
					method, ok := call.Fun.(*ast.SelectorExpr)
					if !ok {
						return true
					}
					on, ok := method.X.(*ast.SelectorExpr)
					if !ok || on.Sel.Name != "slack" && on.Sel.Name != "Slack" {
						return true
					}
					scope, known := scopeOf[method.Sel.Name]
					require.True(t, known, "%s calls %s: say in scopeOf which scope it needs", file, method.Sel.Name)
					if scope != "" {
						need[scope] = true
					}
					return true
				})
			}
		}
		var scopes []string
		for scope := range need {
			scopes = append(scopes, scope)
		}
		require.NotEmpty(t, scopes)
		if slices.Contains(scopes, "users:read.email") && !slices.Contains(scopes, "users:read") {
			scopes = append(scopes, "users:read") // one requests for the other
		}
		require.ElementsMatch(t, scopes, ourManifest(t, "manifest.yaml").OAuth.Scopes.Bot)
	})
}

// scopeOf are the scopes that Slack's documentation of each method asks for; empty: none. A user's ID is enough for
// chat.postMessage and chat.postEphemeral, so no conversation has to be opened.
var scopeOf = map[string]string{
	"AuthTestContext":           "",
	"GetBotInfoContext":         "users:read",
	"GetUserByEmailContext":     "users:read.email",
	"GetUserInfoContext":        "users:read",
	"OpenViewContext":           "",
	"PushViewContext":           "",
	"UpdateViewContext":         "",
	"PublishViewContextRequest": "",
	"PublishViewContext":        "",
	"PostMessageContext":        "chat:write",
	"PostEphemeralContext":      "chat:write",
	"UpdateMessageContext":      "chat:write",
}
