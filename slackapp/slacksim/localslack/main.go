// Command localslack serves a local Slack on loopback, for development. Start an app with
// SLACK_API_URL=http://127.0.0.1:3002/api/ and the same tokens, open http://127.0.0.1:3002 in a browser, and act as any user.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"accessbot/slackapp/slacksim"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Getenv, os.Stderr); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return
		}
		fmt.Fprintln(os.Stderr, "localslack:", err)
		os.Exit(1)
	}
}

// links are the values of -link.
type links []slacksim.Link

func (l *links) String() string { return fmt.Sprint(*l) }

func (l *links) Set(value string) error {
	text, url, ok := strings.Cut(value, "=")
	if !ok || text == "" || !strings.HasPrefix(url, "http://") && !strings.HasPrefix(url, "https://") {
		return errors.New("a link is Text=URL, with a URL that begins with http:// or https://")
	}
	*l = append(*l, slacksim.Link{Text: text, URL: url})
	return nil
}

// run serves until ctx ends.
func run(ctx context.Context, args []string, env func(string) string, out io.Writer) error {
	flags := flag.NewFlagSet("localslack", flag.ContinueOnError)
	flags.SetOutput(out)
	listen := flags.String("listen", "127.0.0.1:3002", "address to serve on, loopback only")
	people := flags.String("people", "", "the directory's people.csv, whose people become the workspace's users")
	app := flags.String("app", "http://127.0.0.1:3000",
		"the app's address; /slack/events, /slack/interactivity and /slack/options are appended")
	socket := flags.Bool("socket", false, "use Socket Mode instead of -app")
	as := flags.String("as", "", "email address of the user that the page shows first (default: the first user)")
	var links links
	flags.Var(&links, "link", "a link in the page's sidebar, as 'Text=URL'; can be repeated")
	verbose := flags.Bool("v", false, "log each call and delivery")
	flags.Usage = func() {
		fmt.Fprintln(out, "localslack serves a local Slack for development and tests.\n\n"+
			"Environment: SLACK_BOT_TOKEN, and SLACK_SIGNING_SECRET or (with -socket) SLACK_APP_TOKEN.\n\nFlags:")
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q (see -help)", flags.Arg(0))
	}
	host, _, err := net.SplitHostPort(*listen)
	if err != nil {
		return fmt.Errorf("-listen %q: %w", *listen, err)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("-listen %q is not on loopback: the local Slack lets anyone act as any user, so it only serves this machine",
			*listen)
	}
	level := slog.LevelInfo
	if *verbose {
		level = slog.LevelDebug
	}
	cfg := slacksim.Config{
		BotToken: env("SLACK_BOT_TOKEN"), AppToken: env("SLACK_APP_TOKEN"), SigningSecret: env("SLACK_SIGNING_SECRET"),
		As: *as, Links: links,
		Log: slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: level})),
	}
	need := "SLACK_SIGNING_SECRET"
	if *socket {
		need = "SLACK_APP_TOKEN"
	} else {
		root := strings.TrimSuffix(*app, "/") + "/slack/"
		cfg.EventsURL, cfg.InteractivityURL, cfg.OptionsURL = root+"events", root+"interactivity", root+"options"
	}
	for _, name := range []string{"SLACK_BOT_TOKEN", need} {
		if env(name) == "" {
			return fmt.Errorf("set %s to any value, the same as the app's", name)
		}
	}
	if *people != "" {
		if cfg.Users, err = slacksim.UsersFromDirectory(*people); err != nil {
			return fmt.Errorf("-people: %w", err)
		}
	}
	slackServer, err := slacksim.New(cfg)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", *listen)
	if err != nil {
		slackServer.Close()
		if errors.Is(err, syscall.EADDRINUSE) {
			return fmt.Errorf("%s is in use; choose another address with -listen", *listen)
		}
		return fmt.Errorf("-listen: %w", err)
	}
	srv := &http.Server{Handler: slackServer.Handler(), ReadHeaderTimeout: 10 * time.Second}
	fmt.Fprintf(out, "local Slack on http://%s with %d users; app: %s; SLACK_API_URL=http://%s/api/\n",
		l.Addr(), len(cfg.Users), map[bool]string{true: "Socket Mode", false: *app}[*socket], l.Addr())
	fmt.Fprintf(out, "open http://%s in a browser to act as any user\n", l.Addr())
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	select {
	case err = <-served:
	case <-ctx.Done():
	}
	slackServer.Close()
	closing, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return errors.Join(err, srv.Shutdown(closing))
}
