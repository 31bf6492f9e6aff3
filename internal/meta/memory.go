package meta

import (
	"context"
	"slices"
	"sync"
)

// Memory keeps everything in memory and forgets it when the process ends:
// Canal's MemoryMetaManager. The other forms keep their working copy in one.
type Memory struct {
	mu      sync.Mutex
	closed  bool
	clients []Client // in order of arrival
	cursors map[int16]Cursor
}

// NewMemory returns a manager that holds the records.
func NewMemory(records ...Record) *Memory {
	m := &Memory{cursors: make(map[int16]Cursor)}
	for _, r := range records {
		m.subscribe(r.Client)
		if r.HasCursor {
			m.cursors[r.Client.ID] = r.Cursor
		}
	}
	return m
}

// Subscribe implements Manager.
func (m *Memory) Subscribe(_ context.Context, c Client) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return ErrClosed
	}
	m.subscribe(c)
	return nil
}

func (m *Memory) subscribe(c Client) {
	if i := m.index(c); i >= 0 {
		m.clients = slices.Delete(m.clients, i, i+1)
	}
	m.clients = append(m.clients, c)
}

func (m *Memory) index(c Client) int {
	return slices.IndexFunc(m.clients, func(d Client) bool { return d.ID == c.ID })
}

// Unsubscribe implements Manager.
func (m *Memory) Unsubscribe(_ context.Context, c Client) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return ErrClosed
	}
	if i := m.index(c); i >= 0 {
		m.clients = slices.Delete(m.clients, i, i+1)
	}
	return nil
}

// HasSubscription implements Manager.
func (m *Memory) HasSubscription(c Client) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.index(c) >= 0
}

// Subscriptions implements Manager.
func (m *Memory) Subscriptions() []Client {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.clients)
}

// Cursor implements Manager.
func (m *Memory) Cursor(c Client) (Cursor, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	cur, ok := m.cursors[c.ID]
	return cur, ok
}

// UpdateCursor implements Manager.
func (m *Memory) UpdateCursor(_ context.Context, c Client, cur Cursor) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return ErrClosed
	}
	m.cursors[c.ID] = cur
	return nil
}

// MoveCursors implements Manager.
func (m *Memory) MoveCursors(_ context.Context, records []Record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return ErrClosed
	}
	for _, r := range records {
		m.cursors[r.Client.ID] = r.Cursor
	}
	return nil
}

// Snapshot implements Manager.
func (m *Memory) Snapshot() []Record {
	m.mu.Lock()
	defer m.mu.Unlock()
	records := make([]Record, len(m.clients))
	for i, c := range m.clients {
		cur, ok := m.cursors[c.ID]
		records[i] = Record{Client: c, Cursor: cur, HasCursor: ok}
	}
	return records
}

// Flush implements Manager; there is nothing to write.
func (m *Memory) Flush(context.Context) error { return nil }

// Close implements Manager.
func (m *Memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	return nil
}
