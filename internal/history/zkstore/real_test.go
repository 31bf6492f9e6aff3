package zkstore

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/towpath-cdc/towpath/internal/history"
	"github.com/towpath-cdc/towpath/internal/testkit/historytest"
	"github.com/towpath-cdc/towpath/internal/zk"
	"github.com/towpath-cdc/towpath/internal/zktree"
	"github.com/towpath-cdc/towpath/test/servers"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// openClient opens a client that ends with the test.
func openClient(t testing.TB, c zk.Config) *zk.Client {
	t.Helper()
	client, err := zk.Open(c)
	must(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := client.Close(ctx); err != nil {
			t.Log(err)
		}
	})
	return client
}

func openSession(t testing.TB, address string) *zk.Session {
	t.Helper()
	s, err := openClient(t, zk.Config{Servers: strings.Split(address, ","), SessionTimeout: 20 * time.Second}).Session(t.Context())
	must(t, err)
	return s
}

// owner makes the nodes that the owner of a destination has, and returns the
// options of its history.
func owner(t testing.TB, s *zk.Session, destination, id string) Options {
	t.Helper()
	for _, p := range []string{zktree.Lease(destination, id), zktree.Running(destination)} {
		must(t, s.CreateParents(t.Context(), p))
		_, err := s.Create(t.Context(), p, nil, zk.Ephemeral)
		must(t, err)
	}
	checks := []zk.Op{zk.CheckOp(zktree.Lease(destination, id), zk.AnyVersion), zk.CheckOp(zktree.Running(destination), 0)}
	return Options{
		Destination: destination,
		Session:     func(context.Context) (*zk.Session, error) { return s, nil },
		Guard:       func() (*zk.Session, []zk.Op, error) { return s, checks, nil },
		Notice:      func(text string) { t.Log(text) },
	}
}

// disown takes the nodes of an owner away, as another one does.
func disown(t testing.TB, s *zk.Session, destination, id string) {
	t.Helper()
	must(t, s.Delete(t.Context(), zktree.Running(destination), zk.AnyVersion))
	must(t, s.Delete(t.Context(), zktree.Lease(destination, id), zk.AnyVersion))
}

func open(t testing.TB, o Options) *Store {
	t.Helper()
	s, err := Open(t.Context(), o)
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	return s
}

var destinations atomic.Int32

// destination is a name that no other test has.
func destination() string { return fmt.Sprintf("d%d", destinations.Add(1)) }

// startZooKeeper starts a server that has room for what the tests write.
func startZooKeeper(t testing.TB) *servers.ZooKeeper {
	t.Helper()
	return servers.ZooKeeperForTest(t, servers.ZooKeeperOptions{Heap: 512})
}

func TestSuite(t *testing.T) {
	server := startZooKeeper(t)
	s := openSession(t, server.Addr())
	historytest.Run(t, func(t *testing.T) history.Log { return open(t, owner(t, s, destination(), "1-1")) })
	t.Run("durable", func(t *testing.T) {
		historytest.RunDurable(t, func(t *testing.T) func(t *testing.T) history.Log {
			o := owner(t, s, destination(), "1-1")
			return func(t *testing.T) history.Log { return open(t, o) }
		})
	})
}

func TestMain(m *testing.M) {
	flag.Parse()
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent())
}

// read is all that is in a history.
type read struct {
	changes   []history.Change
	snapshots []history.Snapshot
	state     string
}

func readAll(t testing.TB, s *Store) read {
	t.Helper()
	var r read
	var err error
	r.changes, err = s.Changes(t.Context(), 0)
	must(t, err)
	r.snapshots, err = s.Snapshots(t.Context())
	must(t, err)
	for i := range r.snapshots {
		r.snapshots[i].Schemas, err = s.Schemas(t.Context(), r.snapshots[i].ID)
		must(t, err)
	}
	state, err := s.State(t.Context())
	must(t, err)
	r.state = string(state)
	return r
}

