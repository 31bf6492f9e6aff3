package fleet

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/towpath-cdc/towpath/internal/admin/database"
	"github.com/towpath-cdc/towpath/internal/cluster"
	"github.com/towpath-cdc/towpath/internal/config"
	"github.com/towpath-cdc/towpath/internal/meta"
	"github.com/towpath-cdc/towpath/internal/zk"
)

// Times of the sessions with ZooKeeper.
const (
	// zooTimeout bounds what one question waits for ZooKeeper.
	zooTimeout = 3 * time.Second
	// zooIdle is after how long without a question a session is closed.
	zooIdle = 3 * time.Minute
	// zooDead is for how long an ensemble that has not answered is not asked again.
	zooDead = 3 * time.Second
	// overviewAge is for how long an Overview counts.
	overviewAge = time.Second
	// farewell bounds the end of a session; what is left of it goes when it expires.
	farewell = time.Second
)

// ensembles are the ZooKeeper ensembles in use.
type ensembles struct {
	mu     sync.Mutex // guards what follows
	all    map[ensembleKey]*ensemble
	checks map[ensembleKey]*shared[ZooKeeperCheck]
}

// ensembleKey is what a session depends on. Clusters may share an ensemble.
type ensembleKey struct {
	hosts, auth string
	tls         bool
}

// ensemble is one that clusters use, and its session.
type ensemble struct {
	client   *zk.Client
	overview shared[*cluster.Overview]

	mu   sync.Mutex // guards what follows
	used time.Time
	dead time.Time // until when it is not asked
	why  error
}

func (e *ensembles) init() {
	e.all, e.checks = make(map[ensembleKey]*ensemble), make(map[ensembleKey]*shared[ZooKeeperCheck])
}

// check is where the check of an ensemble is kept.
func (e *ensembles) check(key ensembleKey) *shared[ZooKeeperCheck] {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.checks[key] == nil {
		e.checks[key] = new(shared[ZooKeeperCheck])
	}
	return e.checks[key]
}

// forgetChecks drops those of ensembles that no cluster has any more.
func (e *ensembles) forgetChecks(used map[ensembleKey]bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	maps.DeleteFunc(e.checks, func(key ensembleKey, _ *shared[ZooKeeperCheck]) bool { return !used[key] })
}

// closeIdle closes what was not used for a while.
func (e *ensembles) closeIdle(f *Fleet) {
	now := f.Now()
	e.mu.Lock()
	defer e.mu.Unlock()
	for key, one := range e.all {
		one.mu.Lock()
		idle := now.Sub(one.used) > zooIdle
		one.mu.Unlock()
		if idle && f.start(one.close) {
			delete(e.all, key)
		}
	}
}

// closeAll closes all sessions; it is called after the start of new ones has been
// ended.
func (e *ensembles) closeAll(f *Fleet) {
	e.mu.Lock()
	all := e.all
	e.all = make(map[ensembleKey]*ensemble)
	e.mu.Unlock()
	for _, one := range all {
		f.wg.Go(one.close)
	}
}

func (e *ensemble) close() {
	ctx, cancel := context.WithTimeout(context.Background(), farewell)
	defer cancel()
	_ = e.client.Close(ctx) // nothing of it stays but a session that expires
}

// ErrNoZooKeeper says that no ZooKeeper is stored for a cluster.
var ErrNoZooKeeper = errors.New("no ZooKeeper is stored for the cluster")

// ensembleKey says how to reach the ensemble of a cluster. Credentials and TLS are
// those of the cluster's main configuration.
func (f *Fleet) ensembleKey(ctx context.Context, c database.Cluster) (ensembleKey, error) {
	key := ensembleKey{hosts: c.ZKHosts}
	main, err := f.DB.ConfigOfCluster(ctx, c.ID)
	switch {
	case err == nil:
		key.auth, key.tls = zooKeeperKeys(main.Content)
	case !errors.Is(err, database.ErrNotFound):
		return key, fmt.Errorf("read the main configuration of cluster %s: %w", c.Name, err)
	}
	return key, nil
}

// ensembleKey is the same from what has been read already.
func (r *rows) ensembleKey(c database.Cluster) ensembleKey {
	key := ensembleKey{hosts: c.ZKHosts}
	if main, ok := r.ofCluster[c.ID]; ok {
		key.auth, key.tls = zooKeeperKeys(main.Content)
	}
	return key
}

