package source

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/internal/binlog"
	"github.com/towpath-cdc/towpath/internal/testkit/mysqltest"
)

func TestPlaceIs(t *testing.T) {
	end := binlog.Position{File: "mysql-bin.000002", Offset: 5<<32 + 77}
	for _, c := range []struct {
		place place
		want  bool
	}{
		{place{"mysql-bin.000002", 77, true}, true},
		{place{"mysql-bin.000002\x01\x02\x03\x04", 77, true}, true},
		{place{"mysql-bin.000002", 77, false}, false},
		{place{"mysql-bin.000002", 5<<32 + 77, false}, true},
		{place{"mysql-bin.000002", 78, true}, false},
		{place{"mysql-bin.000001", 77, true}, false},
		{place{"mysql-bin.0000021", 77, true}, false},
		{place{"", 77, true}, false},
	} {
		if got := c.place.is(end); got != c.want {
			t.Errorf("%+v: %v", c.place, got)
		}
	}
}

// TestStaleDump idles at a server whose log ends elsewhere, from the beginning
// on or after a while. Only the second is a dump that went stale.
func TestStaleDump(t *testing.T) {
	for _, agreed := range []bool{false, true} {
		server := mysqltest.Start(t, fill(1))
		server.Heartbeat = 5 * time.Millisecond
		var asked, elsewhere atomic.Int64
		server.Query = func(sql string) *mysqltest.Answer {
			if sql != "show master status" {
				return nil
			}
			asked.Add(1)
			if elsewhere.Load() == 0 {
				return nil
			}
			return &mysqltest.Answer{Columns: []string{"File", "Position"}, Rows: [][]string{{"mysql-bin.000003", "4"}}}
		}
		if !agreed {
			elsewhere.Store(1)
		}
		o := testOptions(server.Address())
		o.Instance.Master.Start.File = "mysql-bin.000001"
		x := run(t, o)
		x.until(t, "some heartbeats", func() bool { return asked.Load() > 5 })
		elsewhere.Store(1)
		n := asked.Load()
		x.until(t, "more heartbeats", func() bool { return asked.Load() > n+5 })
		stale := strings.Contains(x.logs.String(), "log was begun anew under the dump")
		if stale != agreed || (x.Stats().Dumps > 1) != agreed {
			t.Errorf("agreed before: %v; stale: %v, %d dumps", agreed, stale, x.Stats().Dumps)
		}
		_ = x.end(t)
	}
}
