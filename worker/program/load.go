package program

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"
)

// Load fills a struct of settings from the environment. An empty variable counts as not set. The error lists all problems at
// once, each as NAME: what is wrong: what to set. Values of secrets are not in it. Tags of a field, besides those of package env:
//
//	want:"the app's bot token"  what to set, unless its type says that already
//	prefix:"xoxb-"              what the value starts with: one of several, separated by commas
//	min:"1" max:"100"           the range
//	atMost:"OTHER"              the value is at most that of the setting OTHER
//
// After that, a method Check() error of the struct can check more.
func Load(environ Environment, settings any) error {
	l := loader{environ: Environment{}, fields: fieldsOf(settings), failed: map[string]bool{}}
	for name, value := range environ {
		if value != "" {
			l.environ[name] = value
		}
	}
	l.readSecrets()
	if err := l.parse(settings); err != nil {
		return err
	}
	l.checkRanges()
	l.checkOrder()
	if common, ok := settings.(interface{ load(Environment) error }); ok {
		l.problems = append(l.problems, common.load(l.environ))
	}
	if more, ok := settings.(interface{ Check() error }); ok {
		l.problems = append(l.problems, more.Check())
	}
	return errors.Join(l.problems...)
}

// loader is one Load.
type loader struct {
	environ  Environment // a copy, with secrets from files
	fields   []field
	failed   map[string]bool // by name: reported, so not checked further
	problems []error
}

func (l *loader) fail(f field, wrong string) {
	l.failed[f.name] = true
	l.problems = append(l.problems, f.problem(wrong, l.environ))
}

func (l *loader) readSecrets() {
	for _, f := range l.fields {
		if f.Type != reflect.TypeFor[Secret]() {
			continue
		}
		secret, err := l.environ.Secret(f.name)
		if secret != "" || err != nil {
			l.environ[f.name] = secret // after an error: set, and empty
		}
		l.problems = append(l.problems, err)
	}
}

// parse fills the struct. Its error is a mistake in the struct itself.
func (l *loader) parse(settings any) error {
	parsers := map[reflect.Type]env.ParserFunc{}
	for t, kind := range kinds {
		parsers[t] = kind.parse
	}
	err := env.ParseWithOptions(settings, env.Options{Environment: l.environ, FuncMap: parsers})
	var all env.AggregateError
	if err != nil && !errors.As(err, &all) {
		return err
	}
	for _, err := range all.Errors {
		var unset env.VarIsNotSetError
		var malformed env.ParseError
		if !errors.As(err, &unset) && !errors.As(err, &malformed) {
			return err
		}
		for _, f := range l.fields {
			if f.name == unset.Key || f.Name == malformed.Name {
				l.fail(f, "not valid")
			}
		}
	}
	return nil
}

func (l *loader) checkRanges() {
	for _, f := range l.fields {
		if wrong := f.outOfRange(l.environ[f.name]); wrong != "" && !l.failed[f.name] {
			l.fail(f, wrong)
		}
	}
}

func (l *loader) checkOrder() {
	for _, f := range l.fields {
		for _, other := range l.fields {
			if other.name == f.Tag.Get("atMost") && !l.failed[f.name] && !l.failed[other.name] && f.value.Int() > other.value.Int() {
				l.problems = append(l.problems,
					fmt.Errorf("%s: %v is more than %s (%v): set it to at most %[3]s", f.name, f.value, other.name, other.value))
			}
		}
	}
}

// kinds are the types of settings besides text: how they are read, and what can be set.
var kinds = map[reflect.Type]struct {
	parse env.ParserFunc
	want  string
}{
	reflect.TypeFor[bool]():          {func(text string) (any, error) { return strconv.ParseBool(text) }, "true or false"},
	reflect.TypeFor[int]():           {func(text string) (any, error) { return strconv.Atoi(text) }, "a number"},
	reflect.TypeFor[time.Duration](): {parseDuration, "a duration such as 90m, 24h or 14d"},
	reflect.TypeFor[RootURL]():       {parseRootURL, "a URL that ends with a slash, such as http://127.0.0.1:3002/api/"},
	reflect.TypeFor[Address]():       {parseAddress, "a host and port such as 127.0.0.1:3000"},
	reflect.TypeFor[TimeZone]():      {parseTimeZone, "a time zone such as Europe/Berlin"},
}

