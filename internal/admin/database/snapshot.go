package database

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Ages of the snapshot.
const (
	freshFor = time.Second // how long it is used without asking whether somebody else has changed something
	retryIn  = time.Second // how long after a failure the database is left alone
)

// snapshot is a copy of the tables that servers ask for. It is immutable: readers
// share it, and copy what they hand out.
type snapshot struct {
	clusters  []Cluster  // all by id
	servers   []Server   //
	configs   []Config   //
	instances []Instance //

	generation  int64  // of the DB before it was read
	fingerprint string // of the database before it was read
}

// cache has the snapshot in use. The token guards the reading of a new one; the
// mutex guards the fields and is held for no I/O.
type cache struct {
	token chan struct{}

	mu       sync.Mutex
	current  *snapshot
	checked  time.Time // when it was last known to be right
	failed   error     // why it could not be read anew; nil when it could
	failedAt time.Time
}

func (c *cache) init() { c.token = make(chan struct{}, 1) }

// Stale says since when the database cannot be read, and the copy of it goes on
// answering; the zero time when it can.
func (db *DB) Stale() (since time.Time, err error) {
	db.cache.mu.Lock()
	defer db.cache.mu.Unlock()
	if db.cache.failed == nil {
		return time.Time{}, nil
	}
	return db.cache.checked, db.cache.failed
}

// snapshot returns a copy of the tables that has all changes made here, and those
// of others up to a second ago. When the database is unavailable it is the last
// one there was.
func (db *DB) snapshot(ctx context.Context) (*snapshot, error) {
	if s, err := db.cached(); s != nil || err != nil {
		return s, err
	}
	select {
	case db.cache.token <- struct{}{}:
		defer func() { <-db.cache.token }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if s, err := db.cached(); s != nil || err != nil { // somebody else has read it meanwhile
		return s, err
	}
	return db.refresh(ctx)
}

// cached returns the snapshot if it can be used as it is, or the error if the
// database has just failed and there is none; neither when it has to be read.
func (db *DB) cached() (*snapshot, error) {
	c := &db.cache
	now := db.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failed != nil && now.Sub(c.failedAt) < retryIn && now.After(c.failedAt.Add(-retryIn)) {
		if c.current != nil {
			return c.current, nil
		}
		return nil, c.failed
	}
	age := now.Sub(c.checked)
	if c.current != nil && c.failed == nil && c.current.generation == db.generation.Load() && age >= 0 && age < freshFor {
		return c.current, nil
	}
	return nil, nil
}

// refresh reads a new snapshot, or finds that the one in use is still right. The
// caller has the token.
func (db *DB) refresh(ctx context.Context) (*snapshot, error) {
	c := &db.cache
	c.mu.Lock()
	old := c.current
	c.mu.Unlock()
	var s *snapshot
	err := db.read(ctx, func(ctx context.Context) (err error) {
		s, err = db.load(ctx, old)
		return err
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case err == nil:
		if c.failed != nil {
			db.log.Info("the database answers again")
		}
		c.current, c.checked, c.failed = s, db.now(), nil
		return s, nil
	case !errors.Is(err, ErrUnavailable):
		return nil, fmt.Errorf("read the configurations: %w", err)
	}
	if c.failed == nil {
		db.log.Warn("the database is not reachable, servers are answered with what was last read", "error", err)
	}
	c.failed, c.failedAt = err, db.now()
	if old != nil {
		return old, nil
	}
	return nil, err
}

// load reads all tables unless old has their present state. Generation and
// fingerprint are taken first: what changes in between is found next time.
func (db *DB) load(ctx context.Context, old *snapshot) (*snapshot, error) {
	s := &snapshot{generation: db.generation.Load()}
	var err error
	if s.fingerprint, err = db.dialect.fingerprint(ctx, db.sql); err != nil {
		return nil, err
	}
	if old != nil && old.generation == s.generation && old.fingerprint == s.fingerprint {
		return old, nil
	}
	if s.clusters, err = collect(ctx, db.sql, scanCluster, "SELECT "+clusterColumns+" FROM canal_cluster ORDER BY id"); err != nil {
		return nil, err
	}
	if s.servers, err = collect(ctx, db.sql, scanServer, "SELECT "+serverColumns+" FROM canal_node_server ORDER BY id"); err != nil {
		return nil, err
	}
	if s.configs, err = collect(ctx, db.sql, scanConfig, "SELECT "+configColumns+" FROM canal_config ORDER BY id"); err != nil {
		return nil, err
	}
	s.instances, err = collect(ctx, db.sql, scanInstance, "SELECT "+instanceColumns+" FROM canal_instance_config ORDER BY id")
	return s, err
}

// find returns a copy of the first element that is wanted.
func find[T any](all []T, wanted func(*T) bool) (T, error) {
	for i := range all {
		if wanted(&all[i]) {
			return all[i], nil
		}
	}
	var none T
	return none, ErrNotFound
}

// page cuts a part out of a list: limit rows, or all with 0, after offset.
func page[T any](all []T, offset, limit int) []T {
	all = all[min(max(offset, 0), len(all)):]
	if limit > 0 {
		all = all[:min(limit, len(all))]
	}
	return all
}

func same(id, want *int64) bool { return id != nil && want != nil && *id == *want }
