package mysql

import (
	"context"
	"errors"
	"fmt"
	"strings"

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
func (t *Tables) LoadTable(ctx context.Context, schemaName, table string) (string, error) {
	select {
	case <-t.turn:
		defer func() { t.turn <- struct{}{} }()
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
	sql := "show create table " + quoteName(schemaName) + "." + quoteName(table)
	fresh := t.conn == nil
	text, err := t.load(ctx, sql)
	if err != nil && errors.Is(err, ErrBroken) && !fresh && ctx.Err() == nil {
		// The connection may have idled away: a fresh one decides.
		text, err = t.load(ctx, sql)
	}
	return text, err
}

func (t *Tables) load(ctx context.Context, sql string) (string, error) {
	if t.done {
		return "", ErrClosed
	}
	if t.conn == nil {
		c, err := Connect(ctx, t.cfg)
		if err != nil {
			return "", err
		}
		t.conn = c
	}
	r, err := t.conn.Query(ctx, sql)
	if err != nil {
		if !t.conn.Usable() || IsPrivilege(err) { // new grants may need a new log-in
			_ = t.conn.Close()
			t.conn = nil
		}
		return "", tableError(err)
	}
	if len(r.Rows) == 0 || len(r.Rows[0]) < 2 {
		return "", fmt.Errorf("%s: no definition in the answer", sql)
	}
	return r.Rows[0][1], nil
}

// Close ends the connection. A LoadTable under way is waited for.
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
