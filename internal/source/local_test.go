package source

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath-cdc/towpath/internal/binlog"
	"github.com/towpath-cdc/towpath/internal/config"
	"github.com/towpath-cdc/towpath/internal/schema"
	"github.com/towpath-cdc/towpath/internal/testkit/mysqltest"
	"github.com/towpath-cdc/towpath/test/servers"
)

// binlogs is a folder with the files of a log.
type binlogs struct {
	*testing.T
	dir string
}

func newBinlogs(t *testing.T) *binlogs { return &binlogs{t, t.TempDir()} }

// content is what is in a file of a log.
func content(log *mysqltest.Log, name string) []byte {
	return append([]byte(binlog.Magic), bytes.Join(log.Events(name, 4), nil)...)
}

func (b *binlogs) path(name string) string { return filepath.Join(b.dir, name) }

func (b *binlogs) write(name string, data []byte) {
	b.Helper()
	if err := os.WriteFile(b.path(name), data, 0o644); err != nil {
		b.Fatal(err)
	}
}

func (b *binlogs) remove(name string) {
	b.Helper()
	if err := os.Remove(b.path(name)); err != nil {
		b.Fatal(err)
	}
}

// add appends to a file, making it if need be.
func (b *binlogs) add(name string, data []byte) {
	b.Helper()
	f, err := os.OpenFile(b.path(name), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := f.Write(data); err != nil {
		b.Fatal(err)
	}
	if err := f.Close(); err != nil {
		b.Fatal(err)
	}
}

// names are the files of a log of fill.
var names = []string{"mysql-bin.000001", "mysql-bin.000002", "mysql-bin.000003"}

// writeAll writes all files of a log of fill.
func (b *binlogs) writeAll(log *mysqltest.Log) {
	b.Helper()
	for _, name := range names {
		b.write(name, content(log, name))
	}
}

func (b *binlogs) options() Options {
	o := testOptions("")
	o.Instance.Local = config.Local{Dir: b.dir, Wait: true}
	return o
}

// same compares what was read with what a log has.
func same(t *testing.T, got, want [][]byte) {
	t.Helper()
	if !slices.EqualFunc(transactions(got), transactions(want), bytes.Equal) {
		t.Errorf("read %d events, which are not the %d of the files", len(transactions(got)), len(transactions(want)))
	}
}

// TestLocalGrowing writes files piece by piece, cut anywhere, while they are read.
func TestLocalGrowing(t *testing.T) {
	log := fill(4)
	b := newBinlogs(t)
	r := rand.New(rand.NewPCG(1, 2))
	b.write("mysql-bin.index", []byte("./mysql-bin.000001\n"))
	b.write("aria_log.00000001", []byte("not a binlog"))
	b.write(names[0], nil)
	x := run(t, b.options())
	for _, name := range names {
		data := content(log, name)
		for at := 0; at < len(data); {
			n := min(1+r.IntN(90), len(data)-at)
			b.add(name, data[at:at+n])
			at += n
		}
	}
	x.until(t, "twelve commits", func() bool { return x.r.commits() == 12 })
	same(t, x.r.events, allEvents(log))
	s := x.r.lastSession()
	if s.Position != (binlog.Position{File: names[0], Offset: 4}) || !s.Checksum || s.Server.ServerID != mysqltest.ServerID || s.GTIDMode || s.Server.Version != "5.7.22-log" {
		t.Errorf("session %+v", s)
	}
	if st := x.State(); st.Phase != PhaseStreaming || st.Address != b.dir || st.Failures > 0 && x.Stats().Dumps == 0 {
		t.Errorf("state %+v", st)
	}
	if _, err := x.Connect(t.Context()); err == nil {
		t.Error("connected to no server")
	}
	if _, err := s.Tables.LoadTable(t.Context(), "d", "t"); err == nil {
		t.Error("a definition from nowhere")
	}
}

// TestLocalLarge reads events of about the size of a block, and larger ones.
func TestLocalLarge(t *testing.T) {
	log := mysqltest.NewLog("mysql-bin", firstTime)
	for _, size := range []int{1, defaultChunkSize - 200, defaultChunkSize - 100, defaultChunkSize, 3 * defaultChunkSize, 1, 7} {
		log.Transaction(firstTime, make([]byte, size))
	}
	b := newBinlogs(t)
	b.write(names[0], content(log, names[0]))
	x := run(t, b.options())
	x.until(t, "all commits", func() bool { return x.r.commits() == 7 })
	same(t, x.r.events, log.Events(names[0], 4))
}

// TestLocalStart begins where a cursor or the configuration says.
func TestLocalStart(t *testing.T) {
	log := fill(3)
	at := func(file string, n int) int64 { // where the n-th transaction of a file begins
		offset := int64(4)
		for _, ev := range log.Events(file, 4) {
			if binlog.EventType(ev[4]) == binlog.EventGTID {
				if n--; n < 0 {
					break
				}
			}
			offset += int64(len(ev))
		}
		return offset
	}
	second := at(names[1], 1)
	for name, c := range map[string]struct {
		set     func(*Options)
		commits int
		how     string
	}{
		"nothing":          {func(*Options) {}, 9, "begin of the oldest file"},
		"configured":       {func(o *Options) { o.Instance.Master.Start = config.StartPosition{File: names[1], Offset: second} }, 5, "configured position"},
		"configured file":  {func(o *Options) { o.Instance.Master.Start.File = names[2] }, 3, "beginning of the configured file"},
		"configured time":  {func(o *Options) { o.Instance.Master.Start.Timestamp = (firstTime + 45) * 1000 }, 5, "configured timestamp"},
		"stored":           {func(o *Options) { o.stored("10.0.0.9", 3306, binlog.Position{File: names[1], Offset: second}) }, 5, "stored position"},
		"inside an event":  {func(o *Options) { o.stored("", 0, binlog.Position{File: names[1], Offset: second + 7}) }, 5, "begin of the transaction around"},
		"inside the first": {func(o *Options) { o.stored("", 0, binlog.Position{File: names[1], Offset: at(names[1], 0) + 3}) }, 6, "begin of the transaction around"},
		"end of a file": {func(o *Options) {
			o.stored("", 0, binlog.Position{File: names[1], Offset: int64(len(content(log, names[1])))})
		}, 3, "stored position"},
		"gtid": {func(o *Options) {
			o.Instance.GTIDMode, o.Instance.Master.Start.GTIDSet = true, mysqltest.SID.String()+":1-5"
		}, 4, "configured gtid set"},
		"gtid, from the file": {func(o *Options) {
			o.Instance.GTIDMode = true
			o.stored("", 0, binlog.Position{File: names[1], Offset: second})
		}, 5, "read from the binlog"},
		"gtid, nothing": {func(o *Options) { o.Instance.GTIDMode = true }, 9, "begin of the oldest file"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBinlogs(t)
			b.writeAll(log)
			b.age()
			o := b.options()
			c.set(&o)
			x := run(t, o)
			x.until(t, "the commits", func() bool { return x.r.commits() == c.commits })
			all := transactions(allEvents(log))
			same(t, x.r.events, all[len(all)-5*c.commits:])
			if !strings.Contains(x.logs.String(), c.how) {
				t.Error("the log does not say how")
			}
			if s := x.r.lastSession(); s.GTIDMode != o.Instance.GTIDMode {
				t.Errorf("session %+v", s)
			} else if s.GTIDMode && name != "gtid, nothing" {
				if want := mysqltest.SID.String() + map[bool]string{true: ":1-5", false: ":1-4"}[name == "gtid"]; s.Position.GTIDSet != want {
					t.Errorf("set %q, want %q", s.Position.GTIDSet, want)
				}
			}
		})
	}
}

