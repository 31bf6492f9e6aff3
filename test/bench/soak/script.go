package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/towpath-cdc/towpath/protocol"
)

// schema holds all tables of the sessions.
const schema = "soak"

// script is what a session does, step by step: a seed decides it, so that whoever
// reads the stream knows what has to come. It is used by one goroutine.
type script struct {
	session int
	r       *rand.Rand
	n       int64   // number of the last change
	table   int     // version of the session's table, counted by its renames
	low     int64   // least id in it
	seqs    []int64 // of the rows with ids from low on
	extra   int64   // column that it has beside the usual ones, by number; 0 for none
	side    int     // number of the last table beside it
	hasSide bool
}

func newScript(seed uint64, session int) *script {
	return &script{session: session, r: rand.New(rand.NewPCG(seed, uint64(session)))}
}

// step is one statement.
type step struct {
	event protocol.EventType // INSERT, UPDATE and DELETE of rows, or of a definition
	table string
	sql   string // of a definition
	shows string // what the SQL of its entry has to contain, without backquotes
	first int64  // number of its first change
	low   int64  // least id of the rows
	rows  int
	size  int     // of the text of each row, bytes
	fill  byte    // that the text consists of
	seqs  []int64 // of the rows as they were, for DELETE
}

// Bounds of a session's table and of what a statement changes.
const (
	mostRows    = 600 // of a table; a statement may add rowsAtOnce
	rowsAtOnce  = 100
	mostDeleted = 20   // by one statement
	definitions = 1500 // statements for one that changes a definition, on average
	largestText = 1 << 20
)

// next is the next step. The first makes the session's table.
func (s *script) next() step {
	if s.n == 0 {
		return s.define(protocol.EventCreate, s.name(), "CREATE TABLE "+schema+"."+s.name()+columns, s.name())
	}
	if s.r.IntN(definitions) == 0 {
		return s.definition()
	}
	kind := s.r.IntN(100)
	switch n := len(s.seqs); {
	case n == 0 || n < mostRows && kind < 50:
		return s.insert()
	case n < mostRows && kind < 78:
		return s.update()
	default:
		return s.delete()
	}
}

const columns = " (id BIGINT PRIMARY KEY, seq BIGINT NOT NULL, body LONGTEXT NOT NULL)"

// Names of tables begin with the session's, by which an entry is known to be its.
func (s *script) name() string { return fmt.Sprintf("s%d_main%d", s.session, s.table) }

func (s *script) sideName() string { return fmt.Sprintf("s%d_side%d", s.session, s.side) }

// take is the number of the next change, of n.
func (s *script) take(n int) int64 {
	first := s.n + 1
	s.n += int64(n)
	return first
}

func (s *script) define(event protocol.EventType, table, sql, shows string) step {
	return step{event: event, table: table, sql: sql, shows: shows, first: s.take(1), rows: 1}
}

// definition adds or drops a column, renames the table, or makes or drops one beside
// it.
func (s *script) definition() step {
	main := schema + "." + s.name()
	switch s.r.IntN(3) {
	case 0:
		if s.extra == 0 {
			s.extra = s.n + 1
			add := fmt.Sprintf("ADD COLUMN extra%d INT NOT NULL DEFAULT 7", s.extra)
			return s.define(protocol.EventAlter, s.name(), "ALTER TABLE "+main+" "+add, add)
		}
		drop := fmt.Sprintf("DROP COLUMN extra%d", s.extra)
		s.extra = 0
		return s.define(protocol.EventAlter, s.name(), "ALTER TABLE "+main+" "+drop, drop)
	case 1:
		s.table++ // the entry has the new name
		return s.define(protocol.EventRename, s.name(), "RENAME TABLE "+main+" TO "+schema+"."+s.name(), s.name())
	}
	if s.hasSide {
		s.hasSide = false
		return s.define(protocol.EventErase, s.sideName(), "DROP TABLE "+schema+"."+s.sideName(), s.sideName())
	}
	s.side++
	s.hasSide = true
	return s.define(protocol.EventCreate, s.sideName(), "CREATE TABLE "+schema+"."+s.sideName()+columns, s.sideName())
}

