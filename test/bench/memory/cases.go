package main

import (
	"context"
	"fmt"
	"time"

	"github.com/towpath-cdc/towpath/test/bench/workload"
	"github.com/towpath-cdc/towpath/test/servers"
)

// cases are what is measured. Each begins with a binlog file of its own.
var cases = []struct {
	name   string
	what   func(s sizes) string
	stalls bool // the client stops in the middle, and the source goes on
	write  func(ctx context.Context, db *servers.Server, s sizes) (workload.Stretch, error)
}{
	{"ack", func(s sizes) string { return fmt.Sprintf("%d rows, a client that acks", s.rows) }, false, writeBulk},
	{"stall", func(s sizes) string {
		return fmt.Sprintf("a client that stops for %s, the source goes on", s.stall)
	}, true, beginLive},
	{"transaction", func(s sizes) string {
		return fmt.Sprintf("one transaction of %d MiB, rows of 2 to 100 KiB", s.transaction>>20)
	}, false, writeTransaction},
	{"row", func(s sizes) string { return fmt.Sprintf("%d rows of %d MiB, a blob each", s.bigRows, s.row>>20) }, false, writeRows},
}

// prepare makes the tables. Numbers come from joins of digits.
func prepare(ctx context.Context, db *servers.Server) error {
	return db.Exec(ctx, "CREATE DATABASE memory",
		"CREATE TABLE memory.digits (n INT PRIMARY KEY)",
		"INSERT INTO memory.digits VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9)",
		"CREATE TABLE memory.live (id BIGINT PRIMARY KEY AUTO_INCREMENT, body VARCHAR(400) NOT NULL)",
		"CREATE TABLE memory.large (id BIGINT PRIMARY KEY, body LONGTEXT NOT NULL)",
		"CREATE TABLE memory.blobs (id BIGINT PRIMARY KEY, body LONGBLOB NOT NULL)",
		"CREATE TABLE memory.done (id BIGINT PRIMARY KEY AUTO_INCREMENT)")
}

// markerTable ends the stretches of this program.
const markerTable = "memory.done"

func end(ctx context.Context, db *servers.Server) error {
	return db.Exec(ctx, "INSERT INTO "+markerTable+" VALUES ()")
}

// begin starts a binlog file.
func begin(ctx context.Context, db *servers.Server) (workload.Stretch, error) {
	w := workload.Stretch{Marker: markerTable}
	if err := db.Exec(ctx, "FLUSH BINARY LOGS"); err != nil {
		return w, err
	}
	rows, err := db.Query(ctx, "SHOW MASTER STATUS")
	if err != nil {
		return w, err
	}
	w.File = rows[0][0]
	return w, nil
}

// fill writes a stretch of rows rows by statements.
func fill(ctx context.Context, db *servers.Server, rows int, statements ...string) (workload.Stretch, error) {
	w, err := begin(ctx, db)
	if err != nil {
		return w, err
	}
	w.Rows = rows
	if err := db.Exec(ctx, statements...); err != nil {
		return w, err
	}
	return w, end(ctx, db)
}

func writeBulk(ctx context.Context, db *servers.Server, s sizes) (workload.Stretch, error) {
	stretches, err := workload.Load(ctx, db, s.rows, 0)
	if err != nil {
		return workload.Stretch{}, err
	}
	return stretches[0], nil
}

// The rows of the large transaction have from 2 to 100 KiB.
const (
	leastRow = 2 << 10
	spread   = 98 << 10
)

// transactionRows is how many of them make about so many bytes, at most 100,000.
func transactionRows(bytes int64) int { return int(min(2*bytes/(2*leastRow+spread), 100_000)) }

func writeTransaction(ctx context.Context, db *servers.Server, s sizes) (workload.Stretch, error) {
	n := transactionRows(s.transaction)
	return fill(ctx, db, n, fmt.Sprintf(`INSERT INTO memory.large SELECT n, REPEAT(CHAR(65 + n %% 26), %d + n * 7919 %% %d) FROM (
		SELECT a.n + 10*b.n + 100*c.n + 1000*d.n + 10000*e.n AS n
		FROM memory.digits e, memory.digits d, memory.digits c, memory.digits b, memory.digits a) s WHERE n < %d ORDER BY n`, leastRow, spread, n))
}

// writeRows inserts blobs of all byte values.
func writeRows(ctx context.Context, db *servers.Server, s sizes) (workload.Stretch, error) {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	var statements []string
	for i := range s.bigRows {
		statements = append(statements, fmt.Sprintf("INSERT INTO memory.blobs VALUES (%d, REPEAT(x'%x', %d))", i, all, s.row/256))
	}
	return fill(ctx, db, s.bigRows, statements...)
}

// beginLive starts a stretch that goOn makes longer until it is ended.
func beginLive(ctx context.Context, db *servers.Server, _ sizes) (workload.Stretch, error) {
	return begin(ctx, db)
}

// The source that goes on commits so many rows so often: 10,000 rows and 3 MB a
// second, which both servers can follow.
const (
	liveRows  = 1000
	livePause = 100 * time.Millisecond
)

// goOn inserts rows until ctx ends, and then the marker.
func goOn(ctx context.Context, db *servers.Server) error {
	statement := fmt.Sprintf(`INSERT INTO memory.live (body) SELECT REPEAT(CHAR(65 + a.n), 300)
		FROM memory.digits a, memory.digits b, memory.digits c LIMIT %d`, liveRows)
	tick := time.NewTicker(livePause)
	defer tick.Stop()
	for {
		if err := db.Exec(context.WithoutCancel(ctx), statement); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return end(context.WithoutCancel(ctx), db)
		case <-tick.C:
		}
	}
}
