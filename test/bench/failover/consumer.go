package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"sync"
	"time"
)

// consumer is a client that prints an entry a line.
type consumer struct {
	*process
	done chan struct{} // closed when all it printed has been read
}

// consume starts a client and notes the rows it prints.
func consume(cmd *exec.Cmd, dir string, into *rows) (*consumer, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	p, err := launch(cmd, dir, "client", w)
	if err = errors.Join(err, w.Close()); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	c := &consumer{process: p, done: make(chan struct{})}
	go func() {
		defer close(c.done)
		defer r.Close()
		into.read(r)
	}()
	return c, nil
}

func (c *consumer) kill() {
	c.process.kill()
	<-c.done
}

// rows are what the clients have received.
type rows struct {
	mu      sync.Mutex
	last    int64 // the highest
	at      time.Time
	longest time.Duration // pause between two of them
	again   int64
	err     error // a row that was passed over
}

// number finds the value of the one column of a row in the canonical form.
var number = regexp.MustCompile(`"eventType":"INSERT".*"name":"id".*"value":"(\d+)"`)

func (r *rows) read(from io.Reader) {
	s := bufio.NewScanner(from)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		if m := number.FindSubmatch(s.Bytes()); m != nil {
			if id, err := strconv.ParseInt(string(m[1]), 10, 64); err == nil {
				r.take(id)
			}
		}
	}
}

func (r *rows) take(id int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	if !r.at.IsZero() {
		r.longest = max(r.longest, now.Sub(r.at))
	}
	r.at = now
	if id <= r.last {
		r.again++
		return
	}
	if id > r.last+1 && r.err == nil {
		r.err = fmt.Errorf("row %d came after row %d", id, r.last)
	}
	r.last = id
}

// begin forgets the pauses and repeats there have been.
func (r *rows) begin() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.longest, r.again = 0, 0
}

func (r *rows) highest() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last
}

func (r *rows) result() (longest time.Duration, again int64, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.longest, r.again, r.err
}
