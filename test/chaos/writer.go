package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/towpath-cdc/towpath/test/servers"
)

// The tables of the writers, each of which has the table of its number.
const (
	schema      = "chaos"
	tablePrefix = "w"
	writers     = 2
)

func tableOf(writer int) string { return schema + "." + tablePrefix + strconv.Itoa(writer) }

func createTables(ctx context.Context, db *servers.Server) error {
	statements := []string{"CREATE DATABASE " + schema}
	for w := range writers {
		statements = append(statements, "CREATE TABLE "+tableOf(w)+" (n BIGINT PRIMARY KEY, pad VARCHAR(200) NOT NULL)")
	}
	return db.Exec(ctx, statements...)
}

// binlogEnd is where the binlog ends now.
func binlogEnd(ctx context.Context, db *servers.Server) (place, error) {
	rows, err := db.Query(ctx, "SHOW MASTER STATUS")
	if err != nil {
		return place{}, err
	}
	offset, err := strconv.ParseInt(rows[0][1], 10, 64)
	return place{rows[0][0], offset}, err
}

// write has all writers insert rows numbered from 1, each in a statement of its
// own, until ctx ends.
func write(ctx context.Context, db *servers.Server, seed uint64) error {
	errs := make([]error, writers)
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() { errs[w] = writeTable(ctx, db, w, rand.New(rand.NewPCG(seed, uint64(w)))) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return fmt.Errorf("write rows: %w", err)
		}
	}
	return nil
}

// writePause is between two transactions of a writer, on average.
const writePause = 40 * time.Millisecond

func writeTable(ctx context.Context, db *servers.Server, writer int, r *rand.Rand) error {
	c, err := db.Connect(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for n := int64(1); ; {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		statements := []string{"BEGIN"}
		for range 1 + r.IntN(3) {
			statements = append(statements, fmt.Sprintf("INSERT INTO %s VALUES (%d, '%s')", tableOf(writer), n, strings.Repeat("x", r.IntN(200))))
			n++
		}
		for _, s := range append(statements, "COMMIT") {
			result, err := c.Execute(s)
			if err != nil {
				return err
			}
			result.Close()
		}
		timer.Reset(about(r, writePause))
	}
}

// about is a time of which d is the mean.
func about(r *rand.Rand, d time.Duration) time.Duration {
	return time.Duration(r.Int64N(int64(2*d) + 1))
}

var mapped = regexp.MustCompile(`\(` + schema + `\.` + tablePrefix + `(\d+)\)`)

// readTruth reads the order of all rows from the binlog: a writer's rows are in
// the order of their numbers, and each is an event of its own.
func readTruth(ctx context.Context, db *servers.Server, from place) ([]truth, error) {
	const page = 20000
	var all []truth
	numbers := make(map[int]int64)
	writer := -1 // of the last table map
	for at := from.offset; ; {
		rows, err := db.Query(ctx, fmt.Sprintf("SHOW BINLOG EVENTS IN '%s' FROM %d LIMIT %d", from.file, at, page))
		if err != nil {
			return nil, err
		}
		for _, r := range rows { // Log_name, Pos, Event_type, Server_id, End_log_pos, Info
			switch r[2] {
			case "Table_map":
				writer = -1
				if m := mapped.FindStringSubmatch(r[5]); m != nil {
					if writer, err = strconv.Atoi(m[1]); err != nil {
						return nil, err
					}
				}
			case "Write_rows":
				offset, err := strconv.ParseInt(r[1], 10, 64)
				if err != nil {
					return nil, err
				}
				if writer >= 0 {
					numbers[writer]++
					all = append(all, truth{row{writer, numbers[writer]}, place{from.file, offset}})
				}
			}
			if at, err = strconv.ParseInt(r[4], 10, 64); err != nil {
				return nil, err
			}
		}
		if len(rows) < page {
			return all, nil
		}
	}
}
