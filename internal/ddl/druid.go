package ddl

import "strings"

// classifyAll follows DruidDdlParser over all statements of a text.
func (p *parser) classifyAll(currentSchema string) ([]Result, error) {
	var all []Result
	for p.tok.kind != end {
		if p.acceptSymbol(';') {
			continue
		}
		if p.tok.hint { // a statement inside an executable comment is no statement to Canal
			p.advance()
			continue
		}
		results, err := p.classify(currentSchema)
		if err != nil {
			return nil, err
		}
		if !p.atEnd() {
			return nil, p.errorf("the end of the statement")
		}
		all = append(all, results...)
	}
	return all, nil
}

// classify reads one statement.
func (p *parser) classify(currentSchema string) ([]Result, error) {
	switch {
	case p.at("CREATE"):
		return p.classifyCreate(currentSchema)
	case p.at("ALTER"):
		return p.classifyAlter(currentSchema)
	case p.at("DROP"):
		return p.classifyDrop(currentSchema)
	case p.accept("TRUNCATE"):
		return p.classifyTruncate(currentSchema)
	case p.at("RENAME"):
		return p.classifyRename(currentSchema)
	case p.at("INSERT"):
		return p.classifyInsert(currentSchema)
	case p.at("UPDATE"):
		return p.classifyUpdate(currentSchema)
	case p.at("DELETE"):
		return p.classifyDelete(currentSchema)
	}
	return nil, p.classifyOther()
}

// classifyCreate reads CREATE.
func (p *parser) classifyCreate(currentSchema string) ([]Result, error) {
	if p.atCreateTable() {
		q := *p
		t, name, err := p.create(currentSchema)
		switch {
		case err != nil:
			return nil, err
		case t.Sequence:
			p.foreign = p.foreign || t.IfNotExists || q.before("OR") || strings.Contains(p.sql[q.tok.start:p.tok.start], "=")
			return nil, nil
		}
		return []Result{name.result(TypeCreate, currentSchema)}, nil
	}
	p.advance()
	switch {
	case p.acceptAny("DATABASE", "SCHEMA"):
		return p.classifyCreateSchema()
	case p.atAny("UNIQUE", "FULLTEXT", "SPATIAL", "INDEX"):
		p.acceptAny("UNIQUE", "FULLTEXT", "SPATIAL")
		p.advance()
		return p.classifyCreateIndex(currentSchema)
	}
	return nil, p.createOther()
}

// classifyCreateSchema reads what follows CREATE DATABASE.
func (p *parser) classifyCreateSchema() ([]Result, error) {
	p.foreign = p.foreign || p.tok.hint
	p.ifNotExists()
	name, err := p.ident()
	if err != nil {
		return nil, err
	}
	for !p.atEnd() {
		p.foreign = p.foreign || p.at("COMMENT")
		if err := p.skipOne(); err != nil {
			return nil, err
		}
	}
	return []Result{{Type: TypeQuery, Schema: string(name)}}, nil
}

// classifyCreateIndex reads a CREATE INDEX from the name of the index on.
func (p *parser) classifyCreateIndex(currentSchema string) ([]Result, error) {
	p.ifNotExistsForeign()
	if _, err := p.ident(); err != nil {
		return nil, err
	}
	if p.accept("USING") {
		p.advance()
	}
	if err := p.expect("ON"); err != nil {
		return nil, err
	}
	name, err := p.path()
	if err != nil {
		return nil, err
	}
	p.wait()
	if err := p.keyParts(&Key{}); err != nil {
		return nil, err
	}
	if err := p.keyOptions(&Key{}); err != nil {
		return nil, err
	}
	return []Result{name.result(TypeCreateIndex, currentSchema)}, nil
}

// createOther reads the CREATE statements that Canal drops.
func (p *parser) createOther() error {
	replace := p.accept("OR", "REPLACE")
	for p.atAny("ALGORITHM", "DEFINER", "SQL") {
		for !p.atStop() && !p.atAny("ALGORITHM", "DEFINER", "VIEW", "PROCEDURE", "FUNCTION", "TRIGGER", "EVENT") ||
			p.atAny("ALGORITHM", "DEFINER") {
			p.advance()
		}
	}
	switch {
	case p.accept("VIEW"):
		return p.skipStatement()
	case p.atAny("PROCEDURE", "FUNCTION", "TRIGGER", "EVENT"):
		return p.routine()
	case replace:
	case p.accept("USER"):
		return p.createUser()
	case p.accept("SERVER"):
		p.ifNotExistsForeign()
		return p.skipStatement()
	case p.acceptAny("ROLE", "TABLESPACE", "LOGFILE", "RESOURCE"):
		return p.skipStatement()
	}
	return p.errorf("something Canal knows to create")
}

