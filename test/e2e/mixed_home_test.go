package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/client"
	"github.com/towpath-cdc/towpath/internal/zk"
	"github.com/towpath-cdc/towpath/internal/zktree"
	"github.com/towpath-cdc/towpath/protocol"
	"github.com/towpath-cdc/towpath/test/peers"
	"github.com/towpath-cdc/towpath/test/servers"
)

const (
	// mixedSession is the longest session that ZooKeeper grants: Java's servers and
	// clients ask for 90 s.
	mixedSession = 4 * time.Second

	// javaPatience is for how long Java's servers and clients leave a vacant node
	// alone: delayTime of ServerRunningMonitor and ClientRunningMonitor.
	javaPatience = 5 * time.Second

	// javaRetry is how often Java's cluster client tries to connect: retryInterval of
	// ClusterCanalConnector.
	javaRetry = 5 * time.Second

	// resumption is what a client may need after a server has taken a destination.
	// Java's servers take some seconds to start an instance on a busy machine.
	resumption = javaRetry + 3*slack
)

// mixed is a cluster of Java's servers and ours, whose destinations read the same
// changes. Each destination has one client.
type mixed struct {
	*tree
	db           *servers.Server
	w            *writer
	destinations []string
	streams      map[string]*stream // by destination

	ours settings // of our instances
	java []string // the same for Java's
}

// Destinations by who reads them.
const (
	byJava = "byjava"
	byOurs = "byours"
)

// newMixed makes a ZooKeeper, and a writer that does not write yet.
func newMixed(t *testing.T, schema string, gtid bool, destinations ...string) *mixed {
	t.Helper()
	for _, p := range []peers.Peer{peers.JavaCanal, peers.JavaClient} {
		peers.ForTest(t, p)
	}
	z := servers.ZooKeeperForTest(t, servers.ZooKeeperOptions{MaxSessionTimeout: mixedSession})
	m := &mixed{tree: openTree(t, z, zk.Config{Servers: z.Addrs()}), db: sharedServer(t, servers.MySQL80), destinations: destinations, streams: make(map[string]*stream)}
	m.w = newWriter(t, m.db, schema)
	for _, d := range destinations {
		m.streams[d] = &stream{t: t, name: d, account: newAccount(t), schema: schema}
		m.java = append(m.java, "--dest", d+"="+m.db.Addr())
	}
	m.java = append(m.java, "--filter", schema+`\..*`)
	if gtid {
		from := executed(t, m.db)
		m.ours = only(schema).with(settings{"canal.instance.gtidon": "true", "canal.instance.master.gtid": from})
		m.java = append(m.java, "--gtid", from)
	} else {
		from := end(t, m.db)
		m.ours = at(from).with(only(schema))
		m.java = append(m.java, "--journal", from.file, "--position", strconv.FormatInt(from.offset, 10))
	}
	return m
}

// startJava starts a server of Java's that reaches ZooKeeper at an address.
func (m *mixed) startJava(zkServers string) *peers.JavaServer {
	m.t.Helper()
	j := peers.StartJavaServer(m.t, peers.SmallHeap, append([]string{"--zk", zkServers}, m.java...)...)
	m.awaitCompetitor(j.Addr())
	return j
}

// newOurs makes an installation of ours that reaches ZooKeeper at an address. It is
// not started.
func (m *mixed) newOurs(set settings, zkServers string) *home {
	m.t.Helper()
	h := newMember(m.t, zkServers, set)
	for _, d := range m.destinations {
		h.instance(d, m.db.Addr(), m.ours)
	}
	return h
}

// startOurs starts a server of ours.
func (m *mixed) startOurs(h *home) {
	m.t.Helper()
	h.start()
	m.awaitCompetitor(h.addr())
}

// awaitCompetitor waits until a server competes for all destinations.
func (m *mixed) awaitCompetitor(addr string) {
	m.t.Helper()
	for _, d := range m.destinations {
		eventually(m.t, startLimit, addr+" competes for "+d, func() bool { return m.exists(zktree.Competitor(d, addr)) })
	}
}

