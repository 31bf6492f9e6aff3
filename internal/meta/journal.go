package meta

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"io"
	"strconv"
	"strings"
	"time"
)

// The file beside meta.dat has two uses. Its first line is a checksum of
// meta.dat, with the clients whose cursors are Whole. The lines after it are a
// journal of the cursors that have moved since meta.dat was written: they go to
// the file as each ack comes, one write without waiting for the disk, so that
// even a server that is killed knows what its clients have confirmed. Java
// servers know nothing of this file; one that ran in between has changed
// meta.dat, and then the checksum does not match and the journal is void.

// checksum is the first line.
type checksum struct {
	crc      uint32 // CRC-32C of the content of meta.dat
	size     int    // bytes of it
	modified int64  // when this program wrote it, nanoseconds since the epoch
	whole    []int16
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func newChecksum(content []byte, modified time.Time, records []Record) checksum {
	return checksum{
		crc: crc32.Checksum(content, castagnoli), size: len(content), modified: modified.UnixNano(), whole: wholeClients(records)}
}

// wholeClients are the clients whose cursors are Whole.
func wholeClients(records []Record) (ids []int16) {
	for _, r := range records {
		if r.HasCursor && r.Cursor.Whole {
			ids = append(ids, r.Client.ID)
		}
	}
	return ids
}

func (c checksum) matches(content []byte) bool {
	return c.size == len(content) && c.crc == crc32.Checksum(content, castagnoli)
}

const checksumFormat = "crc32c=%08x size=%d mtime=%d"

func (c checksum) append(dst []byte) []byte {
	dst = fmt.Appendf(dst, checksumFormat, c.crc, c.size, c.modified)
	for i, id := range c.whole {
		sep := ","
		if i == 0 {
			sep = " whole="
		}
		dst = strconv.AppendInt(append(dst, sep...), int64(id), 10)
	}
	return append(dst, '\n')
}

// parseChecksum reads the first line, without its end; ok is false when it is not one.
func parseChecksum(line []byte) (c checksum, ok bool) {
	fixed, ids, hasWhole := strings.Cut(string(line), " whole=")
	if _, err := fmt.Sscanf(fixed, checksumFormat, &c.crc, &c.size, &c.modified); err != nil {
		return checksum{}, false
	}
	if hasWhole {
		for id := range strings.SplitSeq(ids, ",") {
			n, err := strconv.ParseInt(id, 10, 16)
			if err != nil {
				return checksum{}, false
			}
			c.whole = append(c.whole, int16(n))
		}
	}
	return c, bytes.Equal(c.append(nil), append(bytes.Clone(line), '\n'))
}

// appendMove appends a line of the journal: client id, whether the cursor is
// Whole, the cursor.
func appendMove(dst []byte, id int16, cur Cursor) []byte {
	dst = strconv.AppendInt(dst, int64(id), 10)
	dst = strconv.AppendBool(append(dst, ' '), cur.Whole)
	return append(AppendCursor(append(dst, ' '), cur), '\n')
}

// announcement begins a line of the journal that has the checksum of the meta.dat
// that is about to be put in place. The lines before it count for that one too:
// they say where cursors were, and it has nothing newer than the last of them.
const announcement = "next "

// announcedIn finds the announcement of a meta.dat.
func announcedIn(journal, content []byte) (sum checksum, ok bool) {
	for line := range bytes.Lines(journal) {
		text, isNext := bytes.CutPrefix(line, []byte(announcement))
		text, whole := bytes.CutSuffix(text, []byte{'\n'})
		if !isNext || !whole {
			continue
		}
		if sum, ok = parseChecksum(text); ok && sum.matches(content) {
			return sum, true
		}
	}
	return checksum{}, false
}

// replay applies the journal to the records. A line that is torn ends it: the
// program was killed, or the machine went down, while it was written.
func replay(journal []byte, records []Record) {
	for line := range bytes.Lines(journal) {
		if bytes.HasPrefix(line, []byte(announcement)) {
			continue
		}
		id, rest, ok1 := bytes.Cut(line, []byte{' '})
		flag, text, ok2 := bytes.Cut(rest, []byte{' '})
		n, err := strconv.ParseInt(string(id), 10, 16)
		whole, err2 := strconv.ParseBool(string(flag))
		if !ok1 || !ok2 || err != nil || err2 != nil || !bytes.HasSuffix(text, []byte{'\n'}) {
			return
		}
		cur, err := ParseCursor(text)
		if err != nil {
			return
		}
		cur.Whole = whole
		for i := range records {
			if records[i].Client.ID == int16(n) {
				records[i].Cursor, records[i].HasCursor = cur, true
			}
		}
	}
}

// maxJournal bounds the journal between two writes of meta.dat, in bytes. It is
// reached only when meta.dat cannot be written.
const maxJournal = 16 << 20

// journal is the open end of the file beside meta.dat. All of it is guarded by
// File.mu.
type journal struct {
	file  io.WriteCloser // nil when there is none to write to
	whole []int16        // what its first line says
	size  int
	buf   []byte // scratch
	// since are the lines that have come since the records were taken for the
	// write that is under way: the next file begins with them.
	since []byte
}

// moved notes a cursor.
func (j *journal) moved(id int16, cur Cursor) error {
	j.buf = appendMove(j.buf[:0], id, cur)
	if len(j.since) < maxJournal {
		j.since = append(j.since, j.buf...)
	}
	if j.file == nil || j.size > maxJournal {
		return nil
	}
	j.size += len(j.buf)
	if _, err := j.file.Write(j.buf); err != nil {
		_ = j.close() // the next write of meta.dat opens it again
		return fmt.Errorf("write %s: %w", SumFileName, err)
	}
	return nil
}

// announce notes the meta.dat that comes next.
func (j *journal) announce(sum checksum) error {
	if j.file == nil {
		return nil
	}
	j.buf = sum.append(append(j.buf[:0], announcement...))
	if _, err := j.file.Write(j.buf); err != nil {
		_ = j.close() // the next write of meta.dat opens it again
		return fmt.Errorf("write %s: %w", SumFileName, err)
	}
	return nil
}

func (j *journal) close() error {
	if j.file == nil {
		return nil
	}
	f := j.file
	j.file, j.size = nil, 0
	return f.Close()
}
