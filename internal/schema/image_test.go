package schema

import (
	"reflect"
	"strings"
	"testing"

	"github.com/towpath-cdc/towpath/internal/ddl"
)

// sameTables compares what two trackers know, but for when they came to know it.
func sameTables(t *testing.T, got, want *Tracker) {
	t.Helper()
	if len(got.tables) != len(want.tables) {
		t.Errorf("%d tables, want %d", len(got.tables), len(want.tables))
	}
	for name, w := range want.tables {
		g := got.tables[name]
		if g == nil {
			t.Errorf("%s is missing", name)
			continue
		}
		a, b := *g, *w
		a.since, a.change, a.spelled = b.since, b.change, b.spelled
		for i := range b.keys { // what is written of a key does not tell how it came about
			b.keys[i].Foreign, b.keys[i].IfNotExists = a.keys[i].Foreign, a.keys[i].IfNotExists
		}
		if !reflect.DeepEqual(a, b) {
			t.Errorf("%s:\ngot  %+v %+v\nwant %+v %+v", name, a, *a.table, b, *b.table)
		}
	}
	if got.complete != want.complete || !reflect.DeepEqual(got.doubts, want.doubts) {
		t.Errorf("doubts %v %v, want %v %v", got.complete, got.doubts, want.complete, want.doubts)
	}
	if !reflect.DeepEqual(got.schemas, want.schemas) {
		t.Errorf("schemas %v, want %v", got.schemas, want.schemas)
	}
}

func TestImage(t *testing.T) {
	mysql80, maria := ddl.Server{Version: 80030}, ddl.Server{Version: 101100, MariaDB: true}
	for _, tt := range []struct {
		name   string
		server ddl.Server
		sql    []string
	}{
		{"types", mysql80, []string{
			"CREATE TABLE t (a tinyint unsigned zerofill, b bigint, c decimal(10,2) unsigned, d double, e float, f bit(3), g year, h date, i time(3), j datetime(6), k timestamp NULL, l timestamp(2) NOT NULL DEFAULT CURRENT_TIMESTAMP(2), m json, n point SRID 4326, o geometry)",
			"CREATE TABLE u (a char(3), b varchar(20) CHARACTER SET gbk, c text, d mediumtext CHARACTER SET utf8mb3, e binary(3), f varbinary(9), g blob, h enum('a','b''c') CHARACTER SET latin1, i set('x','y'), j longtext) DEFAULT CHARSET=latin1",
			"CREATE TABLE v (a varchar(3) CHARACTER SET binary, b serial, c int GENERATED ALWAYS AS (1) STORED, d int INVISIBLE)",
		}},
		{"keys", mysql80, []string{
			"CREATE TABLE t (a int, b int, c int, d varchar(9), PRIMARY KEY (b, a), UNIQUE u (c), UNIQUE (c, d), KEY (d), FULLTEXT ft (d), KEY fn ((a + b), c), UNIQUE fu ((lower(d))))",
			"CREATE TABLE nokey (a int)",
		}},
		{"names", mysql80, []string{"CREATE TABLE `t``x` (`a``b` int, `c d` int, `é` int, `key` int, PRIMARY KEY (`a``b`), KEY `k``1` (`c d`))", "CREATE TABLE `二.表` (`列` int)"}},
		{"schemas", mysql80, []string{"CREATE DATABASE e CHARACTER SET gbk", "CREATE TABLE e.t (a text)", "CREATE TABLE t (a int)"}},
		{"altered", mysql80, []string{"CREATE TABLE t (a int, b text)", "ALTER TABLE t ADD c varchar(3) FIRST, MODIFY b blob, ADD UNIQUE (a)"}},
		{"versioned", maria, []string{"CREATE TABLE t (a int, u uuid, i inet6) WITH SYSTEM VERSIONING", "CREATE TABLE s (a int, b int, KEY (b))"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			was := NewTracker(&live{}, Options{Server: tt.server})
			for _, sql := range tt.sql {
				if err := was.Apply(t.Context(), sql, "d"); err != nil {
					t.Fatal(err)
				}
			}
			was.complete, was.doubts = true, map[ddl.Name]bool{{Schema: "d", Table: "x"}: true, {Schema: "d", Table: "y"}: true, {Schema: "e"}: true}
			i := was.Image()
			if i.Len() != len(was.tables) {
				t.Errorf("%d tables in the image, %d known", i.Len(), len(was.tables))
			}
			is := NewTracker(&live{}, Options{Server: tt.server})
			_ = is.Apply(t.Context(), "CREATE TABLE gone (a int)", "d")
			if err := is.Restore(i.Texts(), i.Extra()); err != nil {
				t.Fatal(err)
			}
			sameTables(t, is, was)
		})
	}
}

// TestImageOfCanal reads a snapshot as Canal writes it: schemas in quotes or not,
// types as users have spelled them.
func TestImageOfCanal(t *testing.T) {
	tracker := NewTracker(&live{}, Options{Server: ddl.Server{Version: 50722}})
	err := tracker.Restore(map[string]string{
		"d": "CREATE TABLE `t8` (\n\t`id` INT UNSIGNED NOT NULL,\n\t`yy` bigint,\n\tUNIQUE (`yy`),\n\tPRIMARY KEY (`id`)\n) DEFAULT CHARSET = utf8; \nCREATE TABLE `t9` (\n\t`a` VarChar(3)\n); \n",
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for table, want := range map[string]string{"t8": "id int(10) unsigned key, yy bigint(20)", "t9": "a varchar(3)"} {
		if l := tracker.Layouts("d", table); len(l) != 1 || layout(l[0].Table) != want {
			t.Errorf("%s is %v", table, l)
		}
	}
}

func TestDamagedImage(t *testing.T) {
	tracker := NewTracker(&live{}, Options{})
	err := tracker.Restore(map[string]string{"d": "CREATE TABLE t (a int); \nCREATE TABLE u (a int; \nCREATE TABLE v (a int); \n"}, []byte("{"))
	if err == nil || !strings.Contains(err.Error(), "and 1 more") {
		t.Errorf("got %v", err)
	}
	if len(tracker.Layouts("d", "t")) != 1 || len(tracker.Layouts("d", "v")) != 1 {
		t.Error("what could be read is not known")
	}
}

func FuzzRestore(f *testing.F) {
	f.Add("d", "CREATE TABLE `t` (\n\t`a` int(11) NOT NULL,\n\tPRIMARY KEY (`a`)\n) DEFAULT CHARSET=utf8mb4; \n", `{"version":1,"charsets":{"d":"utf8mb4"}}`)
	f.Add("`d`", "CREATE TABLE t (a enum('x','y'), KEY ((a+1))) WITH SYSTEM VERSIONING; \n", "")
	f.Fuzz(func(t *testing.T, schema, text, extra string) {
		server := ddl.Server{Version: 80030}
		once := NewTracker(&live{}, Options{Server: server})
		if once.Restore(map[string]string{schema: text}, []byte(extra)) != nil {
			return
		}
		i := once.Image()
		twice := NewTracker(&live{}, Options{Server: server})
		if err := twice.Restore(i.Texts(), i.Extra()); err != nil {
			t.Fatalf("what was written cannot be read: %v\n%q", err, i.Texts())
		}
		again := twice.Image()
		if !reflect.DeepEqual(again.Texts(), i.Texts()) {
			t.Errorf("got %q, want %q", again.Texts(), i.Texts())
		}
	})
}