// TestLocalTrouble: each kind of trouble is told with what to do about it, and when
// it is over reading goes on, without an event left out or doubled.
func TestLocalTrouble(t *testing.T) {
	log := fill(2)
	good := func(b *binlogs) { b.writeAll(log) }
	damage := func(name string, change func([]byte) []byte) func(*binlogs) {
		return func(b *binlogs) { b.write(name, change(content(log, name))) }
	}
	for name, c := range map[string]struct {
		spoil   func(*binlogs) // after all files are there
		options func(*Options)
		reason  string
		remedy  string
		mend    func(*binlogs)
	}{
		"no folder":   {func(b *binlogs) { os.RemoveAll(b.dir) }, nil, "cannot be read", "localBinlog.dir", func(b *binlogs) { os.Mkdir(b.dir, 0o755); b.writeAll(log) }},
		"empty":       {func(b *binlogs) { os.RemoveAll(b.dir); os.Mkdir(b.dir, 0o755) }, nil, "no binlog files", "localBinlog.dir", good},
		"gap":         {func(b *binlogs) { b.remove(names[1]) }, nil, "the file after mysql-bin.000001 is missing, and mysql-bin.000003 is there", "missing file", good},
		"two series":  {func(b *binlogs) { b.write("relay.000001", content(log, names[0])) }, nil, "several series of binlog files in", "localBinlog.name", func(b *binlogs) { b.remove("relay.000001") }},
		"encrypted":   {damage(names[1], func(d []byte) []byte { return append([]byte(magicEncrypted), d[4:]...) }), nil, "mysql-bin.000002 is encrypted", "mysqlbinlog --raw", good},
		"no binlog":   {func(b *binlogs) { b.write(names[1], []byte("something else")) }, nil, "mysql-bin.000002 is no binlog file", "folder", good},
		"relay log":   {damage(names[1], func(d []byte) []byte { d[4+17] |= flagRelayLog; return d }), nil, "mysql-bin.000002 is a relay log", "log_replica_updates", good},
		"server id":   {damage(names[1], func(d []byte) []byte { d[4+5]++; return d }), func(o *Options) { o.Instance.Local.ServerID = mysqltest.ServerID }, "by the server with id 78, not by 77", "localBinlog.serverId", good},
		"damaged":     {damage(names[1], func(d []byte) []byte { d[len(d)-80]++; return d }), nil, "checksum mismatch", "copy the file again", good},
		"bad length":  {damage(names[1], func(d []byte) []byte { copy(d[4+9:], []byte{3, 0, 0, 0}); return d }), nil, "the first event of mysql-bin.000002 cannot be read", "copy the file again", good},
		"wild length": {damage(names[1], wild), nil, "claims 4294967295 bytes", "copy the file again", good},
		"torn":        {damage(names[1], func(d []byte) []byte { return d[:len(d)-9] }), nil, "mysql-bin.000002 ends inside an event", "copy the file again", good},
		"purged":      {func(b *binlogs) { b.remove(names[0]) }, func(o *Options) { o.stored("", 0, binlog.Position{File: names[0], Offset: 4}) }, "does not have the binlog file of the position", "put the missing binlog files", good},
		"shorter":     {func(b *binlogs) { b.write(names[0], content(log, names[0])[:300]) }, func(o *Options) { o.stored("", 0, binlog.Position{File: names[0], Offset: 400}) }, "beyond the end of its file", "put the missing", nil},
		"begin alone": {damage(names[1], func(d []byte) []byte { return d[:7] }), nil, "the first event of mysql-bin.000002 cannot be read", "copy the file again", good},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBinlogs(t)
			b.writeAll(log)
			c.spoil(b)
			b.age()
			o := b.options()
			if c.options != nil {
				c.options(&o)
			}
			x := run(t, o)
			x.until(t, "the trouble", func() bool { return x.State().Phase == PhaseWaiting })
			x.until(t, "its reason", func() bool { return strings.Contains(x.State().Reason, c.reason) })
			if st := x.State(); !strings.Contains(st.Remedy, c.remedy) {
				t.Errorf("remedy %q", st.Remedy)
			}
			if c.mend == nil {
				return
			}
			c.mend(b)
			x.until(t, "all commits", func() bool { return x.r.commits() == 6 })
			same(t, x.r.events, allEvents(log))
		})
	}
}

