package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/towpath-cdc/towpath/client"
	"github.com/towpath-cdc/towpath/test/servers"
)

// schedule is what follows from a seed: the setting, the statements, the faults.
type schedule struct {
	seed    uint64
	kind    servers.Kind
	gtid    bool // start and restart by GTID set, else by file and offset
	cluster bool // two servers and ZooKeeper, else one with cursors in a file
	all     bool // canal.instance.filter.druid.ddl=false: every statement makes an entry
	full    bool // binlog_row_metadata=FULL: rows bring the names of their columns
	preload bool // there are tables before Towpath starts
	serial  bool // canal.instance.parser.parallel=false
	lower   bool // lower_case_table_names=1
	blind   bool // the source shows no definitions, so that all comes from its log
	plain   bool // columns are of one type, so that a wrong name shows in nothing else
}

// settings are the combinations that seeds go through one after the other; the rest
// is drawn.
var settings = func() (all []schedule) {
	for _, cluster := range []bool{false, true} {
		for _, gtid := range []bool{false, true} {
			for _, k := range []servers.Kind{servers.MySQL57, servers.MySQL80, servers.MariaDB1011, servers.MySQL56, servers.MySQL97} {
				all = append(all, schedule{kind: k, gtid: gtid, cluster: cluster})
			}
		}
	}
	return all
}()

// scheduleOf is the schedule of a seed.
func scheduleOf(seed uint64) schedule {
	s := settings[seed%uint64(len(settings))]
	s.seed = seed
	r := rand.New(rand.NewPCG(seed, 0))
	s.all = r.IntN(4) == 0
	s.full = r.IntN(4) == 0 && s.kind != servers.MySQL56 && s.kind != servers.MySQL57
	s.preload = r.IntN(2) == 0
	s.serial = r.IntN(4) == 0
	s.lower = r.IntN(5) == 0 && s.kind != servers.MySQL80 && s.kind != servers.MySQL97 // there it is chosen with the data directory
	s.plain = r.IntN(3) == 0
	s.blind = r.IntN(2) == 0 && !s.preload
	return s
}

func (s schedule) String() string {
	words := []string{string(s.kind)}
	for _, w := range []struct {
		on      bool
		yes, no string
	}{
		{s.gtid, "gtid", "file"}, {s.cluster, "cluster", "alone"}, {s.all, "all statements", ""}, {s.full, "full metadata", ""},
		{s.preload, "preloaded", ""}, {s.serial, "serial", ""}, {s.lower, "lower case", ""}, {s.plain, "plain", ""}, {s.blind, "blind", ""},
	} {
		if w.on {
			words = append(words, w.yes)
		} else if w.no != "" {
			words = append(words, w.no)
		}
	}
	return fmt.Sprintf("seed %d: %s", s.seed, strings.Join(words, ", "))
}

// options say how schedules are run.
type options struct {
	root    string // folder of the module
	program string // towpath
	dir     string // where a schedule has its files; they are removed when all is well
	keep    bool   // not even then
	steps   int    // of each generator
	calm    bool   // no faults
	out     io.Writer
}

const (
	generators  = 3
	destination = "replay"
	marker      = "replay_marker" // schema of the tables that say how far a client is
	zkSession   = 3 * time.Second
	stepPause   = 120 * time.Millisecond // the most that a generator waits
	silence     = 75 * time.Second       // without anything new, after which a schedule has failed
)

// world is everything that runs in a schedule.
type world struct {
	schedule
	o        options
	dir      string
	source   *servers.Server
	target   *servers.Server
	zk       *servers.ZooKeeper
	towpaths []*servers.Towpath
	consumer *consumer
	began    time.Time
	closers  []func()

	mu     sync.Mutex
	server string // the one that the consumer is connected to
	faults map[string]int
}

// runSchedule runs a schedule. Its error tells what was found, and where the files
// are.
func runSchedule(ctx context.Context, o options, s schedule) error {
	w := &world{schedule: s, o: o, dir: filepath.Join(o.dir, fmt.Sprintf("seed-%d", s.seed)), began: time.Now(), faults: make(map[string]int)}
	fmt.Fprintln(o.out, s)
	err := w.run(ctx)
	w.close()
	switch {
	case ctx.Err() != nil:
		return errors.Join(context.Cause(ctx), os.RemoveAll(w.dir))
	case err != nil:
		return fmt.Errorf("%v\nfiles in %s\n%w", s, w.dir, err)
	case o.keep:
		return nil
	}
	return os.RemoveAll(w.dir)
}

// close ends everything that was started, the last first.
func (w *world) close() {
	for _, f := range slices.Backward(w.closers) {
		f()
	}
}

