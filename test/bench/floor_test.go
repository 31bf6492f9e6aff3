package main

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/towpath-cdc/towpath/test/bench/workload"
)

// binlogFile writes a file of events of the given sizes and returns its size.
func binlogFile(t *testing.T, dir, name string, sizes ...int) int64 {
	t.Helper()
	b := []byte("\xfebin")
	for _, n := range sizes {
		event := make([]byte, n)
		binary.LittleEndian.PutUint32(event[9:], uint32(n))
		b = append(b, event...)
	}
	if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
		t.Fatal(err)
	}
	return int64(len(b))
}

func TestDumpSize(t *testing.T) {
	dir := t.TempDir()
	binlogFile(t, dir, "mysql-bin.000001", 100)
	second := binlogFile(t, dir, "mysql-bin.000002", 50, 60)
	third := binlogFile(t, dir, "mysql-bin.000003", 70, 80, 90)
	if err := os.WriteFile(filepath.Join(dir, "mysql-bin.index"), []byte("no binlog"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name  string
		bytes int64
		want  int64
	}{
		{"one file", second, 50 + 60 + 2*packetExtra},
		{"two files", second + third, 50 + 60 + 70 + 80 + 90 + 5*packetExtra},
		{"what follows in the last file does not count", second + third - 90, 50 + 60 + 70 + 80 + 4*packetExtra},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := dumpSize(dir, workload.Stretch{File: "mysql-bin.000002", Bytes: tt.bytes})
			if err != nil || got != tt.want {
				t.Errorf("%d, %v; want %d", got, err, tt.want)
			}
		})
	}
	if n, err := dumpSize(dir, workload.Stretch{File: "mysql-bin.000002", Bytes: second + third + 1}); err == nil {
		t.Errorf("%d for a stretch longer than its files", n)
	}
}

// A file with something that is no event is an error, not an endless loop.
func TestWalkRubbish(t *testing.T) {
	name := filepath.Join(t.TempDir(), "rubbish")
	if err := os.WriteFile(name, make([]byte, 100), 0o644); err != nil {
		t.Fatal(err)
	}
	if size, events, err := walk(name, 100); err == nil {
		t.Errorf("%d bytes in %d events", size, events)
	}
}
