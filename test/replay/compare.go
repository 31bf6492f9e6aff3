package main

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// compare says what differs between the tables of two servers: those of one that
// the other has not, their definitions but for the next AUTO_INCREMENT, and their
// rows.
func compare(source, target *session) (found []string, err error) {
	ours, err := readTables(source, userSchemas)
	if err != nil {
		return nil, err
	}
	theirs, err := readTables(target, userSchemas)
	if err != nil {
		return nil, err
	}
	for n := range theirs {
		if ours[n] == nil {
			found = append(found, fmt.Sprintf("%s is not there in the source", n))
		}
	}
	for _, t := range sorted(ours) {
		if theirs[t.name] == nil {
			found = append(found, fmt.Sprintf("%s is missing", t.name))
			continue
		}
		what, err := compareTable(source, target, t)
		if err != nil {
			return nil, err
		}
		if what != "" {
			found = append(found, fmt.Sprintf("%s: %s", t.name, what))
		}
	}
	slices.Sort(found)
	return found, nil
}

func compareTable(source, target *session, t *table) (string, error) {
	a, err := definitionOf(source, t.name)
	if err != nil {
		return "", err
	}
	b, err := definitionOf(target, t.name)
	if err != nil {
		return "", err
	}
	if a != b {
		return fmt.Sprintf("the definition is\n%s\nin the source, and\n%s", a, b), nil
	}
	rows, err := rowsOf(source, t)
	if err != nil {
		return "", err
	}
	others, err := rowsOf(target, t)
	if err != nil {
		return "", err
	}
	return countsDiffer(rows, others), nil
}

// notCompared are parts of SHOW CREATE TABLE that can differ: the next number, and
// whether DEFAULT NULL, the character set and the collation of a column were once
// written down, which a server forgets, or makes up, when it writes CREATE TABLE …
// SELECT into its log.
var (
	notCompared = regexp.MustCompile(` AUTO_INCREMENT=\d+| DEFAULT NULL`)
	ofColumn    = regexp.MustCompile(`(?m)^(  .*?) (?:CHARACTER SET|COLLATE) \w+`)
)

// definitionOf is SHOW CREATE TABLE without these, and the collations of all columns.
func definitionOf(d *session, n name) (string, error) {
	rows, err := d.query("SHOW CREATE TABLE " + n.String())
	if err != nil {
		return "", err
	}
	text := notCompared.ReplaceAllString(rows[0][1], "")
	for range 2 { // a column may name both
		text = ofColumn.ReplaceAllString(text, "$1")
	}
	if rows, err = d.query(fmt.Sprintf("SELECT IFNULL(collation_name, '-') FROM information_schema.columns WHERE table_schema = %s AND table_name = %s ORDER BY ordinal_position",
		literal(n.schema), literal(n.table))); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s\ncollations %v", text, rows), nil
}

// rowsOf counts the different rows of a table.
func rowsOf(d *session, t *table) (map[string]int, error) {
	expressions := []string{"1"}
	for _, c := range t.columns {
		expressions = append(expressions, exact(c))
	}
	rows, err := d.query("SELECT " + strings.Join(expressions, ", ") + " FROM " + t.String())
	if err != nil {
		return nil, err
	}
	counts := make(map[string]int)
	for _, r := range rows {
		counts[fmt.Sprintf("%q", r[1:])]++
	}
	return counts, nil
}

// countsDiffer tells of up to three rows that are not there equally often.
func countsDiffer(a, b map[string]int) string {
	var found []string
	for _, row := range slices.Sorted(maps.Keys(a)) {
		if a[row] != b[row] {
			found = append(found, fmt.Sprintf("%d times in the source, %d times applied: %.600s", a[row], b[row], row))
		}
	}
	for _, row := range slices.Sorted(maps.Keys(b)) {
		if a[row] == 0 {
			found = append(found, fmt.Sprintf("not in the source: %.600s", row))
		}
	}
	if len(found) == 0 {
		return ""
	}
	const shown = 3
	return fmt.Sprintf("%d rows differ\n%s", len(found), strings.Join(found[:min(shown, len(found))], "\n"))
}
