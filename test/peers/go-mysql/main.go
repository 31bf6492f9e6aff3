//go:build ignore

// Command go-mysql decodes the events of a binlog file with the BinlogParser of
// github.com/go-mysql-org/go-mysql, rows included and checksums verified, and
// prints what it took as one line of JSON. The file is in memory and cut into
// events before the clock starts, as events come from a connection.
package main

import (
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/go-mysql-org/go-mysql/replication"
)

// figures have the field names that ../../bench/decode reads.
type figures struct {
	Version     string
	Rows        int64
	Wall, CPU   time.Duration // nanoseconds
	Allocations uint64
}

func main() {
	file := flag.String("file", "", "binlog `file`")
	flag.Parse()
	data, err := os.ReadFile(*file)
	fail(err)
	events, err := cut(data)
	fail(err)
	f, err := decode(events)
	fail(err)
	fail(json.NewEncoder(os.Stdout).Encode(f))
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// cut finds the events of a file.
func cut(data []byte) (events [][]byte, err error) {
	for at := 4; at < len(data); {
		if len(data)-at < replication.EventHeaderSize {
			return nil, fmt.Errorf("file ends in a header at %d", at)
		}
		n := int(binary.LittleEndian.Uint32(data[at+9:]))
		if n < replication.EventHeaderSize || n > len(data)-at {
			return nil, fmt.Errorf("event at %d claims %d bytes", at, n)
		}
		events = append(events, data[at:at+n:at+n])
		at += n
	}
	return events, nil
}

func decode(events [][]byte) (f figures, err error) {
	p := replication.NewBinlogParser()
	p.SetVerifyChecksum(true)
	p.SetTimestampStringLocation(time.UTC)
	f.Version = version()
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	cpu, start := processTime(), time.Now()
	for _, ev := range events {
		e, err := p.Parse(ev)
		if err != nil {
			return f, err
		}
		if r, ok := e.Event.(*replication.RowsEvent); ok {
			f.Rows += changes(e.Header.EventType, len(r.Rows))
		}
	}
	f.Wall, f.CPU = time.Since(start), processTime()-cpu
	runtime.ReadMemStats(&after)
	f.Allocations = after.Mallocs - before.Mallocs
	return f, nil
}

// changes is how many row changes n row images are.
func changes(t replication.EventType, n int) int64 {
	switch t {
	case replication.UPDATE_ROWS_EVENTv1, replication.UPDATE_ROWS_EVENTv2, replication.PARTIAL_UPDATE_ROWS_EVENT:
		return int64(n / 2)
	}
	return int64(n)
}

// processTime is the CPU time of this process so far.
func processTime() time.Duration {
	var u syscall.Rusage
	fail(syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// version is that of the library.
func version() string {
	info, _ := debug.ReadBuildInfo()
	for _, m := range info.Deps {
		if m.Path == "github.com/go-mysql-org/go-mysql" {
			return m.Version
		}
	}
	return ""
}