// awaitOwner waits until a server runs all destinations.
func (m *mixed) awaitOwner(addr string) {
	m.t.Helper()
	for _, d := range m.destinations {
		eventually(m.t, startLimit, addr+" runs "+d, func() bool { return m.running(d) == addr })
	}
}

// read starts the client of each destination.
func (m *mixed) read() {
	m.t.Helper()
	for _, d := range m.destinations {
		if d == byOurs {
			m.streams[d].follow(m.optionsOf(d, client.ZooKeeperOptions{Servers: m.zk.Addr(), SessionTimeout: mixedSession}))
		} else {
			m.readJava(d)
		}
	}
}

// readJava starts a cluster client of Java's.
func (m *mixed) readJava(d string, args ...string) *peers.Client {
	m.t.Helper()
	return peers.Follow(m.t, peers.JavaClient, m.streams[d].line,
		append([]string{"--zk", m.zk.Addr(), "--destination", d, "--timeout", "100", "--retries", "1000"}, args...)...)
}

// settle waits until each client has got what is written by now, and its cursor is
// about as far.
func (m *mixed) settle() {
	m.t.Helper()
	written := max(1, m.w.last.Load())
	for _, d := range m.destinations {
		s := m.streams[d]
		eventually(m.t, startLimit, fmt.Sprintf("the client of %s has got change %d", d, written), func() bool { return s.reached(written) })
		s.mu.Lock()
		at := s.at
		s.mu.Unlock()
		eventually(m.t, startLimit, "the cursor of "+d+" follows", func() bool {
			c, ok := m.cursor(d)
			return ok && !c.before(at) || m.t.Failed()
		})
	}
}

// finish ends the writing, and checks that each client has got everything.
func (m *mixed) finish(stopWriting func()) {
	m.t.Helper()
	stopWriting()
	m.w.finish(m.t)
	for _, d := range m.destinations {
		s := m.streams[d]
		eventually(m.t, startLimit, "the client of "+d+" has got everything", s.done)
		s.mu.Lock()
		s.account.compare(m.w)
		m.t.Logf("client of %s: %d changes, %d of them again", d, s.account.last, s.account.again)
		s.mu.Unlock()
	}
}

// handOver is a change of owner of one destination.
type handOver struct {
	vacant time.Time // when nobody owned it, zero if that was not seen
	taken  time.Time
	cursor place // at most the one that the new owner began with
	err    error
}

// awaitTakeOver looks at the nodes until another server owns the destination.
func (m *mixed) awaitTakeOver(d, from, to string) (h handOver) {
	for deadline := time.Now().Add(startLimit); time.Now().Before(deadline); {
		s, err := m.c.Session(m.t.Context())
		if err != nil {
			return handOver{err: err}
		}
		cursor, _, err := s.Get(m.t.Context(), zktree.Cursor(d, client.DefaultClientID))
		if err == nil {
			h.cursor = parseCursor(m.t, cursor)
		}
		data, _, err := s.Get(m.t.Context(), zktree.Running(d))
		running, _ := zktree.ParseServerRunning(data)
		switch {
		case errors.Is(err, zk.ErrNoNode):
			if h.vacant.IsZero() {
				h.vacant = time.Now()
			}
		case err != nil:
		case running.Address == to:
			h.taken = time.Now()
			return h
		case running.Address != from || !h.vacant.IsZero():
			h.err = fmt.Errorf("%s was taken by %s", d, running.Address)
			return h
		}
		pauseFor(m.t.Context(), 2*time.Millisecond)
	}
	h.err = fmt.Errorf("%s was not taken by %s", d, to)
	return h
}

