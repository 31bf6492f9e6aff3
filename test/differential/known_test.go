package differential

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/towpath-cdc/towpath/test/servers"
)

// Parts of entries in canonical JSON.
func entryJSON(offset int, names, rest string) string {
	return fmt.Sprintf(`{"header":{"logfileName":"log.000002","logfileOffset":%d,"eventLength":50%s},%s}`, offset, names, rest)
}

func rowsJSON(offset int, schema, table, columns string) string {
	return entryJSON(offset, fmt.Sprintf(`,"schemaName":%q,"tableName":%q,"eventType":"INSERT"`, schema, table),
		`"entryType":"ROWDATA","rowChange":{"eventType":"INSERT","isDdl":false,"rowDatas":[{"afterColumns":[`+columns+`]}]}`)
}

func statementJSON(eventType, names, sql string) string {
	return entryJSON(4, names+fmt.Sprintf(`,"eventType":%q`, eventType),
		fmt.Sprintf(`"entryType":"ROWDATA","rowChange":{"eventType":%q,"isDdl":true,"sql":%s,"ddlSchemaName":"d_ddl"}`, eventType, quotedJSON(sql)))
}

// variableJSON is the entry that sets a user variable.
func variableJSON(value string) []string {
	return []string{entryJSON(4, `,"schemaName":"","tableName":"","eventType":"QUERY"`, `"entryType":"ROWDATA","rowChange":{"eventType":"QUERY","sql":`+quotedJSON("SET @v := '"+value+"'")+"}")}
}

func quotedJSON(text string) string {
	b, err := json.Marshal(text)
	if err != nil {
		panic(err) // no text is refused
	}
	return string(b)
}

func beginJSON(offset int) string { return entryJSON(offset, "", `"entryType":"TRANSACTIONBEGIN"`) }
func endJSON(offset int) string   { return entryJSON(offset, "", `"entryType":"TRANSACTIONEND"`) }

func columnJSON(name, value, rest string) string {
	return fmt.Sprintf(`{"name":%q,"value":%q,"isNull":false%s}`, name, value, rest)
}

// liveJSON is the entry of a row in a table of the live script.
func liveJSON(table, name, value, mysqlType string, isKey, updated bool) []string {
	return []string{rowsJSON(4, "d_live", table, columnJSON(name, value, fmt.Sprintf(`,"mysqlType":%q,"isKey":%t,"updated":%t`, mysqlType, isKey, updated)))}
}

