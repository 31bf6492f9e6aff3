package ddl

import "strings"

// altered is an ALTER TABLE as read: what it does, and what Canal sees in it.
type altered struct {
	name  path
	items []Item
	seen  []seen
	// options is set when there are table options; Canal reports them first.
	options bool

	versioned bool // ADD SYSTEM VERSIONING
}

// seen is what Canal reports for one part of an ALTER TABLE; to is the new
// name of a rename.
type seen struct {
	kind Type
	to   path
}

func (a *altered) see(t Type) { a.seen = append(a.seen, seen{kind: t}) }

func (a *altered) add(i Item) { a.items = append(a.items, i) }

// addColumn adds an item about a column, and those for the keys written at it.
func (p *parser) addColumn(a *altered, i Item) {
	a.add(i)
	a.addKeys(p.columnKeys(&i.Column), i.Condition && i.Kind == AddColumn)
}

func (a *altered) addKeys(keys []Key, condition bool) {
	for _, k := range keys {
		k.IfNotExists = k.IfNotExists || condition
		a.add(Item{Kind: AddKey, Key: k})
	}
}

// alterTable reads ALTER TABLE to the end of the statement.
func (p *parser) alterTable(currentSchema string) (*altered, error) {
	p.advance() // ALTER
	for p.acceptAny("ONLINE", "OFFLINE", "IGNORE") {
	}
	if err := p.expect("TABLE"); err != nil {
		return nil, err
	}
	if p.ifExists() {
		p.foreign = true
	}
	a := &altered{}
	var err error
	if a.name, err = p.path(); err != nil {
		return nil, err
	}
	p.wait()
	for !p.atEnd() {
		hint, before := p.tok.hint, len(a.seen)
		if err := p.alterItem(a, currentSchema); err != nil {
			return nil, err
		}
		comma := p.acceptSymbol(',')
		if hint { // Canal takes it for a comment
			a.seen = a.seen[:before]
			p.foreign = p.foreign || comma
		}
	}
	if a.versioned && !p.period {
		a.add(Item{Kind: AddVersioning})
	}
	return a, nil
}

// wait reads MariaDB's WAIT n and NOWAIT.
func (p *parser) wait() {
	if p.accept("NOWAIT") {
		p.foreign = true
	}
	if p.accept("WAIT") {
		p.foreign = true
		p.advance()
	}
}

// alterItem reads one part of an ALTER TABLE.
func (p *parser) alterItem(a *altered, currentSchema string) error {
	switch {
	case p.accept("ADD"):
		return p.alterAdd(a)
	case p.accept("DROP"):
		return p.alterDrop(a)
	case p.accept("MODIFY"):
		return p.alterModify(a)
	case p.accept("CHANGE"):
		return p.alterChange(a)
	case p.accept("RENAME"):
		return p.alterRename(a, currentSchema)
	case p.accept("ALTER"):
		return p.alterAlter(a)
	case p.accept("CONVERT", "TO"):
		return p.alterConvert(a)
	case p.accept("ORDER", "BY"):
		a.see(TypeAlter)
		return p.skipStatement()
	case p.accept("PARTITION", "BY"):
		return p.skipStatement()
	case p.acceptAny("REMOVE", "UPGRADE"):
		return p.skipAltered()
	}
	return p.alterOther(a)
}

// alterOther reads the parts that change no column: partition maintenance,
// algorithm and lock, table options.
func (p *parser) alterOther(a *altered) error {
	switch {
	case p.acceptAny("ALGORITHM", "LOCK"):
		a.see(TypeAlter)
		p.acceptSymbol('=')
		p.advance()
		return nil
	case p.acceptAny("FORCE"):
		a.see(TypeAlter)
		return nil
	case p.acceptAny("DISABLE", "ENABLE", "WITH", "WITHOUT"), p.acceptAny("DISCARD", "IMPORT"),
		p.acceptAny("COALESCE", "ANALYZE", "CHECK", "OPTIMIZE", "REBUILD", "REPAIR", "TRUNCATE"):
		a.see(TypeAlter)
		if p.accept("PARTITION") {
			return p.skipStatement()
		}
		return p.skipAltered()
	case p.acceptAny("REORGANIZE", "EXCHANGE"):
		a.see(TypeAlter)
		p.accept("PARTITION")
		p.foreign = p.foreign || p.atEnd() // MySQL redistributes the rows
		return p.skipStatement()
	case p.acceptAny("SECONDARY_LOAD", "SECONDARY_UNLOAD"):
		p.foreign = true
		return nil
	}
	return p.alterOption(a)
}

