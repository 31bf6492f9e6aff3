package meta

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/towpath-cdc/towpath/internal/binlog"
)

func TestMain(m *testing.M) {
	// One goroutine starts the servers of the tests and lasts as long as they.
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent())
}

const dest = "example"

func client(id int16, filter string) Client { return Client{Destination: dest, ID: id, Filter: filter} }

func at(file string, offset int64) Cursor {
	return Cursor{Host: "10.1.2.3", Port: 3306, Position: binlog.Position{File: file, Offset: offset, Timestamp: 1735689600000, ServerID: 1}}
}

// TestManagers is what every form of Manager has to do.
func TestManagers(t *testing.T) {
	forms := map[string]func(t *testing.T) Manager{
		"memory": func(*testing.T) Manager { return NewMemory() },
		"file":   func(t *testing.T) Manager { return open(t, FileOptions{Dir: t.TempDir()}) },
		"zookeeper": func(t *testing.T) Manager {
			return openZK(t, newForest().options())
		},
	}
	for name, form := range forms {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			m := form(t)
			a, b := client(1001, ""), client(-5, "a\\..*")
			if m.HasSubscription(a) || len(m.Subscriptions()) != 0 {
				t.Error("new manager has subscriptions")
			}
			must(t, m.Unsubscribe(ctx, a))
			must(t, m.Subscribe(ctx, a))
			must(t, m.Subscribe(ctx, b))
			must(t, m.UpdateCursor(ctx, a, at("b.1", 4)))
			a.Filter = "x\\.y"
			must(t, m.Subscribe(ctx, a))
			if got, want := m.Subscriptions(), []Client{b, a}; !reflect.DeepEqual(got, want) {
				t.Errorf("subscriptions %v, want %v", got, want)
			}
			if cur, ok := m.Cursor(Client{Destination: dest, ID: 1001}); !ok || cur != at("b.1", 4) {
				t.Errorf("cursor %v, %t", cur, ok)
			}
			if _, ok := m.Cursor(b); ok {
				t.Error("cursor out of nothing")
			}
			want := []Record{{Client: b}, {Client: a, Cursor: at("b.1", 4), HasCursor: true}}
			if got := m.Snapshot(); !reflect.DeepEqual(got, want) {
				t.Errorf("snapshot %v, want %v", got, want)
			}
			must(t, m.Flush(ctx))
			must(t, m.Unsubscribe(ctx, a))
			if m.HasSubscription(a) {
				t.Error("still subscribed")
			}
			must(t, m.Subscribe(ctx, a))
			if cur, ok := m.Cursor(a); !ok || cur != at("b.1", 4) {
				t.Errorf("cursor after subscribing again: %v, %t", cur, ok)
			}
			must(t, m.Close())
			must(t, m.Close())
			for _, err := range []error{m.Subscribe(ctx, a), m.Unsubscribe(ctx, a), m.UpdateCursor(ctx, a, Cursor{})} {
				if !errors.Is(err, ErrClosed) {
					t.Errorf("after close: %v", err)
				}
			}
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, o FileOptions) *File {
	t.Helper()
	if o.Destination == "" {
		o.Destination = dest
	}
	f, err := OpenFile(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func TestEarliest(t *testing.T) {
	other := func(c Cursor, ts int64) Cursor {
		c.Host, c.Position.Timestamp = "10.9.9.9", ts
		return c
	}
	rec := func(cs ...Cursor) (rs []Record) {
		for i, c := range cs {
			rs = append(rs, Record{Client: client(int16(i), ""), Cursor: c, HasCursor: c != Cursor{}})
		}
		return rs
	}
	tests := []struct {
		name    string
		records []Record
		want    Cursor
	}{
		{"none", nil, Cursor{}},
		{"no cursor", rec(Cursor{}), Cursor{}},
		{"offset", rec(at("b.000002", 9), Cursor{}, at("b.000002", 4)), at("b.000002", 4)},
		{"file", rec(at("b.000003", 4), at("b.000002", 9)), at("b.000002", 9)},
		{"seven digits", rec(at("b.1000000", 4), at("b.999999", 9)), at("b.999999", 9)},
		{"names without a number", rec(at("b.y", 4), at("b.x", 9)), at("b.x", 9)},
		{"other server, by time", rec(at("b.000001", 4), other(at("b.000009", 9), 1)), other(at("b.000009", 9), 1)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, ok := Earliest(tt.records); got != tt.want || ok != (tt.want != Cursor{}) {
				t.Errorf("got %v, %t", got, ok)
			}
		})
	}
}

func TestLogLine(t *testing.T) {
	tests := []struct {
		cur  Cursor
		want string
	}{
		{Cursor{Host: "127.0.0.1", Port: 3306, Position: binlog.Position{File: "mysql-bin.000003", Offset: 4567, Timestamp: 1735689600000, ServerID: 1}},
			"clientId:1001 cursor:[mysql-bin.000003,4567,1735689600000,1,] address[/127.0.0.1:3306]"},
		{Cursor{Host: "db1", Port: 3307, Position: binlog.Position{File: "b.1", GTIDSet: "a:1-2"}},
			"clientId:1001 cursor:[b.1,0,null,null,a:1-2] address[db1/<unresolved>:3307]"},
		{Cursor{Host: "::1", Port: 1, Position: binlog.Position{Timestamp: 5}},
			"clientId:1001 cursor:[null,null,5,null,] address[/[0:0:0:0:0:0:0:1]:1]"},
		{Cursor{}, "clientId:1001 cursor:[null,null,null,null,] address[null]"},
	}
	for _, tt := range tests {
		r := Record{Client: client(1001, ""), Cursor: tt.cur, HasCursor: true}
		if got := r.LogLine(); got != tt.want {
			t.Errorf("got  %s\nwant %s", got, tt.want)
		}
	}
}

func TestCursorJSON(t *testing.T) {
	full := Cursor{Host: "10.1.2.3", Port: 3306, Position: binlog.Position{File: "mysql-bin.000003", Offset: 4, Timestamp: 1363688722000, ServerID: 1}}
	const text = `{"@type":"com.alibaba.otter.canal.protocol.position.LogPosition","identity":{"slaveId":-1,"sourceAddress":{"address":"10.1.2.3","port":3306}},"postion":{"gtid":"","included":false,"journalName":"mysql-bin.000003","position":4,"serverId":1,"timestamp":1363688722000}}`
	if got := string(AppendCursor([]byte("x"), full)); got != "x"+text {
		t.Errorf("got %s", got)
	}
	tests := []struct {
		name, in string
		want     Cursor
		bad      string
	}{
		{name: "as written", in: text, want: full},
		{name: "without type", in: strings.Replace(text, `"@type":"com.alibaba.otter.canal.protocol.position.LogPosition",`, "", 1), want: full},
		{name: "old version", in: `{"@type":"com.alibaba.otter.canal.protocol.position.LogPosition","identity":{"slaveId":-1,"sourceAddress":{"address":"db1","port":3306}},"postion":{"included":false,"journalName":"b.1","position":5,"timestamp":6}}`,
			want: Cursor{Host: "db1", Port: 3306, Position: binlog.Position{File: "b.1", Offset: 5, Timestamp: 6}}},
		{name: "any order and blanks", in: " {\n\"postion\" : {\"timestamp\":6,\"position\":5,\"journalName\":\"b.1\",\"new\":[1]},\t\"identity\":null}\n",
			want: Cursor{Position: binlog.Position{File: "b.1", Offset: 5, Timestamp: 6}}},
		{name: "address null", in: `{"identity":{"slaveId":-1,"sourceAddress":{"address":null,"port":1}},"postion":{"gtid":null,"journalName":null}}`, want: Cursor{Port: 1}},
		{name: "no position", in: `{"identity":null}`, bad: "postion"},
		{name: "other class", in: `{"@type":"java.lang.Runtime","postion":{}}`, bad: "java.lang.Runtime"},
		{name: "torn", in: text[:100], bad: "parse cursor"},
		{name: "trailing", in: text + "}", bad: "parse cursor"},
		{name: "empty", in: "", bad: "parse cursor"},
		{name: "wrong type", in: `{"postion":{"position":"x"}}`, bad: "parse cursor"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseCursor([]byte(tt.in))
			if (err != nil) != (tt.bad != "") || err != nil && !strings.Contains(err.Error(), tt.bad) {
				t.Fatalf("error %v, want %q", err, tt.bad)
			}
			if got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

// The files in testdata/java were written by Canal 1.1.7 (FileMixedMetaManager,
// fastjson2 2.0.31).
func TestReadJavaFiles(t *testing.T) {
	local := Cursor{Host: "localhost", Port: 3306, Position: binlog.Position{File: "mysql-bin.000003", Offset: 4567, Timestamp: 1735689600000, ServerID: 1}}
	unresolved := Cursor{Port: 3307, Position: local.Position}
	unresolved.Position.GTIDSet = "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-77,\n4e11fa47-71ca-11e1-9e33-c80aa9429562:1-3"
	many := func(id int16, filter string, cur Cursor) Record {
		return Record{Client: Client{"many", id, filter}, Cursor: cur, HasCursor: cur != Cursor{}}
	}
	want := map[string][]Record{
		"example": {{Client: client(1001, ""), Cursor: local, HasCursor: true}},
		"many": {
			many(1001, `shop\..*,a\."q\u00e9`, unresolved),
			many(-7, "", Cursor{}),
			many(12, "é中\u0001\u2028<&>", Cursor{Host: "0:0:0:0:0:0:0:1", Port: 3306, Position: binlog.Position{File: "mysql-bin.000009", Offset: 9999999999}}),
			many(13, "", Cursor{Position: binlog.Position{Timestamp: 5}}),
			many(14, "", Cursor{Position: binlog.Position{File: "b.1", Offset: 4}}),
		},
	}
	for name, records := range want {
		dir := t.TempDir()
		content, err := os.ReadFile(filepath.Join("testdata", "java", name+".dat"))
		must(t, err)
		must(t, os.WriteFile(filepath.Join(dir, FileName), content, 0o644))
		f := open(t, FileOptions{Destination: name, Dir: dir})
		if got := f.Snapshot(); !reflect.DeepEqual(got, records) {
			t.Errorf("%s: got  %+v\nwant %+v", name, got, records)
		}
	}
	content, err := os.ReadFile(filepath.Join("testdata", "java", "example.dat"))
	must(t, err)
	if got := string(appendRecords(nil, "example", want["example"])); got != string(content) {
		t.Errorf("written as %s\nJava wrote %s", got, content)
	}
}

func FuzzParseCursor(f *testing.F) {
	f.Add([]byte(AppendCursor(nil, at("mysql-bin.000003", 4))))
	f.Add([]byte(`{"postion":{"position":4},"sources":[{"number":2,"postion":{"journalName":"b.1","position":7},"whole":true},{"number":1,"postion":{}}]}`))
	f.Add([]byte(`{"postion":{"gtid":null,"position":-1},"identity":{"sourceAddress":{"address":null}}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := ParseCursor(b)
		if err != nil {
			return
		}
		withoutOffset(&c)
		again, err := ParseCursor(AppendCursor(nil, c))
		if err != nil || !reflect.DeepEqual(again, c) {
			t.Errorf("%+v became %+v: %v", c, again, err)
		}
	})
}

// withoutOffset takes away what is not written of a cursor without a file.
func withoutOffset(c *Cursor) {
	if c.Position.File == "" {
		c.Position.Offset = 0
	}
	if c.Sources != nil {
		for i := range c.Sources.List {
			withoutOffset(&c.Sources.List[i].Cursor)
		}
	}
}

func FuzzParseRecords(f *testing.F) {
	for _, name := range []string{"example", "many"} {
		content, err := os.ReadFile(filepath.Join("testdata", "java", name+".dat"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(content)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		records, _, err := parseRecords(b, "many")
		if err != nil {
			return
		}
		NewMemory(records...)
		for i := range records {
			withoutOffset(&records[i].Cursor)
		}
		again, foreign, err := parseRecords(appendRecords(nil, "many", records), "many")
		if err != nil || foreign != 0 || len(again) != len(records) || len(records) > 0 && !reflect.DeepEqual(again, records) {
			t.Errorf("%+v became %+v: %v", records, again, err)
		}
	})
}

func FuzzParseChecksum(f *testing.F) {
	f.Add([]byte("crc32c=0000002a size=3 mtime=-5\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, ok := parseChecksum(b); ok && string(c.append(nil)) != string(b)+"\n" {
			t.Errorf("%q became %q", b, c.append(nil))
		}
	})
}
