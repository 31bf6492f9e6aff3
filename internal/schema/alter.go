package schema

import (
	"fmt"
	"slices"
	"strings"

	"github.com/towpath-cdc/towpath/internal/ddl"
)

// alteration applies the items of one ALTER TABLE to a definition, in the
// order in which the server does it (mysql_prepare_alter_table): columns are
// dropped and changed in place first, then, item by item, new and moved columns are
// put in their places, then keys are dropped and added.
type alteration struct {
	def    *definition // a clone, changed in place
	server ddl.Server
	items  []ddl.Item

	olds map[string]*ddl.Item // what becomes of a column, by its name in lower case
	news map[string]string    // what a changed column was called, by its new name in lower case
	adds map[string]int       // the first item that adds a column, by its name in lower case

	convert string // the character set that all columns take; "" if none was named
}

// maxColumns is what a table can have (MAX_FIELDS), and maxItems more than an ALTER
// TABLE can.
const (
	maxColumns = 4096
	maxItems   = 10_000
)

// alter returns the definition after the items. An error means that the items
// do not fit the definition, which is then not what the server had.
func (d *definition) alter(items []ddl.Item, s ddl.Server) (*definition, error) {
	if len(items) > maxItems {
		return nil, fmt.Errorf("alter %s.%s: %d items", d.table.Schema, d.table.Name, len(items))
	}
	a := &alteration{def: d.clone(), server: s, items: items}
	a.def.spelled = d.spelled && !slices.ContainsFunc(items, changesColumns)
	a.index()
	a.charsets()
	if err := a.columns(); err != nil {
		return nil, err
	}
	a.keys()
	a.versioning()
	a.def.markKeys()
	return a.def, nil
}

// changesColumns reports whether an item changes more than keys.
func changesColumns(i ddl.Item) bool {
	return i.Kind != ddl.AddKey && i.Kind != ddl.DropKey && i.Kind != ddl.RenameKey
}

// charsets applies what concerns the default character set, which new columns take.
func (a *alteration) charsets() {
	for _, item := range a.items {
		switch item.Kind {
		case ddl.SetCharset:
			a.def.charset = intern(item.Charset)
		case ddl.ConvertCharset:
			a.def.charset, a.convert = intern(item.Charset), item.Charset
			for i := range a.def.table.Columns {
				convert(&a.def.table.Columns[i], item.Charset)
			}
		}
	}
}

// withCharset returns the items with the schema's default character set, "" if
// it is not known, where DEFAULT stands for it.
func withCharset(items []ddl.Item, schemaCharset string) []ddl.Item {
	stands := func(i ddl.Item) bool {
		return i.Charset == "" && (i.Kind == ddl.SetCharset || i.Kind == ddl.ConvertCharset)
	}
	if schemaCharset == "" || !slices.ContainsFunc(items, stands) {
		return items
	}
	items = slices.Clone(items)
	for i := range items {
		if stands(items[i]) {
			items[i].Charset = schemaCharset
		}
	}
	return items
}

// convert changes the character set of a column.
func convert(c *Column, charset string) {
	t, err := ddl.ParseType(c.Type)
	if err != nil || c.Charset == "" || charset == "" {
		return
	}
	t.Charset = c.Charset
	t = t.Convert(charset)
	c.Type, c.Charset = intern(t.Text()), intern(t.Charset)
}

// columns builds the new list of columns.
func (a *alteration) columns() error {
	old := a.def.table.Columns
	visible, hidden := old[:len(old)-a.def.hidden], slices.Clone(old[len(old)-a.def.hidden:])
	if err := a.checkNames(visible); err != nil {
		return err
	}
	var list []Column
	for _, c := range visible {
		if c, ok := a.inPlace(c); ok {
			list = append(list, c)
		}
	}
	for i := range a.items {
		var err error
		if list, err = a.place(list, visible, i); err != nil {
			return err
		}
	}
	if len(list) == 0 {
		return fmt.Errorf("alter %s.%s: no column is left", a.def.table.Schema, a.def.table.Name)
	}
	a.def.table.Columns = append(list, hidden...)
	a.period()
	return nil
}