// age makes the files such that nothing is being copied any more.
func (b *binlogs) age() {
	old := time.Now().Add(-time.Minute)
	for _, n := range names {
		_ = os.Chtimes(b.path(n), old, old) // those that are there
	}
}

// wild gives the third event a length beyond all bounds.
func wild(data []byte) []byte {
	at := 4
	for range 2 {
		at += int(binary.LittleEndian.Uint32(data[at+9:]))
	}
	copy(data[at+9:], []byte{255, 255, 255, 255})
	return data
}

// TestLocalCrash: a file that its server did not close is read to its end, and then
// the next one.
func TestLocalCrash(t *testing.T) {
	log := fill(2)
	b := newBinlogs(t)
	b.writeAll(log)
	events := log.Events(names[0], 4)
	b.write(names[0], append([]byte(binlog.Magic), bytes.Join(events[:len(events)-1], nil)...))
	b.age()
	x := run(t, b.options())
	x.until(t, "all commits", func() bool { return x.r.commits() == 6 })
	same(t, x.r.events, allEvents(log))
	if !strings.Contains(x.logs.String(), "a binlog file has no end") {
		t.Error("the log does not tell")
	}
}

// TestLocalUnclosed: a file that is still being copied has a successor already.
func TestLocalUnclosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := fill(2)
		b := newBinlogs(t)
		b.writeAll(log)
		all := content(log, names[0])
		b.write(names[0], all[:len(all)-len(log.Events(names[0], 4)[6])-300])
		now := time.Now()
		if err := os.Chtimes(b.path(names[0]), now, now); err != nil {
			t.Fatal(err)
		}
		f := testFollower(t, b)
		var got [][]byte
		ctx, cancel := context.WithTimeout(t.Context(), settle/2)
		defer cancel()
		follow(ctx, t, f, &got)
		if f.name != names[0] {
			t.Fatalf("went on to %s", f.name)
		}
		b.write(names[0], all)
		ctx, cancel = context.WithTimeout(t.Context(), settle/2)
		defer cancel()
		follow(ctx, t, f, &got)
		same(t, got, allEvents(log))
	})
}

