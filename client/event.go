package client

import "fmt"

// Event is something that happened to a connection, for logs and displays.
type Event struct {
	Kind EventKind
	// Addr is the server, but for Waiting the process that consumes. It can be
	// unknown.
	Addr string
	// Err says why, for Displaced.
	Err error
}

// EventKind is what an Event is about.
type EventKind int

// The kinds of events. A connection without ZooKeeper has Connected only.
const (
	// Connected: batches come from the server Addr.
	Connected EventKind = iota + 1
	// Searching: no server runs the destination; one is waited for.
	Searching
	// Moved: the server Addr now runs the destination; it is connected to next.
	Moved
	// Waiting: the process Addr consumes as this client; it is waited for.
	Waiting
	// Displaced: this process no longer has the right to consume; its connection
	// has been closed.
	Displaced
)

// String is the event in words.
func (e Event) String() string {
	switch e.Kind {
	case Connected:
		return "connected to " + e.Addr
	case Searching:
		return "waiting for a server that runs the destination"
	case Moved:
		return "the destination moved to " + e.Addr
	case Waiting:
		return "waiting: " + e.Addr + " consumes as this client"
	case Displaced:
		return e.Err.Error()
	}
	return fmt.Sprintf("event %d", int(e.Kind))
}
