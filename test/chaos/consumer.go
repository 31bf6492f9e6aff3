package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/towpath-cdc/towpath/client"
	"github.com/towpath-cdc/towpath/protocol"
)

// consumeCommand is the first argument of a consumer's process. A history and a
// configuration follow.
const consumeCommand = "consume"

// consumerConfig is what a consumer's process is told, in JSON.
type consumerConfig struct {
	ZooKeeper   string // as in canal.zkServers
	Destination string
	Session     time.Duration     // timeout
	Dial        map[string]string // where the address of a server is reached
}

// consume is the process of a consumer: it competes for a destination, records
// what it gets and acks it, until ctx ends.
func consume(ctx context.Context, history, config string) error {
	var c consumerConfig
	if err := json.Unmarshal([]byte(config), &c); err != nil {
		return fmt.Errorf("parse the consumer's configuration: %w", err)
	}
	rec, err := newRecorder(history)
	if err != nil {
		return err
	}
	z, err := client.OpenZooKeeper(client.ZooKeeperOptions{
		Servers: c.ZooKeeper, SessionTimeout: c.Session, Logger: slog.New(slog.NewTextHandler(os.Stdout, nil)),
	})
	if err != nil {
		return err
	}
	k := &consumer{config: c, rec: rec}
	consumer := client.NewConsumer(client.ConsumerOptions{
		Options: client.Options{
			ZooKeeper: z, Destination: c.Destination, SOTimeout: consumerTimeout, Dial: k.dial,
			Event: func(e client.Event) { fmt.Println(e) },
		},
		BatchSize: 64, Wait: 50 * time.Millisecond,
		Idle: func() bool { k.ackAll(); return true },
	})
	err = nil
	for b, failure := range consumer.Batches(ctx) {
		if err = failure; err == nil {
			err = k.batch(b)
		}
		if err != nil {
			break
		}
	}
	return errors.Join(err, z.Close(), rec.close())
}

// consumerTimeout is how long a server that does not answer is waited for. It is
// short, so that many faults can be lived through.
const consumerTimeout = 3 * time.Second

type consumer struct {
	config consumerConfig
	rec    *recorder
	held   []*client.Batch
}

// dial leads to the proxy in front of a server. A delivery run begins with it: that
// a connection is made again to the same server is no event of the client's.
func (k *consumer) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	to, ok := k.config.Dial[addr]
	if !ok {
		return nil, fmt.Errorf("no way to %s", addr)
	}
	c, err := new(net.Dialer).DialContext(ctx, network, to)
	if err == nil {
		k.rec.record(event{Kind: kindRun, Destination: k.config.Destination, Server: addr})
	}
	return c, err
}

// batch records a batch. Now and then it is acked after a later one has come.
func (k *consumer) batch(b *client.Batch) error {
	rows, err := rowsOf(b)
	if err != nil {
		return fmt.Errorf("batch %s: %w", batchName(b.ID()), err)
	}
	k.rec.record(event{Kind: kindBatch, Destination: k.config.Destination, Batch: b.ID(), Rows: rows})
	k.held = append(k.held, b)
	if len(k.held) < 3 && rand.IntN(5) == 0 {
		return nil
	}
	k.ackAll()
	return nil
}

func (k *consumer) ackAll() {
	for _, b := range k.held {
		k.rec.record(event{Kind: kindAck, Destination: k.config.Destination, Batch: b.ID()})
		// Any other error leaves open whether the server got it.
		if err := b.Ack(); err == client.ErrStale {
			k.rec.record(event{Kind: kindUnsent, Destination: k.config.Destination, Batch: b.ID()})
		}
	}
	k.held = nil
}

// rowsOf are the writers' rows that a batch brings.
func rowsOf(b *client.Batch) (rows []span, err error) {
	for e, err := range b.Entries() {
		if err != nil {
			return nil, err
		}
		h := e.Header()
		if e.EntryType() != protocol.EntryRowData || h.SchemaName() != schema || h.EventType() != protocol.EventInsert {
			continue
		}
		writer, err := strconv.Atoi(strings.TrimPrefix(h.TableName(), tablePrefix))
		if err != nil {
			return nil, fmt.Errorf("table %s: %w", h.TableName(), err)
		}
		rc, err := e.RowChange()
		if err != nil {
			return nil, err
		}
		for r := range rc.Rows() {
			c, _ := r.AfterColumn("n")
			n, err := c.Int64()
			if err != nil {
				return nil, err
			}
			rows = appendRow(rows, row{writer, n})
		}
	}
	return rows, nil
}
