package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/test/peers"
	"github.com/towpath-cdc/towpath/test/servers"
)

// line is what the tests read of an entry that a peer printed. The peers agree
// on these names; they differ in how they print numbers.
type line struct {
	Header struct {
		SchemaName, TableName, LogfileName string
		LogfileOffset                      json.Number
	}
	RowChange struct {
		SQL      string
		RowDatas []struct {
			AfterColumns []struct{ Name, Value string }
		}
	}
}

// replay takes the lines of a peer into an account.
func (a *account) replay(lines []string, schema string) {
	a.t.Helper()
	for _, text := range lines {
		var l line
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			a.t.Fatalf("%v: %s", err, text)
		}
		if l.Header.SchemaName != schema {
			continue
		}
		if l.Header.TableName == "done" && len(l.RowChange.RowDatas) > 0 {
			a.done = true
		}
		for _, c := range l.changes(a.t) {
			a.take(c)
		}
	}
}

// changes are the changes of a writer's table that an entry brings.
func (l *line) changes(t testing.TB) (all []change) {
	t.Helper()
	if l.Header.TableName != "t" {
		return nil
	}
	if m := comment.FindStringSubmatch(l.RowChange.SQL); m != nil {
		return []change{{seq: number(t, m[1])}}
	}
	for _, row := range l.RowChange.RowDatas {
		var c change
		for _, col := range row.AfterColumns {
			switch col.Name {
			case "id":
				c.id = col.Value
			case "seq":
				c.seq = number(t, col.Value)
			}
		}
		all = append(all, c)
	}
	return all
}

// peerArgs are the arguments that make a peer read a destination up to a
// writer's mark.
func peerArgs(p peers.Peer, h *home, destination, schema string) []string {
	port, until, filter := fmt.Sprint(h.port), schema+".done", schema+`\..*`
	switch p {
	case peers.JavaClient:
		return []string{"--address", h.addr(), "--destination", destination, "--filter", filter, "--until", until, "--batch", "200", "--timeout", "100"}
	case peers.PythonClient:
		return []string{"--port", port, "--destination", destination, "--filter", filter, "--until", until, "--batch", "200", "--idle", "120"}
	default:
		return []string{"-port", port, "-destination", destination, "-filter", filter, "-until", until, "-batch", "200", "-idle", "120s"}
	}
}

// TestClients lets clients of other projects read a live workload, kills the
// server under them, and compares what each got with the table.
func TestClients(t *testing.T) {
	t.Run("mysql80", func(t *testing.T) {
		testClients(t, servers.MySQL80, peers.JavaClient, peers.PythonClient, peers.GoClient)
	})
	t.Run("mariadb1011", func(t *testing.T) {
		testClients(t, servers.MariaDB1011, peers.JavaClient)
	})
}

func testClients(t *testing.T, kind servers.Kind, clients ...peers.Peer) {
	for _, p := range append(clients, peers.JavaClient) {
		peers.ForTest(t, p)
	}
	db := sharedServer(t, kind)
	const schema = "clients"
	w := newWriter(t, db, schema)
	from := end(t, db) // behind the statements: the clients stop at the name of the table done
	h := newHome(t, nil)
	for _, p := range clients {
		h.instance(string(p), db.Addr(), at(from).with(only(schema)))
	}
	for _, d := range []string{"cluster", "tail", "raw"} {
		h.instance(d, db.Addr(), at(from).with(only(schema)))
	}
	h.start()
	for _, d := range []string{"cluster", "tail", "raw"} {
		h.dial(d).Close()
	}

	// Java's cluster connector comes back by itself; of the single ones none does.
	cluster := peers.Start(t, peers.JavaClient, "--cluster", h.addr()+","+h.addr(), "--destination", "cluster", "--filter", schema+`\..*`,
		"--retries", "20", "--until", schema+".done", "--batch", "100", "--timeout", "100")
	running := make(map[peers.Peer]*peers.Client)
	got := make(map[peers.Peer][]string)
	for _, p := range clients {
		running[p] = peers.Start(t, p, peerArgs(p, h, string(p), schema)...)
	}
	w.mustWrite(t, 500)
	for _, c := range append(mapValues(running), cluster) {
		eventually(t, time.Minute, "a client has got some changes", func() bool { return len(c.Lines()) > 500 })
	}
	h.kill()
	w.mustWrite(t, 500)
	for p, c := range running {
		lines, err := c.Wait()
		if err == nil {
			t.Errorf("%s did not notice that the server was killed", p)
		}
		got[p] = lines
	}
	h.start()
	for _, p := range clients {
		h.dial(string(p)).Close()
		running[p] = peers.Start(t, p, peerArgs(p, h, string(p), schema)...)
	}
	w.mustWrite(t, 500)
	w.finish(t)
	for p, c := range running {
		lines, err := c.Wait()
		if err != nil {
			t.Fatal(err)
		}
		check(t, string(p), w, append(got[p], lines...))
	}
	lines, err := cluster.Wait()
	if err != nil {
		t.Fatal(err)
	}
	check(t, "java cluster connector", w, lines)
	compareRaw(t, h, w)
}

func mapValues[K comparable, V any](m map[K]V) []V {
	var out []V
	for _, v := range m {
		out = append(out, v)
	}
	return out
}

// check compares what a client printed with the table.
func check(t *testing.T, name string, w *writer, lines []string) {
	t.Helper()
	a := newAccount(t)
	a.replay(lines, w.schema)
	a.compare(w)
	t.Logf("%s: %d entries, %d changes, %d of them again", name, len(lines), a.last, a.again)
}

// compareRaw reads the whole stream once more with the Java client, which rolls
// back now and then, and with our own, and compares line by line: what they make
// of the entries, and the entries' bytes.
func compareRaw(t *testing.T, h *home, w *writer) {
	t.Helper()
	ours := tail(t, h, "tail", "--raw", "--idle", "3s")
	java := peers.Run(t, peers.JavaClient, append(peerArgs(peers.JavaClient, h, "raw", w.schema), "--raw", "--rollback-every", "3")...)
	if n := len(java); n > len(ours) || n == 0 {
		t.Fatalf("the java client got %d entries, ours %d", n, len(ours))
	}
	if len(ours)-len(java) > 1 { // the end of the last transaction may come behind the mark
		t.Errorf("the java client got %d entries, ours %d", len(java), len(ours))
	}
	for i := range java {
		if java[i] != ours[i] {
			t.Fatalf("entry %d differs:\njava %s\nours %s", i, java[i], ours[i])
		}
	}
}

// tail runs our own client and returns the lines it printed.
func tail(t *testing.T, h *home, destination string, args ...string) []string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), h.bin, append([]string{"tail", "--server", h.addr(), "--destination", destination, "--format", "json"}, args...)...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("towpath tail: %v\n%s", err, errs.String())
	}
	return strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
}
