package database

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/towpath-cdc/towpath/internal/sqldb"
)

// Ages of the snapshot.
const (
	freshFor = time.Second // how long it is used without asking whether somebody else has changed something
	retryIn  = time.Second // how long after a failure the database is left alone
)

// View is a copy of the tables that servers ask for. It is immutable: readers share
// it, and copy what they hand out. While it is given again nothing has changed, so
// what is made of it may be kept with it.
type View struct {
	clusters  []Cluster  // all by id
	servers   []Server   //
	configs   []Config   //
	instances []Instance //

	named map[string]int // of instances, by name as it is written
	sums  []string       // MD5 of the text of each of instances, lower-case hex

	generation  int64  // of the DB before it was read
	fingerprint string // of the database before it was read
}

// cache has the snapshot in use. The token guards the reading of a new one; the
// mutex guards the fields and is held for no I/O.
type cache struct {
	token chan struct{}

	mu       sync.Mutex
	current  *View
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

// View returns what has been read last: all changes made here, and those of others
// up to a second ago.
func (db *DB) View(ctx context.Context) (*View, error) { return db.snapshot(ctx) }

// snapshot returns a copy of the tables that has all changes made here, and those
// of others up to a second ago. When the database is unavailable it is the last
// one there was.
func (db *DB) snapshot(ctx context.Context) (*View, error) {
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
func (db *DB) cached() (*View, error) {
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
func (db *DB) refresh(ctx context.Context) (*View, error) {
	c := &db.cache
	c.mu.Lock()
	old := c.current
	c.mu.Unlock()
	var s *View
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
func (db *DB) load(ctx context.Context, old *View) (*View, error) {
	s := &View{generation: db.generation.Load()}
	var err error
	if s.fingerprint, err = db.dialect.fingerprint(ctx, db.sql); err != nil {
		return nil, err
	}
	if old != nil && old.generation == s.generation && old.fingerprint == s.fingerprint {
		return old, nil
	}
	if s.clusters, err = sqldb.Collect(ctx, db.sql, scanCluster, "SELECT "+clusterColumns+" FROM canal_cluster ORDER BY id"); err != nil {
		return nil, err
	}
	if s.servers, err = sqldb.Collect(ctx, db.sql, scanServer, "SELECT "+serverColumns+" FROM canal_node_server ORDER BY id"); err != nil {
		return nil, err
	}
	if s.configs, err = sqldb.Collect(ctx, db.sql, scanConfig, "SELECT "+configColumns+" FROM canal_config ORDER BY id"); err != nil {
		return nil, err
	}
	if s.instances, err = sqldb.Collect(ctx, db.sql, scanInstance, "SELECT "+instanceColumns+" FROM canal_instance_config ORDER BY id"); err != nil {
		return nil, err
	}
	s.index(old)
	return s, nil
}

// index fills what instances are found and compared by. Most texts are those of the
// view before.
func (v *View) index(old *View) {
	v.named, v.sums = make(map[string]int, len(v.instances)), make([]string, len(v.instances))
	for n := range v.instances {
		i := &v.instances[n]
		v.named[i.Name] = n
		if old != nil {
			if m, ok := old.named[i.Name]; ok && old.instances[m].Content == i.Content {
				i.Content, v.sums[n] = old.instances[m].Content, old.sums[m]
				continue
			}
		}
		v.sums[n] = md5Of(i.Content)
	}
}

// ServerAt returns the server with an address, or ErrNotFound.
func (v *View) ServerAt(ip string, adminPort int32) (Server, error) {
	return find(v.servers, func(s *Server) bool {
		return s.AdminPort != nil && *s.AdminPort == adminPort && strings.EqualFold(s.IP, ip)
	})
}

// ConfigOf returns the configuration of a server: that of its cluster, or when it is
// alone its own. The error is ErrNotFound when there is none.
func (v *View) ConfigOf(s Server) (Config, error) {
	if s.ClusterID != nil {
		return v.newestConfig(func(c *Config) bool { return same(c.ClusterID, s.ClusterID) })
	}
	return v.newestConfig(func(c *Config) bool { return same(c.ServerID, &s.ID) })
}

// InstancesOf returns the instances of a server with a status, by id, and the MD5 of
// the text of each: those of its cluster, or when it is alone its own.
func (v *View) InstancesOf(s Server, status string) (rows []Instance, md5 []string) {
	f := InstanceFilter{Status: status, ClusterID: s.ClusterID}
	if s.ClusterID == nil {
		f.ServerID = &s.ID
	}
	for n := range v.instances {
		if f.selects(&v.instances[n]) {
			rows, md5 = append(rows, v.instances[n]), append(md5, v.sums[n])
		}
	}
	return rows, md5
}

// InstanceNamed returns the instance of a name and the MD5 of its text, or
// ErrNotFound. Names are unique, without regard to case.
func (v *View) InstanceNamed(name string) (i Instance, md5 string, err error) {
	n, ok := v.named[name]
	if !ok {
		n = slices.IndexFunc(v.instances, func(i Instance) bool { return strings.EqualFold(i.Name, name) })
	}
	if n < 0 {
		return Instance{}, "", ErrNotFound
	}
	return v.instances[n], v.sums[n], nil
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