// text decides the size of a text and how many rows have it: most are small, few are
// large and come alone.
func (s *script) text() (size, rows int) {
	rows = 1
	switch k := s.r.IntN(100); {
	case k < 5:
		rows = 1 + s.r.IntN(rowsAtOnce)
	case k < 30:
		rows = 1 + s.r.IntN(20)
	}
	switch k := s.r.IntN(2000); {
	case k < 1700:
		return 20 + s.r.IntN(400), rows
	case k < 1990:
		return 1<<10 + s.r.IntN(8<<10), rows
	case k < 1999:
		return 64<<10 + s.r.IntN(200<<10), 1
	}
	return s.r.IntN(largestText + 1), 1
}

func (s *script) fill() byte { return byte('A' + s.n%26) }

func (s *script) insert() step {
	size, rows := s.text()
	t := step{event: protocol.EventInsert, table: s.name(), low: s.low + int64(len(s.seqs)), rows: rows, size: size, fill: s.fill()}
	t.first = s.take(rows)
	for i := range rows {
		s.seqs = append(s.seqs, t.first+int64(i))
	}
	return t
}

func (s *script) update() step {
	size, rows := s.text()
	rows = min(rows, len(s.seqs))
	from := s.r.IntN(len(s.seqs) - rows + 1)
	t := step{event: protocol.EventUpdate, table: s.name(), low: s.low + int64(from), rows: rows, size: size, fill: s.fill()}
	t.first = s.take(rows)
	for i := range rows {
		s.seqs[from+i] = t.first + int64(i)
	}
	return t
}

func (s *script) delete() step {
	rows := min(len(s.seqs), 1+s.r.IntN(mostDeleted))
	t := step{event: protocol.EventDelete, table: s.name(), low: s.low, rows: rows, seqs: s.seqs[:rows:rows]}
	t.first = s.take(rows)
	s.seqs = slices.Clone(s.seqs[rows:]) // the step keeps the others
	s.low += int64(rows)
	return t
}

// statement is the step in SQL.
func (t *step) statement() string {
	last := t.low + int64(t.rows) - 1
	switch t.event {
	case protocol.EventInsert:
		var b strings.Builder
		fmt.Fprintf(&b, "INSERT INTO %s.%s (id, seq, body) VALUES ", schema, t.table)
		for i := range int64(t.rows) {
			if i > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, "(%d,%d,REPEAT('%c',%d))", t.low+i, t.first+i, t.fill, t.size)
		}
		return b.String()
	case protocol.EventUpdate:
		return fmt.Sprintf("UPDATE %s.%s SET seq = %d + id - %d, body = REPEAT('%c',%d) WHERE id BETWEEN %d AND %d ORDER BY id",
			schema, t.table, t.first, t.low, t.fill, t.size, t.low, last)
	case protocol.EventDelete:
		return fmt.Sprintf("DELETE FROM %s.%s WHERE id BETWEEN %d AND %d ORDER BY id", schema, t.table, t.low, last)
	}
	return t.sql
}

// bytes is about how much the step makes in the binlog.
func (t *step) bytes() int64 { return int64(t.rows) * int64(t.size+100) }

// change is what a client gets of a step: a row, or a definition.
type change struct {
	number int64 // in its session, from 1
	event  protocol.EventType
	table  string
	shows  string // of a definition
	id     int64
	seq    int64
	size   int
	fill   byte
}

// changes are those of a step, in their order.
func (t *step) changes(into []change) []change {
	for i := range t.rows {
		c := change{number: t.first + int64(i), event: t.event, table: t.table, shows: t.shows, size: t.size, fill: t.fill}
		switch {
		case t.event == protocol.EventDelete:
			c.id, c.seq = t.low+int64(i), t.seqs[i]
		case t.shows == "":
			c.id, c.seq = t.low+int64(i), c.number
		}
		into = append(into, c)
	}
	return into
}
