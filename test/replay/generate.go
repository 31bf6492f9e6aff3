package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/go-mysql-org/go-mysql/mysql"

	"github.com/towpath-cdc/towpath/test/servers"
)

// generator runs random statements in a session of its own, on schemas of its own.
// It reads from the server what its tables are, so it need not know what a
// statement does; a statement may be refused. Equal seeds make equal statements.
type generator struct {
	*rand.Rand
	ctx     context.Context
	d       *session
	kind    servers.Kind
	all     bool // statements, too, that make no entry with Canal's parser
	schemas []string
	types   []string
	tables  []*table
	rows    int              // made so far
	log     io.Writer        // all statements, and what became of them
	done    func(sql string) // told of statements that were not refused; may be nil

	definitions, refused, changes int // statements
}

func newGenerator(ctx context.Context, db *servers.Server, number uint64, s schedule, log io.Writer) (*generator, error) {
	d, err := connect(ctx, db)
	if err != nil {
		return nil, err
	}
	g := &generator{
		Rand: rand.New(rand.NewPCG(s.seed, number)), ctx: ctx, d: d, kind: db.Kind, all: s.all, types: typesOf(db.Kind), log: log,
		schemas: []string{fmt.Sprintf("r%d", number), fmt.Sprintf("r%d_other", number)},
	}
	if s.plain {
		g.types = []string{"INT"}
	}
	return g, nil
}

// setUp makes the schemas and the first tables, with some rows.
func (g *generator) setUp() error {
	for _, s := range g.schemas {
		if err := g.define("CREATE DATABASE " + s + " DEFAULT CHARACTER SET utf8mb4"); err != nil {
			return err
		}
	}
	if err := g.use(g.schemas[0]); err != nil {
		return err
	}
	for range 4 {
		if err := g.create(); err != nil {
			return err
		}
	}
	for range 4 {
		if err := g.transaction(); err != nil {
			return err
		}
	}
	return nil
}

// step is mostly a transaction, or else a change of definitions.
func (g *generator) step() error {
	if g.IntN(100) < 45 {
		return g.transaction()
	}
	d := draw(g.Rand, g.definable())
	return d.run(g, g.table())
}

// run makes a number of steps.
func (g *generator) run(steps int, pause time.Duration) error {
	for range steps {
		if err := g.step(); err != nil {
			return err
		}
		if g.IntN(4) == 0 { // else several statements within a second
			timer := time.NewTimer(time.Duration(g.Int64N(int64(pause) + 1)))
			select {
			case <-timer.C:
			case <-g.ctx.Done():
			}
			timer.Stop()
		}
		if g.ctx.Err() != nil {
			return context.Cause(g.ctx)
		}
	}
	return nil
}

// exec runs a statement, which may be refused.
func (g *generator) exec(sql string) (ok bool, err error) {
	_, err = g.d.exec(sql)
	var refusal *mysql.MyError
	switch {
	case err == nil:
		fmt.Fprintf(g.log, "%s;\n", sql)
		if g.done != nil {
			g.done(sql)
		}
		return true, nil
	case errors.As(err, &refusal):
		g.refused++
		fmt.Fprintf(g.log, "-- %v: %s;\n", refusal, sql)
		return false, nil
	}
	return false, err
}

// define runs statements that change definitions, and looks at what there is now.
func (g *generator) define(statements ...string) error {
	for _, q := range statements {
		ok, err := g.exec(q)
		if err != nil {
			return err
		}
		if ok {
			g.definitions++
		}
	}
	return g.look()
}

// definef is define of one formatted statement.
func (g *generator) definef(format string, args ...any) error {
	return g.define(fmt.Sprintf(format, args...))
}

// look reads what the tables are now.
func (g *generator) look() error {
	var list []string
	for _, s := range g.schemas {
		list = append(list, literal(s))
	}
	tables, err := readTables(g.d, "table_schema IN ("+strings.Join(list, ", ")+")")
	g.tables = sorted(tables)
	return err
}

func (g *generator) use(schema string) error {
	_, err := g.exec("USE " + quote(schema))
	return err
}

// table is one of the tables, nil if there is none.
func (g *generator) table() *table {
	if len(g.tables) == 0 {
		return nil
	}
	return pick(g.Rand, g.tables)
}

// transaction changes rows of some tables.
func (g *generator) transaction() error {
	n := 1 + g.IntN(3)
	if g.IntN(15) == 0 {
		n = 20
	}
	statements := make([]string, 0, n+2)
	for range n {
		statements = append(statements, g.change())
	}
	switch g.IntN(5) {
	case 0: // each for itself
	case 1:
		statements = append(append([]string{"BEGIN", g.change(), "SAVEPOINT s"}, statements...), pick(g.Rand, []string{"ROLLBACK TO s", "RELEASE SAVEPOINT s"}), "COMMIT")
	default:
		end := "COMMIT"
		if g.IntN(8) == 0 {
			end = "ROLLBACK"
		}
		statements = append(append([]string{"START TRANSACTION"}, statements...), end)
	}
	for _, q := range statements {
		if q == "" {
			continue
		}
		ok, err := g.exec(q)
		if err != nil {
			return err
		}
		if ok {
			g.changes++
		}
	}
	return nil
}

// change is a statement that changes rows, "" if there is no table.
func (g *generator) change() string {
	t := g.table()
	if t == nil {
		return ""
	}
	switch g.IntN(8) {
	case 0:
		return fmt.Sprintf("DELETE FROM %s%s", t.name, g.some(t))
	case 1, 2:
		if w := t.written(); len(w) > 0 {
			c := pick(g.Rand, w)
			g.rows++
			return fmt.Sprintf("UPDATE %s SET %s = %s%s", t.name, quote(c.name), g.value(c, g.rows), g.some(t))
		}
	case 3:
		return g.insert(t, "REPLACE INTO ", 1)
	}
	return g.insert(t, pick(g.Rand, []string{"INSERT INTO ", "INSERT INTO ", "INSERT IGNORE INTO "}), 1+g.IntN(4))
}

// some is a condition that holds for some rows.
func (g *generator) some(t *table) string {
	for _, c := range t.columns {
		if c.key && c.kind == "int" {
			n := 2 + g.IntN(6)
			return fmt.Sprintf(" WHERE %s %% %d = %d", quote(c.name), n, g.IntN(n))
		}
	}
	return " LIMIT 3"
}

func (g *generator) insert(t *table, verb string, rows int) string {
	written := t.written()
	var names, values []string
	for _, c := range written {
		names = append(names, quote(c.name))
	}
	for range rows {
		g.rows++
		var row []string
		for _, c := range written {
			row = append(row, g.value(c, g.rows))
		}
		values = append(values, "("+strings.Join(row, ", ")+")")
	}
	return fmt.Sprintf("%s%s (%s) VALUES %s", verb, t.name, strings.Join(names, ", "), strings.Join(values, ", "))
}
