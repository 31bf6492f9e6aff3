package differential

import (
	"cmp"
	"context"
	"flag"
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
	script  string                                          // by default the name
	made    func(schema string, k servers.Kind) []statement // instead of a script
	apart   string                                          // its group; "" is most of them
	globals []string                                        // variables set while it is played, NAME=VALUE
	on      string                                          // words of statements' -- on:; "" is everywhere
	full    bool                                            // played with -full only
	alone   bool                                            // without the marker, and in a file that ends with it
}

var recordings = []recording{
	{name: "types"},
	{name: "statements"},
	{name: "filters"},
	{name: "missing", apart: "missing"},
	{name: "charsets"},
	{name: "ddl"},
	{name: "big", made: bigStatements, apart: "big"},
	{name: "minimal", script: "images", globals: []string{"binlog_row_image=MINIMAL"}},
	{name: "noblob", script: "images", globals: []string{"binlog_row_image=NOBLOB"}},
	{name: "nochecksum", script: "images", globals: []string{"binlog_checksum=NONE"}},
	{name: "metadata", script: "images", globals: []string{"binlog_row_metadata=FULL"}, on: "mysql80 mysql97 mariadb"},
	{name: "metatypes", script: "types", globals: []string{"binlog_row_metadata=FULL"}, on: "mysql80 mysql97 mariadb"},
	{name: "query", script: "images", globals: []string{"binlog_rows_query_log_events=ON"}, on: "mysql"},
	{name: "noannotate", script: "images", globals: []string{"binlog_annotate_row_events=OFF"}, on: "mariadb"},
	{name: "xa"},
	{name: "zones"},
	{name: "connection"},
	{name: "ddlmore", full: true},
	{name: "generated", made: generatedStatements, full: true},
	{name: "typesminimal", script: "types", globals: []string{"binlog_row_image=MINIMAL"}, full: true},
	{name: "typesnoblob", script: "types", globals: []string{"binlog_row_image=NOBLOB"}, full: true},
	{name: "typesfull", script: "generated", made: generatedStatements, globals: []string{"binlog_row_metadata=FULL"}, on: "mysql80 mysql97 mariadb", full: true},
	{name: "asstatements", script: "types", globals: []string{"binlog_format=STATEMENT"}, full: true},
	{name: "mixed", script: "images", globals: []string{"binlog_format=MIXED"}, full: true},
	{name: "compressed", script: "images", globals: []string{"binlog_transaction_compression=ON"}, on: "mysql97"},
	{name: "compressedtypes", script: "types", globals: []string{"binlog_transaction_compression=ON"}, on: "mysql97", full: true},
	{name: "compressedquery", script: "images", globals: []string{"binlog_transaction_compression=ON", "binlog_rows_query_log_events=ON"}, on: "mysql97", full: true},
	{name: "partial", apart: "big", globals: []string{"binlog_row_value_options=PARTIAL_JSON"}, on: "mysql80 mysql97"},
	{name: "partialminimal", script: "partial", apart: "big", globals: []string{"binlog_row_value_options=PARTIAL_JSON", "binlog_row_image=MINIMAL"}, on: "mysql80 mysql97"},
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
	sizes bool   // the sizes of batches count too
	full  bool   // with -full only
	zone  string // of both processes; "" is that of this one

	gtidsOff bool // the server has none
}

