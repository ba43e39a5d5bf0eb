package slacksim

import (
	"maps"
	"slices"
)

// object is a JSON object as Slack's clients, apps and servers exchange it. Blocks stay in this form, so
// that the app gets exactly what it sent.
type object = map[string]any

// str returns a string property, or "".
func str(o object, name string) string {
	s, _ := o[name].(string)
	return s
}

func flag(o object, name string) bool {
	b, _ := o[name].(bool)
	return b
}

func obj(o object, name string) object {
	p, _ := o[name].(object)
	return p
}

func list(o object, name string) []any {
	l, _ := o[name].([]any)
	return l
}

// objects returns the objects in a JSON array.
func objects(l []any) []object {
	os := make([]object, 0, len(l))
	for _, e := range l {
		if o, ok := e.(object); ok {
			os = append(os, o)
		}
	}
	return os
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
