package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"

	"github.com/towpath-cdc/towpath/internal/binlog"
	"github.com/towpath-cdc/towpath/internal/history"
	"github.com/towpath-cdc/towpath/internal/sqldb"
)

const changeColumns = "id, destination, binlog_file, binlog_offest, binlog_master_id, binlog_timestamp, use_schema, sql_schema, sql_table, sql_text, sql_type, extra"

// changeRow is a row of meta_history.
type changeRow struct {
	id                             int64
	destination                    string
	file, master                   sql.NullString
	offset, timestamp              sql.NullInt64
	use, schema, table, text, kind sql.NullString
	extra                          sql.NullString
}

func scanChange(scan func(...any) error) (r changeRow, err error) {
	err = scan(&r.id, &r.destination, &r.file, &r.offset, &r.master, &r.timestamp, &r.use, &r.schema, &r.table, &r.text, &r.kind, &r.extra)
	return r, err
}

// change is what a row says.
func (r changeRow) change() (history.Change, error) {
	var x changeExtra
	if err := decodeExtra(r.extra.String, &x); err != nil {
		return history.Change{}, fmt.Errorf("meta_history, id %d: %w", r.id, err)
	}
	c := history.Change{
		ID: r.id,
		At: history.Place{Origin: x.Origin, Position: binlog.Position{
			File: r.file.String, Offset: r.offset.Int64, Timestamp: r.timestamp.Int64, ServerID: parseServerID(r.master.String)}},
		GTID: x.GTID, Schema: r.use.String, SQL: r.text.String, SQLMode: x.SQLMode, Charset: x.Charset,
		Loaded: x.Loaded || r.extra.String == canalLoaded, Type: r.kind.String,
	}
	c.Table.Schema, c.Table.Table = r.schema.String, r.table.String
	if x.File != "" {
		c.At.File = x.File
	}
	if x.SQL != nil {
		c.SQL = string(x.SQL)
	}
	if x.ServerID != nil {
		c.At.ServerID = *x.ServerID
	}
	return c, nil
}

// Changes is as history.Log has it. Rows without a statement, which Canal writes for
// one that its parser says nothing of, say nothing.
func (s *Store) Changes(ctx context.Context, since int64) (all []history.Change, err error) {
	err = s.call(ctx, "read the changes", func(ctx context.Context) error {
		all, err = s.changes(ctx, s.db, "destination = ? AND binlog_timestamp >= ? ORDER BY binlog_timestamp, id", s.destination, since)
		return err
	})
	return all, err
}

