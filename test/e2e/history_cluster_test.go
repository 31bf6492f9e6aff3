package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	mysql "github.com/go-mysql-org/go-mysql/client"

	"github.com/towpath-cdc/towpath/client"
	"github.com/towpath-cdc/towpath/internal/history/zkstore"
	"github.com/towpath-cdc/towpath/internal/zktree"
	"github.com/towpath-cdc/towpath/protocol"
	"github.com/towpath-cdc/towpath/test/servers"
)

// TestHistoryTakeover changes tables all the time while their rows are written, and
// kills the owner again and again. Its client hardly ever acks, so that every next
// owner begins far behind, where the tables were others. The binlog tells no names
// of columns; each value is the name of its column at the time.
func TestHistoryTakeover(t *testing.T) {
	kills := envInt(t, "TOWPATH_E2E_TAKEOVERS", 11)
	seed := uint64(envInt(t, "TOWPATH_E2E_SEED", time.Now().UnixNano()%1_000_000))
	t.Logf("TOWPATH_E2E_SEED=%d", seed)
	c := newCluster(t, nil, nil)
	var all []*changing
	for i, kind := range []servers.Kind{servers.MySQL57, servers.MySQL80} {
		w := newChanging(t, sharedServer(t, kind), fmt.Sprintf("htake%d", i), rand.New(rand.NewPCG(seed, uint64(i))))
		w.change(t, 20) // tables have a past before the history begins
		for _, h := range c.homes {
			h.instance(w.schema, w.db.Addr(), only(w.schema).with(at(end(t, w.db))))
		}
		w.first = w.last.Load()
		all = append(all, w)
	}
	c.start()
	for i, w := range all {
		c.leader(w.schema)
		eventually(t, startLimit, "the history of "+w.schema+" begins", func() bool { return c.snapshots(w.schema) > 0 })
		w.follow(c.options(w.schema), rand.New(rand.NewPCG(seed, 10+uint64(i))))
	}
	r := rand.New(rand.NewPCG(seed, 2))
	stop := changeAll(t, all)
	for range kills {
		owner := c.leader(all[r.IntN(len(all))].schema)
		if r.IntN(3) > 0 { // else it is killed while it takes over
			before := all[0].rows.Load()
			eventually(t, startLimit, "rows come", func() bool { return all[0].rows.Load() > before || t.Failed() })
		}
		<-time.After(time.Duration(r.IntN(1500)) * time.Millisecond) // the moment is what is random
		c.homes[owner].kill()                                        // its session lasts until it times out
		for _, w := range all {
			c.awaitRunning(w.schema, 1-owner)
		}
		c.homes[owner].launch()
		if t.Failed() {
			break
		}
	}
	stop()
	for _, w := range all {
		w.finish(t)
		t.Logf("%s: %d rows, %d came again; %d statements, %d bytes of history in %d nodes; %d acks", w.schema, w.last.Load(), w.again,
			w.statements, c.historySize(w.schema), len(c.children(zktree.History(w.schema))), w.acks)
		if w.statements < 50 || w.again == 0 {
			t.Errorf("%s: %d statements, %d rows came again", w.schema, w.statements, w.again)
		}
	}
}

// awaitRunning waits until that server has taken a destination; its instance need
// not work yet.
func (c *cluster) awaitRunning(destination string, i int) {
	c.t.Helper()
	eventually(c.t, startLimit, "the other server takes "+destination, func() bool { return c.running(destination) == c.homes[i].addr() })
}

// snapshots is how many snapshots the history of a destination has.
func (z *tree) snapshots(destination string) int {
	z.t.Helper()
	s, err := zkstore.Open(z.t.Context(), zkstore.Options{Destination: destination, Session: z.c.Session})
	if err != nil {
		z.t.Fatal(err)
	}
	defer s.Close()
	all, err := s.Snapshots(z.t.Context())
	if err != nil {
		z.t.Fatal(err)
	}
	return len(all)
}

// historySize is what the history of a destination takes.
func (z *tree) historySize(destination string) (n int) {
	z.t.Helper()
	data, _, _ := z.get(zktree.History(destination))
	n = len(data)
	for _, name := range z.children(zktree.History(destination)) {
		data, _, _ := z.get(zktree.History(destination) + "/" + name)
		n += len(data)
	}
	return n
}

// changing is a schema of which the tables change all the time, and what a client
// has seen of it. Every row has a number in the column id.
type changing struct {
	t      testing.TB
	db     *servers.Server
	schema string
	r      *rand.Rand
	tables map[string][]string // columns beside id
	old    int                 // columns there have been

	statements int
	first      int64        // number of the last row before the history
	last       atomic.Int64 // number of the last row
	rows       atomic.Int64 // seen, again and again

	stop  func()
	seen  atomic.Int64 // all rows up to this have been seen
	again int          // the reader's until stop, as acks is
	acks  int
}