// takeOver does something to the owner of the destinations, so that another server
// takes them, and checks what the clients get then: nothing from before the cursor
// that the new owner found. It returns the shortest time without an owner.
func (m *mixed) takeOver(what, from, to string, fault func()) (vacant time.Duration) {
	m.t.Helper()
	m.settle()
	for _, s := range m.streams {
		s.silence()
	}
	results := make(map[string]handOver)
	var mu sync.Mutex
	var wg sync.WaitGroup
	begun := time.Now()
	for _, d := range m.destinations {
		wg.Go(func() {
			h := m.awaitTakeOver(d, from, to)
			m.streams[d].notBefore(h.cursor)
			mu.Lock()
			results[d] = h
			mu.Unlock()
		})
	}
	fault()
	wg.Wait()
	for _, h := range results {
		if h.err != nil {
			m.t.Fatalf("%s: %v", what, h.err)
		}
	}
	m.settle()
	vacant = startLimit
	for _, d := range m.destinations {
		h, s := results[d], m.streams[d]
		if h.vacant.IsZero() {
			h.vacant = h.taken
		}
		vacant = min(vacant, h.taken.Sub(h.vacant))
		pause, again := s.silence()
		if limit := h.taken.Sub(begun) + resumption; pause > limit {
			m.t.Errorf("%s: the client of %s got nothing for %v, want %v at most", what, d, pause, limit)
		}
		m.t.Logf("%-30s %-7s vacant at %4.1f s, taken %5.2f s later; client silent for %4.1f s, %d changes again",
			what, d, h.vacant.Sub(begun).Seconds(), h.taken.Sub(h.vacant).Seconds(), pause.Seconds(), again)
	}
	return vacant
}

// unchanged watches for some time that the destinations stay where they are.
func (m *mixed) unchanged(d time.Duration) {
	m.t.Helper()
	created := make(map[string]int64)
	for end := time.Now().Add(d); time.Now().Before(end); pauseFor(m.t.Context(), 10*time.Millisecond) {
		for _, d := range m.destinations {
			data, st, ok := m.get(zktree.Running(d))
			if created[d] == 0 && ok {
				created[d] = st.Czxid
			}
			if !ok || st.Czxid != created[d] || st.Version != 0 {
				m.t.Fatalf("the running node of %s has changed: %s %+v", d, data, st)
			}
		}
	}
}

// expire ends the session of the owner, who must come back to what it runs before
// another server takes it.
func (m *mixed) expire(owner string) {
	m.t.Helper()
	session := m.owner(zktree.Running(m.destinations[0]))
	eventually(m.t, startLimit, "the owner's session has ended", func() bool {
		// An owner that notices takes its session back, so that it fails.
		_ = m.zk.ExpireSession(session)
		return m.owner(zktree.Running(m.destinations[0])) != session
	})
	for _, d := range m.destinations {
		eventually(m.t, startLimit, d+" is taken again", func() bool {
			now := m.owner(zktree.Running(d))
			return now != 0 && now != session
		})
		if at := m.running(d); at != owner {
			m.t.Errorf("%s was taken by %s, want its last owner %s", d, at, owner)
		}
	}
}

// terminate ends our server as an operator would, and does not wait for it.
func (h *home) terminate() {
	h.t.Helper()
	if err := h.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		h.t.Fatal(err)
	}
}

// stopped waits for a server that was told to end.
func (h *home) stopped() {
	h.t.Helper()
	select {
	case <-h.done:
	case <-time.After(startLimit):
		h.t.Fatal("the server does not end")
	}
}

// yield tells the owner to give the destinations up, as operators of Canal do.
func (m *mixed) yield(addr string) {
	m.t.Helper()
	for _, d := range m.destinations {
		m.put(zktree.Running(d), string(zktree.ServerRunning{Active: false, Address: addr}.Append(nil)))
	}
}

// stream is what the clients of a destination have got, and when.
type stream struct {
	t            testing.TB
	name, schema string

	mu      sync.Mutex
	account *account
	at      place         // of what came last
	floor   place         // nothing before it may come
	last    time.Time     // when something came
	pause   time.Duration // the longest between two arrivals, since silence was called
	again   int           // of the account, then
}

