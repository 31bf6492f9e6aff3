package inspect

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/towpath-cdc/towpath/internal/control"
	"github.com/towpath-cdc/towpath/internal/logging"
)

const (
	// maxErrors bounds what is remembered of the server, and of each destination;
	// the oldest gives way.
	maxErrors = 50
	// maxDestinations bounds the destinations of which something is remembered.
	// Those beyond are not.
	maxDestinations = 4096
	// maxText bounds one text, in bytes.
	maxText = 2000
)

// instanceKey is the attribute by which the server's own lines name a destination;
// those of the instance have logging.DestinationKey.
const instanceKey = "instance"

// remedyKey is the attribute that says what to do.
const remedyKey = "remedy"

// Recorder remembers the latest warnings and errors that were logged, by
// destination. Its methods may be called by any number of goroutines.
type Recorder struct {
	now func() time.Time

	mu    sync.Mutex
	rings map[string]*ring // by destination; "" for the server
}

// NewRecorder returns a Recorder that remembers nothing yet.
func NewRecorder() *Recorder {
	return &Recorder{now: time.Now, rings: make(map[string]*ring)}
}

// Handler returns a handler that records and then calls next.
func (r *Recorder) Handler(next slog.Handler) slog.Handler {
	return &recording{recorder: r, next: next}
}

// Errors returns what is remembered of a destination, or of the server when it is
// "", the latest first. A nil Recorder remembers nothing.
func (r *Recorder) Errors(destination string) []control.ErrorReport {
	if r == nil {
		return []control.ErrorReport{}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	out := []control.ErrorReport{}
	if g := r.rings[destination]; g != nil {
		for _, e := range slices.Backward(g.entries) {
			out = append(out, e.ErrorReport)
		}
	}
	return out
}

func (r *Recorder) record(destination, identity string, e control.ErrorReport) {
	r.mu.Lock()
	defer r.mu.Unlock()
	g := r.rings[destination]
	if g == nil {
		if len(r.rings) >= maxDestinations {
			return
		}
		g = &ring{}
		r.rings[destination] = g
	}
	now := r.now().UnixMilli()
	e.FirstMs, e.LastMs, e.Times = now, now, 1
	g.add(recorded{identity: identity, ErrorReport: e})
}

// ring holds what is remembered of one destination, the latest at the end.
type ring struct{ entries []recorded }

// recorded is one thing that was logged.
type recorded struct {
	identity string // what makes it the same thing again
	control.ErrorReport
}

func (g *ring) add(e recorded) {
	at := slices.IndexFunc(g.entries, func(o recorded) bool { return o.identity == e.identity })
	switch {
	case at >= 0:
		e.FirstMs, e.Times = g.entries[at].FirstMs, g.entries[at].Times+1
		g.entries = slices.Delete(g.entries, at, at+1)
	case len(g.entries) >= maxErrors:
		g.entries = slices.Delete(g.entries, 0, 1)
	}
	g.entries = append(g.entries, e)
}

// recording is the handler.
type recording struct {
	recorder *Recorder
	next     slog.Handler
	attrs    []slog.Attr // of the logger, flat
	prefix   string      // of the open groups, with a dot at the end
}

// Enabled implements slog.Handler.
func (h *recording) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn || h.next.Enabled(ctx, level)
}

// Handle implements slog.Handler.
func (h *recording) Handle(ctx context.Context, r slog.Record) error {
	if r.Level >= slog.LevelWarn && !logging.IsRoutine(ctx) {
		h.record(r)
	}
	if !h.next.Enabled(ctx, r.Level) {
		return nil
	}
	return h.next.Handle(ctx, r)
}

func (h *recording) record(r slog.Record) {
	l := described{text: r.Message, identity: r.Message}
	for _, a := range h.attrs {
		l.add("", a)
	}
	r.Attrs(func(a slog.Attr) bool {
		l.add(h.prefix, a)
		return true
	})
	level := "warn"
	if r.Level >= slog.LevelError {
		level = "error"
	}
	e := control.ErrorReport{Level: level, Text: shorten(l.text), Remedy: shorten(l.remedy)}
	h.recorder.record(l.destination, level+shorten(l.identity), e)
}

// WithAttrs implements slog.Handler.
func (h *recording) WithAttrs(attrs []slog.Attr) slog.Handler {
	next := *h
	next.next = h.next.WithAttrs(attrs)
	next.attrs = slices.Clip(h.attrs)
	for _, a := range attrs {
		a.Key = h.prefix + a.Key
		next.attrs = append(next.attrs, a)
	}
	return &next
}

// WithGroup implements slog.Handler.
func (h *recording) WithGroup(name string) slog.Handler {
	next := *h
	next.next = h.next.WithGroup(name)
	if name != "" {
		next.prefix += name + "."
	}
	return &next
}

// described is a line of the log in words.
type described struct {
	destination, remedy string
	text                string
	identity            string // text without the figures that differ each time
}

// remedied are errors that know what to do about them.
type remedied interface{ Remedy() string }

// add takes one attribute; prefix is that of the open groups.
func (l *described) add(prefix string, a slog.Attr) {
	v := a.Value.Resolve()
	if v.Kind() == slog.KindGroup {
		if a.Key != "" {
			prefix += a.Key + "."
		}
		for _, member := range v.Group() {
			l.add(prefix, member)
		}
		return
	}
	switch key := prefix + a.Key; key {
	case "", logging.LoggerKey, logging.ThreadKey:
		return
	case logging.DestinationKey, instanceKey:
		l.destination = v.String()
		return
	case remedyKey:
		l.remedy = v.String()
		return
	default:
		part := ", " + key + ": " + v.String()
		l.text += part
		if v.Kind() == slog.KindString || v.Kind() == slog.KindAny || v.Kind() == slog.KindBool {
			l.identity += part
		}
	}
	if err, ok := v.Any().(error); ok && l.remedy == "" {
		var r remedied
		if errors.As(err, &r) {
			l.remedy = r.Remedy()
		}
	}
}

// shorten bounds a text.
func shorten(s string) string {
	if len(s) <= maxText {
		return s
	}
	return strings.ToValidUTF8(s[:maxText], "") + "…"
}