func (w *world) run(ctx context.Context) error {
	if err := w.startBackends(ctx); err != nil {
		return err
	}
	target, err := connect(ctx, w.target, "SET SESSION sql_log_bin = 0")
	if err != nil {
		return err
	}
	defer target.close()
	source, err := connect(ctx, w.source)
	if err != nil {
		return err
	}
	defer source.close()
	if err := errorsOf(
		func() error { _, err := source.exec("CREATE DATABASE " + marker); return err },
		func() error { _, err := target.exec("CREATE DATABASE " + marker); return err },
	); err != nil {
		return err
	}
	if w.blind {
		if err := w.source.Exec(ctx, "REVOKE SELECT, SHOW VIEW ON *.* FROM canal@'%'"); err != nil {
			return err
		}
	}
	gens, logs, err := w.generators(ctx)
	defer logs()
	if err != nil {
		return err
	}
	if w.preload {
		if err := preload(gens, target); err != nil {
			return fmt.Errorf("preload: %w", err)
		}
	}
	if err := w.startTowpath(ctx, source); err != nil {
		return err
	}
	if err := w.play(ctx, source, target, gens); err != nil {
		return err
	}
	found, err := compare(source, target)
	if err != nil {
		return err
	}
	if len(found) > 0 {
		return fmt.Errorf("%d tables are not the same:\n%s", len(found), strings.Join(found, "\n"))
	}
	w.report(gens)
	return nil
}

// startBackends starts the databases and, for a cluster, ZooKeeper.
func (w *world) startBackends(ctx context.Context) error {
	if err := os.MkdirAll(w.dir, 0o755); err != nil {
		return err
	}
	var extra []string
	if w.lower {
		extra = append(extra, "lower_case_table_names=1")
	}
	ours := extra[:len(extra):len(extra)]
	if w.full {
		ours = append(ours, "binlog_row_metadata=FULL")
	}
	var wg sync.WaitGroup
	var errs [3]error
	wg.Go(func() {
		w.source, errs[0] = servers.Start(ctx, servers.Options{Kind: w.kind, Dir: filepath.Join(w.dir, "source"), Extra: ours})
	})
	wg.Go(func() {
		w.target, errs[1] = servers.Start(ctx, servers.Options{Kind: w.kind, Dir: filepath.Join(w.dir, "target"), Extra: extra})
	})
	if w.cluster {
		wg.Go(func() {
			w.zk, errs[2] = servers.StartZooKeeper(ctx, servers.ZooKeeperOptions{Dir: filepath.Join(w.dir, "zookeeper")})
		})
	}
	wg.Wait()
	if w.source != nil {
		w.closers = append(w.closers, w.source.Kill)
	}
	if w.target != nil {
		w.closers = append(w.closers, w.target.Kill)
	}
	if w.zk != nil {
		w.closers = append(w.closers, func() { _ = w.zk.Stop() })
	}
	return errors.Join(errs[:]...)
}

// generators opens the sessions of the workload. logs closes the files that have
// their statements.
func (w *world) generators(ctx context.Context) (gens []*generator, logs func(), err error) {
	var files []*os.File
	logs = func() {
		for _, g := range gens {
			g.d.close()
		}
		for _, f := range files {
			f.Close()
		}
	}
	for i := range generators {
		f, err := os.Create(filepath.Join(w.dir, fmt.Sprintf("statements-%d.sql", i)))
		if err != nil {
			return gens, logs, err
		}
		files = append(files, f)
		g, err := newGenerator(ctx, w.source, uint64(i+1), w.schedule, f)
		if err != nil {
			return gens, logs, err
		}
		gens = append(gens, g)
	}
	return gens, logs, nil
}

// preload makes the first tables on both sides.
func preload(gens []*generator, target *session) error {
	for _, g := range gens {
		var done []string
		g.done = func(q string) { done = append(done, q) }
		if err := g.setUp(); err != nil {
			return err
		}
		g.done = nil
		for _, q := range done {
			if _, err := target.exec(q); err != nil {
				return err
			}
		}
	}
	return nil
}

// startTowpath configures the servers to begin at the present end of the source's
// log, and starts them.
func (w *world) startTowpath(ctx context.Context, source *session) error {
	instance := map[string]string{
		"canal.instance.master.address":     w.source.Addr(),
		"canal.instance.filter.black.regex": `mysql\\..*`,
	}
	if err := w.beginAt(source, instance); err != nil {
		return err
	}
	properties := map[string]string{"canal.instance.filter.druid.ddl": fmt.Sprint(!w.all), "canal.instance.parser.parallel": fmt.Sprint(!w.serial)}
	n := 1
	if w.cluster {
		n = 2
		properties["canal.zkServers"] = w.zk.Addr()
		properties["canal.instance.global.spring.xml"] = "classpath:spring/default-instance.xml"
		properties["towpath.zookeeper.session.timeout"] = fmt.Sprint(zkSession.Milliseconds())
		properties["towpath.cluster.rebalance"] = "false"
	}
	for i := range n {
		t, err := servers.NewTowpath(servers.TowpathOptions{
			Program: w.o.program, Samples: filepath.Join(w.o.root, "conf"), Dir: filepath.Join(w.dir, fmt.Sprintf("towpath%d", i)),
			Env:        []string{"TZ=UTC"}, // TIMESTAMP comes in the zone of the process
			Properties: properties, Instances: map[string]map[string]string{destination: instance},
		})
		if err == nil {
			err = t.Launch()
		}
		if err != nil {
			return err
		}
		w.towpaths = append(w.towpaths, t)
		w.closers = append(w.closers, func() { _ = t.Kill() })
	}
	return nil
}

