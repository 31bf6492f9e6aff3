package pipeline

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"go.uber.org/goleak"

	"github.com/towpath-cdc/towpath/internal/binlog"
	"github.com/towpath-cdc/towpath/internal/config"
	"github.com/towpath-cdc/towpath/internal/mysql"
	"github.com/towpath-cdc/towpath/internal/schema"
	"github.com/towpath-cdc/towpath/internal/source"
	"github.com/towpath-cdc/towpath/internal/store"
	"github.com/towpath-cdc/towpath/protocol"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// entryOf is one entry that came out of a pipeline.
type entryOf struct {
	store.Item
	raw  []byte
	json string
}

// collector is a Store that keeps what it is given. It checks the framing and
// releases the blocks at once.
type collector struct {
	t testing.TB

	mu      sync.Mutex
	entries []entryOf
	blocks  map[*store.Block]bool
	puts    int
	before  func(ctx context.Context, put int) error // called with the number of each Put; may fail it
}

func newCollector(t testing.TB) *collector {
	return &collector{t: t, blocks: map[*store.Block]bool{}}
}

func (c *collector) Put(ctx context.Context, items []store.Item) error {
	c.mu.Lock()
	n := c.puts
	c.puts++
	before := c.before
	c.mu.Unlock()
	var err error
	if before != nil {
		err = before(ctx, n)
	}
	if err == nil {
		err = ctx.Err()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range items {
		it := items[i]
		c.blocks[it.Block] = true
		if err == nil {
			c.entries = append(c.entries, c.entry(it))
		}
		it.Block.Release(1)
	}
	return err
}

// entry takes an item apart.
func (c *collector) entry(it store.Item) entryOf {
	framed := it.Block.Bytes[it.Start:it.End]
	n, width := binary.Uvarint(framed[1:])
	raw := append([]byte(nil), framed[1+width:]...)
	if framed[0] != 0x12 || uint64(len(raw)) != n || len(raw) != int(it.Size) {
		c.t.Errorf("entry of %d bytes is framed as %d bytes, with Size %d", len(raw), n, it.Size)
	}
	text, err := jsonOf(raw)
	if err != nil {
		c.t.Errorf("entry at %s cannot be read: %v", it.Position, err)
	}
	return entryOf{Item: it, raw: raw, json: text}
}

// texts are the JSON forms of entries, which many runs have in common.
var texts struct {
	sync.Mutex
	of map[string]string
}

// jsonOf is an entry as JSON.
func jsonOf(raw []byte) (string, error) {
	texts.Lock()
	defer texts.Unlock()
	if text, ok := texts.of[string(raw)]; ok {
		return text, nil
	}
	if len(texts.of) == 0 || len(texts.of) > 2000 {
		texts.of = make(map[string]string)
	}
	b, err := protocol.AppendJSON(nil, raw, false)
	if err == nil && !utf8.Valid(b) {
		err = fmt.Errorf("text that is not UTF-8: %s", b)
	}
	if err != nil {
		return "", err
	}
	texts.of[string(raw)] = string(b)
	return string(b), nil
}

// leaks reports blocks that still have references, when none may.
func (c *collector) leaks() {
	c.t.Helper()
	for b := range c.blocks {
		if !refused(func() { b.Release(1) }) {
			c.t.Error("a block was not released")
		}
	}
}

// refused says whether f panicked, as a Release too many does.
func refused(f func()) (yes bool) {
	defer func() { yes = recover() != nil }()
	f()
	return false
}

// lines are the entries as JSON.
func (c *collector) lines() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make([]string, len(c.entries))
	for i := range c.entries {
		out[i] = c.entries[i].json
	}
	return out
}

// texts keep the golden files readable: a long text is abbreviated, with its
// checksum in place of the rest.
var longText = regexp.MustCompile(`"(?:[^"\\]|\\.){120,}"`)

func abridge(line string) string {
	return longText.ReplaceAllStringFunc(line, func(s string) string {
		return fmt.Sprintf("%s…%d bytes %08x\"", strings.ToValidUTF8(s[:40], ""), len(s)-2, crc32.ChecksumIEEE([]byte(s)))
	})
}

// tables is a loader of a few definitions, by name.
type tables map[string]string

func (l tables) LoadTable(_ context.Context, db, table string) (string, error) {
	if sql, ok := l[db+"."+table]; ok {
		return sql, nil
	}
	return "", fmt.Errorf("%s.%s: %w", db, table, schema.ErrNoTable)
}

