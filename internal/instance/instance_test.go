package instance

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/towpath-cdc/towpath/internal/config"
	"github.com/towpath-cdc/towpath/internal/meta"
	"github.com/towpath-cdc/towpath/internal/server"
	"github.com/towpath-cdc/towpath/internal/store"
	"github.com/towpath-cdc/towpath/internal/testkit/mysqltest"
)

// Package servers has a goroutine that starts processes, from the beginning on.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) }

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

// installation is a home folder with a manager over it.
type installation struct {
	*Manager
	t        *testing.T
	conf     string
	log      *lockedText // of the server and of all instances
	released chan string
}

// install makes a home folder; lines go into its canal.properties.
func install(t *testing.T, lines ...string) *installation {
	t.Helper()
	home := t.TempDir()
	in := &installation{t: t, conf: filepath.Join(home, "conf"), log: &lockedText{}, released: make(chan string, 100)}
	in.write("canal.properties", append([]string{
		"canal.instance.global.spring.xml = classpath:spring/file-instance.xml", "canal.file.flush.period = 20",
		"canal.instance.parser.parallelThreadSize = 2", "canal.instance.memory.batch.mode = ITEMSIZE",
	}, lines...)...)
	c, err := config.Load(config.LoadOptions{Home: home})
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(in.log, nil))
	in.Manager = NewManager(ManagerOptions{
		Config: c, Budget: store.NewBudget(1 << 24), Logger: log,
		InstanceLogger: func(d string) (*slog.Logger, func(string)) { return log.With("destination", d), nil },
		Released:       func(d string) { in.released <- d },
	})
	t.Cleanup(func() {
		in.Close()
		if t.Failed() {
			t.Log(in.log.String())
		}
	})
	return in
}

// write writes a file of the configuration.
func (in *installation) write(name string, lines ...string) {
	in.t.Helper()
	path := filepath.Join(in.conf, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		in.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
		in.t.Fatal(err)
	}
}

// destination writes the instance.properties of a destination that reads s.
func (in *installation) destination(name string, s *mysqltest.Server, lines ...string) {
	in.t.Helper()
	in.write(filepath.Join(name, "instance.properties"), append([]string{
		"canal.instance.master.address = " + s.Address(), "canal.instance.dbUsername = canal", "canal.instance.dbPassword = canal",
		"canal.instance.master.journal.name = mysql-bin.000001", "canal.instance.master.position = 4",
	}, lines...)...)
}

// database is a fake server with a log of n transactions of one row each.
func database(t *testing.T, n int) *mysqltest.Server {
	t.Helper()
	s := mysqltest.Start(t, mysqltest.NewLog("mysql-bin", 1_700_000_000))
	s.Query = func(sql string) *mysqltest.Answer {
		if strings.HasPrefix(sql, "show create table") {
			return &mysqltest.Answer{Columns: []string{"Table", "Create Table"}, Rows: [][]string{{"t", "CREATE TABLE `t` (`id` int)"}}}
		}
		return nil
	}
	for i := range n {
		s.Log.Transaction(1_700_000_000+uint32(i), binary.LittleEndian.AppendUint32([]byte{0}, uint32(i)))
	}
	return s
}

// until waits for a condition.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// logged waits for a line in the log.
func (in *installation) logged(text string) {
	in.t.Helper()
	until(in.t, fmt.Sprintf("%q in the log", text), func() bool { return strings.Contains(in.log.String(), text) })
}

func (in *installation) start(destination string) *Instance {
	in.t.Helper()
	if err := in.Start(destination); err != nil {
		in.t.Fatal(err)
	}
	return in.Instance(destination)
}

