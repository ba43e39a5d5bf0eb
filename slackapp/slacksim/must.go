package slacksim

import "testing"

// MustActor is an Actor in a test: an action that fails ends the test, and the error includes what is on
// the screen. Its methods are those of Actor, without the errors.
type MustActor struct {
	t testing.TB
	a *Actor
}

// Must binds the actor to a test.
func (a *Actor) Must(t testing.TB) *MustActor { return &MustActor{t, a} }

// Actor returns the actor whose methods return errors.
func (m *MustActor) Actor() *Actor { return m.a }

func (m *MustActor) ok(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

func value[T any](m *MustActor, v T, err error) T {
	m.t.Helper()
	m.ok(err)
	return v
}

func (m *MustActor) OpenHome()                  { m.t.Helper(); m.ok(m.a.OpenHome()) }
func (m *MustActor) VisitHome()                 { m.t.Helper(); m.ok(m.a.VisitHome()) }
func (m *MustActor) OpenMessages()              { m.t.Helper(); m.ok(m.a.OpenMessages()) }
func (m *MustActor) Press(text string)          { m.t.Helper(); m.ok(m.a.Press(text)) }
func (m *MustActor) Choose(label, opt string)   { m.t.Helper(); m.ok(m.a.Choose(label, opt)) }
func (m *MustActor) Tick(options ...string)     { m.t.Helper(); m.ok(m.a.Tick(options...)) }
func (m *MustActor) Untick(options ...string)   { m.t.Helper(); m.ok(m.a.Untick(options...)) }
func (m *MustActor) Fill(label, text string)    { m.t.Helper(); m.ok(m.a.Fill(label, text)) }
func (m *MustActor) Enter(label string)         { m.t.Helper(); m.ok(m.a.Enter(label)) }
func (m *MustActor) PickDate(label, day string) { m.t.Helper(); m.ok(m.a.PickDate(label, day)) }
func (m *MustActor) PickTime(label, at string)  { m.t.Helper(); m.ok(m.a.PickTime(label, at)) }
func (m *MustActor) CloseModal()                { m.t.Helper(); m.ok(m.a.CloseModal()) }
func (m *MustActor) CloseAllModals()            { m.t.Helper(); m.ok(m.a.CloseAllModals()) }
func (m *MustActor) WaitForNoModal()            { m.t.Helper(); m.ok(m.a.WaitForNoModal()) }

func (m *MustActor) PressBeside(beside, text string) {
	m.t.Helper()
	m.ok(m.a.PressBeside(beside, text))
}

func (m *MustActor) Pick(label, query, option string) {
	m.t.Helper()
	m.ok(m.a.Pick(label, query, option))
}

func (m *MustActor) TickIn(label string, options ...string) {
	m.t.Helper()
	m.ok(m.a.TickIn(label, options...))
}

func (m *MustActor) UntickIn(label string, options ...string) {
	m.t.Helper()
	m.ok(m.a.UntickIn(label, options...))
}

func (m *MustActor) PressIn(msg Message, button string) {
	m.t.Helper()
	m.ok(m.a.PressIn(msg, button))
}

func (m *MustActor) WaitUntil(what string, condition func(Screen) bool) {
	m.t.Helper()
	m.ok(m.a.WaitUntil(what, condition))
}

// AwaitUpdate calls do and waits until the app has changed the view in front.
func (m *MustActor) AwaitUpdate(do func()) {
	m.t.Helper()
	m.ok(m.a.AwaitUpdate(func() error { m.t.Helper(); do(); return nil }))
}

// Submit returns the errors at the fields, by label; without errors it was accepted.
func (m *MustActor) Submit() map[string]string {
	m.t.Helper()
	errors, err := m.a.Submit()
	return value(m, errors, err)
}

// SubmitAccepted submits and fails the test if there are errors at fields.
func (m *MustActor) SubmitAccepted() {
	m.t.Helper()
	if errors := m.Submit(); len(errors) > 0 {
		m.t.Fatalf("%s: the form was not accepted: %v", m.a.who, errors)
	}
}

func (m *MustActor) Home() string {
	m.t.Helper()
	text, err := m.a.Home()
	return value(m, text, err)
}

func (m *MustActor) Modal() string {
	m.t.Helper()
	text, err := m.a.Modal()
	return value(m, text, err)
}

func (m *MustActor) Screen() Screen {
	m.t.Helper()
	sc, err := m.a.Screen()
	return value(m, sc, err)
}

func (m *MustActor) WaitForHome(substring string) string {
	m.t.Helper()
	text, err := m.a.WaitForHome(substring)
	return value(m, text, err)
}

func (m *MustActor) WaitForModal(substring string) string {
	m.t.Helper()
	text, err := m.a.WaitForModal(substring)
	return value(m, text, err)
}

func (m *MustActor) Search(label, query string) []string {
	m.t.Helper()
	found, err := m.a.Search(label, query)
	return value(m, found, err)
}

func (m *MustActor) Options(label string) []string {
	m.t.Helper()
	found, err := m.a.Options(label)
	return value(m, found, err)
}

func (m *MustActor) Boxes() []string {
	m.t.Helper()
	found, err := m.a.Boxes()
	return value(m, found, err)
}

func (m *MustActor) Ticked() []string {
	m.t.Helper()
	found, err := m.a.Ticked()
	return value(m, found, err)
}

func (m *MustActor) Value(label string) string {
	m.t.Helper()
	text, err := m.a.Value(label)
	return value(m, text, err)
}

func (m *MustActor) Messages() []Message {
	m.t.Helper()
	all, err := m.a.Messages()
	return value(m, all, err)
}

func (m *MustActor) Ephemerals() []Message {
	m.t.Helper()
	all, err := m.a.Ephemerals()
	return value(m, all, err)
}

func (m *MustActor) Notices() []Notice {
	m.t.Helper()
	all, err := m.a.Notices()
	return value(m, all, err)
}

func (m *MustActor) Latest(substring string) Message {
	m.t.Helper()
	msg, err := m.a.Latest(substring)
	return value(m, msg, err)
}

func (m *MustActor) Again(msg Message) Message {
	m.t.Helper()
	now, err := m.a.Again(msg)
	return value(m, now, err)
}

func (m *MustActor) WaitForMessage(substring string) Message {
	m.t.Helper()
	msg, err := m.a.WaitForMessage(substring)
	return value(m, msg, err)
}

func (m *MustActor) WaitForEphemeral(substring string) Message {
	m.t.Helper()
	msg, err := m.a.WaitForEphemeral(substring)
	return value(m, msg, err)
}

func (m *MustActor) WaitForEdit(msg Message, substring string) Message {
	m.t.Helper()
	now, err := m.a.WaitForEdit(msg, substring)
	return value(m, now, err)
}
