package mysql

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/towpath-cdc/towpath/internal/binlog"
	"github.com/towpath-cdc/towpath/internal/schema"
)

// Tables reads table definitions over a connection of its own, which it opens
// when first needed and again after it broke. It may be used by many
// goroutines; their statements run one after the other.
type Tables struct {
	cfg  Config
	turn chan struct{} // holds a token while nobody uses conn
	conn *Conn
	done bool
}

// NewTables returns a loader that will connect as cfg says.
func NewTables(cfg Config) *Tables {
	t := &Tables{cfg: cfg, turn: make(chan struct{}, 1)}
	t.turn <- struct{}{}
	return t
}

// ErrClosed says that a Tables was closed.
var ErrClosed = errors.New("table loader is closed")

// LoadTable implements schema.Loader with SHOW CREATE TABLE. Errors wrap
// schema.ErrNoTable and schema.ErrNoPrivilege where they apply.
func (t *Tables) LoadTable(ctx context.Context, schemaName, table string) (text string, err error) {
	sql := "show create table " + quoteName(schemaName) + "." + quoteName(table)
	err = t.ask(ctx, func(c *Conn) error {
		r, err := c.Query(ctx, sql)
		if err != nil {
			return tableError(err)
		}
		if len(r.Rows) == 0 || len(r.Rows[0]) < 2 {
			return fmt.Errorf("%s: no definition in the answer", sql)
		}
		text = r.Rows[0][1]
		return nil
	})
	return text, err
}

// Charsets returns the default character set of each schema.
func (t *Tables) Charsets(ctx context.Context) (map[string]string, error) {
	all := make(map[string]string)
	return all, t.ask(ctx, func(c *Conn) error {
		r, err := c.Query(ctx, "select schema_name, default_character_set_name from information_schema.schemata")
		if err != nil {
			return err
		}
		for _, row := range r.Rows {
			all[row[0]] = strings.ToLower(row[1])
		}
		return nil
	})
}

// TableNames returns the names of the tables of a schema, without views, as Canal
// asks for them (DatabaseTableMeta.dumpTableMeta). A schema that has gone has none.
func (t *Tables) TableNames(ctx context.Context, schemaName string) (names []string, err error) {
	err = t.ask(ctx, func(c *Conn) error {
		// MariaDB has types of its own for tables with a history and for sequences.
		r, err := c.Query(ctx, "show full tables from "+quoteName(schemaName)+" where Table_type not like '%VIEW%'")
		if Code(err) == CodeBadDB {
			return nil
		}
		if err != nil {
			return err
		}
		for _, row := range r.Rows {
			names = append(names, row[0])
		}
		return nil
	})
	return names, err
}

// End returns the place behind the last event of the binlog, with the executed
// set of transactions.
func (t *Tables) End(ctx context.Context) (p binlog.Position, err error) {
	err = t.ask(ctx, func(c *Conn) error {
		p, err = c.End(ctx, true)
		return err
	})
	return p, err
}

// ask runs f with the connection. One that has idled away is replaced.
func (t *Tables) ask(ctx context.Context, f func(*Conn) error) error {
	select {
	case <-t.turn:
		defer func() { t.turn <- struct{}{} }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	fresh := t.conn == nil
	err := t.try(ctx, f)
	if err != nil && errors.Is(err, ErrBroken) && !fresh && ctx.Err() == nil {
		err = t.try(ctx, f)
	}
	return err
}

func (t *Tables) try(ctx context.Context, f func(*Conn) error) error {
	if t.done {
		return ErrClosed
	}
	if t.conn == nil {
		c, err := Connect(ctx, t.cfg)
		if err != nil {
			return err
		}
		t.conn = c
	}
	err := f(t.conn)
	if err != nil && (!t.conn.Usable() || IsPrivilege(err)) { // new grants may need a new log-in
		_ = t.conn.Close()
		t.conn = nil
	}
	return err
}

// Close ends the connection. A question under way is waited for.
func (t *Tables) Close() error {
	<-t.turn
	defer func() { t.turn <- struct{}{} }()
	t.done = true
	if t.conn == nil {
		return nil
	}
	err := t.conn.Close()
	t.conn = nil
	return err
}

// quoteName puts an identifier into back quotes.
func quoteName(s string) string { return "`" + strings.ReplaceAll(s, "`", "``") + "`" }

// tableError puts the sentinel in front of a server error that has one.
func tableError(err error) error {
	switch Code(err) {
	case CodeNoSuchTable, CodeBadDB:
		return fmt.Errorf("%w: %w", schema.ErrNoTable, err)
	case CodeTableAccessDenied, CodeDBAccessDenied:
		return fmt.Errorf("%w: %w", schema.ErrNoPrivilege, err)
	}
	return err
}

var _ schema.Loader = (*Tables)(nil)
