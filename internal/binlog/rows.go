package binlog

import (
	"encoding/binary"
	"fmt"
)

// RowsKind is what a rows event does.
type RowsKind uint8

// The kinds.
const (
	RowsInsert RowsKind = iota + 1
	RowsUpdate
	RowsDelete
)

// String is the lower-case word for logs.
func (k RowsKind) String() string {
	switch k {
	case RowsInsert:
		return "insert"
	case RowsUpdate:
		return "update"
	case RowsDelete:
		return "delete"
	default:
		return fmt.Sprintf("rows kind %d", uint8(k))
	}
}

// Flags of a rows event, from MySQL's rows_event.h.
const (
	RowsFlagStatementEnd     uint16 = 1 << 0 // last event of its statement: table ids are void afterwards
	RowsFlagNoForeignKeys    uint16 = 1 << 1
	RowsFlagRelaxedUnique    uint16 = 1 << 2
	RowsFlagCompleteRows     uint16 = 1 << 3
	rowsExtraInfoNDB         byte   = 0
	rowsExtraInfoPartition   byte   = 1
	valueOptionPartialUpdate uint64 = 1 // PARTIAL_JSON_UPDATES
)

// Rows is a rows event whose rows are not yet taken apart. Every slice aliases
// the event.
//
// Data holds row images one after the other: for an insert after images, for a
// delete before images, for an update a before and an after image per row. An
// image begins with a bitmap that has a bit for each column whose bit is set in
// Present (PresentAfter for the after images of an update), set when that column
// is NULL; then the cells of the others follow. See TableMap.Image.
type Rows struct {
	Kind         RowsKind
	TableID      uint64
	Flags        uint16
	ColumnCount  int
	Present      []byte // which columns the images have
	PresentAfter []byte // the same for the after images of updates; equal to Present otherwise
	Data         []byte
	Partial      bool   // after images begin with value options, JSON columns may hold differences
	Extra        []byte // extra row information of version 2 events, raw; see Partition
}

// ParseRows reads the rows events of version 1 (MySQL 5.1, MariaDB), version 2
// (MySQL 5.6) and the partial updates of MySQL 8.0. Those of MariaDB that
// are compressed must be given to DecompressMariaRows first. fd may be nil for
// the layout of MySQL 5.1.4 and later.
func ParseRows(t EventType, body []byte, fd *FormatDescription) (Rows, error) {
	kind, version := rowsKind(t)
	if kind == 0 {
		return Rows{}, fmt.Errorf("rows event: type %d is not one", t)
	}
	c := newCursor(body)
	r := Rows{
		Kind:    kind,
		Partial: t == EventPartialUpdateRows,
		TableID: c.uint(fd.tableIDWidth(t)),
		Flags:   c.u16(),
	}
	if version == 2 {
		r.Extra = c.extraRowInfo()
	}
	count := c.packed()
	r.Present = c.bitmap(count)
	r.PresentAfter = r.Present
	if kind == RowsUpdate {
		r.PresentAfter = c.bitmap(count)
	}
	r.Data = c.rest()
	if c.short {
		return Rows{}, c.err(kind.String() + " rows event")
	}
	r.ColumnCount = int(count) // not more than 8 per byte of body
	return r, nil
}

// extraRowInfo reads the length-prefixed block of version 2 events; the length
// counts its own two bytes.
func (c *cursor) extraRowInfo() []byte {
	n := c.u16()
	if n < 2 {
		c.fail()
		return nil
	}
	return c.bytes(uint64(n - 2))
}

// rowsKind tells the plain rows events apart; kind is 0 for any other type.
func rowsKind(t EventType) (kind RowsKind, version int) {
	switch t {
	case EventWriteRowsV1:
		return RowsInsert, 1
	case EventUpdateRowsV1:
		return RowsUpdate, 1
	case EventDeleteRowsV1:
		return RowsDelete, 1
	case EventWriteRowsV2:
		return RowsInsert, 2
	case EventUpdateRowsV2, EventPartialUpdateRows:
		return RowsUpdate, 2
	case EventDeleteRowsV2:
		return RowsDelete, 2
	default:
		return 0, 0
	}
}

// Partition tells the partition the rows belong to, and for an update also
// the one they come from (MySQL 8.0.16 and later, partitioned tables only).
func (r *Rows) Partition() (id, source uint16, ok bool) {
	for extra := r.Extra; len(extra) > 0; {
		switch extra[0] {
		case rowsExtraInfoNDB: // one length byte that counts itself and the format byte
			if len(extra) < 2 || len(extra) < 1+int(extra[1]) || extra[1] < 2 {
				return 0, 0, false
			}
			extra = extra[1+int(extra[1]):]
		case rowsExtraInfoPartition:
			if r.Kind == RowsUpdate && len(extra) >= 5 {
				return binary.LittleEndian.Uint16(extra[1:]), binary.LittleEndian.Uint16(extra[3:]), true
			}
			if r.Kind != RowsUpdate && len(extra) >= 3 {
				id = binary.LittleEndian.Uint16(extra[1:])
				return id, id, true
			}
			return 0, 0, false
		default:
			return 0, 0, false
		}
	}
	return 0, 0, false
}

// Image is one row image, before its cells are taken apart. Its slices alias
// the event.
type Image struct {
	Nulls   []byte // bit n is set when the n-th column that is present is NULL
	Cells   []byte // the cells of the columns that are present and not NULL
	Partial []byte // bit n is set when the n-th JSON column of the table holds differences; nil if none can
	Size    int    // bytes the whole image takes in Rows.Data
}

// Image finds the extent of the row image at the start of data by measuring
// each of its cells. present is Rows.Present or, for the after images of
// updates, Rows.PresentAfter; partial is true only for the after images of an
// event with Rows.Partial.
func (m *TableMap) Image(present, data []byte, partial bool) (Image, error) {
	c := newCursor(data)
	var img Image
	if partial {
		img.Partial = c.partialBits(m)
	}
	img.Nulls = c.bitmap(uint64(countBits(present, len(m.Types))))
	if c.short {
		return Image{}, c.err("row image")
	}
	start := c.data
	cells := start
	for i, n := 0, 0; i < len(m.Types); i++ {
		if !Bit(present, i) {
			continue
		}
		null := Bit(img.Nulls, n)
		n++
		if null {
			continue
		}
		size, err := CellSize(m.Types[i], m.Meta[i], cells)
		if err != nil {
			return Image{}, fmt.Errorf("row image of %s.%s: column %d: %w", m.Schema, m.Name, i, err)
		}
		cells = cells[size:]
	}
	used := len(start) - len(cells)
	img.Cells = start[:used:used]
	img.Size = len(data) - len(cells)
	return img, nil
}

// partialBits reads the value options before an after image of a partial
// update. Their bitmap counts all JSON columns of the table, present or not.
func (c *cursor) partialBits(m *TableMap) []byte {
	if c.packed()&valueOptionPartialUpdate == 0 {
		return nil
	}
	var n uint64
	for _, typ := range m.Types {
		if typ == TypeJSON {
			n++
		}
	}
	return c.bitmap(n)
}

// countBits counts the set bits among the first n of a bitmap.
func countBits(bitmap []byte, n int) int {
	count := 0
	for i := range n {
		if Bit(bitmap, i) {
			count++
		}
	}
	return count
}
