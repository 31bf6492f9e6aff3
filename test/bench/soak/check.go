package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/towpath-cdc/towpath/protocol"
)

// checker follows the stream of one client and compares it with what the sessions do:
// each session's changes come complete and in their order, entries in the order of the
// binlog, and something comes again only behind a rewind, from there on and complete.
// It is used by one goroutine.
type checker struct {
	sessions []*progress
	file     string // where the last entry stands
	offset   int64
	taken    int64 // changes, each once
	again    int64 // changes that came once more
	bytes    int64 // of steps, about, each once
	defined  int64 // changes of definitions, each once
}

// progress is how far a session has come at a client. What may come again is kept.
type progress struct {
	script  *script
	window  []change // from base on, as far as the script was asked
	base    int64    // changes before the window
	at      int64    // changes that came, counted from the last rewind
	highest int64    // the most that at has been
}

func newChecker(seed uint64, sessions int) *checker {
	c := &checker{}
	for s := range sessions {
		c.sessions = append(c.sessions, &progress{script: newScript(seed, s)})
	}
	return c
}

// mark is a place in the stream of a checker, between two batches.
type mark struct {
	at     []int64
	file   string
	offset int64
}

// mark is the place that has been reached.
func (c *checker) mark() mark {
	m := mark{file: c.file, offset: c.offset}
	for _, p := range c.sessions {
		m.at = append(m.at, p.at)
	}
	return m
}

// rewind says that the stream goes on at m.
func (c *checker) rewind(m mark) {
	c.file, c.offset = m.file, m.offset
	for i, p := range c.sessions {
		p.at = m.at[i]
	}
}

// forget says that nothing before m comes again.
func (c *checker) forget(m mark) {
	for i, p := range c.sessions {
		p.window = p.window[m.at[i]-p.base:]
		p.base = m.at[i]
	}
}

// counts are how many changes of each session have come.
func (c *checker) counts() (all []int64) {
	for _, p := range c.sessions {
		all = append(all, p.highest)
	}
	return all
}

// entry takes an entry. Its error says what is wrong with the stream.
func (c *checker) entry(e *protocol.Entry) error {
	h := e.Header()
	if e.EntryType() != protocol.EntryRowData || h.SchemaName() != schema {
		return nil
	}
	if err := c.place(h.LogfileName(), h.LogfileOffset()); err != nil {
		return err
	}
	p, err := c.sessionOf(h.TableName())
	if err != nil {
		return err
	}
	rc, err := e.RowChange()
	if err != nil {
		return fmt.Errorf("entry at %s:%d: %w", c.file, c.offset, err)
	}
	if rc.IsDDL() {
		got := change{event: h.EventType(), table: h.TableName(), shows: strings.ReplaceAll(rc.SQL(), "`", "")}
		return c.change(p, &got)
	}
	for row := range rc.Rows() {
		got := change{event: h.EventType(), table: h.TableName()}
		if err := got.read(row); err != nil {
			return fmt.Errorf("row of %s at %s:%d: %w", got.table, c.file, c.offset, err)
		}
		if err := c.change(p, &got); err != nil {
			return err
		}
	}
	return nil
}

// place checks that entries come in the order of the binlog, whose file names are of
// one length.
func (c *checker) place(file string, offset int64) error {
	if file < c.file || file == c.file && offset < c.offset {
		return fmt.Errorf("an entry of %s:%d came after one of %s:%d", file, offset, c.file, c.offset)
	}
	c.file, c.offset = file, offset
	return nil
}

// sessionOf finds the session by the name of its table.
func (c *checker) sessionOf(table string) (*progress, error) {
	number, _, _ := strings.Cut(strings.TrimPrefix(table, "s"), "_")
	n, err := strconv.Atoi(number)
	if err != nil || n < 0 || n >= len(c.sessions) {
		return nil, fmt.Errorf("table %q is no session's", table)
	}
	return c.sessions[n], nil
}

// read takes the columns of a row: as it is now, or was when it was deleted.
func (g *change) read(row protocol.RowData) (err error) {
	image := row.After()
	if g.event == protocol.EventDelete {
		image = row.Before()
	}
	found := 0
	for col := range image {
		switch string(col.RawName()) {
		case "id":
			g.id, err = col.Int64()
		case "seq":
			g.seq, err = col.Int64()
		case "body":
			text := col.RawValue()
			g.size = len(text)
			if g.size > 0 {
				g.fill = text[0]
				if text[len(text)-1] != g.fill || text[len(text)/2] != g.fill {
					err = fmt.Errorf("the text is not all %q", g.fill)
				}
			}
		default:
			continue
		}
		if err != nil {
			return err
		}
		found++
	}
	if found != 3 {
		return fmt.Errorf("%d of its 3 columns are there", found)
	}
	return nil
}

// change compares what came with what comes next of a session.
func (c *checker) change(p *progress, got *change) error {
	for p.at-p.base >= int64(len(p.window)) {
		next := p.script.next()
		p.window = next.changes(p.window)
	}
	want := &p.window[p.at-p.base]
	if !want.is(got) {
		return fmt.Errorf("session %d: %s came at %s:%d where %s was due", p.script.session, got, c.file, c.offset, want)
	}
	p.at++
	if p.at <= p.highest {
		c.again++
		return nil
	}
	p.highest = p.at
	c.taken++
	c.bytes += int64(want.size) + 100
	if want.shows != "" {
		c.defined++
	}
	return nil
}

// is compares a due change with one that came. What a row was before it was deleted
// is known by its seq; its text need not be compared once more.
func (c *change) is(got *change) bool {
	if c.event != got.event || c.table != got.table {
		return false
	}
	if c.shows != "" || got.shows != "" {
		return c.shows != "" && strings.Contains(got.shows, c.shows)
	}
	if c.id != got.id || c.seq != got.seq {
		return false
	}
	return c.event == protocol.EventDelete || c.size == got.size && (c.size == 0 || c.fill == got.fill)
}

func (c *change) String() string {
	if c.shows != "" {
		return fmt.Sprintf("%s of %s (%.100s)", c.event, c.table, c.shows)
	}
	return fmt.Sprintf("%s of %s id %d seq %d, %d bytes", c.event, c.table, c.id, c.seq, c.size)
}
