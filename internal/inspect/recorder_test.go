package inspect

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/internal/control"
	"github.com/towpath-cdc/towpath/internal/logging"
	"github.com/towpath-cdc/towpath/internal/source"
)

// recordingLogger returns a Recorder with a clock of its own, a logger in front of
// it, and what was logged.
func recordingLogger() (*Recorder, *slog.Logger, *bytes.Buffer, *time.Time) {
	r := NewRecorder()
	now := time.UnixMilli(1000)
	r.now = func() time.Time { return now }
	var out bytes.Buffer
	return r, slog.New(r.Handler(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelError}))), &out, &now
}

func TestRecorder(t *testing.T) {
	r, log, out, now := recordingLogger()
	stop := &source.StopError{Reason: "gone", Choices: []string{"go on elsewhere"}}
	d := log.With("destination", "d")
	log.Info("not a warning")
	log.Warn("of the server", "address", "a:1", "remedy", "mend it", "failures", 1)
	*now = now.Add(time.Second)
	log.Warn("of the server", "address", "a:1", "remedy", "mend it", "failures", 2)
	log.Warn("of the server", "address", "b:2")
	log.WithGroup("g").Error("grouped", "k", "v", slog.Group("h", "x", true))
	log.Error("does not start", "instance", "e", "error", errors.New("why"))
	d.Error("stopped", "reason", fmt.Errorf("read: %w", stop))
	d.WarnContext(logging.Routine(context.Background()), "---> as usual")
	check := func(destination string, want ...control.ErrorReport) {
		t.Helper()
		got := r.Errors(destination)
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%q:\ngot  %+v\nwant %+v", destination, got, want)
		}
	}
	check("",
		control.ErrorReport{Level: "error", FirstMs: 2000, LastMs: 2000, Times: 1, Text: "grouped, g.k: v, g.h.x: true"},
		control.ErrorReport{Level: "warn", FirstMs: 2000, LastMs: 2000, Times: 1, Text: "of the server, address: b:2"},
		control.ErrorReport{Level: "warn", FirstMs: 1000, LastMs: 2000, Times: 2, Text: "of the server, address: a:1, failures: 2", Remedy: "mend it"},
	)
	check("e", control.ErrorReport{Level: "error", FirstMs: 2000, LastMs: 2000, Times: 1, Text: "does not start, error: why"})
	check("d", control.ErrorReport{Level: "error", FirstMs: 2000, LastMs: 2000, Times: 1, Text: "stopped, reason: read: gone; choices: go on elsewhere", Remedy: "choices: go on elsewhere"})
	check("nobody")
	if got := strings.Count(out.String(), "\n"); got != 3 || strings.Contains(out.String(), "of the server") {
		t.Errorf("the handler behind has its own level, and got\n%s", out)
	}
	if none := (*Recorder)(nil).Errors(""); none == nil || len(none) != 0 {
		t.Errorf("a nil recorder has %v", none)
	}
}

// TestRecorderIsBounded logs more than is remembered.
func TestRecorderIsBounded(t *testing.T) {
	r, log, _, _ := recordingLogger()
	for n := range maxErrors + 10 {
		log.Warn(fmt.Sprintf("%d %s", n, strings.Repeat("é", maxText)))
	}
	got := r.Errors("")
	if len(got) != maxErrors || !strings.HasPrefix(got[0].Text, fmt.Sprint(maxErrors+9)) {
		t.Errorf("%d are remembered, the latest %.10q", len(got), got[0].Text)
	}
	if len(got[0].Text) > maxText+len("…") {
		t.Errorf("a text of %d bytes", len(got[0].Text))
	}
	for n := range maxDestinations + 10 {
		log.Warn("x", "destination", fmt.Sprint(n))
	}
	if n := len(r.rings); n != maxDestinations {
		t.Errorf("%d destinations are remembered", n)
	}
}