// routine reads a stored program, which lasts to the end of the text. Canal
// drops those it can read.
func (p *parser) routine() error {
	if !p.accept("EVENT") {
		p.advance()
		p.ifNotExistsForeign()
	}
	handler := false
	for p.tok.kind != end {
		if p.tok.kind == broken {
			return p.errorf("the end of a quotation or comment")
		}
		p.foreign = p.foreign || p.atAny("SONAME", "SIGNAL", "RESIGNAL", "DIAGNOSTICS", "FOLLOWS", "PRECEDES") ||
			handler && p.atAny("SQLEXCEPTION", "SQLWARNING", "SQLSTATE")
		handler = p.at("FOR") && handler || p.at("HANDLER")
		p.advance()
	}
	return nil
}

// createUser reads the rest of CREATE USER. Canal's grammar knows little more
// than how the user is identified.
func (p *parser) createUser() error {
	afterBy, afterIdentified := false, false
	for !p.atEnd() {
		p.foreign = p.foreign || p.atAny("REQUIRE", "ACCOUNT", "DEFAULT", "COMMENT") || p.at("WITH") && !afterIdentified || p.at("PASSWORD") && !afterBy
		afterBy = p.at("BY")
		afterIdentified = p.at("IDENTIFIED")
		if err := p.skipOne(); err != nil {
			return err
		}
	}
	return nil
}

// alterUser reads the rest of ALTER USER.
func (p *parser) alterUser() error {
	identified := false
	for !p.atEnd() {
		p.foreign = p.foreign || p.atAny("DEFAULT", "HISTORY", "REUSE", "FAILED_LOGIN_ATTEMPTS") || identified && p.at("REQUIRE")
		identified = identified || p.at("IDENTIFIED") && p.before("WITH")
		if err := p.skipOne(); err != nil {
			return err
		}
	}
	return nil
}

// classifyAlter reads ALTER.
func (p *parser) classifyAlter(currentSchema string) ([]Result, error) {
	q := *p
	q.advance()
	for q.acceptAny("ONLINE", "OFFLINE", "IGNORE") {
	}
	if q.at("TABLE") {
		return p.classifyAlterTable(currentSchema)
	}
	p.advance()
	switch {
	case p.acceptAny("DATABASE", "SCHEMA"):
		if p.atAny("CHARACTER", "COLLATE", "DEFAULT", "CHARSET") {
			return nil, p.errorf("the name of a schema")
		}
		p.advance()
		p.accept("DEFAULT")
		p.foreign = p.foreign || !p.atAny("CHARACTER", "UPGRADE")
		for !p.atEnd() {
			p.foreign = p.foreign || p.at("READ")
			p.advance()
		}
		return nil, nil
	case p.accept("USER"):
		return nil, p.alterUser()
	case p.acceptAny("VIEW", "INSTANCE"):
		return nil, p.skipStatement()
	case p.acceptAny("EVENT", "PROCEDURE", "FUNCTION"):
		return nil, p.skipText()
	case p.accept("DEFINER"):
		for !p.at("EVENT") {
			if p.atStop() {
				return nil, p.errorf("EVENT")
			}
			p.advance()
		}
		return nil, p.skipText()
	}
	return nil, p.errorf("something Canal knows to alter")
}

// classifyAlterTable reads ALTER TABLE: one result for each part that Canal
// has a type for, and one for table options before them.
func (p *parser) classifyAlterTable(currentSchema string) ([]Result, error) {
	a, err := p.alterTable(currentSchema)
	if err != nil {
		return nil, err
	}
	var results []Result
	if a.options && !(len(a.seen) == 1 && a.seen[0].kind == TypeRename) {
		results = append(results, a.name.result(TypeAlter, currentSchema))
	}
	for _, s := range a.seen {
		if s.kind == TypeRename {
			results = append(results, a.name.renamed(s.to, currentSchema))
		} else {
			results = append(results, a.name.result(s.kind, currentSchema))
		}
	}
	return results, nil
}

// grant reads GRANT and REVOKE. Canal's grammar knows the privileges of MySQL
// 5.7, and none of the dynamic ones, which have an underscore.
func (p *parser) grant() error {
	p.advance()
	p.foreign = p.foreign || p.at("IF")
	dynamic := false
	for ; !p.atEnd(); p.advance() {
		if p.tok.kind == broken {
			return p.errorf("the end of a quotation or comment")
		}
		if p.accept("ON") {
			p.foreign = p.foreign || dynamic
			dynamic = false
		}
		if p.tok.kind == word && (strings.Contains(p.text(), "_") || p.at("ROLE")) {
			dynamic = true
		}
		p.foreign = p.foreign || p.at("REQUIRE")
	}
	return nil
}