// TestKnownDifferences gives each rule a pair that it explains and pairs close
// to it that it must not.
func TestKnownDifferences(t *testing.T) {
	const (
		file    = "file name after MariaDB's BINLOG_CHECKPOINT"
		columns = "text columns"
		grammar = "Canal 1.1.7's grammar"
		nul     = "statement with a NUL byte"
		kept    = keptName
		gone    = "rows of tables that are gone"
		wrong   = "definitions in Canal's history of tables"
		spelled = "type text of a column (`mysqlType`), with the history of tables on"

		dropForeign = "ALTER TABLE child DROP FOREIGN KEY fk1"
		ofChild     = `,"schemaName":"d_ddl","tableName":"child"`
		addParts    = "ALTER TABLE hashed ADD PARTITION PARTITIONS 2"
		grantRole   = "GRANT r1 TO d2@localhost"
		dropTable   = "DROP TABLE lead2, lower1"
	)
	in := func(log string) string {
		return `{"header":{"logfileName":"` + log + `","logfileOffset":4,"eventLength":5},"entryType":"TRANSACTIONEND"}`
	}
	text := func(column, value string) []string {
		return []string{rowsJSON(4, "d", "t", columnJSON(column, value, ""))}
	}
	statement := func(eventType, names, sql string) []string { return []string{statementJSON(eventType, names, sql)} }
	update := func(before, after string, updated bool) []string {
		column := func(value string, updated bool) string {
			return columnJSON("c_latin1", value, fmt.Sprintf(`,"index":1,"updated":%t`, updated))
		}
		return []string{entryJSON(4, `,"schemaName":"d","tableName":"t","eventType":"UPDATE"`, `"entryType":"ROWDATA","rowChange":{"eventType":"UPDATE","isDdl":false,"rowDatas":[{"beforeColumns":[`+
			column(before, false)+`],"afterColumns":[`+column(after, updated)+`]}]}`)}
	}
	typed := func(mysqlType string) []string { return liveJSON("u", "a", "1", mysqlType, true, true) }
	goneRow, staysRow := rowsJSON(20, "d", "gone", columnJSON("id", "1", "")), rowsJSON(30, "d", "stays", columnJSON("id", "1", ""))
	text4 := statementJSON("QUERY", "", "INSERT INTO gone VALUES (1)")
	cases := []struct {
		name         string
		of           string // the rule, of which there has to be a pair of both sorts
		kind         servers.Kind
		ours, theirs []string
		explained    int // entries; where it is 0 there has to be a finding
	}{
		{"an older file", file, servers.MariaDB1011, []string{in("log.000002")}, []string{in("log.000001")}, 1},
		{"a newer file", file, servers.MariaDB1011, []string{in("log.000002")}, []string{in("log.000003")}, 0},
		{"MySQL has no checkpoints", file, servers.MySQL80, []string{in("log.000002")}, []string{in("log.000001")}, 0},

		{"é of latin1 read as UTF-8", columns, servers.MySQL80, text("c_latin1", "é"), text("c_latin1", "\ufffd"), 1},
		{"bytes of gbk that are UTF-8 too", columns, servers.MySQL80, text("c_gbk", "茅"), text("c_gbk", "é"), 1},
		{"another character than its bytes mean", columns, servers.MySQL80, text("c_latin1", "é"), text("c_latin1", "è"), 0},
		{"one replacement too many", columns, servers.MySQL80, text("c_latin1", "é"), text("c_latin1", "\ufffd\ufffd"), 0},
		{"a column of the connection's character set", columns, servers.MySQL80, text("latin1", "é"), text("latin1", "\ufffd"), 0},
		{"read as GBK", columns, servers.MySQL80, text("c_utf8mb4", "é"), text("c_utf8mb4", "茅"), 1},
		{"read as ISO-8859-1", columns, servers.MySQL80, text("c_gbk", "中"), text("c_gbk", "ÖÐ"), 1},
		{"JSON read as ISO-8859-1", columns, servers.MySQL80, text("c_utf8mb4", `["й"]`), text("c_utf8mb4", `["Ð¹"]`), 1},
		{"escapes in it", columns, servers.MySQL80, text("c_utf8mb4", `["ш"]`), text("c_utf8mb4", `["Ñ\u0088"]`), 1},
		{"another escape", columns, servers.MySQL80, text("c_utf8mb4", `["ш"]`), text("c_utf8mb4", `["Ñ\u0089"]`), 0},
		{"with a number behind the set", columns, servers.MySQL80, text("c_latin1_7", "é"), text("c_latin1_7", "\ufffd"), 1},
		{"two values that read the same", columns, servers.MySQL80, update("é", "ÿ", true), update("\ufffd", "\ufffd", false), 1},
		{"two values that read differently", columns, servers.MySQL80, update("é", "y", true), update("\ufffd", "y", false), 0},
		{"a character set that is not known here", columns, servers.MySQL80, text("c_nothing", "é"), text("c_nothing", "\ufffd"), 0},

		{"another type", grammar, servers.MySQL80, statement("DINDEX", ofChild, dropForeign), statement("ALTER", ofChild, dropForeign), 1},
		{"names that the newest parser does not see", grammar, servers.MySQL80, statement("QUERY", "", addParts), statement("ALTER", `,"schemaName":"d_ddl","tableName":"hashed"`, addParts), 1},
		{"ours is not what the newest parser says", grammar, servers.MySQL80, statement("ALTER", ofChild, dropForeign), statement("QUERY", "", dropForeign), 0},
		{"ours has another table", grammar, servers.MySQL80, statement("DINDEX", `,"schemaName":"d_ddl","tableName":"fk1"`, dropForeign), statement("ALTER", ofChild, dropForeign), 0},
		{"another text", grammar, servers.MySQL80, statement("DINDEX", ofChild, dropForeign), statement("ALTER", ofChild, dropForeign+" "), 0},
		{"a statement that was not measured", grammar, servers.MySQL80, statement("DINDEX", ofChild, dropForeign+"9"), statement("ALTER", ofChild, dropForeign+"9"), 0},
		{"nothing for the newest parser", grammar, servers.MySQL80, nil, statement("QUERY", "", grantRole), 1},
		{"something for the newest parser", grammar, servers.MySQL80, nil, statement("ERASE", "", dropTable), 0},
		{"something that was not measured", grammar, servers.MySQL80, nil, statement("QUERY", "", grantRole+"9"), 0},
		{"not understood by the newest parser", grammar, servers.MySQL80, statement("QUERY", "", addParts), nil, 1},
		{"not understood, with a name", grammar, servers.MySQL80, statement("QUERY", `,"schemaName":"d_ddl","tableName":"hashed"`, addParts), nil, 0},
		{"understood by the newest parser", grammar, servers.MySQL80, statement("DINDEX", ofChild, dropForeign), nil, 0},
		{"ours of a statement without an entry", grammar, servers.MySQL80, statement("QUERY", "", grantRole), nil, 0},

		{"a statement", nul, servers.MySQL80, statement("QUERY", "", "SELECT '\x00x'"), statement("QUERY", "", "SELECT '"), 1},
		{"a user variable", nul, servers.MySQL80, statement("QUERY", "", "SET @v := 'a\x00b'"), statement("QUERY", "", "SET @v := 'a'"), 1},
		{"a user variable, which is no DDL", nul, servers.MySQL80, variableJSON("a\x00b"), variableJSON("a"), 1},
		{"one that is not understood any more", nul, servers.MySQL80, statement("ALTER", ofChild, "ALTER TABLE child COMMENT '\x00'"), statement("QUERY", "", "ALTER TABLE child COMMENT '"), 1},
		{"another type of it", nul, servers.MySQL80, statement("ALTER", ofChild, "ALTER TABLE child COMMENT '\x00'"), statement("ERASE", ofChild, "ALTER TABLE child COMMENT '"), 0},
		{"cut before the NUL", nul, servers.MySQL80, statement("QUERY", "", "SELECT '\x00x'"), statement("QUERY", "", "SELECT "), 0},
		{"cut without a NUL", nul, servers.MySQL80, statement("QUERY", "", "SELECT 'x'"), statement("QUERY", "", "SELECT '"), 0},

		{"a key", kept, servers.MySQL80, liveJSON("t", "a", "1", "int", true, true), liveJSON("t", "a", "1", "int", false, true), 1},
		{"a name and type", kept, servers.MySQL80, liveJSON("t", "a", "1", "int", true, true), liveJSON("t", "b", "1", "bigint", true, true), 1},
		{"a key in another table", kept, servers.MySQL80, liveJSON("u", "a", "1", "int", true, true), liveJSON("u", "a", "1", "int", false, true), 0},
		{"more than the definition", kept, servers.MySQL80, liveJSON("t", "a", "1", "int", true, true), liveJSON("t", "a", "1", "int", false, false), 0},
		{"another value", kept, servers.MySQL80, liveJSON("t", "a", "1", "int", true, true), liveJSON("t", "a", "2", "int", false, true), 0},

		{"a key that was dropped", wrong, servers.MySQL80, liveJSON("t", "a", "1", "int", false, true), liveJSON("t", "a", "1", "int", true, true), 1},
		{"a longer text", wrong, servers.MySQL80, liveJSON("t", "a", "1", "mediumtext", false, true), liveJSON("t", "a", "1", "TEXT", false, true), 1},
		{"a key that was made", wrong, servers.MySQL80, liveJSON("t", "a", "1", "int", true, true), liveJSON("t", "a", "1", "int", false, true), 0},
		{"a key of another table", wrong, servers.MySQL80, liveJSON("u", "a", "1", "int", false, true), liveJSON("u", "a", "1", "int", true, true), 0},
		{"another name", wrong, servers.MySQL80, liveJSON("t", "a", "1", "int", false, true), liveJSON("t", "b", "1", "int", true, true), 0},

		{"a width", spelled, servers.MySQL57, typed("int(11)"), typed("INT"), 1},
		{"an alias", spelled, servers.MySQL57, typed("int(10) unsigned"), typed("INTEGER UNSIGNED"), 1},
		{"another type", spelled, servers.MySQL57, typed("int(11)"), typed("BIGINT"), 0},
		{"another sign", spelled, servers.MySQL57, typed("int(11)"), typed("INT UNSIGNED"), 0},
		{"another length", spelled, servers.MySQL57, typed("varchar(20)"), typed("VARCHAR(21)"), 0},

		{"rows", gone, servers.MySQL80, []string{goneRow}, nil, 1},
		{"their transaction", gone, servers.MySQL80, []string{beginJSON(10), goneRow, endJSON(40)}, nil, 3},
		{"their transaction, of which Canal shows the marks", gone, servers.MySQL80, []string{beginJSON(10), goneRow, endJSON(40)}, []string{beginJSON(10), endJSON(40)}, 1},
		{"rows in a transaction with others", gone, servers.MySQL80, []string{beginJSON(10), goneRow, staysRow, endJSON(40)}, []string{beginJSON(10), staysRow, endJSON(40)}, 1},
		{"rows of another table", gone, servers.MySQL80, []string{staysRow}, nil, 0},
		{"rows that only Canal has", gone, servers.MySQL80, nil, []string{goneRow}, 0},
		{"a statement for the table", gone, servers.MySQL80, statement("ERASE", `,"schemaName":"d","tableName":"gone"`, "DROP TABLE gone"), nil, 0},
		{"the begin of a transaction with other rows", gone, servers.MySQL80, []string{beginJSON(10), goneRow, staysRow, endJSON(40)}, []string{staysRow, endJSON(40)}, 0},
		{"the end of a transaction with other rows", gone, servers.MySQL80, []string{beginJSON(10), goneRow, staysRow, endJSON(40)}, []string{beginJSON(10), staysRow}, 0},
		{"their transaction, begun with a statement's text", gone, servers.MariaDB1011, []string{text4, goneRow, endJSON(40)}, []string{text4}, 2},
		{"the end of a transaction that has a statement's text", gone, servers.MariaDB1011, []string{text4, endJSON(40)}, []string{text4}, 0},
		{"the begin before a statement", gone, servers.MySQL80, []string{beginJSON(2), text4, goneRow, endJSON(40)}, []string{text4}, 0},
		{"an empty transaction", gone, servers.MySQL80, []string{beginJSON(10), endJSON(40)}, nil, 0},
		{"a begin without an end", gone, servers.MySQL80, []string{beginJSON(10), goneRow, beginJSON(40)}, nil, 0},
	}
	seen := map[string][2]bool{}
	for _, c := range cases {
		t.Run(c.of+"/"+c.name, func(t *testing.T) {
			rules := known
			if c.of == spelled || c.of == wrong {
				rules = withHistory
			}
			r, err := diff(c.kind, rules, c.ours, c.theirs)
			if err != nil {
				t.Fatal(err)
			}
			rule := seen[c.of]
			rule[min(c.explained, 1)] = true
			seen[c.of] = rule
			switch {
			case c.explained == 0 && len(r.unexplained) == 0:
				t.Errorf("explained by %v", r.explained)
			case c.explained > 0 && (len(r.unexplained) > 0 || len(r.explained) != 1 || r.explained[c.of] != c.explained):
				t.Errorf("explained by %v, want %d; left %+v", r.explained, c.explained, r.unexplained)
			}
		})
	}
	for _, name := range ruleNames() {
		if seen[name] != [2]bool{true, true} {
			t.Errorf("%q has no pair of each sort", name)
		}
	}
}

