package binlog

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// GTIDSet is a set of MySQL transactions. The zero value is an empty set ready
// for use. It is not safe for concurrent use; a String is.
//
// Its text is what Canal prints for the same history, so that positions kept by
// either side are equal byte for byte: Canal keeps the servers in a
// java.util.HashMap and prints them in the order of its buckets. Unlike
// Canal's, a set never loses numbers when an interval is added twice.
type GTIDSet struct {
	order  []*serverSet // in the order of their first appearance
	index  map[UUID]*serverSet
	table  javaTable
	sorted []*serverSet // order as the text has it; nil when it is to be computed again
}

// serverSet holds the transactions of one server.
type serverSet struct {
	uuid UUID
	hash uint32
	tags []tagSet // by tag, "" first; never empty
}

type tagSet struct {
	tag       string
	intervals []interval // disjoint, not touching, ascending; never empty
}

// interval holds the numbers n with start <= n < stop.
type interval struct{ start, stop int64 }

// ParseGTIDSet reads the text form: uuid:interval[:interval]…[,uuid:…]…, an
// interval being n or n-m, where a tag may stand before the intervals it
// applies to (MySQL 8.3). Blanks and line breaks between the parts, empty parts
// and upper case are accepted as MySQL accepts them. The number 0, which Canal
// records for anonymous transactions, is accepted and ignored.
func ParseGTIDSet(text string) (*GTIDSet, error) {
	s := new(GTIDSet)
	parts := 0
	for part := range strings.SplitSeq(text, ",") {
		if strings.TrimSpace(part) != "" {
			parts++
		}
	}
	if parts > 0 {
		s.table.init(parts)
	}
	for part := range strings.SplitSeq(text, ",") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		if err := s.parseServer(part); err != nil {
			return nil, fmt.Errorf("GTID set: %w", err)
		}
	}
	for _, server := range s.order {
		server.normalize()
	}
	return s, nil
}

// parseServer adds one uuid:… part; the intervals are not yet normalized.
func (s *GTIDSet) parseServer(part string) error {
	head, rest, found := strings.Cut(part, ":")
	if !found {
		return fmt.Errorf("%q: no interval", part)
	}
	uuid, err := ParseUUID(strings.TrimSpace(head))
	if err != nil {
		return err
	}
	tag := ""
	for item := range strings.SplitSeq(rest, ":") {
		item = strings.ToLower(strings.TrimSpace(item))
		if item == "" {
			continue
		}
		if item[0] < '0' || item[0] > '9' {
			if !validTag(item) {
				return fmt.Errorf("%s: %q is neither an interval nor a tag", uuid, item)
			}
			tag = item
			continue
		}
		iv, err := parseInterval(item)
		if err != nil {
			return fmt.Errorf("%s: %w", uuid, err)
		}
		if iv.start == 0 {
			continue
		}
		t := s.server(uuid).tag(tag)
		t.intervals = append(t.intervals, iv)
	}
	return nil
}

// parseInterval reads n or n-m; the single 0 gives {0, 1}.
func parseInterval(text string) (interval, error) {
	first, last, isRange := strings.Cut(text, "-")
	start, err := strconv.ParseInt(strings.TrimSpace(first), 10, 64)
	if err != nil {
		return interval{}, fmt.Errorf("interval %q: %w", text, err)
	}
	end := start
	if isRange {
		if end, err = strconv.ParseInt(strings.TrimSpace(last), 10, 64); err != nil {
			return interval{}, fmt.Errorf("interval %q: %w", text, err)
		}
	}
	if start < 0 || start == 0 && isRange || end < start || end > maxGNO {
		return interval{}, fmt.Errorf("interval %q: out of range", text)
	}
	return interval{start, end + 1}, nil
}

// server finds or makes the part of a server.
func (s *GTIDSet) server(uuid UUID) *serverSet {
	if server := s.index[uuid]; server != nil {
		return server
	}
	server := &serverSet{uuid: uuid, hash: javaHash(uuid.String())}
	s.insert(server)
	s.table.grow(len(s.order))
	return server
}

// insert puts a server that is not yet there at the end of the order.
func (s *GTIDSet) insert(server *serverSet) {
	if s.index == nil {
		s.index = make(map[UUID]*serverSet)
	}
	s.index[server.uuid] = server
	s.order = append(s.order, server)
	s.sorted = nil
}