// unnamedCharset tells that no character set was named from DEFAULT.
const unnamedCharset = "-"

// alterOption reads one table option.
func (p *parser) alterOption(a *altered) error {
	a.options = true
	p.accept("DEFAULT")
	p.foreign = p.foreign || p.at("STORAGE") || p.at("TYPE")
	charset := unnamedCharset
	if err := p.tableOption(&charset); err != nil {
		return err
	}
	if charset != unnamedCharset {
		a.add(Item{Kind: SetCharset, Charset: charset})
	}
	return nil
}

// skipAltered reads to the comma before the next part.
func (p *parser) skipAltered() error { return p.skipElement() }

// alterAdd reads what follows ADD.
func (p *parser) alterAdd(a *altered) error {
	switch {
	case p.atKey():
		return p.alterAddKey(a)
	case p.at("PARTITION"):
		p.foreign = p.foreign || p.before("PARTITIONS")
		a.see(TypeAlter)
		return p.skipStatement()
	case p.at("SYSTEM") && p.before("VERSIONING"):
		a.see(TypeAlter)
		a.versioned = true
		return p.skipAltered()
	case p.at("PERIOD") && (p.before("FOR") || p.before("IF")):
		period, err := p.periodFor()
		if period.Name != "" {
			a.add(Item{Kind: AddPeriod, Period: period})
		}
		return err
	}
	p.accept("COLUMN")
	condition := p.ifNotExistsForeign()
	a.see(TypeAlter)
	if p.atSymbol('(') {
		return p.alterAddList(a, condition)
	}
	item := Item{Kind: AddColumn, Condition: condition}
	if err := p.positioned(&item); err != nil {
		return err
	}
	p.addColumn(a, item)
	return nil
}

// alterAddKey reads a key or constraint after ADD.
func (p *parser) alterAddKey(a *altered) error {
	key, ok, err := p.key()
	if err != nil || !ok {
		return err
	}
	if !key.Foreign {
		a.see(TypeCreateIndex)
	}
	a.add(Item{Kind: AddKey, Key: key})
	return nil
}

// alterAddList reads ADD (column, column, key).
func (p *parser) alterAddList(a *altered, condition bool) error {
	var t CreateTable
	if err := p.elements(&t); err != nil {
		return err
	}
	for _, c := range t.Columns {
		a.add(Item{Kind: AddColumn, Column: c, Condition: condition})
	}
	a.addKeys(t.Keys, condition)
	if t.Period.Name != "" {
		a.add(Item{Kind: AddPeriod, Period: t.Period})
	}
	return nil
}

// positioned reads a column definition with FIRST or AFTER.
func (p *parser) positioned(item *Item) error {
	c, err := p.column()
	if err != nil {
		return err
	}
	item.Column = c
	if p.accept("FIRST") {
		item.First = true
	} else if p.accept("AFTER") {
		after, err := p.ident()
		if err != nil {
			return err
		}
		item.After = after.real()
	}
	return nil
}

// alterDrop reads what follows DROP.
func (p *parser) alterDrop(a *altered) error {
	switch {
	case p.accept("PRIMARY"):
		a.see(TypeAlter)
		a.add(Item{Kind: DropKey, Name: "PRIMARY"})
		return p.expect("KEY")
	case p.acceptAny("INDEX", "KEY"):
		return p.alterDropNamed(a, TypeDropIndex, true)
	case p.acceptAny("CONSTRAINT"):
		return p.alterDropNamed(a, TypeDropIndex, true) // it may name a unique key
	case p.accept("FOREIGN", "KEY"):
		return p.alterDropNamed(a, TypeDropIndex, false)
	case p.accept("CHECK"):
		return p.alterDropNamed(a, TypeAlter, false)
	case p.accept("PARTITION"):
		a.see(TypeAlter)
		return p.skipStatement()
	case p.at("SYSTEM") && p.before("VERSIONING"):
		p.foreign = true
		a.add(Item{Kind: DropVersioning})
		return p.skipAltered()
	case p.at("PERIOD") && (p.before("FOR") || p.before("IF")):
		p.foreign = true
		a.add(Item{Kind: DropPeriod})
		return p.skipAltered()
	}
	p.accept("COLUMN")
	return p.alterDropColumn(a)
}

