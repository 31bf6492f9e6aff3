package pipeline

import (
	"testing"

	"github.com/towpath-cdc/towpath/internal/binlog"
)

// TestHugeChunkIsAlone: a huge event is in the store before the next one is
// asked for. Several of them were once in work at a time, and rows of 64 MiB took
// more than a gigabyte.
func TestHugeChunkIsAlone(t *testing.T) {
	r := newRig(t, "8.0.15", nil)
	r.session.Tables = tables{"d.t": "CREATE TABLE t (v longtext)"}
	w := newEventWriter()
	r.start()
	defer r.stop()
	check(t, r.chunk(w.format(), w.query("", "BEGIN"), w.event(binlog.EventTableMap, textMapBody(5, "d", "t"))))
	for n := range 3 {
		check(t, r.chunk(w.event(binlog.EventWriteRowsV2, rowsBody(5, binlog.EventWriteRowsV2, 1, textRow(hugeChunk)))))
		r.store.mu.Lock()
		have := len(r.store.entries)
		r.store.mu.Unlock()
		if want := n + 2; have != want {
			t.Errorf("after huge event %d the store has %d entries, want %d", n, have, want)
		}
	}
}
