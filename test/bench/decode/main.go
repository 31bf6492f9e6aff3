// Command decode measures the decoder and the clients alone, each on one core:
// how fast the events of a binlog become entries, beside go-mysql's BinlogParser,
// and how fast clients take apart the batches that Towpath sends, beside canal-go
// and Canal's Java client. What is decoded lies in memory before the clock starts.
//
// Each run is a process of its own, so that none profits from what another has left
// behind; those that are compared run in turns.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"github.com/towpath-cdc/towpath/test/bench/document"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var err error
	if len(os.Args) > 1 && os.Args[1] == passCommand {
		err = pass(ctx, os.Args[2:])
	} else {
		err = run(ctx)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "decode:", err)
		os.Exit(1)
	}
}

// options are the sizes of a measurement.
type options struct {
	program            string
	rows, transactions int
	clientRows         int
	runs               int
	warm, span         time.Duration
	decoder, clients   bool
}

func run(ctx context.Context) error {
	var o options
	flag.StringVar(&o.program, "towpath", "bin/towpath", "the `program` that sends the batches")
	flag.IntVar(&o.rows, "rows", 1_000_000, "row changes of the bulk binlog")
	flag.IntVar(&o.transactions, "transactions", 100_000, "transactions of the OLTP binlog")
	flag.IntVar(&o.clientRows, "client-rows", 100_000, "row changes of each kind that clients get")
	flag.IntVar(&o.runs, "runs", 5, "runs of each program; medians are shown")
	flag.DurationVar(&o.warm, "warm", 5*time.Second, "for how long a client decodes before it is measured")
	flag.DurationVar(&o.span, "span", 3*time.Second, "for how long a client is measured")
	flag.BoolVar(&o.decoder, "decoder", true, "measure the decoder")
	flag.BoolVar(&o.clients, "clients", true, "measure the clients")
	out := flag.String("out", "", "`file` whose parts between the decode and clients markers are replaced by the results")
	flag.Parse()

	dir, err := os.MkdirTemp("", "towpath-decode-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if o.program, err = filepath.Abs(o.program); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "writing the binlogs: %d rows in bulk, %d transactions\n", o.rows, o.transactions)
	inputs, err := prepare(ctx, dir, o)
	if err != nil {
		return err
	}
	if o.decoder {
		results, err := measure(ctx, inputs, decoders, o)
		if err != nil {
			return err
		}
		if err := show(*out, "decode", decoderReport(results, o.runs)); err != nil {
			return err
		}
	}
	if !o.clients {
		return nil
	}
	results, err := measure(ctx, inputs, clients, o)
	if err != nil {
		return err
	}
	return show(*out, "clients", clientReport(results, o.runs))
}

// show prints a part of the result and puts it into the document, if there is one.
func show(out, part, text string) error {
	fmt.Println(text)
	if out == "" {
		return nil
	}
	return document.Replace(out, part, text)
}
