package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/towpath-cdc/towpath/internal/history/sqlstore"
	"github.com/towpath-cdc/towpath/test/servers"
)

// TestHistoryDatabaseAway has the database of the history away at the start, and
// again while there are changes. What needs it waits, and nothing is lost.
func TestHistoryDatabaseAway(t *testing.T) {
	source, store := sharedServer(t, servers.MySQL80), servers.ForTest(t, servers.MySQL57)
	url := tsdb(t, store, "canal_tsdb")
	up := func() {
		t.Helper()
		if err := store.Up(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	source.MustExec(t, "CREATE DATABASE hd", "CREATE TABLE hd.t (id int PRIMARY KEY)")
	h := newHome(t, settings{"canal.instance.tsdb.url": url, "canal.instance.tsdb.dbUsername": "root", "canal.instance.tsdb.dbPassword": "",
		"canal.instance.tsdb.spring.xml": "classpath:spring/tsdb/mysql-tsdb.xml", "canal.destinations": "example", "canal.auto.scan": "false"})
	h.instance("example", source.Addr(), at(end(t, source)).with(only("hd")))
	store.Kill()
	h.start()
	source.MustExec(t, "INSERT INTO hd.t VALUES (1)")
	h.awaitLog("example", store.Addr()+"/canal_tsdb", 1)
	up()
	h.awaitCursor(story(t, h.addr(), "hd", []string{"t id=1"}))

	said := strings.Count(h.log("example"), store.Addr()+"/canal_tsdb")
	store.Kill()
	source.MustExec(t, "INSERT INTO hd.t VALUES (2)", "ALTER TABLE hd.t ADD COLUMN a int FIRST", "INSERT INTO hd.t VALUES (5, 3)")
	h.awaitLog("example", store.Addr()+"/canal_tsdb", said+1)
	up()
	story(t, h.addr(), "hd", []string{"t id=2", "ALTER TABLE hd.t ADD COLUMN a int FIRST", "t a=5 id=3"})
	recorded(t, openHistory(t, url), 1)
	h.stop()
}

// TestHistoryFile is the history as it is shipped: a file beside the cursors. It is
// begun anew beside that of a Java server, and a server that was killed goes on with
// the columns of the rows that it has not read yet.
func TestHistoryFile(t *testing.T) {
	db := sharedServer(t, servers.MySQL80)
	db.MustExec(t, "CREATE DATABASE hf", "CREATE TABLE hf.t (id int PRIMARY KEY)")
	h := newHome(t, settings{"canal.destinations": "example", "canal.auto.scan": "false"})
	h.instance("example", db.Addr(), at(end(t, db)).with(only("hf")))
	h.write("conf/example/h2.mv.db", "H:2,block:6")
	h.start()
	db.MustExec(t, "INSERT INTO hf.t VALUES (1)")
	h.awaitCursor(story(t, h.addr(), "hf", []string{"t id=1"}))
	h.awaitLog("example", "h2.mv.db has the history of a Java Canal", 1)
	file := filepath.Join(h.dir, "conf", "example", "h2.towpath.db")
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("the file of the history: %v, %v", info, err)
	}
	s, err := sqlstore.Open(t.Context(), sqlstore.Options{Destination: "example", Path: file})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	snapshots, err := s.Snapshots(t.Context())
	if err != nil || len(snapshots) != 1 || !snapshots[0].Initial {
		t.Fatalf("snapshots are %+v, %v", snapshots, err)
	}
	if schemas, err := s.Schemas(t.Context(), snapshots[0].ID); err != nil || !strings.Contains(schemas["hf"], "CREATE TABLE `t` (") {
		t.Errorf("the tables are %q, %v", schemas, err)
	}

	for n, want := range [][]string{{"t id=2", "ALTER TABLE hf.t ADD COLUMN a int FIRST", "t a=5 id=3"}, {"t a=5 id=4", "ALTER TABLE hf.t DROP COLUMN a", "t id=5"}} {
		h.kill()
		if n == 0 {
			db.MustExec(t, "INSERT INTO hf.t VALUES (2)", "ALTER TABLE hf.t ADD COLUMN a int FIRST", "INSERT INTO hf.t VALUES (5, 3)")
		} else {
			db.MustExec(t, "INSERT INTO hf.t VALUES (5, 4)", "ALTER TABLE hf.t DROP COLUMN a", "INSERT INTO hf.t VALUES (5)")
		}
		h.start()
		h.awaitCursor(story(t, h.addr(), "hf", want))
		recorded(t, s, n+1)
	}
	if n := strings.Count(h.log("example"), "h2.mv.db"); n != 1 {
		t.Errorf("Java's history is told of %d times", n)
	}
}