// testFollower begins at the begin of the first file.
func testFollower(t *testing.T, b *binlogs) *follower {
	t.Helper()
	d := &folder{dir: b.dir, maxEvent: defaultMaxEventSize}
	file, o, err := d.open(names[0])
	if err != nil {
		t.Fatal(err)
	}
	f := &follower{folder: d, pool: newChunkPool(defaultChunkSize), log: slog.New(slog.DiscardHandler), wait: true,
		heartbeat: time.Hour, settle: settle, read: func(int, time.Time) {}}
	f.start(file, o, names[0], 4)
	t.Cleanup(f.close)
	return f
}

// follow gathers the events until ctx ends.
func follow(ctx context.Context, t *testing.T, f *follower, got *[][]byte) {
	t.Helper()
	for {
		c, err := f.next(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		for i := range c.Len() {
			if h, _ := binlog.ParseHeader(c.Event(i)); h.Flags&binlog.FlagArtificial == 0 {
				*got = append(*got, bytes.Clone(c.Event(i)))
			}
		}
		c.Release()
	}
}

// TestLocalReplaced: programs that copy put a newer copy in the place of an older
// one. Another file of the same name is not taken for one.
func TestLocalReplaced(t *testing.T) {
	log := fill(3)
	b := newBinlogs(t)
	all := content(log, names[0])
	replace := func(data []byte) {
		b.write("copy~", data)
		if err := os.Rename(b.path("copy~"), b.path(names[0])); err != nil {
			t.Fatal(err)
		}
	}
	replace(all[:len(all)-400])
	x := run(t, b.options())
	x.until(t, "a commit", func() bool { return x.r.commits() >= 1 })
	for cut := 350; cut >= 0; cut -= 50 {
		replace(all[:len(all)-cut])
	}
	x.until(t, "all of the file", func() bool { return x.r.commits() == 3 })
	if x.Stats().Failures > 0 {
		t.Errorf("%+v", x.State())
	}
	replace(content(mysqltest.NewLog("mysql-bin", firstTime+5), names[0]))
	x.until(t, "the trouble", func() bool { return x.State().Phase == PhaseWaiting })
	replace(all)
	b.write(names[1], content(log, names[1]))
	x.until(t, "the next file", func() bool { return x.r.commits() == 6 })
	same(t, x.r.events, slices.Concat(log.Events(names[0], 4), log.Events(names[1], 4)))
}

// TestLocalPurged: files that have been read may go, also the one that is open.
func TestLocalPurged(t *testing.T) {
	log := fill(3)
	b := newBinlogs(t)
	for i, name := range names {
		b.write(name, content(log, name))
		if i == 0 {
			continue
		}
		b.remove(names[i-1])
		if i == 1 { // reading begins at the second file
			x := run(t, b.options())
			defer func() {
				x.until(t, "all commits", func() bool { return x.r.commits() == 6 })
				same(t, x.r.events, slices.Concat(log.Events(names[1], 4), log.Events(names[2], 4)))
			}()
			x.until(t, "the file", func() bool { return x.r.commits() == 3 })
		}
	}
}

// TestLocalWithoutWait reads what there is and stays at the end.
func TestLocalWithoutWait(t *testing.T) {
	log := fill(2)
	b := newBinlogs(t)
	b.writeAll(log)
	b.add(names[2], []byte{1, 2, 3})
	o := b.options()
	o.Instance.Local.Wait = false
	x := run(t, o)
	x.until(t, "the end", func() bool { return x.State().Phase == PhaseFinished })
	same(t, x.r.events, allEvents(log))
	if !x.r.running {
		t.Error("the dump has ended")
	}
	if err := x.end(t); err != nil || x.Stats().Dumps != 1 || !strings.Contains(x.logs.String(), "ends inside an event") {
		t.Errorf("%v, %+v", err, x.Stats())
	}
}

// TestLocalHeartbeat: while there is nothing to read something comes all the same.
func TestLocalHeartbeat(t *testing.T) {
	b := newBinlogs(t)
	log := fill(1)
	b.write(names[0], content(log, names[0]))
	synctest.Test(t, func(t *testing.T) {
		f := testFollower(t, b)
		f.heartbeat = 15 * time.Second
		for range 2 {
			c, err := f.next(t.Context()) // the announcement, the events
			if err != nil {
				t.Fatal(err)
			}
			c.Release()
		}
		began := time.Now()
		c, err := f.next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		h, err := binlog.ParseHeader(c.Event(0))
		if err != nil || h.Type != binlog.EventHeartbeat || binlog.VerifyChecksum(c.Event(0)) != nil || time.Since(began) < f.heartbeat {
			t.Errorf("%+v, %v after %v", h, err, time.Since(began))
		}
	})
}

// TestLocalBeyond4GiB: the events of a large file have 32 bits for their place.
func TestLocalBeyond4GiB(t *testing.T) {
	b := newBinlogs(t)
	log := fill(1)
	events := log.Events(names[0], 4)
	b.write(names[0], content(log, names[0]))
	f, err := os.OpenFile(b.path(names[0]), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const at = 1<<32 + 700
	ev := bytes.Clone(events[len(events)-1])
	binary.LittleEndian.PutUint32(ev[13:], uint32(at+len(ev)-1<<32))
	body := ev[:len(ev)-4]
	binary.LittleEndian.PutUint32(ev[len(body):], crc32.ChecksumIEEE(body))
	if _, err := f.WriteAt(ev, at); err != nil { // a sparse file
		t.Skip(err)
	}
	d := &folder{dir: b.dir, maxEvent: defaultMaxEventSize}
	file, o, err := d.open(names[0])
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for offset, want := range map[int64]int64{0: 4, 4: 4, 700: at, at: at, 701: -1, int64(len(ev)) + 700: at + int64(len(ev)), int64(4 + len(events[0])): int64(4 + len(events[0]))} {
		got, ok := d.place(file, &o, offset)
		if !ok {
			got = -1
		}
		if got != want {
			t.Errorf("%d is at %d, want %d", offset, got, want)
		}
	}
}

// TestLocalLocate finds places as on a server.
func TestLocalLocate(t *testing.T) {
	log := fill(2)
	b := newBinlogs(t)
	b.writeAll(log)
	s := New(b.options())
	end, err := s.Locate(t.Context(), Target{End: true})
	if p := end.Cursor.Position; err != nil || p.File != log.End().File || p.Offset != log.End().Offset || len(end.Files) != 3 {
		t.Errorf("end: %+v, %v", end, err)
	}
	inside, err := s.Locate(t.Context(), Target{File: names[1], Offset: 300})
	if err != nil || !inside.Moved || inside.Cursor.Position.Offset >= 300 {
		t.Errorf("inside: %+v, %v", inside, err)
	}
	if _, err = s.Locate(t.Context(), Target{File: "mysql-bin.000009"}); err == nil || !strings.Contains(err.Error(), "does not have the binlog file") {
		t.Errorf("no such file: %v", err)
	}
}

// TestLocalAhead reads statements between sets of transactions, which tell no file.
func TestLocalAhead(t *testing.T) {
	log := mysqltest.NewLog("mysql-bin", firstTime)
	log.DDL(firstTime, "CREATE TABLE t (a int)")
	log.Transaction(firstTime, []byte{0xfe, 1, 0, 0, 0})
	log.Rotate(firstTime)
	log.DDL(firstTime, "ALTER TABLE t ADD b int")
	log.Rotate(firstTime)
	log.DDL(firstTime, "DROP TABLE t")
	b := newBinlogs(t)
	b.writeAll(log)
	o := b.options()
	o.Instance.GTIDMode = true
	s := New(o)
	server, err := localEndpoint(&o.Instance)
	if err != nil {
		t.Fatal(err)
	}
	a := s.newLocalAttempt(server)
	if err := a.inspect(t.Context()); err != nil {
		t.Fatal(err)
	}
	set := func(n int) binlog.Position {
		if n == 0 {
			return binlog.Position{}
		}
		return binlog.Position{GTIDSet: fmt.Sprintf("%s:1-%d", mysqltest.SID, n)}
	}
	for _, tt := range []struct {
		from, to binlog.Position
		want     []string
	}{
		{set(0), set(4), []string{"CREATE TABLE t (a int)", "ALTER TABLE t ADD b int", "DROP TABLE t"}},
		{set(1), set(3), []string{"ALTER TABLE t ADD b int"}},
		{set(2), log.End(), []string{"ALTER TABLE t ADD b int", "DROP TABLE t"}},
		{set(3), set(3), nil},
	} {
		var got []string
		err := fileLog{a}.Ahead(t.Context(), tt.from, tt.to, func(st schema.Statement) error {
			got = append(got, st.SQL)
			return nil
		})
		if err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("from %v to %v: %q, %v", tt.from, tt.to, got, err)
		}
	}
}

// TestLocalBegun looks for places while the server begins a file: what it has written of
// it may end anywhere, and does not yet say which transactions are in the files before.
func TestLocalBegun(t *testing.T) {
	log := mysqltest.NewLog("mysql-bin", firstTime)
	log.DDL(firstTime, "CREATE TABLE t (a int)")
	log.Rotate(firstTime)
	log.Transaction(firstTime, []byte{0xfe, 1, 0, 0, 0})
	second := log.End()
	log.Transaction(firstTime, []byte{0xfe, 1, 0, 0, 0})
	end := log.End()
	log.Rotate(firstTime)
	b := newBinlogs(t)
	b.writeAll(log)
	o := b.options()
	o.Instance.GTIDMode = true
	s := New(o)
	want := binlog.Position{File: names[1], Offset: second.Offset, GTIDSet: fmt.Sprintf("%s:1-2", mysqltest.SID)}
	begun := content(log, names[2])
	for n := range len(begun) + 1 {
		b.write(names[2], begun[:n])
		found, err := s.Locate(t.Context(), Target{GTIDSet: want.GTIDSet})
		if p := found.Cursor.Position; err != nil || p.File != want.File || p.Offset != want.Offset || p.GTIDSet != want.GTIDSet {
			t.Fatalf("%d bytes of the newest file: found %v, want %v; %v", n, p, want, err)
		}
		if p := found.End; p.GTIDSet != log.GTIDs() || n < len(begun) && (p.File != end.File || p.Offset != end.Offset) {
			t.Fatalf("%d bytes of the newest file: the log ends at %v, want %v", n, p, end)
		}
	}
}

// TestLocalAheadGrowing reads ahead while the log grows: no statement may be left out
// before one that is read.
func TestLocalAheadGrowing(t *testing.T) {
	log := mysqltest.NewLog("mysql-bin", firstTime)
	var all, files []string
	for n := range 12 {
		if n > 0 {
			log.Rotate(firstTime)
		}
		files = append(files, log.End().File)
		all = append(all, fmt.Sprintf("ALTER TABLE t ADD c%d int", n))
		log.DDL(firstTime, all[n])
	}
	for range 100 {
		b := newBinlogs(t)
		b.write(files[0], content(log, files[0]))
		a := New(b.options()).newLocalAttempt(endpoint{})
		if err := a.inspect(t.Context()); err != nil {
			t.Fatal(err)
		}
		var writing sync.WaitGroup
		writing.Go(func() {
			for _, name := range files[1:] {
				for piece := range slices.Chunk(content(log, name), 100) {
					b.add(name, piece)
				}
			}
		})
		from, want := binlog.Position{File: files[0], Offset: 4}, all
		for len(want) > 0 && !t.Failed() {
			var got []string
			err := fileLog{a}.Ahead(t.Context(), from, log.End(), func(st schema.Statement) error {
				got = append(got, st.SQL)
				from = binlog.Position{File: st.Position.File, Offset: st.Position.Offset + 1}
				return nil
			})
			if err != nil || !slices.Equal(got, want[:min(len(got), len(want))]) {
				t.Errorf("%q come, want %q; %v", got, want[:min(len(got), len(want))], err)
			}
			want = want[min(len(got), len(want)):]
		}
		writing.Wait()
	}
}

// TestRelayLogsOfServers: a replica writes the same kind of files with another meaning.
func TestRelayLogsOfServers(t *testing.T) {
	for _, kind := range []servers.Kind{servers.MySQL57, servers.MySQL80, servers.MariaDB1011} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			s := servers.ForTest(t, kind, "relay-log=relay-bin")
			s.MustExec(t, "CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT=1, MASTER_USER='canal', MASTER_PASSWORD='canal'", "START SLAVE")
			dir := filepath.Join(s.Dir, "data")
			d := &folder{dir: dir, name: "relay-bin", maxEvent: defaultMaxEventSize}
			deadline := time.Now().Add(30 * time.Second)
			for {
				files, err := d.list()
				if err == nil {
					if _, _, err = d.open(files[len(files)-1].name); err != nil && strings.Contains(err.Error(), "is a relay log") {
						return
					}
				}
				if time.Now().After(deadline) {
					t.Fatal(err)
				}
				select {
				case <-time.After(20 * time.Millisecond):
				case <-t.Context().Done():
				}
			}
		})
	}
}

