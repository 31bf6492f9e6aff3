package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/towpath-cdc/towpath/internal/binlog"
	"github.com/towpath-cdc/towpath/internal/config"
	"github.com/towpath-cdc/towpath/internal/mysql"
	"github.com/towpath-cdc/towpath/internal/pipeline"
	"github.com/towpath-cdc/towpath/internal/schema"
	"github.com/towpath-cdc/towpath/internal/source"
	"github.com/towpath-cdc/towpath/internal/store"
)

// sink is a store that counts and throws away.
type sink struct {
	rows int64
	ends int
}

// Put implements pipeline.Store.
func (s *sink) Put(_ context.Context, items []store.Item) error {
	for i := range items {
		s.rows += int64(items[i].Rows)
		if items[i].Kind == store.KindEnd {
			s.ends++
		}
		items[i].Block.Release(1)
	}
	return nil
}

// LoadTable implements schema.Loader.
func (t tables) LoadTable(_ context.Context, db, table string) (string, error) {
	if sql, ok := t[db+"."+table]; ok {
		return sql, nil
	}
	return "", fmt.Errorf("%s.%s: %w", db, table, schema.ErrNoTable)
}

// passPipeline turns the events of a binlog file into entries, as an instance does
// with those that come from its source, in one goroutine.
func passPipeline(ctx context.Context, file, definitions string) (f figures, err error) {
	b, err := os.ReadFile(definitions)
	if err != nil {
		return f, err
	}
	var t tables
	if err := json.Unmarshal(b, &t); err != nil {
		return f, fmt.Errorf("%s: %w", definitions, err)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return f, err
	}
	chunks, err := cut(data)
	if err != nil {
		return f, fmt.Errorf("%s: %w", file, err)
	}
	var out sink
	p, err := pipeline.New(pipeline.Options{Store: &out, Logger: slog.New(slog.DiscardHandler), Instance: config.Instance{
		Destination: "example", ConnectionCharset: "UTF-8", TimeZone: time.UTC, WhiteRegex: `.*\..*`, DruidDDL: true, TransactionSize: 1024, ParallelThreads: 1,
	}})
	if err != nil {
		return f, err
	}
	err = p.Start(ctx, source.Session{
		Address: "127.0.0.1:3306", Host: "127.0.0.1", Port: 3306, Tables: t,
		Server: mysql.Facts{Version: "8.0.15", Flavor: binlog.FlavorMySQL}, Position: binlog.Position{File: "log.000001", Offset: 4},
	})
	if err != nil {
		return f, err
	}
	defer p.Stop()
	err = clocked(&f, func() error {
		for _, c := range chunks {
			if err := p.Chunk(ctx, c); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil && out.ends == 0 {
		err = fmt.Errorf("%s: no transaction came out", file)
	}
	f.Rows = out.rows
	return f, err
}

// chunkSize is how many bytes of events a source hands over at once, at most.
const chunkSize = 256 << 10

// cut divides a file into chunks of events that stay where they are.
func cut(data []byte) (chunks []*source.Chunk, err error) {
	if !bytes.HasPrefix(data, []byte(binlog.Magic)) {
		return nil, binlog.ErrNotBinlog
	}
	var spans []source.Span
	from := len(binlog.Magic)
	for at := from; at < len(data); {
		if len(data)-at < binlog.HeaderSize {
			return nil, fmt.Errorf("file ends in a header at %d", at)
		}
		n := int(binary.LittleEndian.Uint32(data[at+9:]))
		if n < binlog.HeaderSize || n > len(data)-at {
			return nil, fmt.Errorf("event at %d claims %d bytes", at, n)
		}
		if at+n-from > chunkSize && len(spans) > 0 {
			chunks = append(chunks, source.NewChunk(data[from:at:at], spans))
			from, spans = at, nil
		}
		spans = append(spans, source.Span{Start: uint32(at - from), End: uint32(at + n - from)})
		at += n
	}
	if len(spans) > 0 {
		chunks = append(chunks, source.NewChunk(data[from:], spans))
	}
	return chunks, nil
}
