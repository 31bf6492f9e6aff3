package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// name is a table of a schema.
type name struct{ schema, table string }

func (n name) String() string { return quote(n.schema) + "." + quote(n.table) }

// column is a column as information_schema has it.
type column struct {
	name      string
	kind      string // data_type: int, varchar, …
	full      string // column_type: int(10) unsigned, …
	charset   string // "" unless it is text
	nullable  bool
	generated bool // from other columns
	automatic bool // AUTO_INCREMENT
	key       bool // part of the primary key
	unique    bool // part of some unique key
}

// table is a base table.
type table struct {
	name
	columns []column
}

// written are the columns that statements give values to.
func (t *table) written() (all []column) {
	for _, c := range t.columns {
		if !c.generated {
			all = append(all, c)
		}
	}
	return all
}

// systemSchemas are no part of what is compared.
const systemSchemas = "'mysql', 'information_schema', 'performance_schema', 'sys'"

// userSchemas is the condition under which a schema is compared.
const userSchemas = "table_schema NOT IN (" + systemSchemas + ")"

// readTables reads all base tables for which a condition on table_schema and
// table_name holds.
func readTables(d *session, where string) (map[name]*table, error) {
	rows, err := d.query("SELECT table_schema, table_name FROM information_schema.tables WHERE table_type = 'BASE TABLE' AND " + where)
	if err != nil {
		return nil, err
	}
	tables := make(map[name]*table)
	for _, r := range rows {
		n := name{r[0], r[1]}
		tables[n] = &table{name: n}
	}
	if rows, err = d.query("SELECT table_schema, table_name, column_name, data_type, column_type, IFNULL(character_set_name, ''), is_nullable, extra " +
		"FROM information_schema.columns WHERE " + where + " ORDER BY table_schema, table_name, ordinal_position"); err != nil {
		return nil, err
	}
	for _, r := range rows {
		if t := tables[name{r[0], r[1]}]; t != nil {
			extra := strings.ToLower(r[7])
			t.columns = append(t.columns, column{
				name: r[2], kind: strings.ToLower(r[3]), full: strings.ToLower(r[4]), charset: r[5], nullable: r[6] == "YES",
				generated: strings.Contains(extra, "virtual generated") || strings.Contains(extra, "stored generated"),
				automatic: strings.Contains(extra, "auto_increment"),
			})
		}
	}
	return tables, readKeys(d, where, tables)
}

// readKeys notes which columns are in keys: information_schema.columns takes some
// unique keys for the primary one.
func readKeys(d *session, where string, tables map[name]*table) error {
	rows, err := d.query("SELECT table_schema, table_name, index_name, column_name FROM information_schema.statistics " +
		"WHERE non_unique = 0 AND column_name IS NOT NULL AND " + where)
	if err != nil {
		return err
	}
	for _, r := range rows {
		t := tables[name{r[0], r[1]}]
		if t == nil {
			continue
		}
		i := slices.IndexFunc(t.columns, func(c column) bool { return strings.EqualFold(c.name, r[3]) })
		if i < 0 {
			return fmt.Errorf("%s has a key on %s, which is none of its columns", t.name, r[3])
		}
		t.columns[i].unique = true
		t.columns[i].key = t.columns[i].key || r[2] == "PRIMARY"
	}
	return nil
}

// sorted are tables in the order of their names.
func sorted(tables map[name]*table) []*table {
	return slices.SortedFunc(maps.Values(tables), func(a, b *table) int {
		return strings.Compare(a.schema+"\x00"+a.table, b.schema+"\x00"+b.table)
	})
}
