package protocol

import (
	"encoding/hex"
	"fmt"
	"iter"
	"strconv"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

// AppendJSON appends the canonical JSON form of an entry, one object without a
// line feed. It is made for comparing the output of different clients, so it is
// exact: the header, then entryType, then the parsed store value as begin, end or
// rowChange (in hex as storeValue for other kinds); fields in the order of
// EntryProtocol.proto and only those that were on the wire; enums by name. With
// raw the entry's bytes follow in hex. On an error dst is returned as it was.
//
// In text, '"' and '\' get a backslash; U+0000 to U+001F, U+007F to U+009F, U+2028
// and U+2029 are \uXXXX, all else stands as it is.
func AppendJSON(dst, entry []byte, raw bool) ([]byte, error) {
	e, err := ParseEntry(entry)
	if err != nil {
		return dst, err
	}
	out := append(dst, '{')
	out = e.header.appendJSON(appendKey(out, "header"))
	if e.HasEntryType() {
		out = appendQuoted(appendKey(out, "entryType"), e.entryType.String())
	}
	out, err = e.appendStoreValue(out)
	if err != nil {
		return dst, fmt.Errorf("entry at %s:%d: %w", e.header.LogfileName(), e.header.logfileOffset, err)
	}
	if raw {
		out = appendHex(appendKey(out, "raw"), entry)
	}
	return append(out, '}'), nil
}

func (e *Entry) appendStoreValue(dst []byte) ([]byte, error) {
	switch e.entryType {
	case EntryTransactionBegin:
		t, err := e.TransactionBegin()
		return t.appendJSON(appendKey(dst, "begin")), err
	case EntryTransactionEnd:
		t, err := e.TransactionEnd()
		return t.appendJSON(appendKey(dst, "end")), err
	case EntryRowData:
		c, err := e.RowChange()
		return c.appendJSON(appendKey(dst, "rowChange")), err
	default:
		return appendHex(appendKey(dst, "storeValue"), e.storeValue), nil
	}
}

func (h *Header) appendJSON(dst []byte) []byte {
	dst = append(dst, '{')
	dst = h.has.appendInt(dst, 1, "version", int64(h.version))
	dst = h.has.appendText(dst, 2, "logfileName", h.logfileName)
	dst = h.has.appendInt(dst, 3, "logfileOffset", h.logfileOffset)
	dst = h.has.appendInt(dst, 4, "serverId", h.serverID)
	dst = h.has.appendText(dst, 5, "serverenCode", h.serverenCode)
	dst = h.has.appendInt(dst, 6, "executeTime", h.executeTime)
	if h.has.has(7) {
		dst = appendQuoted(appendKey(dst, "sourceType"), h.sourceType.String())
	}
	dst = h.has.appendText(dst, 8, "schemaName", h.schemaName)
	dst = h.has.appendText(dst, 9, "tableName", h.tableName)
	dst = h.has.appendInt(dst, 10, "eventLength", h.eventLength)
	if h.has.has(11) {
		dst = appendQuoted(appendKey(dst, "eventType"), h.eventType.String())
	}
	if h.has.has(12) {
		dst = appendPairs(dst, h.Props())
	}
	dst = h.has.appendText(dst, 13, "gtid", h.gtid)
	return append(dst, '}')
}

func (c *RowChange) appendJSON(dst []byte) []byte {
	dst = append(dst, '{')
	dst = c.has.appendInt(dst, 1, "tableId", c.tableID)
	if c.has.has(2) {
		dst = appendQuoted(appendKey(dst, "eventType"), c.eventType.String())
	}
	dst = c.has.appendBool(dst, 10, "isDdl", c.isDDL)
	dst = c.has.appendText(dst, 11, "sql", c.sql)
	if c.rows > 0 {
		dst = append(appendKey(dst, "rowDatas"), '[')
		for row := range c.Rows() {
			dst = row.appendJSON(appendComma(dst))
		}
		dst = append(dst, ']')
	}
	if c.has.has(13) {
		dst = appendPairs(dst, c.Props())
	}
	dst = c.has.appendText(dst, 14, "ddlSchemaName", c.ddlSchemaName)
	return append(dst, '}')
}

func (r RowData) appendJSON(dst []byte) []byte {
	dst = append(dst, '{')
	dst = appendColumns(dst, "beforeColumns", r.Before())
	dst = appendColumns(dst, "afterColumns", r.After())
	dst = appendPairs(dst, r.Props())
	return append(dst, '}')
}

func appendColumns(dst []byte, key string, columns iter.Seq[Column]) []byte {
	first := true
	for c := range columns {
		if first {
			dst = append(appendKey(dst, key), '[')
			first = false
		}
		dst = c.appendJSON(appendComma(dst))
	}
	if !first {
		dst = append(dst, ']')
	}
	return dst
}

func (c *Column) appendJSON(dst []byte) []byte {
	dst = append(dst, '{')
	dst = c.has.appendInt(dst, 1, "index", int64(c.index))
	dst = c.has.appendInt(dst, 2, "sqlType", int64(c.sqlType))
	dst = c.has.appendText(dst, 3, "name", c.name)
	dst = c.has.appendBool(dst, 4, "isKey", c.isKey)
	dst = c.has.appendBool(dst, 5, "updated", c.updated)
	dst = c.has.appendBool(dst, 6, "isNull", c.isNull)
	if c.has.has(7) {
		dst = appendPairs(dst, c.Props())
	}
	dst = c.has.appendText(dst, 8, "value", c.value)
	dst = c.has.appendInt(dst, 9, "length", int64(c.length))
	dst = c.has.appendText(dst, 10, "mysqlType", c.mysqlType)
	return append(dst, '}')
}

func (t *TransactionBegin) appendJSON(dst []byte) []byte {
	dst = append(dst, '{')
	dst = t.has.appendInt(dst, 1, "executeTime", t.executeTime)
	dst = t.has.appendText(dst, 2, "transactionId", t.transactionID)
	dst = appendPairs(dst, t.Props())
	dst = t.has.appendInt(dst, 4, "threadId", t.threadID)
	return append(dst, '}')
}

func (t *TransactionEnd) appendJSON(dst []byte) []byte {
	dst = append(dst, '{')
	dst = t.has.appendInt(dst, 1, "executeTime", t.executeTime)
	dst = t.has.appendText(dst, 2, "transactionId", t.transactionID)
	dst = appendPairs(dst, t.Props())
	return append(dst, '}')
}

// appendPairs appends the key props and its pairs, nothing if there are none.
func appendPairs(dst []byte, pairs iter.Seq[Pair]) []byte {
	first := true
	for p := range pairs {
		if first {
			dst = append(appendKey(dst, "props"), '[')
			first = false
		}
		dst = append(appendComma(dst), '{')
		dst = p.has.appendText(dst, 1, "key", p.key)
		dst = p.has.appendText(dst, 2, "value", p.value)
		dst = append(dst, '}')
	}
	if !first {
		dst = append(dst, ']')
	}
	return dst
}

func (p presence) appendInt(dst []byte, field protowire.Number, key string, v int64) []byte {
	if !p.has(field) {
		return dst
	}
	return strconv.AppendInt(appendKey(dst, key), v, 10)
}

func (p presence) appendBool(dst []byte, field protowire.Number, key string, v bool) []byte {
	if !p.has(field) {
		return dst
	}
	return strconv.AppendBool(appendKey(dst, key), v)
}

func (p presence) appendText(dst []byte, field protowire.Number, key string, v []byte) []byte {
	if !p.has(field) {
		return dst
	}
	return appendText(appendKey(dst, key), v)
}

// appendKey appends a key of the object that dst ends in.
func appendKey(dst []byte, key string) []byte {
	return append(appendQuoted(appendComma(dst), key), ':')
}

// appendComma appends a comma unless an object or array has just been opened.
func appendComma(dst []byte) []byte {
	if last := dst[len(dst)-1]; last == '{' || last == '[' {
		return dst
	}
	return append(dst, ',')
}

// appendQuoted appends a string that needs no escaping.
func appendQuoted(dst []byte, s string) []byte {
	dst = append(dst, '"')
	dst = append(dst, s...)
	return append(dst, '"')
}

func appendHex(dst, b []byte) []byte {
	dst = append(dst, '"')
	dst = hex.AppendEncode(dst, b)
	return append(dst, '"')
}

// appendText appends a JSON string, copying runs of characters that stand for
// themselves.
func appendText(dst, s []byte) []byte {
	if !utf8.Valid(s) {
		s = javaUTF8.Append(nil, s)
	}
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		if asciiPlain[s[i]] {
			i++
			continue
		}
		r, size := utf8.DecodeRune(s[i:])
		if !plain(r) {
			dst = append(dst, s[start:i]...)
			dst = appendEscaped(dst, r)
			start = i + size
		}
		i += size
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

// asciiPlain is plain for single bytes, false for those of longer characters.
var asciiPlain = func() (table [256]bool) {
	for r := range rune(utf8.RuneSelf) {
		table[r] = plain(r)
	}
	return table
}()

// plain says whether a character stands for itself.
func plain(r rune) bool {
	if r < 0x7f {
		return r >= ' ' && r != '"' && r != '\\'
	}
	return r >= 0xa0 && r != 0x2028 && r != 0x2029
}

func appendEscaped(dst []byte, r rune) []byte {
	if r == '"' || r == '\\' {
		return append(dst, '\\', byte(r))
	}
	const digits = "0123456789abcdef"
	return append(dst, '\\', 'u', digits[r>>12&15], digits[r>>8&15], digits[r>>4&15], digits[r&15])
}
