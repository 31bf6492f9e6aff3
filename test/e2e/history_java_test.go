package e2e

import (
	"context"
	"fmt"
	"reflect"
	"strconv"
	"strings"
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
func javaWithHistory(t *testing.T, db *servers.Server, from place, schema, url string) *peers.JavaServer {
	t.Helper()
	return peers.StartJavaServer(t, peers.SmallHeap, "--dest", "example="+db.Addr(), "--journal", from.file, "--position", strconv.FormatInt(from.offset, 10),
		"--filter", schema+`\..*`, "--tsdb-url", url, "--tsdb-user", "root")
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
// of a schema as wanted: rows with the names of their columns, and statements.
func story(t *testing.T, addr, schema string, want []string) {
	t.Helper()
	c := client.NewConsumer(client.ConsumerOptions{Options: client.Options{Addr: addr, Destination: "example"}, Retry: soon})
	ctx, cancel := context.WithTimeout(t.Context(), startLimit)
	defer cancel()
	var got []string
	for b, err := range c.Batches(ctx) {
		if err != nil {
			t.Fatalf("%v; so far %q", err, got)
		}
		for e, err := range b.Entries() {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, told(t, e, schema)...)
		}
		if err := b.Ack(); err != nil {
			t.Fatal(err)
		}
		if len(got) >= len(want) {
			break
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the story is\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
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
	eventually(t, startLimit, "the first snapshot of java", func() bool {
		rows, err := db.Query(t.Context(), "SELECT COUNT(*) FROM tsdb_java_writes.meta_snapshot")
		return err == nil && rows[0][0] == "1"
	})
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
