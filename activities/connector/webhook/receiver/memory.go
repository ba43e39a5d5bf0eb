package receiver

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Memory is a Store that forgets everything when it ends: to try things out, and
// to see what a real one has to do. A real one keeps the IDs of changes, and
// changes, in one transaction.
type Memory struct {
	mu       sync.Mutex
	accounts map[string]bool
	objects  map[string]string // why one must not be granted; empty: it may
	held     map[Assignment]bool
	changes  map[Assignment]int // how many there were
	seen     map[string]bool    // IDs of changes
	pageSize int
}

// NewMemory makes an empty one, which lists pages of that size.
func NewMemory(pageSize int) *Memory {
	return &Memory{
		accounts: map[string]bool{}, objects: map[string]string{}, held: map[Assignment]bool{}, changes: map[Assignment]int{},
		seen: map[string]bool{}, pageSize: pageSize,
	}
}

// AddObject makes an object, and says why it must not be granted, if so.
func (m *Memory) AddObject(object, refused string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.objects[object] = refused
}

// Exists tells whether there is an account or an object of that name.
func (m *Memory) Exists(name string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, object := m.objects[name]
	return object || m.accounts[name]
}

// Set grants or takes without being asked by anyone.
func (m *Memory) Set(a Assignment, held bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.set(a, held)
}

func (m *Memory) set(a Assignment, held bool) {
	if m.held[a] == held {
		return
	}
	m.held[a] = held
	m.changes[a]++
	if !held {
		delete(m.held, a)
	}
}

func (m *Memory) standing(a Assignment) (Standing, error) {
	s := Standing{State: NotHeld, Revision: strconv.Itoa(m.changes[a])}
	if m.held[a] {
		s.State = Held
	}
	if _, ok := m.objects[a.Object]; !ok {
		return s, Missing("object")
	}
	if !m.accounts[a.Account] {
		return s, Missing("account")
	}
	return s, nil
}

// Read implements Store.
func (m *Memory) Read(_ context.Context, a Assignment) (Standing, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.standing(a)
}

// Change implements Store.
func (m *Memory) Change(_ context.Context, id string, a Assignment, held bool) (Standing, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if reason := m.objects[a.Object]; held && reason != "" {
		return Standing{}, Refused(reason)
	}
	if standing, err := m.standing(a); err != nil || m.seen[id] {
		return standing, err
	}
	m.set(a, held)
	if id != "" {
		m.seen[id] = true
	}
	return m.standing(a)
}

// CreateAccount implements Store.
func (m *Memory) CreateAccount(_ context.Context, account string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.accounts[account] = true
	return nil
}

// List implements Store. The cursor is the last assignment of the page before.
func (m *Memory) List(_ context.Context, cursor string) (page []Assignment, next string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	place := func(a Assignment) string { return strconv.Quote(a.Account) + strconv.Quote(a.Object) }
	for a := range m.held {
		if place(a) > cursor {
			page = append(page, a)
		}
	}
	slices.SortFunc(page, func(a, b Assignment) int { return strings.Compare(place(a), place(b)) })
	if len(page) > m.pageSize {
		page = page[:m.pageSize]
		next = place(page[len(page)-1])
	}
	return page, next, nil
}

// Check implements Store.
func (m *Memory) Check(context.Context) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return fmt.Sprintf("a system in memory with %d accounts and %d objects", len(m.accounts), len(m.objects)), nil
}