// enter enters an entry.
func (s *stream) enter(p place, changes []change, done bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if !s.last.IsZero() {
		s.pause = max(s.pause, now.Sub(s.last))
	}
	s.last = now
	if p.file != "" {
		s.at = p
	}
	if p.file != "" && p.before(s.floor) {
		return fmt.Errorf("an entry of %v came again, which is before the cursor %v", p, s.floor)
	}
	for _, c := range changes {
		if err := s.account.enter(c); err != nil {
			return err
		}
	}
	s.account.done = s.account.done || done
	return nil
}

// notBefore says that from now on nothing from before a place may come.
func (s *stream) notBefore(p place) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.floor = p
}

// silence returns the longest time without an entry since it was called last, and
// how many changes have come again since.
func (s *stream) silence() (pause time.Duration, again int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	pause, again = s.pause, s.account.again-s.again
	s.pause, s.again = 0, s.account.again
	return pause, again
}

func (s *stream) reached(n int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.account.last >= n || s.t.Failed()
}

// arrived is when something came last.
func (s *stream) arrived() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

// awaitMore waits until something comes.
func (s *stream) awaitMore() {
	s.t.Helper()
	last := s.arrived()
	eventually(s.t, startLimit, "the client of "+s.name+" gets more", func() bool { return s.arrived().After(last) })
}

// awaitQuiet waits until nothing has come for so long, and returns when something
// came last.
func (s *stream) awaitQuiet(d time.Duration) time.Time {
	s.t.Helper()
	eventually(s.t, startLimit, "the client of "+s.name+" gets nothing any more", func() bool { return time.Since(s.arrived()) > d })
	return s.arrived()
}

func (s *stream) done() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.account.done || s.t.Failed()
}

// line enters what Java's client has printed.
func (s *stream) line(text string) {
	var l line
	if err := json.Unmarshal([]byte(text), &l); err != nil {
		s.t.Errorf("%v: %s", err, text)
		return
	}
	h := l.Header
	offset, err := strconv.ParseInt(h.LogfileOffset.String(), 10, 64)
	if err != nil {
		offset = 0 // an entry without a place
	}
	var changes []change
	if h.SchemaName == s.schema {
		changes = l.changes(s.t)
	}
	done := h.SchemaName == s.schema && h.TableName == "done" && len(l.RowChange.RowDatas) > 0
	if err := s.enter(place{h.LogfileName, offset}, changes, done); err != nil {
		s.t.Errorf("client of %s: %v", s.name, err)
	}
}

// follow reads with our client until the test ends.
func (s *stream) follow(o client.Options) {
	ctx, cancel := context.WithCancel(s.t.Context())
	var wg sync.WaitGroup
	s.t.Cleanup(wg.Wait)
	s.t.Cleanup(cancel)
	wg.Go(func() {
		for b, err := range client.NewConsumer(client.ConsumerOptions{Options: o}).Batches(ctx) {
			if err == nil {
				err = s.batch(b)
			}
			if err != nil {
				s.t.Errorf("client of %s: %v", s.name, err)
				return
			}
			_ = b.Ack() // if it is stale it comes again
		}
	})
}

func (s *stream) batch(b *client.Batch) error {
	for e, err := range b.Entries() {
		if err != nil {
			return err
		}
		h := e.Header()
		done := h.SchemaName() == s.schema && h.TableName() == "done" && h.EventType() == protocol.EventInsert
		if err := s.enter(place{h.LogfileName(), h.LogfileOffset()}, changesOf(s.t, e, s.schema), done); err != nil {
			return err
		}
	}
	return nil
}

// watchers is how many programs watch a node of ZooKeeper.
func (z *tree) watchers(path string) (n int) {
	z.t.Helper()
	out, err := z.zk.FourLetter(0, "wchp")
	if err != nil {
		z.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(out, path+"\n")
	for line := range strings.Lines(rest) {
		if !strings.HasPrefix(line, "\t") {
			break
		}
		n++
	}
	return n
}