// take gets n entries and acks them.
func take(t *testing.T, i *Instance, c meta.Client, n int) {
	t.Helper()
	for n > 0 {
		d, err := i.Get(t.Context(), c, 1, 10*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if d.Count == 0 {
			t.Fatalf("%d entries are missing", n)
		}
		n -= d.Count
		d.Release()
		if err := i.Ack(t.Context(), c, d.BatchID); err != nil {
			t.Fatal(err)
		}
	}
}

var reader = meta.Client{ID: 1001}

// TestInstance reads from a server, stops, and goes on where the client was.
func TestInstance(t *testing.T) {
	in := install(t)
	s := database(t, 5)
	in.destination("example", s)
	i := in.start("example")
	if err := i.Subscribe(t.Context(), reader); err != nil {
		t.Fatal(err)
	}
	take(t, i, reader, 3*3) // BEGIN, rows and END of three transactions
	st := i.Status()
	if st.Resume.IsZero() || st.Stopped != nil || len(st.Clients) != 1 {
		t.Errorf("status %+v", st)
	}
	if err := in.Stop("example"); err != nil {
		t.Fatal(err)
	}
	if d := <-in.released; d != "example" {
		t.Errorf("released %q", d)
	}
	if in.Instance("example") != nil {
		t.Error("it still runs")
	}
	i = in.start("example")
	take(t, i, reader, 2*3)
	d, err := i.Get(t.Context(), reader, 1, time.Millisecond)
	if err != nil || d.Count != 0 {
		t.Errorf("%d entries more, error %v", d.Count, err)
	}
	for _, line := range []string{"start CannalInstance for 1-example", "start successful....", "stop CannalInstance for null-example",
		"stop successful....", "start CanalInstances[example] successfully", "stop CanalInstances[example] successfully", "subscribe successfully"} {
		in.logged(line)
	}
}

// TestStartFails: what is wrong with one destination is said, kept for Err, and
// does not touch the others.
func TestStartFails(t *testing.T) {
	in := install(t)
	s := database(t, 1)
	in.destination("good", s)
	in.destination("number", s, "canal.instance.memory.buffer.size = many")
	in.destination("pattern", s, "canal.instance.filter.regex = (")
	in.destination("charset", s, "canal.instance.connectionCharset = KLINGON")
	in.destination("damaged", s)
	in.write("damaged/meta.dat", `{"clientDatas":[{`)
	in.destination("empty", s)
	in.write("empty/meta.dat")
	wrong := map[string]string{
		"number": "canal.instance.memory.buffer.size", "pattern": "parenthes", "charset": "KLINGON",
		"damaged": "meta.dat is damaged", "empty": "meta.dat", "missing": "missing",
	}
	for d, what := range wrong {
		err := in.Start(d)
		if err == nil || !strings.Contains(err.Error(), d) || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: error %v, want one with %q", d, err, what)
		}
		if in.Err(d) != err || in.Instance(d) != nil {
			t.Errorf("%s: kept error %v, instance %v", d, in.Err(d), in.Instance(d))
		}
		if _, err := in.Lookup(t.Context(), d, true); !errors.Is(err, server.ErrNotStarted) {
			t.Errorf("%s: lookup says %v", d, err)
		}
	}
	i := in.start("good")
	if err := i.Subscribe(t.Context(), reader); err != nil {
		t.Fatal(err)
	}
	take(t, i, reader, 3)
	in.logged("start failed")
	if err := in.Err("good"); err != nil {
		t.Error(err)
	}
	// What was wrong is put right, and the next start succeeds.
	in.destination("number", s)
	if in.start("number") == nil || in.Err("number") != nil {
		t.Error("does not run after its file was put right")
	}
	if in.Err("nosuch") != nil || in.Instance("nosuch") != nil || in.Stop("nosuch") != nil {
		t.Error("a destination that nobody knows")
	}
}

func TestLazy(t *testing.T) {
	in := install(t, "canal.instance.global.lazy = true")
	in.destination("example", database(t, 1))
	if err := in.Start("example"); err != nil || in.Instance("example") != nil {
		t.Fatalf("a lazy instance starts at once, error %v", err)
	}
	if _, err := in.Lookup(t.Context(), "example", false); !errors.Is(err, server.ErrNotStarted) {
		t.Errorf("lookup without starting: %v", err)
	}
	var wg sync.WaitGroup
	found := make([]server.Instance, 20)
	for n := range found {
		wg.Go(func() {
			i, err := in.Lookup(t.Context(), "example", true)
			if err != nil {
				t.Error(err)
			}
			found[n] = i
		})
	}
	wg.Wait()
	for _, i := range found {
		if i != found[0] {
			t.Fatal("two clients got two instances")
		}
	}
	if n := strings.Count(in.log.String(), "start CanalInstances[example] successfully"); n != 1 {
		t.Errorf("started %d times", n)
	}
	if _, err := in.Lookup(t.Context(), "other", true); !errors.Is(err, server.ErrNotStarted) {
		t.Errorf("lookup of an unknown destination: %v", err)
	}
}

