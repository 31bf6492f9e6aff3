package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/towpath-cdc/towpath/client"
	"github.com/towpath-cdc/towpath/protocol"
	"github.com/towpath-cdc/towpath/test/bench/subject"
	"github.com/towpath-cdc/towpath/test/servers"
)

const (
	destination = "example"

	// patience is for how long a client waits for rows that are missing when the
	// load has ended.
	patience = 30 * time.Second
)

// manner is how a client asks, and a server answers.
type manner struct {
	what    string // for reports
	batch   int
	timeout time.Duration
	linger  string // towpath.instance.get.linger, with which Towpath alone is measured; "" for the default
}

// manners are those that are measured: a client with Canal's usual size of a batch,
// which at any rate below that size per timeout waits for the timeout, and one that
// asks for the least and so gets rows as soon as there are some; and the first one
// again, where Towpath is told not to wait for full batches.
func (o *options) manners() []manner {
	usual := fmt.Sprintf("batches of %d KiB", o.batch)
	return []manner{
		{usual, o.batch, o.timeout, ""},
		{"batches of 1 KiB", 1, o.timeout, ""},
		{usual + ", linger 0", o.batch, o.timeout, "0"},
		{usual + ", linger 1", o.batch, o.timeout, "1"},
	}
}

// result is what one server took with one manner of asking.
type result struct {
	subject  string
	manner   manner
	planned  []time.Duration // from the planned time of each commit to the row at the client, sorted
	returned []time.Duration // from the return of each commit, sorted; below zero where the row was faster
	late     []time.Duration // from the planned time of each commit to its return, sorted
	cpu      float64         // of the server, of one core
	gets     float64         // a second
}

// measure runs a server, a client and the load.
func (o *options) measure(ctx context.Context, s subject.Subject, db *servers.Server, m manner, dir string) (result, error) {
	r := result{subject: s.Name(), manner: m}
	server, err := s.Start(ctx, dir, subject.Destination{Name: destination, Source: db.Addr()})
	if err != nil {
		return r, err
	}
	defer server.Stop()
	if err := server.Settle(ctx); err != nil {
		return r, err
	}
	first, err := nextID(ctx, db)
	if err != nil {
		return r, err
	}
	warm := int(o.warmUp.Seconds() * float64(o.rate))
	n := warm + int(o.duration.Seconds()*float64(o.rate))
	conns, err := connect(ctx, db, o.sessions)
	defer func() {
		for _, c := range conns {
			_ = c.Close() // all is committed
		}
	}()
	if err != nil {
		return r, err
	}
	l := newLoad(o.rate, first, n)
	c := consumer{load: l, manner: m, arrived: make([]time.Duration, n)}
	if err := c.subscribe(ctx, server.Addr); err != nil {
		return r, err
	}
	defer c.conn.Close()
	l.begin = time.Now()

	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	loaded := make(chan error, 1)
	go func() {
		err := l.run(ctx, conns)
		if err != nil {
			cancel(err)
		}
		loaded <- err
		if until(ctx, time.Now().Add(patience)) == nil {
			cancel(errors.New("rows are missing at the client"))
		}
	}()
	watched := make(chan error, 1)
	go func() {
		var err error
		r.cpu, err = o.usage(ctx, server, l.begin)
		watched <- err
	}()
	if err = c.takeAll(ctx); err != nil {
		cancel(err)
	}
	if err := errors.Join(<-loaded, <-watched, err); err != nil {
		return r, context.Cause(ctx)
	}
	r.planned, r.returned, r.late = l.latencies(c.arrived, warm)
	r.gets = float64(c.gets) / (o.warmUp + o.duration).Seconds()
	return r, nil
}

// nextID is the first id that is free.
func nextID(ctx context.Context, db *servers.Server) (id int64, err error) {
	rows, err := db.Query(ctx, "SELECT COALESCE(MAX(id), 0) + 1 FROM "+schemaName+"."+tableName)
	if err != nil {
		return 0, err
	}
	_, err = fmt.Sscan(rows[0][0], &id)
	return id, err
}

// usage is what part of a core the server uses while latencies count.
func (o *options) usage(ctx context.Context, server *subject.Running, begin time.Time) (float64, error) {
	if err := until(ctx, begin.Add(o.warmUp)); err != nil {
		return 0, err
	}
	before, err := server.Process.CPU()
	if err != nil {
		return 0, err
	}
	from := time.Now()
	if err := until(ctx, begin.Add(o.warmUp+o.duration)); err != nil {
		return 0, err
	}
	after, err := server.Process.CPU()
	return (after - before).Seconds() / time.Since(from).Seconds(), err
}

func until(ctx context.Context, t time.Time) error {
	timer := time.NewTimer(time.Until(t))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// consumer is the client. It notes when each row of the load arrived.
type consumer struct {
	load    *load
	manner  manner
	conn    *client.Conn
	arrived []time.Duration // since the load's begin; 0 for rows that have not
	rows    int
	gets    int
}

func (c *consumer) subscribe(ctx context.Context, addr string) (err error) {
	if c.conn, err = client.Dial(ctx, client.Options{Addr: addr, Destination: destination}); err != nil {
		return err
	}
	if err = c.conn.Subscribe(ctx, ""); err != nil {
		_ = c.conn.Close()
	}
	return err
}

// takeAll gets and acks until every row has come. A row has arrived when the get
// that brings it returns.
func (c *consumer) takeAll(ctx context.Context) error {
	for c.rows < len(c.arrived) {
		b, err := c.conn.GetWithoutAck(ctx, c.manner.batch, c.manner.timeout)
		now := time.Since(c.load.begin)
		if err != nil {
			return fmt.Errorf("with %d of %d rows: %w", c.rows, len(c.arrived), err)
		}
		c.gets++
		for e, err := range b.Entries() {
			if err != nil {
				return err
			}
			if err := c.take(e, now); err != nil {
				return err
			}
		}
		if err := b.Ack(); err != nil {
			return err
		}
	}
	return nil
}

// take notes the rows of an entry. Each row has to come once.
func (c *consumer) take(e *protocol.Entry, now time.Duration) error {
	if h := e.Header(); e.EntryType() != protocol.EntryRowData || h.SchemaName() != schemaName || h.TableName() != tableName {
		return nil
	}
	change, err := e.RowChange()
	if err != nil {
		return err
	}
	for row := range change.Rows() {
		column, ok := row.AfterColumn("id")
		if !ok {
			continue // of the statement that made the table
		}
		id, err := column.Int64()
		if err != nil {
			return err
		}
		i := id - c.load.first
		if i < 0 {
			continue // of an earlier load
		}
		if i >= int64(len(c.arrived)) || c.arrived[i] != 0 {
			return fmt.Errorf("row %d came again, or was never written", id)
		}
		c.arrived[i] = now
		c.rows++
	}
	return nil
}