// beginAt names the present end of the source's log.
func (w *world) beginAt(source *session, instance map[string]string) error {
	if w.gtid {
		variable := "@@global.gtid_executed"
		if w.kind.IsMariaDB() {
			variable = "@@global.gtid_binlog_pos"
		}
		rows, err := source.query("SELECT " + variable)
		if err != nil {
			return err
		}
		instance["canal.instance.gtidon"] = "true"
		instance["canal.instance.master.gtid"] = strings.ReplaceAll(rows[0][0], "\n", "")
		return nil
	}
	command := "SHOW MASTER STATUS"
	if w.kind == servers.MySQL97 {
		command = "SHOW BINARY LOG STATUS"
	}
	rows, err := source.query(command)
	if err != nil {
		return err
	}
	instance["canal.instance.master.journal.name"], instance["canal.instance.master.position"] = rows[0][0], rows[0][1]
	return nil
}

// client is what the consumer needs to find the destination.
func (w *world) client() (o client.Options, done func(), err error) {
	o = client.Options{Destination: destination, SOTimeout: 10 * time.Second, Event: w.event}
	if !w.cluster {
		o.Addr = w.towpaths[0].Addr()
		return o, func() {}, nil
	}
	z, err := client.OpenZooKeeper(client.ZooKeeperOptions{Servers: w.zk.Addr(), SessionTimeout: zkSession})
	if err != nil {
		return o, func() {}, err
	}
	o.ZooKeeper = z
	return o, func() { _ = z.Close() }, nil
}

func (w *world) event(e client.Event) {
	if e.Kind == client.Connected {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.server = e.Addr
	}
}

// play runs the generators, the consumer and the faults, until the consumer has
// seen everything.
func (w *world) play(ctx context.Context, source, target *session, gens []*generator) (err error) {
	o, done, err := w.client()
	if err != nil {
		return err
	}
	defer done()
	r := rand.New(rand.NewPCG(w.seed, 100))
	w.consumer = newConsumer(o, &applier{d: target}, pick(r, []int{1, 4, 32, 256}))
	ctx, stop := context.WithCancelCause(ctx)
	var reading sync.WaitGroup
	defer reading.Wait()
	defer stop(nil)
	reading.Go(func() {
		if err := w.consumer.run(ctx); err != nil {
			stop(err)
		}
	})
	defer func() {
		if cause := context.Cause(ctx); err != nil && cause != nil {
			err = cause // what the consumer has found
		}
		if err != nil {
			err = fmt.Errorf("after %v: %w%s", time.Since(w.began).Round(time.Second), err, w.logs())
		}
	}()
	if err := w.mark(ctx, source, "begin"); err != nil {
		return err
	}
	if err := w.generate(ctx, gens, r); err != nil {
		return err
	}
	return w.mark(ctx, source, "end")
}

// mark makes a table and waits until the consumer has heard of it.
func (w *world) mark(ctx context.Context, source *session, table string) error {
	if _, err := source.exec("CREATE TABLE " + marker + "." + table + " (n INT)"); err != nil {
		return err
	}
	return w.consumer.await(ctx, marker+"."+table+" CREATE", silence)
}

// generate runs the generators and, meanwhile, the faults.
func (w *world) generate(ctx context.Context, gens []*generator, r *rand.Rand) error {
	errs := make([]error, len(gens))
	var wg sync.WaitGroup
	for i, g := range gens {
		wg.Go(func() {
			g.ctx = ctx
			if !w.preload {
				errs[i] = g.setUp()
			}
			if errs[i] == nil {
				errs[i] = g.run(w.o.steps, stepPause)
			}
		})
	}
	working, finished := context.WithCancel(ctx)
	defer finished()
	go func() { wg.Wait(); finished() }()
	err := w.disturb(working, r)
	if err != nil {
		finished()
		wg.Wait()
		return err
	}
	wg.Wait()
	return errors.Join(errs...)
}

// report says what there was.
func (w *world) report(gens []*generator) {
	var definitions, changes, refused int
	for _, g := range gens {
		definitions, changes, refused = definitions+g.definitions, changes+g.changes, refused+g.refused
	}
	j := w.consumer.journal
	fmt.Fprintf(w.o.out, "  the same after %v: %d definitions, %d changes (%d statements were refused); %d entries, %d came again (%d with another header); faults: %v\n",
		time.Since(w.began).Round(time.Second), definitions, changes, refused, len(j.entries), j.repeated, j.headers, w.faults)
}

// logs are the last errors in the logs of the servers.
func (w *world) logs() string {
	const shown = 3
	var text strings.Builder
	for i, t := range w.towpaths {
		b, err := os.ReadFile(t.LogFile(destination))
		if err != nil {
			continue
		}
		var lines []string
		for line := range strings.Lines(string(b)) {
			if strings.Contains(line, " ERROR ") {
				lines = append(lines, line)
			}
		}
		fmt.Fprintf(&text, "\nlast errors of server %d:\n%s", i, strings.Join(lines[max(0, len(lines)-shown):], ""))
	}
	return text.String()
}
