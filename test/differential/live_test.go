package differential

import (
	"context"
	"flag"
	"fmt"
	"strings"
	"testing"

	"github.com/towpath-cdc/towpath/test/peers"
	"github.com/towpath-cdc/towpath/test/servers"
)

var steps = flag.Int("steps", 200, "statements of the generated workload, for each server")

// live plays statements while both servers read. Java Canal asks for a table's
// definition when it meets its rows, so before a statement that changes
// definitions everything has to be delivered.
type live struct {
	*session
	db    *servers.Server
	pairs []pairOf
	ticks int
}

// pairOf is one way of reading on both sides.
type pairOf struct {
	mode         string
	ours, theirs *follower
	rules        []difference
}

// startLive begins to read a new file: by its name, behind a set of GTIDs, and
// with a history of tables.
func startLive(t *testing.T, program string, db *servers.Server) *live {
	t.Helper()
	s, err := newSession(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Quit() })
	if err := s.exec("CREATE DATABASE d_first"); err != nil { // so that the set of GTIDs is never empty
		t.Fatal(err)
	}
	from, err := here(s)
	if err != nil {
		t.Fatal(err)
	}
	file, set := place{file: from.file}, place{gtid: from.gtid}
	flags := []string{"--dest", "file=" + db.Addr(), "--dest", "gtid=" + db.Addr(), "--dest", "history=" + db.Addr()}
	flags = append(append(flags, "--for", "file", "--slave-id", "2000"), file.flags()...)
	flags = append(append(flags, "--for", "gtid", "--slave-id", "2001"), set.flags()...)
	// Canal wants a time with a history, but for nothing when there is a place.
	flags = append(append(flags, "--for", "history", "--slave-id", "2002", "--tsdb", "--timestamp", "1"), file.flags()...)
	java := peers.StartJavaCanalWith(t, javaOptions, flags...)
	byFile, _ := startTowpath(t, program, db, file)
	byGTID, _ := startTowpath(t, program, db, set)
	withHistoryOn, _ := startTowpath(t, program, db, file, historyOn)
	ctx, cancel := context.WithCancel(context.Background())
	l := &live{session: s, db: db, pairs: []pairOf{
		{"default", follow(ctx, "towpath", byFile, "example"), follow(ctx, "java canal", java, "file"), known},
		{"GTID", follow(ctx, "towpath with GTIDs", byGTID, "example"), follow(ctx, "java canal with GTIDs", java, "gtid"), known},
		{"history", follow(ctx, "towpath with a history", withHistoryOn, "example"), follow(ctx, "java canal with a history", java, "history"), withHistory},
	}}
	t.Cleanup(func() {
		cancel()
		for _, p := range l.pairs {
			<-p.ours.done
			<-p.theirs.done
		}
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
	for _, p := range l.pairs {
		if err := p.ours.await(ctx, l.ticks); err != nil {
			return err
		}
		if err := p.theirs.await(ctx, l.ticks); err != nil {
			return err
		}
	}
	return nil
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
	number := workloadSeed()
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
			all = append(all, g.setUp("d_random")...)
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
			for _, p := range l.pairs {
				t.Run(p.mode, func(t *testing.T) {
					ours, theirs := p.ours.taken(l.ticks), p.theirs.taken(l.ticks)
					save(t, string(k)+"-live-"+p.mode, ours, theirs)
					compare(t, k, p.mode, p.rules, ours, theirs)
				})
			}
		})
	}
}
