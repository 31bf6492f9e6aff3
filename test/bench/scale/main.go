// Command scale measures how Towpath scales: what a row costs as rows, events,
// batches, tables and destinations become more or larger, and what an idle
// destination costs. Each case sweeps one of these on a MySQL 8.0 of its own, with
// clients that ack all they get.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/towpath-cdc/towpath/test/bench/document"
	"github.com/towpath-cdc/towpath/test/bench/plot"
	"github.com/towpath-cdc/towpath/test/servers"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "scale:", err)
		os.Exit(1)
	}
}

// list is a flag of several numbers, each at least one.
type list []int

func (l *list) String() string {
	return strings.Trim(strings.Join(strings.Fields(fmt.Sprint(*l)), ","), "[]")
}

func (l *list) Set(text string) error {
	*l = nil
	for t := range strings.SplitSeq(text, ",") {
		n, err := strconv.Atoi(t)
		if err != nil {
			return err
		}
		if n < 1 {
			return fmt.Errorf("%d is not positive", n)
		}
		*l = append(*l, n)
	}
	return nil
}

// bench is what all cases share.
type bench struct {
	program string // path of the server, absolute
	dir     string
	runs    int
	batch   int // size of a get
	timeout time.Duration
	rest    time.Duration // before what idle destinations cost is read

	megabytes int // of binlog, of each point of the sweep of widths
	rows      int // of each point of the sweeps of events, tables and batches
	total     int // rows that all destinations together deliver
	least     int // rows that each of them does

	widths, events, tables, instances, batches, idle list

	next int // row number that has not been used
}

// study is a case that can be chosen. Its text is for the document, its charts are by
// the name of their file.
type study struct {
	name string
	run  func(b *bench, ctx context.Context) (text string, charts map[string]*plot.Chart, err error)
}

var studies = []study{
	{"width", (*bench).width}, {"event", (*bench).event}, {"tables", (*bench).manyTables},
	{"batch", (*bench).batchSize}, {"instances", (*bench).manyInstances}, {"memory", (*bench).idleInstances},
}

func names() (all []string) {
	for _, s := range studies {
		all = append(all, s.name)
	}
	return all
}

func run(ctx context.Context) error {
	b := &bench{
		widths: list{10, 30, 100, 300, 1000}, events: list{1, 10, 100, 1000, 10000}, tables: list{1, 10, 100, 1000, 10000, 50000},
		instances: list{1, 10, 50, 100, 200, 500}, batches: list{10, 100, 1000, 10000}, idle: list{1, 100, 200, 500},
	}
	flag.StringVar(&b.program, "towpath", "bin/towpath", "the `program` to measure")
	flag.IntVar(&b.runs, "runs", 5, "runs of each point; medians are shown")
	flag.IntVar(&b.batch, "batch", 1000, "size of a get")
	flag.DurationVar(&b.timeout, "timeout", 100*time.Millisecond, "timeout of a get")
	flag.DurationVar(&b.rest, "rest", 10*time.Second, "for how long idle destinations are left alone before what they cost is read")
	flag.IntVar(&b.megabytes, "megabytes", 128, "binlog of each width, in MB, about")
	flag.IntVar(&b.rows, "rows", 500_000, "rows of each point of event, tables and batch, at least")
	flag.IntVar(&b.total, "total", 2_000_000, "rows that all destinations together deliver in the case instances")
	flag.IntVar(&b.least, "least", 40_000, "rows that each of them delivers at least")
	flag.Var(&b.widths, "widths", "columns of a row")
	flag.Var(&b.events, "events", "rows of a transaction, at most 10000")
	flag.Var(&b.tables, "tables", "tables in the stream, ascending; creating 50000 takes minutes")
	flag.Var(&b.instances, "instances", "destinations that are read at the same time")
	flag.Var(&b.batches, "batches", "sizes of a get")
	flag.Var(&b.idle, "idle", "idle destinations")
	chosen := flag.String("case", strings.Join(names(), ","), "the `cases` to measure")
	out := flag.String("out", "", "`file` whose parts between the markers of the cases are replaced by the results")
	plots := flag.String("plots", "", "`folder` for the charts")
	flag.Parse()
	if err := b.check(); err != nil {
		return err
	}
	cases, err := choose(*chosen)
	if err != nil {
		return err
	}
	if err := places(*out, cases); err != nil {
		return err
	}
	if b.program, err = filepath.Abs(b.program); err != nil {
		return err
	}
	if b.dir, err = os.MkdirTemp("", "towpath-scale-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	for _, s := range cases {
		text, charts, err := s.run(b, ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		if err := b.publish(s.name, text, charts, *out, *plots); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) check() error {
	switch {
	case b.runs < 1 || b.batch < 1 || b.megabytes < 1 || b.rows < 1 || b.total < 1 || b.least < 1:
		return fmt.Errorf("a size is not positive")
	case slices.Max(b.events) > numbers:
		return fmt.Errorf("an event of %d rows is over %d", slices.Max(b.events), numbers)
	case slices.Min(b.widths) < 2 || slices.Max(b.widths) > 1000:
		return fmt.Errorf("a row has from 2 to 1000 columns")
	case !slices.IsSorted(b.tables):
		return fmt.Errorf("the numbers of tables do not ascend")
	}
	return nil
}

// choose finds studies by their names, separated by commas.
func choose(text string) (all []study, err error) {
	for name := range strings.SplitSeq(text, ",") {
		i := slices.IndexFunc(studies, func(s study) bool { return s.name == name })
		if i < 0 {
			return nil, fmt.Errorf("no case %q: there are %s", name, strings.Join(names(), ", "))
		}
		all = append(all, studies[i])
	}
	return all, nil
}

// places fails when a document has no markers for a case, before that is measured.
func places(out string, cases []study) error {
	if out == "" {
		return nil
	}
	text, err := os.ReadFile(out)
	if err != nil {
		return err
	}
	for _, s := range cases {
		if !strings.Contains(string(text), "<!-- scale-"+s.name+": begin -->\n") {
			return fmt.Errorf("%s has no markers of scale-%s", out, s.name)
		}
	}
	return nil
}

// publish prints what a case found and puts it where it is to go.
func (b *bench) publish(name, text string, charts map[string]*plot.Chart, out, plots string) error {
	text = fmt.Sprintf("%s, %s/%s, %d CPUs; medians of %d runs\n\n%s", time.Now().UTC().Format(time.DateOnly), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), b.runs, text)
	fmt.Println(text)
	if plots != "" {
		if err := os.MkdirAll(plots, 0o755); err != nil {
			return err
		}
		for file, c := range charts {
			if err := os.WriteFile(filepath.Join(plots, file), c.SVG(), 0o644); err != nil {
				return err
			}
		}
	}
	if out == "" {
		return nil
	}
	return document.Replace(out, "scale-"+name, text)
}

// database starts a MySQL for a case, with what its tables are filled from.
func (b *bench) database(ctx context.Context, name string, extra ...string) (*servers.Server, error) {
	db, err := servers.Start(ctx, servers.Options{Kind: servers.MySQL80, Dir: filepath.Join(b.dir, name),
		Extra: append([]string{"max_connections=10000", "max_connect_errors=1000000", "innodb_lock_wait_timeout=600"}, extra...)})
	if err != nil {
		return nil, err
	}
	if err := db.Exec(ctx, numbersSQL...); err != nil {
		db.Kill()
		return nil, err
	}
	return db, nil
}

// discard ends a database and removes its files, which can be large.
func discard(db *servers.Server) {
	db.Kill()
	_ = os.RemoveAll(db.Dir) // goes with the folder of the whole otherwise
}
