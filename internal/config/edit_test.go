package config

import (
	"strings"
	"testing"
)

func TestSetProperty(t *testing.T) {
	tests := []struct{ name, content, value, want string }{
		{"in place", "# k=1\na=1\nk = old \\\n  more\nb=2\n", "new", "# k=1\na=1\nk=new\nb=2\n"},
		{"escaped key", "\\u006b: x\n", "v", "k=v\n"},
		{"at the end", "a=1", "v", "a=1\nk=v\n"},
		{"not added", "a=1\n", "", "a=1\n"},
		{"no lines of its own", "k=\n", "a\nb=c", "k=a\\nb=c\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := SetProperty(tt.content, "k", tt.value); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// FuzzSetProperty: what was set is read again, whatever stood there.
func FuzzSetProperty(f *testing.F) {
	f.Add("k=v\n", " x\\\n\t=#")
	f.Add("a=1\\\nk=2", "é😀")
	f.Fuzz(func(t *testing.T, content, value string) {
		if value == "" || strings.ToValidUTF8(value, "") != value || strings.ToValidUTF8(content, "") != content {
			return
		}
		if p, err := ParseProperties("", []byte(content)); err != nil {
			return
		} else if n := strings.Count(content, "k"); n > 1 && len(p.Entries()) > 0 {
			return // the last of several counts
		}
		p, err := ParseProperties("", []byte(SetProperty(content, "k", value)))
		if err != nil {
			t.Fatal(err)
		}
		if e, _ := p.Get("k"); e.Value != value && !strings.HasSuffix(content, "\\") {
			t.Errorf("got %q, want %q", e.Value, value)
		}
	})
}
