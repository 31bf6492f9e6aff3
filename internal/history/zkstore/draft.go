package zkstore

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"

	"github.com/towpath-cdc/towpath/internal/history"
)

const (
	// A tail is added to a page when it would become longer than one of these, in
	// bytes, compressed and not. They keep an Append short.
	maxTail    = 16 << 10
	maxTailRaw = 64 << 10
	// A page gets no more when it would become longer than one of these.
	maxPage    = maxPiece
	maxPageRaw = 1 << 20
	// A change of this length has a page for itself.
	bigChange = 128 << 10
	// maxNode bounds the head and the state, compressed.
	maxNode = 384 << 10
)

// draft is a state that is being changed.
type draft struct {
	state
	from     *state
	limit    int64
	places   *places
	name     string // of the destination
	newBlobs []newBlob

	headDirty, tailDirty, docDirty bool

	added   []history.Place // of changes
	notices []string        // to be told when it is done
}

type newBlob struct {
	blob
	data []byte
}

// content is a snapshot as it is written.
type content struct {
	data []byte
	sum  []byte
}

func packSnapshot(schemas map[string]string) (content, error) {
	size := 0
	for name, text := range schemas {
		size += len(name) + len(text) + 20
	}
	if size > maxRaw {
		return content{}, fmt.Errorf("%w: the tables are %s", history.ErrTooLarge, mega(int64(size)))
	}
	raw := appendSchemas(make([]byte, 0, size), schemas)
	sum := sha256.Sum256(raw)
	return content{pack(kindSnapshot, raw), sum[:]}, nil
}

func (s *Store) draft() *draft {
	s.mu.Lock()
	st := s.current
	s.mu.Unlock()
	d := &draft{state: *st, from: st, limit: s.o.Limit, places: &s.places, name: s.o.Destination}
	d.head.pages = slices.Clone(st.head.pages)
	d.head.snapshots = slices.Clone(st.head.snapshots)
	d.pages = maps.Clone(st.pages)
	if d.pages == nil {
		d.pages = map[int64][]byte{}
	}
	return d
}

func (d *draft) dirty() bool { return d.headDirty || d.tailDirty || d.docDirty }

// changedNode is one of the nodes that are set.
type changedNode struct {
	name string
	*node
}

// changedNodes are those that have to be written, with what they had for version.
func (d *draft) changedNodes() []changedNode {
	var out []changedNode
	if d.headDirty {
		out = append(out, changedNode{"", &d.headAt})
	}
	if d.tailDirty {
		out = append(out, changedNode{"/tail", &d.tail})
	}
	if d.docDirty {
		out = append(out, changedNode{"/state", &d.doc})
	}
	return out
}

// unneeded are the nodes that the head does not name any more.
func (d *draft) unneeded() []string {
	needed := map[int64]bool{}
	for _, b := range d.head.blobs() {
		needed[b.id] = true
	}
	var out []string
	for _, b := range d.from.head.blobs() {
		for n := 0; n < b.pieces && !needed[b.id]; n++ {
			out = append(out, b.node(n)[1:])
		}
	}
	return out
}

// addBlob is a new blob.
func (d *draft) addBlob(data []byte) blob {
	b := blob{id: d.head.next, pieces: (len(data) + maxPiece - 1) / maxPiece, size: int64(len(data))}
	d.head.next++
	d.newBlobs = append(d.newBlobs, newBlob{b, data})
	d.headDirty = true
	return b
}

// packHead makes the bytes of a head that has changed.
func (d *draft) packHead() {
	if d.headDirty {
		d.headAt.data = pack(kindHead, d.head.append(nil))
	}
}

// setTail makes these changes the tail.
func (d *draft) setTail(changes []history.Change) {
	p := page{generation: d.head.generation, next: d.changes, changes: changes}
	d.tail.data = pack(kindPage, p.append(nil))
	d.tailDirty = true
}

