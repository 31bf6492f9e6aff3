package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	mysql "github.com/go-mysql-org/go-mysql/client"

	"github.com/towpath-cdc/towpath/client"
	"github.com/towpath-cdc/towpath/protocol"
	"github.com/towpath-cdc/towpath/test/servers"
)

// place is where an event stands in the binlog.
type place struct {
	file   string
	offset int64
}

// end is where the binlog of a server ends now.
func end(t testing.TB, s *servers.Server) place {
	t.Helper()
	rows, err := s.Query(t.Context(), "SHOW MASTER STATUS")
	if err != nil {
		if rows, err = s.Query(t.Context(), "SHOW BINARY LOG STATUS"); err != nil {
			t.Fatal(err)
		}
	}
	offset, err := strconv.ParseInt(rows[0][1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return place{rows[0][0], offset}
}

// executed is the GTID set of a server.
func executed(t testing.TB, s *servers.Server) string {
	t.Helper()
	rows, err := s.Query(t.Context(), "SELECT @@global.gtid_executed")
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(rows[0][0], "\n", "")
}

// writer makes changes in schema.t, numbered from 1 without a gap in the order
// of the binlog: a row has its number in the column seq, and ALTER TABLE in
// the table's comment.
type writer struct {
	s      *servers.Server
	schema string
	r      *rand.Rand
	last   atomic.Int64 // number of the last change that is committed
	ids    int64        // rows inserted
}

// newWriter makes the schema and its table.
func newWriter(t testing.TB, s *servers.Server, schema string) *writer {
	t.Helper()
	s.MustExec(t, "CREATE DATABASE "+schema, "CREATE TABLE "+schema+".t (id BIGINT PRIMARY KEY, seq BIGINT NOT NULL, pad VARCHAR(300) NOT NULL)",
		"CREATE TABLE "+schema+".done (id INT PRIMARY KEY)")
	return &writer{s: s, schema: schema, r: rand.New(rand.NewPCG(1, 2))}
}

// write makes transactions, one every pause if that is not 0, until n changes
// are made in this call or ctx ends.
func (w *writer) write(ctx context.Context, n int64, pause time.Duration) error {
	c, err := w.s.Connect(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	var tick <-chan time.Time
	if pause > 0 {
		ticker := time.NewTicker(pause)
		defer ticker.Stop()
		tick = ticker.C
	}
	for stop := w.last.Load() + n; w.last.Load() < stop && ctx.Err() == nil; {
		if err := w.transaction(c); err != nil {
			return err
		}
		if tick != nil {
			select {
			case <-tick:
			case <-ctx.Done():
			}
		}
	}
	return nil
}

// transaction makes one to five changes and commits them, or a DDL statement.
func (w *writer) transaction(c *mysql.Conn) error {
	next := w.last.Load()
	if w.r.IntN(50) == 0 {
		next++
		return w.commit(c, next, fmt.Sprintf("ALTER TABLE %s.t COMMENT='%d'", w.schema, next))
	}
	changes := 1 + w.r.IntN(5)
	statements := []string{"BEGIN"}
	for range changes {
		next++
		pad := strings.Repeat("x", w.r.IntN(200))
		if w.ids == 0 || w.r.IntN(3) == 0 {
			w.ids++
			statements = append(statements, fmt.Sprintf("INSERT INTO %s.t VALUES (%d, %d, '%s')", w.schema, w.ids, next, pad))
		} else {
			statements = append(statements, fmt.Sprintf("UPDATE %s.t SET seq=%d, pad='%s' WHERE id=%d", w.schema, next, pad, 1+w.r.Int64N(w.ids)))
		}
	}
	return w.commit(c, next, append(statements, "COMMIT")...)
}

func (w *writer) commit(c *mysql.Conn, next int64, statements ...string) error {
	for _, q := range statements {
		r, err := c.Execute(q)
		if err != nil {
			return fmt.Errorf("%.100q: %w", q, err)
		}
		r.Close()
	}
	w.last.Store(next)
	return nil
}

// mustWrite makes n changes.
func (w *writer) mustWrite(t testing.TB, n int64) {
	t.Helper()
	if err := w.write(t.Context(), n, 0); err != nil {
		t.Fatal(err)
	}
}

// finish marks the end of the changes, by a row in schema.done.
func (w *writer) finish(t testing.TB) {
	t.Helper()
	w.s.MustExec(t, fmt.Sprintf("INSERT INTO %s.done VALUES (1)", w.schema))
}

// table is the content of schema.t: seq by id.
func (w *writer) table(t testing.TB) map[string]string {
	t.Helper()
	rows, err := w.s.Query(t.Context(), "SELECT id, seq FROM "+w.schema+".t")
	if err != nil {
		t.Fatal(err)
	}
	m := make(map[string]string, len(rows))
	for _, r := range rows {
		m[r[0]] = r[1]
	}
	return m
}

var comment = regexp.MustCompile(`COMMENT='(\d+)'`)

// change is one change of a writer as a client got it. A DDL statement has no id.
type change struct {
	id  string
	seq int64
}

// changesOf are the changes of a writer's table that an entry brings.
func changesOf(t testing.TB, e *protocol.Entry, schema string) []change {
	t.Helper()
	h := e.Header()
	if e.EntryType() != protocol.EntryRowData || h.SchemaName() != schema || h.TableName() != "t" {
		return nil
	}
	rc, err := e.RowChange()
	if err != nil {
		t.Fatal(err)
	}
	if rc.IsDDL() {
		m := comment.FindStringSubmatch(rc.SQL())
		if m == nil {
			return nil
		}
		return []change{{seq: number(t, m[1])}}
	}
	var out []change
	for row := range rc.Rows() {
		var c change
		for col := range row.After() {
			switch col.Name() {
			case "id":
				c.id = col.Value()
			case "seq":
				c.seq = number(t, col.Value())
			}
		}
		out = append(out, c)
	}
	return out
}

func number(t testing.TB, s string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// account checks changes as they come: at least once, in order, none missing.
type account struct {
	t     testing.TB
	last  int64 // highest number so far
	taken int   // changes that came
	again int   // of them those that came again
	prev  int64 // number that came last
	rows  map[string]string
	done  bool
}

func newAccount(t testing.TB) *account { return &account{t: t, rows: make(map[string]string)} }

// take is enter for the test's own goroutine.
func (a *account) take(c change) {
	a.t.Helper()
	if err := a.enter(c); err != nil {
		a.t.Fatal(err)
	}
}

// enter enters a change. Whatever comes again must come again in full: after a
// step back the numbers go on one by one. The first change may have any number.
func (a *account) enter(c change) error {
	if a.taken > 0 && c.seq != a.prev+1 && (c.seq > a.prev || c.seq < 1) {
		return fmt.Errorf("after change %d came %d (highest so far %d)", a.prev, c.seq, a.last)
	}
	a.prev = c.seq
	a.taken++
	if c.seq <= a.last {
		a.again++
		return nil
	}
	a.last = c.seq
	if c.id != "" {
		a.rows[c.id] = strconv.FormatInt(c.seq, 10)
	}
	return nil
}

// batch enters what a batch brings.
func (a *account) batch(b *client.Batch, schema string) {
	a.t.Helper()
	for e, err := range b.Entries() {
		if err != nil {
			a.t.Fatal(err)
		}
		for _, c := range changesOf(a.t, e, schema) {
			a.take(c)
		}
		if h := e.Header(); h.SchemaName() == schema && h.TableName() == "done" && h.EventType() == protocol.EventInsert {
			a.done = true
		}
	}
}

// compare checks that everything has come and adds up to the table.
func (a *account) compare(w *writer) {
	a.t.Helper()
	if int64(a.taken-a.again) != a.last {
		a.t.Errorf("%d changes, the last of which is %d", a.taken-a.again, a.last)
	}
	if want := w.last.Load(); a.last != want {
		a.t.Errorf("the last change is %d, want %d", a.last, want)
	}
	want := w.table(a.t)
	if len(a.rows) != len(want) {
		a.t.Errorf("%d rows, want %d", len(a.rows), len(want))
	}
	for id, seq := range want {
		if a.rows[id] != seq {
			a.t.Fatalf("row %s has seq %s, want %s", id, a.rows[id], seq)
		}
	}
}

// soon is a retry that never gives up.
func soon(int, error) (time.Duration, bool) { return 20 * time.Millisecond, true }