// ensemble is the one of a cluster.
func (f *Fleet) ensemble(ctx context.Context, c database.Cluster) (*ensemble, error) {
	key, err := f.ensembleKey(ctx, c)
	if err != nil {
		return nil, err
	}
	f.zoo.mu.Lock()
	defer f.zoo.mu.Unlock()
	e := f.zoo.all[key]
	if e == nil {
		if f.life.Err() != nil {
			return nil, errClosed
		}
		o, err := f.zooKeeperConfig(key)
		if err != nil {
			return nil, err
		}
		client, err := zk.Open(o)
		if err != nil {
			return nil, fmt.Errorf("cluster %s: %w", c.Name, err)
		}
		e = &ensemble{client: client}
		f.zoo.all[key] = e
	}
	e.mu.Lock()
	e.used = f.Now()
	e.mu.Unlock()
	return e, nil
}

// zooKeeperKeys are those of a main configuration that say how to reach ZooKeeper.
func zooKeeperKeys(content string) (auth string, secure bool) {
	p, err := config.ParseProperties("canal.properties", []byte(content))
	if err != nil {
		return "", false
	}
	if e, ok := p.Get("towpath.zookeeper.auth"); ok {
		auth = e.Value
	}
	if e, ok := p.Get("towpath.zookeeper.tls"); ok {
		secure, _ = strconv.ParseBool(e.Value)
	}
	return auth, secure
}

func (f *Fleet) zooKeeperConfig(key ensembleKey) (zk.Config, error) {
	if key.hosts == "" {
		return zk.Config{}, ErrNoZooKeeper
	}
	servers, chroot, err := zk.ParseServers(key.hosts)
	if err != nil {
		return zk.Config{}, err
	}
	c := zk.Config{Servers: servers, Chroot: chroot, Dial: f.dialZooKeeper}
	if key.tls {
		if c.TLS = f.ZooKeeperTLS; c.TLS == nil {
			c.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
		}
	}
	if key.auth != "" {
		c.Auth = []zk.Auth{{Scheme: "digest", Credential: key.auth}}
	}
	return c, nil
}

func (f *Fleet) dialZooKeeper(ctx context.Context, network, address string) (net.Conn, error) {
	return f.dialer().DialContext(ctx, network, address)
}

// withSession asks the ensemble of a cluster something, within limit.
func (f *Fleet) withSession(ctx context.Context, c database.Cluster, limit time.Duration, ask func(context.Context, *zk.Session) error) error {
	e, err := f.ensemble(ctx, c)
	if err != nil {
		return err
	}
	return e.with(ctx, f, limit, ask)
}

// with waits for the session no longer than zooTimeout, and for the answer until
// limit.
func (e *ensemble) with(ctx context.Context, f *Fleet, limit time.Duration, ask func(context.Context, *zk.Session) error) error {
	if err := e.isDead(f.Now()); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	defer context.AfterFunc(f.life, cancel)()
	connecting, connected := context.WithTimeout(ctx, min(limit, zooTimeout))
	defer connected()
	s, err := e.client.Session(connecting)
	if err == nil && !s.Connected() {
		_, _, err = s.Exists(connecting, "/") // waits for a connection
	}
	if err != nil {
		if ctx.Err() == nil || errors.Is(ctx.Err(), context.DeadlineExceeded) {
			e.die(f.Now(), err)
		}
		return err
	}
	return ask(ctx, s)
}

func (e *ensemble) isDead(now time.Time) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if now.Before(e.dead) {
		return e.why
	}
	return nil
}

func (e *ensemble) die(now time.Time, why error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.dead, e.why = now.Add(zooDead), why
}

// Overview is a cluster as it stands in ZooKeeper, at most a second ago. It must
// not be changed.
func (f *Fleet) Overview(ctx context.Context, c database.Cluster) (*cluster.Overview, error) {
	e, err := f.ensemble(ctx, c)
	if err != nil {
		return nil, err
	}
	const limit = 10 * time.Second // for a thousand destinations at a slow ensemble
	return e.overview.get(ctx, f, overviewAge, func(ctx context.Context) (o *cluster.Overview, err error) {
		err = e.with(ctx, f, limit, func(ctx context.Context, s *zk.Session) error {
			o, err = cluster.ReadOverview(ctx, s)
			return err
		})
		return o, err
	})
}

// Cursors are the subscriptions to a destination in ZooKeeper.
func (f *Fleet) Cursors(ctx context.Context, c database.Cluster, destination string) (all []meta.Subscription, err error) {
	err = f.withSession(ctx, c, zooTimeout, func(ctx context.Context, s *zk.Session) error {
		all, err = meta.ReadSubscriptions(ctx, s, destination)
		return err
	})
	return all, err
}
