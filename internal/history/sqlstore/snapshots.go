package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"

	"github.com/towpath-cdc/towpath/internal/binlog"
	"github.com/towpath-cdc/towpath/internal/history"
	"github.com/towpath-cdc/towpath/internal/sqldb"
)

// initialPlace is where Canal has the snapshot that a history begins with
// (DatabaseTableMeta.INIT_POSITION).
var initialPlace = binlog.Position{File: "0", Timestamp: -2, ServerID: -1}

// snapshotRow is a row of meta_snapshot without its data.
type snapshotRow struct {
	id                int64
	destination       string
	file, master      sql.NullString
	offset, timestamp sql.NullInt64
	extra             sql.NullString
}

func scanSnapshot(scan func(...any) error) (r snapshotRow, err error) {
	err = scan(&r.id, &r.destination, &r.file, &r.offset, &r.master, &r.timestamp, &r.extra)
	return r, err
}

// snapshot is what a row says.
func (r snapshotRow) snapshot() (history.Snapshot, error) {
	var x snapshotExtra
	if err := decodeExtra(r.extra.String, &x); err != nil {
		return history.Snapshot{}, fmt.Errorf("meta_snapshot, id %d: %w", r.id, err)
	}
	columns := binlog.Position{File: r.file.String, Offset: r.offset.Int64, Timestamp: r.timestamp.Int64, ServerID: parseServerID(r.master.String)}
	s := history.Snapshot{ID: r.id, Extra: x.Extra}
	if columns.File == initialPlace.File && columns.Timestamp == initialPlace.Timestamp {
		s.Initial = true
		columns = binlog.Position{Offset: x.Offset, Timestamp: x.Timestamp}
	}
	s.At = x.place(columns)
	return s, nil
}

// Snapshots is as history.Log has it: by timestamp and ID.
func (s *Store) Snapshots(ctx context.Context) (all []history.Snapshot, err error) {
	err = s.call(ctx, "read the snapshots", func(ctx context.Context) error {
		all, err = s.snapshots(ctx, s.db)
		return err
	})
	return all, err
}

func (s *Store) snapshots(ctx context.Context, q querier) ([]history.Snapshot, error) {
	rows, err := s.snapshotRows(ctx, q, "destination = ?", s.destination)
	if err != nil {
		return nil, err
	}
	var all []history.Snapshot
	for _, r := range rows {
		if r.destination != s.destination {
			continue
		}
		one, err := r.snapshot()
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	slices.SortFunc(all, func(a, b history.Snapshot) int {
		return cmp.Or(cmp.Compare(a.At.Timestamp, b.At.Timestamp), cmp.Compare(a.ID, b.ID))
	})
	return all, nil
}

func (s *Store) snapshotRows(ctx context.Context, q querier, where string, args ...any) ([]snapshotRow, error) {
	rows, err := sqldb.Collect(ctx, q, scanSnapshot, "SELECT id, destination, binlog_file, binlog_offest, binlog_master_id, binlog_timestamp, extra FROM meta_snapshot WHERE "+where+" ORDER BY id", args...)
	if err != nil {
		return nil, fmt.Errorf("read meta_snapshot: %w", err)
	}
	for i, r := range rows {
		if rows[i].extra.String, err = s.fullExtra(ctx, q, r.extra.String, snapshotDocument(r.id)); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

// snapshotDocument is the name of a long extra in towpath_history_state.
func snapshotDocument(id int64) string { return "snapshot " + strconv.FormatInt(id, 10) }

// Schemas is as history.Log has it.
func (s *Store) Schemas(ctx context.Context, id int64) (schemas map[string]string, err error) {
	err = s.call(ctx, "read a snapshot", func(ctx context.Context) error {
		var destination string
		var data sql.NullString
		err := s.db.QueryRowContext(ctx, "SELECT destination, data FROM meta_snapshot WHERE id = ? AND destination = ?", id, s.destination).Scan(&destination, &data)
		if err == nil && destination == s.destination {
			schemas, err = decodeSchemas(data.String)
		} else if err == nil {
			err = sql.ErrNoRows
		}
		if err != nil {
			return fmt.Errorf("meta_snapshot, id %d: %w", id, err)
		}
		return nil
	})
	return schemas, err
}

// AddSnapshot is as history.Log has it. An initial snapshot has the place in its
// columns that Canal gives it, and its own in extra.
func (s *Store) AddSnapshot(ctx context.Context, added history.Snapshot) error {
	data, err := encodeSchemas(added.Schemas)
	if err != nil {
		return fmt.Errorf("add a snapshot: %w", err)
	}
	columns := s.columnsOf(added)
	return s.change(ctx, "add a snapshot", func(t *tx) error {
		rows, err := s.snapshotRows(t.ctx, t, "destination = ? AND binlog_file = ? AND binlog_offest = ? AND (binlog_master_id = ? OR binlog_master_id IS NULL)",
			s.destination, columns.File, columns.Offset, decimal(columns.ServerID))
		if err != nil {
			return err
		}
		taken := false
		for _, r := range rows {
			old, err := r.snapshot()
			if err != nil {
				return err
			}
			if r.destination != s.destination || old.Initial != added.Initial || !samePlace(old.At, added.At) {
				taken = taken || r.master.Valid
			} else if err := t.removeSnapshots([]int64{r.id}); err != nil {
				return err
			}
		}
		return t.insertSnapshot(added, columns, data, taken)
	})
}

// columnsOf is the place of a snapshot as Canal's columns have it.
func (s *Store) columnsOf(added history.Snapshot) binlog.Position {
	if added.Initial {
		return initialPlace
	}
	p := added.At.Position
	p.File = s.fitFile(p.File)
	return p
}

func (t *tx) insertSnapshot(added history.Snapshot, columns binlog.Position, data string, taken bool) error {
	x := snapshotExtra{header: header{Version: extraVersion}, Origin: added.At.Origin, GTIDSet: added.At.GTIDSet, Extra: added.Extra}
	master := any(decimal(columns.ServerID))
	if columns.File != added.At.File {
		x.File = added.At.File
	}
	if added.Initial {
		x.Offset, x.Timestamp = added.At.Offset, added.At.Timestamp
	}
	if taken {
		master = nil
	}
	if added.Initial || taken {
		x.ServerID = &added.At.ServerID
	}
	extra, long, err := encodeExtra(x, false)
	if err != nil {
		return err
	}
	result, err := t.ExecContext(t.ctx, "INSERT INTO meta_snapshot (gmt_create, gmt_modified, destination, binlog_file, binlog_offest, binlog_master_id, binlog_timestamp, data, extra) "+
		"VALUES (CURRENT_TIMESTAMP, CURRENT_TIMESTAMP, ?, ?, ?, ?, ?, ?, ?)",
		t.s.destination, columns.File, columns.Offset, master, columns.Timestamp, data, extra)
	if err != nil {
		return fmt.Errorf("insert into meta_snapshot: %w", err)
	}
	id, err := result.LastInsertId()
	if err != nil {
		return err
	}
	return t.putLong(snapshotDocument(id), long)
}

// Expire is as history.Log has it. Changes are kept: the initial snapshot, which is
// kept, needs them all.
func (s *Store) Expire(ctx context.Context, before int64) error {
	return s.change(ctx, "expire snapshots", func(t *tx) error {
		all, err := s.snapshots(t.ctx, t)
		if err != nil || len(all) == 0 {
			return err
		}
		var old []int64
		for _, one := range all[:len(all)-1] {
			if !one.Initial && one.At.Timestamp < before {
				old = append(old, one.ID)
			}
		}
		return t.removeSnapshots(old)
	})
}
