package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/client"
	"github.com/towpath-cdc/towpath/protocol"
	"github.com/towpath-cdc/towpath/test/servers"
)

// What the server may take with its default configuration: however large a transaction
// is, and with rows of 64 MiB, which it has to hold as events and as entries.
const (
	transactionMemory = 120 << 20
	bigRowMemory      = 400 << 20
)

// The rows of a large transaction have from 2 to 100 KiB.
const (
	leastRow = 2 << 10
	spread   = 98 << 10
)

func rowSize(id int64) int { return leastRow + int(id*7919%spread) }

// TestBig lets transactions and rows through that are larger than the server's
// memory may be. It measures the program as it is shipped.
func TestBig(t *testing.T) {
	total := envInt(t, "TOWPATH_E2E_BIG", 300<<20)
	rows := 2 * total / (2*leastRow + spread)
	// What the servers keep on disk of these does not last longer than the test.
	t.Run("transaction", func(t *testing.T) { testBigTransaction(t, servers.ForTest(t, servers.MySQL80), rows) })
	t.Run("compressed", func(t *testing.T) {
		testBigTransaction(t, servers.ForTest(t, servers.MySQL97, "binlog_transaction_compression=ON"), rows)
	})
	t.Run("row", func(t *testing.T) { testBigRow(t, sharedServer(t, servers.MySQL80)) })
}

// plainHome is an installation of the program as it is shipped, with an
// instance on db.
func plainHome(t *testing.T, db *servers.Server) *home {
	t.Helper()
	h := newHome(t, nil)
	var err error
	if h.bin, err = buildPlain(); err != nil {
		t.Fatal(err)
	}
	h.instance("example", db.Addr(), at(end(t, db)))
	return h
}

func (h *home) checkMemory(what string, limit int64) {
	h.t.Helper()
	peak := h.peakMemory()
	h.t.Logf("%s: the server took %d MiB at most", what, peak>>20)
	if peak > limit {
		h.t.Errorf("%s: the server took %d MiB, more than %d", what, peak>>20, limit>>20)
	}
}

func testBigTransaction(t *testing.T, db *servers.Server, rows int64) {
	db.MustExec(t, "CREATE DATABASE big", "CREATE TABLE big.digits (n INT PRIMARY KEY)",
		"INSERT INTO big.digits VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9)",
		"CREATE TABLE big.t (id BIGINT PRIMARY KEY, body LONGTEXT NOT NULL)")
	h := plainHome(t, db)
	h.start()
	written := make(chan error, 1)
	go func() {
		written <- db.Exec(context.WithoutCancel(t.Context()), fmt.Sprintf(`INSERT INTO big.t
			SELECT n, REPEAT(CHAR(65 + n %% 26), %d + n * 7919 %% %d) FROM (
				SELECT a.n + 10*b.n + 100*c.n + 1000*d.n + 10000*e.n AS n
				FROM big.digits e, big.digits d, big.digits c, big.digits b, big.digits a) s WHERE n < %d ORDER BY n`, leastRow, spread, rows))
	}()
	begin := time.Now()
	var next, size int64
	ended := false
	consume(t, h, func(e *protocol.Entry) bool {
		if e.EntryType() == protocol.EntryTransactionEnd {
			ended = next == rows
			return !ended
		}
		for row := range rowsOf(t, e, "big", "t") {
			if row[0] != fmt.Sprint(next) {
				t.Fatalf("row %s came where %d was expected", row[0], next)
			}
			want := byte('A' + next%26)
			if v := row[1]; len(v) != rowSize(next) || v[0] != want || v[len(v)-1] != want {
				t.Fatalf("row %d is %d bytes of %q, want %d of %q", next, len(v), v[0], rowSize(next), want)
			}
			size += int64(len(row[1]))
			next++
		}
		return true
	})
	if err := <-written; err != nil {
		t.Fatal(err)
	}
	h.checkMemory(fmt.Sprintf("a transaction of %d MiB in %d rows, %v", size>>20, next, time.Since(begin).Round(time.Second)), transactionMemory)
}

// rowsOf are the values of the rows that an entry brings to a table.
func rowsOf(t *testing.T, e *protocol.Entry, schema, table string) func(yield func([]string) bool) {
	return func(yield func([]string) bool) {
		h := e.Header()
		if e.EntryType() != protocol.EntryRowData || h.SchemaName() != schema || h.TableName() != table {
			return
		}
		rc, err := e.RowChange()
		if err != nil {
			t.Fatal(err)
		}
		for row := range rc.Rows() {
			var values []string
			for col := range row.After() {
				values = append(values, col.Value())
			}
			if !yield(values) {
				return
			}
		}
	}
}

// consume reads the destination example, acking each batch, until f returns false.
func consume(t *testing.T, h *home, f func(*protocol.Entry) bool) {
	t.Helper()
	c := client.NewConsumer(client.ConsumerOptions{Options: h.options("example"), Retry: soon})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	for b, err := range c.Batches(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		for e, err := range b.Entries() {
			if err != nil {
				t.Fatal(err)
			}
			if !f(e) {
				return
			}
		}
		if err := b.Ack(); err != nil {
			t.Fatal(err)
		}
	}
	t.Fatal("the stream ended")
}

// testBigRow sends rows of 64 MiB: all byte values, and text of characters of
// one to four bytes.
func testBigRow(t *testing.T, db *servers.Server) {
	const size = 64 << 20
	const text = "aé字𝒳" // 10 bytes
	db.MustExec(t, "CREATE DATABASE bigrow", "CREATE TABLE bigrow.b (id INT PRIMARY KEY, v LONGBLOB)",
		"CREATE TABLE bigrow.c (id INT PRIMARY KEY, v LONGTEXT CHARACTER SET utf8mb4)")
	h := plainHome(t, db)
	h.start()
	all := make([]byte, 256)
	latin1 := make([]rune, 256)
	for i := range all {
		all[i], latin1[i] = byte(i), rune(i)
	}
	tests := []struct{ table, insert, piece string }{
		{"b", fmt.Sprintf("INSERT INTO bigrow.b VALUES (1, REPEAT(x'%x', %d))", all, size/256), string(latin1)},
		{"c", fmt.Sprintf("INSERT INTO bigrow.c VALUES (1, REPEAT('%s', %d))", text, size/10), text},
	}
	for _, test := range tests {
		for range 2 { // memory of one must not add to that of the next
			db.MustExec(t, "DELETE FROM bigrow."+test.table, test.insert)
			found := false
			consume(t, h, func(e *protocol.Entry) bool {
				if e.Header().EventType() == protocol.EventInsert {
					for row := range rowsOf(t, e, "bigrow", test.table) {
						found = true
						if !repeats(row[1], test.piece) {
							t.Fatalf("the value of %d bytes is not what was written", len(row[1]))
						}
					}
				}
				return !found
			})
		}
		h.checkMemory("rows of 64 MiB in table "+test.table, bigRowMemory)
	}
}

// repeats says whether s is piece again and again.
func repeats(s, piece string) bool {
	// A text that begins with the piece and equals itself moved by it.
	return len(s)%len(piece) == 0 && strings.HasPrefix(s, piece) && s[len(piece):] == s[:len(s)-len(piece)]
}
