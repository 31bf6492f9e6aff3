package zkstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/towpath-cdc/towpath/internal/history"
)

// head is what is in the node of a history.
type head struct {
	generation int64 // changes whenever pages and tail change together
	next       int64 // ID of the next blob or snapshot
	pages      []blob
	snapshots  []snapshot // in the order of their IDs
}

// blob tells of something that is kept in pieces.
type blob struct {
	id     int64
	pieces int
	size   int64 // of all pieces together
}

// snapshot is a snapshot with its schemas in a blob.
type snapshot struct {
	history.Snapshot        // without Schemas
	sum              []byte // SHA-256 of what is in the blob
	blob             blob
}

// page is changes in the order of their IDs.
type page struct {
	generation int64 // of the head that belongs to it; of the tail alone
	next       int64 // ID of the next change; of the tail alone
	changes    []history.Change
}

func (h *head) append(b []byte) []byte {
	b = binary.AppendVarint(b, h.generation)
	b = binary.AppendVarint(b, h.next)
	var list, r []byte
	for _, p := range h.pages {
		list = appendBytes(list, p.append(r[:0]))
	}
	b = appendBytes(b, list)
	list = list[:0]
	for i := range h.snapshots {
		r = h.snapshots[i].append(r[:0])
		list = appendBytes(list, r)
	}
	return appendBytes(b, list)
}

func parseHead(b []byte) (head, error) {
	f := fields{b: b}
	h := head{generation: f.int(), next: f.int()}
	for pages := (fields{b: f.bytes()}); ; {
		r, ok := pages.record()
		if !ok {
			f.err = errors.Join(f.err, pages.err)
			break
		}
		h.pages = append(h.pages, parseBlob(&r))
		f.err = errors.Join(f.err, r.err)
	}
	for snapshots := (fields{b: f.bytes()}); ; {
		r, ok := snapshots.record()
		if !ok {
			f.err = errors.Join(f.err, snapshots.err)
			break
		}
		h.snapshots = append(h.snapshots, parseSnapshot(&r))
		f.err = errors.Join(f.err, r.err)
	}
	if f.err == nil {
		f.err = h.check()
	}
	return h, f.err
}

// check says what cannot be.
func (h *head) check() error {
	seen := map[int64]bool{}
	for _, b := range h.blobs() { // only snapshots may share one
		switch {
		case b.id < 0 || b.id >= h.next || seen[b.id]:
			return fmt.Errorf("blob %d, of less than %d", b.id, h.next)
		case b.pieces < 1 || b.size < int64(b.pieces) || b.size > int64(b.pieces)*maxPiece:
			return fmt.Errorf("blob %d has %d bytes in %d pieces", b.id, b.size, b.pieces)
		}
		seen[b.id] = true
	}
	last := int64(-1)
	for _, s := range h.snapshots {
		if s.ID <= last || s.ID >= h.next {
			return fmt.Errorf("snapshot %d after %d, of less than %d", s.ID, last, h.next)
		}
		last = s.ID
	}
	return nil
}

// blobs are all that the head names. Snapshots of the same tables share one.
func (h *head) blobs() []blob {
	all := slices.Clone(h.pages)
	shared := map[blob]bool{}
	for _, s := range h.snapshots {
		if !shared[s.blob] {
			shared[s.blob] = true
			all = append(all, s.blob)
		}
	}
	return all
}

func (o blob) append(b []byte) []byte {
	b = binary.AppendVarint(b, o.id)
	b = binary.AppendUvarint(b, uint64(o.pieces))
	return binary.AppendUvarint(b, uint64(o.size))
}

func parseBlob(f *fields) blob {
	o := blob{id: f.int()}
	pieces, size := f.uint(), f.uint()
	if pieces > maxRaw/maxPiece+1 || size > maxRaw {
		f.fail(fmt.Errorf("blob %d has %d bytes in %d pieces", o.id, size, pieces))
	}
	o.pieces, o.size = int(pieces), int64(size)
	return o
}

func (s *snapshot) append(b []byte) []byte {
	b = binary.AppendVarint(b, s.ID)
	b = appendPlace(b, s.At)
	b = appendBool(b, s.Initial)
	b = appendBytes(b, s.Extra)
	b = appendBytes(b, s.sum)
	return s.blob.append(b)
}

func parseSnapshot(f *fields) snapshot {
	var s snapshot
	s.ID = f.int()
	s.At = parsePlace(f)
	s.Initial = f.bool()
	s.Extra = f.copied()
	s.sum = f.copied()
	s.blob = parseBlob(f)
	return s
}

func appendPlace(b []byte, p history.Place) []byte {
	b = appendText(b, p.File)
	b = binary.AppendVarint(b, p.Offset)
	b = binary.AppendVarint(b, p.Timestamp)
	b = binary.AppendVarint(b, p.ServerID)
	b = appendText(b, p.GTIDSet)
	return appendText(b, p.Origin)
}

func parsePlace(f *fields) history.Place {
	var p history.Place
	p.File = f.text()
	p.Offset = f.int()
	p.Timestamp = f.int()
	p.ServerID = f.int()
	p.GTIDSet = f.text()
	p.Origin = f.text()
	return p
}

func (p *page) append(b []byte) []byte {
	b = binary.AppendVarint(b, p.generation)
	b = binary.AppendVarint(b, p.next)
	var r []byte
	for i := range p.changes {
		r = appendChange(r[:0], &p.changes[i])
		b = appendBytes(b, r)
	}
	return b
}

func parsePage(b []byte) (page, error) {
	f := fields{b: b}
	p := page{generation: f.int(), next: f.int()}
	last := int64(-1)
	for {
		r, ok := f.record()
		if !ok {
			return p, f.err
		}
		c := parseChange(&r)
		switch {
		case r.err != nil:
			return p, r.err
		case c.ID <= last:
			return p, fmt.Errorf("change %d after %d", c.ID, last)
		}
		last = c.ID
		p.changes = append(p.changes, c)
	}
}

func appendChange(b []byte, c *history.Change) []byte {
	b = binary.AppendVarint(b, c.ID)
	b = appendPlace(b, c.At)
	b = appendText(b, c.GTID)
	b = appendText(b, c.Schema)
	b = appendText(b, c.SQL)
	b = binary.AppendUvarint(b, c.SQLMode)
	b = appendText(b, c.Charset)
	b = appendBool(b, c.Loaded)
	b = appendText(b, c.Table.Schema)
	b = appendText(b, c.Table.Table)
	return appendText(b, c.Type)
}

func parseChange(f *fields) history.Change {
	var c history.Change
	c.ID = f.int()
	c.At = parsePlace(f)
	c.GTID = f.text()
	c.Schema = f.text()
	c.SQL = f.text()
	c.SQLMode = f.uint()
	c.Charset = f.text()
	c.Loaded = f.bool()
	c.Table.Schema = f.text()
	c.Table.Table = f.text()
	c.Type = f.text()
	return c
}

// appendSchemas writes the schemas in the order of their names, so that the same
// schemas are the same bytes.
func appendSchemas(b []byte, schemas map[string]string) []byte {
	for _, name := range slices.Sorted(maps.Keys(schemas)) {
		b = appendText(b, name)
		b = appendText(b, schemas[name])
	}
	return b
}

func parseSchemas(b []byte) (map[string]string, error) {
	schemas := map[string]string{}
	for f := (fields{b: b}); len(f.b) > 0; {
		name := f.text()
		if f.err == nil && len(f.b) == 0 {
			f.fail(errCut)
		}
		text := f.text()
		if f.err != nil {
			return nil, f.err
		}
		schemas[name] = text
	}
	return schemas, nil
}
