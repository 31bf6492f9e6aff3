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
// schema.ErrNoTable, schema.ErrNoPrivilege and schema.ErrUnreadable where they apply.
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
// asks for them (DatabaseTableMeta.dumpTableMeta). A schema that has gone has none;
// one that may not be seen is an error that wraps schema.ErrNoPrivilege.
func (t *Tables) TableNames(ctx context.Context, schemaName string) (names []string, err error) {
	err = t.ask(ctx, func(c *Conn) error {
		// MariaDB has types of its own for tables with a history and for sequences.
		r, err := c.Query(ctx, "show full tables from "+quoteName(schemaName)+" where Table_type not like '%VIEW%'")
		if Code(err) == CodeBadDB {
			return nil
		}
		if err != nil {
			return tableError(err)
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

// unreadable are the errors of one table that cannot be opened, from MySQL's and
// MariaDB's lists of errors; others may be about the server or the connection.
var unreadable = map[uint16]bool{
	1016: true, // ER_CANT_OPEN_FILE
	1017: true, // ER_FILE_NOT_FOUND
	1033: true, // ER_NOT_FORM_FILE
	1034: true, // ER_NOT_KEYFILE
	1035: true, // ER_OLD_KEYFILE
	1143: true, // ER_COLUMNACCESS_DENIED_ERROR
	1168: true, // ER_WRONG_MRG_TABLE
	1194: true, // ER_CRASHED_ON_USAGE
	1195: true, // ER_CRASHED_ON_REPAIR
	1286: true, // ER_UNKNOWN_STORAGE_ENGINE
	1296: true, // ER_GET_ERRMSG
	1347: true, // ER_WRONG_OBJECT
	1356: true, // ER_VIEW_INVALID
	1429: true, // ER_CONNECT_TO_FOREIGN_DATA_SOURCE
	1430: true, // ER_QUERY_ON_FOREIGN_DATA_SOURCE
	1431: true, // ER_FOREIGN_DATA_SOURCE_DOESNT_EXIST
	1432: true, // ER_FOREIGN_DATA_STRING_INVALID_CANT_CREATE
	1433: true, // ER_FOREIGN_DATA_STRING_INVALID
	1449: true, // ER_NO_SUCH_USER, of a definer
	1459: true, // ER_TABLE_NEEDS_UPGRADE
	1707: true, // ER_TABLE_NEEDS_REBUILD
	1812: true, // ER_TABLESPACE_MISSING
	1814: true, // ER_TABLESPACE_DISCARDED
	1877: true, // ER_TABLE_CORRUPT
	1932: true, // MariaDB's ER_NO_SUCH_TABLE_IN_ENGINE
	3185: true, // ER_CANNOT_FIND_KEY_IN_KEYRING
	3554: true, // ER_NO_SYSTEM_TABLE_ACCESS
}

// tableError puts the sentinel in front of a server error that has one.
func tableError(err error) error {
	if unreadable[Code(err)] {
		return fmt.Errorf("%w: %w", schema.ErrUnreadable, err)
	}
	switch Code(err) {
	case CodeNoSuchTable, CodeBadDB:
		return fmt.Errorf("%w: %w", schema.ErrNoTable, err)
	case CodeTableAccessDenied, CodeDBAccessDenied:
		return fmt.Errorf("%w: %w", schema.ErrNoPrivilege, err)
	}
	return err
}

var _ schema.Loader = (*Tables)(nil)
