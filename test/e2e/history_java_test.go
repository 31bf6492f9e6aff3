package e2e

import (
	"context"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/client"
	"github.com/towpath-cdc/towpath/internal/binlog"
	"github.com/towpath-cdc/towpath/internal/ddl"
	"github.com/towpath-cdc/towpath/internal/history"
	"github.com/towpath-cdc/towpath/internal/history/sqlstore"
	"github.com/towpath-cdc/towpath/protocol"
	"github.com/towpath-cdc/towpath/test/peers"
	"github.com/towpath-cdc/towpath/test/servers"
)

// tsdb makes a database for the history on a server and returns its address.
func tsdb(t *testing.T, db *servers.Server, name string) (url string) {
	t.Helper()
	db.MustExec(t, "CREATE DATABASE "+name)
	return "jdbc:mysql://" + db.Addr() + "/" + name + "?useUnicode=true&characterEncoding=UTF-8&useSSL=false"
}

// javaWithHistory starts a Java server that reads a schema from the transaction
// before a place on, as the destination example, with its history in MySQL.
func javaWithHistory(t *testing.T, db *servers.Server, from place, schema, url string, more ...string) *peers.JavaServer {
	t.Helper()
	return peers.StartJavaServer(t, peers.SmallHeap, append([]string{"--dest", "example=" + db.Addr(), "--journal", from.file, "--position", strconv.FormatInt(from.offset, 10),
		"--filter", schema + `\..*`, "--tsdb-url", url, "--tsdb-user", "root"}, more...)...)
}

