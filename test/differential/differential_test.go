package differential

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/protocol"
	"github.com/towpath-cdc/towpath/test/peers"
	"github.com/towpath-cdc/towpath/test/servers"
)

// recording is a script played on a server, into a schema of its own and from
// the beginning of a binlog file.
type recording struct {
	name    string
	script  string   // by default the name
	globals []string // variables set while it is played, NAME=VALUE
	on      string   // words of statements' -- on:; "" is everywhere
}

var recordings = []recording{
	{name: "types"},
	{name: "statements"},
}

// reading compares the two servers on a recording, with the same settings.
type reading struct {
	of    string   // the recording
	name  string   // "" is the plain one
	ours  []string // lines of instance.properties
	flags []string // the same for Java Canal
	gtid  bool
	until protocol.EventType // of the marker's entry; 0 is INSERT
	fetch fetch
	sizes bool // the sizes of batches count too
}

var readings = []reading{
	{of: "types"},
	{of: "statements"},
}

// recorded is where a recording is found.
type recorded struct {
	schema string
	at     place
	err    error
}

// TestAgainstCanal plays scripts on each server and compares what clients of
// the real Canal and of ours get.
func TestAgainstCanal(t *testing.T) {
	program := build(t)
	for _, k := range servers.Kinds {
		t.Run(string(k), func(t *testing.T) {
			db := servers.ForTest(t, k)
			found := map[string]recorded{}
			for _, r := range recordings {
				if r.on == "" || matches(strings.Fields(r.on), k) {
					found[r.name] = r.play(t.Context(), db)
				}
			}
			var flags []string
			for i, r := range readings {
				if at, ok := found[r.of]; ok && at.err == nil {
					flags = append(append(append(flags, "--for", destination(i)), r.place(at).flags()...), r.flags...)
					flags = append([]string{"--dest", destination(i) + "=" + db.Addr()}, flags...)
				}
			}
			java := peers.StartJavaCanal(t, flags...)
			for i, r := range readings {
				at, ok := found[r.of]
				if !ok {
					continue
				}
				t.Run(strings.Trim(r.of+"/"+r.name, "/"), func(t *testing.T) {
					if at.err != nil {
						t.Fatal(at.err)
					}
					r.compare(t, program, db, at, java, destination(i))
				})
			}
		})
	}
}

func destination(i int) string { return fmt.Sprintf("reading%d", i) }

// play plays the script and ends with the marker.
func (r recording) play(ctx context.Context, db *servers.Server) recorded {
	found := recorded{schema: "d_" + r.name}
	all, err := statements(cmp.Or(r.script, r.name), found.schema, db.Kind)
	if err != nil {
		found.err = err
		return found
	}
	admin, err := newSession(ctx, db)
	if err != nil {
		found.err = err
		return found
	}
	defer admin.Quit()
	for _, g := range r.globals {
		name, value, _ := strings.Cut(g, "=")
		old, err := admin.Execute("SELECT @@GLOBAL." + name)
		if err != nil {
			found.err = err
			return found
		}
		was, _ := old.GetString(0, 0)
		if err := admin.exec(fmt.Sprintf("SET GLOBAL %s='%s'", name, value)); err != nil {
			found.err = err
			return found
		}
		defer admin.exec(fmt.Sprintf("SET GLOBAL %s='%s'", name, was))
	}
	if found.at, found.err = here(admin); found.err != nil {
		return found
	}
	s, err := newSession(ctx, db)
	if err != nil {
		found.err = err
		return found
	}
	defer s.Quit()
	if found.err = s.play(all); found.err == nil {
		found.err = s.exec("SET NAMES utf8mb4", "SET SESSION binlog_format = 'ROW'", "CREATE TABLE "+found.schema+".done (id INT PRIMARY KEY)", "INSERT INTO "+found.schema+".done VALUES (1)")
	}
	return found
}

// here begins a new binlog file and says where that is.
func here(s *session) (place, error) {
	if err := s.exec("FLUSH LOGS"); err != nil {
		return place{}, err
	}
	status := "SHOW MASTER STATUS"
	if s.kind == servers.MySQL97 {
		status = "SHOW BINARY LOG STATUS"
	}
	r, err := s.Execute(status)
	if err != nil {
		return place{}, err
	}
	p := place{}
	if p.file, err = r.GetString(0, 0); err != nil {
		return p, err
	}
	set := "SELECT @@GLOBAL.gtid_executed"
	if s.kind.IsMariaDB() {
		set = "SELECT @@GLOBAL.gtid_binlog_pos"
	}
	if r, err = s.Execute(set); err != nil {
		return p, err
	}
	p.gtid, err = r.GetString(0, 0)
	p.gtid = strings.ReplaceAll(p.gtid, "\n", "")
	return p, err
}

// place is where the reading begins.
func (r reading) place(at recorded) place {
	if r.gtid {
		return place{gtid: at.at.gtid}
	}
	return place{file: at.at.file}
}

func (r reading) compare(t *testing.T, program string, db *servers.Server, at recorded, java int, destination string) {
	f := r.fetch
	f.size = cmp.Or(f.size, 500)
	f.timeout = cmp.Or(f.timeout, 200*time.Millisecond)
	f.marker, f.until = at.schema+".done", cmp.Or(f.until, protocol.EventInsert)
	port, stop := startTowpath(t, program, db, r.place(at), r.ours...)
	ours, ourSizes, err := entries(t.Context(), port, "example", f)
	stop()
	if err != nil {
		t.Error("towpath:", err)
	}
	theirs, theirSizes, err := entries(t.Context(), java, destination, f)
	save(t, fmt.Sprintf("%s-%s-%s", db.Kind, r.of, r.name), ours, theirs)
	if err != nil {
		t.Error("java canal:", err)
	}
	compare(t, db.Kind, ours, theirs)
	if r.sizes && !slices.Equal(ourSizes, theirSizes) {
		t.Errorf("batches have %d entries, canal's %d", ourSizes, theirSizes)
	}
}

// save keeps both sides for a look at them, in the folder $DIFF_OUT.
func save(t *testing.T, name string, ours, theirs []string) {
	dir := os.Getenv("DIFF_OUT")
	if dir == "" {
		return
	}
	for suffix, lines := range map[string][]string{".ours": ours, ".canal": theirs} {
		write(t, filepath.Join(dir, name+suffix), strings.Join(lines, "\n")+"\n")
	}
}