var readings = append(append(plainReadings(), gtidReadings()...),
	charsetReading("connection", "GBK"),
	charsetReading("connection", "ISO-8859-1"),
	charsetReading("connection", "UTF8MB4"),
	zoneReading("America/New_York"),
	zoneReading("Europe/Berlin"),
	zoneReading("Asia/Shanghai"),
	zoneReading("Australia/Lord_Howe"),
	zoneReading("Pacific/Apia"),
	zoneReading("Asia/Kathmandu"),
	reading{of: "types", name: "serial", flags: []string{"--serial"}, ours: []string{"canal.instance.parser.parallel = false"}},
	reading{of: "statements", name: "serial", flags: []string{"--serial"}, ours: []string{"canal.instance.parser.parallel = false"}},
	reading{of: "statements", name: "serial-gtid", gtid: true, flags: []string{"--serial"}, ours: []string{"canal.instance.parser.parallel = false"}},
	filtered("whole", "filter", `d_filters\..*`),
	filtered("commas", "filter", `d_filters\.t,d_filters\.orders.*,.*\.done`),
	filtered("ahead", "filter", `d_filters\.(?!t1).*`),
	filtered("case", "filter", `D_FILTERS\.(ORDERS_OLD|done)`),
	filtered("other", "filter", `d_filters_other\.log,d_filters\.done`),
	filtered("none", "black", `d_filters_other\..*`),
	filtered("several", "black", `d_filters\.t\d*,.*\.log`),
	filtered("renamed", "filter", `d_filters\.(swap_a|done)`),
	switched("query-dml", "query.dml"),
	switched("query-ddl", "query.ddl"),
	switched("query-dcl", "query.dcl"),
	switched("rows", "rows"),
	reading{of: "missing", name: "table-error", flags: []string{"--filter-table-error"}, ours: []string{"canal.instance.filter.table.error = true"}},
	reading{of: "filters", name: "transactions", flags: []string{"--no-transaction-entry"}, ours: []string{"canal.instance.filter.transaction.entry = true"}},
	reading{of: "types", name: "transactions", flags: []string{"--no-transaction-entry"}, ours: []string{"canal.instance.filter.transaction.entry = true"}},
	reading{of: "types", name: "memsize1", fetch: fetch{size: 1, timeout: 3 * time.Second}, sizes: true},
	reading{of: "types", name: "memsize7", fetch: fetch{size: 7, timeout: 3 * time.Second}, sizes: true},
	reading{of: "types", name: "itemsize", fetch: fetch{size: 7, timeout: 3 * time.Second}, sizes: true, flags: []string{"--itemsize"}, ours: []string{"canal.instance.memory.batch.mode = ITEMSIZE"}},
	reading{of: "filters", name: "ddl-isolation", fetch: fetch{size: 100, timeout: 3 * time.Second}, sizes: true, flags: []string{"--ddl-isolation"}, ours: []string{"canal.instance.get.ddl.isolation = true"}},
	reading{of: "filters", name: "ddl-isolation-items", fetch: fetch{size: 5, timeout: 3 * time.Second}, sizes: true, flags: []string{"--ddl-isolation", "--itemsize"},
		ours: []string{"canal.instance.get.ddl.isolation = true", "canal.instance.memory.batch.mode = ITEMSIZE"}},
)

// plainReadings read each recording with the defaults.
func plainReadings() []reading {
	var out []reading
	for _, r := range recordings {
		if r.name != "missing" { // Java Canal stops there
			out = append(out, reading{of: r.name})
		}
	}
	return out
}

// gtidReadings read each recording in GTID mode; most with -full only.
func gtidReadings() []reading {
	var out []reading
	for _, r := range plainReadings() {
		r.name, r.gtid = "gtid", true
		r.full = r.of != "types" && r.of != "statements" && r.of != "query" && r.of != "compressed"
		out = append(out, r)
	}
	return out
}

// charsetReading reads with another canal.instance.connectionCharset.
func charsetReading(of, name string) reading {
	return reading{of: of, name: name, flags: []string{"--charset", name}, ours: []string{"canal.instance.connectionCharset = " + name}}
}

// zoneReading reads with both in a time zone.
func zoneReading(zone string) reading {
	return reading{of: "zones", name: zone, zone: zone, full: zone != "America/New_York"}
}