// rig is a pipeline with what stands around it.
type rig struct {
	t       testing.TB
	o       config.Instance
	session source.Session
	store   *collector
	log     *lockedText
	p       *Pipeline
	chunks  []*source.Chunk
}

// lockedText collects log lines.
type lockedText struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lockedText) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lockedText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// newRig returns a rig with Canal's defaults, one event after the other, for a
// server of the given version. change may set options.
func newRig(t testing.TB, version string, change func(*config.Instance)) *rig {
	t.Helper()
	r := &rig{t: t, store: newCollector(t), log: &lockedText{}}
	r.o = config.Instance{
		Destination: "example", ConnectionCharset: "UTF-8", TimeZone: time.UTC, WhiteRegex: `.*\..*`, DruidDDL: true,
		TransactionSize: 1024, ParallelThreads: 1,
	}
	if change != nil {
		change(&r.o)
	}
	flavor := binlog.FlavorMySQL
	if strings.Contains(version, "MariaDB") {
		flavor = binlog.FlavorMariaDB
	}
	r.session = source.Session{
		Address: "127.0.0.1:3306", Host: "127.0.0.1", Port: 3306, Checksum: true, Tables: tables{},
		Server: mysql.Facts{Version: version, Flavor: flavor}, Position: binlog.Position{File: "log.000001", Offset: 4},
	}
	var err error
	r.p, err = New(Options{Instance: r.o, Store: r.store, Logger: slog.New(slog.NewTextHandler(r.log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// start begins a dump.
func (r *rig) start() {
	r.t.Helper()
	if err := r.p.Start(r.t.Context(), r.session); err != nil {
		r.t.Fatal(err)
	}
}

// chunk gives the pipeline some events.
func (r *rig) chunk(events ...[]byte) error {
	c := newChunk(events)
	r.chunks = append(r.chunks, c)
	return r.p.Chunk(r.t.Context(), c)
}

// newChunk puts events into one chunk, with other bytes between them.
func newChunk(events [][]byte) *source.Chunk {
	var buf []byte
	var spans []source.Span
	for _, ev := range events {
		buf = append(buf, 0)
		spans = append(spans, source.Span{Start: uint32(len(buf)), End: uint32(len(buf) + len(ev))})
		buf = append(buf, ev...)
	}
	return source.NewChunk(buf, spans)
}

// settle waits until all that was given has come out, or failed.
func (r *rig) settle() error {
	<-r.p.dump.last
	return context.Cause(r.p.dump.ctx)
}

// stop ends the dump and looks for what it has left behind.
func (r *rig) stop() {
	r.t.Helper()
	r.p.Stop()
	r.store.leaks()
	for _, c := range r.chunks {
		if !refused(c.Release) {
			r.t.Error("a chunk was not released")
		}
	}
	r.chunks = nil
}

// play gives events to the pipeline in chunks that rnd cuts, one each when it
// is nil, and returns what went wrong.
func (r *rig) play(events [][]byte, rnd *rand.Rand) error {
	r.t.Helper()
	r.start()
	defer r.stop()
	for len(events) > 0 {
		n := 1
		if rnd != nil {
			n = min(1+rnd.IntN(1+rnd.IntN(100)), len(events))
		}
		if err := r.chunk(events[:n]...); err != nil {
			return err
		}
		events = events[n:]
	}
	return r.settle()
}

// fixtures are the recorded binlogs and the versions of the servers.
var fixtures = map[string]string{
	"mysql56": "5.6.24-log", "mysql57": "5.7.22-log", "mysql80": "8.0.15", "mysql97": "9.7.4", "mariadb1011": "10.11.19-MariaDB-log",
}

// fixture reads the events of a recorded binlog.
func fixture(t testing.TB, name string) [][]byte {
	t.Helper()
	f, err := os.Open(filepath.Join("..", "binlog", "testdata", name+".binlog"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := binlog.NewFileReader(f)
	var events [][]byte
	for {
		e, err := r.Next()
		if errors.Is(err, io.EOF) {
			return events
		}
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, append([]byte(nil), e.Raw...))
	}
}

// discard is a Store that drops what it is given.
type discard struct{}

func (discard) Put(_ context.Context, items []store.Item) error {
	for i := range items {
		items[i].Block.Release(1)
	}
	return nil
}