// tag finds or makes the part of a tag.
func (server *serverSet) tag(tag string) *tagSet {
	i, found := slices.BinarySearchFunc(server.tags, tag, func(t tagSet, tag string) int { return cmp.Compare(t.tag, tag) })
	if !found {
		server.tags = slices.Insert(server.tags, i, tagSet{tag: tag})
	}
	return &server.tags[i]
}

func (server *serverSet) normalize() {
	for i := range server.tags {
		server.tags[i].intervals = normalize(server.tags[i].intervals)
	}
}

// normalize sorts intervals and joins those that overlap or touch.
func normalize(ivs []interval) []interval {
	slices.SortFunc(ivs, func(a, b interval) int { return cmp.Compare(a.start, b.start) })
	out := ivs[:0]
	for _, iv := range ivs {
		if n := len(out); n > 0 && iv.start <= out[n-1].stop {
			out[n-1].stop = max(out[n-1].stop, iv.stop)
		} else {
			out = append(out, iv)
		}
	}
	return out
}

// Add puts a transaction into the set. An anonymous one (sequence 0) is ignored.
func (s *GTIDSet) Add(g GTID) {
	if g.Sequence <= 0 || g.Sequence > maxGNO {
		return
	}
	t := s.server(g.UUID).tag(g.Tag)
	if n := len(t.intervals); n > 0 && t.intervals[n-1].stop == g.Sequence { // the usual case
		t.intervals[n-1].stop++
		return
	}
	t.add(interval{g.Sequence, g.Sequence + 1})
}

// AddSet puts all transactions of o into s.
func (s *GTIDSet) AddSet(o *GTIDSet) {
	for _, from := range o.order {
		to := s.server(from.uuid)
		for _, t := range from.tags {
			into := to.tag(t.tag)
			into.intervals = normalize(append(into.intervals, t.intervals...))
		}
	}
}

// add puts one interval in its place and joins it with its neighbours.
func (t *tagSet) add(iv interval) {
	lo, _ := slices.BinarySearchFunc(t.intervals, iv.start, func(x interval, start int64) int { return cmp.Compare(x.stop, start) })
	hi := lo
	for hi < len(t.intervals) && t.intervals[hi].start <= iv.stop {
		iv.start = min(iv.start, t.intervals[hi].start)
		iv.stop = max(iv.stop, t.intervals[hi].stop)
		hi++
	}
	t.intervals = slices.Replace(t.intervals, lo, hi, iv)
}

// Contains reports whether the transaction is in the set.
func (s *GTIDSet) Contains(g GTID) bool {
	return g.Sequence > 0 && s.containsInterval(g.UUID, g.Tag, interval{g.Sequence, g.Sequence + 1})
}

// ContainsSet reports whether every transaction of o is in s.
func (s *GTIDSet) ContainsSet(o *GTIDSet) bool {
	for _, server := range o.order {
		for _, t := range server.tags {
			for _, iv := range t.intervals {
				if !s.containsInterval(server.uuid, t.tag, iv) {
					return false
				}
			}
		}
	}
	return true
}

func (s *GTIDSet) containsInterval(uuid UUID, tag string, iv interval) bool {
	server := s.index[uuid]
	if server == nil {
		return false
	}
	for _, t := range server.tags {
		if t.tag != tag {
			continue
		}
		i, found := slices.BinarySearchFunc(t.intervals, iv.start, func(x interval, start int64) int { return cmp.Compare(x.start, start) })
		if !found {
			i--
		}
		return i >= 0 && iv.stop <= t.intervals[i].stop
	}
	return false
}

// Equal reports whether both sets hold the same transactions.
func (s *GTIDSet) Equal(o *GTIDSet) bool { return s.ContainsSet(o) && o.ContainsSet(s) }

// IsEmpty reports whether the set holds no transaction.
func (s *GTIDSet) IsEmpty() bool { return len(s.order) == 0 }

// Tagged reports whether any transaction in the set has a tag. Servers before
// MySQL 8.3 do not understand such a set.
func (s *GTIDSet) Tagged() bool {
	return slices.ContainsFunc(s.order, func(server *serverSet) bool { return server.tags[len(server.tags)-1].tag != "" })
}

// Clone returns a copy that shares nothing with s and prints in the same order.
func (s *GTIDSet) Clone() *GTIDSet {
	c := &GTIDSet{table: s.table}
	for _, server := range s.order {
		copied := &serverSet{uuid: server.uuid, hash: server.hash, tags: slices.Clone(server.tags)}
		for j := range copied.tags {
			copied.tags[j].intervals = slices.Clone(copied.tags[j].intervals)
		}
		c.insert(copied)
	}
	return c
}

