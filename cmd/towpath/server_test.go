package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/client"
	"github.com/towpath-cdc/towpath/internal/testkit/mysqltest"
	"github.com/towpath-cdc/towpath/protocol"
)

// lockedText is output that is written and read at the same time.
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

// freePort is a port that nobody listens on.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// home is an installation for one destination, "example".
type home struct {
	dir           string
	port, metrics int
}

func newHome(t *testing.T, s *mysqltest.Server, lines ...string) home {
	t.Helper()
	h := home{dir: t.TempDir(), port: freePort(t), metrics: freePort(t)}
	h.write(t, "canal.properties", append([]string{
		"canal.ip = 127.0.0.1", "canal.port = " + strconv.Itoa(h.port), "canal.metrics.pull.port = " + strconv.Itoa(h.metrics),
		"canal.destinations = example", "canal.auto.scan = true", "canal.auto.scan.interval = 1",
		"canal.instance.global.spring.xml = classpath:spring/file-instance.xml", "canal.instance.memory.batch.mode = ITEMSIZE",
	}, lines...)...)
	h.write(t, "example/instance.properties", "canal.instance.master.address = "+s.Address(),
		"canal.instance.dbUsername = canal", "canal.instance.dbPassword = secret-of-the-source",
		"canal.instance.master.journal.name = mysql-bin.000001", "canal.instance.master.position = 4")
	return h
}