// classifyDrop reads DROP.
func (p *parser) classifyDrop(currentSchema string) ([]Result, error) {
	p.advance()
	switch {
	case p.accept("TEMPORARY"), p.atAny("TABLE", "TABLES"):
		if !p.acceptAny("TABLE", "TABLES") {
			return nil, p.errorf("TABLE")
		}
		p.foreign = p.foreign || p.tok.hint
		p.ifExists()
		return p.classifyList(TypeErase, currentSchema)
	case p.accept("INDEX"):
		return p.classifyDropIndex(currentSchema)
	case p.acceptAny("DATABASE", "SCHEMA"):
		p.ifExists()
		name, err := p.ident()
		return []Result{{Type: TypeQuery, Schema: string(name)}}, err
	case p.accept("SEQUENCE"):
		p.foreign = p.foreign || p.at("IF")
		_, err := p.path()
		return nil, err
	case p.accept("ROLE"):
		p.foreign = p.foreign || p.at("IF")
		return nil, p.skipStatement()
	case p.acceptAny("VIEW", "PROCEDURE", "FUNCTION", "TRIGGER", "EVENT", "USER", "TABLESPACE", "SERVER", "RESOURCE", "LOGFILE"):
		return nil, p.skipStatement()
	}
	return nil, p.errorf("something Canal knows to drop")
}

// classifyList reads a list of tables.
func (p *parser) classifyList(t Type, currentSchema string) ([]Result, error) {
	var results []Result
	for {
		name, err := p.path()
		if err != nil {
			return nil, err
		}
		results = append(results, name.result(t, currentSchema))
		if !p.acceptSymbol(',') {
			break
		}
	}
	p.acceptAny("RESTRICT", "CASCADE")
	p.wait()
	return results, nil
}

// classifyDropIndex reads what follows DROP INDEX.
func (p *parser) classifyDropIndex(currentSchema string) ([]Result, error) {
	p.ifExists()
	if _, err := p.ident(); err != nil {
		return nil, err
	}
	if err := p.expect("ON"); err != nil {
		return nil, err
	}
	name, err := p.path()
	if err != nil {
		return nil, err
	}
	p.wait()
	if p.at("ALGORITHM") {
		err = p.skipStatement()
	} else if p.accept("LOCK") {
		p.acceptSymbol('=')
		p.advance()
	}
	return []Result{name.result(TypeDropIndex, currentSchema)}, err
}

// classifyTruncate reads what follows TRUNCATE.
func (p *parser) classifyTruncate(currentSchema string) ([]Result, error) {
	p.accept("TABLE")
	return p.classifyList(TypeTruncate, currentSchema)
}

// classifyRename reads RENAME.
func (p *parser) classifyRename(currentSchema string) ([]Result, error) {
	p.advance()
	if p.accept("USER") {
		return nil, p.renameUser()
	}
	p.foreign = p.foreign || p.at("TABLES")
	pairs, err := p.renames()
	if err != nil {
		return nil, err
	}
	var results []Result
	for _, r := range pairs {
		results = append(results, r[0].renamed(r[1], currentSchema))
	}
	return results, nil
}

// renameUser reads the rest of RENAME USER. Canal's grammar has one pair of
// accounts only, and hosts only as strings.
func (p *parser) renameUser() error {
	for range 2 {
		p.advance()
		if p.acceptSymbol('@') {
			p.foreign = p.foreign || p.tok.kind != text
			p.advance()
		}
		p.accept("TO")
	}
	p.foreign = p.foreign || !p.atEnd()
	return p.skipStatement()
}

// renames reads a RENAME TABLE from TABLE on.
func (p *parser) renames() ([][2]path, error) {
	if !p.acceptAny("TABLE", "TABLES") {
		return nil, p.errorf("TABLE")
	}
	if p.ifExists() {
		p.foreign = true
	}
	var pairs [][2]path
	for {
		from, err := p.path()
		if err != nil {
			return nil, err
		}
		p.wait()
		if err := p.expect("TO"); err != nil {
			return nil, err
		}
		to, err := p.path()
		if err != nil {
			return nil, err
		}
		pairs = append(pairs, [2]path{from, to})
		if !p.acceptSymbol(',') {
			return pairs, nil
		}
	}
}

