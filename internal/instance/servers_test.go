package instance

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/internal/source"
	"github.com/towpath-cdc/towpath/protocol"
	"github.com/towpath-cdc/towpath/test/servers"
)

// subscribed starts a destination and subscribes to it.
func (in *installation) subscribed(destination string) *Instance {
	in.t.Helper()
	i := in.start(destination)
	if err := i.Subscribe(in.t.Context(), reader); err != nil {
		in.t.Fatal(err)
	}
	return i
}

// upTo takes and acks entries up to a row of the table d.mark whose turn it is.
func upTo(t *testing.T, i *Instance, mark int) (all [][]byte) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	for {
		d, err := i.Get(ctx, reader, 100, 50*time.Millisecond)
		if err != nil {
			t.Fatalf("%v; %d entries; %+v", err, len(all), i.Status().Source)
		}
		found := false
		for _, b := range d.Buffers {
			for len(b) > 0 {
				size, head := binary.Uvarint(b[1:])
				end := 1 + head + int(size)
				raw := bytes.Clone(b[1+head : end])
				all, b = append(all, raw), b[end:]
				found = found || isMark(t, raw, mark)
			}
		}
		d.Release()
		if err := i.Ack(ctx, reader, d.BatchID); err != nil {
			t.Fatal(err)
		}
		if found {
			return all
		}
	}
}

func isMark(t *testing.T, raw []byte, mark int) bool {
	e := entry(t, raw)
	return e.Header().TableName() == "mark" && slices.Equal(ids(t, e), []string{fmt.Sprint(mark)})
}

func entry(t *testing.T, raw []byte) *protocol.Entry {
	t.Helper()
	e, err := protocol.ParseEntry(raw)
	if err != nil {
		t.Fatal(err)
	}
	return &e
}

// ids are the values of the first column of the rows that an entry inserts.
func ids(t *testing.T, e *protocol.Entry) (values []string) {
	t.Helper()
	if e.EntryType() != protocol.EntryRowData {
		return nil
	}
	c, err := e.RowChange()
	if err != nil {
		t.Fatal(err)
	}
	if c.EventType() != protocol.EventInsert {
		return nil
	}
	for row := range c.Rows() {
		for col := range row.After() {
			values = append(values, col.Value())
			break
		}
	}
	return values
}

// TestLocalBinlogOfServers reads the files of a server while it writes them, and its
// log as a replica does: the entries must be the same, byte by byte. Without a server
// to ask the definitions come from the files, so types may be spelled otherwise.
func TestLocalBinlogOfServers(t *testing.T) {
	for _, kind := range []servers.Kind{servers.MySQL57, servers.MySQL80, servers.MariaDB1011} {
		t.Run(string(kind), func(t *testing.T) {
			s := servers.ForTest(t, kind)
			rows, err := s.Query(t.Context(), "SHOW BINARY LOGS")
			if err != nil {
				t.Fatal(err)
			}
			first := rows[0][0]
			in := install(t, "canal.instance.tsdb.spring.xml = classpath:spring/tsdb/h2-tsdb.xml") // as canal.properties has it
			define := func(name string, lines ...string) {
				in.write(filepath.Join(name, "instance.properties"), append([]string{
					"canal.instance.dbUsername = canal", "canal.instance.dbPassword = canal", `canal.instance.filter.regex = d\\..*`,
					"canal.instance.master.journal.name = " + first, "canal.instance.master.position = 4"}, lines...)...)
			}
			server, files := "canal.instance.master.address = "+s.Addr(), "towpath.instance.localBinlog.dir = "+s.BinlogDir()
			define("live", server)
			define("files", server, files)
			define("alone", files)
			define("live-gtid", server, "canal.instance.gtidon = true")
			define("files-gtid", server, files, "canal.instance.gtidon = true")
			define("turns", server) // reads the server, then its files, then the server again
			names := []string{"live", "files", "alone", "turns"}
			if rows, err = s.Query(t.Context(), "SELECT @@gtid_mode"); kind.IsMariaDB() || err == nil && rows[0][0] == "ON" {
				names = append(names, "live-gtid", "files-gtid")
			}
			s.MustExec(t, "CREATE DATABASE d", "CREATE TABLE d.mark (id int primary key)",
				"CREATE TABLE d.t (id int primary key, a varchar(40) charset utf8mb4, b decimal(20,4), c datetime, d mediumtext, e enum('x','y'), f bigint unsigned)")
			got := map[string][][]byte{}
			for round := range 3 {
				work(t, s, round)
				if round > 0 {
					define("turns", []string{server, files}[:1+round%2]...)
					if err := in.Reload("turns"); err != nil {
						t.Fatal(err)
					}
				}
				for _, name := range names {
					i := in.Instance(name)
					if i == nil {
						i = in.subscribed(name)
					}
					got[name] = append(got[name], upTo(t, i, round)...)
				}
				if round == 1 { // with something that is read and not acked
					s.MustExec(t, "INSERT INTO d.t (id) VALUES (900000)")
					for _, name := range names {
						if err := in.Reload(name); err != nil {
							t.Fatal(err)
						}
					}
				}
			}
			compare(t, "files", got["files"], got["live"], true)
			compare(t, "alone", got["alone"], got["live"], false)
			compare(t, "turns", got["turns"], got["live"], true)
			if len(names) > 4 {
				compare(t, "files-gtid", got["files-gtid"], got["live-gtid"], true)
			}
			if st := in.Instance("files").Status(); st.Source.Phase != source.PhaseStreaming || st.Source.Address != s.BinlogDir() {
				t.Errorf("state %+v", st.Source)
			}
		})
	}
}