// period follows the period of the application, which may name renamed columns.
func (a *alteration) period() {
	p := a.def.period
	if names := a.keyColumns([]string{p.Start, p.End}); len(names) == 2 {
		p.Start, p.End = names[0], names[1]
	}
	for _, item := range a.items {
		switch item.Kind {
		case ddl.AddPeriod, ddl.DropPeriod:
			p = item.Period
		}
	}
	a.def.setPeriod(p)
}

func find(list []Column, name string) int {
	return slices.IndexFunc(list, func(c Column) bool { return strings.EqualFold(c.Name, name) })
}

// checkNames fails for items about columns that are not there. MariaDB lets an item
// change a column that one before it adds.
func (a *alteration) checkNames(columns []Column) error {
	for i, item := range a.items {
		switch item.Kind {
		case ddl.DropColumn, ddl.ChangeColumn, ddl.RenameColumn:
			if !item.Condition && find(columns, item.Name) < 0 && !(item.Kind == ddl.ChangeColumn && a.added(i)) {
				return fmt.Errorf("alter %s.%s: column %s is not known", a.def.table.Schema, a.def.table.Name, item.Name)
			}
		}
	}
	return nil
}

// inPlace is what becomes of a column that was there: it is false when it is
// dropped. One that is moved is in its old place until its item's turn.
func (a *alteration) inPlace(c Column) (Column, bool) {
	item := a.olds[strings.ToLower(c.Name)]
	switch {
	case item == nil:
	case item.Kind == ddl.DropColumn:
		return c, false
	case item.Kind == ddl.RenameColumn:
		c.Name = intern(item.Column.Name)
	default:
		return a.newColumn(item), true
	}
	return c, true
}

// index notes the items about columns that are there. Of several about one the
// first counts: a server takes no more.
func (a *alteration) index() {
	a.olds, a.news, a.adds = make(map[string]*ddl.Item), make(map[string]string), make(map[string]int)
	for i := range a.items {
		item := &a.items[i]
		switch item.Kind {
		case ddl.AddColumn:
			name := strings.ToLower(item.Column.Name)
			if _, ok := a.adds[name]; !ok {
				a.adds[name] = i
			}
		case ddl.DropColumn, ddl.RenameColumn, ddl.ChangeColumn:
			if old := strings.ToLower(item.Name); a.olds[old] == nil {
				a.olds[old] = item
			}
			if item.Kind != ddl.DropColumn {
				a.news[strings.ToLower(item.Column.Name)] = item.Name
			}
		}
	}
}

// newColumn is the column of an item. CONVERT TO overrides its character set,
// but makes no text of bytes (get_sql_field_charset).
func (a *alteration) newColumn(item *ddl.Item) Column {
	column := item.Column
	grows := column.Type.Charset != "" && !a.server.MariaDB && a.server.Version >= 80000
	if a.convert != "" && column.Type.Charset != "binary" && !grows {
		column.Type.Charset = a.convert
	}
	c := newColumn(&column, a.server, a.def.charset, false)
	switch {
	case a.convert == "" || c.Charset == "":
	case grows: // as a column that was there with its own character set
		convert(&c, a.convert)
	default:
		c.Charset = intern(a.convert) // that of MariaDB's JSON, too
	}
	return c
}

// added reports whether the column that item i changes is one that an item before
// it adds, by its name after the change.
func (a *alteration) added(i int) bool {
	at, ok := a.adds[strings.ToLower(a.items[i].Column.Name)]
	return ok && at < i
}

// first is the place of FIRST. The row id that MySQL makes up when there is no
// primary key stays before it (sql_generate_invisible_primary_key).
func (a *alteration) first(list []Column) int {
	if !a.server.MariaDB && a.server.Version >= 80030 && len(list) > 0 && list[0].Key && list[0].Name == "my_row_id" && list[0].Type == "bigint unsigned" {
		return 1
	}
	return 0
}