// nodes are the names of the nodes below a history.
func nodes(t testing.TB, s *zk.Session, destination string) []string {
	t.Helper()
	names, _, err := s.Children(t.Context(), zktree.History(destination))
	if !errors.Is(err, zk.ErrNoNode) {
		must(t, err)
	}
	slices.Sort(names)
	return names
}

var noises atomic.Uint64

// noise is a text that does not become much smaller when it is compressed, another
// one every time.
func noise(n int) string {
	r := rand.NewPCG(noises.Add(1), 0)
	b := make([]byte, n)
	for i := range b {
		b[i] = 'A' + byte(r.Uint64()%32)
	}
	return string(b)
}

// tables is a snapshot with n bytes that cannot be compressed much.
func tables(i, n int) history.Snapshot {
	s := historytest.Tables(i)
	s.Schemas["large"] = noise(n)
	return s
}

func TestRealZooKeeper(t *testing.T) {
	server := startZooKeeper(t)
	s, other := openSession(t, server.Addr()), openSession(t, server.Addr())
	for name, test := range map[string]func(t *testing.T, s, other *zk.Session){
		"takeover": realTakeover, "fence": realFence, "lost": realLost, "interrupted": realInterrupted,
		"bound": realBound, "nothing but the newest": realTooLarge, "thousands of changes": realThousands, "big statements": realBig,
		"many tables": realManyTables, "damage": realDamage, "later version": realLater, "no guard": realNoGuard,
		"foreign hand": realForeign, "member": realMember, "no snapshot": realUseless, "renew": realRenew,
	} {
		t.Run(name, func(t *testing.T) { test(t, s, other) })
	}
}

// realTakeover: the next owner reads what the former one wrote.
func realTakeover(t *testing.T, s, other *zk.Session) {
	d := destination()
	var want read
	for i := range 6 {
		session, id := s, fmt.Sprintf("%d-1", i)
		if i%2 == 1 {
			session = other
		}
		store := open(t, owner(t, session, d, id))
		if got := readAll(t, store); !reflect.DeepEqual(got, want) && i > 0 {
			t.Fatalf("owner %d reads %.1000v, want %.1000v", i, got, want)
		}
		must(t, store.Append(t.Context(), historytest.Statement(i)))
		must(t, store.AddSnapshot(t.Context(), tables(i, 10_000)))
		must(t, store.SetState(t.Context(), []byte{byte(i)}))
		want = readAll(t, store)
		disown(t, session, d, id)
	}
}

