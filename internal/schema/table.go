// Package schema knows what the tables of a source look like at a binlog position.
//
// Its central types are Table, one immutable version of a table definition,
// and Tracker, which follows the DDL of the stream and loads from the source
// what the stream has not shown. Nothing here reads rows.
package schema

// Column is one column of a table version. Its fields are what Canal's entries
// say of a column, so the spelling matters.
type Column struct {
	Name     string // as the source spells it, without quotes
	Type     string // full type text as SHOW CREATE TABLE prints it: "int(10) unsigned", "enum('a','b')"
	Key      bool   // part of the primary key
	Unique   bool   // part of a unique key
	Nullable bool
	Unsigned bool // Type says so (also by zerofill)

	// Charset is the MySQL name of the column's character set when the definition
	// (or the table's default) names one, in lower case; "" when unknown.
	Charset string

	// Hidden is true for a column that the server adds on its own and SHOW CREATE
	// TABLE does not show, but the log has: those of MariaDB's system versioning,
	// and those behind functional key parts of early MySQL 8.0.
	Hidden bool
}

// Table is one version of a table's definition. It is never changed after it
// has been handed out: a DDL makes a new one. Pointers can be compared to see
// whether two rows are of the same version.
type Table struct {
	Schema  string
	Name    string
	Columns []Column // in the order of the row images

	// Certain is true when the definition is known to be the one at this place of the
	// stream: it follows from the statements before, or from the live one and the
	// statements behind. It is false when it may be newer than the rows.
	Certain bool

	// Mocked is true for the two tables whose layout Canal makes up (LogEventConvert).
	Mocked bool
}

// HasKey reports whether the table has a primary key.
func (t *Table) HasKey() bool {
	for i := range t.Columns {
		if t.Columns[i].Key {
			return true
		}
	}
	return false
}
