package receiver

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Memory is a Store in memory, for tests and as an example. A real Store records the ID of a change in the same transaction as
// the change.
type Memory struct {
	mu       sync.Mutex
	accounts map[string]bool
	objects  map[string]string // why it must not be granted; empty: it may be
	held     map[Assignment]bool
	changes  map[Assignment]int // number of changes
	seen     map[string]bool    // IDs of changes
	pageSize int
}

// NewMemory returns an empty store that lists pages of the given size.
func NewMemory(pageSize int) *Memory {
	return &Memory{
		accounts: map[string]bool{}, objects: map[string]string{}, held: map[Assignment]bool{}, changes: map[Assignment]int{},
		seen: map[string]bool{}, pageSize: pageSize,
	}
}

// AddObject adds an object. If refused is not empty, it is the reason why the object must not be granted.
func (m *Memory) AddObject(object, refused string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.objects[object] = refused
}

// Exists reports whether an account or object of that name exists.
func (m *Memory) Exists(name string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, object := m.objects[name]
	return object || m.accounts[name]
}

// Set grants or revokes an assignment directly.
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

func (m *Memory) status(a Assignment) (Status, error) {
	s := Status{State: NotHeld, Revision: strconv.Itoa(m.changes[a])}
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
func (m *Memory) Read(_ context.Context, a Assignment) (Status, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.status(a)
}

// Change implements Store.
func (m *Memory) Change(_ context.Context, id string, a Assignment, held bool) (Status, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if reason := m.objects[a.Object]; held && reason != "" {
		return Status{}, Refused(reason)
	}
	if status, err := m.status(a); err != nil || m.seen[id] {
		return status, err
	}
	m.set(a, held)
	if id != "" {
		m.seen[id] = true
	}
	return m.status(a)
}

// CreateAccount implements Store.
func (m *Memory) CreateAccount(_ context.Context, account string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.accounts[account] = true
	return nil
}

// List implements Store. The cursor is the last assignment of the previous page.
func (m *Memory) List(_ context.Context, cursor string) (page []Assignment, next string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	position := func(a Assignment) string { return strconv.Quote(a.Account) + strconv.Quote(a.Object) }
	for a := range m.held {
		if position(a) > cursor {
			page = append(page, a)
		}
	}
	slices.SortFunc(page, func(a, b Assignment) int { return strings.Compare(position(a), position(b)) })
	if len(page) > m.pageSize {
		page = page[:m.pageSize]
		next = position(page[len(page)-1])
	}
	return page, next, nil
}

// Check implements Store.
func (m *Memory) Check(context.Context) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return fmt.Sprintf("a system in memory with %d accounts and %d objects", len(m.accounts), len(m.objects)), nil
}