// realFence: the owner before can write nothing, also if it does not know yet.
func realFence(t *testing.T, s, other *zk.Session) {
	d := destination()
	old := open(t, owner(t, s, d, "1-1"))
	must(t, old.Append(t.Context(), historytest.Statement(1)))
	must(t, old.AddSnapshot(t.Context(), historytest.Tables(1)))
	disown(t, s, d, "1-1")
	current := open(t, owner(t, other, d, "2-2"))
	want, was := readAll(t, current), nodes(t, s, d)
	snapshot := want.snapshots[0].ID
	for name, call := range map[string]func() error{
		"append":         func() error { return old.Append(t.Context(), historytest.Statement(2)) },
		"replace":        func() error { c := historytest.Statement(1); c.SQL = "x"; return old.Append(t.Context(), c) },
		"add snapshot":   func() error { return old.AddSnapshot(t.Context(), historytest.Tables(2)) },
		"large snapshot": func() error { return old.AddSnapshot(t.Context(), tables(2, 2<<20)) },
		"remove":         func() error { return old.Remove(t.Context(), []int64{snapshot}, []int64{want.changes[0].ID}) },
		"set state":      func() error { return old.SetState(t.Context(), []byte("x")) },
		"append again":   func() error { return old.Append(t.Context(), historytest.Statement(2)) },
	} {
		if err := call(); !errors.Is(err, history.ErrNotOwner) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := nodes(t, s, d); !slices.Equal(got, was) {
		t.Errorf("nodes %v, want %v", got, was)
	}
	must(t, current.Append(t.Context(), historytest.Statement(3)))
	again := owner(t, s, destination(), "3-3")
	again.Destination = d
	if got := readAll(t, open(t, again)); len(got.changes) != 2 || len(got.snapshots) != 1 || got.state != "" {
		t.Errorf("there is now %+v", got)
	}
}

// realLost: whoever waits is told when the destination is lost.
func realLost(t *testing.T, s, _ *zk.Session) {
	o := owner(t, s, destination(), "1-1")
	lost := make(chan struct{})
	o.Lost = lost
	asked := make(chan struct{})
	var once sync.Once
	o.Guard = func() (*zk.Session, []zk.Op, error) {
		once.Do(func() { close(asked) })
		return nil, nil, errors.New("suspended")
	}
	store := open(t, o)
	done := make(chan error, 1)
	go func() { done <- store.Append(t.Context(), historytest.Statement(1)) }()
	<-asked
	close(lost)
	if err := <-done; !errors.Is(err, history.ErrNotOwner) {
		t.Errorf("append: %v", err)
	}
	if err := store.SetState(t.Context(), nil); !errors.Is(err, history.ErrNotOwner) {
		t.Errorf("set state: %v", err)
	}
}

// realInterrupted: an owner dies before each of the transactions of a write. What
// was there stays, and the next one leaves no rests.
func realInterrupted(t *testing.T, s, _ *zk.Session) {
	for name, write := range map[string]func(store *Store) error{
		"first snapshot": func(store *Store) error { return store.AddSnapshot(t.Context(), tables(1, 900_000)) },
		"snapshot":       func(store *Store) error { return store.AddSnapshot(t.Context(), tables(3, 900_000)) },
		"replace":        func(store *Store) error { return store.AddSnapshot(t.Context(), tables(2, 700_000)) },
		"change": func(store *Store) error {
			c := historytest.Statement(9)
			c.SQL = noise(900_000)
			return store.Append(t.Context(), c)
		},
		"remove": func(store *Store) error {
			r := readAll(t, store)
			return store.Remove(t.Context(), []int64{r.snapshots[0].ID}, []int64{r.changes[0].ID, r.changes[1].ID})
		},
	} {
		for dies := 1; ; dies++ {
			d := destination()
			o := owner(t, s, d, "1-1")
			store := open(t, o)
			if name != "first snapshot" {
				c := historytest.Statement(8)
				c.SQL = noise(700_000)
				must(t, store.Append(t.Context(), c))
				must(t, store.Append(t.Context(), historytest.Statement(1)))
				must(t, store.AddSnapshot(t.Context(), tables(2, 600_000)))
			}
			before := readAll(t, store)
			mortal, asked := o, 0
			mortal.Guard = func() (*zk.Session, []zk.Op, error) {
				if asked++; asked >= dies {
					return nil, nil, history.ErrNotOwner
				}
				return o.Guard()
			}
			err := write(open(t, mortal))
			next := open(t, o)
			after := readAll(t, next)
			if got, want := nodes(t, s, d), named(next); asked > 0 && !slices.Equal(got, want) && len(want) > 0 {
				t.Errorf("%s, dead after %d: the nodes are %v, want %v", name, dies, got, want)
			}
			if err == nil {
				if reflect.DeepEqual(after, before) || dies < 2 {
					t.Errorf("%s: written after %d transactions: %.500v", name, dies, after)
				}
				t.Logf("%s: %d transactions", name, dies-1)
				break
			}
			if !errors.Is(err, history.ErrNotOwner) || !reflect.DeepEqual(after, before) {
				t.Fatalf("%s, dead after %d (%v): %.500v, want %.500v", name, dies, err, after, before)
			}
			must(t, write(next))
			if reflect.DeepEqual(readAll(t, next), before) {
				t.Errorf("%s, dead after %d: the next one cannot write", name, dies)
			}
			must(t, s.DeleteAll(t.Context(), zktree.History(d)))
		}
	}
}

// named are the nodes that there are to be.
func named(s *Store) []string {
	var out []string
	if s.current.headAt.exists() {
		out = append(out, "tail")
	}
	if s.current.doc.exists() {
		out = append(out, "state")
	}
	for _, b := range s.current.head.blobs() {
		for n := range b.pieces {
			out = append(out, b.node(n)[1:])
		}
	}
	slices.Sort(out)
	return out
}

// realBound: the oldest goes, and somebody is told.
func realBound(t *testing.T, s, _ *zk.Session) {
	o := owner(t, s, destination(), "1-1")
	o.Limit = 2 << 20
	var notices []string
	o.Notice = func(text string) { notices = append(notices, text) }
	store := open(t, o)
	first := tables(0, 300_000)
	first.Initial = true
	must(t, store.AddSnapshot(t.Context(), first))
	for i := 1; i < 30; i++ {
		c := historytest.Statement(i)
		c.SQL += noise(50_000)
		must(t, store.Append(t.Context(), c))
		if i%3 == 0 {
			must(t, store.AddSnapshot(t.Context(), tables(i, 300_000)))
		}
		if size := store.Size(); size > o.Limit {
			t.Fatalf("%d bytes after %d changes", size, i)
		}
	}
	r := readAll(t, open(t, o))
	oldest := r.snapshots[0].At.Timestamp
	if len(r.snapshots) < 3 || r.snapshots[0].Initial || r.snapshots[len(r.snapshots)-1].At.Offset != historytest.Tables(27).At.Offset {
		t.Errorf("%d snapshots, the oldest of %v", len(r.snapshots), r.snapshots[0].At)
	}
	// Of the changes since the oldest snapshot none is missing.
	want := 29
	for _, c := range slices.Backward(r.changes) {
		if c.At.Offset != historytest.Statement(want).At.Offset {
			t.Fatalf("change at %v where %d is due", c.At, want)
		}
		want--
	}
	if historytest.Statement(want).At.Timestamp > oldest { // what is of the same time is in the snapshot
		t.Errorf("changes up to %d are missing, but the oldest snapshot is of %d", historytest.Statement(want).At.Timestamp, oldest)
	}
	if len(notices) == 0 || !strings.Contains(notices[0], "cannot be resumed") {
		t.Errorf("notices %q", notices)
	}
	if total := stored(t, s, o.Destination); total != store.Size() {
		t.Errorf("%d bytes are in ZooKeeper, counted were %d", total, store.Size())
	}
}

// stored is how much data is in the nodes of a history.
func stored(t *testing.T, s *zk.Session, destination string) (total int64) {
	t.Helper()
	path := zktree.History(destination)
	for _, name := range append(nodes(t, s, destination), "") {
		data, _, err := s.Get(t.Context(), strings.TrimSuffix(path+"/"+name, "/"))
		must(t, err)
		total += int64(len(data))
	}
	return total
}

// realTooLarge: when nothing can be removed any more.
func realTooLarge(t *testing.T, s, _ *zk.Session) {
	o := owner(t, s, destination(), "1-1")
	o.Limit = 1 << 20
	store := open(t, o)
	must(t, store.AddSnapshot(t.Context(), tables(0, 500_000)))
	var err error
	last := 0
	for i := 1; i < 100 && err == nil; i++ {
		c := historytest.Statement(i)
		c.SQL += noise(100_000)
		if err = store.Append(t.Context(), c); err == nil {
			last = i
		}
	}
	if !errors.Is(err, history.ErrTooLarge) || last < 5 {
		t.Fatalf("after %d changes: %v", last, err)
	}
	t.Log(err)
	for _, part := range []string{"1.00 MiB", "canal.instance.tsdb.url", "towpath.tsdb.zookeeper.limit", "KiB"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the message has no %s", part)
		}
	}
	if err := store.AddSnapshot(t.Context(), tables(last, 2<<20)); !errors.Is(err, history.ErrTooLarge) {
		t.Errorf("a snapshot that is too large: %v", err)
	}
	older := tables(0, 400_000)
	older.At.Timestamp -= 1000
	older.At.Offset--
	if err := store.AddSnapshot(t.Context(), older); !errors.Is(err, history.ErrTooLarge) {
		t.Errorf("a snapshot that would have to go first: %v", err)
	}
	want := readAll(t, store)
	if got := readAll(t, open(t, o)); len(got.changes) != last || len(got.snapshots) != 1 || !reflect.DeepEqual(got, want) {
		t.Errorf("%d changes and %d snapshots are there, want %d", len(got.changes), len(got.snapshots), last)
	}
	// A new snapshot makes room.
	must(t, store.AddSnapshot(t.Context(), tables(last+1, 600_000)))
	c := historytest.Statement(last + 2)
	c.SQL += noise(100_000)
	must(t, store.Append(t.Context(), c))
	if got := readAll(t, open(t, o)); len(got.changes) != 1 || len(got.snapshots) != 1 || len(nodes(t, s, o.Destination)) > 6 {
		t.Errorf("%d changes, %d snapshots, nodes %v", len(got.changes), len(got.snapshots), nodes(t, s, o.Destination))
	}
}

