package differential

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/towpath-cdc/towpath/test/servers"
)

// object is an entry in canonical JSON, or a part of one.
type object map[string]any

func parse(line string) (object, error) {
	d := json.NewDecoder(strings.NewReader(line))
	d.UseNumber()
	var o object
	if err := d.Decode(&o); err != nil {
		return nil, fmt.Errorf("entry %.100q: %w", line, err)
	}
	return o, nil
}

// at is the part of an entry under a path of names; nil if there is none.
func (o object) at(path ...string) any {
	var v any = map[string]any(o)
	for _, name := range path {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[name]
	}
	return v
}

// text is the string at a path, "" if there is none.
func (o object) text(path ...string) string {
	switch v := o.at(path...).(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	}
	return ""
}

// in is the object at a path; it may be changed.
func (o object) in(path ...string) object {
	m, _ := o.at(path...).(map[string]any)
	return m
}

// columns calls f with each column of an entry and a name for its place.
func (o object) columns(f func(place string, c object)) {
	rows, _ := o.at("rowChange", "rowDatas").([]any)
	for i, r := range rows {
		row, _ := r.(map[string]any)
		for _, side := range []string{"beforeColumns", "afterColumns"} {
			list, _ := row[side].([]any)
			for j, c := range list {
				column, _ := c.(map[string]any)
				f(fmt.Sprintf("%d.%s.%d", i, side, j), column)
			}
		}
	}
}

// finding is a pair of entries that differ; one may be missing.
type finding struct {
	index        int
	ours, theirs string
}

// result is what a comparison came to.
type result struct {
	equal       int // entries, byte by byte
	unexplained []finding
	explained   map[string]int // by the name of the known difference
}

// diff compares entries in order. Entries whose positions in the binlog agree
// are compared with each other; others are missing on one side.
// rules are those by which they may differ.
func diff(k servers.Kind, rules []difference, ours, theirs []string) (result, error) {
	r := result{explained: map[string]int{}}
	for i, j := 0, 0; i < len(ours) || j < len(theirs); {
		var a, b string
		switch {
		case i == len(ours):
			b = theirs[j]
		case j == len(theirs):
			a = ours[i]
		case ours[i] == theirs[j]:
			i, j = i+1, j+1
			r.equal++
			continue
		default:
			var err error
			if a, b, err = pair(ours[i:], theirs[j:]); err != nil {
				return r, err
			}
		}
		var names []string
		var err error
		switch {
		case a == "":
			names, err = explainMissing(k, false, theirs, j)
		case b == "":
			names, err = explainMissing(k, true, ours, i)
		default:
			names, err = explain(k, rules, a, b)
		}
		if err != nil {
			return r, err
		}
		for _, n := range names {
			r.explained[n]++
		}
		if names == nil {
			r.unexplained = append(r.unexplained, finding{j, a, b})
		}
		if a != "" {
			i++
		}
		if b != "" {
			j++
		}
	}
	return r, nil
}

// pair takes the first entry of both sides if they belong together, else only
// that of the side which has one more.
func pair(ours, theirs []string) (a, b string, err error) {
	const look = 60
	p, err := position(ours[0])
	if err != nil {
		return "", "", err
	}
	q, err := position(theirs[0])
	if err != nil {
		return "", "", err
	}
	if p == q {
		return ours[0], theirs[0], nil
	}
	for n := 1; n < look; n++ {
		if n < len(theirs) {
			if x, err := position(theirs[n]); err != nil || x == p {
				return "", theirs[0], err
			}
		}
		if n < len(ours) {
			if x, err := position(ours[n]); err != nil || x == q {
				return ours[0], "", err
			}
		}
	}
	return ours[0], theirs[0], nil
}

