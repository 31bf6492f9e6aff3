package main

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/towpath-cdc/towpath/protocol"
)

// place is where an event begins in the source's log.
type place struct {
	file   string
	offset int64
}

func placeOf(e *protocol.Entry) place {
	return place{e.Header().LogfileName(), e.Header().LogfileOffset()}
}

func (p place) String() string { return fmt.Sprintf("%s:%d", p.file, p.offset) }

func (p place) before(q place) bool {
	return p.file < q.file || p.file == q.file && p.offset < q.offset
}

// journal is what has been delivered, but for the marks of transactions, which are
// not always the same: empty ones are left out by count and time. It finds what
// comes again, and that it is what came before.
type journal struct {
	entries  [][]byte // in the order of the source's log
	numbers  map[place]int
	next     int  // number of the entry that has to come, unless delivery begins anew
	acked    int  // those before it were confirmed, as far as the consumer knows
	anew     bool // what is not confirmed has to come again, from its beginning at the latest
	repeated int  // entries that came again
	headers  int  // of which only the header was another
}

func newJournal() *journal { return &journal{numbers: make(map[place]int)} }

// add takes an entry that came, and says whether it is a new one. An error says
// that the server broke a promise: it left something out, or says something else
// than before of the same event.
func (j *journal) add(e *protocol.Entry) (fresh bool, err error) {
	at := placeOf(e)
	i, known := j.numbers[at]
	if j.anew {
		j.next = min(j.next, j.acked)
		j.anew = false
	}
	switch {
	case known && i > j.next:
		return false, fmt.Errorf("entry %d comes where entry %d has to come, or one before it; %d were confirmed", i, j.next, j.acked)
	case known:
		j.next = i + 1
		j.repeated++
		return false, j.compare(j.entries[i], e)
	case j.next < len(j.entries):
		return false, fmt.Errorf("an entry that did not come before, where entry %d of %d had to come again: %s", j.next, len(j.entries), brief(j.entries[j.next]))
	}
	if n := len(j.entries); n > 0 {
		last, err := protocol.ParseEntry(j.entries[n-1])
		if err != nil {
			return false, err
		}
		if !placeOf(&last).before(at) {
			return false, fmt.Errorf("an entry that did not come before, behind the one at %v", placeOf(&last))
		}
	}
	j.numbers[at] = len(j.entries)
	j.entries = append(j.entries, bytes.Clone(e.Raw()))
	j.next = len(j.entries)
	return true, nil
}

// again notes that a new connection, or a rollback, has all that was not confirmed
// come again. Without one a part can come again, too: a transaction whose reading
// was interrupted.
func (j *journal) again() { j.anew = true }

// confirm notes that all up to now are about to be confirmed up to a number.
func (j *journal) confirm(n int) { j.acked = max(j.acked, n) }

// compare says what differs in an entry that came again.
func (j *journal) compare(first []byte, again *protocol.Entry) error {
	if bytes.Equal(first, again.Raw()) {
		return nil
	}
	e, err := protocol.ParseEntry(first)
	if err != nil {
		return err
	}
	if what := difference(&e, again); what != "" {
		return fmt.Errorf("comes again, and not as before: %s", what)
	}
	j.headers++
	return nil
}

// difference says what of the content of two entries is not the same, "" for
// nothing.
func difference(a, b *protocol.Entry) string {
	g, h := a.Header(), b.Header()
	if g.SchemaName() != h.SchemaName() || g.TableName() != h.TableName() || g.EventType() != h.EventType() {
		return fmt.Sprintf("%v %s.%s, now %v %s.%s", g.EventType(), g.SchemaName(), g.TableName(), h.EventType(), h.SchemaName(), h.TableName())
	}
	c, err := a.RowChange()
	if err != nil {
		return err.Error()
	}
	d, err := b.RowChange()
	if err != nil {
		return err.Error()
	}
	if c.SQL() != d.SQL() || c.DDLSchemaName() != d.DDLSchemaName() || c.IsDDL() != d.IsDDL() {
		return fmt.Sprintf("%q in %q, now %q in %q", c.SQL(), c.DDLSchemaName(), d.SQL(), d.DDLSchemaName())
	}
	p, q := slices.Collect(c.Rows()), slices.Collect(d.Rows())
	if len(p) != len(q) {
		return fmt.Sprintf("%d rows, now %d", len(p), len(q))
	}
	for i := range p {
		if what := imageDifference(slices.Collect(p[i].Before()), slices.Collect(q[i].Before())); what != "" {
			return fmt.Sprintf("row %d before the change: %s", i, what)
		}
		if what := imageDifference(slices.Collect(p[i].After()), slices.Collect(q[i].After())); what != "" {
			return fmt.Sprintf("row %d: %s", i, what)
		}
	}
	return ""
}

func imageDifference(a, b []protocol.Column) string {
	if m, n := columnNames(a), columnNames(b); !slices.Equal(m, n) {
		return fmt.Sprintf("columns %q, now %q", m, n)
	}
	for i := range a {
		if c, d := describe(&a[i]), describe(&b[i]); c != d {
			return fmt.Sprintf("column %s, now %s", c, d)
		}
	}
	return ""
}

// describe is all that a column says.
func describe(c *protocol.Column) string {
	v := fmt.Sprintf("%q", c.Value())
	if c.IsNull() {
		v = "NULL"
	}
	return fmt.Sprintf("%d %s %s (%d, key %v, updated %v) %s", c.Index(), c.Name(), c.MysqlType(), c.SQLType(), c.IsKey(), c.Updated(), v)
}

// brief names an entry in a line.
func brief(raw []byte) string {
	e, err := protocol.ParseEntry(raw)
	if err != nil {
		return err.Error()
	}
	h := e.Header()
	text := fmt.Sprintf("%v %v %s.%s", placeOf(&e), h.EventType(), h.SchemaName(), h.TableName())
	if rc, err := e.RowChange(); err == nil && rc.SQL() != "" {
		text += fmt.Sprintf(" %.200q", rc.SQL())
	}
	return text
}
