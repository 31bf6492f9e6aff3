package logging

import (
	"context"
	"log/slog"
	"slices"
	"time"
)

// handler implements slog.Handler over Logs. What With added is kept as a line
// that each record begins from.
type handler struct {
	logs   *Logs
	base   line
	prefix string // of the open groups, with a dot at the end
}

func (h *handler) Enabled(_ context.Context, level slog.Level) bool {
	return level >= h.logs.o.Level.Level()
}

func (h *handler) Handle(_ context.Context, r slog.Record) error {
	l := h.base
	l.attrs = slices.Clip(l.attrs)
	l.time, l.level, l.message = r.Time, r.Level, r.Message
	if l.time.IsZero() {
		l.time = h.logs.o.Now()
	}
	l.time = l.time.Round(0).Truncate(time.Millisecond)
	r.Attrs(func(a slog.Attr) bool {
		l.set(h.prefix, a)
		return true
	})
	h.logs.write(&l)
	return nil
}

func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	next := *h
	next.base.attrs = slices.Clip(h.base.attrs)
	for _, a := range attrs {
		next.base.set(h.prefix, a)
	}
	return &next
}

func (h *handler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	next := *h
	next.prefix += name + "."
	return &next
}
