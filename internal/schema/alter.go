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
}

// maxItems is more than an ALTER TABLE can have: a table has at most 4096 columns.
const maxItems = 10_000

// alter returns the definition after the items. An error means that the items
// do not fit the definition, which is then not what the server had.
func (d *definition) alter(items []ddl.Item, s ddl.Server) (*definition, error) {
	if len(items) > maxItems {
		return nil, fmt.Errorf("alter %s.%s: %d items", d.table.Schema, d.table.Name, len(items))
	}
	a := &alteration{def: d.clone(), server: s, items: items}
	a.def.spelled = d.spelled && !slices.ContainsFunc(items, changesColumns)
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
			a.def.charset = intern(item.Charset)
			for i := range a.def.table.Columns {
				convert(&a.def.table.Columns[i], item.Charset)
			}
		}
	}
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
	return nil
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
			if !item.Condition && find(columns, item.Name) < 0 && !(item.Kind == ddl.ChangeColumn && a.adds(i)) {
				return fmt.Errorf("alter %s.%s: column %s is not known", a.def.table.Schema, a.def.table.Name, item.Name)
			}
		}
	}
	return nil
}

// adds reports whether the column that item i changes is one that an item before
// it has added, by its name after the change.
func (a *alteration) adds(i int) bool {
	return slices.ContainsFunc(a.items[:i], func(item ddl.Item) bool {
		return item.Kind == ddl.AddColumn && strings.EqualFold(item.Column.Name, a.items[i].Column.Name)
	})
}

// inPlace is what becomes of a column that was there: it is false when it is
// dropped. One that is moved is in its old place until its item's turn.
func (a *alteration) inPlace(c Column) (Column, bool) {
	for i := range a.items {
		item := &a.items[i]
		if !strings.EqualFold(item.Name, c.Name) {
			continue
		}
		switch item.Kind {
		case ddl.DropColumn:
			return c, false
		case ddl.RenameColumn:
			c.Name = intern(item.Column.Name)
			return c, true
		case ddl.ChangeColumn:
			return a.newColumn(item), true
		}
	}
	return c, true
}

func (a *alteration) newColumn(item *ddl.Item) Column {
	return newColumn(&item.Column, a.server, a.def.charset, false)
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
		case there < 0 || !was && !a.adds(i):
			return nil, fmt.Errorf("alter %s.%s: column %s is not known", a.def.table.Schema, a.def.table.Name, item.Name)
		}
		list = slices.Delete(list, there, there+1)
	default:
		return list, nil
	}
	at := len(list)
	if item.First {
		at = 0
	} else if item.After != "" {
		i := find(list, item.After)
		if i < 0 {
			return nil, fmt.Errorf("alter %s.%s: column %s is not known", a.def.table.Schema, a.def.table.Name, item.After)
		}
		at = i + 1
	}
	return slices.Insert(list, at, a.newColumn(item)), nil
}

// drops reports whether an item drops a column.
func (a *alteration) drops(name string) bool {
	return slices.ContainsFunc(a.items, func(item ddl.Item) bool {
		return item.Kind == ddl.DropColumn && strings.EqualFold(item.Name, name)
	})
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

// keyColumns follows the columns of a key through the items.
func (a *alteration) keyColumns(names []string) []string {
	var kept []string
	for _, name := range names {
		gone := false
		for _, item := range a.items {
			if !strings.EqualFold(item.Name, name) {
				continue
			}
			switch item.Kind {
			case ddl.DropColumn:
				gone = true
			case ddl.ChangeColumn, ddl.RenameColumn:
				name = intern(item.Column.Name)
			default:
				continue
			}
			break // each column is named once, and a new name may be another's old one
		}
		if !gone {
			kept = append(kept, name)
		}
	}
	return kept
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
