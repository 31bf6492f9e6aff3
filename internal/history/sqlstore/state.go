package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// stateName is the row of towpath_history_state with the State.
const stateName = "state"

// State is as history.Log has it.
func (s *Store) State(ctx context.Context) (state []byte, err error) {
	err = s.call(ctx, "read the state", func(ctx context.Context) error {
		state, err = s.document(ctx, s.db, stateName)
		return err
	})
	return state, err
}

// SetState is as history.Log has it.
func (s *Store) SetState(ctx context.Context, state []byte) error {
	return s.change(ctx, "write the state", func(t *tx) error { return t.put(stateName, state) })
}

// document is a row of towpath_history_state, nil when there is none.
func (s *Store) document(ctx context.Context, q querier, name string) ([]byte, error) {
	var value []byte
	err := q.QueryRowContext(ctx, "SELECT value FROM towpath_history_state WHERE destination = ? AND name = ?", s.destination, name).Scan(&value)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("read towpath_history_state: %w", err)
	case value == nil:
		value = []byte{}
	}
	return value, nil
}

func (t *tx) put(name string, value []byte) error {
	if value == nil {
		value = []byte{}
	}
	// Replaced as every SQL can: there is no common word for it.
	if err := t.removeDocuments([]string{name}); err != nil {
		return err
	}
	if err := t.exec("INSERT INTO towpath_history_state (destination, name, value) VALUES (?, ?, ?)", t.s.destination, name, value); err != nil {
		return fmt.Errorf("insert into towpath_history_state: %w", err)
	}
	return nil
}

// putLong writes an extra that its column does not hold; nil is none.
func (t *tx) putLong(name string, long []byte) error {
	if long == nil {
		return nil
	}
	return t.put(name, long)
}

// fullExtra is an extra with what its column does not hold.
func (s *Store) fullExtra(ctx context.Context, q querier, extra, name string) (string, error) {
	var h header
	if err := decodeExtra(extra, &h); err != nil || !h.Long {
		return extra, nil // an error is found again where the row is read
	}
	long, err := s.document(ctx, q, name)
	if err == nil && long == nil {
		err = fmt.Errorf("towpath_history_state has no %q", name)
	}
	return string(long), err
}

// Remove is as history.Log has it.
func (s *Store) Remove(ctx context.Context, snapshots, changes []int64) error {
	if len(snapshots)+len(changes) == 0 {
		return context.Cause(ctx)
	}
	return s.change(ctx, "remove snapshots and changes", func(t *tx) error {
		if err := t.removeSnapshots(snapshots); err != nil {
			return err
		}
		return t.removeChanges(changes)
	})
}

func (t *tx) removeSnapshots(ids []int64) error {
	return t.remove("meta_snapshot", ids, snapshotDocument)
}

func (t *tx) removeChanges(ids []int64) error { return t.remove("meta_history", ids, changeDocument) }

// atOnce bounds the parameters of a statement.
const atOnce = 500

// remove deletes rows and what towpath_history_state has of them.
func (t *tx) remove(table string, ids []int64, document func(id int64) string) error {
	for some := range slices.Chunk(ids, atOnce) {
		args, names := []any{t.s.destination}, make([]string, 0, len(some))
		for _, id := range some {
			args, names = append(args, id), append(names, document(id))
		}
		if err := t.exec("DELETE FROM "+table+" WHERE destination = ? AND id IN ("+marks(len(some))+")", args...); err != nil {
			return fmt.Errorf("delete from %s: %w", table, err)
		}
		if err := t.removeDocuments(names); err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) removeDocuments(names []string) error {
	args := []any{t.s.destination}
	for _, name := range names {
		args = append(args, name)
	}
	if err := t.exec("DELETE FROM towpath_history_state WHERE destination = ? AND name IN ("+marks(len(names))+")", args...); err != nil {
		return fmt.Errorf("delete from towpath_history_state: %w", err)
	}
	return nil
}

// marks are n question marks.
func marks(n int) string { return strings.TrimSuffix(strings.Repeat("?,", n), ",") }
