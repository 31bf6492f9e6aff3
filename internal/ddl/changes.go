package ddl

// Changes says what the statements of a query event do to tables, in order.
// Statements that leave all tables as they are give nothing. Temporary tables
// are left out.
//
// With an error the changes read so far are returned, and where a statement
// that could not be read names the table it is about, an Unknown change for it.
func Changes(sql, currentSchema string, o Options) ([]Change, error) {
	p := newParser(sql, o)
	var all []Change
	for p.tok.kind != end {
		if p.acceptSymbol(';') {
			continue
		}
		saved := *p
		changes, err := p.changes(currentSchema)
		if err != nil {
			return append(all, saved.unknown(currentSchema)...), err
		}
		all = append(all, changes...)
	}
	return all, nil
}

// changes reads one statement.
func (p *parser) changes(currentSchema string) ([]Change, error) {
	switch {
	case p.at("CREATE"):
		return p.createChanges(currentSchema)
	case p.at("ALTER"):
		return p.alterChanges(currentSchema)
	case p.accept("DROP"):
		return p.dropChanges(currentSchema)
	case p.at("RENAME") && !p.before("USER"):
		p.advance()
		return p.renameChanges(currentSchema)
	}
	return nil, p.skipUnbalanced()
}

// skipUnbalanced reads to the end of a statement that is none of ours.
func (p *parser) skipUnbalanced() error {
	for !p.atEnd() {
		if p.tok.kind == broken {
			return p.errorf("the end of a quotation or comment")
		}
		p.advance()
	}
	return nil
}

func (p *parser) createChanges(currentSchema string) ([]Change, error) {
	if p.atCreateTable() {
		t, _, err := p.create(currentSchema)
		if err != nil || t.Temporary {
			return nil, err
		}
		return []Change{{Kind: Create, Table: t.Name, Create: t}}, nil
	}
	p.advance()
	replace := p.accept("OR", "REPLACE")
	for p.acceptAny("ONLINE", "OFFLINE") {
	}
	switch {
	case p.acceptAny("DATABASE", "SCHEMA"):
		return p.createSchemaChange(replace)
	case p.atAny("UNIQUE", "FULLTEXT", "SPATIAL", "VECTOR", "INDEX"):
		return p.createIndexChange(currentSchema, replace)
	}
	return nil, p.skipText() // a stored program lasts to the end
}

func (p *parser) createSchemaChange(replace bool) ([]Change, error) {
	condition := p.ifNotExists()
	name, err := p.ident()
	if err != nil {
		return nil, err
	}
	c := Change{Kind: CreateSchema, Table: Name{Schema: name.real()}, IfNotExists: condition}
	err = p.schemaOptions(&c.Charset)
	if c.Charset == "" {
		c.Charset = p.opts.ServerCharset
	}
	if replace {
		return []Change{{Kind: DropSchema, Table: c.Table}, c}, err
	}
	return []Change{c}, err
}

// alterSchemaChange reads what follows ALTER DATABASE. Without a name the
// current schema is meant.
func (p *parser) alterSchemaChange(currentSchema string) ([]Change, error) {
	c := Change{Kind: CreateSchema, Table: Name{Schema: currentSchema}}
	if !p.atAny("DEFAULT", "CHARACTER", "CHARSET", "COLLATE", "READ") {
		name, err := p.ident()
		if err != nil {
			return nil, err
		}
		c.Table.Schema = name.real()
	}
	if err := p.schemaOptions(&c.Charset); err != nil || c.Charset == "" {
		return nil, err
	}
	return []Change{c}, nil
}