// realUseless: without a snapshot changes are of no use, and give way.
func realUseless(t *testing.T, s, _ *zk.Session) {
	o := owner(t, s, destination(), "1-1")
	o.Limit = 200_000
	store := open(t, o)
	for i := range 20 {
		c := historytest.Statement(i)
		c.SQL += noise(50_000)
		must(t, store.Append(t.Context(), c))
	}
	r := readAll(t, open(t, o))
	if n := len(r.changes); n < 1 || n > 6 || r.changes[n-1].At != historytest.Statement(19).At {
		t.Errorf("%d changes are left", n)
	}
}

// requests is how many requests have been sent.
func requests(c *zk.Client) (n uint64) {
	for _, v := range c.Stats().Requests {
		n += v
	}
	return n
}

// realThousands: opening and adding stay cheap.
func realThousands(t *testing.T, s, _ *zk.Session) {
	const n = 5000
	o := owner(t, s, destination(), "1-1")
	store := open(t, o)
	must(t, store.AddSnapshot(t.Context(), historytest.Tables(0)))
	d := store.draft() // most of them in pages as they would become, for the test's time
	for next := 0; next < n-100; {
		var changes []history.Change
		for ; next < n-100 && length(changes) < maxPageRaw-1000; next++ {
			c := ddlOf(next)
			c.ID = d.changes
			d.changes++
			changes = append(changes, c)
		}
		d.setPages(append(d.head.pages, d.newPage(changes)), nil)
	}
	d.packHead()
	must(t, store.carryOut(t.Context(), d))
	store = open(t, o)
	start := time.Now()
	for i := n - 100; i < n; i++ {
		must(t, store.Append(t.Context(), ddlOf(i)))
	}
	each := time.Since(start) / 100
	c := openClient(t, zk.Config{Servers: []string{s.Server()}})
	fresh, err := c.Session(t.Context())
	must(t, err)
	o.Session = func(context.Context) (*zk.Session, error) { return fresh, nil }
	before := requests(c)
	start = time.Now()
	next := open(t, o)
	took, asked := time.Since(start), requests(c)-before
	start = time.Now()
	all, err := next.Changes(t.Context(), 0)
	must(t, err)
	t.Logf("%d changes are %d bytes; one more takes %v, opening %d requests and %v, reading %v", n, next.Size(), each, asked, took, time.Since(start))
	if asked > 10 {
		t.Errorf("%d requests", asked)
	}
	if len(all) != n {
		t.Fatalf("%d changes, want %d", len(all), n)
	}
	for i := range all {
		want := ddlOf(i)
		if want.ID = all[i].ID; all[i] != want || i > 0 && all[i].ID <= all[i-1].ID {
			t.Fatalf("change %d is %+v, want %+v", i, all[i], want)
		}
	}
	ids := make([]int64, 0, n/2)
	for i := n / 2; i < n; i++ {
		ids = append(ids, all[i].ID)
	}
	must(t, next.Remove(t.Context(), nil, ids))
	if got := readAll(t, open(t, o)).changes; !slices.Equal(got, all[:n/2]) {
		t.Errorf("%d changes, want %d", len(got), n/2)
	}
}

