package source

import (
	"testing"

	"github.com/towpath-cdc/towpath/internal/binlog"
	"github.com/towpath-cdc/towpath/internal/testkit/mysqltest"
)

// find runs a borderFinder over a file of the log.
func find(t *testing.T, log *mysqltest.Log, file string, l limit) (binlog.Position, bool) {
	t.Helper()
	f := &borderFinder{file: file, limit: l, checksum: true}
	for _, ev := range log.Events(file, 4) {
		done, err := f.event(ev)
		if err != nil {
			t.Fatal(err)
		}
		if done {
			break
		}
	}
	return f.result()
}

func TestBorders(t *testing.T) {
	const file = "mysql-bin.000001"
	log := mysqltest.NewLog("mysql-bin", firstTime)
	row := []byte{0xfe, 1, 0, 0, 0}
	first, firstCommit := log.Transaction(firstTime+10, row)
	second, _ := log.Transaction(firstTime+20, row)
	ddl := log.DDL(firstTime+30, "CREATE TABLE h_source.u (id int)")
	third, thirdCommit := log.Transaction(firstTime+40, row)
	end := log.End()
	log.Rotate(firstTime + 50)
	sid := mysqltest.SID.String()
	set, err := parseHistory(binlog.FlavorMySQL, sid+":1-3:99")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		limit  limit
		offset int64
		gtids  string
	}{
		"everything":                       {limit{end: log.End()}, end.Offset, sid + ":1-4"},
		"to the end of the log":            {limit{end: end}, end.Offset, sid + ":1-4"},
		"begin of the file":                {limit{offset: 4}, 4, ""}, // once not found, so that GTID mode could not start there
		"in what describes the file":       {limit{offset: 5}, 4, ""},
		"first not in a set":               {limit{set: set}, third.Offset, sid + ":1-3"},
		"at a begin":                       {limit{offset: second.Offset}, second.Offset, sid + ":1"},
		"inside a transaction":             {limit{offset: firstCommit.Offset + 1}, first.Offset, ""},
		"before the commit":                {limit{offset: firstCommit.Offset}, first.Offset, ""},
		"between a gtid and its statement": {limit{offset: ddl.Offset}, ddlBegin(log, ddl), sid + ":1-2"},
		"after a statement":                {limit{offset: third.Offset + 1}, third.Offset, sid + ":1-3"},
		"time of a transaction":            {limit{time: (firstTime + 20) * 1000}, second.Offset, sid + ":1"},
		"time between":                     {limit{time: (firstTime+30)*1000 + 1}, third.Offset, sid + ":1-3"},
		"time after all":                   {limit{time: (firstTime + 999) * 1000}, thirdCommit.Offset + int64(len(log.Events(file, thirdCommit.Offset)[0])), sid + ":1-4"},
	} {
		t.Run(name, func(t *testing.T) {
			got, found := find(t, log, file, c.limit)
			want := c.offset
			if want == first.Offset {
				want = 4 // nothing but the file's head is before it
			}
			if !found || got.Offset != want || got.GTIDSet != c.gtids || got.File != file {
				t.Errorf("%v, %v, want %d %s", got, found, want, c.gtids)
			}
		})
	}
	if p, found := find(t, log, file, limit{time: firstTime * 1000}); found {
		t.Errorf("found %v before the file began", p)
	}
}

// ddlBegin is where the GTID event before a statement stands.
func ddlBegin(log *mysqltest.Log, ddl binlog.Position) int64 {
	events := log.Events(ddl.File, 4)
	at, before := int64(4), int64(4)
	for _, ev := range events {
		if at == ddl.Offset {
			break
		}
		before, at = at, at+int64(len(ev))
	}
	return before
}

func FuzzBorders(f *testing.F) {
	log := mysqltest.NewLog("mysql-bin", firstTime)
	log.Transaction(firstTime, []byte{0xfe, 1, 0, 0, 0})
	log.DDL(firstTime, "DROP TABLE t")
	log.Rotate(firstTime)
	for _, ev := range log.Events("mysql-bin.000001", 4) {
		f.Add(ev, true)
	}
	f.Fuzz(func(_ *testing.T, ev []byte, checksum bool) {
		b := &borderFinder{file: "mysql-bin.000001", checksum: checksum, limit: limit{time: 1, offset: 1, end: binlog.Position{File: "mysql-bin.000001", Offset: 9}}}
		_, _ = b.event(ev)
		b = &borderFinder{file: "mysql-bin.000001", checksum: checksum}
		_, _ = b.event(ev)
		_, _ = b.event(ev)
		_, _ = b.result()
	})
}
