package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"sync"
)

// kind is what an event of a history is about.
type kind string

// The kinds of events, with the fields that they have besides At.
const (
	// Of a consumer, in its order.
	kindRun    kind = "run"    // Destination, Server: connected; batches of another delivery run follow
	kindBatch  kind = "batch"  // Destination, Batch, Rows: it has come
	kindAck    kind = "ack"    // Destination, Batch: it is about to be acked
	kindUnsent kind = "unsent" // Destination, Batch: that ack was not sent, because the connection had gone

	// Of a tap, right in front of a server.
	kindHanded kind = "handed" // Destination, Server, Batch, Asked: a batch has left the server

	// Of the campaign.
	kindStop  kind = "stop"  // Server: it does not run any more (SIGSTOP)
	kindCont  kind = "cont"  // Server: it is about to run again (SIGCONT)
	kindClock kind = "clock" // Wall
	kindFault kind = "fault" // Text
	kindHeal  kind = "heal"  // Text
	kindDeath kind = "death" // Text: a process has ended that nobody ended
)

// event is one line of a history.
type event struct {
	At          int64  `json:"at"` // monotonic
	Kind        kind   `json:"kind"`
	Destination string `json:"dest,omitempty"`
	Server      string `json:"server,omitempty"` // its registered address
	Batch       int64  `json:"batch,omitempty"`
	Asked       int64  `json:"asked,omitempty"` // monotonic: when the get of a batch was passed to the server
	Wall        int64  `json:"wall,omitempty"`  // nanoseconds since the epoch
	Rows        []span `json:"rows,omitempty"`
	Text        string `json:"text,omitempty"`
}

// span is rows of one writer, one after the other: writer, first and last number.
type span [3]int64

// appendRow adds a row to the rows of a batch.
func appendRow(rows []span, r row) []span {
	if n := len(rows); n > 0 && rows[n-1][0] == int64(r.writer) && rows[n-1][2]+1 == r.number {
		rows[n-1][2]++
		return rows
	}
	return append(rows, span{int64(r.writer), r.number, r.number})
}

// row is a row by its writer and the number that the writer gave it, from 1.
type row struct {
	writer int
	number int64
}

// recorder appends events to a file, each before record returns, so that a
// process that is killed has recorded what it did.
type recorder struct {
	mu   sync.Mutex
	file *os.File
	err  error // the first
}

func newRecorder(name string) (*recorder, error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open history: %w", err)
	}
	return &recorder{file: f}, nil
}

// record writes e, at the present time unless it has one.
func (r *recorder) record(e event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e.At == 0 {
		e.At = monotonic()
	}
	b, err := json.Marshal(e)
	if err == nil {
		_, err = r.file.Write(append(b, '\n'))
	}
	if r.err == nil {
		r.err = err
	}
}

// close returns the first error there was.
func (r *recorder) close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.file.Close(); r.err == nil {
		r.err = err
	}
	return r.err
}

// readHistory reads a history. A last line without an end is of a process that
// was killed while it wrote.
func readHistory(name string) ([]event, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return parseHistory(b)
}

func parseHistory(b []byte) (events []event, err error) {
	for n := 1; ; n++ {
		line, rest, whole := bytes.Cut(b, []byte("\n"))
		if !whole {
			return events, nil
		}
		var e event
		if err := json.Unmarshal(line, &e); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		events, b = append(events, e), rest
	}
}
