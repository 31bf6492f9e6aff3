package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/towpath-cdc/towpath/client"
	"github.com/towpath-cdc/towpath/internal/entrytext"
	"github.com/towpath-cdc/towpath/protocol"
)

func init() {
	register(command{name: "tail", summary: "print the changes of a destination as they come", run: runTail})
}

const tailHead = `Subscribes to a destination and prints its entries: for people, or as one JSON
object a line. Entries are acked once they are printed, so that the next run goes
on behind them. It ends at --count, --idle or an interrupt with exit code 0; at an
error with 1, after trying to reconnect; at wrong options with 2.

With --zk it finds the server that runs the destination and follows it when it
changes. It takes part in the election of the client that consumes: while another
process consumes under the client id it waits, and takes over when that ends. It
goes on trying for as long as there is a ZooKeeper; --idle counts only while there
is a server to ask.`

// How often tail tries to connect before it gives up: a server that has never
// answered is likely not there, one that has is likely coming back.
const (
	tailFirstTries = 3
	tailTries      = 20
)

// tailZooKeeperLimit is how long tail tries to reach ZooKeeper at first.
const tailZooKeeperLimit = 15 * time.Second

// tailOptions are the flags of tail.
type tailOptions struct {
	server, destination string
	zk, zkAuth          string
	sessionTimeout      time.Duration
	clientID            int
	user, password      string
	filter              string
	batch, count        int
	timeout, idle       time.Duration
	noAck, raw          bool
	format, colour      string
}

func runTail(ctx context.Context, args []string, _ io.Reader, stdout, stderr io.Writer) int {
	var o tailOptions
	flags := newFlags("tail", tailHead, stderr)
	flags.StringVar(&o.server, "server", "127.0.0.1:11111", "`host:port` of the server; several, separated by commas, are tried in turn")
	flags.StringVar(&o.zk, "zk", "", "`hosts` of ZooKeeper in place of --server, as in canal.zkServers: host:port, separated by commas")
	flags.StringVar(&o.zkAuth, "zk-auth", "", "`user:password` for ZooKeeper's digest scheme; $TOWPATH_ZK_AUTH does not show in the list of processes")
	flags.DurationVar(&o.sessionTimeout, "session-timeout", client.DefaultSessionTimeout, "`time` without a sign of life after which ZooKeeper lets another process consume")
	flags.StringVar(&o.destination, "destination", "example", "`name` of the destination")
	flags.IntVar(&o.clientID, "client-id", client.DefaultClientID, "`number` the server keeps our position under")
	flags.StringVar(&o.filter, "filter", "", "`regex`, comma-separated, of schema.table; changes the filter of the instance for all its readers")
	flags.StringVar(&o.user, "user", "", "user `name`")
	flags.StringVar(&o.password, "password", "", "`password`; $TOWPATH_PASSWORD does not show in the list of processes")
	flags.IntVar(&o.batch, "batch", client.DefaultBatchSize, "`size` asked for at once, in entries or memory units as the instance is set up")
	flags.DurationVar(&o.timeout, "timeout", client.DefaultWait, "`time` the server may wait for a full batch")
	flags.IntVar(&o.count, "count", 0, "stop after `n` entries; a batch that is not printed to its end is not acked")
	flags.DurationVar(&o.idle, "idle", 0, "stop when no entry came for this `time`, such as 5s")
	flags.BoolVar(&o.noAck, "no-ack", false, "ack nothing: the next run prints the same entries, and the server stops when its buffer is full")
	flags.StringVar(&o.format, "format", "text", "text or json")
	flags.BoolVar(&o.raw, "raw", false, "with json: add each entry's bytes in hex")
	flags.StringVar(&o.colour, "color", "auto", "auto, always or never: `when` to colour text")
	if code, ok := parseFlags(flags, args); !ok {
		return code
	}
	if err := cmp.Or(o.validate(), o.exclusive(flags)); err != nil {
		return usageError("tail", stderr, err)
	}
	if err := o.run(ctx, stdout, stderr); err != nil {
		fmt.Fprintf(stderr, "towpath tail: %v\n", err)
		return exitError
	}
	return exitOK
}

