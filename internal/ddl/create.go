package ddl

import "strings"

// ParseCreateTable reads a CREATE TABLE or CREATE SEQUENCE statement, as a user
// writes it or as SHOW CREATE TABLE prints it. A name without schema keeps an
// empty one.
func ParseCreateTable(sql string, o Options) (*CreateTable, error) {
	p := newParser(sql, o)
	t, _, err := p.create("")
	if err != nil {
		return nil, err
	}
	return t, nil
}

// atCreateTable reports whether a CREATE TABLE comes next.
func (p *parser) atCreateTable() bool {
	q := *p
	q.accept("CREATE")
	q.accept("OR", "REPLACE")
	q.accept("TEMPORARY")
	return q.at("TABLE") || q.at("SEQUENCE")
}

// create reads CREATE TABLE and CREATE SEQUENCE to the end of the statement.
func (p *parser) create(currentSchema string) (*CreateTable, path, error) {
	t := &CreateTable{}
	if err := p.expect("CREATE"); err != nil {
		return nil, path{}, err
	}
	if t.OrReplace = p.accept("OR", "REPLACE"); t.OrReplace {
		p.foreign = true
	}
	t.Temporary = p.accept("TEMPORARY")
	t.Sequence = p.accept("SEQUENCE")
	if !t.Sequence {
		if err := p.expect("TABLE"); err != nil {
			return nil, path{}, err
		}
	}
	if p.at("IF") && p.tok.hint {
		p.foreign = true
	}
	t.IfNotExists = p.ifNotExists()
	name, err := p.path()
	if err != nil {
		return nil, path{}, err
	}
	t.Name = name.name(currentSchema)
	if t.Sequence {
		t.Columns = sequenceColumns()
		return t, name, p.skipStatement()
	}
	return t, name, p.createBody(t, currentSchema)
}

// sequenceColumns is the table behind a sequence of MariaDB (sql_sequence.cc).
func sequenceColumns() []Column {
	signed, unsigned := DataType{Name: "bigint", Args: []string{"21"}}, DataType{Name: "bigint", Args: []string{"21"}, Unsigned: true}
	return []Column{
		{Name: "next_not_cached_value", Type: signed, NotNull: true},
		{Name: "minimum_value", Type: signed, NotNull: true},
		{Name: "maximum_value", Type: signed, NotNull: true},
		{Name: "start_value", Type: signed, NotNull: true},
		{Name: "increment", Type: signed, NotNull: true},
		{Name: "cache_size", Type: unsigned, NotNull: true},
		{Name: "cycle_option", Type: DataType{Name: "tinyint", Args: []string{"1"}, Unsigned: true}, NotNull: true},
		{Name: "cycle_count", Type: signed, NotNull: true},
	}
}

// createBody reads what follows the name of a new table.
func (p *parser) createBody(t *CreateTable, currentSchema string) error {
	if p.acceptLike(t, currentSchema) {
		return p.like(t, currentSchema)
	}
	if p.atSymbol('(') && !p.beforeQuery() {
		if err := p.elements(t); err != nil {
			return err
		}
		p.foreign = p.foreign || p.enforced
	} else if p.atEnd() {
		return p.errorf("columns")
	}
	return p.tableOptions(t)
}

// acceptLike reads LIKE, with an opening parenthesis before it or not.
func (p *parser) acceptLike(t *CreateTable, currentSchema string) bool {
	if p.atSymbol('(') && p.before("LIKE") {
		p.advance()
	}
	return p.accept("LIKE")
}

// like reads the name of the table whose definition is copied.
func (p *parser) like(t *CreateTable, currentSchema string) error {
	source, err := p.path()
	if err != nil {
		return err
	}
	name := source.name(currentSchema)
	t.Like = &name
	p.acceptSymbol(')')
	if !p.atEnd() {
		return p.errorf("the end of the statement")
	}
	return nil
}

// beforeQuery reports whether a parenthesis is followed by a query.
func (p *parser) beforeQuery() bool {
	q := *p
	for q.acceptSymbol('(') {
	}
	return q.atAny("SELECT", "WITH", "VALUES") && !q.before("(")
}

// elements reads the list of columns, keys and constraints.
func (p *parser) elements(t *CreateTable) error {
	for first := true; first || p.acceptSymbol(','); first = false {
		if first {
			p.advance()
		}
		if err := p.element(t); err != nil {
			return err
		}
	}
	if !p.acceptSymbol(')') {
		return p.errorf(", or )")
	}
	return nil
}

