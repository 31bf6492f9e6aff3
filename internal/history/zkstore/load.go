package zkstore

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/towpath-cdc/towpath/internal/history"
	"github.com/towpath-cdc/towpath/internal/zk"
	"github.com/towpath-cdc/towpath/internal/zktree"
)

const (
	// maxPiece bounds a node, in bytes.
	maxPiece = 256 << 10
	// maxReads is how many reads are under way at a time.
	maxReads = 8
	// maxRounds is how often nodes that change while they are read are read again.
	maxRounds = 4
)

// state is a history as it is in ZooKeeper. It is not changed.
type state struct {
	head    head
	headAt  node
	tail    node
	doc     node             // the state of the owner
	pages   map[int64][]byte // packed, by the ID of their blob
	changes int64            // ID of the next change
}

// node is a node that changes.
type node struct {
	data    []byte
	version int32 // -1 when there is no node
}

func (n node) exists() bool { return n.version >= 0 }

// size is what all nodes take.
func (st *state) size() int64 {
	n := int64(len(st.headAt.data) + len(st.tail.data) + len(st.doc.data))
	for _, b := range st.head.blobs() {
		n += b.size
	}
	return n
}

// byAge are the snapshots, oldest first.
func (st *state) byAge() []snapshot {
	all := slices.Clone(st.head.snapshots)
	slices.SortFunc(all, func(a, b snapshot) int { return compare(a.At.Timestamp, a.ID, b.At.Timestamp, b.ID) })
	return all
}

// eachPage calls f with each page, the tail last, with the index len(head.pages).
func (st *state) eachPage(f func(i int, p page) error) error {
	for i := range len(st.head.pages) + 1 {
		p, err := st.page(i)
		if err != nil {
			return err
		}
		if err := f(i, p); err != nil {
			return err
		}
	}
	return nil
}

// page unpacks a page; len(head.pages) is the tail.
func (st *state) page(i int) (page, error) {
	packed := st.tail.data
	if i < len(st.head.pages) {
		packed = st.pages[st.head.pages[i].id]
	} else if !st.tail.exists() {
		return page{}, nil
	}
	raw, err := unpack(kindPage, packed, maxRaw)
	if err != nil {
		return page{}, err
	}
	return parsePage(raw)
}

// node is the name of a piece, below the node of the history.
func (b blob) node(piece int) string { return fmt.Sprintf("/%d-%d", b.id, piece) }

// parseNode reads the name of a piece.
func parseNode(name string) (id int64, piece int, ok bool) {
	a, b, found := strings.Cut(name, "-")
	id, err := strconv.ParseInt(a, 10, 64)
	piece, err2 := strconv.Atoi(b)
	ok = found && err == nil && err2 == nil && name == fmt.Sprintf("%d-%d", id, piece) && id >= 0 && id < 1<<60 && piece >= 0
	return id, piece, ok
}

// places are where there are changes, or were; there may be others that look the
// same.
type places struct {
	seed maphash.Seed
	seen map[uint64]struct{}
}

func (p *places) hash(at history.Place) uint64 {
	return maphash.Comparable(p.seed, struct {
		file             string
		offset, serverID int64
	}{at.File, at.Offset, at.ServerID})
}

func (p *places) add(at history.Place) { p.seen[p.hash(at)] = struct{}{} }

func (p *places) has(at history.Place) bool {
	_, ok := p.seen[p.hash(at)]
	return ok
}

// errMoved says that nodes do not belong together: somebody writes.
var errMoved = errors.New("head and pages do not belong together")

// load reads all but the snapshots.
func (s *Store) load(ctx context.Context) error {
	ctx, release := s.bind(ctx)
	defer release()
	for round := 1; ; round++ {
		err := s.loadOnce(ctx)
		switch {
		case err == nil:
			s.stale = false
			return nil
		case round < maxRounds && (errors.Is(err, errMoved) || errors.Is(err, zk.ErrNoNode) || errors.Is(err, zk.ErrSessionExpired)):
		case errors.Is(err, errMoved):
			return s.damaged("", err)
		default:
			return err
		}
	}
}

func (s *Store) loadOnce(ctx context.Context) error {
	session, err := s.o.Session(ctx)
	if err != nil {
		return err
	}
	// What the owner before wrote last may not have reached the server that is asked.
	if err := session.Sync(ctx, zktree.History(s.o.Destination)); err != nil && !errors.Is(err, zk.ErrNoNode) {
		return err
	}
	st := &state{headAt: node{version: -1}, tail: node{version: -1}, doc: node{version: -1}}
	names, err := s.readNodes(ctx, session, st)
	if err != nil {
		return err
	}
	if !st.headAt.exists() {
		return s.adopt(st, nil)
	}
	raw, err := unpack(kindHead, st.headAt.data, maxRaw)
	if err == nil {
		st.head, err = parseHead(raw)
	}
	if err != nil {
		return s.damaged("", err)
	}
	if st.pages, err = s.readBlobs(ctx, session, st.head.pages); err != nil {
		return err
	}
	return s.adopt(st, names)
}