// String is the text form in Canal's order; "" for the empty set.
func (s *GTIDSet) String() string { return string(s.append(nil)) }

// AppendText appends the text of String.
func (s *GTIDSet) AppendText(dst []byte) ([]byte, error) { return s.append(dst), nil }

func (s *GTIDSet) append(dst []byte) []byte {
	if s.sorted == nil {
		s.sorted = slices.Clone(s.order)
		slices.SortStableFunc(s.sorted, func(a, b *serverSet) int { return cmp.Compare(s.table.bucket(a.hash), s.table.bucket(b.hash)) })
	}
	for i, server := range s.sorted {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = server.append(dst)
	}
	return dst
}

func (server *serverSet) append(dst []byte) []byte {
	dst = server.uuid.append(dst)
	for _, t := range server.tags {
		if t.tag != "" {
			dst = append(append(dst, ':'), t.tag...)
		}
		for _, iv := range t.intervals {
			dst = strconv.AppendInt(append(dst, ':'), iv.start, 10)
			if iv.stop > iv.start+1 {
				dst = strconv.AppendInt(append(dst, '-'), iv.stop-1, 10)
			}
		}
	}
	return dst
}

// The two encodings of a set (Gtid_set::encode): the one of all versions has a
// count of servers in its first eight bytes. The one with tags, used when
// there are any, has the format's number in the first and the last of them
// and the count in between, and a tag after each UUID.
const (
	gtidFormatTagged   = 1
	gtidTaggedCountMax = 1<<48 - 1
)

// Encode is the binary form for COM_BINLOG_DUMP_GTID, sorted by UUID and tag.
// It is the tagged form if any transaction has a tag.
func (s *GTIDSet) Encode() []byte {
	servers := slices.SortedFunc(slices.Values(s.order), func(a, b *serverSet) int { return bytes.Compare(a.uuid[:], b.uuid[:]) })
	var count uint64
	for _, server := range servers {
		count += uint64(len(server.tags))
	}
	tagged := s.Tagged()
	if tagged {
		count = gtidFormatTagged<<56 | count<<8 | gtidFormatTagged
	}
	dst := binary.LittleEndian.AppendUint64(nil, count)
	for _, server := range servers {
		for _, t := range server.tags {
			dst = append(dst, server.uuid[:]...)
			if tagged {
				dst = append(appendVarint(dst, uint8(len(t.tag))), t.tag...)
			}
			dst = binary.LittleEndian.AppendUint64(dst, uint64(len(t.intervals)))
			for _, iv := range t.intervals {
				dst = binary.LittleEndian.AppendUint64(dst, uint64(iv.start))
				dst = binary.LittleEndian.AppendUint64(dst, uint64(iv.stop))
			}
		}
	}
	return dst
}

// ParsePreviousGTIDs reads a PREVIOUS_GTIDS_LOG_EVENT: the transactions in
// the files before the one it begins. The body is a set as Encode makes it.
func ParsePreviousGTIDs(body []byte) (*GTIDSet, error) {
	s := new(GTIDSet)
	c := newCursor(body)
	count := c.u64()
	tagged := count>>56 == gtidFormatTagged
	if tagged {
		count = count >> 8 & gtidTaggedCountMax
	}
	for ; count > 0 && !c.short; count-- {
		s.decodePart(&c, tagged)
	}
	if err := c.err("previous gtids event"); err != nil {
		return nil, err
	}
	if c.len() > 0 {
		return nil, fmt.Errorf("previous gtids event: %d bytes too many", c.len())
	}
	return s, nil
}

// decodePart reads the transactions of one server and tag.
func (s *GTIDSet) decodePart(c *cursor, tagged bool) {
	var uuid UUID
	copy(uuid[:], c.bytes(16))
	tag := ""
	if tagged {
		tag = string(c.bytes(c.varint()))
	}
	n := c.u64()
	if c.short || !validTag(tag) || n > uint64(c.len())/16 {
		c.fail()
		return
	}
	if n == 0 {
		return
	}
	t := s.server(uuid).tag(tag)
	for range n {
		start, stop := c.u64(), c.u64()
		if start == 0 || stop <= start || stop > maxGNO+1 {
			c.fail()
			return
		}
		t.intervals = append(t.intervals, interval{int64(start), int64(stop)})
	}
	t.intervals = normalize(t.intervals)
}
