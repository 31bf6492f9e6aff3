package zkstore

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/towpath-cdc/towpath/internal/history"
	"github.com/towpath-cdc/towpath/internal/testkit/historytest"
)

func someHead() *head {
	a, b := historytest.Tables(1), historytest.Tables(2)
	a.ID, a.Initial, a.Schemas = 3, true, nil
	b.ID, b.Schemas, b.Extra = 5, nil, nil
	return &head{
		generation: 7, next: 9, pages: []blob{{1, 1, 100}, {2, 2, 300_000}},
		snapshots: []snapshot{{a, []byte("sum"), blob{4, 1, 9}}, {b, []byte("sum"), blob{4, 1, 9}}},
	}
}

func somePage() *page {
	a, b := historytest.Statement(1), history.Change{ID: 9, SQL: "DROP TABLE t", Loaded: true}
	a.ID = 4
	return &page{generation: 7, next: 10, changes: []history.Change{a, b}}
}

// TestLaterFields: what a later version adds to a record, and to what holds the
// records, is passed over, and what an earlier one does not have is zero.
func TestLaterFields(t *testing.T) {
	h := someHead()
	h.snapshots = h.snapshots[:1]
	want := h.append(nil)
	b := append(want[:len(want):len(want)], "more"...)
	if got, err := parseHead(b); err != nil || !reflect.DeepEqual(&got, h) {
		t.Errorf("%+v, %v", got, err)
	}
	c := historytest.Statement(1)
	record := append(appendChange(nil, &c), "more"...)
	page, err := parsePage(appendBytes([]byte{0, 0}, record))
	if err != nil || len(page.changes) != 1 || page.changes[0] != c {
		t.Errorf("%+v, %v", page, err)
	}
	early := appendText([]byte{2}, "mysql-bin.000001")
	page, err = parsePage(appendBytes([]byte{0, 0}, early))
	if err != nil || len(page.changes) != 1 || page.changes[0].ID != 1 || page.changes[0].At.File != "mysql-bin.000001" {
		t.Errorf("%+v, %v", page, err)
	}
}

func FuzzUnpack(f *testing.F) {
	f.Add(pack(kindState, []byte("state")))
	f.Add(pack(kindState, nil))
	f.Add(pack(kindState, bytes.Repeat([]byte("x"), 1<<16)))
	f.Fuzz(func(t *testing.T, b []byte) {
		raw, err := unpack(kindState, b, 1<<20)
		if err != nil {
			return
		}
		if len(raw) > 1<<20 {
			t.Errorf("%d bytes", len(raw))
		}
		if again, err := unpack(kindState, pack(kindState, raw), 1<<20); err != nil || !bytes.Equal(again, raw) {
			t.Errorf("%q became %q, %v", raw, again, err)
		}
	})
}

func FuzzHead(f *testing.F) {
	f.Add(someHead().append(nil))
	f.Add((&head{next: 1}).append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := parseHead(b)
		if err != nil {
			return
		}
		again, err := parseHead(h.append(nil))
		if err != nil || !reflect.DeepEqual(again, h) {
			t.Errorf("%+v became %+v, %v", h, again, err)
		}
	})
}

func FuzzPage(f *testing.F) {
	f.Add(somePage().append(nil))
	f.Add((&page{next: 1}).append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := parsePage(b)
		if err != nil {
			return
		}
		again, err := parsePage(p.append(nil))
		if err != nil || !reflect.DeepEqual(again, p) {
			t.Errorf("%+v became %+v, %v", p, again, err)
		}
	})
}

func FuzzSchemas(f *testing.F) {
	f.Add(appendSchemas(nil, map[string]string{"a": "CREATE TABLE `t` (`a` int); \n", "": ""}))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := parseSchemas(b)
		if err != nil {
			return
		}
		again, err := parseSchemas(appendSchemas(nil, s))
		if err != nil || !reflect.DeepEqual(again, s) {
			t.Errorf("%q became %q, %v", s, again, err)
		}
	})
}

func FuzzNode(f *testing.F) {
	f.Add("1-0")
	f.Add("tail")
	f.Fuzz(func(t *testing.T, name string) {
		if id, piece, ok := parseNode(name); ok && "/"+name != (blob{id: id}).node(piece) {
			t.Errorf("%q is %d, %d", name, id, piece)
		}
	})
}
