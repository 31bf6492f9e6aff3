package differential

import (
	"context"
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/test/peers"
	"github.com/towpath-cdc/towpath/test/servers"
)

var (
	seed  = flag.Uint64("seed", 0, "seed of the generated workload; 0 takes one from the clock")
	steps = flag.Int("steps", 200, "statements of the generated workload, for each server")
)

// live plays statements while both servers read. Java Canal asks for a table's
// definition when it meets its rows, so before a statement that changes
// definitions everything has to be delivered.
type live struct {
	*session
	db           *servers.Server
	ours, theirs *follower
	ticks        int
}

// startLive begins to read a new file.
func startLive(t *testing.T, program string, db *servers.Server) *live {
	t.Helper()
	s, err := newSession(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Quit() })
	from, err := here(s)
	if err != nil {
		t.Fatal(err)
	}
	from.gtid = ""
	java := peers.StartJavaCanalWith(t, javaOptions, append([]string{"--dest", "example=" + db.Addr(), "--slave-id", "2000"}, from.flags()...)...)
	port, _ := startTowpath(t, program, db, from)
	ctx, cancel := context.WithCancel(context.Background())
	l := &live{session: s, db: db, ours: follow(ctx, "towpath", port, "example"), theirs: follow(ctx, "java canal", java, "example")}
	t.Cleanup(func() {
		cancel()
		<-l.ours.done
		<-l.theirs.done
	})
	if err := s.exec("CREATE DATABASE d_live DEFAULT CHARACTER SET utf8mb4", "CREATE TABLE d_live."+tick+" (n INT PRIMARY KEY)"); err != nil {
		t.Fatal(err)
	}
	return l
}

// settle waits until both have delivered everything.
func (l *live) settle(ctx context.Context) error {
	l.ticks++
	if err := l.exec(fmt.Sprintf("INSERT INTO d_live.%s VALUES (%d)", tick, l.ticks)); err != nil {
		return err
	}
	if err := l.ours.await(ctx, l.ticks); err != nil {
		return err
	}
	return l.theirs.await(ctx, l.ticks)
}

// changesTables says whether Java Canal's view of tables depends on when a
// statement runs.
func changesTables(sql string) bool {
	word, _, _ := strings.Cut(strings.TrimSpace(sql), " ")
	switch strings.ToUpper(word) {
	case "CREATE", "ALTER", "DROP", "RENAME", "TRUNCATE":
		return true
	}
	return false
}

// TestLive compares the two while definitions change under their hands: a
// script of what people and tools do, then a workload from a seed.
func TestLive(t *testing.T) {
	program := build(t)
	number := *seed
	if number == 0 {
		number = uint64(time.Now().UnixNano())
	}
	for _, k := range servers.Kinds {
		t.Run(string(k), func(t *testing.T) {
			t.Logf("the generated workload is that of -seed %d -steps %d", number, *steps)
			db := servers.ForTest(t, k)
			l := startLive(t, program, db)
			all, err := statements("live", "d_live", k)
			if err != nil {
				t.Fatal(err)
			}
			g := newGenerator(number, k)
			all = append(all, g.setUp()...)
			for range *steps {
				all = append(all, g.next()...)
			}
			all = append(all, g.end()...)
			for _, q := range all {
				if changesTables(q.sql) {
					err = l.settle(t.Context())
				}
				if err == nil {
					err = l.play([]statement{q})
				}
				if err != nil {
					t.Error(err)
					break
				}
			}
			if err == nil {
				if err := l.settle(t.Context()); err != nil {
					t.Error(err)
				}
			}
			ours, theirs := l.ours.taken(l.ticks), l.theirs.taken(l.ticks)
			save(t, string(k)+"-live", ours, theirs)
			compare(t, k, ours, theirs)
		})
	}
}
