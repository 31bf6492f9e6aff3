package pipeline

import "github.com/towpath-cdc/towpath/internal/binlog"

// unknownThing is something in the binlog that this version does not know and
// can pass over, since its length is known. One of its fields is set.
type unknownThing struct {
	event    binlog.EventType
	variable int   // 1 + code of a status variable of a statement
	metadata uint8 // number of a field of a table map's optional metadata
}

// maxUnknown bounds how many unknown things are remembered: there are no more
// of the three kinds together.
const maxUnknown = 3 * 256

// unknown tells of an unknown thing when it is met for the first time since New.
// It is called by the source's goroutine.
func (p *Pipeline) unknown(thing unknownThing, text string, args ...any) {
	if p.unknowns[thing] || len(p.unknowns) >= maxUnknown {
		return
	}
	if p.unknowns == nil {
		p.unknowns = make(map[unknownThing]bool)
	}
	p.unknowns[thing] = true
	p.o.Logger.Warn(text, args...)
}

// unknownVariable tells of a statement's status variable that ended their reading.
func (s *scanner) unknownVariable(h binlog.Header, q *binlog.Query) {
	if q.UnknownVariable < 0 {
		return
	}
	s.d.p.unknown(unknownThing{variable: q.UnknownVariable + 1}, "statements have an unknown status variable, and those behind it are not read either; the statements are, but where charset_known is false their letters beyond ASCII may be wrong",
		"variable", q.UnknownVariable, "charset_known", q.HasCharset, "position", s.place(h))
}

// unknownMetadata tells of fields of a table's optional metadata that were passed over.
func (t *tableMaps) unknownMetadata(m *binlog.TableMap, n tableName) {
	md, err := m.Metadata()
	if err != nil {
		return // whoever needs them says so
	}
	for _, number := range md.Unknown {
		t.d.p.unknown(unknownThing{metadata: number}, "table maps have metadata of an unknown kind; rows are read without them",
			"field", number, "table", n.schema+"."+n.table)
	}
}