func (p *parser) alterDropColumn(a *altered) error {
	item := Item{Kind: DropColumn, Condition: p.ifExists()}
	p.foreign = p.foreign || item.Condition
	name, err := p.ident()
	if err != nil {
		return err
	}
	if p.acceptAny("RESTRICT", "CASCADE") {
		p.foreign = true
	}
	item.Name = name.real()
	a.see(TypeAlter)
	a.add(item)
	return nil
}

// alterDropNamed reads the name of a key or constraint to be dropped.
func (p *parser) alterDropNamed(a *altered, t Type, isKey bool) error {
	if p.ifExists() {
		p.foreign = true
	}
	name, err := p.ident()
	if err != nil {
		return err
	}
	a.see(t)
	if isKey {
		a.add(Item{Kind: DropKey, Name: name.real(), Condition: true})
	}
	return nil
}

// alterModify reads what follows MODIFY.
func (p *parser) alterModify(a *altered) error {
	p.accept("COLUMN")
	item := Item{Kind: ChangeColumn, Condition: p.ifExists()}
	p.foreign = p.foreign || item.Condition
	if err := p.positioned(&item); err != nil {
		return err
	}
	item.Name = item.Column.Name
	a.see(TypeAlter)
	p.addColumn(a, item)
	return nil
}

// alterChange reads what follows CHANGE.
func (p *parser) alterChange(a *altered) error {
	p.accept("COLUMN")
	item := Item{Kind: ChangeColumn, Condition: p.ifExists()}
	p.foreign = p.foreign || item.Condition
	old, err := p.ident()
	if err != nil {
		return err
	}
	item.Name = old.real()
	if err := p.positioned(&item); err != nil {
		return err
	}
	a.see(TypeAlter)
	p.addColumn(a, item)
	return nil
}

// alterRename reads what follows RENAME: a column, a key or the table.
func (p *parser) alterRename(a *altered, currentSchema string) error {
	if t, _ := p.peek(); p.atAny("COLUMN", "INDEX", "KEY") && (t.kind == word || t.kind == quoted) {
		return p.alterRenamePart(a)
	}
	if p.acceptSymbol('=') {
		p.foreign = true
	} else {
		p.acceptAny("TO", "AS")
	}
	to, err := p.path()
	if err != nil {
		return err
	}
	a.seen = append(a.seen, seen{kind: TypeRename, to: to})
	a.add(Item{Kind: RenameTable, To: to.name(currentSchema)})
	return nil
}

// alterRenamePart reads RENAME COLUMN, INDEX or KEY.
func (p *parser) alterRenamePart(a *altered) error {
	isColumn := p.at("COLUMN")
	p.advance()
	p.foreign = p.foreign || p.at("IF")
	condition := p.ifExists()
	old, err := p.ident()
	if err != nil {
		return err
	}
	if err := p.expect("TO"); err != nil {
		return err
	}
	name, err := p.ident()
	if err != nil {
		return err
	}
	a.see(TypeAlter)
	item := Item{Kind: RenameKey, Name: old.real(), Condition: condition}
	if isColumn {
		item.Kind, item.Column.Name = RenameColumn, name.real()
	} else {
		item.Key.Name = name.real()
	}
	a.add(item)
	return nil
}

// alterAlter reads what follows ALTER: defaults and visibility, which leave
// the form of the rows alone.
func (p *parser) alterAlter(a *altered) error {
	a.see(TypeAlter)
	index := p.atAny("INDEX", "KEY")
	p.foreign = p.foreign || p.at("CONSTRAINT")
	for !p.atElementEnd() {
		p.foreign = p.foreign || !index && p.atAny("VISIBLE", "INVISIBLE") || p.atAny("IF", "IGNORED")
		if err := p.skipOne(); err != nil {
			return err
		}
	}
	return nil
}

// alterConvert reads what follows CONVERT TO.
func (p *parser) alterConvert(a *altered) error {
	p.foreign = p.foreign || !p.at("CHARACTER")
	if !p.accept("CHARACTER", "SET") && !p.accept("CHARSET") && !p.accept("CHAR", "SET") {
		return p.errorf("CHARACTER SET")
	}
	var charset string
	if err := p.charset(&charset, false); err != nil {
		return err
	}
	if p.accept("COLLATE") {
		if err := p.charset(&charset, true); err != nil {
			return err
		}
	}
	a.see(TypeAlter)
	a.add(Item{Kind: ConvertCharset, Charset: strings.ToLower(charset)})
	return nil
}
