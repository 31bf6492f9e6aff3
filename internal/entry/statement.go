package entry

import "strconv"

// Encoder appends entries to buffers. It keeps scratch memory and width
// guesses, so it serves one goroutine at a time. Its zero value is ready.
type Encoder struct {
	header []byte // scratch
	body   []byte // scratch
	frame  []byte // scratch: what comes before a row change
	text   []byte // scratch: values whose length is known only afterwards

	lastRows, lastBody, rowWidth int // of the last rows event, as guesses for the next

	// While the images of an update are written: the before image and what columns were
	// there, and which JSON values of the after image are differences.
	before               []byte
	were                 []was
	recording, comparing bool
	partial              []byte
}

// Begin appends a TRANSACTIONBEGIN entry. xid is the text after XA START, with
// xa true, or unused.
func (e *Encoder) Begin(dst []byte, c *Context, threadID int64, xa bool, xid string) []byte {
	b := e.body[:0]
	if xa {
		b = appendPair(b, 0x1a, "XA_TYPE", "XA START")
		b = appendPair(b, 0x1a, "XA_XID", xid)
	}
	b = appendInt(b, 0x20, threadID)
	return e.finish(dst, c, names{}, NoEventType, typeTransactionBegin, b)
}

// End appends a TRANSACTIONEND entry. Canal prints the xid as a signed number
// and uses 0 where the log has none.
func (e *Encoder) End(dst []byte, c *Context, xid int64, xa bool, xaXID string) []byte {
	var digits [20]byte
	b := appendString(e.body[:0], 0x12, strconv.AppendInt(digits[:0], xid, 10))
	if xa {
		b = appendPair(b, 0x1a, "XA_TYPE", "XA END")
		b = appendPair(b, 0x1a, "XA_XID", xaXID)
	}
	return e.finish(dst, c, names{}, NoEventType, typeTransactionEnd, b)
}

// XA appends the entry of an XA COMMIT or XA ROLLBACK statement.
func (e *Encoder) XA(dst []byte, c *Context, t EventType, sql, xid string) []byte {
	kind := "XA COMMIT"
	if t == XARollback {
		kind = "XA ROLLBACK"
	}
	b := append(e.body[:0], 0x10, byte(t))
	b = appendString(b, 0x5a, sql)
	b = appendPair(b, 0x6a, "XA_TYPE", kind)
	b = appendPair(b, 0x6a, "XA_XID", xid)
	return e.finish(dst, c, names{}, t, typeRowData, b)
}

// Statement is a statement that the log carries as text: a DDL, or DML in
// statement format.
type Statement struct {
	Type              EventType
	Schema, Table     string
	NoSchema, NoTable bool // Canal knows no such name and leaves the field out
	SQL               string
	CurrentSchema     string // "" when the session had none
}

// Statement appends the entry of a statement. Everything but INSERT, UPDATE
// and DELETE counts as DDL for Canal.
func (e *Encoder) Statement(dst []byte, c *Context, s *Statement) []byte {
	isDDL := byte(1)
	if s.Type == Insert || s.Type == Update || s.Type == Delete {
		isDDL = 0
	}
	b := append(e.body[:0], 0x10, byte(s.Type), 0x50, isDDL)
	b = appendString(b, 0x5a, s.SQL)
	if s.CurrentSchema != "" {
		b = appendString(b, 0x72, s.CurrentSchema)
	}
	return e.finish(dst, c, names{s.Schema, s.Table, s.NoSchema, s.NoTable}, s.Type, typeRowData, b)
}

// QueryText appends the entry of a statement that only comments on what
// follows: ROWS_QUERY, ANNOTATE_ROWS, user variables and the like. table is
// left out of the header when noTable is set.
func (e *Encoder) QueryText(dst []byte, c *Context, sql, table string, noTable bool) []byte {
	b := append(e.body[:0], 0x10, byte(Query))
	b = appendString(b, 0x5a, sql)
	return e.finish(dst, c, names{table: table, noTable: noTable}, Query, typeRowData, b)
}

// finish appends the framed entry whose storeValue is body, which is scratch
// memory of e.
func (e *Encoder) finish(dst []byte, c *Context, n names, t EventType, entryType byte, body []byte) []byte {
	e.header = appendHeader(e.header[:0], c, n, t, 0)
	dst = appendFrame(dst, e.header, entryType, len(body))
	dst = append(dst, body...)
	e.body = reuse(body)
	return dst
}

// appendFrame appends everything of a framed entry that comes before the bytes
// of its storeValue, which are storeLen long.
func appendFrame(dst, header []byte, entryType byte, storeLen int) []byte {
	n := EntrySize(len(header), storeLen)
	dst = appendVarint(append(dst, 0x12), uint64(n))
	dst = appendString(dst, 0x0a, header)
	dst = append(dst, 0x10, entryType, 0x1a)
	return appendVarint(dst, uint64(storeLen))
}

// frameTail is how many bytes stand between the header in a frame and the length
// of its storeValue.
const frameTail = 3

// EntrySize is the length of an entry from the lengths of its header and its
// storeValue.
func EntrySize(headerLen, storeLen int) int {
	return 1 + sizeVarint(uint64(headerLen)) + headerLen + 2 + 1 + sizeVarint(uint64(storeLen)) + storeLen
}

// maxScratch bounds what an encoder keeps between events, in bytes.
const maxScratch = 256 << 10

// reuse returns b for the next event unless it has grown too big to keep.
func reuse(b []byte) []byte {
	if cap(b) > maxScratch {
		return nil
	}
	return b[:0]
}
