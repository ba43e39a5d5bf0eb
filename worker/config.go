package main

import (
	"errors"
	"maps"
	"regexp"
	"slices"
	"time"

	"accessbot/activities/connector/kinds"
	"accessbot/worker/program"
)

// config holds the worker's settings. program.Load explains the tags; docs/settings.md has the same comments, defaults and
// ranges.
type config struct {
	program.Common

	// connections to the database
	Connections int `env:"DATABASE_CONNECTIONS" envDefault:"40" min:"20"`
	// the pause between two rounds of the sweep
	SweepEvery time.Duration `env:"SWEEP_EVERY" envDefault:"1m" atMost:"COMPARE_EVERY"`
	// how often each target is compared with the claims
	CompareEvery time.Duration `env:"COMPARE_EVERY" envDefault:"1h"`
	// targets that need more than a URL, and their limits: [connectors.md](connectors.md)
	ConnectorsFile string `env:"CONNECTORS_FILE"`
	// `/healthz` and `/readyz`
	ListenAddr program.Address `env:"LISTEN_ADDR" envDefault:"127.0.0.1:3001"`

	connectors *kinds.Config
}

// configure reads the settings from the environment. Its error lists all problems at once.
func configure(environ program.Environment) (c config, err error) {
	err = program.Load(environ, &c)
	var problem error
	c.connectors, problem = readConnectors(environ)
	return c, errors.Join(err, problem)
}

var targetURL = regexp.MustCompile(`^(TARGET_[A-Z0-9][A-Z0-9_]*_URL)(_FILE)?$`)

// readConnectors reads how targets are reached: CONNECTORS_FILE, and TARGET_<INSTANCE>_URL or the file that
// TARGET_<INSTANCE>_URL_FILE names.
func readConnectors(environ program.Environment) (*kinds.Config, error) {
	urls, problems := map[string]string{}, []error{}
	for _, variable := range slices.Sorted(maps.Keys(environ)) {
		name := targetURL.FindStringSubmatch(variable)
		if name == nil {
			continue
		}
		if _, done := urls[name[1]]; done {
			continue
		}
		url, err := environ.Secret(name[1])
		urls[name[1]] = url
		problems = append(problems, err)
	}
	config, err := kinds.Read(environ["CONNECTORS_FILE"], func(name string) string { return urls[name] })
	return config, errors.Join(append(problems, err)...)
}
