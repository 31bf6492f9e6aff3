package protocol

import (
	"fmt"
	"iter"

	"google.golang.org/protobuf/encoding/protowire"
)

// EntryType says what an entry's store value holds. The numbers are those of
// EntryProtocol.proto; the zero value is not a type, it stands for "absent".
type EntryType int32

// The kinds of entries. Clients see the first three only.
const (
	EntryTransactionBegin EntryType = 1
	EntryRowData          EntryType = 2
	EntryTransactionEnd   EntryType = 3
	EntryHeartbeat        EntryType = 4
	EntryGTIDLog          EntryType = 5
)

var entryTypeNames = [...]string{
	EntryTransactionBegin: "TRANSACTIONBEGIN",
	EntryRowData:          "ROWDATA",
	EntryTransactionEnd:   "TRANSACTIONEND",
	EntryHeartbeat:        "HEARTBEAT",
	EntryGTIDLog:          "GTIDLOG",
}

// String is the type's name in EntryProtocol.proto.
func (t EntryType) String() string { return enumName(entryTypeNames[:], "EntryType", int32(t)) }

// EventType says what happened to the table or schema an entry names. The
// numbers are those of EntryProtocol.proto; the zero value is not a type.
type EventType int32

// The kinds of changes.
const (
	EventInsert      EventType = 1
	EventUpdate      EventType = 2
	EventDelete      EventType = 3
	EventCreate      EventType = 4
	EventAlter       EventType = 5
	EventErase       EventType = 6 // DROP TABLE
	EventQuery       EventType = 7 // any other statement
	EventTruncate    EventType = 8
	EventRename      EventType = 9
	EventCreateIndex EventType = 10
	EventDropIndex   EventType = 11
	EventGTID        EventType = 12
	EventXACommit    EventType = 13
	EventXARollback  EventType = 14
	EventMHeartbeat  EventType = 15 // the source is idle; never reaches a client
)

var eventTypeNames = [...]string{
	EventInsert:      "INSERT",
	EventUpdate:      "UPDATE",
	EventDelete:      "DELETE",
	EventCreate:      "CREATE",
	EventAlter:       "ALTER",
	EventErase:       "ERASE",
	EventQuery:       "QUERY",
	EventTruncate:    "TRUNCATE",
	EventRename:      "RENAME",
	EventCreateIndex: "CINDEX",
	EventDropIndex:   "DINDEX",
	EventGTID:        "GTID",
	EventXACommit:    "XACOMMIT",
	EventXARollback:  "XAROLLBACK",
	EventMHeartbeat:  "MHEARTBEAT",
}

// String is the type's name in EntryProtocol.proto.
func (t EventType) String() string { return enumName(eventTypeNames[:], "EventType", int32(t)) }

// SourceType names the kind of database a change came from.
type SourceType int32

// The kinds of databases.
const (
	SourceOracle SourceType = 1
	SourceMySQL  SourceType = 2
	SourcePGSQL  SourceType = 3
)

var sourceTypeNames = [...]string{SourceOracle: "ORACLE", SourceMySQL: "MYSQL", SourcePGSQL: "PGSQL"}

// String is the type's name in EntryProtocol.proto.
func (t SourceType) String() string { return enumName(sourceTypeNames[:], "Type", int32(t)) }

// enumName is the name of number n in names, or kind(n) when it has none.
func enumName(names []string, kind string, n int32) string {
	if known(names, uint64(n)) {
		return names[n]
	}
	return fmt.Sprintf("%s(%d)", kind, n)
}

// known says whether an enum value read off the wire has a name. Enums are 32
// bits wide: a longer varint is cut, as protobuf implementations do.
func known(names []string, v uint64) bool {
	n := int32(v)
	return n > 0 && int(n) < len(names)
}

// presence remembers which fields of a message were on the wire, one bit for
// each field number below 16.
type presence uint16

func (p *presence) set(n protowire.Number)     { *p |= 1 << n }
func (p presence) has(n protowire.Number) bool { return p>>n&1 != 0 }

// Entry is a read-only view of one entry's bytes: a transaction's begin or end,
// or the changes one statement made to one table. The view, and everything
// taken from it except strings, aliases those bytes: they must stay as they are
// while it is in use.
//
// Absent fields read as Canal's Java classes read them. Those are proto2 with
// defaults of their own, so an entry without a type is a ROWDATA and a change
// without an event type is an UPDATE; enum numbers that have no name count as
// absent. Text that is not UTF-8 is kept; accessors that return a string put
// U+FFFD where Java would.
type Entry struct {
	raw        []byte
	storeValue []byte
	header     Header
	entryType  EntryType
	has        presence
}

