package differential

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/client"
	"github.com/towpath-cdc/towpath/protocol"
	"github.com/towpath-cdc/towpath/test/servers"
)

// place is where a reader begins: at the start of a file, or behind a GTID set.
type place struct {
	file string
	gtid string
}

func (p place) properties() []string {
	if p.gtid != "" {
		return []string{"canal.instance.gtidon = true", "canal.instance.master.gtid = " + p.gtid}
	}
	return []string{"canal.instance.master.journal.name = " + p.file, "canal.instance.master.position = 4"}
}

func (p place) flags() []string {
	if p.gtid != "" {
		return []string{"--gtid", p.gtid}
	}
	return []string{"--journal", p.file, "--position", "4"}
}

// historyOn switches the history of table definitions on.
const historyOn = "canal.instance.tsdb.enable = true"

// replicas counts the installations: MariaDB serves one reader for each replica id.
var replicas atomic.Int64

// home writes an installation that reads db from a place, with extra lines for
// the instance.
func home(t testing.TB, db *servers.Server, port int, from place, extra ...string) string {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "conf", "canal.properties"), fmt.Sprintf("canal.port = %d\ncanal.metrics.pull.port = 0\n"+
		"canal.serverMode = tcp\ncanal.destinations = example\ncanal.instance.global.mode = spring\ncanal.instance.global.lazy = false\n"+
		"canal.instance.global.spring.xml = classpath:spring/memory-instance.xml\n", port))
	lines := []string{
		"canal.instance.master.address = " + db.Addr(),
		"canal.instance.dbUsername = canal", "canal.instance.dbPassword = canal", fmt.Sprintf("canal.instance.mysql.slaveId = %d", 3000+replicas.Add(1)),
		`canal.instance.filter.regex = .*\\..*`, `canal.instance.filter.black.regex = mysql\\.slave_.*`,
	}
	if !slices.Contains(extra, historyOn) {
		lines = append(lines, "canal.instance.tsdb.enable = false") // as Java Canal beside it
	}
	lines = append(append(lines, from.properties()...), extra...)
	write(t, filepath.Join(dir, "conf", "example", "instance.properties"), strings.Join(lines, "\n")+"\n")
	return dir
}

func write(t testing.TB, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// build makes the program under test.
func build(t testing.TB) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "towpath")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "../../cmd/towpath").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return program
}

// startTowpath runs a server with the destination example. It ends with stop,
// or with the test.
func startTowpath(t testing.TB, program string, db *servers.Server, from place, extra ...string) (port int, stop func()) {
	t.Helper()
	port, err := servers.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	dir := home(t, db, port, from, extra...)
	cmd := exec.Command(program, "server", "--home", dir)
	log, err := os.Create(filepath.Join(dir, "output.log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := servers.StartProcess(cmd); err != nil {
		t.Fatal(err)
	}
	stop = func() {
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()
	}
	t.Cleanup(func() {
		stop()
		if t.Failed() {
			b, _ := os.ReadFile(log.Name())
			t.Logf("towpath: %s", b[max(0, len(b)-4000):])
		}
	})
	return port, stop
}

// fetch says how a reader asks, and where it ends.
type fetch struct {
	size    int           // of one batch; 0 is 500
	timeout time.Duration // for a batch to fill; 0 is 200 ms
	marker  string        // schema.table: the entry that ends the reading, which is the last kept
	until   protocol.EventType
}

// silence is after what time without a new entry a reading has failed: Java
// Canal tries again ten to twenty seconds after an error, and says nothing.
const silence = 40 * time.Second

// starting is the time for the first entry: a Java Canal of many destinations
// begins with all of them at once.
const starting = 2 * time.Minute

// longest bounds the reading of one recording.
const longest = 3 * time.Minute

// entries takes entries of a destination up to the marker, as canonical JSON,
// and how many each batch had.
func entries(ctx context.Context, port int, destination string, f fetch) (lines []string, batches []int, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	late := time.AfterFunc(longest, func() {
		cancel(fmt.Errorf("no end after %v: a server that cannot go on may deliver the same again and again", longest))
	})
	defer late.Stop()
	alarm := time.AfterFunc(starting, func() { cancel(fmt.Errorf("no entry for %v, or at the beginning for %v", silence, starting)) })
	defer alarm.Stop()
	c, err := connect(ctx, port, destination)
	if err != nil {
		return nil, nil, err
	}
	defer c.Close()
	for {
		b, err := c.GetWithoutAck(ctx, max(f.size, 1), f.timeout)
		if err != nil {
			return lines, batches, fmt.Errorf("after %d entries: %w: %w", len(lines), err, context.Cause(ctx))
		}
		if !b.Empty() {
			alarm.Reset(silence)
			batches = append(batches, b.Len())
		}
		for e, err := range b.Entries() {
			if err != nil {
				return lines, batches, err
			}
			line, err := protocol.AppendJSON(nil, e.Raw(), true)
			if err != nil {
				return lines, batches, err
			}
			lines = append(lines, string(line))
			if f.ends(e) {
				return lines, batches, c.Ack(b.ID())
			}
		}
		if err := c.Ack(b.ID()); err != nil {
			return lines, batches, err
		}
	}
}

func (f fetch) ends(e *protocol.Entry) bool {
	schema, table, _ := strings.Cut(f.marker, ".")
	h := e.Header()
	return h.SchemaName() == schema && h.TableName() == table && h.EventType() == f.until
}

// connect subscribes, waiting for a server that is still starting.
func connect(ctx context.Context, port int, destination string) (*client.Conn, error) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		c, err := client.Dial(ctx, client.Options{Addr: fmt.Sprintf("127.0.0.1:%d", port), Destination: destination})
		if err == nil {
			if err = c.Subscribe(ctx, ""); err == nil {
				return c, nil
			}
			c.Close()
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("connect: %w", err)
		case <-tick.C:
		}
	}
}