// element reads one column, key or constraint of a CREATE TABLE.
func (p *parser) element(t *CreateTable) error {
	if p.atKey() {
		key, ok, err := p.key()
		if ok {
			t.Keys = append(t.Keys, key)
		}
		return err
	}
	if p.at("PERIOD") && p.before("FOR") {
		period, err := p.periodFor()
		if period.Name != "" {
			t.Period = period
		}
		return err
	}
	c, err := p.column()
	if err != nil {
		return err
	}
	if p.atAny("FIRST", "AFTER") {
		return p.errorf(", or )")
	}
	t.Columns = append(t.Columns, c)
	t.Keys = append(t.Keys, p.columnKeys(&c)...)
	return nil
}

// columnKeys are the keys that are written at a column. MariaDB makes no other
// of a primary one.
func (p *parser) columnKeys(c *Column) []Key {
	var all []Key
	if c.Primary {
		all = append(all, Key{Kind: PrimaryKey, Name: "PRIMARY", Columns: []string{c.Name}})
	}
	if c.Unique && !(c.Primary && p.opts.Server.MariaDB) {
		all = append(all, Key{Kind: UniqueKey, Columns: []string{c.Name}})
	}
	if c.Foreign {
		all = append(all, Key{Foreign: true, Columns: []string{c.Name}})
	}
	return all
}

// periodFor reads PERIOD FOR. That of a system-versioned table has no name.
func (p *parser) periodFor() (Period, error) {
	p.foreign = true
	p.accept("PERIOD")
	p.ifNotExists()
	if err := p.expect("FOR"); err != nil {
		return Period{}, err
	}
	system := p.at("SYSTEM_TIME")
	p.period = p.period || system
	name, err := p.ident()
	if err != nil {
		return Period{}, err
	}
	var k Key
	if err := p.keyParts(&k); err != nil {
		return Period{}, err
	}
	if system || len(k.Columns) != 2 {
		return Period{}, nil
	}
	return Period{Name: name.real(), Start: k.Columns[0], End: k.Columns[1]}, nil
}

// atKey reports whether a key or constraint comes next, not a column.
func (p *parser) atKey() bool {
	if p.at("VECTOR") {
		return p.before("INDEX") || p.before("KEY")
	}
	return p.atAny("CONSTRAINT", "PRIMARY", "UNIQUE", "KEY", "INDEX", "FULLTEXT", "SPATIAL", "FOREIGN", "CHECK")
}

// skipElement reads to the comma or parenthesis that ends a list item.
func (p *parser) skipElement() error {
	for !p.atElementEnd() {
		if err := p.skipOne(); err != nil {
			return err
		}
	}
	return nil
}

func (p *parser) atElementEnd() bool {
	return p.atEnd() || p.atSymbol(',') || p.atSymbol(')')
}

// key reads a key or constraint. It is false for what is no key: checks. A
// foreign key gives the key that it brings.
func (p *parser) key() (Key, bool, error) {
	var k Key
	if p.accept("CONSTRAINT") && !p.atAny("PRIMARY", "UNIQUE", "FOREIGN", "CHECK") {
		k.IfNotExists = p.ifNotExistsForeign()
		name, err := p.ident()
		if err != nil {
			return k, false, err
		}
		k.Name = name.real()
	}
	switch {
	case p.accept("CHECK"):
		if err := p.skipParens(); err != nil {
			return k, false, err
		}
		p.enforced = p.enforced || !p.atElementEnd()
		return k, false, p.skipElement()
	case p.accept("FOREIGN"):
		return k, true, p.foreignKey(&k)
	case p.accept("PRIMARY"):
		k.Kind, k.Name = PrimaryKey, "PRIMARY"
		if err := p.expect("KEY"); err != nil {
			return k, false, err
		}
	case p.accept("UNIQUE"):
		k.Kind = UniqueKey
		p.acceptAny("KEY", "INDEX")
	case p.acceptAny("FULLTEXT", "SPATIAL", "VECTOR"):
		p.acceptAny("KEY", "INDEX")
	case p.acceptAny("KEY", "INDEX"):
	default:
		return k, false, p.errorf("a key")
	}
	return k, true, p.keyBody(&k)
}

