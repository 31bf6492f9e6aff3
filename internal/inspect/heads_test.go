package inspect

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/internal/mysql"
)

// TestHeads asks for a source twice: one goroutine asks it, and ends when nobody has
// wanted to know for long, or with close.
func TestHeads(t *testing.T) {
	h := newHeads(slog.New(slog.DiscardHandler))
	key := headKey{address: "a:1"}
	var asked atomic.Int64
	connect := func(context.Context) (*mysql.Conn, error) {
		asked.Add(1)
		return nil, errors.New("down")
	}
	w, k := h.want(key, connect)
	if again, _ := h.want(key, connect); again != w || k != nil {
		t.Errorf("asked for twice: %p and %p, known %v", again, w, k)
	}
	until(t, "the question", func() bool { return asked.Load() == 1 })
	if h.over(key, w) {
		t.Error("over although it was just wanted")
	}
	w.wanted.Store(time.Now().Add(-headPatience - time.Second).UnixNano())
	if !h.over(key, w) || len(h.sources) != 0 {
		t.Error("not over although nobody wants it")
	}
	h.close()
	if _, k := h.want(key, connect); k != nil || len(h.sources) != 0 {
		t.Error("something is followed after close")
	}
	h.close()
	if n := asked.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
}
