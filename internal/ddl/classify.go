package ddl

import "strconv"

// Type is what Canal calls a statement, with the numbers of its EventType.
type Type int

// Types of statements (CanalEntry.EventType).
const (
	TypeInsert      Type = 1
	TypeUpdate      Type = 2
	TypeDelete      Type = 3
	TypeCreate      Type = 4
	TypeAlter       Type = 5
	TypeErase       Type = 6
	TypeQuery       Type = 7
	TypeTruncate    Type = 8
	TypeRename      Type = 9
	TypeCreateIndex Type = 10
	TypeDropIndex   Type = 11
)

// String is the name that Canal's EventType has.
func (t Type) String() string {
	names := [...]string{"", "INSERT", "UPDATE", "DELETE", "CREATE", "ALTER", "ERASE", "QUERY", "TRUNCATE", "RENAME", "CINDEX", "DINDEX"}
	if t <= 0 || int(t) >= len(names) {
		return strconv.Itoa(int(t))
	}
	return names[t]
}

// Result is what Canal sees in a statement, with names as Canal spells them:
// outer quotes taken off, doubled quotes inside kept. An empty name is one that
// Canal leaves unset.
type Result struct {
	Type                Type
	Schema, Table       string
	OldSchema, OldTable string // TypeRename: what the table was called
}

// Mode chooses which of Canal's two parsers to follow (canal.instance.filter.druid.ddl).
type Mode int

// Modes of Classify.
const (
	Druid Mode = iota // its grammar: the default
	Regex             // its regular expressions
)

// Classify says what Canal sees in the statements of a query event. The first
// result names the entry that Canal makes of the event.
//
// In Druid mode no result at all means that Canal drops the event, and a
// single TypeQuery without names stands for what its grammar refuses; a
// statement on which Canal would stop for good, such as one with names of
// three parts, counts as refused. Regex mode gives exactly one result.
func Classify(sql, currentSchema string, mode Mode) []Result {
	if mode == Regex {
		return []Result{classifyRegex(sql, currentSchema)}
	}
	p := newParser(sql, Options{})
	results, err := p.classifyAll(currentSchema)
	if err != nil || p.foreign {
		return []Result{{Type: TypeQuery}}
	}
	return results
}

// result is what Canal reports for a table.
func (n path) result(t Type, currentSchema string) Result {
	r := Result{Type: t, Schema: currentSchema, Table: n.table.canal()}
	if n.schema != "" {
		r.Schema = n.schema.canal()
	}
	return r
}

// renamed is what Canal reports when table n is called to.
func (n path) renamed(to path, currentSchema string) Result {
	old, r := n.result(TypeRename, currentSchema), to.result(TypeRename, currentSchema)
	r.OldSchema, r.OldTable = old.Schema, old.Table
	return r
}