// schemaOptions reads the options of a schema for its default character set.
func (p *parser) schemaOptions(charset *string) (err error) {
	for !p.atEnd() {
		switch {
		case p.accept("CHARACTER", "SET"), p.accept("CHARSET"):
			err = p.charset(charset, false)
		case p.accept("COLLATE"):
			err = p.charset(charset, true)
		default:
			err = p.skipOne()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *parser) createIndexChange(currentSchema string, replace bool) ([]Change, error) {
	var key Key
	if p.accept("UNIQUE") {
		key.Kind = UniqueKey
	}
	p.acceptAny("FULLTEXT", "SPATIAL", "VECTOR")
	if err := p.expect("INDEX"); err != nil {
		return nil, err
	}
	key.IfNotExists = p.ifNotExists()
	name, err := p.ident()
	if err != nil {
		return nil, err
	}
	key.Name = name.real()
	for !p.at("ON") && !p.atEnd() {
		key.Hash = key.Hash || p.at("HASH")
		p.advance()
	}
	if err := p.expect("ON"); err != nil {
		return nil, err
	}
	table, err := p.path()
	if err != nil {
		return nil, err
	}
	p.wait()
	if err := p.keyParts(&key); err != nil {
		return nil, err
	}
	for !p.atEnd() {
		key.Hash = key.Hash || p.at("HASH")
		if err := p.skipOne(); err != nil {
			return nil, err
		}
	}
	items := []Item{{Kind: AddKey, Key: key}}
	if replace {
		items = append(items, Item{Kind: DropKey, Name: key.Name, Condition: true})
	}
	return []Change{{Kind: Alter, Table: table.name(currentSchema), Items: items}}, nil
}

// alterChanges reads ALTER. A rename comes last, whatever its place: the other
// parts are about the old table.
func (p *parser) alterChanges(currentSchema string) ([]Change, error) {
	q := *p
	q.advance()
	for q.acceptAny("ONLINE", "OFFLINE", "IGNORE") {
	}
	if q.atAny("DATABASE", "SCHEMA") {
		q.advance()
		*p = q
		return p.alterSchemaChange(currentSchema)
	}
	if !q.at("TABLE") {
		return nil, p.skipText()
	}
	a, err := p.alterTable(currentSchema)
	if err != nil {
		return nil, err
	}
	alter := Change{Kind: Alter, Table: a.name.name(currentSchema)}
	var renames []Change
	for _, item := range a.items {
		if item.Kind == RenameTable {
			renames = []Change{{Kind: Rename, Table: alter.Table, To: item.To}}
		} else {
			alter.Items = append(alter.Items, item)
		}
	}
	if len(alter.Items) == 0 {
		return renames, nil
	}
	return append([]Change{alter}, renames...), nil
}

func (p *parser) dropChanges(currentSchema string) ([]Change, error) {
	temporary := p.accept("TEMPORARY")
	switch {
	case p.acceptAny("TABLE", "TABLES", "SEQUENCE"):
		p.ifExists()
		return p.dropTables(currentSchema, temporary)
	case p.acceptAny("DATABASE", "SCHEMA"):
		p.ifExists()
		name, err := p.ident()
		if err != nil {
			return nil, err
		}
		return []Change{{Kind: DropSchema, Table: Name{Schema: name.real()}}}, nil
	case p.at("INDEX"):
		return p.dropIndexChange(currentSchema)
	}
	return nil, p.skipUnbalanced()
}

func (p *parser) dropTables(currentSchema string, temporary bool) ([]Change, error) {
	var all []Change
	for {
		name, err := p.path()
		if err != nil {
			return all, err
		}
		if !temporary {
			all = append(all, Change{Kind: Drop, Table: name.name(currentSchema)})
		}
		if !p.acceptSymbol(',') {
			return all, p.skipUnbalanced()
		}
	}
}

func (p *parser) dropIndexChange(currentSchema string) ([]Change, error) {
	p.advance()
	p.ifExists()
	index, err := p.ident()
	if err != nil {
		return nil, err
	}
	if err := p.expect("ON"); err != nil {
		return nil, err
	}
	table, err := p.path()
	if err != nil {
		return nil, err
	}
	item := Item{Kind: DropKey, Name: index.real(), Condition: true}
	return []Change{{Kind: Alter, Table: table.name(currentSchema), Items: []Item{item}}}, p.skipUnbalanced()
}

func (p *parser) renameChanges(currentSchema string) ([]Change, error) {
	pairs, err := p.renames()
	if err != nil {
		return nil, err
	}
	var all []Change
	for _, r := range pairs {
		all = append(all, Change{Kind: Rename, Table: r[0].name(currentSchema), To: r[1].name(currentSchema)})
	}
	return all, nil
}

// unknown gives Unknown changes for the tables that a statement names which
// could not be read.
func (p *parser) unknown(currentSchema string) []Change {
	for p.acceptAny("CREATE", "ALTER", "DROP", "OR", "REPLACE", "ONLINE", "OFFLINE", "IGNORE", "RENAME") {
	}
	switch {
	case p.acceptAny("TABLE", "TABLES", "SEQUENCE"):
	case p.atAny("UNIQUE", "FULLTEXT", "SPATIAL", "VECTOR", "INDEX"):
		for !p.at("ON") && !p.atStop() {
			p.advance()
		}
		p.accept("ON")
	default:
		return nil
	}
	p.accept("IF")
	p.accept("NOT")
	p.accept("EXISTS")
	var all []Change
	for {
		name, err := p.path()
		if err != nil {
			return all
		}
		all = append(all, Change{Kind: Unknown, Table: name.name(currentSchema)})
		if !p.acceptSymbol(',') && !p.accept("TO") {
			return all
		}
	}
}
