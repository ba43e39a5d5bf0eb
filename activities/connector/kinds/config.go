package kinds

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"accessbot/activities/connector"
	"accessbot/activities/connector/manual"
)

// Config is the configuration of all connector instances: one file, and TARGET_<INSTANCE>_URL for kinds that need only a URL.
type Config struct {
	// Tasks returns the manual tasks of an instance.
	Tasks func(instance string) manual.Tasks

	file      string
	instances map[string]instance
	getenv    func(string) string
}

// instance is one target system, a mapping in the file.
type instance struct {
	kind     string
	limits   connector.Limits
	settings Settings
}

// common are the settings of every kind.
type common struct {
	Connector   string  `yaml:"connector"`
	Concurrency int     `yaml:"concurrency"`
	PerSecond   float64 `yaml:"per_second"`
}

var instanceName = regexp.MustCompile(`^[A-Z0-9][A-Z0-9_]*$`)

// maxConcurrency keeps one target from using all database connections.
const maxConcurrency = 16

// Read reads the configuration file at path, including the secrets that it names. Without a path there is no file. The error
// names every mistake, with file and line.
func Read(path string, getenv func(string) string) (*Config, error) {
	c := &Config{file: path, instances: map[string]instance{}, getenv: getenv}
	if path == "" {
		return c, nil
	}
	text, err := os.ReadFile(path) //nolint:gosec // the operator chooses the file
	if err != nil {
		return nil, fmt.Errorf("CONNECTORS_FILE: %w", err)
	}
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return nil, fmt.Errorf("CONNECTORS_FILE %s: %w", path, err)
	}
	if len(document.Content) == 0 {
		return c, nil
	}
	root := document.Content[0]
	if root.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("%s:%d: expected a mapping of instances, such as\n%s", path, root.Line, example)
	}
	var problems []error
	for n := 0; n+1 < len(root.Content); n += 2 {
		name, node := root.Content[n], root.Content[n+1]
		i, err := c.instance(name, node)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		c.instances[name.Value] = i
	}
	return c, errors.Join(problems...)
}

const example = `  POSTGRESQL:
    connector: postgresql
    url: env:TARGET_POSTGRESQL_URL`

func (c *Config) instance(name, node *yaml.Node) (i instance, err error) {
	at := func(line int, problem string) error {
		return fmt.Errorf("%s:%d: %s: %s", c.file, line, name.Value, problem)
	}
	_, twice := c.instances[name.Value]
	switch {
	case !instanceName.MatchString(name.Value):
		return i, at(name.Line, "an instance's name is upper-case letters, digits and underscores")
	case twice:
		return i, at(name.Line, "duplicate instance")
	case node.Kind != yaml.MappingNode:
		return i, at(node.Line, "expected settings, such as\n"+example)
	}
	var all common
	if err := node.Decode(&all); err != nil {
		return i, at(node.Line, yamlProblem(err))
	}
	kind, err := lookup(all.Connector)
	if err != nil {
		return i, at(node.Line, "connector: "+fixFor(err))
	}
	i = instance{kind: all.Connector, limits: kind.Limits, settings: kind.settings()}
	if all.Concurrency != 0 {
		i.limits.Concurrency = all.Concurrency
	}
	if all.PerSecond != 0 {
		i.limits.PerSecond = all.PerSecond
	}
	if i.limits.Concurrency < 1 || i.limits.Concurrency > maxConcurrency {
		return i, at(node.Line, fmt.Sprintf("concurrency: %d is not 1 to %d", i.limits.Concurrency, maxConcurrency))
	}
	if i.limits.PerSecond < 0 {
		return i, at(node.Line, "per_second: must not be negative; leave it out for no limit")
	}
	known := append(fields(all), fields(i.settings)...)
	for n := 0; n < len(node.Content); n += 2 {
		if key := node.Content[n]; !slices.Contains(known, key.Value) {
			return i, at(
				key.Line,
				fmt.Sprintf("unknown setting %q; the settings of %s are %s", key.Value, all.Connector, strings.Join(known, ", ")),
			)
		}
	}
	for n := 0; n+1 < len(node.Content); n += 2 { // one at a time, so that an error has its line
		one := &yaml.Node{Kind: yaml.MappingNode, Tag: node.Tag, Content: node.Content[n : n+2]}
		if err := one.Decode(i.settings); err != nil {
			return i, at(node.Content[n].Line, node.Content[n].Value+": "+yamlProblem(err))
		}
	}
	opened, err := i.settings.Open()
	if err != nil {
		return i, at(node.Line, fixFor(err))
	}
	return i, opened.Close()
}

// fixFor returns what to change. It leaves out that the target denied access: it was not called yet.
func fixFor(err error) string {
	var denied *connector.Denied
	if errors.As(err, &denied) && denied.Err == nil {
		return denied.Fix
	}
	return err.Error()
}

// yamlProblem returns the decoder's error without its heading.
func yamlProblem(err error) string {
	var wrong *yaml.TypeError
	if errors.As(err, &wrong) {
		return strings.Join(wrong.Errors, "; ")
	}
	return err.Error()
}

// fields returns the names of a struct's settings in the file.
func fields(settings any) []string {
	t := reflect.TypeOf(settings)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	var names []string
	for n := range t.NumField() {
		if name, _, _ := strings.Cut(t.Field(n).Tag.Get("yaml"), ","); name != "-" {
			names = append(names, name)
		}
	}
	return names
}

// URLSetter is implemented by settings that need only a URL.
type URLSetter interface{ SetURL(url string) }

// Open returns the connector of an instance and its limits. An instance that is not configured is *connector.Denied.
func (c *Config) Open(kind, name string) (connector.Connector, connector.Limits, error) {
	i, ok := c.instances[name]
	if !ok {
		var err error
		if i, err = c.byURL(kind, name); err != nil {
			return nil, i.limits, err
		}
	}
	if i.kind != kind {
		return nil, i.limits, &connector.Denied{
			Fix: fmt.Sprintf("%s is a %s in %s and a %s in the directory: correct one of them", name, i.kind, c.file, kind),
		}
	}
	if manualSettings, ok := i.settings.(*manual.Settings); ok && c.Tasks != nil {
		manualSettings.Tasks = c.Tasks(name)
	}
	opened, err := i.settings.Open()
	if err != nil {
		return nil, i.limits, err // not a nil of the connector's own type
	}
	return opened, i.limits, nil
}

func (c *Config) byURL(kind, name string) (instance, error) {
	k, err := lookup(kind)
	if err != nil {
		return instance{}, err
	}
	i := instance{kind: kind, limits: k.Limits, settings: k.settings()}
	variable := "TARGET_" + name + "_URL"
	url := c.getenv(variable)
	withURL, ok := i.settings.(URLSetter)
	_, isManual := i.settings.(*manual.Settings)
	switch {
	case isManual:
		return i, nil
	case ok && url != "":
		withURL.SetURL(url)
		return i, nil
	case ok:
		return i, &connector.Denied{Fix: fmt.Sprintf("set %s for the worker, or configure %s in CONNECTORS_FILE", variable, name)}
	default:
		return i, &connector.Denied{Fix: fmt.Sprintf("configure %s, a %s, in CONNECTORS_FILE", name, kind)}
	}
}

// Instances returns the kind of each instance in the file, by name.
func (c *Config) Instances() map[string]string {
	all := map[string]string{}
	for name, i := range c.instances {
		all[name] = i.kind
	}
	return all
}
