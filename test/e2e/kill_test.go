package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
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
	t.Run("position", func(t *testing.T) { testKill(t, "kill_position", nil, int(kills+1)/2, seed) })
	t.Run("gtid", func(t *testing.T) { testKill(t, "kill_gtid", byGTID, int(kills+1)/2, seed) })
	t.Run("files", func(t *testing.T) { testKill(t, "kill_files", byFiles, int(kills+4)/5, seed) })
}

// byGTID has an instance read by GTID sets.
func byGTID(t *testing.T, db *servers.Server) settings {
	return settings{"canal.instance.gtidon": "true", "canal.instance.master.gtid": executed(t, db), "canal.instance.master.journal.name": "", "canal.instance.master.position": ""}
}

// byFiles has it read the binlog files of the server while they are written.
func byFiles(_ *testing.T, db *servers.Server) settings {
	return settings{"towpath.instance.localBinlog.dir": db.BinlogDir()}
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

func testKill(t *testing.T, schema string, how func(*testing.T, *servers.Server) settings, kills int, seed uint64) {
	db := sharedServer(t, servers.MySQL80)
	h := newHome(t, nil)
	w := newWriter(t, db, schema)
	from := at(end(t, db)).with(only(schema))
	if how != nil {
		from = from.with(how(t, db))
	}
	h.instance("example", db.Addr(), from)
	r := rand.New(rand.NewPCG(seed, 1))
	j := &journal{t: t, account: newAccount(t), schema: schema, index: make(map[place]int)}

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
	for i := range kills {
		if i%2 == 0 {
			h.launch() // it may not come as far as to serve
		} else {
			h.start()
		}
		if i%5 == 4 { // some live until clients have got something from them, on a slow machine too
			before := j.batches.Load()
			eventually(t, startLimit, "the client has got batches", func() bool { return j.batches.Load() > before+2 || j.finished() })
		}
		<-time.After(time.Duration(20+r.IntN(681)) * time.Millisecond) // the moment is what is random
		h.kill()
	}
	t.Logf("%d kills in %v", kills, time.Since(begin).Round(time.Second))
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
	t.Logf("%d changes, %d of them again; %d entries; %d new processes went on at acked places, %d of them exactly behind the last ack",
		j.account.last, j.account.again, len(j.entries), j.resumed, j.exact)
	if j.resumed == 0 {
		t.Error("no process of the server went on at an acked place")
	}
}

// received is an entry in the order of the stream.
type received struct {
	place place
	kind  protocol.EntryType
	ddl   bool
}

// journal is what the client of TestKill has got.
type journal struct {
	t       testing.TB
	schema  string
	account *account

	mu   sync.Mutex
	done bool

	batches atomic.Int64 // that have come

	// Used by the reader only.
	entries   []received
	index     map[place]int // of entries
	next      int           // index of the entry that is expected
	acked     int           // entries before this index are acked
	confirmed int           // entries before this index are acked, and the server has answered a request since
	lastID    int64
	resumed   int // new processes that went on somewhere behind the beginning
	exact     int // those that brought nothing again that was acked
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
			if err := j.account.enter(c); err != nil {
				return err
			}
		}
		if h := e.Header(); h.SchemaName() == j.schema && h.TableName() == "done" && !rec.ddl {
			j.mu.Lock()
			j.done = true
			j.mu.Unlock()
		}
	}
	j.lastID = b.ID()
	j.batches.Add(1)
	return nil
}

// begins checks a batch that begins with entry i: nothing that was not acked may
// be left out, and nothing that was may come again. An ack has no reply: one that
// was on its way when the server was killed may be lost with it. But a server
// takes requests in their order, so that the answer to a get confirms the acks
// before it. Of a transaction that was acked in part all comes again.
func (j *journal) begins(id int64, i int) error {
	if i > j.next {
		return fmt.Errorf("batch %d begins with entry %d where %d was expected", id, i, j.next)
	}
	if id > j.lastID && id-j.lastID < 1000 { // of the same process, which counts its batches
		if i < j.next && i < j.acked {
			return fmt.Errorf("batch %d brings entry %d again, and up to %d they were acked", id, i, j.acked)
		}
		j.confirmed = j.acked
		return nil
	}
	if i > j.acked {
		return fmt.Errorf("a new process begins with entry %d, and only up to %d they were acked", i, j.acked)
	}
	if least := j.whole(j.confirmed); i < least {
		return fmt.Errorf("a new process begins with entry %d (%v %v), and up to %d they were acked and a get was answered since", i, j.entries[i].kind, j.entries[i].place, least)
	}
	if i > 0 {
		j.resumed++
		if i == j.whole(j.acked) {
			j.exact++
		}
	}
	j.acked, j.confirmed = i, i
	return nil
}

// whole is the last place up to n where a dump can begin: behind an end or a
// statement, or at a begin.
func (j *journal) whole(n int) int {
	for ; n > 0; n-- {
		if e := j.entries[n-1]; e.kind == protocol.EntryTransactionEnd || e.ddl {
			return n
		}
		if n < len(j.entries) && j.entries[n].kind == protocol.EntryTransactionBegin {
			return n
		}
	}
	return 0
}