// TestWatch runs the scans of a folder that changes. Each change of a file's
// time counts, also to an older one.
func TestWatch(t *testing.T) {
	in := install(t)
	s := database(t, 1)
	in.destination("listed", s)
	in.destination("gone", s)
	for _, d := range []string{"listed", "gone", "nofolder"} {
		_ = in.Start(d)
	}
	if err := os.RemoveAll(filepath.Join(in.conf, "gone")); err != nil {
		t.Fatal(err)
	}
	in.destination("found", s)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		in.Watch(ctx, in.conf, 5*time.Millisecond, []string{"listed", "gone", "nofolder"})
	}()
	in.logged("auto notify start found successful.")
	in.logged("auto notify stop gone successful.")
	in.logged("auto notify stop nofolder successful.")
	if got := in.Destinations(); !slices.Equal(got, []string{"found", "listed"}) {
		t.Errorf("destinations %v", got)
	}
	first := in.Instance("found")
	path := filepath.Join(in.conf, "found", "instance.properties")
	if err := os.Chtimes(path, time.Time{}, time.Unix(1_000_000_000, 0)); err != nil {
		t.Fatal(err)
	}
	in.logged("auto notify reload found successful.")
	if again := in.Instance("found"); again == nil || again == first {
		t.Error("not reloaded")
	}
	// A file that is wrong now stops it; it is tried again when the file changes.
	in.destination("found", s, "canal.instance.memory.buffer.size = many")
	until(t, "the failed reload", func() bool { return in.Err("found") != nil })
	if in.Instance("found") != nil {
		t.Error("it runs with a file that is wrong")
	}
	in.destination("found", s)
	until(t, "the start", func() bool { return in.Instance("found") != nil })
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	in.logged("auto notify stop found successful.")
	if in.Instance("listed") == nil {
		t.Error("the one that did not change was stopped")
	}
	cancel()
	<-done
}

// TestWatchWithoutFolder: a folder that cannot be read changes nothing.
func TestWatchWithoutFolder(t *testing.T) {
	in := install(t)
	in.destination("example", database(t, 1))
	in.start("example")
	state := config.NewScanState([]string{"example"})
	next := in.scan(filepath.Join(in.conf, "nosuch"), state)
	if len(next) != 1 || in.Instance("example") == nil {
		t.Errorf("state %v, instance %v", next, in.Instance("example"))
	}
}

// TestStall: an instance whose client does not ack is named, again after a
// while, and once more when it is over.
func TestStall(t *testing.T) {
	in := install(t, "canal.instance.memory.buffer.size = 4")
	in.destination("example", database(t, 20))
	i := in.start("example")
	if err := i.Subscribe(t.Context(), reader); err != nil {
		t.Fatal(err)
	}
	until(t, "a full ring", func() bool { _, full := i.Stall(time.Now()); return full })
	said := map[string]time.Time{}
	const again = 5 * time.Minute
	stands := func() int { return strings.Count(in.log.String(), "reading from the source stands still") }
	now := time.Now()
	for _, step := range []struct {
		after time.Duration
		want  int
	}{{0, 0}, {stallAfter / 2, 0}, {stallAfter + time.Second, 1}, {stallAfter + time.Minute, 1}, {stallAfter + 6*time.Minute, 2}} {
		in.reportStall("example", now.Add(step.after), again, said)
		if got := stands(); got != step.want {
			t.Errorf("after %s: said %d times, want %d", step.after, got, step.want)
		}
	}
	take(t, i, reader, 60)
	in.reportStall("example", time.Now(), again, said)
	in.logged("the ring has room again")
	if len(said) != 0 {
		t.Errorf("still remembered: %v", said)
	}
	in.reportStall("nosuch", time.Now(), again, said)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	in.ReportStalls(ctx)
}

// TestClose: nothing runs after it, waiting gets end, and nothing starts any more.
func TestClose(t *testing.T) {
	in := install(t)
	s := database(t, 1)
	for _, d := range []string{"a", "b", "c"} {
		in.destination(d, s)
		in.start(d)
	}
	i := in.Instance("a")
	if err := i.Subscribe(t.Context(), reader); err != nil {
		t.Fatal(err)
	}
	take(t, i, reader, 3)
	got := make(chan error)
	go func() {
		_, err := i.Get(t.Context(), reader, 1, 0)
		got <- err
	}()
	in.Close()
	if err := <-got; err == nil {
		t.Error("a waiting get ends without an error")
	}
	for _, d := range []string{"a", "new"} {
		if err := in.Start(d); err == nil || in.Instance(d) != nil {
			t.Errorf("%s starts after Close: error %v", d, err)
		}
	}
	in.Close()
}

// TestTogether does everything to the same destinations at once.
func TestTogether(t *testing.T) {
	in := install(t)
	s := database(t, 3)
	names := []string{"a", "b"}
	for _, d := range names {
		in.destination(d, s)
	}
	var wg sync.WaitGroup
	for n := range 12 {
		wg.Go(func() {
			d := names[n%2]
			for range 4 {
				switch n / 2 {
				case 0:
					_ = in.Start(d)
				case 1:
					_ = in.Stop(d)
				case 2:
					_ = in.Reload(d)
				case 3:
					if i, err := in.Lookup(t.Context(), d, true); err == nil {
						_ = i.Subscribe(t.Context(), reader)
					}
				case 4:
					_ = in.Err(d)
					if i := in.Instance(d); i != nil {
						_ = i.Status()
					}
				case 5:
					_ = in.Forget(d)
				}
			}
		})
	}
	wg.Wait()
	for _, d := range names {
		in.start(d)
	}
}
