package server

import (
	"context"
	"time"
)

// watchDelay is how long a GET waits before its connection is watched. Most
// find their data at once and are spared the second goroutine.
const watchDelay = 5 * time.Millisecond

// watch ends the context of a waiting GET when the client closes the connection
// or has been idle for too long.
//
// Its goroutine is started by a timer that watch sets, and is ended and waited
// for by stop. In between it alone uses the session's read buffer: it waits for
// more input without consuming any, so pipelined requests stay in the buffer. A
// client that has pipelined a buffer full is not watched any more.
type watch struct {
	ctx context.Context // ends with the cause

	session *session
	soft    context.Context
	cancel  context.CancelCauseFunc // nil when there is nothing to watch
	timer   *time.Timer
	done    chan struct{}
}

// watch starts watching for a GET with the given timeout. Its stop must be called.
func (s *session) watch(soft context.Context, timeout time.Duration) *watch {
	w := &watch{ctx: soft, session: s, soft: soft}
	if timeout == forever || timeout > watchDelay {
		w.ctx, w.cancel = context.WithCancelCause(soft)
		w.done = make(chan struct{})
		w.timer = time.AfterFunc(watchDelay, w.run)
	}
	return w
}

// run watches until the connection ends or its read deadline passes: that of
// idleness, or the one in the past that stop sets.
func (w *watch) run() {
	defer close(w.done)
	s := w.session
	if err := s.setReadDeadline(w.ctx); err != nil {
		w.cancel(err)
		return
	}
	for n := s.in.Buffered(); n < s.in.Size(); n = s.in.Buffered() {
		if _, err := s.in.Peek(n + 1); err != nil {
			w.cancel(s.readError(w.soft, err))
			return
		}
	}
}

// stop ends watching. It returns why the connection is to be closed, if it is
// because of the client.
func (w *watch) stop() error {
	if w.cancel == nil {
		return nil
	}
	var gone error
	if w.soft.Err() == nil {
		gone = context.Cause(w.ctx)
	}
	w.cancel(nil) // before the deadline: run looks at it after setting its own
	if !w.timer.Stop() {
		w.session.conn.SetReadDeadline(longAgo)
		<-w.done
	}
	return gone
}