var errInvalid = errors.New("invalid")

// parseDuration accepts Go's units, and days: 14d.
func parseDuration(text string) (any, error) {
	d, err := time.ParseDuration(text)
	if days, isDays := strings.CutSuffix(text, "d"); isDays {
		var n int
		n, err = strconv.Atoi(days)
		d = time.Duration(n) * 24 * time.Hour
	}
	if d <= 0 {
		err = cmp.Or(err, errInvalid)
	}
	return d, err
}

func parseRootURL(text string) (any, error) {
	u, err := url.Parse(text)
	if err == nil && (u.Host == "" || !strings.HasSuffix(text, "/")) {
		err = errInvalid
	}
	return RootURL(text), err
}

func parseAddress(text string) (any, error) {
	_, _, err := net.SplitHostPort(text)
	return Address(text), err
}

func parseTimeZone(text string) (any, error) {
	if !KnownTimeZone(text) {
		return nil, errInvalid
	}
	return TimeZone(text), nil
}

// field is one setting.
type field struct {
	reflect.StructField
	name  string // of the variable
	value reflect.Value
}

// fieldsOf returns a struct's settings, those of embedded structs included.
func fieldsOf(settings any) (all []field) {
	value := reflect.ValueOf(settings).Elem()
	for _, f := range reflect.VisibleFields(value.Type()) {
		if name, _, _ := strings.Cut(f.Tag.Get("env"), ","); name != "" && name != "-" {
			all = append(all, field{f, name, value.FieldByIndex(f.Index)})
		}
	}
	return all
}

// problem says what is wrong with a setting, and what to set.
func (f field) problem(wrong string, environ Environment) error {
	value, set := environ[f.name]
	switch {
	case !set:
		wrong = "not set"
	case f.Type == reflect.TypeFor[Secret]():
		wrong = "the value is " + wrong
	default:
		wrong = strconv.Quote(value) + " is " + wrong
	}
	want := cmp.Or(f.Tag.Get("want"), kinds[f.Type].want)
	if prefix := f.Tag.Get("prefix"); prefix != "" {
		want += ", which starts with " + strings.ReplaceAll(prefix, ",", " or ")
	}
	switch least, most := f.Tag.Get("min"), f.Tag.Get("max"); {
	case least != "" && most != "":
		want += " from " + least + " to " + most
	case least != "":
		want += " of at least " + least
	}
	return fmt.Errorf("%s: %s: set it to %s", f.name, wrong, want)
}

// outOfRange says what is wrong with a value's prefix or size.
func (f field) outOfRange(text string) (wrong string) {
	prefix, hasPrefix := f.Tag.Lookup("prefix")
	startsWith := func(prefix string) bool { return strings.HasPrefix(text, prefix) }
	if hasPrefix && text != "" && !slices.ContainsFunc(strings.Split(prefix, ","), startsWith) {
		return "something else"
	}
	if least, ok := f.limit("min"); ok && f.value.Int() < least {
		return "too small"
	}
	if most, ok := f.limit("max"); ok && f.value.Int() > most {
		return "too large"
	}
	return ""
}

// limit returns the limit in a tag.
func (f field) limit(tag string) (limit int64, ok bool) {
	text, ok := f.Tag.Lookup(tag)
	if !ok {
		return 0, false
	}
	value, err := kinds[f.Type].parse(text)
	if err != nil {
		panic(fmt.Sprintf("%s has the limit %q: %v", f.name, text, err)) // in the code, not in the environment
	}
	return reflect.ValueOf(value).Int(), true
}
