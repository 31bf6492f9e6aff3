package e2e

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/client"
	"github.com/towpath-cdc/towpath/protocol"
	"github.com/towpath-cdc/towpath/test/servers"
)

// TestKillGroup kills a server that reads two sources into one destination, again and
// again, while both are written. Of neither may anything be missing or out of order.
func TestKillGroup(t *testing.T) {
	kills := int(envInt(t, "TOWPATH_E2E_KILLS", 50)+4) / 5
	seed := uint64(envInt(t, "TOWPATH_E2E_SEED", time.Now().UnixNano()%1_000_000))
	t.Logf("TOWPATH_E2E_SEED=%d", seed)
	h := newHome(t, settings{"canal.instance.global.spring.xml": "classpath:spring/group-instance.xml"})
	set := settings{"canal.instance.filter.regex": `kill_group_.*\\..*`, "canal.instance.master.address": ""}
	dbs := []*servers.Server{sharedServer(t, servers.MySQL80), sharedServer(t, servers.MySQL57)}
	g := &group{t: t}
	for n, db := range dbs {
		schema := []string{"kill_group_a", "kill_group_b"}[n]
		g.schemas = append(g.schemas, schema)
		g.writers = append(g.writers, newWriter(t, db, schema))
		g.accounts = append(g.accounts, newAccount(t))
		from, prefix := end(t, db), []string{"canal.instance.master1.", "canal.instance.master2."}[n]
		set = set.with(settings{prefix + "address": db.Addr()})
		for key, value := range at(from) {
			set[prefix+key[len("canal.instance.master."):]] = value
		}
	}
	h.instance("example", "", set)

	writing, stopWriting := context.WithCancel(t.Context())
	reading, stopReading := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stopReading()
	defer stopWriting()
	written := make(chan error, len(dbs))
	for _, w := range g.writers {
		wg.Go(func() { written <- w.write(writing, 1<<40, 2*time.Millisecond) })
	}
	wg.Go(func() { g.read(reading, h.options("example"), rand.New(rand.NewPCG(seed, 2))) })
	r := rand.New(rand.NewPCG(seed, 1))
	for range kills {
		h.start()
		before := g.batches.Load()
		eventually(t, startLimit, "the client has got batches", func() bool { return g.batches.Load() > before+2 || t.Failed() })
		<-time.After(time.Duration(20+r.IntN(500)) * time.Millisecond) // the moment is what is random
		h.kill()
	}
	h.start()
	stopWriting()
	for range dbs {
		if err := <-written; err != nil {
			t.Fatal(err)
		}
	}
	for _, w := range g.writers {
		w.finish(t)
	}
	eventually(t, startLimit, "the client has read everything of both", func() bool { return g.done.Load() == int32(len(dbs)) || t.Failed() })
	stopReading()
	wg.Wait()
	for n, a := range g.accounts {
		a.compare(g.writers[n])
		t.Logf("%s: %d changes, %d of them again", g.schemas[n], a.last, a.again)
	}
}

// group is the client of TestKillGroup.
type group struct {
	t        *testing.T
	schemas  []string
	writers  []*writer
	accounts []*account
	batches  atomic.Int64
	done     atomic.Int32 // sources of which all has come
}

// read consumes until ctx ends, and gives some batches back.
func (g *group) read(ctx context.Context, o client.Options, r *rand.Rand) {
	consumer := client.NewConsumer(client.ConsumerOptions{Options: o, BatchSize: 16, Wait: 20 * time.Millisecond, Retry: soon})
	for b, err := range consumer.Batches(ctx) {
		if err == nil {
			err = g.batch(b)
		}
		if err != nil {
			g.t.Error(err)
			return
		}
		if r.IntN(20) == 0 {
			_ = b.Nack()
			continue
		}
		_ = b.Ack() // one that is lost comes again
	}
}

func (g *group) batch(b *client.Batch) error {
	for e, err := range b.Entries() {
		if err != nil {
			return err
		}
		for n, a := range g.accounts {
			for _, c := range changesOf(g.t, e, g.schemas[n]) {
				if err := a.enter(c); err != nil {
					return err
				}
			}
			h := e.Header()
			if h.SchemaName() == g.schemas[n] && h.TableName() == "done" && h.EventType() == protocol.EventInsert && !a.done {
				a.done = true
				g.done.Add(1)
			}
		}
	}
	g.batches.Add(1)
	return nil
}