// setPages replaces pages: of the blobs of which the IDs are in old by new ones, and
// the tail. So the tail gets a new generation.
func (d *draft) setPages(pages []blob, tail []history.Change) {
	d.head.pages = pages
	d.headDirty = true
	if d.head.generation == d.from.head.generation {
		d.head.generation++
	}
	d.setTail(tail)
	needed := map[int64]bool{}
	for _, b := range pages {
		needed[b.id] = true
	}
	maps.DeleteFunc(d.pages, func(id int64, _ []byte) bool { return !needed[id] })
	d.newBlobs = slices.DeleteFunc(d.newBlobs, func(b newBlob) bool {
		return b.data[len(magic)] == byte(kindPage) && !needed[b.id]
	})
}

// newPage makes a blob of changes.
func (d *draft) newPage(changes []history.Change) blob {
	return d.packedPage(pack(kindPage, (&page{changes: changes}).append(nil)))
}

func (d *draft) packedPage(data []byte) blob {
	b := d.addBlob(data)
	d.pages[b.id] = data
	return b
}

// appendChange adds a change.
func (d *draft) appendChange(c history.Change) error {
	if len(c.SQL) > maxRaw/2 {
		return fmt.Errorf("%w: a statement of %s", history.ErrTooLarge, mega(int64(len(c.SQL))))
	}
	if d.places.has(c.At) {
		if there, err := d.replace(&c); err != nil || there {
			return err
		}
	}
	c.ID = d.changes
	d.changes++
	d.added = append(d.added, c.At)
	tail, err := d.page(len(d.head.pages))
	if err != nil {
		return err
	}
	if len(c.SQL) > bigChange {
		d.setPages(append(d.head.pages, d.newPage([]history.Change{c})), tail.changes)
		return d.fit()
	}
	all := append(tail.changes, c)
	d.setTail(all)
	if len(d.tail.data) > maxTail || length(all) > maxTailRaw {
		if err := d.seal(all[:len(all)-1], all[len(all)-1:]); err != nil {
			return err
		}
	}
	return d.fit()
}

// replace takes out what is at the place of c. there is true when that is c.
func (d *draft) replace(c *history.Change) (there bool, err error) {
	found := false
	err = d.eachPage(func(_ int, p page) error {
		for i := range p.changes {
			if old := &p.changes[i]; sameChange(old, c) {
				found = true
				there = there || old.At == c.At && old.SQL == c.SQL
			}
		}
		return nil
	})
	if err != nil || there || !found {
		return there, err
	}
	_, err = d.filter(func(old *history.Change) bool { return !sameChange(old, c) })
	return false, err
}

// samePlace says whether two places are the same as far as they are known.
func samePlace(a, b history.Place) bool {
	return a.ServerID == b.ServerID && a.File == b.File && a.Offset == b.Offset &&
		(a.Origin == b.Origin || a.Origin == "" || b.Origin == "")
}

// sameChange says whether there is room for only one of two changes: what was read
// from the source may be at the place of a statement, and of others that were read.
func sameChange(a, b *history.Change) bool {
	return samePlace(a.At, b.At) && a.Loaded == b.Loaded && (!a.Loaded || a.Table == b.Table)
}

// length is about what changes take, not compressed.
func length(changes []history.Change) int {
	n := 0
	for i := range changes {
		n += len(changes[i].SQL) + 200
	}
	return n
}

// seal moves changes to the last page, or to a new one, and leaves the rest in
// the tail.
func (d *draft) seal(changes, rest []history.Change) error {
	pages := d.head.pages
	if n := len(pages); n > 0 && pages[n-1].size < maxPage {
		last, err := d.page(n - 1)
		if err != nil {
			return err
		}
		all := append(last.changes, changes...)
		slices.SortFunc(all, func(a, b history.Change) int { return compare(a.ID, 0, b.ID, 0) })
		if length(all) <= maxPageRaw {
			if data := pack(kindPage, (&page{changes: all}).append(nil)); len(data) <= maxPage {
				d.setPages(append(pages[:n-1], d.packedPage(data)), rest)
				return nil
			}
		}
	}
	if len(changes) > 0 {
		pages = append(pages, d.newPage(changes))
	}
	d.setPages(pages, rest)
	return nil
}

