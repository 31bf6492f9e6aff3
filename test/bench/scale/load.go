package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/go-mysql-org/go-mysql/client"

	"github.com/towpath-cdc/towpath/test/servers"
)

// numbers is how many rows one statement can insert: it takes them from a table with
// the numbers from 0 on.
const numbers = 10_000

var numbersSQL = []string{
	"CREATE DATABASE bench",
	"CREATE TABLE bench.digits (n INT PRIMARY KEY)",
	"INSERT INTO bench.digits VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9)",
	"CREATE TABLE bench.numbers (n INT PRIMARY KEY)",
	"INSERT INTO bench.numbers SELECT a.n + 10*b.n + 100*c.n + 1000*d.n FROM bench.digits a, bench.digits b, bench.digits c, bench.digits d",
	"DROP TABLE bench.digits",
}

// kinds are the types that the columns behind the first have in turn, and what they
// hold in the row numbered n. They take 6 bytes of a row event on average.
var kinds = []struct{ definition, value string }{
	{"INT NOT NULL", "n % 100000"},
	{"VARCHAR(8) CHARACTER SET ascii NOT NULL", "CONCAT('v', n % 100000)"},
	{"BIGINT NOT NULL", "n * 1000003"},
	{"DATETIME NOT NULL", "'2024-01-01' + INTERVAL n SECOND"},
}

// tableSQL makes a table of so many columns, at most 1000, which is about what
// InnoDB allows.
func tableSQL(table string, columns int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "CREATE TABLE %s (id INT UNSIGNED NOT NULL PRIMARY KEY", table)
	for i := range columns - 1 {
		fmt.Fprintf(&b, ", c%d %s", i, kinds[i%len(kinds)].definition)
	}
	return b.String() + ")"
}

// insertSQL inserts count rows from the one numbered from on, which may be
// expressions; count is at most numbers.
func insertSQL(table string, columns int, from, count string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "INSERT INTO %s SELECT n", table)
	for i := range columns - 1 {
		fmt.Fprintf(&b, ", %s", kinds[i%len(kinds)].value)
	}
	fmt.Fprintf(&b, " FROM (SELECT %s + n AS n FROM bench.numbers WHERE n < %s) s", from, count)
	return b.String()
}

// rowBytes is about what a row of so many columns takes in the binlog.
func rowBytes(columns int) int { return 4 + 6*(columns-1) + (columns+7)/8 }

// connect opens a session that ends with ctx. The caller closes it.
func connect(ctx context.Context, db *servers.Server) (*client.Conn, func(), error) {
	c, err := db.Connect(ctx)
	if err != nil {
		return nil, nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = c.Conn.Close() }) // a statement under way fails
	return c, func() {
		stop()
		_ = c.Close() // it has done its work
	}, nil
}

// exec runs a statement whose result is not wanted.
func exec(c *client.Conn, format string, args ...any) error {
	q := fmt.Sprintf(format, args...)
	r, err := c.Execute(q)
	if err != nil {
		return fmt.Errorf("%.200q: %w", q, err)
	}
	r.Close()
	return nil
}

// insert inserts rows with statements of at most so many.
func insert(ctx context.Context, c *client.Conn, table string, columns, from, rows, statement int) error {
	for end := from + rows; from < end; from += statement {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		count := min(statement, end-from)
		if err := exec(c, "%s", insertSQL(table, columns, fmt.Sprint(from), fmt.Sprint(count))); err != nil {
			return err
		}
	}
	return nil
}

// usual is how many columns rows have where their width is not what is swept.
const usual = 10

// procedureSQL makes a procedure that commits transactions, each of one statement
// that inserts so many rows into bench.usual.
func procedureSQL() string {
	return "CREATE PROCEDURE bench.fill(IN first INT, IN transactions INT, IN size INT) BEGIN DECLARE i INT DEFAULT 0; " +
		"WHILE i < transactions DO " + insertSQL("bench.usual", usual, "first + i * size", "size") + "; SET i = i + 1; END WHILE; END"
}

// fillUsual has the procedure insert at least so many rows, in transactions of size
// rows, and returns how many these are.
func (b *bench) fillUsual(ctx context.Context, db *servers.Server, rows, size int) (int, error) {
	const atOnce = 10_000 // rows; between calls it can be cancelled
	c, end, err := connect(ctx, db)
	if err != nil {
		return 0, err
	}
	defer end()
	left := (rows + size - 1) / size
	done := 0
	for left > 0 {
		n := min(left, max(1, atOnce/size))
		if err := exec(c, "CALL bench.fill(%d, %d, %d)", b.next, n, size); err != nil {
			return 0, err
		}
		b.next += n * size
		done += n * size
		left -= n
	}
	return done, ctx.Err()
}