// ParseEntry reads an entry and its header. The store value is left alone until
// RowChange, TransactionBegin or TransactionEnd is called. It fails when the
// bytes are not a protobuf message; unknown fields are skipped.
func ParseEntry(b []byte) (Entry, error) {
	e := Entry{raw: b, entryType: EntryRowData}
	f := fields{rest: b}
	for f.next() {
		switch f.tag() {
		case 1<<3 | wireBytes:
			if err := e.header.merge(f.bytes); err != nil {
				return Entry{}, fmt.Errorf("parse entry header: %w", err)
			}
			e.has.set(1)
		case 2<<3 | wireVarint:
			if known(entryTypeNames[:], f.varint) {
				e.entryType = EntryType(f.varint)
				e.has.set(2)
			}
		case 3<<3 | wireBytes:
			e.storeValue = f.bytes
			e.has.set(3)
		}
	}
	if f.err != nil {
		return Entry{}, fmt.Errorf("parse entry: %w", f.err)
	}
	return e, nil
}

// Raw is the bytes the entry was read from.
func (e *Entry) Raw() []byte { return e.raw }

// Header is the entry's header; all defaults if there was none.
func (e *Entry) Header() *Header { return &e.header }

// EntryType is the kind of entry, ROWDATA if absent.
func (e *Entry) EntryType() EntryType { return e.entryType }

// HasEntryType says whether the kind was on the wire.
func (e *Entry) HasEntryType() bool { return e.has.has(2) }

// StoreValue is the serialized message that EntryType names.
func (e *Entry) StoreValue() []byte { return e.storeValue }

// RowChange reads the store value of a ROWDATA entry.
func (e *Entry) RowChange() (RowChange, error) { return ParseRowChange(e.storeValue) }

// TransactionBegin reads the store value of a TRANSACTIONBEGIN entry.
func (e *Entry) TransactionBegin() (TransactionBegin, error) {
	return ParseTransactionBegin(e.storeValue)
}

// TransactionEnd reads the store value of a TRANSACTIONEND entry.
func (e *Entry) TransactionEnd() (TransactionEnd, error) { return ParseTransactionEnd(e.storeValue) }

// Header says where an entry comes from.
type Header struct {
	raw           []byte
	logfileName   []byte
	serverenCode  []byte
	schemaName    []byte
	tableName     []byte
	gtid          []byte
	logfileOffset int64
	serverID      int64
	executeTime   int64
	eventLength   int64
	version       int32
	sourceType    SourceType
	eventType     EventType
	has           presence
}

// merge reads b over what the header holds already: protobuf merges a message
// field that occurs more than once.
func (h *Header) merge(b []byte) error {
	h.raw = mergeRaw(h.raw, b)
	f := fields{rest: b}
	for f.next() {
		switch f.tag() {
		case 1<<3 | wireVarint:
			h.version = int32(f.varint)
		case 2<<3 | wireBytes:
			h.logfileName = f.bytes
		case 3<<3 | wireVarint:
			h.logfileOffset = int64(f.varint)
		case 4<<3 | wireVarint:
			h.serverID = int64(f.varint)
		case 5<<3 | wireBytes:
			h.serverenCode = f.bytes
		case 6<<3 | wireVarint:
			h.executeTime = int64(f.varint)
		case 7<<3 | wireVarint:
			if !known(sourceTypeNames[:], f.varint) {
				continue
			}
			h.sourceType = SourceType(f.varint)
		case 8<<3 | wireBytes:
			h.schemaName = f.bytes
		case 9<<3 | wireBytes:
			h.tableName = f.bytes
		case 10<<3 | wireVarint:
			h.eventLength = int64(f.varint)
		case 11<<3 | wireVarint:
			if !known(eventTypeNames[:], f.varint) {
				continue
			}
			h.eventType = EventType(f.varint)
		case 12<<3 | wireBytes:
			if err := validPair(f.bytes); err != nil {
				return err
			}
		case 13<<3 | wireBytes:
			h.gtid = f.bytes
		default:
			continue
		}
		h.has.set(f.num)
	}
	return f.err
}