// follower reads a destination in the background while a script is played.
type follower struct {
	name string
	done chan struct{}

	mu    sync.Mutex
	grown chan struct{} // closed and replaced with each entry
	lines []string
	ticks int // how many entries of the tick table were seen
	err   error
}

// follow reads a destination until the context ends.
func follow(ctx context.Context, name string, port int, destination string) *follower {
	f := &follower{name: name, done: make(chan struct{}), grown: make(chan struct{})}
	go func() {
		defer close(f.done)
		err := f.read(ctx, port, destination)
		f.mu.Lock()
		f.err = err
		close(f.grown)
		f.grown = make(chan struct{})
		f.mu.Unlock()
	}()
	return f
}

// tick is the table whose rows say how far a follower is.
const tick = "tick"

func (f *follower) read(ctx context.Context, port int, destination string) error {
	c, err := connect(ctx, port, destination)
	if err != nil {
		return err
	}
	defer c.Close()
	for {
		b, err := c.GetWithoutAck(ctx, 100, 10*time.Millisecond)
		if err != nil {
			return err
		}
		f.mu.Lock()
		for e, err := range b.Entries() {
			if err != nil {
				f.mu.Unlock()
				return err
			}
			line, err := protocol.AppendJSON(nil, e.Raw(), true)
			if err != nil {
				f.mu.Unlock()
				return err
			}
			f.lines = append(f.lines, string(line))
			if h := e.Header(); h.TableName() == tick && h.EventType() == protocol.EventInsert {
				f.ticks++
			}
		}
		if !b.Empty() {
			close(f.grown)
			f.grown = make(chan struct{})
		}
		f.mu.Unlock()
		if err := c.Ack(b.ID()); err != nil {
			return err
		}
	}
}

// await waits until n ticks were delivered.
func (f *follower) await(ctx context.Context, n int) error {
	limit := silence
	if n == 1 {
		limit = starting
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		f.mu.Lock()
		ticks, grown, err, last := f.ticks, f.grown, f.err, ""
		if len(f.lines) > 0 {
			last = f.lines[len(f.lines)-1]
		}
		f.mu.Unlock()
		if ticks >= n {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return fmt.Errorf("%s has delivered %d of %d ticks; last entry %.500s", f.name, ticks, n, last)
		}
	}
}

// taken are the entries up to the n-th tick.
func (f *follower) taken(n int) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	seen := 0
	for i, l := range f.lines {
		if strings.Contains(l, `"tableName":"`+tick+`"`) && strings.Contains(l, `"eventType":"INSERT"`) {
			if seen++; seen == n {
				return f.lines[:i+1]
			}
		}
	}
	return f.lines
}