func (s *Store) changes(ctx context.Context, q querier, where string, args ...any) ([]history.Change, error) {
	rows, err := s.changeRows(ctx, q, where, args...)
	if err != nil {
		return nil, err
	}
	all := make([]history.Change, 0, len(rows))
	for _, r := range rows {
		if r.destination != s.destination || !r.text.Valid {
			continue
		}
		c, err := r.change()
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, nil
}

// changeRows reads rows with their extra in full. They may be of another
// destination: in MySQL names of different case are equal.
func (s *Store) changeRows(ctx context.Context, q querier, where string, args ...any) ([]changeRow, error) {
	rows, err := sqldb.Collect(ctx, q, scanChange, "SELECT "+changeColumns+" FROM meta_history WHERE "+where, args...)
	if err != nil {
		return nil, fmt.Errorf("read meta_history: %w", err)
	}
	for i, r := range rows {
		if rows[i].extra.String, err = s.fullExtra(ctx, q, r.extra.String, changeDocument(r.id)); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

// changeDocument is the name of a long extra in towpath_history_state.
func changeDocument(id int64) string { return "change " + strconv.FormatInt(id, 10) }

// Append is as history.Log has it. A change without a server id has the id 0 in
// Canal's column, which no server has. Where a change is at a place that Canal's key
// lets only one row have, and is no duplicate, its column binlog_master_id is NULL,
// which Canal reads as no server's, and the server id is in extra.
func (s *Store) Append(ctx context.Context, c history.Change) error {
	return s.change(ctx, "append a change", func(t *tx) error {
		rows, err := s.changeRows(t.ctx, t, "destination = ? AND binlog_file = ? AND binlog_offest = ? AND (binlog_master_id = ? OR binlog_master_id IS NULL) ORDER BY id",
			s.destination, s.fitFile(c.At.File), c.At.Offset, decimal(c.At.ServerID))
		if err != nil {
			return err
		}
		old, taken, err := s.sameChange(rows, c)
		if err != nil {
			return err
		}
		if old != nil {
			if isSame(old.Change, c) {
				return t.updateExtra(old, c)
			}
			if err := t.removeChanges([]int64{old.ID}); err != nil {
				return err
			}
		}
		return t.insertChange(c, taken)
	})
}

// storedChange is a change with how its row is known.
type storedChange struct {
	history.Change
	keyless bool // Canal's key does not hold it, because binlog_master_id is NULL
}

// sameChange finds the change at the place of c, and says whether a row that stays
// has the place by Canal's key. Of two that Canal has without an origin it is the
// one that is the same.
func (s *Store) sameChange(rows []changeRow, c history.Change) (found *storedChange, taken bool, err error) {
	for _, r := range rows {
		old, err := r.change()
		if err != nil {
			return nil, false, err
		}
		stored := &storedChange{Change: old, keyless: !r.master.Valid}
		mine := r.destination == s.destination && s.atSamePlace(old, c)
		switch {
		case mine && isSame(old, c):
			return stored, false, nil
		case mine && found == nil:
			found = stored
		default:
			taken = taken || !stored.keyless
		}
	}
	return found, taken, nil
}

// atSamePlace says whether b replaces a.
func (s *Store) atSamePlace(a, b history.Change) bool {
	if a.Loaded != b.Loaded || a.Loaded && (a.Table.Schema != s.fit(b.Table.Schema, nameWidth) || a.Table.Table != s.fit(b.Table.Table, nameWidth)) {
		return false
	}
	return samePlace(a.At, b.At)
}

// samePlace compares places. With one unknown origin they are the same when their
// time is: what Canal has written is told again.
func samePlace(a, b history.Place) bool {
	return a.File == b.File && a.Offset == b.Offset && a.ServerID == b.ServerID &&
		(a.Origin == b.Origin || (a.Origin == "" || b.Origin == "") && a.Timestamp == b.Timestamp)
}

// isSame says whether two changes at a place are the same.
func isSame(a, b history.Change) bool {
	return a.SQL == b.SQL && a.Schema == b.Schema && a.At.Timestamp == b.At.Timestamp
}

// updateExtra adds what is known now to a change that Canal has written.
func (t *tx) updateExtra(old *storedChange, c history.Change) error {
	if old.At.Origin != "" || c.At.Origin == "" {
		return nil
	}
	x := t.s.extra(c)
	if old.keyless {
		x.ServerID = &c.At.ServerID
	}
	extra, long, err := encodeExtra(x, c.Loaded)
	if err != nil {
		return err
	}
	if err := t.exec("UPDATE meta_history SET gmt_modified = CURRENT_TIMESTAMP, extra = ? WHERE id = ?", extra, old.ID); err != nil {
		return fmt.Errorf("update meta_history: %w", err)
	}
	return t.putLong(changeDocument(old.ID), long)
}

// extra is that of a row which has its server id.
func (s *Store) extra(c history.Change) changeExtra {
	x := extraOf(c)
	if s.fitFile(c.At.File) != c.At.File {
		x.File = c.At.File
	}
	if s.storable(c.SQL) != c.SQL {
		x.SQL = []byte(c.SQL)
	}
	return x
}

func (t *tx) insertChange(c history.Change, taken bool) error {
	s := t.s
	x, master := s.extra(c), any(decimal(c.At.ServerID))
	if taken {
		x.ServerID, master = &c.At.ServerID, nil
	}
	var extra any
	var long []byte
	switch {
	case !x.isPlain():
		var err error
		if extra, long, err = encodeExtra(x, c.Loaded); err != nil {
			return err
		}
	case c.Loaded:
		extra = canalLoaded
	}
	result, err := t.ExecContext(t.ctx, "INSERT INTO meta_history (gmt_create, gmt_modified, destination, binlog_file, binlog_offest, binlog_master_id, binlog_timestamp, "+
		"use_schema, sql_schema, sql_table, sql_text, sql_type, extra) VALUES (CURRENT_TIMESTAMP, CURRENT_TIMESTAMP, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		s.destination, s.fitFile(c.At.File), c.At.Offset, master, c.At.Timestamp,
		s.fit(c.Schema, nameWidth), orNull(s.fit(c.Table.Schema, nameWidth)), orNull(s.fit(c.Table.Table, nameWidth)), s.storable(c.SQL), orNull(s.fit(c.Type, typeWidth)), extra)
	if err != nil {
		return fmt.Errorf("insert into meta_history: %w", err)
	}
	id, err := result.LastInsertId()
	if err != nil {
		return err
	}
	return t.putLong(changeDocument(id), long)
}

// orNull is NULL for nothing, as Canal has it.
func orNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}