// foreignKey reads the rest of a foreign key. The key that it brings is called
// as the constraint, else as the foreign key itself.
func (p *parser) foreignKey(k *Key) error {
	k.Foreign = true
	if err := p.expect("KEY"); err != nil {
		return err
	}
	k.IfNotExists = p.ifNotExistsForeign() || k.IfNotExists
	if !p.atSymbol('(') {
		name, err := p.ident()
		if err != nil {
			return err
		}
		if k.Name == "" {
			k.Name = name.real()
		}
	}
	if err := p.keyParts(k); err != nil {
		return err
	}
	for !p.atElementEnd() {
		p.foreign = p.foreign || p.at("MATCH")
		if err := p.skipOne(); err != nil {
			return err
		}
	}
	return nil
}

// keyBody reads name, columns and options of a key.
func (p *parser) keyBody(k *Key) error {
	k.IfNotExists = p.ifNotExistsForeign() || k.IfNotExists
	if p.atIdent() && !p.at("USING") {
		name, err := p.ident()
		if err != nil {
			return err
		}
		if k.Kind != PrimaryKey {
			k.Name = name.real()
		}
	}
	if p.accept("USING") {
		k.Hash = p.at("HASH")
		p.advance()
	} else if p.accept("TYPE") {
		p.foreign = true
		p.advance()
	}
	if err := p.keyParts(k); err != nil {
		return err
	}
	return p.keyOptions(k)
}

// ifNotExistsForeign reads IF NOT EXISTS, which Canal does not know for parts of tables.
func (p *parser) ifNotExistsForeign() bool {
	ok := p.ifNotExists()
	p.foreign = p.foreign || ok
	return ok
}

// keyOptions reads the options of a key up to the end of the list item.
func (p *parser) keyOptions(k *Key) error {
	hidden := false
	for !p.atElementEnd() {
		k.Hash = k.Hash || p.at("HASH")
		hidden = hidden || p.tok.hint && p.atAny("INVISIBLE", "VISIBLE")
		p.foreign = p.foreign || p.atAny("WAIT", "NOWAIT", "IGNORED")
		if err := p.skipOne(); err != nil {
			return err
		}
	}
	p.foreign = p.foreign || hidden && !p.atEnd()
	return nil
}

// keyParts reads the columns of a key, in parentheses.
func (p *parser) keyParts(k *Key) error {
	if !p.acceptSymbol('(') {
		return p.errorf("the columns of a key")
	}
	for {
		if p.atSymbol('(') {
			if err := p.functionalPart(k); err != nil {
				return err
			}
		} else {
			name, err := p.ident()
			if err != nil {
				return err
			}
			k.Columns = append(k.Columns, name.real())
			if p.atSymbol('(') {
				if err := p.skipParens(); err != nil {
					return err
				}
			}
		}
		p.acceptAny("ASC", "DESC")
		p.accept("WITHOUT", "OVERLAPS")
		if p.acceptSymbol(')') {
			return nil
		}
		if !p.acceptSymbol(',') {
			return p.errorf(", or )")
		}
	}
}

// functionalPart reads an expression and notes the names in it.
func (p *parser) functionalPart(k *Key) error {
	k.Expressions++
	q := *p
	if err := p.skipParens(); err != nil {
		return err
	}
	for q.tok.start < p.tok.start {
		if q.atIdent() && !q.before("(") {
			k.Columns = append(k.Columns, ident(q.text()).real())
		}
		q.advance()
	}
	return nil
}

// column reads a column definition, up to what ends a list item or to FIRST or AFTER.
func (p *parser) column() (Column, error) {
	var c Column
	if p.atAny("KEY", "INDEX") {
		return c, p.errorf("a column")
	}
	p.foreign = p.foreign || p.at("CONDITION")
	name, err := p.ident()
	if err != nil {
		return c, err
	}
	c.Name = name.real()
	if c.Type, err = p.dataType(); err != nil {
		return c, err
	}
	if strings.EqualFold(c.Type.Name, "serial") {
		c.NotNull, c.Unique = true, true
	}
	if err := p.columnAttributes(&c); err != nil {
		return c, err
	}
	if c.counts { // NULL beside it has no effect
		c.NotNull, c.Null = true, false
	}
	return c, nil
}