// filtered reads with a table filter, "filter" or "black".
func filtered(name, kind, pattern string) reading {
	key := map[string]string{"filter": "canal.instance.filter.regex", "black": "canal.instance.filter.black.regex"}[kind]
	return reading{of: "filters", name: kind + "-" + name, flags: []string{"--" + kind, pattern},
		ours: []string{key + " = " + strings.ReplaceAll(pattern, `\`, `\\`)}}
}

// switched reads with one of the switches canal.instance.filter.*.
func switched(name, key string) reading {
	r := reading{of: "filters", name: "filter-" + name, flags: []string{"--filter-" + name}, ours: []string{"canal.instance.filter." + key + " = true"}}
	if name == "rows" {
		r.until = protocol.EventCreate
	}
	return r
}

var full = flag.Bool("full", false, "read with every setting on every server, and what takes long")

// wanted leaves settings that do not depend on the server to one server, for
// the sake of time.
func (r reading) wanted(k servers.Kind) bool {
	return *full || !r.full && (r.name == "" || r.gtid || k == servers.MySQL80)
}

// mode is how totals name the sort of reading.
func (r reading) mode() string {
	mode := "default"
	switch {
	case r.gtidsOff:
		mode = "GTIDs off"
	case r.gtid:
		mode = "GTID"
	case r.name != "":
		mode = "other settings"
	}
	return mode
}

// groups are the groups of recordings that are played.
func groups() []string {
	if *full {
		return []string{"", "big", "missing"}
	}
	return []string{""}
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
			db := servers.ForTest(t, k, "max_connections=1000")
			db.MustExec(t, "CREATE DATABASE d_first") // so that the set of GTIDs is never empty
			for _, group := range groups() {
				t.Run(cmp.Or(group, "most"), func(t *testing.T) { together(t, program, db, group, nil) })
			}
			if *full && !k.IsMariaDB() { // which always has them
				t.Run("nogtids", func(t *testing.T) {
					db := servers.ForTest(t, k, "gtid_mode=OFF", "enforce_gtid_consistency=OFF")
					together(t, program, db, "", withoutGTIDs)
				})
			}
		})
	}
}

// TestMain prints the totals behind everything else.
func TestMain(m *testing.M) {
	code := m.Run()
	if len(totals.of) > 0 {
		fmt.Print("\n", totals.String())
	}
	os.Exit(code)
}

// withoutGTIDs are the recordings that a server without GTIDs plays too.
var withoutGTIDs = []string{"types", "statements", "xa", "ddl", "query", "compressed"}

// together plays recordings, all of a group or some, and reads them, with a Java Canal that has a
// destination for each of some readings. All of them read on after the end of their
// own recording, so what needs much memory or stops Canal is apart.
func together(t *testing.T, program string, db *servers.Server, group string, some []string) {
	found := map[string]recorded{}
	for _, r := range recordings {
		if some != nil && !slices.Contains(some, r.name) {
			continue
		}
		if r.apart == group && (*full || !r.full) && (r.on == "" || matches(strings.Fields(r.on), db.Kind)) {
			found[r.name] = r.play(t.Context(), db)
		}
	}
	var wanted []reading
	for _, r := range readings {
		if some != nil && r.name != "" {
			continue
		}
		if _, ok := found[r.of]; ok && r.wanted(db.Kind) {
			r.gtidsOff = some != nil
			wanted = append(wanted, r)
		}
	}
	for len(wanted) > 0 {
		n := slices.IndexFunc(wanted, func(r reading) bool { return r.zone != wanted[0].zone })
		if n < 0 {
			n = len(wanted)
		}
		n = min(n, atOnce)
		readTogether(t, program, db, found, wanted[:n])
		wanted = wanted[n:]
	}
}

// atOnce is how many destinations a Java Canal has: each reads on to the end of
// the log, and takes its share of the processors.
const atOnce = 20

// readTogether compares some readings, all in one time zone.
func readTogether(t *testing.T, program string, db *servers.Server, found map[string]recorded, some []reading) {
	var flags []string
	for i, r := range some {
		if at := found[r.of]; at.err == nil {
			flags = append(append(append(flags, "--for", destination(i), "--slave-id", fmt.Sprint(1000+i)), r.place(at).flags()...), r.flags...)
			flags = append([]string{"--dest", destination(i) + "=" + db.Addr()}, flags...)
		}
	}
	var java *peers.JavaServer // there is nothing to read where nothing could be played
	if flags != nil {
		options := javaOptions
		if zone := some[0].zone; zone != "" {
			options = append(slices.Clone(options), "-Duser.timezone="+zone)
		}
		java = peers.StartJavaServer(t, options, flags...)
		defer java.Kill()
	}
	for i, r := range some {
		t.Run(strings.Trim(r.of+"/"+r.name, "/"), func(t *testing.T) {
			at := found[r.of]
			if at.err != nil {
				t.Fatal(at.err)
			}
			r.compare(t, program, db, at, java.Port(), destination(i))
		})
	}
}

// javaOptions make room for many destinations and large rows.
var javaOptions = []string{"-Xms256m", "-Xmx2g", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"}

func destination(i int) string { return fmt.Sprintf("reading%d", i) }

// play plays the script and ends with the marker.
func (r recording) play(ctx context.Context, db *servers.Server) recorded {
	found := recorded{schema: "d_" + r.name}
	var all []statement
	if r.made != nil {
		all = r.made(found.schema, db.Kind)
	} else if all, found.err = statements(cmp.Or(r.script, r.name), found.schema, db.Kind); found.err != nil {
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
		if found.err = admin.exec("SET GLOBAL " + name + "=" + quoted(value)); found.err != nil {
			return found
		}
		defer admin.exec("SET GLOBAL " + name + "=" + quoted(was))
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
	if found.err = s.play(all); found.err == nil && r.alone {
		found.err = s.exec("FLUSH LOGS")
	} else if found.err == nil {
		found.err = s.exec("SET NAMES utf8mb4", "SET SESSION binlog_format = 'ROW'", "CREATE TABLE "+found.schema+".done (id INT PRIMARY KEY)", "INSERT INTO "+found.schema+".done VALUES (1)")
	}
	return found
}

// quoted is a value for SET; numbers, which switches are, stand for themselves.
func quoted(value string) string {
	if value != "" && strings.Trim(value, "0123456789") == "" {
		return value
	}
	return "'" + value + "'"
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
	f.marker, f.until = at.schema+".done", cmp.Or(r.until, protocol.EventInsert)
	if r.zone != "" {
		t.Setenv("JAVA_OPTS", "-Duser.timezone="+r.zone)
	}
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
	compare(t, db.Kind, r.mode(), known, ours, theirs)
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