// Version is the header's version, 1 if absent.
func (h *Header) Version() int32 {
	if !h.has.has(1) {
		return 1
	}
	return h.version
}

// LogfileName is the binlog file of the change.
func (h *Header) LogfileName() string { return names.text(h.logfileName) }

// LogfileOffset is where the change's binlog event starts in its file, in bytes.
func (h *Header) LogfileOffset() int64 { return h.logfileOffset }

// ServerID is the id of the database server that made the change.
func (h *Header) ServerID() int64 { return h.serverID }

// ServerenCode is the encoding of the entry's text; servers always say UTF-8.
func (h *Header) ServerenCode() string { return javaString(h.serverenCode) }

// ExecuteTime is when the change was made, in milliseconds since 1970 UTC.
// MySQL records whole seconds.
func (h *Header) ExecuteTime() int64 { return h.executeTime }

// SourceType is the kind of database, MYSQL if absent.
func (h *Header) SourceType() SourceType {
	if !h.has.has(7) {
		return SourceMySQL
	}
	return h.sourceType
}

// SchemaName is the schema (database) changed, "" where none is meant.
func (h *Header) SchemaName() string { return names.text(h.schemaName) }

// TableName is the table changed, "" where none is meant.
func (h *Header) TableName() string { return names.text(h.tableName) }

// EventLength is the length of the binlog event in bytes.
func (h *Header) EventLength() int64 { return h.eventLength }

// EventType is what happened, UPDATE if absent: see HasEventType.
func (h *Header) EventType() EventType {
	if !h.has.has(11) {
		return EventUpdate
	}
	return h.eventType
}

// HasEventType says whether the event type was on the wire. Transaction begins
// and ends have none.
func (h *Header) HasEventType() bool { return h.has.has(11) }

// GTID is the executed GTID set up to the change, "" if the server did not send it.
func (h *Header) GTID() string { return javaString(h.gtid) }

// Props are the header's properties, such as curtGtid and rowsCount.
func (h *Header) Props() iter.Seq[Pair] {
	return func(yield func(Pair) bool) { eachPair(h.raw, 12<<3|wireBytes, yield) }
}

// Prop is the value of the first property with the given key.
func (h *Header) Prop(key string) (string, bool) { return findProp(h.raw, 12<<3|wireBytes, key) }

// RowChange is what a ROWDATA entry holds: changed rows, or a statement.
type RowChange struct {
	raw           []byte
	sql           []byte
	ddlSchemaName []byte
	tableID       int64
	rows          int
	eventType     EventType
	isDDL         bool
	has           presence
}

// ParseRowChange reads a RowChange message. All of it is checked here, so that
// walking over rows and columns afterwards cannot fail.
func ParseRowChange(b []byte) (RowChange, error) {
	c := RowChange{raw: b, eventType: EventUpdate}
	f := fields{rest: b}
	for f.next() {
		switch f.tag() {
		case 1<<3 | wireVarint:
			c.tableID = int64(f.varint)
		case 2<<3 | wireVarint:
			if !known(eventTypeNames[:], f.varint) {
				continue
			}
			c.eventType = EventType(f.varint)
		case 10<<3 | wireVarint:
			c.isDDL = f.varint != 0
		case 11<<3 | wireBytes:
			c.sql = f.bytes
		case 12<<3 | wireBytes:
			if err := validRow(f.bytes); err != nil {
				return RowChange{}, fmt.Errorf("parse row %d: %w", c.rows, err)
			}
			c.rows++
		case 13<<3 | wireBytes:
			if err := validPair(f.bytes); err != nil {
				return RowChange{}, fmt.Errorf("parse row change: %w", err)
			}
		case 14<<3 | wireBytes:
			c.ddlSchemaName = f.bytes
		default:
			continue
		}
		c.has.set(f.num)
	}
	if f.err != nil {
		return RowChange{}, fmt.Errorf("parse row change: %w", f.err)
	}
	return c, nil
}

// TableID is the number the source gave the table in this binlog event.
func (c *RowChange) TableID() int64 { return c.tableID }

// EventType is what happened, UPDATE if absent.
func (c *RowChange) EventType() EventType { return c.eventType }

// HasEventType says whether the event type was on the wire.
func (c *RowChange) HasEventType() bool { return c.has.has(2) }