// readNodes reads the nodes that are always there, side by side, and the names of
// the others.
func (s *Store) readNodes(ctx context.Context, session *zk.Session, st *state) (names []string, err error) {
	path := zktree.History(s.o.Destination)
	get := func(name string, n *node) error {
		data, stat, err := session.Get(ctx, path+name)
		if err == nil {
			*n = node{data, stat.Version}
		}
		return err
	}
	var wg sync.WaitGroup
	var errs [4]error
	wg.Go(func() { errs[0] = get("", &st.headAt) })
	wg.Go(func() { errs[1] = get("/tail", &st.tail) })
	wg.Go(func() { errs[2] = get("/state", &st.doc) })
	wg.Go(func() { names, _, errs[3] = session.Children(ctx, path) })
	wg.Wait()
	for _, err := range errs {
		if err != nil && !errors.Is(err, zk.ErrNoNode) {
			return nil, err
		}
	}
	return names, nil
}

// adopt checks a state that was read and makes it the current one. names are those
// of the nodes below the head.
func (s *Store) adopt(st *state, names []string) error {
	seen := places{maphash.MakeSeed(), map[uint64]struct{}{}}
	if st.headAt.exists() != st.tail.exists() {
		return errMoved
	}
	if st.doc.exists() {
		if _, err := unpack(kindState, st.doc.data, maxRaw); err != nil {
			return s.damaged("/state", err)
		}
	}
	for i := range len(st.head.pages) + 1 {
		p, err := st.page(i)
		if err != nil {
			return s.damaged(st.pageNode(i), err)
		}
		if i == len(st.head.pages) {
			if p.generation != st.head.generation {
				return errMoved
			}
			st.changes = max(st.changes, p.next)
		}
		for _, c := range p.changes {
			st.changes = max(st.changes, c.ID+1)
			seen.add(c.At)
		}
	}
	st.changes = max(st.changes, 1)
	s.places = seen
	s.garbage = st.unnamed(names)
	s.mu.Lock()
	s.current = st
	s.mu.Unlock()
	return nil
}

// pageNode is the node of a page, below that of the history.
func (st *state) pageNode(i int) string {
	if i < len(st.head.pages) {
		return st.head.pages[i].node(0)
	}
	return "/tail"
}

// unnamed are the nodes that the head does not name. Their IDs are not used again.
func (st *state) unnamed(names []string) []string {
	pieces := map[int64]int{}
	for _, b := range st.head.blobs() {
		pieces[b.id] = b.pieces
	}
	var out []string
	for _, name := range names {
		id, piece, ok := parseNode(name)
		if ok && piece >= pieces[id] {
			st.head.next = max(st.head.next, id+1)
			out = append(out, name)
		}
	}
	return out
}

// readBlobs reads blobs, a few pieces at a time.
func (s *Store) readBlobs(ctx context.Context, session *zk.Session, blobs []blob) (map[int64][]byte, error) {
	type piece struct {
		blob blob
		n    int
		data []byte
		err  error
	}
	var pieces []*piece
	for _, b := range blobs {
		for n := range b.pieces {
			pieces = append(pieces, &piece{blob: b, n: n})
		}
	}
	var wg sync.WaitGroup
	slots := make(chan struct{}, maxReads)
	for _, p := range pieces {
		slots <- struct{}{}
		wg.Go(func() {
			p.data, _, p.err = session.Get(ctx, zktree.History(s.o.Destination)+p.blob.node(p.n))
			<-slots
		})
	}
	wg.Wait()
	out := make(map[int64][]byte, len(blobs))
	for _, p := range pieces {
		if errors.Is(p.err, zk.ErrNoNode) {
			return nil, s.damaged(p.blob.node(p.n), p.err)
		}
		if p.err != nil {
			return nil, p.err
		}
		out[p.blob.id] = append(out[p.blob.id], p.data...)
	}
	for _, b := range blobs {
		if int64(len(out[b.id])) != b.size {
			return nil, s.damaged(b.node(0), fmt.Errorf("%d bytes in place of %d", len(out[b.id]), b.size))
		}
	}
	return out, nil
}

// damaged is a DamagedError, or err itself if it is of a later version.
func (s *Store) damaged(node string, err error) error {
	path := zktree.History(s.o.Destination) + node
	if errors.Is(err, ErrFormat) {
		return fmt.Errorf("%s: %w", path, err)
	}
	return &DamagedError{path, err}
}
