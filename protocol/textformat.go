package protocol

import "strconv"

// text builds the protocol buffer text format as Java's toString prints it: one
// "name: value" a line, fields that are not set left out. Error messages of
// servers end with it. Fields the protocol does not know are not printed.
type text []byte

func (t *text) string(name, v string) {
	if v == "" {
		return
	}
	*t = append(append(*t, name...), `: "`...)
	for i := range len(v) {
		t.escape(v[i])
	}
	*t = append(*t, "\"\n"...)
}

// escape appends one byte of a string; outside printable ASCII it becomes a
// C escape or three octal digits.
func (t *text) escape(c byte) {
	const named = "\a\b\f\n\r\t\v\\'\""
	const letters = "abfnrtv\\'\""
	for i := range len(named) {
		if named[i] == c {
			*t = append(*t, '\\', letters[i])
			return
		}
	}
	if c >= 0x20 && c < 0x7f {
		*t = append(*t, c)
		return
	}
	*t = append(*t, '\\', '0'+c>>6, '0'+c>>3&7, '0'+c&7)
}

func (t *text) int(name string, v int64) {
	*t = append(append(*t, name...), ": "...)
	*t = append(strconv.AppendInt(*t, v, 10), '\n')
}

func (t *text) bool(name string, v bool) {
	*t = append(append(*t, name...), ": "...)
	*t = append(strconv.AppendBool(*t, v), '\n')
}

// String returns m in text format.
func (m *Sub) String() string { return subscriptionText(m.Destination, m.ClientID, m.Filter) }

// String returns m in text format.
func (m *Unsub) String() string { return subscriptionText(m.Destination, m.ClientID, m.Filter) }

func subscriptionText(destination, clientID, filter string) string {
	var t text
	t.string("destination", destination)
	t.string("client_id", clientID)
	t.string("filter", filter)
	return string(t)
}

// String returns m in text format.
func (m *Get) String() string {
	var t text
	t.string("destination", m.Destination)
	t.string("client_id", m.ClientID)
	if m.FetchSize != 0 {
		t.int("fetch_size", int64(m.FetchSize))
	}
	if m.Timeout.Set {
		t.int("timeout", m.Timeout.Value)
	}
	if m.Unit.Set {
		t.int("unit", int64(m.Unit.Value))
	}
	if m.AutoAck.Set {
		t.bool("auto_ack", m.AutoAck.Value)
	}
	return string(t)
}

// String returns m in text format.
func (m *ClientAck) String() string { return batchRefText(m.Destination, m.ClientID, m.BatchID) }

// String returns m in text format.
func (m *ClientRollback) String() string { return batchRefText(m.Destination, m.ClientID, m.BatchID) }

func batchRefText(destination, clientID string, batchID int64) string {
	var t text
	t.string("destination", destination)
	t.string("client_id", clientID)
	if batchID != 0 {
		t.int("batch_id", batchID)
	}
	return string(t)
}