// columnAttributes reads what follows the type. Canal skips an executable
// comment after NOT NULL and one at the very end, and refuses others.
func (p *parser) columnAttributes(c *Column) error {
	refused, afterNotNull := false, false
	for !p.atElementEnd() && !p.atAny("FIRST", "AFTER", "ALGORITHM", "LOCK", "PARTITION") {
		hint, foreign := p.tok.hint, p.foreign
		if hint && !p.tok.maria && !afterNotNull {
			refused = true
		}
		notNull := p.at("NOT")
		if err := p.columnAttribute(c); err != nil {
			return err
		}
		if hint {
			p.foreign = foreign
		} else {
			afterNotNull = notNull
		}
	}
	p.foreign = p.foreign || refused && !p.atEnd()
	return nil
}

// columnAttribute reads one attribute of a column.
func (p *parser) columnAttribute(c *Column) error {
	switch {
	case p.accept("NOT", "NULL"):
		c.NotNull, c.Null = true, false
	case p.accept("NULL"):
		c.Null, c.NotNull = true, false
	case p.accept("PRIMARY"):
		p.foreign = p.foreign || !p.accept("KEY")
		c.Primary, c.NotNull = true, true
	case p.accept("UNIQUE"):
		p.foreign = p.foreign || p.at("INDEX")
		p.acceptAny("KEY", "INDEX")
		c.Unique = true
	case p.accept("KEY"):
		c.Primary, c.NotNull = true, true
	case p.accept("DEFAULT"):
		return p.defaultValue()
	case p.accept("COMMENT"):
		p.foreign = p.foreign || p.atSymbol('=')
		_, err := p.value()
		return err
	case p.accept("ON", "UPDATE"):
		return p.defaultValue()
	case p.accept("GENERATED", "ALWAYS", "AS"), p.accept("AS"):
		return p.generated(c)
	case p.accept("INVISIBLE"):
		c.Invisible, p.foreign = true, true
	case p.accept("COLLATE"):
		return p.charset(&c.Type.Charset, true)
	case p.accept("CHARACTER", "SET"), p.accept("CHARSET"):
		return p.charset(&c.Type.Charset, false)
	case p.acceptAny("CHECK"):
		return p.skipParens()
	case p.accept("SERIAL", "DEFAULT", "VALUE"):
		c.NotNull, c.Unique, p.foreign = true, true, true
	default:
		return p.rareAttribute(c)
	}
	return nil
}

// rareAttribute reads the attributes that leave the column's form as it is.
func (p *parser) rareAttribute(c *Column) error {
	switch {
	case p.accept("COMPRESSED"):
		c.Compressed = true
		p.foreign = true
		if p.acceptSymbol('=') {
			p.advance()
		}
		return nil
	case p.accept("AUTO_INCREMENT"):
		c.counts = true
		return nil
	case p.acceptAny("VIRTUAL", "STORED"):
		return nil
	case p.acceptAny("COLUMN_FORMAT", "STORAGE"):
		p.advance()
		return nil
	case p.accept("REFERENCES"):
		c.Foreign = p.opts.Server.columnReferences()
		return p.references()
	case p.accept("CONSTRAINT"):
		if !p.at("CHECK") {
			p.advance()
		}
		return nil
	case p.accept("SRID"):
		p.foreign = true
		p.advance()
		return nil
	case p.accept("WITH", "SYSTEM", "VERSIONING"):
		p.foreign, p.versioned = true, true
		return nil
	}
	p.foreign = true // VISIBLE, PERSISTENT, ENGINE_ATTRIBUTE, SYSTEM VERSIONING, NOT ENFORCED, what is yet to come
	return p.skipOne()
}

// references reads the table and columns that a column refers to.
func (p *parser) references() error {
	if _, err := p.path(); err != nil {
		return err
	}
	if p.atSymbol('(') {
		if err := p.skipParens(); err != nil {
			return err
		}
	}
	for p.acceptAny("MATCH", "ON") {
		p.acceptAny("DELETE", "UPDATE")
		p.accept("SET")
		p.accept("NO")
		p.advance()
	}
	return nil
}

// generated reads the expression of a computed column, or a row start or end
// of a system-versioned table, which is an ordinary column to the log.
func (p *parser) generated(c *Column) error {
	if p.accept("ROW") {
		p.foreign = true
		p.advance()
		c.NotNull, c.Null = true, false
		return nil
	}
	c.Generated = true
	return p.skipParens()
}

// defaultValue reads the value after DEFAULT or ON UPDATE, which may be a sum
// or the like without parentheses in MariaDB.
func (p *parser) defaultValue() error {
	for {
		if err := p.operand(); err != nil {
			return err
		}
		if !p.atOperator() {
			return nil
		}
	}
}

