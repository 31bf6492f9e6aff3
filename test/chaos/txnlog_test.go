package main

import (
	"encoding/binary"
	"hash/adler32"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/towpath-cdc/towpath/internal/binlog"
	"github.com/towpath-cdc/towpath/internal/meta"
	"github.com/towpath-cdc/towpath/internal/zktree"
)

// jutes builds ZooKeeper's encoding.
type jutes []byte

func (j jutes) int(n int32) jutes   { return binary.BigEndian.AppendUint32(j, uint32(n)) }
func (j jutes) long(n int64) jutes  { return binary.BigEndian.AppendUint64(j, uint64(n)) }
func (j jutes) text(s string) jutes { return append(j.int(int32(len(s))), s...) }

// head begins a transaction.
func head(session, zxid, wall int64, kind int32) jutes {
	return jutes(nil).long(session).int(7).long(zxid).long(wall).int(kind)
}

// logFile is a transaction log of entries.
func logFile(entries ...jutes) []byte {
	b := jutes(nil).int(logMagic).int(logVersion).long(1)
	for _, e := range entries {
		b = b.long(int64(adler32.Checksum(e))).text(string(e))
		b = append(b, logEnd)
	}
	return b
}

func running(server string) string {
	return string(zktree.ServerRunning{Active: true, Address: server}.Append(nil))
}

var (
	made    = head(5, 1, 100, typeCreate).text("/otter/canal/destinations/d/running").text(running("a:1")).int(0).int(1).int(3)
	set     = head(5, 2, 200, typeSet).text("/x").text("v").int(4)
	closing = head(5, 3, 300, typeCloseSession)
	multi   = head(6, 4, 400, typeMulti).int(3).
		int(typeDelete).text(string(jutes(nil).text("/otter/canal/destinations/d/running"))).
		int(13).text(string(jutes(nil).text("/y").int(0))). // a check
		int(typeCreate).text(string(jutes(nil).text("/otter/canal/destinations/d/running").text(running("b:1"))))
	failed = head(6, 5, 500, -1).int(-101)
)

func TestParseLog(t *testing.T) {
	whole := logFile(made, set, closing, multi, failed)
	want := []change{
		{1, 100, 5, opCreate, "/otter/canal/destinations/d/running", []byte(running("a:1")), 0},
		{2, 200, 5, opSet, "/x", []byte("v"), 4},
		{3, 300, 5, opClose, "", nil, 0},
		{4, 400, 6, opDelete, "/otter/canal/destinations/d/running", nil, 0},
		{4, 400, 6, opCreate, "/otter/canal/destinations/d/running", []byte(running("b:1")), 0},
	}
	for _, b := range [][]byte{whole, append(whole[:len(whole):len(whole)], make([]byte, 1000)...), append(whole[:len(whole):len(whole)], 1, 2, 3)} {
		txns, err := parseLog(b)
		var got []change
		for _, x := range txns {
			got = append(got, x.changes...)
		}
		if err != nil || len(txns) != 5 || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v", got, err)
		}
	}
	torn, err := parseLog(whole[:len(whole)-3])
	if err != nil || len(torn) != 4 {
		t.Errorf("of a log that is cut off: %d transactions, %v", len(torn), err)
	}
	if _, err := parseLog([]byte("not a log of ZooKeeper")); err == nil {
		t.Error("no error for another file")
	}
	if _, err := parseLog(logFile(head(1, 1, 1, typeSet).text("/x"))); err == nil {
		t.Error("no error for a record that ends early")
	}
}

func TestReplay(t *testing.T) {
	cursor := string(meta.AppendCursor(nil, meta.Cursor{Host: "h", Port: 1, Position: binlog.Position{File: "b.1", Offset: 77}}))
	txns, err := parseLog(logFile(made,
		head(9, 2, 150, typeSet).text("/otter/canal/destinations/d/1001/cursor").text(cursor).int(1),
		closing, multi,
		head(6, 5, 450, typeSet).text("/otter/canal/destinations/d/1001/cursor").text(cursor).int(2)))
	if err != nil {
		t.Fatal(err)
	}
	var changes []change
	for _, x := range txns {
		changes = append(changes, x.changes...)
	}
	tr, err := replay(changes)
	if err != nil {
		t.Fatal(err)
	}
	want := []ownership{{"d", "a:1", 5, 100, 300}, {"d", "b:1", 6, 400, 0}}
	if !reflect.DeepEqual(tr.ownerships, want) {
		t.Errorf("owners %+v, want %+v", tr.ownerships, want)
	}
	if len(tr.cursors) != 2 || tr.cursors[0].session != 9 || tr.cursors[0].owner != 5 || tr.cursors[1].owner != 6 || tr.cursors[1].place != (place{"b.1", 77}) {
		t.Errorf("cursors %+v", tr.cursors)
	}
}

// A transaction that one server has, and no majority, was never made.
func TestReadTransactions(t *testing.T) {
	dirs := []string{t.TempDir(), t.TempDir(), t.TempDir()}
	write := func(dir int, name string, entries ...jutes) {
		t.Helper()
		folder := filepath.Join(dirs[dir], "version-2")
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, name), logFile(entries...), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	next := head(7, 1<<32+1, 600, typeSet).text("/z").text("w").int(1)
	write(0, "log.1", made, set)
	write(0, "log.3", set, closing, next) // it was killed, and logged one again
	write(1, "log.1", made, set, next)
	write(2, "log.1", made, closing)
	changes, err := readTransactions(dirs)
	if err != nil || len(changes) != 4 || changes[3].zxid != 1<<32+1 {
		t.Errorf("got %+v, %v", changes, err)
	}
	write(2, "log.1", made)
	if changes, err = readTransactions(dirs); err != nil || len(changes) != 3 {
		t.Errorf("got %+v, %v", changes, err)
	}
	write(1, "log.1", made, next)
	write(2, "log.1", made, closing)
	if changes, err = readTransactions(dirs); err == nil {
		t.Errorf("no error for a transaction that is missing: %+v", changes)
	}
}

func FuzzParseLog(f *testing.F) {
	f.Add(logFile(made, set, closing, multi, failed))
	f.Fuzz(func(t *testing.T, b []byte) {
		txns, err := parseLog(b)
		for _, x := range txns {
			if err == nil && len(x.changes) > len(b) {
				t.Errorf("%d changes in %d bytes", len(x.changes), len(b))
			}
		}
	})
}

// FuzzTransaction is FuzzParseLog behind the checksum.
func FuzzTransaction(f *testing.F) {
	for _, e := range []jutes{made, set, closing, multi, failed} {
		f.Add([]byte(e))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		x, err := parseTransaction(b)
		if err == nil && len(x.changes) > len(b) {
			t.Errorf("%d changes in %d bytes", len(x.changes), len(b))
		}
	})
}

func FuzzHistory(f *testing.F) {
	f.Add([]byte(`{"at":1,"kind":"batch","rows":[[0,1,2]]}` + "\n"))
	f.Fuzz(func(t *testing.T, b []byte) { parseHistory(b) })
}