// ddlOf is the i-th of many statements that are not all alike.
func ddlOf(i int) history.Change {
	c := historytest.Statement(i)
	c.SQL = fmt.Sprintf("ALTER TABLE `orders_%03d` ADD COLUMN `attribute_%d` varchar(%d) NOT NULL DEFAULT '%x' COMMENT 'what is said of order %d', ADD KEY `k_%d` (`attribute_%d`)", i%97, i, i%255, i*7919, i, i, i)
	return c
}

// realBig: statements that do not fit in one node.
func realBig(t *testing.T, s, _ *zk.Session) {
	o := owner(t, s, destination(), "1-1")
	store := open(t, o)
	var want []history.Change
	for i, n := range []int{bigChange - 100, bigChange, maxPiece, maxPiece + 1, 1 << 20, 3 << 20, 10} {
		c := historytest.Statement(i)
		c.SQL = noise(n)
		must(t, store.Append(t.Context(), c))
		c.ID = int64(i) + 1
		want = append(want, c)
	}
	if got := readAll(t, open(t, o)).changes; !slices.Equal(got, want) {
		t.Errorf("%d changes are not those that were written", len(got))
	}
	must(t, store.AddSnapshot(t.Context(), historytest.Tables(0)))
	all := historytest.Statement(100)
	all.SQL = noise(22 << 20)
	if err := store.Append(t.Context(), all); !errors.Is(err, history.ErrTooLarge) {
		t.Errorf("22 MiB more: %v", err)
	}
	must(t, store.Remove(t.Context(), nil, []int64{want[4].ID, want[5].ID, want[0].ID}))
	want = append(want[1:4:4], want[6])
	if got := readAll(t, open(t, o)).changes; !slices.Equal(got, want) {
		t.Errorf("%d changes are left, want %d", len(got), len(want))
	}
}

