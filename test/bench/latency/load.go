package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	mysqlclient "github.com/go-mysql-org/go-mysql/client"

	"github.com/towpath-cdc/towpath/test/servers"
)

// The table that rows are inserted into.
const schemaName, tableName = "latency", "t"

func makeTable(ctx context.Context, db *servers.Server) error {
	return db.Exec(ctx, "CREATE DATABASE "+schemaName,
		"CREATE TABLE "+schemaName+"."+tableName+` (
			id BIGINT NOT NULL PRIMARY KEY,
			user_id INT UNSIGNED NOT NULL,
			email VARCHAR(128) NOT NULL,
			amount DECIMAL(12,2) NOT NULL,
			created DATETIME(3) NOT NULL)`)
}

// load commits rows at planned times. Rows are numbered from 0, and all times are
// since begin.
type load struct {
	begin    time.Time
	interval time.Duration   // between two planned times
	first    int64           // id of the row numbered 0
	returned []time.Duration // when the commit of each row returned

	next atomic.Int64 // the row to be taken next
}

// newLoad plans n rows, rate a second. Its begin is to be set.
func newLoad(rate int, first int64, n int) *load {
	return &load{interval: time.Second / time.Duration(rate), first: first, returned: make([]time.Duration, n)}
}

// planned is when the row numbered i is to be committed.
func (l *load) planned(i int64) time.Duration { return time.Duration(i) * l.interval }

// connect opens the sessions of a load. They are the caller's to close.
func connect(ctx context.Context, db *servers.Server, sessions int) (conns []*mysqlclient.Conn, err error) {
	for range sessions {
		c, err := db.Connect(ctx)
		if err != nil {
			return conns, err
		}
		conns = append(conns, c)
	}
	return conns, nil
}

// run commits the rows over sessions and returns when all are done, or when one of
// them failed or ctx ended.
func (l *load) run(ctx context.Context, conns []*mysqlclient.Conn) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	errs := make([]error, len(conns))
	var wg sync.WaitGroup
	for s, c := range conns {
		wg.Go(func() {
			if errs[s] = l.session(ctx, c); errs[s] != nil {
				cancel()
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// session commits rows, each at its time or, when that has passed, at once. A
// statement is a transaction: its end is the return of its COMMIT.
func (l *load) session(ctx context.Context, c *mysqlclient.Conn) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		i := l.next.Add(1) - 1
		if i >= int64(len(l.returned)) {
			return nil
		}
		if wait := l.planned(i) - time.Since(l.begin); wait > 0 {
			timer.Reset(wait)
			select {
			case <-timer.C:
			case <-ctx.Done():
				return nil // for another reason than this
			}
		}
		id := l.first + i
		q := fmt.Sprintf("INSERT INTO %s.%s VALUES (%d, %d, 'user%d@mail.example.com', %d.%02d, NOW(3))", schemaName, tableName, id, id%100000, id%100000, id%10000, id%100)
		r, err := c.Execute(q)
		if err != nil {
			return fmt.Errorf("row %d: %w", id, err)
		}
		r.Close()
		l.returned[i] = time.Since(l.begin)
	}
}