func (o *tailOptions) validate() error {
	switch {
	case o.server == "" || o.destination == "":
		return errors.New("--server and --destination must not be empty")
	case o.clientID < 1 || o.clientID > math.MaxInt16:
		return fmt.Errorf("--client-id %d is not from 1 to %d", o.clientID, math.MaxInt16)
	case o.batch < 1 || o.count < 0:
		return errors.New("--batch and --count must not be negative, nor --batch zero")
	case o.timeout <= 0 || o.idle < 0:
		return errors.New("--timeout and --idle must not be negative, nor --timeout zero")
	case o.sessionTimeout <= 0:
		return errors.New("--session-timeout must be positive")
	case o.format != "text" && o.format != "json":
		return fmt.Errorf("--format %q is neither text nor json", o.format)
	case o.raw && o.format != "json":
		return errors.New("--raw needs --format json")
	case o.colour != "auto" && o.colour != "always" && o.colour != "never":
		return fmt.Errorf("--color %q is none of auto, always, never", o.colour)
	}
	return nil
}

// exclusive says what is wrong about the flags that go with --server or --zk.
func (o *tailOptions) exclusive(flags *flag.FlagSet) (err error) {
	flags.Visit(func(f *flag.Flag) {
		switch {
		case f.Name == "server" && o.zk != "":
			err = errors.New("--server and --zk exclude each other")
		case (f.Name == "zk-auth" || f.Name == "session-timeout") && o.zk == "":
			err = fmt.Errorf("--%s needs --zk", f.Name)
		}
	})
	return err
}

// run prints batches until it is time to stop.
func (o *tailOptions) run(ctx context.Context, stdout, stderr io.Writer) error {
	connected := false
	where := client.Options{Discoverer: client.Static(strings.Split(o.server, ",")...)}
	retry := o.retry(stderr, &connected)
	if o.zk != "" {
		z, err := o.openZooKeeper(ctx)
		if err != nil {
			return err
		}
		defer z.Close()
		log := &lockedWriter{w: stderr} // the connection reports from goroutines of its own
		where = client.Options{ZooKeeper: z, Event: o.report(log)}
		retry = retryCluster(log)
	}
	out := bufio.NewWriter(stdout)
	print := o.printer(out, stdout)
	left := o.count
	last := time.Now()
	consumer := client.NewConsumer(client.ConsumerOptions{
		Options:   o.clientOptions(where),
		Filter:    o.filter,
		BatchSize: o.batchSize(),
		Wait:      o.wait(),
		Retry:     retry,
		Idle: func() bool {
			connected = true
			return o.idle == 0 || time.Since(last) < o.idle
		},
	})
	for batch, err := range consumer.Batches(ctx) {
		if err != nil {
			return err
		}
		connected = true
		whole, err := o.printBatch(batch, &left, print)
		if err != nil {
			return err
		}
		if err := out.Flush(); err != nil {
			return fmt.Errorf("write: %w", err)
		}
		if whole && !o.noAck {
			if err := batch.Ack(); err != nil && !errors.Is(err, client.ErrStale) {
				return err
			}
		}
		batch.Release()
		if o.count > 0 && left == 0 {
			return nil
		}
		last = time.Now()
	}
	return nil
}

// clientOptions are those of the client, for the servers of where.
func (o *tailOptions) clientOptions(where client.Options) client.Options {
	where.Destination = o.destination
	where.ClientID = int16(o.clientID)
	where.User = o.user
	where.Password = cmp.Or(o.password, os.Getenv("TOWPATH_PASSWORD"))
	return where
}

// openZooKeeper connects to ZooKeeper. That nobody is there is told, not waited out:
// it is most likely a mistake.
func (o *tailOptions) openZooKeeper(ctx context.Context) (*client.ZooKeeper, error) {
	z, err := client.OpenZooKeeper(client.ZooKeeperOptions{
		Servers:        o.zk,
		Auth:           cmp.Or(o.zkAuth, os.Getenv("TOWPATH_ZK_AUTH")),
		SessionTimeout: o.sessionTimeout,
	})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, tailZooKeeperLimit)
	defer cancel()
	if err := z.Ping(ctx); err != nil {
		return nil, errors.Join(err, z.Close())
	}
	return z, nil
}

