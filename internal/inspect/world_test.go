package inspect

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/towpath-cdc/towpath/client"
	"github.com/towpath-cdc/towpath/internal/config"
	"github.com/towpath-cdc/towpath/internal/control"
	"github.com/towpath-cdc/towpath/internal/instance"
	"github.com/towpath-cdc/towpath/internal/server"
	"github.com/towpath-cdc/towpath/internal/store"
	"github.com/towpath-cdc/towpath/internal/testkit/mysqltest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) // what the test servers keep
}

// world is a server with an Inspector.
type world struct {
	*Inspector
	t        testing.TB
	home     string
	recorder *Recorder
	parts    Parts
	address  string // for clients
	stop     func() // ends the server; harmless twice
	log      *lockedText
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

// newWorld makes a home folder; lines go into its canal.properties.
func newWorld(t testing.TB, lines ...string) *world {
	t.Helper()
	w := &world{t: t, home: t.TempDir(), log: &lockedText{}, stop: func() {}}
	w.write("canal.properties", append([]string{"canal.instance.global.spring.xml = classpath:spring/file-instance.xml",
		"canal.file.flush.period = 20", "canal.instance.parser.parallelThreadSize = 2"}, lines...)...)
	return w
}

// write writes a file of the configuration.
func (w *world) write(name string, lines ...string) {
	w.t.Helper()
	path := filepath.Join(w.home, "conf", name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
		w.t.Fatal(err)
	}
}

// destination writes the instance.properties of a destination.
func (w *world) destination(name, address string, lines ...string) {
	w.t.Helper()
	w.write(filepath.Join(name, "instance.properties"), append([]string{
		"canal.instance.master.address = " + address, "canal.instance.dbUsername = canal", "canal.instance.dbPassword = canal",
		"canal.instance.master.journal.name = mysql-bin.000001", "canal.instance.master.position = 4",
	}, lines...)...)
}

// up starts the server. more may change what it consists of.
func (w *world) up(more ...func(*instance.ManagerOptions, *Parts)) {
	w.t.Helper()
	c, err := config.Load(config.LoadOptions{Home: w.home})
	if err != nil {
		w.t.Fatal(err)
	}
	w.recorder = NewRecorder()
	log := slog.New(w.recorder.Handler(slog.NewTextHandler(w.log, nil)))
	o := instance.ManagerOptions{Config: c, Budget: store.NewBudget(1 << 26), Logger: log,
		InstanceLogger: func(d string) (*slog.Logger, func(string)) { return log.With("destination", d), nil }}
	w.parts = Parts{Config: c, Budget: o.Budget, Origin: Origin{Source: "files"}}
	for _, f := range more {
		f(&o, &w.parts)
	}
	w.parts.Manager = instance.NewManager(o)
	w.parts.Clients = server.New(server.Options{Logger: slog.New(slog.DiscardHandler)}, w.parts.Manager)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	w.address = ln.Addr().String()
	if w.parts.Address == "" {
		w.parts.Address = w.address
	}
	w.Inspector = New(Options{Parts: func() Parts { return w.parts }, Version: "test", Started: time.Now(), Recorder: w.recorder, Logger: log})
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- w.parts.Clients.Serve(ctx, ln) }()
	w.stop = sync.OnceFunc(func() {
		w.Close()
		w.parts.Manager.Close()
		cancel()
		if err := <-served; err != nil {
			w.t.Error(err)
		}
	})
	w.t.Cleanup(func() {
		w.stop()
		if w.t.Failed() {
			text := w.log.String()
			w.t.Log(text[max(0, len(text)-8000):])
		}
	})
}

func (w *world) start(destination string) {
	w.t.Helper()
	if err := w.parts.Manager.Start(destination); err != nil {
		w.t.Fatal(err)
	}
}

// call asks, and reads the answer as a client of the admin port would.
func call[R any](t testing.TB, i *Inspector, method string, params any) R {
	t.Helper()
	r, err := try[R](t, i, method, params)
	if err != nil {
		t.Fatalf("%s: %v", method, err)
	}
	return r
}

func try[R any](t testing.TB, i *Inspector, method string, params any) (r R, err *control.Error) {
	t.Helper()
	b, e := json.Marshal(params)
	if e != nil {
		t.Fatal(e)
	}
	result, e := i.Call(context.Background(), method, b)
	if e != nil {
		var ok bool
		if err, ok = errors.AsType[*control.Error](e); !ok {
			t.Fatalf("%s: %v is no answer", method, e)
		}
		return r, err
	}
	if b, e = json.Marshal(result); e != nil {
		t.Fatal(e)
	}
	if e = json.Unmarshal(b, &r); e != nil {
		t.Fatal(e)
	}
	return r, nil
}

// instance is the report of one destination, in full.
func (w *world) instance(destination string) control.InstanceReport {
	w.t.Helper()
	r := call[control.ServerReport](w.t, w.Inspector, control.MethodReport, control.ReportParams{Destination: destination})
	if len(r.Instances) != 1 {
		w.t.Fatalf("%d reports of %s", len(r.Instances), destination)
	}
	return r.Instances[0]
}

// connect is a client that has subscribed.
func (w *world) connect(destination string, id int16) *client.Conn {
	w.t.Helper()
	c, err := client.Dial(w.t.Context(), client.Options{Addr: w.address, Destination: destination, ClientID: id})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = c.Close() })
	if err := c.Subscribe(w.t.Context(), ""); err != nil {
		w.t.Fatal(err)
	}
	return c
}

// until waits for a condition.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// database is a fake server with a log of n transactions of one row each.
func database(t testing.TB, n int) *mysqltest.Server {
	t.Helper()
	s := mysqltest.Start(t, mysqltest.NewLog("mysql-bin", 1_700_000_000))
	s.Query = func(sql string) *mysqltest.Answer {
		if strings.HasPrefix(sql, "show create table") {
			return &mysqltest.Answer{Columns: []string{"Table", "Create Table"}, Rows: [][]string{{"t", "CREATE TABLE `t` (`id` int NOT NULL, PRIMARY KEY (`id`))"}}}
		}
		return nil
	}
	for i := range n {
		s.Log.Transaction(1_700_000_000+uint32(i), binary.LittleEndian.AppendUint32([]byte{0}, uint32(i)))
	}
	return s
}

// stopped is an Inspector of a server that does not run.
func stopped(t testing.TB) *Inspector {
	t.Helper()
	c, err := emptyConfig(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	i := New(Options{Parts: func() Parts { return Parts{Config: c} }, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	t.Cleanup(i.Close)
	return i
}

func emptyConfig(home string) (*config.Config, error) {
	if err := os.Mkdir(filepath.Join(home, "conf"), 0o755); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(home, "conf", "canal.properties"), nil, 0o644); err != nil {
		return nil, err
	}
	c, err := config.Load(config.LoadOptions{Home: home})
	if err != nil {
		return nil, fmt.Errorf("load: %w", err)
	}
	return c, nil
}