func ruleNames() (names []string) {
	for _, d := range append(slices.Clone(known), withHistory...) {
		names = append(names, d.name)
	}
	for _, m := range knownMissing {
		names = append(names, m.name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// TestEqualEntriesNeedNoRule: what is equal is not explained, and what differs
// otherwise is not either.
func TestEqualEntriesNeedNoRule(t *testing.T) {
	one := []string{beginJSON(4), rowsJSON(20, "d", "t", columnJSON("a", "1", "")), endJSON(40)}
	other := []string{beginJSON(4), rowsJSON(20, "d", "t", columnJSON("a", "2", "")), endJSON(40)}
	for name, c := range map[string]struct {
		theirs   []string
		findings int
	}{"equal": {one, 0}, "a value": {other, 1}, "an entry": {one[:2], 1}, "nothing": {nil, 3}} {
		t.Run(name, func(t *testing.T) {
			r, err := diff(servers.MySQL80, known, one, c.theirs)
			if err != nil {
				t.Fatal(err)
			}
			if len(r.unexplained) != c.findings || len(r.explained) > 0 {
				t.Errorf("findings %+v, explained %v", r.unexplained, r.explained)
			}
		})
	}
	if _, err := diff(servers.MySQL80, known, []string{"{"}, one); err == nil {
		t.Error("no error for an entry that is no JSON")
	}
}