// openHistory opens the history of the destination example.
func openHistory(t *testing.T, url string) *sqlstore.Store {
	t.Helper()
	s, err := sqlstore.Open(t.Context(), sqlstore.Options{Destination: "example", URL: url, User: "root"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// awaitSnapshot waits until a Java server knows the tables. It has to make the tables
// of the history, too.
func awaitSnapshot(t *testing.T, db *servers.Server, database string) {
	t.Helper()
	eventually(t, startLimit, "the first snapshot of java", func() bool {
		rows, err := db.Query(t.Context(), "SELECT COUNT(*) FROM "+database+".meta_snapshot")
		return err == nil && rows[0][0] == "1"
	})
}

// recorded waits until there are n changes, and returns them.
func recorded(t *testing.T, s *sqlstore.Store, n int) (all []history.Change) {
	t.Helper()
	eventually(t, startLimit, fmt.Sprintf("%d changes in the history", n), func() bool {
		var err error
		if all, err = s.Changes(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
		return len(all) >= n
	})
	if len(all) != n {
		t.Fatalf("there are %d changes, want %d: %+v", len(all), n, all)
	}
	return all
}

// story reads the destination example of a server until there are as many changes
// of a schema as wanted, and the end of their transaction: rows with the names of
// their columns, and statements. It returns where the cursor will be.
func story(t *testing.T, addr, schema string, want []string) (cursor place) {
	t.Helper()
	c := client.NewConsumer(client.ConsumerOptions{Options: client.Options{Addr: addr, Destination: "example"}, Retry: soon})
	ctx, cancel := context.WithTimeout(t.Context(), startLimit)
	defer cancel()
	var got []string
	within := false // a transaction
	for b, err := range c.Batches(ctx) {
		if err != nil {
			t.Fatalf("%v; so far %q", err, got)
		}
		for e, err := range b.Entries() {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, told(t, e, schema)...)
			if e.EntryType() != protocol.EntryRowData {
				within = e.EntryType() == protocol.EntryTransactionBegin
			}
			if e.EntryType() != protocol.EntryRowData || isDDL(t, e) {
				cursor = place{e.Header().LogfileName(), e.Header().LogfileOffset()}
			}
		}
		if err := b.Ack(); err != nil {
			t.Fatal(err)
		}
		if len(got) >= len(want) && !within {
			break
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the story is\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	return cursor
}

func isDDL(t *testing.T, e *protocol.Entry) bool {
	t.Helper()
	rc, err := e.RowChange()
	if err != nil {
		t.Fatal(err)
	}
	return rc.IsDDL()
}

// awaitCursor waits until the acks of the destination example are in its meta.dat,
// Java's or ours.
func (h *home) awaitCursor(p place) {
	h.t.Helper()
	eventually(h.t, startLimit, fmt.Sprintf("the cursor is at %v", p), func() bool {
		c, ok := h.cursor("example")
		return ok && c.place == p
	})
}

// told are what an entry tells.
func told(t *testing.T, e *protocol.Entry, schema string) (all []string) {
	if e.EntryType() != protocol.EntryRowData || e.Header().SchemaName() != schema {
		return nil
	}
	rc, err := e.RowChange()
	if err != nil {
		t.Fatal(err)
	}
	if rc.IsDDL() {
		return []string{rc.SQL()}
	}
	for row := range rc.Rows() {
		var columns []string
		for col := range row.After() {
			columns = append(columns, col.Name()+"="+col.Value())
		}
		all = append(all, e.Header().TableName()+" "+strings.Join(columns, " "))
	}
	return all
}

// TestJavaWritesHistory has a Java server write a history, and our store read it.
func TestJavaWritesHistory(t *testing.T) {
	peers.ForTest(t, peers.JavaCanal)
	db := sharedServer(t, servers.MySQL80)
	url := tsdb(t, db, "tsdb_java_writes")
	db.MustExec(t, "CREATE DATABASE jh", "CREATE TABLE jh.goods (id int PRIMARY KEY, name varchar(20) COMMENT '商品')", "CREATE TABLE jh.other (y int)", "INSERT INTO jh.other VALUES (0)")
	java := javaWithHistory(t, db, end(t, db), "jh", url)
	awaitSnapshot(t, db, "tsdb_java_writes")
	s := openHistory(t, url)
	snapshots, err := s.Snapshots(t.Context())
	if err != nil || len(snapshots) != 1 || !snapshots[0].Initial || snapshots[0].At != (history.Place{}) {
		t.Fatalf("snapshots are %+v, %v", snapshots, err)
	}
	schemas, err := s.Schemas(t.Context(), snapshots[0].ID)
	if err != nil || len(schemas) != 1 {
		t.Fatalf("schemas are %q, %v", schemas, err)
	}
	for _, table := range []string{"CREATE TABLE goods (", "COMMENT '商品'", "CREATE TABLE other ("} {
		// Canal before 1.1.8 writes names without backquotes.
		if !strings.Contains(strings.ReplaceAll(schemas["jh"], "`", ""), table) || !strings.HasSuffix(schemas["jh"], "; \n") {
			t.Errorf("the tables are %q, without %q", schemas["jh"], table)
		}
	}

	first := end(t, db)
	statements := []string{"ALTER TABLE goods ADD COLUMN price int FIRST", "CREATE TABLE more (z int) COMMENT='é'", "RENAME TABLE other TO others", "DROP TABLE `more` /* generated by server */"}
	db.MustExec(t, "USE jh", "INSERT INTO jh.goods VALUES (1, 'a')", statements[0], statements[1], "INSERT INTO jh.goods VALUES (7, 2, 'b')", statements[2], "DROP TABLE more")
	story(t, java.Addr(), "jh", []string{"other y=0", "goods id=1 name=a", statements[0], statements[1], "goods price=7 id=2 name=b", statements[2], statements[3]})
	names := []string{"goods", "more", "others", "more"}
	types := []string{"ALTER", "CREATE", "RENAME", "ERASE"}
	last := first.offset
	changes := recorded(t, s, len(statements))
	for i, c := range changes {
		if c.SQL != statements[i] || c.Schema != "jh" || c.Table != (ddl.Name{Schema: "jh", Table: names[i]}) || c.Type != types[i] || c.Loaded {
			t.Errorf("the %d. change is %+v", i+1, c)
		}
		if c.At.File != first.file || c.At.Offset <= last || c.At.ServerID != int64(db.Port) || time.Since(time.UnixMilli(c.At.Timestamp)).Abs() > time.Hour || c.At.Origin != "" {
			t.Errorf("the %d. change is at %+v", i+1, c.At)
		}
		last = c.At.Offset
	}
	then, err := history.Select(t.Context(), s, changes[2].At) // before the third one
	if err != nil || then.Base == nil || !reflect.DeepEqual(then.Base.Schemas, schemas) || !reflect.DeepEqual(then.Changes, changes[:2]) ||
		!reflect.DeepEqual(then.LaterChanges, []int64{changes[2].ID, changes[3].ID}) || then.LaterSnapshots != nil {
		t.Errorf("before the third change there is %+v, %v", then, err)
	}
}

// TestJavaReadsHistory has a Java server start in the middle of a history that our
// store has written: it reads each row with the columns that its table had then.
func TestJavaReadsHistory(t *testing.T) {
	peers.ForTest(t, peers.JavaCanal)
	db := sharedServer(t, servers.MySQL80)
	url := tsdb(t, db, "tsdb_java_reads")
	s := openHistory(t, url)
	db.MustExec(t, "CREATE DATABASE jr", "CREATE TABLE jr.goods (id int PRIMARY KEY)", "CREATE TABLE jr.late (a int)")
	began := placeNow(t, db)
	tables := history.Snapshot{At: began, Initial: true, Extra: []byte("ours"), Schemas: map[string]string{"jr": "CREATE TABLE `goods` (\n  `id` int NOT NULL,\n  PRIMARY KEY (`id`)\n); \n"}}
	if err := s.AddSnapshot(t.Context(), tables); err != nil {
		t.Fatal(err)
	}
	record := func(c history.Change) {
		t.Helper()
		c.At, c.Schema, c.SQLMode, c.Charset = placeNow(t, db), "jr", 1, "utf8mb4"
		for _, origin := range []string{"u", "v"} { // the second one has no place by Canal's key
			c.At.Origin = origin
			if err := s.Append(t.Context(), c); err != nil {
				t.Fatal(err)
			}
		}
		if !c.Loaded {
			db.MustExec(t, "USE jr", c.SQL)
		}
	}
	record(history.Change{SQL: "CREATE TABLE late (a int, b int)", Loaded: true, Table: ddl.Name{Schema: "jr", Table: "late"}})
	db.MustExec(t, "DROP TABLE jr.late", "CREATE TABLE jr.late (a int, b int)")
	record(history.Change{SQL: "ALTER TABLE goods MODIFY id bigint", Table: ddl.Name{Schema: "jr", Table: "goods"}, Type: "ALTER"})
	db.MustExec(t, "INSERT INTO jr.goods VALUES (0)")
	from := end(t, db)
	db.MustExec(t, "USE jr", "INSERT INTO goods VALUES (1)", "INSERT INTO late VALUES (3, 4)", "ALTER TABLE goods ADD COLUMN price int FIRST", "INSERT INTO goods VALUES (7, 2)",
		"ALTER TABLE late ADD COLUMN c int FIRST", "ALTER TABLE goods ADD COLUMN name varchar(10) FIRST", "INSERT INTO goods VALUES ('x', 8, 3)")
	before := recorded(t, s, 4)

	java := javaWithHistory(t, db, from, "jr", url)
	story(t, java.Addr(), "jr", []string{"goods id=0", "goods id=1", "late a=3 b=4", "ALTER TABLE goods ADD COLUMN price int FIRST", "goods price=7 id=2",
		"ALTER TABLE late ADD COLUMN c int FIRST", "ALTER TABLE goods ADD COLUMN name varchar(10) FIRST", "goods name=x price=8 id=3"})
	after := recorded(t, s, 7)
	if !reflect.DeepEqual(after[:4], before) {
		t.Errorf("ours are now\n%+v\nwant\n%+v", after[:4], before)
	}
	snapshots, err := s.Snapshots(t.Context())
	if err != nil || len(snapshots) != 1 || snapshots[0].At != began || string(snapshots[0].Extra) != "ours" {
		t.Errorf("snapshots are %+v, %v", snapshots, err)
	}
}

// placeNow is the end of a server's binlog, as a change has it.
func placeNow(t *testing.T, db *servers.Server) history.Place {
	t.Helper()
	p := end(t, db)
	return history.Place{Position: binlog.Position{File: p.file, Offset: p.offset, Timestamp: time.Now().Add(-time.Second).Truncate(time.Second).UnixMilli(), ServerID: int64(db.Port)}}
}

// chain is what servers tell that take over from each other, with one history and
// one meta.dat: first Java's, then ours, then Java's again. Tables change between a
// row and the server that reads it, so that only the history knows its columns. Each
// part ends with a row: a statement that was acked last comes again from Java.
type chain struct {
	db       *servers.Server
	schema   string
	column   string // the last one of goods
	database string // of the history
	url      string
	home     *home
}

// newChain makes the source and a folder of ours.
func newChain(t *testing.T, schema, column string) *chain {
	t.Helper()
	c := &chain{db: sharedServer(t, servers.MySQL80), schema: schema, column: column, database: "tsdb_" + schema}
	c.url = tsdb(t, c.db, c.database)
	c.db.MustExec(t, "CREATE DATABASE "+schema, "CREATE TABLE "+schema+".goods (id int PRIMARY KEY, `"+column+"` int)", "INSERT INTO "+schema+".goods VALUES (0, 0)")
	c.home = newHome(t, settings{"canal.instance.tsdb.url": c.url, "canal.instance.tsdb.dbUsername": "root", "canal.instance.tsdb.dbPassword": "",
		"canal.instance.tsdb.spring.xml": "classpath:spring/tsdb/mysql-tsdb.xml", "canal.destinations": "example", "canal.auto.scan": "false"})
	c.home.instance("example", c.db.Addr(), at(end(t, c.db)).with(only(schema)))
	return c
}

// story is the function of that name, with the column for "key".
func (c *chain) story(t *testing.T, addr string, want ...string) {
	t.Helper()
	for i := range want {
		want[i] = strings.ReplaceAll(want[i], " key=", " "+c.column+"=")
	}
	c.home.awaitCursor(story(t, addr, c.schema, want))
}

// first has a Java server tell what the first part brings.
func (c *chain) first(t *testing.T, addr string) {
	t.Helper()
	awaitSnapshot(t, c.db, c.database)
	c.db.MustExec(t, "USE "+c.schema, "INSERT INTO goods VALUES (1, 0)", "ALTER TABLE goods ADD COLUMN price int FIRST", "INSERT INTO goods VALUES (5, 10, 0)")
	c.story(t, addr, "goods id=0 key=0", "goods id=1 key=0", "ALTER TABLE goods ADD COLUMN price int FIRST", "goods price=5 id=10 key=0")
}

// ours has our server tell what the second part brings.
func (c *chain) ours(t *testing.T) {
	t.Helper()
	c.db.MustExec(t, "USE "+c.schema, "INSERT INTO goods VALUES (7, 2, 0)", "ALTER TABLE goods ADD COLUMN name varchar(10) FIRST", "INSERT INTO goods VALUES ('x', 8, 3, 0)",
		"CREATE TABLE bills (a int) COMMENT '😀'", "INSERT INTO bills VALUES (1)", "ALTER TABLE bills ADD COLUMN b int FIRST", "INSERT INTO bills VALUES (2, 3)")
	c.home.start()
	c.story(t, c.home.addr(), "goods price=7 id=2 key=0", "ALTER TABLE goods ADD COLUMN name varchar(10) FIRST", "goods name=x price=8 id=3 key=0",
		"CREATE TABLE bills (a int) COMMENT '😀'", "bills a=1", "ALTER TABLE bills ADD COLUMN b int FIRST", "bills b=2 a=3")
	c.home.stop()
	for i, change := range c.recorded(t, 4) {
		if (change.At.Origin != "") != (i > 0) || change.Type == "" || change.Loaded {
			t.Errorf("the %d. change is %+v", i+1, change)
		}
	}
}

// third is what happens before the last server starts; last has it tell that.
func (c *chain) third(t *testing.T) {
	t.Helper()
	c.db.MustExec(t, "USE "+c.schema, "INSERT INTO bills VALUES (5, 6)", "ALTER TABLE bills DROP COLUMN a", "ALTER TABLE goods DROP COLUMN price", "INSERT INTO goods VALUES ('y', 4, 0)")
}

func (c *chain) last(t *testing.T, addr string) {
	t.Helper()
	c.story(t, addr, "bills b=5 a=6", "ALTER TABLE bills DROP COLUMN a", "ALTER TABLE goods DROP COLUMN price", "goods name=y id=4 key=0")
	c.recorded(t, 6)
}

// recorded are the changes of the schema in the history.
func (c *chain) recorded(t *testing.T, n int) (all []history.Change) {
	t.Helper()
	s := openHistory(t, c.url)
	eventually(t, startLimit, fmt.Sprintf("%d changes in the history", n), func() bool {
		changes, err := s.Changes(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		all = slices.DeleteFunc(changes, func(h history.Change) bool { return h.Schema != c.schema })
		return len(all) >= n
	})
	if len(all) != n {
		t.Fatalf("there are %d changes, want %d: %+v", len(all), n, all)
	}
	return all
}

// TestHistoryTakenOver has a Java server begin, ours go on, and a Java server go on
// behind it.
func TestHistoryTakenOver(t *testing.T) {
	peers.ForTest(t, peers.JavaCanal)
	c := newChain(t, "jt", "code") // Canal 1.1.7 cannot read what it writes of a column key
	from, conf := end(t, c.db), filepath.Join(c.home.dir, "conf")
	java := javaWithHistory(t, c.db, from, "jt", c.url, "--data", conf)
	c.first(t, java.Addr())
	java.Stop(t)
	c.ours(t)
	c.third(t)
	c.last(t, javaWithHistory(t, c.db, from, "jt", c.url, "--data", conf).Addr())
}

// TestDistributionTakesHistoryOver is the same with Canal's own server and the
// Spring files of its archive, in one folder with ours.
func TestDistributionTakesHistoryOver(t *testing.T) {
	dist := distribution(t, "TOWPATH_CANAL_DEPLOYER")
	c := newChain(t, "jd", "key")
	c.home.copyFrom(dist, "conf")
	java := func() {
		c.home.launchJava(dist, "com.alibaba.otter.canal.deployer.CanalLauncher", "-Dcanal.conf="+filepath.Join(c.home.dir, "conf", "canal.properties"), "-DappName=otter-canal")
		c.home.awaitPort()
	}
	java()
	c.first(t, c.home.addr())
	c.home.stopJava()
	c.ours(t)
	c.third(t)
	java()
	c.last(t, c.home.addr())
}

// TestJavaGoesOnFromOurs has our server begin a history, and a Java server go on
// with the tables as we have written them.
func TestJavaGoesOnFromOurs(t *testing.T) {
	peers.ForTest(t, peers.JavaCanal)
	c := newChain(t, "jo", "code")
	const (
		insert = "INSERT INTO wide (id, e, d, b, j, v, t, y, s, c) VALUES (%d, 'it''s', 1.5, 5, '{\"a\": 1}', 'v', 1, 2024, 'a,b', 'x')"
		row    = "id=%d e=3 d=1.50 b=5 j={\"a\": 1} v=v g=%d t=1 y=2024 s=3 c=x"
	)
	c.db.MustExec(t, `CREATE TABLE jo.wide (id int unsigned PRIMARY KEY, e enum('x','y z','it''s') NOT NULL, d decimal(10,2) unsigned zerofill, b bit(3), j json,
		v varchar(10) CHARACTER SET latin1 COMMENT 'a "b" ''c''; \\', g int GENERATED ALWAYS AS (id + 1) STORED, t tinyint(1) DEFAULT '1', y year, s set('a','b'), c char(3) BINARY,
		UNIQUE KEY (v, id), KEY (t DESC)) COMMENT '; \n' PARTITION BY HASH (id) PARTITIONS 3`)
	wide := func(id int) string { return fmt.Sprintf("wide "+row, id, id+1) }
	add := func(id int) string { return fmt.Sprintf(insert, id) }
	from := end(t, c.db)
	c.home.instance("example", c.db.Addr(), at(from).with(only("jo")))
	c.home.start()
	c.db.MustExec(t, "USE jo", add(1))
	story(t, c.home.addr(), "jo", []string{wide(1)})
	c.db.MustExec(t, "ALTER TABLE jo.goods ADD COLUMN price int FIRST", "INSERT INTO jo.goods VALUES (7, 1, 2)")
	c.story(t, c.home.addr(), "ALTER TABLE jo.goods ADD COLUMN price int FIRST", "goods price=7 id=1 key=2")
	c.home.stop()
	c.db.MustExec(t, "USE jo", add(2), "INSERT INTO goods VALUES (8, 3, 4)", "ALTER TABLE wide ADD COLUMN n int FIRST", "ALTER TABLE goods DROP COLUMN price", add(3), "INSERT INTO goods VALUES (5, 6)")
	java := javaWithHistory(t, c.db, from, "jo", c.url, "--data", filepath.Join(c.home.dir, "conf"))
	story(t, java.Addr(), "jo", []string{wide(2), "goods price=8 id=3 code=4", "ALTER TABLE wide ADD COLUMN n int FIRST", "ALTER TABLE goods DROP COLUMN price",
		strings.Replace(wide(3), "wide id", "wide n= id", 1), "goods id=5 code=6"})
}

// stopJava ends a Java server with a signal that it handles.
func (h *home) stopJava() {
	h.t.Helper()
	if err := h.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		h.t.Fatal(err)
	}
	select {
	case <-h.done:
	case <-time.After(startLimit):
		h.t.Fatal("the Java server does not end")
	}
}
