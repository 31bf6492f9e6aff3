package binlog

import "bytes"

// Query is a QUERY_EVENT: a statement as text, which in row format means DDL
// and the borders of transactions. Its slices alias the event.
type Query struct {
	ThreadID  uint32 // connection that ran it
	ExecTime  uint32 // seconds it took
	ErrorCode uint16
	Schema    []byte // the connection's current schema, maybe empty
	SQL       []byte // to the end of the event; it may hold NUL bytes, where Canal cuts it

	// From the status variables. What a server did not write is zero.
	Flags2              uint32
	SQLMode             uint64
	ClientCollation     uint16 // of character_set_client: how SQL is encoded
	ConnectionCollation uint16
	ServerCollation     uint16
	HasCharset          bool // the three collations are known
	TimeZone            []byte
	Microseconds        uint32 // fraction of the event's timestamp
	DDLXID              uint64 // transaction id of an atomic DDL, MySQL 8.0
	MariaXID            uint64 // the same, MariaDB 10.6
	// UnknownVariable is the code of the status variable where reading stopped,
	// because its length is not known or it runs out of the block; -1 if there
	// was none. The variables after it are missing above, the rest of the
	// event is sound.
	UnknownVariable int
}

// ParseQuery reads a QUERY_EVENT. flavor decides about the status variable
// whose code two servers use differently.
func ParseQuery(body []byte, flavor Flavor) (Query, error) {
	c := newCursor(body)
	q := Query{ThreadID: c.u32(), ExecTime: c.u32(), UnknownVariable: -1}
	schemaLen := c.u8()
	q.ErrorCode = c.u16()
	status := c.bytes(uint64(c.u16()))
	q.Schema = c.bytes(uint64(schemaLen))
	c.skip(1) // NUL
	q.SQL = c.rest()
	if err := c.err("query event"); err != nil {
		return Query{}, err
	}
	q.readStatus(status, flavor)
	return q, nil
}

// Status variable codes: Q_* in MySQL's statement_events.h, 128 and up are
// MariaDB's, Percona's and PolarDB-X's.
const (
	statusFlags2               = 0
	statusSQLMode              = 1
	statusCatalog              = 2
	statusAutoIncrement        = 3
	statusCharset              = 4
	statusTimeZone             = 5
	statusCatalogNZ            = 6
	statusLCTimeNames          = 7
	statusCharsetDatabase      = 8
	statusTableMapForUpdate    = 9
	statusMasterDataWritten    = 10
	statusInvoker              = 11
	statusUpdatedDBNames       = 12
	statusMicroseconds         = 13
	statusCommitTS             = 14
	statusCommitTS2            = 15
	statusExplicitDefaultsTS   = 16
	statusDDLXID               = 17
	statusUTF8MB4Collation     = 18
	statusRequirePrimaryKey    = 19
	statusTableEncryption      = 20
	statusFlashbackArea        = 21  // PolarDB-X; Percona Server: DDL_SKIP_REWRITE; MySQL 9.7 has one of a byte too, in statements that change rows
	statusIndexFormatGPP       = 22  // PolarDB-X
	statusHRNow                = 128 // MariaDB; Percona Server: WSREP_SKIP_READONLY_CHECKS
	statusMariaXID             = 129
	statusGTIDFlags3           = 130
	statusCharsetCollations    = 131
	statusLizardCommitGCN      = 200 // PolarDB-X, as are those below
	statusLizardPrepareGCN     = 201
	statusIndexFormatSPC       = 252
	statusIndexFormatHippo     = 253
	statusRecycleBinTableName  = 254
	statusIndexFormatPanda     = 255
	updatedDBsTooMany          = 254   // OVER_MAX_DBS_IN_EVENT_MTS: no names follow
	gtidFlags3AlterEnd         = 4 | 8 // FL_COMMIT_ALTER_E1 | FL_ROLLBACK_ALTER_E1: a sequence number follows
	charsetCollationEntryBytes = 4
)

// readStatus takes the status variables apart until the first that it does not know.
func (q *Query) readStatus(block []byte, flavor Flavor) {
	c := newCursor(block)
	for c.len() > 0 {
		code := c.u8()
		if !q.readVariable(&c, code, flavor) || c.short {
			q.UnknownVariable = int(code)
			return
		}
	}
}

// readVariable reads the value of one status variable; false if its length is not known.
func (q *Query) readVariable(c *cursor, code uint8, flavor Flavor) bool {
	switch code {
	case statusFlags2:
		q.Flags2 = c.u32()
	case statusSQLMode:
		q.SQLMode = c.u64()
	case statusCharset:
		client, connection, server := c.u16(), c.u16(), c.u16()
		if !c.short {
			q.ClientCollation, q.ConnectionCollation, q.ServerCollation, q.HasCharset = client, connection, server, true
		}
	case statusTimeZone:
		q.TimeZone = c.bytes(uint64(c.u8()))
	case statusMicroseconds:
		q.Microseconds = uint32(c.uint(3))
	case statusDDLXID:
		q.DDLXID = c.u64()
	case statusMariaXID:
		q.MariaXID = c.u64()
	default:
		return skipVariable(c, code, flavor)
	}
	return true
}

// skipVariable passes over the value of a variable that nobody needs; false
// if its length is not known.
func skipVariable(c *cursor, code uint8, flavor Flavor) bool {
	switch code {
	case statusExplicitDefaultsTS, statusRequirePrimaryKey, statusTableEncryption, statusFlashbackArea, statusIndexFormatGPP,
		statusIndexFormatSPC, statusIndexFormatHippo, statusIndexFormatPanda:
		c.skip(1)
	case statusLCTimeNames, statusCharsetDatabase, statusUTF8MB4Collation:
		c.skip(2)
	case statusAutoIncrement, statusMasterDataWritten:
		c.skip(4)
	case statusTableMapForUpdate, statusCommitTS, statusCommitTS2, statusLizardCommitGCN, statusLizardPrepareGCN:
		c.skip(8)
	case statusCatalog:
		c.skip(uint64(c.u8()) + 1)
	case statusCatalogNZ, statusRecycleBinTableName:
		c.skip(uint64(c.u8()))
	case statusInvoker:
		c.skip(uint64(c.u8())) // user
		c.skip(uint64(c.u8())) // host
	case statusUpdatedDBNames:
		skipDBNames(c)
	case statusHRNow:
		if flavor == FlavorPercona {
			c.skip(1)
		} else {
			c.skip(3)
		}
	case statusGTIDFlags3:
		if c.u8()&gtidFlags3AlterEnd != 0 {
			c.skip(8)
		}
	case statusCharsetCollations:
		c.skip(uint64(c.u8()) * charsetCollationEntryBytes)
	default:
		return false
	}
	return true
}

// skipDBNames passes over NUL-terminated names.
func skipDBNames(c *cursor) {
	n := c.u8()
	if n == updatedDBsTooMany {
		return
	}
	for range n {
		end := bytes.IndexByte(c.data, 0)
		if end < 0 {
			c.fail()
			return
		}
		c.skip(uint64(end) + 1)
	}
}
