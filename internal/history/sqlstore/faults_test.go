package sqlstore

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/internal/history"
	"github.com/towpath-cdc/towpath/internal/testkit/historytest"
	"github.com/towpath-cdc/towpath/test/servers"
)

// writerEnv makes the test binary a writer: it has the path and the number of the
// first change to write.
const writerEnv = "TOWPATH_TEST_HISTORY"

// writer starts a process that appends changes and, after each ten, a snapshot, and
// says so.
func writer(t *testing.T, path string, first, last int) (lines *bufio.Scanner, cmd *exec.Cmd) {
	t.Helper()
	cmd = exec.Command(os.Args[0], "-test.run=^TestKilled$")
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d %d %s", writerEnv, first, last, path))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	return bufio.NewScanner(out), cmd
}

// write is what that process does.
func write(t *testing.T, job string) {
	var first, last int
	var path string
	if _, err := fmt.Sscanf(job, "%d %d %s", &first, &last, &path); err != nil {
		t.Fatal(err)
	}
	s := open(t, Options{Destination: "example", Path: path})
	for n := first; n < last; n++ {
		if err := s.Append(t.Context(), historytest.Statement(n)); err != nil {
			t.Fatal(err)
		}
		if n%10 == 0 {
			if err := s.AddSnapshot(t.Context(), historytest.Tables(n)); err != nil {
				t.Fatal(err)
			}
		}
		fmt.Printf("written %d\n", n)
	}
}

// TestKilled kills a process that writes, again and again, at whatever moment: what
// it has said is written is there afterwards, each once and in order.
func TestKilled(t *testing.T) {
	if job := os.Getenv(writerEnv); job != "" {
		write(t, job)
		os.Exit(0) // without what the testing package prints
	}
	path := filepath.Join(t.TempDir(), "h2.towpath.db")
	written := -1
	for round := range 6 {
		lines, cmd := writer(t, path, written+1, 1<<30)
		before := written
		for lines.Scan() {
			if written == before {
				timer := time.AfterFunc(time.Duration(3+9*round)*time.Millisecond, func() { cmd.Process.Kill() })
				defer timer.Stop()
			}
			if _, err := fmt.Sscanf(lines.Text(), "written %d", &written); err != nil {
				t.Fatalf("the writer says %q", lines.Text())
			}
		}
		cmd.Wait()
		if written == before {
			t.Fatal("the writer has written nothing")
		}
		checkWritten(t, path, written)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file's mode is %v, %v", info.Mode(), err)
	}
}

func checkWritten(t *testing.T, path string, written int) {
	t.Helper()
	s := open(t, Options{Destination: "example", Path: path})
	if got := rowsOf(t, s.db, "PRAGMA integrity_check"); got[0] != "ok" {
		t.Fatal(got)
	}
	changes, err := s.Changes(t.Context(), 0)
	if err != nil || len(changes) < written+1 || len(changes) > written+2 { // one more may have been on its way
		t.Fatalf("%d changes, %v; the last one said is %d", len(changes), err, written)
	}
	for n, c := range changes {
		if want := historytest.Statement(n); c.At != want.At || c.SQL != want.SQL {
			t.Fatalf("the change %d is %+v", n, c)
		}
	}
	snapshots, err := s.Snapshots(t.Context())
	if err != nil || len(snapshots) < written/10+1 {
		t.Fatalf("%d snapshots, %v; the last change said is %d", len(snapshots), err, written)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestTwoProcesses: two processes write one file, one of them as another
// destination would, and both read it.
func TestTwoProcesses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "h2.towpath.db")
	const each = 150
	first, cmd1 := writer(t, path, 0, each)
	second, cmd2 := writer(t, path, each, 2*each)
	mine := open(t, Options{Destination: "other", Path: path})
	for n := range 20 {
		if err := mine.Append(t.Context(), historytest.Statement(n)); err != nil {
			t.Fatal(err)
		}
	}
	for _, w := range []struct {
		lines *bufio.Scanner
		cmd   *exec.Cmd
	}{{first, cmd1}, {second, cmd2}} {
		for w.lines.Scan() {
		}
		if err := w.cmd.Wait(); err != nil {
			t.Fatal(err)
		}
	}
	checkWritten(t, path, 2*each-1)
	if changes, err := mine.Changes(t.Context(), 0); err != nil || len(changes) != 20 {
		t.Errorf("%d changes of the other destination, %v", len(changes), err)
	}
}

