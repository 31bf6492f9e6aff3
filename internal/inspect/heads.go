package inspect

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/towpath-cdc/towpath/internal/binlog"
	"github.com/towpath-cdc/towpath/internal/mysql"
)

const (
	// headPeriod is how often a source is asked for the end of its binlog, with up
	// to a fifth more so that many sources are not asked at once.
	headPeriod = 5 * time.Second
	// headPatience is for how long that goes on after the last report.
	headPatience = 30 * time.Second
	// headTimeout bounds one question, connecting included.
	headTimeout = 5 * time.Second
	// maxAsking bounds how many sources are asked at a time; others wait.
	maxAsking = 8
)

// headKey is a source as it is asked: instances that read it with the same account
// share the answer.
type headKey struct{ address, user, password string }

// head is what is known of the end of a source's binlog. It is not changed.
type head struct {
	at    time.Time // when it was asked
	end   binlog.Position
	files []mysql.LogFile // oldest first; nil when they were not asked for
	ahead time.Duration   // of the source's clock before ours; 0 when they differ by less than can be told
}

// heads follows the ends of the binlogs that reports are about.
//
// There is a goroutine with one connection for each source that was asked for in
// the last half minute. want starts it, it ends by itself or with close, and close
// waits for it.
type heads struct {
	log    *slog.Logger
	ctx    context.Context // ends with close
	cancel context.CancelFunc
	wg     sync.WaitGroup
	asking chan struct{}

	mu      sync.Mutex
	closed  bool
	sources map[headKey]*headWatch
}

// headWatch is one source.
type headWatch struct {
	connect func(context.Context) (*mysql.Conn, error)
	wanted  atomic.Int64 // when it was asked for last, ns since the epoch
	files   atomic.Bool  // the list of files is wanted too
	known   atomic.Pointer[head]
}

func newHeads(log *slog.Logger) *heads {
	h := &heads{log: log, asking: make(chan struct{}, maxAsking), sources: make(map[headKey]*headWatch)}
	h.ctx, h.cancel = context.WithCancel(context.Background())
	return h
}

func (h *heads) close() {
	h.mu.Lock()
	h.closed = true
	h.mu.Unlock()
	h.cancel()
	h.wg.Wait()
}

// want returns what is known of a source, nil when nothing is yet, and sees to it
// that it stays known. It does not wait. connect connects to the source.
func (h *heads) want(key headKey, connect func(context.Context) (*mysql.Conn, error)) (*headWatch, *head) {
	now := time.Now().UnixNano()
	h.mu.Lock()
	w := h.sources[key]
	if w == nil {
		w = &headWatch{connect: connect}
		if !h.closed {
			h.sources[key] = w
			h.wg.Go(func() { h.follow(key, w) })
		}
	}
	w.wanted.Store(now)
	h.mu.Unlock()
	return w, w.known.Load()
}

// follow asks a source again and again until nobody has wanted to know for long.
func (h *heads) follow(key headKey, w *headWatch) {
	var conn *mysql.Conn
	defer func() {
		if conn != nil {
			_ = conn.Close()
		}
	}()
	for {
		next, err := h.ask(key, w, conn)
		if err != nil && h.ctx.Err() == nil {
			h.log.Debug("the end of a source's binlog is not known", "address", key.address, "error", err)
		}
		conn = next
		timer := time.NewTimer(headPeriod + rand.N(headPeriod/5))
		select {
		case <-timer.C:
		case <-h.ctx.Done():
			timer.Stop()
			return
		}
		if h.over(key, w) {
			return
		}
	}
}

// over tells whether nobody wants to know any more, and forgets the source then.
func (h *heads) over(key headKey, w *headWatch) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if time.Since(time.Unix(0, w.wanted.Load())) < headPatience {
		return false
	}
	delete(h.sources, key)
	return true
}

// ask asks once, over conn if there is one, and returns the connection for the
// next time, nil when there is none.
func (h *heads) ask(key headKey, w *headWatch, conn *mysql.Conn) (_ *mysql.Conn, err error) {
	select {
	case h.asking <- struct{}{}:
		defer func() { <-h.asking }()
	case <-h.ctx.Done():
		return conn, h.ctx.Err()
	}
	ctx, cancel := context.WithTimeout(h.ctx, headTimeout)
	defer cancel()
	if conn == nil {
		if conn, err = w.connect(ctx); err != nil {
			return nil, err
		}
	}
	defer func() {
		if err != nil {
			_ = conn.Close()
		}
	}()
	if conn.Address() != key.address { // the instance has changed to its standby
		_ = conn.Close()
		return nil, nil
	}
	k := head{}
	if k.end, err = conn.End(ctx, true); err != nil {
		return nil, err
	}
	k.at = time.Now()
	if d := time.UnixMilli(k.end.Timestamp).Sub(k.at); d > time.Second || d < -2*time.Second {
		k.ahead = d // which is told in whole seconds
	}
	if w.files.Swap(false) {
		if k.files, err = conn.LogFiles(ctx); err != nil {
			return nil, err
		}
	}
	w.known.Store(&k)
	return conn, nil
}