// atOperator reports whether an operator in the middle of an expression comes next.
func (p *parser) atOperator() bool {
	return p.tok.kind == symbol && strings.IndexByte("+-*/%.|&^<>!", p.sql[p.tok.start]) >= 0
}

// operand reads signs and one value.
func (p *parser) operand() error {
	for p.atOperator() {
		p.advance()
	}
	if p.atSymbol('(') {
		return p.skipParens()
	}
	if p.tok.kind == symbol || p.atStop() {
		return p.errorf("a value")
	}
	isText := p.tok.kind == text
	p.advance()
	for p.tok.kind == text { // behind an introducer
		p.foreign = p.foreign || isText
		p.advance()
	}
	if p.atSymbol('(') {
		return p.skipParens()
	}
	return nil
}

// plainOptions are the table options that Canal's grammar knows besides those
// that tableOption reads itself.
var plainOptions = []string{
	"ENGINE", "AUTO_INCREMENT", "COMMENT", "ROW_FORMAT", "KEY_BLOCK_SIZE", "UNION", "INSERT_METHOD", "DATA", "INDEX",
	"TABLESPACE", "STORAGE", "COMPRESSION", "ENCRYPTION", "STATS_PERSISTENT", "STATS_AUTO_RECALC", "STATS_SAMPLE_PAGES",
	"PACK_KEYS", "CHECKSUM", "DELAY_KEY_WRITE", "AVG_ROW_LENGTH", "MAX_ROWS", "MIN_ROWS", "CONNECTION", "PASSWORD",
	"BROADCAST",
}

// tableOptions reads what follows the columns: options, partitions, a query.
func (p *parser) tableOptions(t *CreateTable) error {
	defer func() { t.Versioned = p.versioned && !p.period }()
	for !p.atEnd() {
		switch {
		case p.acceptSymbol(','), p.accept("DEFAULT"):
		case p.accept("START", "TRANSACTION"):
		case p.accept("PARTITION"):
			return p.skipStatement()
		case p.atSymbol('('), p.atAny("IGNORE", "REPLACE", "AS", "SELECT", "WITH", "VALUES", "TABLE"):
			if p.at("WITH") && p.before("SYSTEM") {
				p.foreign, p.versioned = true, true
				p.accept("WITH", "SYSTEM")
				p.advance()
				continue
			}
			return p.query(t)
		default:
			if err := p.tableOption(&t.Charset); err != nil {
				return err
			}
		}
	}
	return nil
}

// query reads the query of CREATE TABLE … SELECT.
func (p *parser) query(t *CreateTable) error {
	t.Select = true
	p.acceptAny("IGNORE", "REPLACE")
	p.accept("AS")
	p.foreign = p.foreign || p.at("TABLE")
	if !p.atSymbol('(') && !p.atAny("SELECT", "WITH", "VALUES", "TABLE") {
		return p.errorf("a query")
	}
	p.advance()
	if p.atEnd() {
		return p.errorf("a query")
	}
	return p.skipQuery()
}

// skipQuery reads a query to the end of the statement. Parentheses that were
// opened before do no harm.
func (p *parser) skipQuery() error {
	for !p.atEnd() {
		if p.tok.kind == broken {
			return p.errorf("the end of a quotation or comment")
		}
		p.advance()
	}
	return nil
}

// tableOption reads one option of a table; charset takes the default character
// set when it is that.
func (p *parser) tableOption(charset *string) error {
	switch {
	case p.accept("CHARACTER", "SET"), p.accept("CHARSET"), p.accept("CHAR", "SET"):
		return p.charset(charset, false)
	case p.accept("COLLATE"):
		return p.charset(charset, true)
	case p.at("UNION"):
		p.advance()
		p.acceptSymbol('=')
		return p.skipParens()
	case !p.atIdent():
		return p.errorf("a table option")
	}
	p.foreign = p.foreign || !p.atAny(plainOptions...)
	tablespace, directory := p.at("TABLESPACE"), p.atAny("DATA", "INDEX")
	p.advance()
	if directory {
		p.accept("DIRECTORY")
	}
	equals := p.acceptSymbol('=')
	p.foreign = p.foreign || tablespace && equals
	if !equals && p.atElementEnd() || p.at("START") {
		return nil
	}
	return p.skipOne()
}
