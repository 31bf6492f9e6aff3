package main

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/towpath-cdc/towpath/protocol"
)

// applier makes the changes that were delivered in another database. It believes
// nothing: a row must have the columns which the statements delivered so far have
// given its table, and a row that is changed must be there, in each column as the
// delivered image has it.
type applier struct {
	d      *session
	tables map[name]*table // nil when they have to be read again
	ansi   int             // statements whose names were in double quotes
	rows   int
	ddl    int
	open   bool // a transaction
}

// apply makes the change of an entry.
func (a *applier) apply(h *protocol.Header, rc *protocol.RowChange) error {
	switch {
	case rc.NumRows() > 0:
		return a.change(h, rc)
	case rc.SQL() != "" && rc.IsDDL():
		return a.define(h, rc)
	}
	return nil
}

// commit makes what was changed last.
func (a *applier) commit() error {
	if !a.open {
		return nil
	}
	a.open = false
	_, err := a.d.exec("COMMIT")
	return err
}

// Statements of the stream that are not for a replica of rows: the rows that
// triggers change are delivered themselves.
var notApplied = regexp.MustCompile(`(?is)^(\s|/\*.*?\*/)*(CREATE|DROP)\s+(OR\s+REPLACE\s+)?(DEFINER\s*=\s*\S+\s+)?TRIGGER\b`)

// startTransaction is what MySQL 8.0.21 and later add to a CREATE TABLE … SELECT.
var startTransaction = regexp.MustCompile(`(?i)\s+START\s+TRANSACTION\s*$`)

// Codes of refusals.
const (
	errNoDatabase = 1049
	errSyntax     = 1064
	errNoTable    = 1051 // DROP TABLE of several, of which one was not there
)

// define runs a statement as its session did: in its schema, at its time.
func (a *applier) define(h *protocol.Header, rc *protocol.RowChange) error {
	if err := a.commit(); err != nil {
		return err
	}
	sql := startTransaction.ReplaceAllString(rc.SQL(), "")
	if notApplied.MatchString(sql) {
		return nil
	}
	a.tables = nil
	a.ddl++
	if err := a.use(rc.DDLSchemaName()); err != nil {
		return err
	}
	if _, err := a.d.exec(fmt.Sprintf("SET timestamp = %d", h.ExecuteTime()/1000)); err != nil {
		return err
	}
	_, err := a.d.exec(sql)
	if isError(err, errSyntax) && strings.Contains(sql, `"`) {
		a.ansi++ // an entry does not tell the mode of the session
		if _, err = a.d.exec("SET SESSION sql_mode = 'ANSI_QUOTES'"); err == nil {
			_, err = a.d.exec(sql)
			_, back := a.d.exec(sessionSetting[1])
			err = errors.Join(err, back)
		}
	}
	if isError(err, errNoTable) && strings.HasPrefix(strings.ToUpper(sql), "DROP") {
		return nil
	}
	if err != nil {
		return fmt.Errorf("in schema %q: %w", rc.DDLSchemaName(), err)
	}
	return nil
}

// use makes a schema the current one. A session can outlive its schema, and then
// has none.
func (a *applier) use(schema string) error {
	if schema == "" {
		schema = "information_schema"
	}
	_, err := a.d.exec("USE " + quote(schema))
	if isError(err, errNoDatabase) {
		_, err = a.d.exec("USE information_schema")
	}
	return err
}

// change makes the changes of rows.
func (a *applier) change(h *protocol.Header, rc *protocol.RowChange) (err error) {
	if a.tables == nil {
		if a.tables, err = readTables(a.d, userSchemas); err != nil {
			return err
		}
	}
	t := a.tables[name{h.SchemaName(), h.TableName()}]
	if t == nil {
		return fmt.Errorf("there is no such table by the statements that were delivered")
	}
	if !a.open {
		if _, err := a.d.exec("START TRANSACTION"); err != nil {
			return err
		}
		a.open = true
	}
	for r := range rc.Rows() {
		before, after := slices.Collect(r.Before()), slices.Collect(r.After())
		if err := a.row(t, h.EventType(), before, after); err != nil {
			return err
		}
		a.rows++
	}
	return nil
}

// row makes the change of a row. A changed row is taken out and put in again, so
// that each column counts.
func (a *applier) row(t *table, typ protocol.EventType, before, after []protocol.Column) error {
	wantBefore, wantAfter := typ != protocol.EventInsert, typ != protocol.EventDelete
	if (len(before) > 0) != wantBefore || (len(after) > 0) != wantAfter {
		return fmt.Errorf("%v with %d columns before and %d after", typ, len(before), len(after))
	}
	if wantBefore {
		if err := a.remove(t, before); err != nil {
			return err
		}
	}
	if wantAfter {
		return a.insert(t, after)
	}
	return nil
}

func (a *applier) remove(t *table, image []protocol.Column) error {
	values, err := valuesOf(t, image)
	if err != nil {
		return fmt.Errorf("row as it was: %w", err)
	}
	var conditions []string
	for _, v := range values {
		conditions = append(conditions, v.matches)
	}
	q := "DELETE FROM " + t.String() + " WHERE " + strings.Join(conditions, " AND ") + " LIMIT 1"
	n, err := a.d.exec(q)
	if err == nil && n != 1 {
		err = fmt.Errorf("the row that is changed is not there: %s", q)
	}
	return err
}

func (a *applier) insert(t *table, image []protocol.Column) error {
	values, err := valuesOf(t, image)
	if err != nil {
		return fmt.Errorf("row as it is now: %w", err)
	}
	var names, inserts []string
	for i, v := range values {
		if !t.columns[i].generated {
			names, inserts = append(names, quote(t.columns[i].name)), append(inserts, v.insert)
		}
	}
	_, err = a.d.exec("INSERT INTO " + t.String() + " (" + strings.Join(names, ", ") + ") VALUES (" + strings.Join(inserts, ", ") + ")")
	return err
}

// valuesOf reads a row image, which must be one of the table as it is now.
func valuesOf(t *table, image []protocol.Column) ([]value, error) {
	if got, want := columnNames(image), namesOf(t.columns); !slices.Equal(got, want) {
		return nil, fmt.Errorf("columns %q where the table has %q", got, want)
	}
	values := make([]value, len(image))
	for i := range image {
		c, of := &image[i], t.columns[i]
		if !sameType(c.MysqlType(), of) {
			return nil, fmt.Errorf("column %s is called %q, and is %q", of.name, c.MysqlType(), of.full)
		}
		if c.IsKey() != of.key {
			return nil, fmt.Errorf("column %s: said to be in the primary key: %v, and is: %v", of.name, c.IsKey(), of.key)
		}
		if c.Index() != i {
			return nil, fmt.Errorf("column %s has the number %d in place %d", of.name, c.Index(), i)
		}
		var err error
		if values[i], err = valueOf(c, of); err != nil {
			return nil, err
		}
	}
	return values, nil
}

func columnNames(image []protocol.Column) (names []string) {
	for i := range image {
		names = append(names, image[i].Name())
	}
	return names
}

func namesOf(columns []column) (names []string) {
	for _, c := range columns {
		names = append(names, c.name)
	}
	return names
}
