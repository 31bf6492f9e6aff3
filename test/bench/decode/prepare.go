package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/towpath-cdc/towpath/client"
	"github.com/towpath-cdc/towpath/protocol"
	"github.com/towpath-cdc/towpath/test/bench/subject"
	"github.com/towpath-cdc/towpath/test/bench/workload"
	"github.com/towpath-cdc/towpath/test/servers"
)

// input is what is decoded.
type input struct {
	workload.Stretch
	binlog  string // a file
	tables  string // a file with the definitions of its tables, as tables has them
	batches string // a file with frames as a server sends them; "" when no clients are measured
}

// tables are definitions by schema.table.
type tables map[string]string

// prepare has a MySQL write the binlogs and, for the clients, a Towpath send what is
// in them. Both have ended when it returns.
func prepare(ctx context.Context, dir string, o options) ([]input, error) {
	db, err := servers.Start(ctx, servers.Options{Kind: servers.MySQL80, Dir: filepath.Join(dir, "db")})
	if err != nil {
		return nil, err
	}
	defer db.Kill()
	stretches, err := workload.Load(ctx, db, o.rows, o.transactions)
	if err != nil {
		return nil, err
	}
	definitions := filepath.Join(dir, "tables.json")
	if err := saveTables(ctx, db, definitions); err != nil {
		return nil, err
	}
	var inputs []input
	for _, s := range stretches {
		in := input{Stretch: s, tables: definitions, binlog: filepath.Join(db.BinlogDir(), s.File)}
		if o.clients {
			in.batches = filepath.Join(dir, s.Name+".batches")
			if err := record(ctx, db, s, filepath.Join(dir, s.Name), o, in.batches); err != nil {
				return nil, fmt.Errorf("record %s: %w", s.Name, err)
			}
		}
		inputs = append(inputs, in)
	}
	return inputs, db.Stop()
}

// saveTables writes the definitions of the workload's tables to a file.
func saveTables(ctx context.Context, db *servers.Server, file string) error {
	names, err := db.Query(ctx, "SELECT table_name FROM information_schema.tables WHERE table_schema = 'bench'")
	if err != nil {
		return err
	}
	all := tables{}
	for _, n := range names {
		rows, err := db.Query(ctx, "SHOW CREATE TABLE bench."+n[0])
		if err != nil {
			return err
		}
		all["bench."+n[0]] = rows[0][1]
	}
	b, err := json.Marshal(all)
	if err != nil {
		return err
	}
	return os.WriteFile(file, b, 0o644)
}

// The gets by which batches are recorded: of the size that Canal's clients ask for.
const (
	getSize    = 1000
	getTimeout = time.Second
)

// record writes batches with at least o.clientRows row changes of a stretch, or all
// of it, to a file: frames as the server has sent them.
func record(ctx context.Context, db *servers.Server, s workload.Stretch, dir string, o options, file string) error {
	t := &subject.Towpath{Program: o.program}
	r, err := t.Start(ctx, dir, subject.Destination{Name: "example", Source: db.Addr(), File: s.File})
	if err != nil {
		return err
	}
	defer r.Stop()
	c, err := client.Dial(ctx, client.Options{Addr: r.Addr, Destination: "example"})
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.Subscribe(ctx, ""); err != nil {
		return err
	}
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<20)
	for rows, done := 0, false; !done && rows < o.clientRows; {
		b, err := c.GetWithoutAck(ctx, getSize, getTimeout)
		if err != nil {
			return err
		}
		if b.Empty() {
			continue
		}
		if _, err := w.Write(frame(b)); err != nil {
			return err
		}
		n, marked, err := count(b, s.Marker)
		if err != nil {
			return err
		}
		rows, done = rows+n, marked
		if err := c.Ack(b.ID()); err != nil {
			return err
		}
	}
	return w.Flush()
}

// frame is a batch as it came over the connection.
func frame(b *client.Batch) []byte {
	var entries []byte
	for _, e := range b.Raw() {
		entries = protowire.AppendTag(entries, 2, protowire.BytesType)
		entries = protowire.AppendBytes(entries, e)
	}
	return append(protocol.AppendMessagesHead(nil, b.ID(), len(entries)), entries...)
}

// count counts the row changes of a batch and says whether the marker is in it.
func count(b *client.Batch, marker string) (rows int, marked bool, err error) {
	for e, err := range b.Entries() {
		if err != nil {
			return 0, false, err
		}
		h := e.Header()
		if v, ok := h.Prop("rowsCount"); ok {
			n, err := strconv.Atoi(v)
			if err != nil {
				return 0, false, err
			}
			rows += n
		}
		marked = marked || e.EntryType() == protocol.EntryRowData && h.SchemaName()+"."+h.TableName() == marker
	}
	return rows, marked, nil
}