// position tells which event of the binlog an entry comes from.
func position(line string) (string, error) {
	const long = 1 << 12 // the header is at the beginning
	if o, err := parse(line[:min(len(line), long)]); err == nil {
		return o.text("header", "logfileOffset") + " " + o.text("header", "eventLength") + " " + o.text("entryType"), nil
	}
	var head struct {
		Header    struct{ LogfileOffset, EventLength json.Number }
		EntryType string
	}
	if err := json.Unmarshal([]byte(line), &head); err != nil {
		return "", fmt.Errorf("entry %.100q: %w", line, err)
	}
	return head.Header.LogfileOffset.String() + " " + head.Header.EventLength.String() + " " + head.EntryType, nil
}

// explain names the known differences that make up the whole difference of two
// entries, nil if they do not.
func explain(k servers.Kind, rules []difference, ours, theirs string) ([]string, error) {
	a, err := parse(ours)
	if err != nil {
		return nil, err
	}
	b, err := parse(theirs)
	if err != nil {
		return nil, err
	}
	delete(a, "raw")
	delete(b, "raw")
	var names []string
	for _, d := range rules {
		before, err := json.Marshal(b)
		if err != nil {
			return nil, err
		}
		d.mend(k, a, b)
		after, err := json.Marshal(b)
		if err != nil {
			return nil, err
		}
		if !bytes.Equal(before, after) {
			names = append(names, d.name)
		}
	}
	if !reflect.DeepEqual(a, b) {
		return nil, nil
	}
	return names, nil
}

// explainMissing names the known difference because of which only one side has
// its i-th entry, nil if there is none.
func explainMissing(k servers.Kind, ours bool, side []string, i int) ([]string, error) {
	o, err := parse(side[i])
	if err != nil {
		return nil, err
	}
	rows, err := marked(side, i, o.text("entryType"))
	if err != nil {
		return nil, err
	}
	for _, m := range knownMissing {
		unknown := func(o object) bool { return !m.explains(k, o) }
		switch {
		case m.ours != ours:
		case m.explains(k, o), m.marks && len(rows) > 0 && !slices.ContainsFunc(rows, unknown):
			return []string{m.name}, nil
		}
	}
	return nil, nil
}

// marked are the rows in the group of the i-th entry, if that is the mark of a
// transaction: those up to the end, or those since the begin or the last
// statement, which ends a group too. It is nil for other entries, and for a begin
// whose group has a statement.
func marked(side []string, i int, entryType string) (rows []object, err error) {
	step := map[string]int{"TRANSACTIONBEGIN": 1, "TRANSACTIONEND": -1}[entryType]
	if step == 0 {
		return nil, nil
	}
	for i += step; 0 <= i && i < len(side); i += step {
		o, err := parse(side[i])
		if err != nil {
			return nil, err
		}
		if o.at("rowChange", "rowDatas") != nil {
			rows = append(rows, o)
			continue
		}
		if step > 0 && o.text("entryType") != "TRANSACTIONEND" {
			return nil, nil
		}
		return rows, nil
	}
	return nil, nil
}

// compare reports each entry that differs without being explained, and logs
// which explanations there were. mode is that of the reading, for the table of
// totals.
func compare(t *testing.T, k servers.Kind, mode string, rules []difference, ours, theirs []string) {
	t.Helper()
	r, err := diff(k, rules, ours, theirs)
	if err != nil {
		t.Fatal(err)
	}
	totals.add(k, mode, &r)
	for name, n := range r.explained {
		t.Logf("%d entries differ as explained: %s", n, name)
	}
	const most = 10
	for i, f := range r.unexplained {
		if i == most {
			t.Errorf("%d entries differ in all, of %d", len(r.unexplained), len(theirs))
			break
		}
		t.Errorf("entry %d differs\nours  %s\ncanal %s", f.index, around(f.ours, f.theirs), around(f.theirs, f.ours))
	}
}

// around is the beginning of a line and what stands where it first differs from
// another.
func around(line, other string) string {
	const head, tail = 700, 500
	i := 0
	for i < min(len(line), len(other)) && line[i] == other[i] {
		i++
	}
	if i < head {
		return line[:min(len(line), head+tail)]
	}
	return line[:head] + " … " + line[i-100:min(len(line), i+tail)]
}