// realManyTables tells how large 1000 tables of 50 columns are.
func realManyTables(t *testing.T, s, _ *zk.Session) {
	o := owner(t, s, destination(), "1-1")
	store := open(t, o)
	n := historytest.Tables(1)
	var text strings.Builder
	types := []string{"bigint(20) NOT NULL", "varchar(255) COLLATE utf8mb4_bin DEFAULT NULL", "datetime(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3)", "decimal(20,6) DEFAULT '0.000000'", "tinyint(1) NOT NULL DEFAULT '0'"}
	for i := range 1000 {
		fmt.Fprintf(&text, "CREATE TABLE `table_%d_of_many` (\n", i)
		for c := range 50 {
			fmt.Fprintf(&text, "  `column_%d_%x` %s COMMENT 'what column %d of table %d is for',\n", c, (i*31+c)*2654435761%65536, types[(i+c)%len(types)], c, i)
		}
		text.WriteString("  PRIMARY KEY (`column_0`)\n) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin; \n")
	}
	n.Schemas = map[string]string{"shop": text.String()}
	start := time.Now()
	must(t, store.AddSnapshot(t.Context(), n))
	wrote := time.Since(start)
	next := open(t, o)
	start = time.Now()
	got, err := next.Schemas(t.Context(), 2)
	must(t, err)
	if got["shop"] != text.String() {
		t.Error("the tables are not those that were written")
	}
	t.Logf("1000 tables of 50 columns: %d bytes of text, %d in ZooKeeper, written in %v, read in %v", text.Len(), next.Size(), wrote, time.Since(start))
	if next.Size() > int64(text.Len())/4 {
		t.Errorf("%d bytes", next.Size())
	}
}