// work changes the server, over two files.
func work(t *testing.T, s *servers.Server, round int) {
	t.Helper()
	base := round * 1000
	s.MustExec(t, fmt.Sprintf("INSERT INTO d.t (id, a, b, c, d, e, f) VALUES (%d, 'äöü', 12.5, '2024-01-02 03:04:05', repeat('x', 70000), 'y', 18446744073709551615)", base),
		"BEGIN", fmt.Sprintf("INSERT INTO d.t (id, a) VALUES (%d, 'a'), (%d, NULL)", base+1, base+2), fmt.Sprintf("UPDATE d.t SET a = 'b' WHERE id = %d", base+1), "COMMIT",
		fmt.Sprintf("ALTER TABLE d.t ADD COLUMN n%d int DEFAULT %d", round, round), "FLUSH LOGS",
		fmt.Sprintf("CREATE TABLE d.u%d (id int, t mediumtext)", round), fmt.Sprintf("INSERT INTO d.u%d VALUES (1, repeat('y', 700000))", round),
		fmt.Sprintf("DELETE FROM d.t WHERE id = %d", base+2), fmt.Sprintf("INSERT INTO d.mark VALUES (%d)", round))
}

// compare tells where entries differ: in their bytes, or in where they stand and what
// they insert.
func compare(t *testing.T, name string, got, want [][]byte, exact bool) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d entries, want %d", name, len(got), len(want))
	}
	for n := range min(len(got), len(want)) {
		g, w := entry(t, got[n]), entry(t, want[n])
		same := bytes.Equal(got[n], want[n])
		if !exact {
			same = g.Header().LogfileOffset() == w.Header().LogfileOffset() && g.Header().TableName() == w.Header().TableName() &&
				g.EntryType() == w.EntryType() && g.Header().EventType() == w.Header().EventType() && slices.Equal(ids(t, g), ids(t, w))
		}
		if !same {
			t.Errorf("%s: entry %d is\n%q\nwant\n%q", name, n, got[n][:min(len(got[n]), 400)], want[n][:min(len(want[n]), 400)])
			return
		}
	}
}

// TestGroupOfServers reads two servers. One of them is killed and comes back, and so
// does the instance: of neither anything is missing, and each is in order.
func TestGroupOfServers(t *testing.T) {
	a, b := servers.ForTest(t, servers.MySQL80), servers.ForTest(t, servers.MySQL57)
	for _, s := range []*servers.Server{a, b} {
		s.MustExec(t, "CREATE DATABASE d", "CREATE TABLE d.mark (id int primary key)", "CREATE TABLE d.t (id int primary key, a text)")
	}
	in := install(t, groupXML)
	in.write("example/instance.properties", "canal.instance.dbUsername = canal", "canal.instance.dbPassword = canal", `canal.instance.filter.regex = d\\..*`,
		"canal.instance.master1.address = "+a.Addr(), "canal.instance.master2.address = "+b.Addr())
	i := in.subscribed("example")
	until(t, "both dumps", func() bool { return i.Status().Read.Dumps == 2 })
	next := map[*servers.Server]int{}
	insert := func(s *servers.Server, n int) {
		for range n {
			next[s]++
			s.MustExec(t, "BEGIN", fmt.Sprintf("INSERT INTO d.t VALUES (%d, 'one')", 2*next[s]), fmt.Sprintf("INSERT INTO d.t VALUES (%d, 'two')", 2*next[s]+1), "COMMIT")
		}
	}
	var all [][]byte
	for round := range 3 {
		insert(a, 20)
		insert(b, 20)
		switch round {
		case 0:
			b.Kill()
			insert(a, 5)
			a.MustExec(t, "INSERT INTO d.mark VALUES (100)")
			all = append(all, upTo(t, i, 100)...) // one goes on without the other
			if err := b.Up(t.Context()); err != nil {
				t.Fatal(err)
			}
		case 1:
			if err := in.Stop("example"); err != nil {
				t.Fatal(err)
			}
			insert(b, 5)
			insert(a, 5)
			i = in.start("example")
		}
		for n, s := range []*servers.Server{a, b} {
			s.MustExec(t, fmt.Sprintf("INSERT INTO d.mark VALUES (%d)", 10*round+n+1))
		}
		// The marks come in any order: the second look begins where the first ended.
		rest := upTo(t, i, 10*round+1)
		if !slices.ContainsFunc(rest, func(raw []byte) bool { return isMark(t, raw, 10*round+2) }) {
			rest = append(rest, upTo(t, i, 10*round+2)...)
		}
		all = append(all, rest...)
	}
	checkSource(t, "a", all, uint16(a.Port), next[a])
	checkSource(t, "b", all, uint16(b.Port), next[b])
}

// checkSource checks that the rows of one server are all there, in order but for what
// comes again.
func checkSource(t *testing.T, name string, all [][]byte, serverID uint16, transactions int) {
	t.Helper()
	last := 1
	for _, raw := range all {
		e := entry(t, raw)
		if e.Header().ServerID() != int64(serverID) || e.Header().TableName() != "t" {
			continue
		}
		for _, id := range ids(t, e) {
			var n int
			if _, err := fmt.Sscan(id, &n); err != nil {
				t.Fatal(err)
			}
			if n > last+1 {
				t.Fatalf("%s: %d comes after %d", name, n, last)
			}
			last = max(last, n)
		}
	}
	if last != 2*transactions+1 {
		t.Errorf("%s: the last row is %d, want %d", name, last, 2*transactions+1)
	}
}