// TestEncryptedBinlogOfServers: MariaDB begins an encrypted file like any other.
func TestEncryptedBinlogOfServers(t *testing.T) {
	keys := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(keys, []byte("1;770A8A65DA156D24EE2A093277530142\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	s := servers.ForTest(t, servers.MariaDB1011, "plugin-load-add=file_key_management", "file-key-management-filename="+keys, "encrypt-binlog=ON")
	s.MustExec(t, "CREATE DATABASE d")
	o := testOptions("")
	o.Instance.Local = config.Local{Dir: s.BinlogDir(), Wait: true}
	x := run(t, o)
	x.until(t, "the trouble", func() bool { return strings.Contains(x.State().Reason, "is encrypted") })
	if x.r.commits() > 0 {
		t.Error("something was read")
	}
}

// TestCheckFiles tells what reading would meet.
func TestCheckFiles(t *testing.T) {
	log := fill(1)
	for name, c := range map[string]struct {
		spoil func(*binlogs, *Options)
		worst Severity
		text  string
	}{
		"sound":     {func(*binlogs, *Options) {}, Info, "binlog files mysql-bin.000001 to mysql-bin.000003 of mysql 5.7.22-log, server id 77"},
		"no server": {func(*binlogs, *Options) {}, Info, "no server to ask for definitions"},
		"empty":     {func(b *binlogs, o *Options) { o.Instance.Local.Dir = b.TempDir() }, Failure, "no binlog files"},
		"gap":       {func(b *binlogs, _ *Options) { b.remove(names[1]) }, Failure, "the file after mysql-bin.000001 is missing"},
		"encrypted": {func(b *binlogs, _ *Options) { b.write(names[0], []byte(magicEncrypted+"x")) }, Failure, "mysql-bin.000001 is encrypted"},
		"place":     {func(_ *binlogs, o *Options) { o.Instance.Master.Start.File = "mysql-bin.000007" }, Failure, "configured position mysql-bin.000007"},
		"refused":   {func(_ *binlogs, o *Options) { o.Instance.Master.Address = "127.0.0.1:1" }, Failure, "127.0.0.1:1"},
	} {
		b := newBinlogs(t)
		b.writeAll(log)
		o := b.options()
		c.spoil(b, &o)
		worst, found := Info, false
		findings := Check(t.Context(), o.Instance, nil, nil)
		for _, f := range findings {
			worst = max(worst, f.Severity)
			found = found || strings.Contains(f.Text, c.text)
		}
		if worst != c.worst || !found {
			t.Errorf("%s: %+v", name, findings)
		}
	}
}

// FuzzLocal follows any bytes to their end.
func FuzzLocal(f *testing.F) {
	log := fill(1)
	for _, name := range names {
		f.Add(content(log, name))
	}
	f.Add(append([]byte(magicEncrypted), 1, 2, 3))
	f.Add(wild(content(log, names[0])))
	f.Fuzz(func(t *testing.T, data []byte) {
		b := &binlogs{t, t.TempDir()}
		b.write(names[0], data)
		d := &folder{dir: b.dir, maxEvent: defaultMaxEventSize}
		_, _ = d.list()
		_, _, _ = d.scan(t.Context(), names[0], limit{})
		file, o, err := d.open(names[0])
		if err != nil {
			return
		}
		fo := &follower{folder: d, pool: newChunkPool(4 * minFreeToRead), log: slog.New(slog.DiscardHandler), read: func(int, time.Time) {}}
		fo.start(file, o, names[0], 4)
		defer fo.close()
		for total := 0; total <= 2*len(data)+1000; {
			c, err := fo.next(t.Context())
			if err != nil {
				return
			}
			for i := range c.Len() {
				total += len(c.Event(i))
			}
			c.Release()
		}
		t.Error("more events than bytes")
	})
}

func TestSplitName(t *testing.T) {
	for name, want := range map[string]string{
		"mysql-bin.000001": "mysql-bin 1", "a.b.999999": "a.b 999999", "binlog.1000000": "binlog 1000000",
		"mysql-bin.index": "", "000001": "", ".000001": "", "mysql-bin.": "", "mysql-bin.+1": "", "mysql-bin.1a": "", "x.99999999999999999999": "",
	} {
		got := ""
		if base, n, ok := splitName(name); ok {
			got = fmt.Sprint(base, " ", n)
		}
		if got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}
