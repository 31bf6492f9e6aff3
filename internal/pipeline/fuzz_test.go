package pipeline

import (
	"encoding/binary"
	"maps"
	"testing"

	"github.com/towpath-cdc/towpath/internal/binlog"
	"github.com/towpath-cdc/towpath/internal/config"
)

// frame puts an event into the form FuzzPipeline reads: type, length, body.
func frame(t binlog.EventType, body []byte) []byte {
	return append(binary.LittleEndian.AppendUint16([]byte{byte(t)}, uint16(len(body))), body...)
}

// unframed builds events from that form, with right headers and checksums, so
// that what is in the bodies matters.
func unframed(data []byte) (events [][]byte) {
	w := newEventWriter()
	events = append(events, w.format())
	for len(data) >= 3 {
		n := min(int(binary.LittleEndian.Uint16(data[1:])), len(data)-3)
		events = append(events, w.event(binlog.EventType(data[0]), data[3:3+n]))
		data = data[3+n:]
	}
	return events
}

// Bits of the options of FuzzPipeline.
const (
	fuzzParallel = 1 << iota
	fuzzMaria
	fuzzGTID
	fuzzRegexDDL
	fuzzSkipTables
	fuzzSmallGroups
)

// FuzzPipeline gives a pipeline events with any bodies, a few at a time. It
// ends with an error or with entries that can be read, and releases all.
func FuzzPipeline(f *testing.F) {
	recorded := maps.Clone(fixtures)
	maps.Copy(recorded, forms)
	for name, version := range recorded {
		events := fixture(f, name)
		options := byte(0)
		if version == fixtures["mariadb1011"] {
			options = fuzzMaria
		}
		const group = 12
		step := 3 * group
		if forms[name] != "" {
			step = group
		}
		for at := 1; at+group < len(events); at += step {
			var data []byte
			for _, ev := range events[at : at+group] {
				body, err := binlog.Body(ev, true)
				check(f, err)
				data = append(data, frame(binlog.EventType(ev[4]), body)...)
			}
			if len(data) < 4096 {
				f.Add(options|byte(at)&^fuzzMaria, data)
			}
		}
	}
	var w eventWriter
	w.packed = true
	inner := append(w.query("", "BEGIN"), w.event(binlog.EventTableMap, tableMapBody(5, "d", "t", 1))...)
	inner = append(inner, w.event(binlog.EventWriteRowsV2, rowsBody(5, binlog.EventWriteRowsV2, 1, []byte{0, 1, 0, 0, 0}))...)
	for _, how := range []string{"zstd", "none"} {
		ev := w.payload(how, inner)
		f.Add(byte(fuzzParallel), frame(binlog.EventTransactionPayload, ev[binlog.HeaderSize:]))
	}
	f.Fuzz(func(t *testing.T, options byte, data []byte) {
		version := "8.0.15"
		if options&fuzzMaria != 0 {
			version = "10.11.19-MariaDB"
		}
		r := newRig(t, version, func(o *config.Instance) {
			o.Parallel, o.ParallelThreads = options&fuzzParallel != 0, 2
			o.DruidDDL, o.FilterTableErr = options&fuzzRegexDDL == 0, options&fuzzSkipTables != 0
			if options&fuzzSmallGroups != 0 {
				o.TransactionSize = 2
			}
		})
		r.session.Tables = tables{"d.t": "CREATE TABLE t (id int, v varchar(20))", "h_binlog.tx": "CREATE TABLE tx (id int PRIMARY KEY, v varchar(50))",
			"h_binlog.js": "CREATE TABLE js (id INT PRIMARY KEY, j JSON, k JSON, v INT)", "h_binlog.st": "CREATE TABLE st (id int PRIMARY KEY, s varchar(100), d double, n decimal(20,5))"}
		r.session.GTIDMode = options&fuzzGTID != 0
		r.start()
		defer r.stop()
		for events := unframed(data); len(events) > 0; {
			n := min(5, len(events))
			if r.chunk(events[:n]...) != nil {
				return
			}
			events = events[n:]
		}
		_ = r.settle()
	})
}
