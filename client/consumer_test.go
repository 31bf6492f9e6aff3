package client

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/internal/testkit/canaltest"
	"github.com/towpath-cdc/towpath/protocol"
)

// atOnce is a Retry without waits that gives up after n failures in a row.
func atOnce(n int) func(int, error) (time.Duration, bool) {
	return func(failures int, _ error) (time.Duration, bool) { return 0, failures <= n }
}

func TestConsumerDeliversAll(t *testing.T) {
	s := canaltest.Start(t, canaltest.Options{})
	s.Put(entries(10)...)
	c := NewConsumer(ConsumerOptions{Options: options(s), Filter: "f", BatchSize: 3})
	var got []string
	for b, err := range c.Batches(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, tables(t, b)...)
		if err := b.Ack(); err != nil {
			t.Fatal(err)
		}
		if len(got) == 10 {
			break
		}
	}
	eventually(t, "acks", func() bool { return s.Acked() == 10 })
	if s.Filter() != "f" || got[9] != "t9" {
		t.Errorf("filter %q, got %v", s.Filter(), got)
	}
}

// Connections break and acks are refused all the time; nothing may be missing and
// nothing out of order.
func TestConsumerSurvives(t *testing.T) {
	n := 0
	s := canaltest.Start(t, canaltest.Options{Intercept: func(m protocol.Message) (canaltest.Action, bool) {
		n++
		switch m.(type) {
		case *protocol.Get:
			return canaltest.Action{HangUp: true}, n%7 == 0
		case *protocol.ClientAck:
			return canaltest.Action{Reply: []protocol.Message{canaltest.Failure("ack error")}}, n%5 == 0
		case *protocol.ClientRollback:
			return canaltest.Action{Reply: []protocol.Message{canaltest.Failure("not started")}}, n%11 == 0
		}
		return canaltest.Action{}, false
	}})
	const total = 200
	s.Put(entries(total)...)
	c := NewConsumer(ConsumerOptions{
		Options:   options(s),
		BatchSize: 3,
		Wait:      5 * time.Millisecond,
		Retry:     atOnce(10),
		Idle:      func() bool { return s.Acked() < total },
	})
	next := 0
	for b, err := range c.Batches(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		for _, table := range tables(t, b) {
			var i int
			if _, err := fmt.Sscanf(table, "t%d", &i); err != nil {
				t.Fatal(err)
			}
			if i > next {
				t.Fatalf("entry %d came when %d was due", i, next)
			}
			next = max(next, i+1)
		}
		if err := b.Ack(); err != nil && !errors.Is(err, ErrStale) {
			t.Fatal(err)
		}
	}
	if next != total {
		t.Errorf("%d entries of %d", next, total)
	}
}

func TestConsumerTriesServersInTurn(t *testing.T) {
	standby := canaltest.Start(t, canaltest.Options{Destination: "other"})
	dead := canaltest.Start(t, canaltest.Options{})
	dead.Stop()
	active := canaltest.Start(t, canaltest.Options{})
	active.Put(entries(1)...)
	o := options(active)
	o.Discoverer = Static(dead.Addr(), standby.Addr(), active.Addr())
	c := NewConsumer(ConsumerOptions{Options: o, Retry: atOnce(0)})
	for b, err := range c.Batches(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if b.c.Addr() != active.Addr() {
			t.Errorf("connected to %s", b.c.Addr())
		}
		break
	}
}

// After a lost connection the same server is asked first: it has the instance.
func TestCandidatesBeginAtLastServer(t *testing.T) {
	c, err := newConn(Options{Discoverer: Static("a", "b", "c"), Destination: "d"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for last, want := range map[string][]string{
		"":     {"a", "b", "c"},
		"b":    {"b", "c", "a"},
		"gone": {"a", "b", "c"},
	} {
		c.addr = last
		if got, err := c.candidates(t.Context()); err != nil || !slices.Equal(got, want) {
			t.Errorf("after %q: %v, %v", last, got, err)
		}
	}
}

func TestConsumerGivesUp(t *testing.T) {
	s := canaltest.Start(t, canaltest.Options{})
	s.Stop()
	failures := 0
	c := NewConsumer(ConsumerOptions{Options: options(s), Retry: func(n int, err error) (time.Duration, bool) {
		failures = n
		return time.Nanosecond, n < 3
	}})
	for b, err := range c.Batches(t.Context()) {
		if err == nil {
			t.Fatalf("batch %v from nowhere", b)
		}
	}
	if failures != 3 {
		t.Errorf("%d attempts", failures)
	}

	refusing := canaltest.Start(t, canaltest.Options{Password: "secret"})
	for _, err := range NewConsumer(ConsumerOptions{Options: options(refusing)}).Batches(t.Context()) {
		if !errors.Is(err, ErrAuth) {
			t.Errorf("error %v", err)
		}
	}
	for _, err := range NewConsumer(ConsumerOptions{}).Batches(t.Context()) {
		if err == nil {
			t.Error("options without a destination pass")
		}
	}
}

func TestConsumerStops(t *testing.T) {
	s := canaltest.Start(t, canaltest.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	idle := 0
	c := NewConsumer(ConsumerOptions{Options: options(s), Wait: time.Millisecond, Idle: func() bool {
		if idle++; idle == 3 {
			cancel()
		}
		return true
	}})
	for b, err := range c.Batches(ctx) {
		t.Errorf("got %v, %v", b, err)
	}
	c.o.Idle = func() bool { return false }
	for b, err := range c.Batches(t.Context()) {
		t.Errorf("got %v, %v", b, err)
	}

	s.Stop()
	ctx, cancel = context.WithCancel(t.Context())
	c.o.Retry = func(int, error) (time.Duration, bool) {
		cancel()
		return time.Hour, true
	}
	for b, err := range c.Batches(ctx) {
		t.Errorf("got %v, %v", b, err)
	}
}

func TestConsumerNack(t *testing.T) {
	s := canaltest.Start(t, canaltest.Options{})
	s.Put(entries(2)...)
	var got []string
	for b, err := range NewConsumer(ConsumerOptions{Options: options(s), BatchSize: 1}).Batches(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, tables(t, b)...)
		settle := b.Ack
		if len(got) == 1 {
			settle = b.Nack
		}
		if err := settle(); err != nil {
			t.Fatal(err)
		}
		if len(got) == 3 {
			break
		}
	}
	if !slices.Equal(got, []string{"t0", "t0", "t1"}) {
		t.Errorf("got %v", got)
	}
}

func TestBackoff(t *testing.T) {
	retry := Backoff(100*time.Millisecond, time.Second)
	for failures, most := range map[int]time.Duration{
		1: 100 * time.Millisecond, 2: 200 * time.Millisecond, 4: 800 * time.Millisecond, 5: time.Second, 1000: time.Second,
	} {
		for range 100 {
			if wait, again := retry(failures, errors.New("x")); !again || wait > most || wait < most/2 {
				t.Fatalf("after %d: %v, %v", failures, wait, again)
			}
		}
	}
	if _, again := retry(1, ErrAuth); again {
		t.Error("tries a refused password again")
	}
}
