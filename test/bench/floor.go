package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/towpath-cdc/towpath/test/bench/workload"
)

// receive runs the floor over a stretch, and returns the CPU time of its process
// since it asked for the dump.
func (b *bench) receive(ctx context.Context, stretch workload.Stretch) (time.Duration, error) {
	size, err := dumpSize(b.db.BinlogDir(), stretch)
	if err != nil {
		return 0, err
	}
	cmd := exec.CommandContext(ctx, b.floor, "-source", b.db.Addr(), "-file", stretch.File, "-bytes", strconv.FormatInt(size, 10))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return 0, err
	}
	return time.ParseDuration(strings.TrimSpace(string(out)))
}

const (
	magicSize   = 4  // of a binlog file
	headerSize  = 19 // of an event
	packetExtra = 5  // what a dump sends before an event: the packet's header and a status byte
)

// dumpSize is how many bytes the server sends for a stretch, short of what it makes
// up when it begins a file.
func dumpSize(dir string, stretch workload.Stretch) (int64, error) {
	files, err := filepath.Glob(filepath.Join(dir, "mysql-bin.[0-9]*"))
	if err != nil {
		return 0, err
	}
	slices.Sort(files)
	size, left := int64(0), stretch.Bytes
	for _, f := range files {
		if filepath.Base(f) < stretch.File || left <= 0 {
			continue
		}
		taken, events, err := walk(f, left)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", f, err)
		}
		size += taken + int64(events)*packetExtra
		left -= magicSize + taken
	}
	if left > 0 {
		return 0, fmt.Errorf("the files of %s end %d bytes early", stretch.Name, left)
	}
	return size, nil
}

// walk counts the events of a binlog file up to an offset, and their bytes.
func walk(name string, until int64) (size int64, events int, err error) {
	f, err := os.Open(name)
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	r := bufio.NewReaderSize(f, 1<<20)
	if _, err := r.Discard(magicSize); err != nil {
		return 0, 0, err
	}
	for magicSize+size < until {
		header, err := r.Peek(headerSize)
		if errors.Is(err, io.EOF) && len(header) == 0 {
			break
		}
		if err != nil {
			return size, events, err
		}
		n := int(binary.LittleEndian.Uint32(header[9:]))
		if n < headerSize {
			return size, events, fmt.Errorf("an event of %d bytes at %d", n, magicSize+size)
		}
		if _, err := r.Discard(n); err != nil {
			return size, events, err
		}
		size += int64(n)
		events++
	}
	return size, events, nil
}
