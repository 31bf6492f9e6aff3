package filter

import "testing"

func TestFields(t *testing.T) {
	white := " test1.t_Product : id/Subject , bad, too:many:colons, last.one:a,last.one:b"
	black := "test1.t_product:id,test2.t:x y/z, empty:"
	f := ParseFields(white, black)
	for _, c := range []struct {
		schema, table, column string
		keep                  bool
	}{
		{"test1", "t_product", "id", true}, // on both lists: the white one counts
		{"TEST1", "T_PRODUCT", "SUBJECT", true},
		{"test1", "t_product", "price", false},
		{"test2", "t", "x y", false}, // inner blanks belong to the name
		{"test2", "t", "Z", false},
		{"test2", "t", "other", true},
		{"test2", "t2", "z", true}, // no regular expressions here
		{"last", "one", "a", false},
		{"last", "one", "b", true},
		{"bad", "", "x", true},
	} {
		if got := f.Keep(c.schema, c.table, c.column); got != c.keep {
			t.Errorf("Keep(%s, %s, %s) = %v, want %v", c.schema, c.table, c.column, got, c.keep)
		}
	}
	for table, want := range map[[2]string]bool{{"test1", "T_Product"}: true, {"test2", "t"}: true, {"test2", "u"}: false, {"too", "many"}: false} {
		if got := f.Active(table[0], table[1]); got != want {
			t.Errorf("Active(%v) = %v, want %v", table, got, want)
		}
	}
	if none := ParseFields("", ""); none.Active("a", "b") || !none.Keep("a", "b", "c") {
		t.Error("empty lists filter something")
	}
}

func FuzzParseFields(f *testing.F) {
	f.Add("a.b:c/d,e.f:g", "h.i:j", "a", "b", "c")
	f.Add(":,::,a:", "", "", "", "")
	f.Fuzz(func(t *testing.T, white, black, schema, table, column string) {
		fields := ParseFields(white, black)
		if !fields.Active(schema, table) && !fields.Keep(schema, table, column) {
			t.Errorf("a table without lists loses column %q", column)
		}
	})
}