// TestDatabaseAway: an error that says where while MySQL is away, at opening and
// afterwards, and no need to open again when it is back.
func TestDatabaseAway(t *testing.T) {
	server := servers.ForTest(t, servers.MySQL80)
	o := onRunning(t, server)
	o.Password = "s3cret"
	server.Kill()
	if _, err := Open(t.Context(), o); err == nil || !strings.Contains(err.Error(), server.Addr()+"/canal_tsdb_") || !strings.Contains(err.Error(), "example") || strings.Contains(err.Error(), "s3cret") {
		t.Fatalf("open: %v", err)
	}
	o.Password = ""
	up := func() {
		t.Helper()
		if err := server.Up(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	up()
	s := open(t, o)
	for n := range 2 {
		if err := s.Append(t.Context(), historytest.Statement(n)); err != nil {
			t.Fatalf("append %d: %v", n, err)
		}
		server.Kill()
		if err := s.Append(t.Context(), historytest.Statement(n+1)); err == nil || !strings.Contains(err.Error(), server.Addr()) || errors.Is(err, history.ErrTooLarge) {
			t.Fatalf("append while the server is away: %v", err)
		}
		up()
	}
	if changes, err := s.Changes(t.Context(), 0); err != nil || len(changes) != 2 {
		t.Errorf("%d changes, %v", len(changes), err)
	}
}

// TestWaiting: a call that waits for another connection ends with its context, with
// Close, and by itself.
func TestWaiting(t *testing.T) {
	server := shared.server(t, servers.MySQL57)
	o := onRunning(t, server)
	s := open(t, o)
	other, err := open(t, o).db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Rollback()
	if _, err := other.ExecContext(t.Context(), "SELECT * FROM towpath_history_state FOR UPDATE"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := s.Append(ctx, historytest.Statement(1)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("append with a context that ends: %v", err)
	}
	if err := s.Append(t.Context(), historytest.Statement(1)); err == nil || !strings.Contains(err.Error(), "Lock wait timeout") {
		t.Errorf("append while another has the lock: %v", err)
	}
	waiting := make(chan error)
	go func() { waiting <- s.Append(context.Background(), historytest.Statement(1)) }()
	awaitWaiter(t, server)
	began := time.Now()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := <-waiting; !errors.Is(err, errClosed) || time.Since(began) > busyTimeout/2 {
		t.Errorf("append while the history is closed: %v after %s", err, time.Since(began))
	}
}

// awaitWaiter waits until a connection waits for a lock.
func awaitWaiter(t *testing.T, server *servers.Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	// InnoDB renews what it tells only when nobody has asked for 0.1 s
	// (CACHE_MIN_IDLE_TIME_NS in trx0i_s.cc).
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for {
		rows, err := server.Query(ctx, "SELECT COUNT(*) FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'")
		if err == nil && len(rows) == 1 && rows[0][0] == "1" {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("nobody waits: %v, %v", rows, err)
		}
	}
}

// TestWithoutCreate: an account that may not create tables uses those that are
// there, and is told of what is missing.
func TestWithoutCreate(t *testing.T) {
	server := shared.server(t, servers.MySQL80)
	o := onRunning(t, server, canalTables("utf8mb4")...)
	name := o.URL[strings.LastIndex(o.URL, "/")+1 : strings.Index(o.URL, "?")]
	server.MustExec(t, "DROP USER IF EXISTS tsdb@'%'", "CREATE USER tsdb@'%' IDENTIFIED WITH mysql_native_password BY 's3cret'", "GRANT SELECT, INSERT, UPDATE, DELETE ON "+name+".* TO tsdb@'%'")
	least := o
	least.User, least.Password = "tsdb", "s3cret"
	if _, err := Open(t.Context(), least); err == nil || !strings.Contains(err.Error(), "create table towpath_history_state (the account needs CREATE once)") || strings.Contains(err.Error(), "s3cret") {
		t.Fatalf("open without the tables: %v", err)
	}
	open(t, o)
	s := open(t, least)
	if err := s.Append(t.Context(), historytest.Statement(1)); err != nil {
		t.Fatal(err)
	}
	if err := s.Expire(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
}

// TestTooLarge: what the server does not take says so, and leaves what was there.
func TestTooLarge(t *testing.T) {
	for _, kind := range []servers.Kind{servers.MySQL56, servers.MySQL80, servers.MariaDB1011} {
		t.Run(string(kind), func(t *testing.T) {
			s := open(t, onRunning(t, servers.ForTest(t, kind, "max_allowed_packet=4M")))
			if err := s.AddSnapshot(t.Context(), historytest.Tables(1)); err != nil {
				t.Fatal(err)
			}
			big, tables := historytest.Statement(1), historytest.Tables(1)
			big.SQL += " COMMENT '" + strings.Repeat("x", 9<<20) + "'"
			tables.Schemas["shop"] = big.SQL
			for what, err := range map[string]error{"change": s.Append(t.Context(), big), "snapshot": s.AddSnapshot(t.Context(), tables)} {
				if !errors.Is(err, history.ErrTooLarge) || !strings.Contains(err.Error(), "max_allowed_packet") || !strings.Contains(err.Error(), "insert into meta_") {
					t.Errorf("%s: %v", what, err)
				}
			}
			snapshots, err := s.Snapshots(t.Context())
			if err != nil || len(snapshots) != 1 {
				t.Fatalf("%d snapshots, %v", len(snapshots), err)
			}
			changes, err := s.Changes(t.Context(), 0)
			if err != nil || len(changes) != 0 {
				t.Fatalf("%d changes, %v", len(changes), err)
			}
		})
	}
}

// TestLongestStatement: 64 MiB, which is more than our driver sends at once.
func TestLongestStatement(t *testing.T) {
	for _, b := range backends(t) {
		if b.name != "sqlite" && b.name != string(servers.MySQL80) && b.name != string(servers.MariaDB1011) {
			continue
		}
		t.Run(b.name, func(t *testing.T) {
			s := open(t, b.fresh(t))
			c := historytest.Statement(1)
			c.SQL += " COMMENT '" + strings.Repeat("x", 64<<20) + "'"
			if err := s.Append(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			changes, err := s.Changes(t.Context(), 0)
			if err != nil || len(changes) != 1 || changes[0].SQL != c.SQL {
				t.Fatalf("%d changes, %v", len(changes), err)
			}
		})
	}
}

// TestJavaFileBeside: a history of Canal's in a format that is not read is told of,
// once.
func TestJavaFileBeside(t *testing.T) {
	dir := t.TempDir()
	var told []string
	o := Options{Destination: "example", Path: filepath.Join(dir, "h2.towpath.db"), Notice: func(m string) { told = append(told, m) }}
	java := filepath.Join(dir, "h2.mv.db")
	if err := os.WriteFile(java, []byte("H:2,block:6"), 0o644); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		open(t, o).Close()
	}
	if len(told) != 1 || !strings.Contains(told[0], java) || !strings.Contains(told[0], o.Path) {
		t.Errorf("told %q", told)
	}
	told, o.Path = nil, filepath.Join(t.TempDir(), "h2.towpath.db")
	open(t, o)
	if told != nil {
		t.Errorf("told %q of a new history", told)
	}
}

func TestOpenRefuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("this is no database, and long enough to be looked at"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		o    Options
		want string
	}{
		{Options{Path: "x"}, "name of the destination"},
		{Options{Destination: strings.Repeat("x", 129), Path: "x"}, "129 characters"},
		{Options{Destination: "d"}, "address of the history"},
		{Options{Destination: "d", URL: "jdbc:mysql://u:s3cret@h/x"}, "want one host"},
		{Options{Destination: "d", Path: filepath.Join(file, "x", "h2.towpath.db")}, "folder of the SQLite file"},
		{Options{Destination: "d", Path: file}, "file is not a database"},
	} {
		s, err := Open(t.Context(), c.o)
		if err == nil {
			s.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%+v: %v, want %q", c.o, err, c.want)
		}
	}
}