func (h home) write(t *testing.T, name string, lines ...string) {
	t.Helper()
	path := filepath.Join(h.dir, "conf", name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
}

// sourceOf is a fake MySQL server whose table has rows 0 to n-1, one transaction each.
func sourceOf(t *testing.T, n int) *mysqltest.Server {
	t.Helper()
	s := mysqltest.Start(t, mysqltest.NewLog("mysql-bin", 1_700_000_000))
	s.Query = func(sql string) *mysqltest.Answer {
		if strings.HasPrefix(sql, "show create table") {
			return &mysqltest.Answer{Columns: []string{"Table", "Create Table"}, Rows: [][]string{{"t", "CREATE TABLE `t` (`id` int)"}}}
		}
		return nil
	}
	addRows(s, 0, n)
	return s
}

func addRows(s *mysqltest.Server, from, to int) {
	for i := from; i < to; i++ {
		s.Log.Transaction(1_700_000_000+uint32(i), binary.LittleEndian.AppendUint32([]byte{0}, uint32(i)))
	}
}

// serving is a server that runs.
type serving struct {
	t      *testing.T
	out    *lockedText
	cancel context.CancelFunc
	code   chan int
}

// serveHome runs the server until stop or the test's end.
func serveHome(t *testing.T, h home, args ...string) *serving {
	t.Helper()
	x := launch(t, h, args...)
	x.says("## the canal server is running now")
	return x
}

// says waits for a line of output.
func (x *serving) says(text string) {
	x.t.Helper()
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !strings.Contains(x.out.String(), text) {
		select {
		case <-tick.C:
		case code := <-x.code:
			x.code <- code
			x.t.Fatalf("ended with exit code %d instead of saying %q\n%s", code, text, x.out)
		case <-deadline:
			x.t.Fatalf("waited in vain for %q\n%s", text, x.out)
		}
	}
}

// stop ends the server as SIGTERM does and returns its exit code.
func (x *serving) stop() int {
	x.cancel()
	code := <-x.code
	x.code <- code
	return code
}

// rowsOf reads the rows of n transactions with the client package and acks all it got.
func rowsOf(t *testing.T, h home, n int) (values []string) {
	t.Helper()
	c, err := client.Dial(t.Context(), client.Options{Addr: fmt.Sprintf("127.0.0.1:%d", h.port), Destination: "example", ClientID: 1001})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Subscribe(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	for ends := 0; ends < n; {
		b, err := c.GetWithoutAck(t.Context(), 1, 10*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		for e, err := range b.Entries() {
			if err != nil {
				t.Fatal(err)
			}
			switch e.EntryType() {
			case protocol.EntryTransactionEnd:
				ends++
			case protocol.EntryRowData:
				values = append(values, idsOf(t, e)...)
			}
		}
		if b.Empty() {
			t.Fatalf("%d transactions of %d", ends, n)
		}
		if err := b.Ack(); err != nil {
			t.Fatal(err)
		}
	}
	// Acks are not answered; a request behind the last one is.
	if _, err := c.GetWithoutAck(t.Context(), 1, -1); err != nil {
		t.Fatal(err)
	}
	return values
}

func idsOf(t *testing.T, e *protocol.Entry) (ids []string) {
	t.Helper()
	change, err := e.RowChange()
	if err != nil {
		t.Fatal(err)
	}
	for row := range change.Rows() {
		c, _ := row.AfterColumn("id")
		ids = append(ids, c.Value())
	}
	return ids
}

// TestServer runs the server over a fake source: a client reads, metrics
// answer, and after a stop and a new start the client goes on where it was.
func TestServer(t *testing.T) {
	s := sourceOf(t, 3)
	h := newHome(t, s, "canal.instance.memory.bufer.size = 1024")
	x := serveHome(t, h)
	if got := strings.Join(rowsOf(t, h, 3), " "); got != "0 1 2" {
		t.Errorf("rows %s", got)
	}
	page := getMetrics(t, h)
	for _, want := range []string{"canal_instance", `destination="example"`} {
		if !strings.Contains(page, want) {
			t.Errorf("metrics without %s", want)
		}
	}
	if code := x.stop(); code != exitOK {
		t.Errorf("exit code %d", code)
	}
	out := x.out.String()
	at := 0
	for _, line := range []string{"## load canal configurations", "## start the canal server.", "start CannalInstance for 1-example",
		"## start the canal server[127.0.0.1(", "## stop the canal server", "stop CannalInstance for null-example", "## canal server is down."} {
		i := strings.Index(out[at:], line)
		if i < 0 {
			t.Fatalf("%q is missing or out of order in\n%s", line, out)
		}
		at += i
	}
	if strings.Contains(out, "secret-of-the-source") {
		t.Error("the password of the source is in the log")
	}
	// The key with a slip is named once, with the one that was meant.
	if strings.Count(out, "canal.instance.memory.bufer.size") != 1 || !strings.Contains(out, "canal.instance.memory.buffer.size") {
		t.Errorf("the unknown key is not named once in\n%s", out)
	}
	if b, err := os.ReadFile(filepath.Join(h.dir, "conf", "example", "meta.dat")); err != nil || !strings.Contains(string(b), "mysql-bin.000001") {
		t.Errorf("cursor %s, error %v", b, err)
	}
	if b, err := os.ReadFile(filepath.Join(h.dir, "logs", "example", "example.log")); err != nil || !strings.Contains(string(b), "start successful") {
		t.Errorf("log of the instance: %v\n%s", err, b)
	}

	addRows(s, 3, 5)
	y := serveHome(t, h)
	if got := strings.Join(rowsOf(t, h, 2), " "); got != "3 4" {
		t.Errorf("rows after the restart: %s", got)
	}
	// A folder that comes is a destination that starts.
	text, err := os.ReadFile(filepath.Join(h.dir, "conf", "example", "instance.properties"))
	if err != nil {
		t.Fatal(err)
	}
	h.write(t, "second/instance.properties", string(text))
	y.says("auto notify start second successful.")
}

func getMetrics(t *testing.T, h home) string {
	t.Helper()
	r, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/metrics", h.metrics))
	if err != nil {
		t.Fatal(err)
	}
	defer http.DefaultClient.CloseIdleConnections()
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != http.StatusOK {
		t.Fatalf("status %s, %v", r.Status, err)
	}
	return string(b)
}

// TestServerRefuses: what keeps the server from starting is told, with what has
// to be changed.
func TestServerRefuses(t *testing.T) {
	s := sourceOf(t, 1)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, port, _ := net.SplitHostPort(taken.Addr().String())
	tests := []struct {
		name string
		line string
		args []string
		code int
		want string
	}{
		{"port taken", "canal.port = " + port, nil, exitError, "canal.port"},
		{"port is no number", "canal.port = many", nil, exitError, "canal.port"},
		{"port on the command line", "", []string{"-D", "canal.port=x"}, exitError, "canal.port"},
		{"queues", "canal.serverMode = kafka", nil, exitError, "canal.serverMode"},
		{"manager without a password", "canal.admin.manager = 127.0.0.1:8089", nil, exitError, "canal.admin.passwd is empty , pls check"},
		{"no such level", "", []string{"--log-level", "loud"}, exitUsage, "loud"},
		{"no such option", "", []string{"--nosuch"}, exitUsage, "nosuch"},
		{"override without a value", "", []string{"-D", "canal.port"}, exitUsage, "want key=value"},
		{"left over", "", []string{"extra"}, exitUsage, "extra"},
		{"no such folder", "", []string{"--conf", "/nonexistent"}, exitError, "canal.properties"},
		{"profile", "", []string{"--cpu-profile", "/nonexistent/file"}, exitError, "/nonexistent/file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newHome(t, s, tt.line)
			out := &lockedText{}
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			code := run(ctx, append([]string{"server", "--home", h.dir}, tt.args...), strings.NewReader(""), out, out)
			if code != tt.code || !strings.Contains(out.String(), tt.want) {
				t.Errorf("exit code %d, want %d and %q\n%s", code, tt.code, tt.want, out)
			}
			if _, err := os.Stat(filepath.Join(h.dir, "conf", "example", "meta.dat")); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("cursors were touched: %v", err)
			}
			if n := len(s.Dumps()); n != 0 {
				t.Errorf("%d dumps were begun", n)
			}
		})
	}
}

// TestServerRunsWithABrokenDestination: the others run, and it is said why one
// does not.
func TestServerRunsWithABrokenDestination(t *testing.T) {
	h := newHome(t, sourceOf(t, 2), "canal.destinations = example,broken")
	text, err := os.ReadFile(filepath.Join(h.dir, "conf", "example", "instance.properties"))
	if err != nil {
		t.Fatal(err)
	}
	h.write(t, "broken/instance.properties", string(text))
	h.write(t, "broken/meta.dat", "{not json")
	x := serveHome(t, h)
	x.says("broken")
	x.says("meta.dat is damaged")
	if got := strings.Join(rowsOf(t, h, 2), " "); got != "0 1" {
		t.Errorf("rows %s", got)
	}
	c, err := client.Dial(t.Context(), client.Options{Addr: fmt.Sprintf("127.0.0.1:%d", h.port), Destination: "broken", ClientID: 1})
	if err == nil {
		err = c.Subscribe(t.Context(), "")
		c.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "broken") {
		t.Errorf("a client of the broken destination: %v", err)
	}
	if b, err := os.ReadFile(filepath.Join(h.dir, "conf", "broken", "meta.dat")); err != nil || string(b) != "{not json\n" {
		t.Errorf("the damaged file has been touched: %q, %v", b, err)
	}
}

// TestServerWithoutMetrics: a port for metrics that cannot be had is said, and
// is no reason not to serve.
func TestServerWithoutMetrics(t *testing.T) {
	taken, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, port, _ := net.SplitHostPort(taken.Addr().String())
	h := newHome(t, sourceOf(t, 1), "canal.metrics.pull.port = "+port)
	x := serveHome(t, h)
	x.says("no metrics")
	if got := rowsOf(t, h, 1); len(got) != 1 {
		t.Errorf("rows %v", got)
	}
	if code := x.stop(); code != exitOK {
		t.Errorf("exit code %d", code)
	}
}