// classifyInsert reads INSERT.
func (p *parser) classifyInsert(currentSchema string) ([]Result, error) {
	p.advance()
	for p.acceptAny("LOW_PRIORITY", "DELAYED", "HIGH_PRIORITY", "IGNORE") {
	}
	p.accept("INTO")
	name, err := p.path()
	if err != nil {
		return nil, err
	}
	for p.accept("PARTITION") || p.atSymbol('(') {
		if err := p.skipParens(); err != nil {
			return nil, err
		}
	}
	p.foreign = p.foreign || p.at("TABLE")
	values := p.acceptAny("VALUES", "VALUE")
	if values && !p.atSymbol('(') {
		return nil, p.errorf("(")
	}
	for !p.atEnd() {
		p.foreign = p.foreign || p.at("RETURNING") || values && p.at("AS")
		if err := p.skipOne(); err != nil {
			return nil, err
		}
	}
	return []Result{name.result(TypeInsert, currentSchema)}, nil
}

// classifyUpdate reads UPDATE: the first table is the one Canal reports, if it
// is a plain one.
func (p *parser) classifyUpdate(currentSchema string) ([]Result, error) {
	p.advance()
	for p.acceptAny("LOW_PRIORITY", "IGNORE") {
	}
	result := Result{Type: TypeUpdate, Schema: currentSchema}
	if !p.atSymbol('(') {
		name, err := p.path()
		if err != nil {
			return nil, err
		}
		result = name.result(TypeUpdate, currentSchema)
	}
	for !p.at("SET") {
		if p.atEnd() {
			return nil, p.errorf("SET")
		}
		if err := p.skipOne(); err != nil {
			return nil, err
		}
	}
	p.advance()
	if p.atEnd() {
		return nil, p.errorf("an assignment")
	}
	return []Result{result}, p.skipStatement()
}

// classifyDelete reads DELETE: Canal reports the table when only one is
// deleted from.
func (p *parser) classifyDelete(currentSchema string) ([]Result, error) {
	p.advance()
	for p.acceptAny("LOW_PRIORITY", "QUICK", "IGNORE") {
	}
	p.accept("FROM")
	name, err := p.target()
	if err != nil {
		return nil, err
	}
	result := name.result(TypeDelete, currentSchema)
	if p.atSymbol(',') || p.atSymbol('.') {
		result = Result{Type: TypeDelete, Schema: currentSchema}
	}
	return []Result{result}, p.skipStatement()
}

// target reads a table to delete from, with .* behind it or not: Canal takes
// the star for the table.
func (p *parser) target() (path, error) {
	q := *p
	if name, err := q.ident(); err == nil && q.acceptSymbol('.') && q.acceptSymbol('*') {
		*p = q
		return path{name, "*"}, nil
	}
	return p.path()
}

// droppedStatements are what statements that Canal reads but makes nothing of start with.
var droppedStatements = []string{
	"FLUSH", "SAVEPOINT", "ROLLBACK", "RELEASE", "COMMIT", "BEGIN", "START", "LOCK", "UNLOCK",
	"CALL", "USE", "SELECT", "SHOW", "DESC", "DESCRIBE", "EXPLAIN", "KILL", "RESET", "PURGE", "CHANGE", "STOP", "PREPARE",
	"EXECUTE", "DEALLOCATE", "REPLACE", "BINLOG", "VALUES", "CHECK", "CHECKSUM",
}

// classifyOther reads the statements that Canal drops, and fails for the rest.
func (p *parser) classifyOther() error {
	switch {
	case p.atAny("GRANT", "REVOKE"):
		return p.grant()
	case p.at("SET"):
		p.foreign = p.foreign || p.before("RESOURCE") || p.before("PERSIST") || p.before("PERSIST_ONLY")
		for !p.atEnd() {
			p.foreign = p.foreign || p.atAny("RETAIN", "RANDOM")
			if err := p.skipOne(); err != nil {
				return err
			}
		}
		return nil
	case p.at("LOAD") && !p.before("INDEX"), p.atAny(droppedStatements...), p.atSymbol('('):
		bare := p.atAny("SELECT", "SHOW", "USE", "CALL")
		p.advance()
		if bare && (p.atEnd() || p.at("FROM")) {
			return p.errorf("more")
		}
		return p.skipQuery()
	case p.acceptAny("ANALYZE", "OPTIMIZE"):
		if err := p.expect("TABLE"); err != nil {
			return err
		}
		for !p.atEnd() {
			p.foreign = p.foreign || p.atAny("UPDATE", "PERSISTENT", "WAIT", "NOWAIT")
			p.advance()
		}
		return nil
	case p.at("WITH"):
		for !p.atEnd() {
			p.foreign = p.foreign || p.atAny("UPDATE", "DELETE")
			if err := p.skipOne(); err != nil {
				return err
			}
		}
		return nil
	}
	return p.errorf("a statement")
}