// realDamage: every node in turn.
func realDamage(t *testing.T, s, _ *zk.Session) {
	for damage, spoil := range map[string]func(b []byte) []byte{
		"empty": func([]byte) []byte { return nil }, "cut": func(b []byte) []byte { return b[:len(b)-3] },
		"other": func([]byte) []byte { return []byte(`{"a":1}`) },
		"bit":   func(b []byte) []byte { b[len(b)-len(b)/3] ^= 4; return b },
		"kind":  func(b []byte) []byte { b[3] ^= 1; return b },
		"gone":  nil,
	} {
		o := owner(t, s, destination(), "1-1")
		store := open(t, o)
		fill := func(store *Store) {
			must(t, store.AddSnapshot(t.Context(), historytest.Tables(1)))
			must(t, store.Append(t.Context(), historytest.Statement(1)))
			c := historytest.Statement(2)
			c.SQL = noise(bigChange + 1)
			must(t, store.Append(t.Context(), c))
			must(t, store.SetState(t.Context(), []byte("state")))
		}
		fill(store)
		path := zktree.History(o.Destination)
		names := append(nodes(t, s, o.Destination), "")
		if len(names) != 5 {
			t.Fatalf("nodes %q", names)
		}
		for _, name := range names {
			node := strings.TrimSuffix(path+"/"+name, "/")
			if spoil == nil && (name == "" || name == "state") {
				continue // has children; need not be there
			}
			data, _, err := s.Get(t.Context(), node)
			must(t, err)
			if spoil == nil {
				must(t, s.Delete(t.Context(), node, zk.AnyVersion))
			} else {
				_, err = s.Set(t.Context(), node, spoil(slices.Clone(data)), zk.AnyVersion)
				must(t, err)
			}
			broken, err := Open(t.Context(), o)
			if err == nil { // the snapshot is read later
				if !strings.HasPrefix(name, "1-") {
					t.Errorf("%s, %s: no error", name, damage)
				}
				_, err = broken.Schemas(t.Context(), 2)
				must(t, broken.Close())
			}
			var damaged *DamagedError
			if !errors.As(err, &damaged) || !strings.HasPrefix(damaged.Path, path) || !strings.Contains(err.Error(), "deleteall") {
				t.Errorf("%s, %s: %v", name, damage, err)
			}
			if spoil == nil {
				_, err = s.Create(t.Context(), node, data, zk.Persistent)
			} else {
				_, err = s.Set(t.Context(), node, data, zk.AnyVersion)
			}
			must(t, err)
		}
		must(t, Discard(t.Context(), o))
		must(t, Discard(t.Context(), o))
		anew := open(t, o)
		if got := readAll(t, anew); len(got.changes)+len(got.snapshots)+len(got.state) > 0 {
			t.Errorf("%s: %+v is left", damage, got)
		}
		fill(anew)
	}
}