// IsDDL says that the change is a statement that defines data.
func (c *RowChange) IsDDL() bool { return c.isDDL }

// SQL is the statement, "" for changed rows.
func (c *RowChange) SQL() string { return javaString(c.sql) }

// DDLSchemaName is the current schema of the session that ran the statement.
func (c *RowChange) DDLSchemaName() string { return javaString(c.ddlSchemaName) }

// NumRows is the number of changed rows.
func (c *RowChange) NumRows() int { return c.rows }

// Rows are the changed rows, in order.
func (c *RowChange) Rows() iter.Seq[RowData] {
	return func(yield func(RowData) bool) { eachRow(c.raw, yield) }
}

// Props are the change's properties; an XA commit or rollback has XA_TYPE and XA_XID.
func (c *RowChange) Props() iter.Seq[Pair] {
	return func(yield func(Pair) bool) { eachPair(c.raw, 13<<3|wireBytes, yield) }
}

// Prop is the value of the first property with the given key.
func (c *RowChange) Prop(key string) (string, bool) { return findProp(c.raw, 13<<3|wireBytes, key) }

func eachRow(raw []byte, yield func(RowData) bool) {
	for f := (fields{rest: raw}); f.next(); {
		if f.tag() == 12<<3|wireBytes && !yield(RowData{raw: f.bytes}) {
			return
		}
	}
}

// RowData is one changed row: its columns before the change (UPDATE and DELETE)
// and after it (INSERT and UPDATE). With a binlog row image other than FULL
// either list may lack columns.
type RowData struct{ raw []byte }

// validRow checks a RowData message and all that is in it.
func validRow(b []byte) error {
	f := fields{rest: b}
	for f.next() {
		switch f.tag() {
		case 1<<3 | wireBytes, 2<<3 | wireBytes:
			if err := validColumn(f.bytes); err != nil {
				return err
			}
		case 3<<3 | wireBytes:
			if err := validPair(f.bytes); err != nil {
				return err
			}
		}
	}
	return f.err
}

// Before are the columns as they were.
func (r RowData) Before() iter.Seq[Column] {
	return func(yield func(Column) bool) { eachColumn(r.raw, 1<<3|wireBytes, yield) }
}

// After are the columns as they are now.
func (r RowData) After() iter.Seq[Column] {
	return func(yield func(Column) bool) { eachColumn(r.raw, 2<<3|wireBytes, yield) }
}

// BeforeColumn is the column of that name as it was; false if the row has none.
func (r RowData) BeforeColumn(name string) (Column, bool) {
	return findColumn(r.raw, 1<<3|wireBytes, name)
}

// AfterColumn is the column of that name as it is now; false if the row has none.
func (r RowData) AfterColumn(name string) (Column, bool) {
	return findColumn(r.raw, 2<<3|wireBytes, name)
}

// Props are the row's properties; servers send none so far.
func (r RowData) Props() iter.Seq[Pair] {
	return func(yield func(Pair) bool) { eachPair(r.raw, 3<<3|wireBytes, yield) }
}

func eachColumn(raw []byte, tag uint64, yield func(Column) bool) {
	for f := (fields{rest: raw}); f.next(); {
		if f.tag() != tag {
			continue
		}
		var c Column
		if c.parse(f.bytes) != nil || !yield(c) {
			return
		}
	}
}

func findColumn(raw []byte, tag uint64, name string) (found Column, ok bool) {
	eachColumn(raw, tag, func(c Column) bool {
		if string(c.name) == name {
			found, ok = c, true
		}
		return !ok
	})
	return found, ok
}

// TransactionBegin is the store value of a TRANSACTIONBEGIN entry.
type TransactionBegin struct {
	raw           []byte
	transactionID []byte
	executeTime   int64
	threadID      int64
	has           presence
}

// ParseTransactionBegin reads a TransactionBegin message.
func ParseTransactionBegin(b []byte) (TransactionBegin, error) {
	t := TransactionBegin{raw: b}
	f := fields{rest: b}
	for f.next() {
		switch f.tag() {
		case 1<<3 | wireVarint:
			t.executeTime = int64(f.varint)
		case 2<<3 | wireBytes:
			t.transactionID = f.bytes
		case 3<<3 | wireBytes:
			if err := validPair(f.bytes); err != nil {
				return TransactionBegin{}, fmt.Errorf("parse transaction begin: %w", err)
			}
		case 4<<3 | wireVarint:
			t.threadID = int64(f.varint)
		default:
			continue
		}
		t.has.set(f.num)
	}
	if f.err != nil {
		return TransactionBegin{}, fmt.Errorf("parse transaction begin: %w", f.err)
	}
	return t, nil
}

