package database

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// killEnv makes the test binary a writer that is killed.
const killEnv = "TOWPATH_TEST_DATABASE"

// TestKilled kills a process that writes, again and again, at whatever moment: what
// it has said is stored is there afterwards, with audit and revision, and the
// database opens.
func TestKilled(t *testing.T) {
	if path := os.Getenv(killEnv); path != "" {
		writeForEver(t, path)
	}
	path := filepath.Join(t.TempDir(), "admin.db")
	stored := 0
	for round := range 8 {
		stored = killWriter(t, path, stored, time.Duration(5+7*round)*time.Millisecond)
		checkStored(t, path, stored)
	}
}

// killWriter lets a process write after what is stored, kills it some time after its
// first word, and returns the number it stored last.
func killWriter(t *testing.T, path string, stored int, after time.Duration) int {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestKilled$")
	cmd.Env = append(os.Environ(), killEnv+"="+path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines, before := bufio.NewScanner(out), stored
	for lines.Scan() {
		if stored == before {
			timer := time.AfterFunc(after, func() { cmd.Process.Kill() })
			defer timer.Stop()
		}
		if _, err := fmt.Sscanf(lines.Text(), "stored %d", &stored); err != nil {
			t.Fatalf("the writer says %q", lines.Text())
		}
	}
	cmd.Wait()
	if stored == before {
		t.Fatal("the writer has stored nothing")
	}
	return stored
}

// writeForEver stores a number and then says so.
func writeForEver(t *testing.T, path string) {
	db := open(t, Options{Driver: SQLite, Path: path})
	n := 0
	fmt.Sscan(text(t, db.sql, "SELECT COUNT(*) FROM canal_instance_config"), &n)
	for {
		n++
		if _, err := db.InsertInstance(t.Context(), tester, Instance{Name: fmt.Sprintf("i%d", n), Content: fmt.Sprintf("v = %d", n)}); err != nil {
			t.Fatal(err)
		}
		fmt.Printf("stored %d\n", n)
	}
}

func checkStored(t *testing.T, path string, stored int) {
	t.Helper()
	db := open(t, Options{Driver: SQLite, Path: path})
	if s := text(t, db.sql, "PRAGMA integrity_check"); s != "ok" {
		t.Fatal(s)
	}
	_, n, err := db.Instances(t.Context(), InstanceFilter{}, false)
	if err != nil || n < int64(stored) || n > int64(stored)+1 {
		t.Fatalf("%d instances, %v; %d were stored", n, err, stored)
	}
	for _, table := range []string{"towpath_audit", "towpath_revision"} {
		if got := text(t, db.sql, "SELECT COUNT(*) FROM "+table); got != fmt.Sprint(n) {
			t.Fatalf("%s has %s rows, instances %d", table, got, n)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file's mode is %v, %v", info.Mode(), err)
	}
}
