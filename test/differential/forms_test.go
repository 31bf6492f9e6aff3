package differential

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/towpath-cdc/towpath/internal/binlog"
	"github.com/towpath-cdc/towpath/test/servers"
)

var update = flag.Bool("update", false, "write the recorded binlogs of internal/binlog/testdata anew")

// TestForms plays the script forms on each server, with checksums and without,
// and takes the binlog file that comes of it. That has the events which the files
// in internal/binlog/testdata have, so they are what the servers write; with
// -update it takes their place.
func TestForms(t *testing.T) {
	for _, k := range servers.Kinds {
		t.Run(string(k), func(t *testing.T) {
			db := servers.ForTest(t, k)
			for suffix, checksum := range map[string]string{"": "CRC32", "-plain": "NONE"} {
				file := filepath.Join("..", "..", "internal", "binlog", "testdata", "forms-"+string(k)+suffix+".binlog")
				made := record(t, db, checksum)
				if *update {
					write(t, file, string(made))
				}
				committed, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				if got, want := eventTypes(t, made), eventTypes(t, committed); !bytes.Equal(got, want) {
					t.Errorf("%s: the server writes events of types\n%v, the file has\n%v", filepath.Base(file), got, want)
				}
			}
		})
	}
}

// record plays the script into a binlog file of its own and reads that.
func record(t *testing.T, db *servers.Server, checksum string) []byte {
	t.Helper()
	r := recording{name: "forms", globals: []string{"binlog_checksum=" + checksum}, alone: true}
	at := r.play(t.Context(), db)
	if at.err != nil {
		t.Fatal(at.err)
	}
	data, err := os.ReadFile(filepath.Join(db.BinlogDir(), at.at.file))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// eventTypes are the types of a file's events, the numbers of which have a byte.
// What ends the file, by rotation or because it is still open, is left out.
func eventTypes(t *testing.T, file []byte) []byte {
	t.Helper()
	r := binlog.NewFileReader(bytes.NewReader(file))
	r.Verify = true
	var types []byte
	for {
		ev, err := r.Next()
		if errors.Is(err, io.EOF) {
			return types
		}
		if err != nil {
			t.Fatal(fmt.Errorf("event %d: %w", len(types), err))
		}
		switch ev.Header.Type {
		case binlog.EventRotate, binlog.EventStop, binlog.EventMariaCheckpoint:
		default:
			types = append(types, byte(ev.Header.Type))
		}
	}
}