func newChanging(t testing.TB, db *servers.Server, schema string, r *rand.Rand) *changing {
	t.Helper()
	w := &changing{t: t, db: db, schema: schema, r: r, tables: map[string][]string{}}
	db.MustExec(t, "CREATE DATABASE "+schema)
	c := w.connect(t)
	defer c.Close()
	for _, name := range []string{"a", "b", "c"} {
		if err := w.create(c, name); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

func (w *changing) connect(t testing.TB) *mysql.Conn {
	t.Helper()
	c, err := w.db.Connect(context.WithoutCancel(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.UseDB(w.schema); err != nil {
		t.Fatal(err)
	}
	return c
}

// change makes n steps.
func (w *changing) change(t testing.TB, n int) {
	t.Helper()
	c := w.connect(t)
	defer c.Close()
	for range n {
		if err := w.step(c); err != nil {
			t.Fatal(err)
		}
	}
}

// changeAll changes all of them until stop is called.
func changeAll(t *testing.T, all []*changing) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for _, w := range all {
		wg.Go(func() {
			c, err := w.db.Connect(context.WithoutCancel(ctx))
			if err == nil {
				defer c.Close()
				err = c.UseDB(w.schema)
			}
			for err == nil && ctx.Err() == nil {
				for range 1 + w.r.IntN(8) { // several in one second
					if err == nil {
						err = w.step(c)
					}
				}
				pauseFor(ctx, time.Duration(w.r.IntN(600))*time.Millisecond)
			}
			if err != nil {
				t.Errorf("%s: %v", w.schema, err)
			}
		})
	}
	t.Cleanup(func() { cancel(); wg.Wait() })
	return func() {
		cancel()
		wg.Wait()
	}
}

// step writes a few rows, or changes a table.
func (w *changing) step(c *mysql.Conn) error {
	name := string("abc"[w.r.IntN(3)])
	if w.r.IntN(2) == 0 {
		return w.insert(c, name)
	}
	return w.alter(c, name)
}

// insert writes rows of which each value is the name of its column.
func (w *changing) insert(c *mysql.Conn, name string) error {
	n := w.last.Load()
	var rows []string
	for range 1 + w.r.IntN(3) {
		n++
		values := []string{strconv.FormatInt(n, 10)}
		for _, col := range w.tables[name] {
			values = append(values, "'"+col+"'")
		}
		rows = append(rows, "("+strings.Join(values, ", ")+")")
	}
	columns := append([]string{"id"}, w.tables[name]...)
	if _, err := c.Execute(fmt.Sprintf("INSERT INTO %s (%s) VALUES %s", name, strings.Join(columns, ", "), strings.Join(rows, ", "))); err != nil {
		return err
	}
	w.last.Store(n)
	return nil
}

const columnType = "varchar(20)"

// column is a name that no column has had.
func (w *changing) column() string {
	w.old++
	return fmt.Sprintf("c%d", w.old)
}

// create makes a table, from columns that others have had too.
func (w *changing) create(c *mysql.Conn, name string) error {
	columns := []string{"x", "y", "z", w.column()}
	w.r.Shuffle(len(columns), func(i, j int) { columns[i], columns[j] = columns[j], columns[i] })
	w.tables[name] = columns
	var text []string
	for _, col := range columns {
		text = append(text, col+" "+columnType)
	}
	return w.exec(c, fmt.Sprintf("CREATE TABLE %s (id bigint PRIMARY KEY, %s)", name, strings.Join(text, ", ")))
}

func (w *changing) exec(c *mysql.Conn, statement string) error {
	if _, err := c.Execute(statement); err != nil {
		return fmt.Errorf("%s: %w", statement, err)
	}
	w.statements++
	return nil
}

// alter changes a table so that rows of before and after look the same in the binlog.
func (w *changing) alter(c *mysql.Conn, name string) error {
	columns := slices.Clone(w.tables[name])
	i, j := w.r.IntN(len(columns)), w.r.IntN(len(columns))
	statement := "ALTER TABLE " + name + " "
	switch w.r.IntN(7) {
	case 0: // a new name
		to := w.column()
		statement += fmt.Sprintf("CHANGE %s %s %s", columns[i], to, columnType)
		columns[i] = to
	case 1: // swapped
		if i == j {
			return nil
		}
		statement += fmt.Sprintf("CHANGE %s %s %s, CHANGE %s %s %s", columns[i], columns[j], columnType, columns[j], columns[i], columnType)
		columns[i], columns[j] = columns[j], columns[i]
	case 2: // to the front, behind id
		statement += fmt.Sprintf("MODIFY %s %s AFTER id", columns[i], columnType)
		columns = slices.Insert(slices.Delete(columns, i, i+1), 0, w.tables[name][i])
	case 3: // another one in the place of one
		to := w.column()
		after := "id"
		if i > 0 {
			after = columns[i-1]
		}
		statement += fmt.Sprintf("DROP %s, ADD %s %s AFTER %s", columns[i], to, columnType, after)
		columns[i] = to
	case 4: // dropped, and made anew
		if err := w.exec(c, "DROP TABLE "+name); err != nil {
			return err
		}
		return w.create(c, name)
	case 5: // tables swapped
		other := string("abc"[w.r.IntN(3)])
		if other == name {
			return nil
		}
		w.tables[name], w.tables[other] = w.tables[other], w.tables[name]
		return w.exec(c, fmt.Sprintf("RENAME TABLE %s TO tmp, %s TO %s, tmp TO %s", name, other, name, other))
	case 6: // within a transaction that is implicitly ended
		if err := w.insert(c, name); err != nil {
			return err
		}
		to := w.column()
		statement += fmt.Sprintf("ADD %s %s", to, columnType)
		if columns = append(columns, to); len(columns) > 8 {
			statement += ", DROP " + columns[0]
			columns = columns[1:]
		}
	}
	w.tables[name] = columns
	return w.exec(c, statement)
}

// follow reads the destination, which has the name of the schema.
func (w *changing) follow(o client.Options, r *rand.Rand) {
	ctx, cancel := context.WithCancel(w.t.Context())
	var wg sync.WaitGroup
	w.stop = func() {
		cancel()
		wg.Wait()
	}
	w.t.Cleanup(w.stop)
	w.seen.Store(w.first)
	watched := watch(&o)
	consumer := client.NewConsumer(client.ConsumerOptions{Options: o, BatchSize: 50, Wait: 50 * time.Millisecond, Retry: soon})
	wg.Go(func() {
		connections, acks := 0, 0
		for b, err := range consumer.Batches(ctx) {
			if err == nil {
				err = w.batch(b)
			}
			if err != nil {
				w.t.Errorf("reader of %s: %v", w.schema, err)
				return
			}
			if n := watched.connections(); n > connections {
				connections, acks = n, r.IntN(3)
			}
			if acks--; acks >= 0 && b.Ack() == nil { // the first ones, if any
				w.acks++
			}
		}
	})
}

// batch looks at each row: its values are the names of its columns.
func (w *changing) batch(b *client.Batch) error {
	for e, err := range b.Entries() {
		if err != nil {
			return err
		}
		if e.EntryType() != protocol.EntryRowData || e.Header().SchemaName() != w.schema {
			continue
		}
		rc, err := e.RowChange()
		if err != nil {
			return err
		}
		for row := range rc.Rows() {
			if err := w.row(e.Header().TableName(), row); err != nil {
				return fmt.Errorf("at %s:%d: %w", e.Header().LogfileName(), e.Header().LogfileOffset(), err)
			}
		}
	}
	return nil
}

func (w *changing) row(table string, row protocol.RowData) error {
	number, got := int64(0), ""
	wrong := false
	for col := range row.After() {
		got += " " + col.Name() + "=" + col.Value()
		if col.Name() == "id" {
			number = w.number(col.Value())
		} else if col.Name() != col.Value() {
			wrong = true
		}
	}
	switch {
	case wrong || number == 0:
		return fmt.Errorf("a row of %s has other names than it was written with:%s", table, got)
	case number > w.seen.Load()+1:
		return fmt.Errorf("row %d of %s comes after %d", number, table, w.seen.Load())
	case number <= w.seen.Load():
		w.again++
	default:
		w.seen.Store(number)
	}
	w.rows.Add(1)
	return nil
}

func (w *changing) number(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// finish waits until the client has seen everything.
func (w *changing) finish(t *testing.T) {
	t.Helper()
	eventually(t, startLimit, "all rows of "+w.schema+" come", func() bool { return t.Failed() || w.seen.Load() >= w.last.Load() })
	w.stop()
	if seen := w.seen.Load(); seen != w.last.Load() {
		t.Errorf("%s: %d rows of %d", w.schema, seen, w.last.Load())
	}
}

// largeTable is the definition of a table that takes some 45 KiB in a history.
func largeTable(name string, r *rand.Rand) string {
	var columns strings.Builder
	for range 1000 {
		fmt.Fprintf(&columns, ", `%s` int", noise(r, 60))
	}
	return fmt.Sprintf("CREATE TABLE %s (id bigint PRIMARY KEY%s)", name, columns.String())
}

// noise is a text that takes three quarters of its length when it is compressed.
func noise(r *rand.Rand, n int) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_$"
	b := make([]byte, n)
	for i := range b {
		b[i] = letters[r.IntN(len(letters))]
	}
	return string(b)
}

func (w *changing) mustExec(t testing.TB, c *mysql.Conn, statement string) {
	t.Helper()
	if err := w.exec(c, statement); err != nil {
		t.Fatalf("%.200v", err)
	}
}

const tooLarge = "the history is too large for its store"

// TestHistoryLimit has a history grow beyond its limit in ZooKeeper. The destination
// stands still before the statement that finds no room, on the next owner too, and
// the log says what to do; when that is done nothing is missing.
func TestHistoryLimit(t *testing.T) {
	c := newCluster(t, nil, nil)
	w := newChanging(t, sharedServer(t, servers.MySQL80), "hlimit", rand.New(rand.NewPCG(1, 1)))
	set := only(w.schema).with(at(end(t, w.db)))
	configure := func(limit string) {
		for _, h := range c.homes {
			h.instance(w.schema, w.db.Addr(), set.with(settings{"towpath.tsdb.zookeeper.limit": limit}))
		}
	}
	configure("1")
	c.start()
	owner := c.leader(w.schema)
	eventually(t, startLimit, "the history begins", func() bool { return c.snapshots(w.schema) > 0 })
	w.follow(c.options(w.schema), rand.New(rand.NewPCG(1, 2)))
	db := w.connect(t)
	defer db.Close()
	for range 20 { // of 75 KiB each
		from, to := w.tables["a"][0], w.column()
		w.mustExec(t, db, fmt.Sprintf("ALTER TABLE a /* %s */ CHANGE %s %s %s", noise(w.r, 100_000), from, to, columnType))
		w.tables["a"][0] = to
		if err := w.insert(db, "a"); err != nil {
			t.Fatal(err)
		}
	}
	c.homes[owner].awaitLog(w.schema, tooLarge, 1)
	if n := w.seen.Load(); n < 5 || n >= w.last.Load() {
		t.Errorf("%d rows of %d have come", n, w.last.Load())
	}
	c.homes[owner].kill()
	c.awaitRunning(w.schema, 1-owner)
	c.homes[owner].launch()
	c.homes[1-owner].awaitLog(w.schema, tooLarge, 1)
	text := c.homes[1-owner].log(w.schema)
	text = text[strings.Index(text, tooLarge):]
	text, _, _ = strings.Cut(text, "\n")
	t.Log(text)
	for _, part := range []string{"1.00 MiB", "canal.instance.tsdb.url", "towpath.tsdb.zookeeper.limit"} {
		if !strings.Contains(text, part) {
			t.Errorf("the log does not say %s", part)
		}
	}
	if size := c.historySize(w.schema); size > 1<<20 {
		t.Errorf("the history has %d bytes", size)
	}
	configure("16")
	w.finish(t)
}

// TestHistoryThatNeverFits: tables that are too many from the start are read from the
// source by every owner.
func TestHistoryThatNeverFits(t *testing.T) {
	c := newCluster(t, nil, nil)
	w := newChanging(t, sharedServer(t, servers.MySQL80), "hnever", rand.New(rand.NewPCG(2, 1)))
	db := w.connect(t)
	defer db.Close()
	for i := range 30 {
		w.mustExec(t, db, largeTable(fmt.Sprintf("large%d", i), w.r))
	}
	for _, h := range c.homes {
		h.instance(w.schema, w.db.Addr(), only(w.schema).with(at(end(t, w.db))).with(settings{"towpath.tsdb.zookeeper.limit": "1"}))
	}
	c.start()
	owner := c.leader(w.schema)
	w.follow(c.options(w.schema), rand.New(rand.NewPCG(2, 2)))
	insert := func() {
		for name := range w.tables {
			if err := w.insert(db, name); err != nil {
				t.Fatal(err)
			}
		}
	}
	insert()
	c.homes[owner].awaitLog(w.schema, "cannot be kept", 1)
	eventually(t, startLimit, "all rows come", func() bool { return t.Failed() || w.seen.Load() == w.last.Load() })
	c.homes[owner].kill()
	insert()
	c.awaitLeader(w.schema, 1-owner)
	insert()
	w.finish(t)
	c.homes[1-owner].awaitLog(w.schema, "cannot be kept", 1)
}