// filter keeps the changes that are to be kept, and says how many it took out.
func (d *draft) filter(keep func(c *history.Change) bool) (removed int, err error) {
	var pages []blob
	var tail []history.Change
	sealed := len(d.head.pages)
	for i := range sealed + 1 {
		p, err := d.page(i)
		if err != nil {
			return 0, err
		}
		n := len(p.changes)
		kept := slices.DeleteFunc(p.changes, func(c history.Change) bool { return !keep(&c) })
		removed += n - len(kept)
		switch {
		case i == sealed:
			tail = kept
		case len(kept) == n:
			pages = append(pages, d.head.pages[i])
		case len(kept) > 0:
			pages = append(pages, d.newPage(kept))
		}
	}
	if removed > 0 {
		d.setPages(pages, tail)
	}
	return removed, nil
}

// addSnapshot adds a snapshot.
func (d *draft) addSnapshot(n history.Snapshot, c content) error {
	same := func(old *snapshot) bool { return samePlace(old.At, n.At) && old.Initial == n.Initial }
	for i := range d.head.snapshots {
		old := &d.head.snapshots[i]
		if same(old) && old.At == n.At && bytes.Equal(old.sum, c.sum) && bytes.Equal(old.Extra, n.Extra) {
			return nil
		}
	}
	added := snapshot{Snapshot: n, sum: c.sum}
	if i := slices.IndexFunc(d.head.snapshots, func(old snapshot) bool { return bytes.Equal(old.sum, c.sum) }); i >= 0 {
		added.blob = d.head.snapshots[i].blob
	} else {
		added.blob = d.addBlob(c.data)
	}
	d.head.snapshots = slices.DeleteFunc(d.head.snapshots, func(old snapshot) bool { return same(&old) })
	d.headDirty = true
	added.ID = d.head.next
	d.head.next++
	d.head.snapshots = append(d.head.snapshots, added)
	if err := d.fit(); err != nil {
		return err
	}
	if !slices.ContainsFunc(d.head.snapshots, func(s snapshot) bool { return s.ID == added.ID }) {
		return d.tooLarge() // it was older than the newest
	}
	return nil
}

// remove takes out snapshots and changes.
func (d *draft) remove(snapshots, changes []int64) error {
	d.removeSnapshots(func(s *snapshot) bool { return slices.Contains(snapshots, s.ID) })
	if len(changes) > 0 {
		gone := make(map[int64]bool, len(changes))
		for _, id := range changes {
			gone[id] = true
		}
		if _, err := d.filter(func(c *history.Change) bool { return !gone[c.ID] }); err != nil {
			return err
		}
	}
	d.packHead()
	return nil
}

func (d *draft) removeSnapshots(gone func(s *snapshot) bool) {
	n := len(d.head.snapshots)
	d.head.snapshots = slices.DeleteFunc(d.head.snapshots, func(s snapshot) bool { return gone(&s) })
	if len(d.head.snapshots) < n {
		d.headDirty = true
	}
}

// expire removes old snapshots.
func (d *draft) expire(before int64) {
	all := d.byAge()
	if len(all) == 0 {
		return
	}
	newest := all[len(all)-1].ID
	d.removeSnapshots(func(s *snapshot) bool {
		return s.At.Timestamp < before && !s.Initial && s.ID != newest
	})
	d.packHead()
}

// setState sets the state of the owner.
func (d *draft) setState(state []byte) error {
	if d.doc.exists() {
		old, err := unpack(kindState, d.doc.data, maxRaw)
		if err == nil && bytes.Equal(old, state) {
			return nil
		}
	}
	data := pack(kindState, state)
	if len(data) > maxNode {
		return fmt.Errorf("%w: a state of %s", history.ErrTooLarge, mega(int64(len(data))))
	}
	d.doc.data = data
	d.docDirty = true
	return d.fit()
}