// drops reports whether an item drops a column.
func (a *alteration) drops(name string) bool {
	item := a.olds[strings.ToLower(name)]
	return item != nil && item.Kind == ddl.DropColumn
}

// place puts the column of item i, if that is new or moved, into the list.
// visible are the columns before the statement.
func (a *alteration) place(list, visible []Column, i int) ([]Column, error) {
	item := &a.items[i]
	there := find(list, item.Column.Name)
	switch item.Kind {
	case ddl.AddColumn:
		if item.Condition && (there >= 0 || find(visible, item.Column.Name) >= 0) {
			return list, nil
		}
		if there >= 0 {
			return nil, fmt.Errorf("alter %s.%s: column %s is there already", a.def.table.Schema, a.def.table.Name, item.Column.Name)
		}
	case ddl.ChangeColumn:
		was := find(visible, item.Name) >= 0 && !a.drops(item.Name)
		switch {
		case was && !item.First && item.After == "", !was && item.Condition:
			return list, nil
		case there < 0 || !was && !a.added(i):
			return nil, fmt.Errorf("alter %s.%s: column %s is not known", a.def.table.Schema, a.def.table.Name, item.Name)
		}
		list = slices.Delete(list, there, there+1)
	default:
		return list, nil
	}
	if len(list) >= maxColumns {
		return nil, fmt.Errorf("alter %s.%s: more than %d columns", a.def.table.Schema, a.def.table.Name, maxColumns)
	}
	at := len(list)
	if item.First {
		at = a.first(list)
	} else if item.After != "" {
		i := find(list, item.After)
		if i < 0 {
			return nil, fmt.Errorf("alter %s.%s: column %s is not known", a.def.table.Schema, a.def.table.Name, item.After)
		}
		at = i + 1
	}
	return slices.Insert(list, at, a.newColumn(item)), nil
}

// keys renames columns in keys, drops and renames keys, and adds new ones.
func (a *alteration) keys() {
	d := a.def
	old := d.keys
	d.keys = nil
	for _, k := range old {
		if a.keyStays(&k) {
			k.Columns = a.keyColumns(k.Columns)
			if len(k.Columns) > 0 || k.Expressions > 0 {
				d.keys = append(d.keys, k)
			}
		}
	}
	var added []ddl.Key
	for _, item := range a.items {
		if item.Kind == ddl.AddKey {
			added = append(added, item.Key)
		}
	}
	d.addKeys(added)
}

// keyStays renames a key as an item says. It is false if one drops it.
func (a *alteration) keyStays(k *ddl.Key) bool {
	for _, item := range a.items {
		switch {
		case item.Kind != ddl.DropKey && item.Kind != ddl.RenameKey || !strings.EqualFold(item.Name, k.Name):
			continue
		case item.Kind == ddl.DropKey:
			return false
		}
		k.Name = intern(item.Key.Name)
		break // another item may be about a key that had the new name
	}
	return true
}

// keyColumns follows the columns of a key through the items. The server takes the
// first of the new columns that was changed from one of the name, or has it.
func (a *alteration) keyColumns(names []string) []string {
	var kept []string
	for _, name := range names {
		for _, c := range a.def.table.Columns {
			if strings.EqualFold(a.oldName(c.Name), name) {
				kept = append(kept, c.Name)
				break
			}
		}
	}
	return kept
}

// oldName is what a column of the new list was called before, if it was changed.
func (a *alteration) oldName(name string) string {
	if old, ok := a.news[strings.ToLower(name)]; ok {
		return old
	}
	return name
}

// versioning adds or removes the hidden columns of MariaDB's system versioning.
func (a *alteration) versioning() {
	d := a.def
	for _, item := range a.items {
		switch item.Kind {
		case ddl.AddVersioning:
			if d.hidden == 0 {
				d.version()
			}
		case ddl.DropVersioning:
			d.table.Columns = d.table.Columns[:len(d.table.Columns)-d.hidden]
			d.hidden = 0
		}
	}
}
