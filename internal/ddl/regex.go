package ddl

import "strings"

// classifyRegex follows SimpleDdlParser, whose regular expressions are written
// out here as the steps they amount to.
func classifyRegex(sql, currentSchema string) Result {
	sql = removeComments(sql)
	for _, f := range []struct {
		kind     Type
		optional string
		words    [2]string
	}{
		{TypeAlter, "IGNORE", [2]string{"ALTER", "TABLE"}},
		{TypeCreate, "TEMPORARY", [2]string{"CREATE", "TABLE"}},
		{TypeErase, "TEMPORARY", [2]string{"DROP", "TABLE"}},
	} {
		if rest, ok := cutWords(sql, f.words[0], f.optional, f.words[1]); ok {
			return regexTable(f.kind, rest, currentSchema)
		}
	}
	if rest, ok := cutWords(sql, "TRUNCATE"); ok {
		if after, ok := cutWords(rest, "TABLE"); ok {
			rest = after
		}
		return regexTable(TypeTruncate, rest, currentSchema)
	}
	if r, ok := regexRename(sql, currentSchema); ok {
		return r
	}
	if r, ok := regexIndex(sql, currentSchema); ok {
		return r
	}
	return Result{Type: regexDML(sql), Schema: currentSchema}
}

// removeComments puts a blank in the place of each /* … */, wherever it stands.
func removeComments(sql string) string {
	if !strings.Contains(sql, "/*") {
		return sql
	}
	var b strings.Builder
	for {
		i := strings.Index(sql, "/*")
		if i < 0 {
			break
		}
		n := strings.Index(sql[i:], "*/")
		if n < 0 {
			break
		}
		b.WriteString(sql[:i])
		b.WriteByte(' ')
		sql = sql[i+n+2:]
	}
	b.WriteString(sql)
	return b.String()
}

// isSpace is what \s of Jakarta ORO matches, as far as ASCII goes.
func isSpace(c byte) bool { return isBlank(c) || c >= 0x1c && c <= 0x1f }

func trimSpace(s string) string {
	for s != "" && isSpace(s[0]) {
		s = s[1:]
	}
	return s
}

// cutWords takes words off the front, with any number of blanks before each
// and after the last. The middle one of three may be missing.
func cutWords(s string, words ...string) (string, bool) {
	for i, w := range words {
		s = trimSpace(s)
		if len(s) >= len(w) && strings.EqualFold(s[:len(w)], w) {
			s = s[len(w):]
		} else if i != 1 || len(words) != 3 {
			return "", false
		}
	}
	return trimSpace(s), true
}

// regexTable is the result for a statement whose table name starts rest.
func regexTable(t Type, rest, currentSchema string) Result {
	schema, table, ok := regexName(rest, currentSchema)
	if !ok {
		return Result{Type: t, Schema: currentSchema}
	}
	return Result{Type: t, Schema: schema, Table: table}
}

// regexName reads a table name: the shortest text up to a semicolon, an
// opening parenthesis or a blank.
func regexName(s, currentSchema string) (schema, table string, ok bool) {
	if rest, ok := cutWords(s, "IF", "", "NOT"); ok {
		if rest, ok = cutWords(rest, "EXISTS"); ok {
			s = rest
		}
	}
	if rest, ok := cutWords(s, "IF", "", "EXISTS"); ok {
		s = rest
	}
	s += " "
	start := 1
	if s[0] == '`' {
		start = 2
	}
	n := -1
	for i := start; i < len(s); i++ {
		if c := s[i]; c == ';' || c == '(' || isSpace(c) {
			n = i
			break
		}
	}
	if n < 0 {
		return "", "", false
	}
	parts := strings.FieldsFunc(trimBackquote(trimControl(s[:n])), func(r rune) bool { return r == '.' })
	switch len(parts) {
	case 0:
		return "", "", false
	case 1:
		return currentSchema, trimBackquote(parts[0]), true
	}
	return trimBackquote(parts[0]), trimBackquote(parts[1]), true
}

// trimControl is Java's String.trim.
func trimControl(s string) string {
	return strings.TrimFunc(s, func(r rune) bool { return r <= ' ' })
}

func trimBackquote(s string) string {
	return strings.TrimPrefix(strings.TrimSuffix(s, "`"), "`")
}

// regexRename reads RENAME TABLE a TO b; b reaches to its first blank.
func regexRename(sql, currentSchema string) (Result, bool) {
	rest, ok := cutSpaced(sql, "RENAME", "TABLE")
	if !ok {
		return Result{}, false
	}
	from, to, ok := cutAround(rest, "TO", 1)
	if !ok {
		return Result{}, false
	}
	oldSchema, oldTable, ok := regexName(from, currentSchema)
	if !ok {
		return Result{}, false
	}
	schema, table, ok := regexName(to, currentSchema)
	return Result{TypeRename, schema, table, oldSchema, oldTable}, ok
}

// cutSpaced takes words off the front, with at least one blank after each.
func cutSpaced(s string, words ...string) (string, bool) {
	s = trimSpace(s)
	for _, w := range words {
		if len(s) <= len(w) || !strings.EqualFold(s[:len(w)], w) || !isSpace(s[len(w)]) {
			return "", false
		}
		s = trimSpace(s[len(w):])
	}
	return s, true
}

// cutAround splits s at the first word that has blanks around it and at least
// atLeast bytes before them; something must follow.
func cutAround(s, w string, atLeast int) (before, after string, ok bool) {
	for i := atLeast; i+len(w)+1 < len(s); i++ {
		if !isSpace(s[i]) {
			continue
		}
		j := i + len(s[i:]) - len(trimSpace(s[i:]))
		if j+len(w) < len(s) && strings.EqualFold(s[j:j+len(w)], w) && isSpace(s[j+len(w)]) {
			return s[:i], trimSpace(s[j+len(w):]), true
		}
		i = j - 1
	}
	return "", "", false
}

// regexIndex reads CREATE INDEX and DROP INDEX.
func regexIndex(sql, currentSchema string) (Result, bool) {
	if rest, ok := cutWords(sql, "CREATE"); ok {
		for _, w := range []string{"UNIQUE", "FULLTEXT", "SPATIAL"} {
			if len(rest) >= len(w) && strings.EqualFold(rest[:len(w)], w) {
				rest = rest[len(w):]
			}
		}
		if rest, ok = cutWords(rest, "INDEX"); ok {
			if _, after, ok := cutAround(" "+rest, "ON", 0); ok {
				return regexTable(TypeCreateIndex, after, currentSchema), true
			}
		}
	}
	if rest, ok := cutWords(sql, "DROP", "", "INDEX"); ok {
		if _, after, ok := cutAround(" "+rest, "ON", 0); ok {
			return regexTable(TypeDropIndex, after, currentSchema), true
		}
	}
	return Result{}, false
}

// regexDML types the rest by the first word.
func regexDML(sql string) Type {
	for _, f := range []struct {
		word string
		kind Type
	}{
		{"INSERT", TypeInsert}, {"MERGE", TypeInsert}, {"REPLACE", TypeInsert},
		{"UPDATE", TypeUpdate}, {"DELETE", TypeDelete},
	} {
		if _, ok := cutWords(sql, f.word); ok {
			return f.kind
		}
	}
	return TypeQuery
}
