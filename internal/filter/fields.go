package filter

import "strings"

// Fields is a white and a black list of columns per table. It is immutable and
// safe for concurrent use; its zero value keeps every column.
type Fields struct {
	white, black map[string]map[string]bool // upper-cased schema.table -> upper-cased columns
}

// ParseFields reads two lists of the form schema.table:a/b,schema.table:c. As in
// Canal, names are exact but for letter case, items that do not have exactly one
// ':' are ignored, blanks around the table and around the whole list of columns
// are dropped, and the last of several items for one table counts.
func ParseFields(white, black string) *Fields {
	return &Fields{white: parseFieldList(white), black: parseFieldList(black)}
}

func parseFieldList(list string) map[string]map[string]bool {
	tables := map[string]map[string]bool{}
	for item := range strings.SplitSeq(list, ",") {
		table, columns, ok := strings.Cut(item, ":")
		if !ok || columns == "" || strings.Contains(columns, ":") {
			continue
		}
		set := map[string]bool{}
		for column := range strings.SplitSeq(trim(strings.ToUpper(columns)), "/") {
			if column != "" {
				set[column] = true
			}
		}
		tables[trim(strings.ToUpper(table))] = set
	}
	return tables
}

// Active reports whether any list names the table; when not, every column is
// kept and Keep need not be asked.
func (f *Fields) Active(schema, table string) bool {
	if len(f.white) == 0 && len(f.black) == 0 {
		return false
	}
	name := strings.ToUpper(schema + "." + table)
	return len(f.white[name]) > 0 || len(f.black[name]) > 0
}

// Keep reports whether a column is delivered. A table with a white list keeps
// the columns on it and its black list does not count.
func (f *Fields) Keep(schema, table, column string) bool {
	name, column := strings.ToUpper(schema+"."+table), strings.ToUpper(column)
	if white := f.white[name]; len(white) > 0 {
		return white[column]
	}
	return !f.black[name][column]
}

// trim removes what Java's String.trim removes.
func trim(s string) string {
	return strings.TrimFunc(s, func(r rune) bool { return r <= ' ' })
}
