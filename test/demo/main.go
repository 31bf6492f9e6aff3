// Command demo shows the product at work: it starts a MariaDB of its own, a
// towpath server that reads it with the sample configuration of conf/, and
// towpath tail as the client; then it changes data and shows each statement
// followed by what the client received. It ends with an error when a change does
// not arrive, and stops all it has started, however it ends.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/towpath-cdc/towpath/test/servers"
)

func main() {
	var o options
	flag.StringVar(&o.program, "towpath", "bin/towpath", "the `program` to show")
	flag.StringVar(&o.samples, "conf", "conf", "the sample configuration `DIR`")
	flag.DurationVar(&o.keep, "keep", -1, "afterwards keep everything running for so long, 0 for until an interrupt (default 0 in a terminal, else 30s)")
	flag.Parse()
	if o.keep < 0 && !isTerminal(os.Stdout) {
		o.keep = unwatched
	}
	o.colour = isTerminal(os.Stdout) && os.Getenv("NO_COLOR") == ""
	o.columns = columnsOf(os.Stdout)

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o, os.Stdout); err != nil {
		if ctx.Err() != nil {
			err = errors.New("interrupted; everything is stopped")
		}
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// options are the flags and what follows from where the output goes.
type options struct {
	program string        // towpath
	samples string        // folder of the sample configuration
	keep    time.Duration // how long to wait at the end; 0 or less: until ctx ends
	colour  bool
	columns int // of the terminal; 0 when it is none
}

// unwatched is how long everything is kept running when nobody sits in front of it.
const unwatched = 30 * time.Second

// How long is waited for a start, and for a change to arrive. Both take far less
// than a second on an idle machine.
const (
	startTimeout   = time.Minute
	arrivalTimeout = 20 * time.Second
)

// run shows everything and, when all of it has stopped again, tells how to go on.
func run(ctx context.Context, o options, w io.Writer) error {
	out := &printer{w: w, colour: o.colour, columns: o.columns}
	if err := show(ctx, o, out); err != nil {
		return err
	}
	out.ending()
	return nil
}

// show starts everything, plays the scenario and stops everything.
func show(ctx context.Context, o options, out *printer) (err error) {
	program, err := filepath.Abs(o.program)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "towpath-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)

	out.title("Towpath demo")
	out.note("A MariaDB and a towpath server of their own, on free ports, configured as in\n" +
		"conf/. What the client receives is marked " + mark + ": when it was changed, where it is\n" +
		"in the binlog, what was done, the table, the row. MariaDB writes a statement\n" +
		"(QUERY) before the rows it changed; END is the commit.")
	began := time.Now()
	db, err := servers.Start(ctx, servers.Options{Kind: servers.MariaDB1011, Dir: filepath.Join(dir, "mariadb")})
	if err != nil {
		return err
	}
	defer db.Kill()
	out.done("MariaDB 10.11", db.Addr(), began)

	began = time.Now()
	home := filepath.Join(dir, "home")
	ports, err := writeHome(home, o.samples, db.Addr())
	if err != nil {
		return err
	}
	server, err := startServer(program, home, ports)
	if err != nil {
		return err
	}
	defer server.stop()
	defer func() {
		if err != nil && ctx.Err() == nil && server.running() {
			out.note("The end of the server's log:\n" + server.log())
		}
	}()
	if err := server.await(ctx, reading, server.process); err != nil {
		return err
	}
	out.done("towpath server", fmt.Sprintf("127.0.0.1:%d, reads MariaDB's binlog as a replica would", ports.client), began)
	began = time.Now()
	tail, err := startTail(program, home, []string{"--server", fmt.Sprintf("127.0.0.1:%d", ports.client)}, o.colour)
	if err != nil {
		return err
	}
	defer tail.stop()
	if err := server.await(ctx, subscribed, tail.process); err != nil {
		return err
	}
	out.done("towpath tail", "a client, subscribed to the destination \"example\"", began)

	if err := play(ctx, scenario, db, tail, out); err != nil {
		return err
	}
	tail.stop()
	server.stop()
	o.program = program
	return showCluster(ctx, o, dir, db, out)
}

// isTerminal says whether f is something a person looks at.
func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