// realRenew: an owner that goes on in spite of damage.
func realRenew(t *testing.T, s, _ *zk.Session) {
	o := owner(t, s, destination(), "1-1")
	o.Renew = true
	var notices []string
	o.Notice = func(text string) { notices = append(notices, text) }
	store := open(t, o)
	must(t, store.AddSnapshot(t.Context(), historytest.Tables(1)))
	must(t, store.AddSnapshot(t.Context(), historytest.Tables(2)))
	must(t, store.Append(t.Context(), historytest.Statement(3)))
	path := zktree.History(o.Destination)
	second := store.current.byAge()[1]
	_, err := s.Set(t.Context(), path+second.blob.node(0), []byte("x"), zk.AnyVersion)
	must(t, err)
	var damaged *DamagedError
	if _, err := store.Schemas(t.Context(), second.ID); !errors.As(err, &damaged) {
		t.Errorf("schemas: %v", err)
	}
	if got := readAll(t, open(t, o)); len(got.snapshots) != 1 || got.snapshots[0].At != historytest.Tables(1).At || len(got.changes) != 1 {
		t.Errorf("there is %+v", got)
	}
	_, err = s.Set(t.Context(), path+"/tail", []byte("x"), zk.AnyVersion)
	must(t, err)
	anew := open(t, o)
	if got := readAll(t, anew); len(got.snapshots)+len(got.changes) > 0 {
		t.Errorf("there is %+v", got)
	}
	must(t, anew.Append(t.Context(), historytest.Statement(4)))
	_, err = s.Set(t.Context(), path+"/tail", []byte("x"), zk.AnyVersion) // below its feet
	must(t, err)
	must(t, anew.Append(t.Context(), historytest.Statement(5)))
	if got := readAll(t, anew); len(got.changes) != 1 {
		t.Errorf("there is %+v", got)
	}
	if len(notices) != 3 || !strings.Contains(notices[0], "removed") || !strings.Contains(notices[1], "begun anew") {
		t.Errorf("notices %q", notices)
	}
}

// realLater: what is not understood is not taken for damage.
func realLater(t *testing.T, s, _ *zk.Session) {
	o := owner(t, s, destination(), "1-1")
	must(t, open(t, o).Append(t.Context(), historytest.Statement(1)))
	path := zktree.History(o.Destination)
	data, _, err := s.Get(t.Context(), path)
	must(t, err)
	data[4]++
	_, err = s.Set(t.Context(), path, data, zk.AnyVersion)
	must(t, err)
	o.Renew = true
	_, err = Open(t.Context(), o)
	if damaged := (*DamagedError)(nil); !errors.Is(err, ErrFormat) || errors.As(err, &damaged) {
		t.Errorf("open: %v", err)
	}
}

// realNoGuard: who only looks.
func realNoGuard(t *testing.T, s, other *zk.Session) {
	o := owner(t, s, destination(), "1-1")
	must(t, open(t, o).Append(t.Context(), historytest.Statement(1)))
	looks := open(t, Options{Destination: o.Destination, Session: func(context.Context) (*zk.Session, error) { return other, nil }})
	if got := readAll(t, looks); len(got.changes) != 1 {
		t.Errorf("reads %+v", got)
	}
	if err := looks.Append(t.Context(), historytest.Statement(2)); !errors.Is(err, history.ErrNotOwner) {
		t.Errorf("append: %v", err)
	}
}

// realMember: the name of a history need not be that of the destination.
func realMember(t *testing.T, s, _ *zk.Session) {
	o := owner(t, s, destination(), "1-1")
	o.Destination += "@2"
	must(t, open(t, o).Append(t.Context(), historytest.Statement(1)))
	if got := readAll(t, open(t, o)); len(got.changes) != 1 {
		t.Errorf("there is %+v", got)
	}
}

// realForeign: somebody has deleted the history, or set a node, below a running
// owner.
func realForeign(t *testing.T, s, other *zk.Session) {
	o := owner(t, s, destination(), "1-1")
	store := open(t, o)
	must(t, store.Append(t.Context(), historytest.Statement(1)))
	must(t, other.DeleteAll(t.Context(), zktree.History(o.Destination)))
	must(t, store.Append(t.Context(), historytest.Statement(2)))
	if got := readAll(t, open(t, o)); len(got.changes) != 1 {
		t.Errorf("there is %+v", got)
	}
	_, err := other.Set(t.Context(), zktree.History(o.Destination)+"/tail", []byte("x"), zk.AnyVersion)
	must(t, err)
	var damaged *DamagedError
	if err := store.Append(t.Context(), historytest.Statement(3)); !errors.As(err, &damaged) {
		t.Errorf("append: %v", err)
	}
}