// report tells a person which server is read, and what is waited for.
func (o *tailOptions) report(log io.Writer) func(client.Event) {
	return func(e client.Event) {
		text := e.String()
		switch e.Kind {
		case client.Connected:
			text = fmt.Sprintf("reading %s from %s", o.destination, e.Addr)
		case client.Moved:
			text = fmt.Sprintf("following %s to %s", o.destination, e.Addr)
		case client.Searching:
			text = fmt.Sprintf("waiting for a server that runs %s", o.destination)
		case client.Waiting:
			text = fmt.Sprintf("waiting: client %d of %s is active at %s", o.clientID, o.destination, e.Addr)
		}
		fmt.Fprintln(log, "towpath tail:", text)
	}
}

// lockedWriter lets several goroutines write lines.
type lockedWriter struct {
	mu sync.Mutex // held while w is written
	w  io.Writer
}

// Write implements io.Writer.
func (l *lockedWriter) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}

// printBatch prints a batch as far as --count allows and says whether that was all
// of it.
func (o *tailOptions) printBatch(batch *client.Batch, left *int, print func(*protocol.Entry) error) (whole bool, err error) {
	for e, err := range batch.Entries() {
		if err != nil {
			return false, err
		}
		if o.count > 0 && *left == 0 {
			return false, nil
		}
		*left--
		if err := print(e); err != nil {
			return false, err
		}
	}
	return true, nil
}

// batchSize asks for no more than will be printed, so that the last batch is seldom
// cut.
func (o *tailOptions) batchSize() int {
	if o.count > 0 {
		return min(o.batch, o.count)
	}
	return o.batch
}

func (o *tailOptions) wait() time.Duration {
	if o.idle > 0 {
		return min(o.timeout, o.idle)
	}
	return o.timeout
}

// printer is what writes one entry.
func (o *tailOptions) printer(out *bufio.Writer, terminal io.Writer) func(*protocol.Entry) error {
	var line []byte
	text := entrytext.Printer{Location: time.Local, Colour: o.coloured(terminal)}
	return func(e *protocol.Entry) (err error) {
		if o.format == "json" {
			line, err = protocol.AppendJSON(line[:0], e.Raw(), o.raw)
			line = append(line, '\n')
		} else {
			line, err = text.Append(line[:0], e)
		}
		if err != nil {
			return err
		}
		if _, err := out.Write(line); err != nil {
			return fmt.Errorf("write: %w", err)
		}
		return nil
	}
}

func (o *tailOptions) coloured(w io.Writer) bool {
	if o.colour != "auto" {
		return o.colour == "always"
	}
	f, ok := w.(*os.File)
	if !ok || os.Getenv("NO_COLOR") != "" {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// retry reports errors and bounds the tries. *connected says whether a server has
// ever answered.
func (o *tailOptions) retry(log io.Writer, connected *bool) func(int, error) (time.Duration, bool) {
	backoff := client.Backoff(client.DefaultRetryMin, client.DefaultRetryMax/2)
	return func(failures int, err error) (time.Duration, bool) {
		tries := tailFirstTries
		if *connected {
			tries = tailTries
		}
		wait, again := backoff(failures, err)
		if !again || failures >= tries {
			return 0, false
		}
		fmt.Fprintf(log, "towpath tail: %v; trying again in %v\n", err, wait.Round(time.Millisecond))
		return wait, true
	}
}

// retryCluster reports errors, each once, and goes on for ever: a cluster brings back
// what it has lost.
func retryCluster(log io.Writer) func(int, error) (time.Duration, bool) {
	backoff := client.Backoff(client.ClusterRetryMin, client.ClusterRetryMax)
	var told string
	return func(failures int, err error) (time.Duration, bool) {
		wait, again := backoff(failures, err)
		if again && err.Error() != told {
			told = err.Error()
			fmt.Fprintf(log, "towpath tail: %v; trying again\n", err)
		}
		return wait, again
	}
}
