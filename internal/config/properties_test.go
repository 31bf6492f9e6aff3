package config

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestAgainstJava reads what java.util.Properties.load made of many texts
// (testdata/java-properties.json, JDK 17; the texts are ISO-8859-1).
func TestAgainstJava(t *testing.T) {
	data, err := os.ReadFile("testdata/java-properties.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		In    string
		Error string
		Keys  map[string]string
	}
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		var in []byte
		for _, r := range c.In {
			in = append(in, byte(r))
		}
		p, err := ParseProperties("f", in)
		if c.Error != "" {
			if e := (*SyntaxError)(nil); !errors.As(err, &e) {
				t.Errorf("%q: error = %v, want a SyntaxError like Java's %q", c.In, err, c.Error)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", c.In, err)
			continue
		}
		got := map[string]string{}
		for _, e := range p.Entries() {
			got[e.Key] = e.Value
		}
		if len(got) != len(c.Keys) {
			t.Errorf("%q: keys %q, want %q", c.In, got, c.Keys)
		}
		for k, v := range c.Keys {
			if got[k] != v {
				t.Errorf("%q: %q = %q, want %q", c.In, k, got[k], v)
			}
		}
	}
}

func TestEncodingAndLines(t *testing.T) {
	for name, in := range map[string]string{
		"utf-8":      "# c\n\nname = Zürich 中\nlong = a\\\n  b\nlast=1",
		"with a BOM": "\ufeff# c\n\nname = Zürich 中\nlong = a\\\n  b\nlast=1",
	} {
		p, err := ParseProperties("f", []byte(in))
		if err != nil {
			t.Fatal(err)
		}
		for key, want := range map[string]Entry{
			"name": {Key: "name", Value: "Zürich 中", Line: 3},
			"long": {Key: "long", Value: "ab", Line: 4},
			"last": {Key: "last", Value: "1", Line: 6},
		} {
			if got, _ := p.Get(key); got != want {
				t.Errorf("%s: %s = %+v, want %+v", name, key, got, want)
			}
		}
	}
	p, err := ParseProperties("f", []byte("name = Z\xfcrich"))
	if err != nil {
		t.Fatal(err)
	}
	if e, _ := p.Get("name"); e.Value != "Zürich" {
		t.Errorf("ISO-8859-1 value = %q", e.Value)
	}
}

func TestSyntaxErrorNamesTheLine(t *testing.T) {
	_, err := ParseProperties("conf/x", []byte("a=1\n# c\nb=\\u12"))
	if err == nil || !strings.HasPrefix(err.Error(), "conf/x:3: ") {
		t.Errorf("error = %v, want one at conf/x:3", err)
	}
}

func TestHugeFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "f")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(maxFileSize + 1); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadProperties(name); err == nil || !strings.Contains(err.Error(), "larger") {
		t.Errorf("error = %v, want one about the size", err)
	}
}

func FuzzParseProperties(f *testing.F) {
	f.Add([]byte("a = b\\\n c\n#x\\\n!y\r\nk\\=\\u0041:v"))
	f.Add([]byte("\\\n\\\n=\\"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := ParseProperties("f", data)
		if err != nil {
			if e := (*SyntaxError)(nil); !errors.As(err, &e) || e.Line < 1 {
				t.Fatalf("error = %v, want a SyntaxError with a line", err)
			}
			return
		}
		lines := 1 + strings.Count(strings.ReplaceAll(string(data), "\r", "\n"), "\n")
		for _, e := range p.Entries() {
			if e.Line < 1 || e.Line > lines {
				t.Errorf("key %q is said to stand on line %d of %d", e.Key, e.Line, lines)
			}
			if got, ok := p.Get(e.Key); !ok || got != e {
				t.Errorf("Get(%q) = %+v, want %+v", e.Key, got, e)
			}
		}
	})
}
