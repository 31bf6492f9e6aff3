package schema

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/towpath-cdc/towpath/internal/ddl"
)

// errUnknowable says that what was before a statement does not follow from what
// is there after it.
var errUnknowable = errors.New("cannot be known")

// undo gives the definition that there was before statements with these items. It
// is an error when that cannot be known for certain: a column that was dropped may
// have been anywhere. The type of a column that a statement has changed is left "".
func (d *definition) undo(statements [][]ddl.Item) (*definition, error) {
	before := d.clone()
	charset := true // the default character set is known
	for _, items := range slices.Backward(statements) {
		err := before.undoStatement(items)
		if !charset && slices.ContainsFunc(items, takesCharset) {
			err = fmt.Errorf("its default character set: %w", errUnknowable)
		}
		if err != nil {
			return nil, fmt.Errorf("%s.%s as it was before: %w", d.table.Schema, d.table.Name, err)
		}
		charset = charset && !slices.ContainsFunc(items, func(i ddl.Item) bool { return i.Kind == ddl.SetCharset })
	}
	if !charset {
		before.charset = ""
	}
	before.markKeys()
	return before, nil
}

func (d *definition) undoStatement(items []ddl.Item) error {
	for i := range items {
		if err := knowable(&items[i]); err != nil {
			return err
		}
	}
	visible, hidden := d.table.Columns[:len(d.table.Columns)-d.hidden], d.table.Columns[len(d.table.Columns)-d.hidden:]
	old := make(map[string]string) // names of columns before, by those after in lower case
	var columns []Column
	for _, c := range visible {
		now := c.Name
		was, ok := columnBefore(c, items)
		if !ok {
			continue
		}
		old[strings.ToLower(now)] = was.Name
		columns = append(columns, was)
	}
	if slices.ContainsFunc(items, func(i ddl.Item) bool { return i.Kind == ddl.AddVersioning }) {
		hidden, d.hidden = nil, 0
	}
	if len(columns) == 0 {
		return fmt.Errorf("its columns: %w", errUnknowable)
	}
	d.table.Columns = append(columns, hidden...)
	d.undoKeys(items, old)
	return nil
}

// takesCharset reports whether an item makes a column that takes the default character
// set of its table.
func takesCharset(i ddl.Item) bool {
	if i.Kind != ddl.AddColumn && i.Kind != ddl.ChangeColumn || i.Column.Type.Charset != "" {
		return false
	}
	f := declared(i.Column.Type).family
	return f == text || f == enum || f == set
}

// knowable fails for items that leave no trace of what was before.
func knowable(i *ddl.Item) error {
	what := ""
	switch {
	case i.Condition && i.Kind != ddl.AddKey && i.Kind != ddl.DropKey:
		what = "whether a part of the statement with IF applied"
	case i.Kind == ddl.DropColumn:
		what = "where column " + i.Name + " was"
	case i.Kind == ddl.ChangeColumn && (i.First || i.After != ""):
		what = "from where column " + i.Name + " came"
	case i.Kind == ddl.DropKey && strings.EqualFold(i.Name, "PRIMARY"):
		what = "the columns of its primary key"
	case i.Kind == ddl.ConvertCharset:
		what = "the character sets of its columns"
	case i.Kind == ddl.DropVersioning:
		what = "the columns of its period"
	default:
		return nil
	}
	return fmt.Errorf("%s: %w", what, errUnknowable)
}

// columnBefore is what a column was before the items; it is false for one that
// they add.
func columnBefore(c Column, items []ddl.Item) (Column, bool) {
	for i := range items {
		item := &items[i]
		if !strings.EqualFold(item.Column.Name, c.Name) {
			continue
		}
		switch item.Kind {
		case ddl.AddColumn:
			return c, false
		case ddl.RenameColumn:
			c.Name = intern(item.Name)
			return c, true
		case ddl.ChangeColumn:
			c.Name, c.Type, c.Charset = intern(item.Name), "", ""
			return c, true
		}
	}
	return c, true
}

// undoKeys takes out added keys, and renames the columns of the others.
func (d *definition) undoKeys(items []ddl.Item, old map[string]string) {
	d.keys = slices.DeleteFunc(d.keys, func(k ddl.Key) bool {
		return slices.ContainsFunc(items, func(i ddl.Item) bool {
			return i.Kind == ddl.AddKey && (i.Key.Kind == ddl.PrimaryKey && k.Kind == ddl.PrimaryKey || strings.EqualFold(i.Key.Name, k.Name))
		})
	})
	for i := range d.keys {
		k := &d.keys[i]
		for c, name := range k.Columns {
			if was, ok := old[strings.ToLower(name)]; ok {
				k.Columns[c] = was
			}
		}
	}
}

// complete takes the types that undo had to leave open from the rows. It is an
// error when the rows do not tell: the sign of a number, or the character set of a
// text.
func (d *definition) complete(r *rows) error {
	for i := range d.table.Columns {
		c := &d.table.Columns[i]
		if c.Type != "" {
			continue
		}
		if i >= len(r.Types) {
			return fmt.Errorf("the type of column %s: %w", c.Name, errUnknowable)
		}
		md := r.column(i)
		switch logged(r.Types[i], r.Meta[i]).family {
		case integer, float, decimal:
			if md == nil || !md.SignKnown {
				return fmt.Errorf("the sign of column %s: %w", c.Name, errUnknowable)
			}
		case text, enum, set, geometry:
			if md == nil || md.Collation == 0 {
				return fmt.Errorf("the character set of column %s: %w", c.Name, errUnknowable)
			}
		}
		*c = r.retyped(*c, i)
	}
	return nil
}
