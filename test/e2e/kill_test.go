package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/client"
	"github.com/towpath-cdc/towpath/protocol"
	"github.com/towpath-cdc/towpath/test/servers"
)

// TestKill kills the server at random moments, again and again, while a writer
// writes and a client reads and acks. The client must miss nothing, get
// everything in order, and get again only what was not acked.
func TestKill(t *testing.T) {
	kills := envInt(t, "TOWPATH_E2E_KILLS", 50)
	seed := uint64(envInt(t, "TOWPATH_E2E_SEED", time.Now().UnixNano()%1_000_000))
	t.Logf("TOWPATH_E2E_SEED=%d", seed)
	t.Run("position", func(t *testing.T) { testKill(t, "kill_position", false, int(kills+1)/2, seed) })
	t.Run("gtid", func(t *testing.T) { testKill(t, "kill_gtid", true, int(kills+1)/2, seed) })
}

func envInt(t *testing.T, name string, otherwise int64) int64 {
	s := os.Getenv(name)
	if s == "" {
		return otherwise
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// killFlush is how often cursors are saved here: seldom enough that a kill
// loses some, and often enough that the server gets on between two kills.
const killFlush = 100 * time.Millisecond

func testKill(t *testing.T, schema string, gtid bool, kills int, seed uint64) {
	db := sharedServer(t, servers.MySQL80)
	h := newHome(t, settings{"canal.file.flush.period": strconv.FormatInt(killFlush.Milliseconds(), 10)})
	from := at(end(t, db)).with(only(schema))
	if gtid {
		from = only(schema).with(settings{"canal.instance.gtidon": "true", "canal.instance.master.gtid": executed(t, db)})
	}
	h.instance("example", db.Addr(), from)
	w := newWriter(t, db, schema)
	r := rand.New(rand.NewPCG(seed, 1))
	j := &journal{t: t, account: newAccount(t), schema: schema, gtid: gtid, index: make(map[place]int)}

	writing, stopWriting := context.WithCancel(t.Context())
	reading, stopReading := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stopReading()
	defer stopWriting()
	written := make(chan error, 1)
	wg.Go(func() { written <- w.write(writing, 1<<40, 2*time.Millisecond) })
	wg.Go(func() { j.read(reading, h.options("example"), rand.New(rand.NewPCG(seed, 2))) })

	begin := time.Now()
	for range kills {
		j.starting(h)
		h.launch()
		<-time.After(time.Duration(20+r.IntN(681)) * time.Millisecond) // the moment is what is random
		h.kill()
	}
	t.Logf("%d kills in %v", kills, time.Since(begin).Round(time.Second))
	j.starting(h)
	h.start()
	stopWriting()
	if err := <-written; err != nil {
		t.Fatal(err)
	}
	w.finish(t)
	eventually(t, startLimit, "the client has read everything", j.finished)
	stopReading()
	wg.Wait()
	if t.Failed() {
		return
	}
	j.account.compare(w)
	t.Logf("%d changes, %d of them again; %d entries; the server went on behind its cursor %d times; the entry at the cursor came again: %v",
		j.account.last, j.account.again, len(j.entries), j.resumed, j.atCursor)
	if j.resumed == 0 {
		t.Error("no start of the server used a cursor")
	}
}

// received is an entry in the order of the stream.
type received struct {
	place place
	kind  protocol.EntryType
	ddl   bool
}

func (e received) String() string {
	if e.ddl {
		return "DDL"
	}
	return e.kind.String()
}

// generation is one process of the server.
type generation struct {
	start  time.Time
	cursor cursor
	known  bool // whether there was a cursor
}

// journal is what the client of TestKill has got.
type journal struct {
	t       testing.TB
	schema  string
	gtid    bool
	account *account

	mu          sync.Mutex
	generations []generation
	done        bool

	// Used by the reader only.
	entries  []received
	index    map[place]int // of entries
	next     int           // index of the entry that is expected
	acked    int           // entries before this index are acked
	lastID   int64
	resumed  int
	atCursor map[string]int
}

// starting notes the cursor that a new process will find.
func (j *journal) starting(h *home) {
	c, ok := h.cursor("example")
	j.mu.Lock()
	defer j.mu.Unlock()
	j.generations = append(j.generations, generation{time.Now(), c, ok})
}

func (j *journal) finished() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.done || j.t.Failed()
}

// open is a batch that is not acked, and how far the entries go with it.
type open struct {
	*client.Batch
	end int
}

// read consumes until ctx ends. It holds some batches before it acks them, and
// gives some back.
func (j *journal) read(ctx context.Context, o client.Options, r *rand.Rand) {
	consumer := client.NewConsumer(client.ConsumerOptions{Options: o, BatchSize: 16, Wait: 20 * time.Millisecond, Retry: soon})
	var held []open
	for b, err := range consumer.Batches(ctx) {
		if err == nil {
			err = j.batch(b)
		}
		if err != nil {
			j.t.Error(err)
			return
		}
		held = append(held, open{b, j.next})
		switch n := r.IntN(20); {
		case n == 0:
			if held[0].Nack() == nil {
				held = nil
			}
		case n < 15:
			held = j.ack(held)
		}
	}
}

// ack acks what is held; what is stale comes again.
func (j *journal) ack(held []open) []open {
	for _, b := range held {
		if b.Ack() == nil {
			j.acked = max(j.acked, b.end)
		}
	}
	return nil
}

// batch enters a batch and checks where it begins.
func (j *journal) batch(b *client.Batch) error {
	first := true
	for e, err := range b.Entries() {
		if err != nil {
			return err
		}
		rec := received{place: place{e.Header().LogfileName(), e.Header().LogfileOffset()}, kind: e.EntryType()}
		if rec.kind == protocol.EntryRowData {
			rc, err := e.RowChange()
			if err != nil {
				return err
			}
			rec.ddl = rc.IsDDL()
		}
		i, seen := j.index[rec.place]
		if !seen {
			i = len(j.entries)
			j.index[rec.place] = i
			j.entries = append(j.entries, rec)
		}
		if first {
			if err := j.begins(b.ID(), i); err != nil {
				return err
			}
		} else if i != j.next {
			return fmt.Errorf("in batch %d entry %d (%v) came where %d was expected", b.ID(), i, rec.place, j.next)
		}
		first, j.next = false, i+1
		for _, c := range changesOf(j.t, e, j.schema) {
			j.account.take(c)
		}
		if h := e.Header(); h.SchemaName() == j.schema && h.TableName() == "done" && !rec.ddl {
			j.mu.Lock()
			j.done = true
			j.mu.Unlock()
		}
	}
	j.lastID = b.ID()
	return nil
}

// begins checks a batch that begins with entry i: within one process it goes on
// where the one before it ended, or at what was not acked; a new process goes on
// at the cursor it found.
func (j *journal) begins(id int64, i int) error {
	if i > j.next {
		return fmt.Errorf("batch %d begins with entry %d where %d was expected", id, i, j.next)
	}
	if id > j.lastID && id-j.lastID < 1000 {
		if i < j.next && i < j.acked {
			return fmt.Errorf("batch %d brings entry %d again, and up to %d they were acked", id, i, j.acked)
		}
		return nil
	}
	// A new process: its batch ids begin with the time, and at 1 without a cursor.
	g, ok := j.generation(id)
	if !ok || !g.known {
		j.acked = 0
		return nil
	}
	at, ok := j.index[g.cursor.place]
	if !ok {
		return fmt.Errorf("the cursor %v is at no entry that came", g.cursor)
	}
	if at >= max(j.acked, 1) {
		return fmt.Errorf("the cursor is at entry %d and only %d were acked", at, j.acked)
	}
	j.acked = i
	j.resumed++
	entry := j.entries[at]
	if i == at+1 {
		return nil
	}
	if j.atCursor == nil {
		j.atCursor = make(map[string]int)
	}
	j.atCursor[entry.String()]++
	// By position a dump begins at the cursor's event itself, as Canal's does.
	if i < at || j.gtid {
		return fmt.Errorf("batch %d begins with entry %d; the cursor is at entry %d, a %v", id, i, at, entry)
	}
	return nil
}

// generation finds the process that a batch id belongs to.
func (j *journal) generation(id int64) (g generation, ok bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, next := range j.generations {
		if next.start.UnixMicro() <= id {
			g, ok = next, true
		}
	}
	return g, ok
}