// ThreadID is the connection id, on the source, of the session that made the transaction.
func (t *TransactionBegin) ThreadID() int64 { return t.threadID }

// Props are the transaction's properties; an XA START has XA_TYPE and XA_XID.
func (t *TransactionBegin) Props() iter.Seq[Pair] {
	return func(yield func(Pair) bool) { eachPair(t.raw, 3<<3|wireBytes, yield) }
}

// Prop is the value of the first property with the given key.
func (t *TransactionBegin) Prop(key string) (string, bool) {
	return findProp(t.raw, 3<<3|wireBytes, key)
}

// TransactionEnd is the store value of a TRANSACTIONEND entry.
type TransactionEnd struct {
	raw           []byte
	transactionID []byte
	executeTime   int64
	has           presence
}

// ParseTransactionEnd reads a TransactionEnd message.
func ParseTransactionEnd(b []byte) (TransactionEnd, error) {
	t := TransactionEnd{raw: b}
	f := fields{rest: b}
	for f.next() {
		switch f.tag() {
		case 1<<3 | wireVarint:
			t.executeTime = int64(f.varint)
		case 2<<3 | wireBytes:
			t.transactionID = f.bytes
		case 3<<3 | wireBytes:
			if err := validPair(f.bytes); err != nil {
				return TransactionEnd{}, fmt.Errorf("parse transaction end: %w", err)
			}
		default:
			continue
		}
		t.has.set(f.num)
	}
	if f.err != nil {
		return TransactionEnd{}, fmt.Errorf("parse transaction end: %w", f.err)
	}
	return t, nil
}

// TransactionID is the source's transaction id (XID) in decimal, "0" where it has none.
func (t *TransactionEnd) TransactionID() string { return javaString(t.transactionID) }

// Props are the transaction's properties; an XA END has XA_TYPE and XA_XID.
func (t *TransactionEnd) Props() iter.Seq[Pair] {
	return func(yield func(Pair) bool) { eachPair(t.raw, 3<<3|wireBytes, yield) }
}

// Prop is the value of the first property with the given key.
func (t *TransactionEnd) Prop(key string) (string, bool) {
	return findProp(t.raw, 3<<3|wireBytes, key)
}

// Pair is one property.
type Pair struct {
	key, value []byte
	has        presence
}

// Key is the property's name.
func (p Pair) Key() string { return names.text(p.key) }

// Value is the property's value.
func (p Pair) Value() string { return javaString(p.value) }

func (p *Pair) parse(b []byte) error {
	f := fields{rest: b}
	for f.next() {
		switch f.tag() {
		case 1<<3 | wireBytes:
			p.key = f.bytes
			p.has.set(1)
		case 2<<3 | wireBytes:
			p.value = f.bytes
			p.has.set(2)
		}
	}
	return f.err
}

func validPair(b []byte) error {
	var p Pair
	if err := p.parse(b); err != nil {
		return fmt.Errorf("parse property: %w", err)
	}
	return nil
}

func eachPair(raw []byte, tag uint64, yield func(Pair) bool) {
	for f := (fields{rest: raw}); f.next(); {
		if f.tag() != tag {
			continue
		}
		var p Pair
		if p.parse(f.bytes) != nil || !yield(p) {
			return
		}
	}
}

func findProp(raw []byte, tag uint64, key string) (value string, ok bool) {
	eachPair(raw, tag, func(p Pair) bool {
		if string(p.key) == key {
			value, ok = p.Value(), true
		}
		return !ok
	})
	return value, ok
}

// mergeRaw appends more to raw without writing into memory that raw aliases.
func mergeRaw(raw, more []byte) []byte {
	if raw == nil {
		return more
	}
	return append(raw[:len(raw):len(raw)], more...)
}

// The wire types a field of an entry can have.
const (
	wireVarint = uint64(protowire.VarintType)
	wireBytes  = uint64(protowire.BytesType)
)

// tag is the field's number and wire type in one. A known number with another
// wire type than its field's matches no case: it counts as unknown.
func (f *fields) tag() uint64 { return uint64(f.num)<<3 | uint64(f.typ) }
