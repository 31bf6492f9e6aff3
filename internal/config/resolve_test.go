package config

import (
	"errors"
	"strings"
	"testing"
)

func mustParse(t testing.TB, file, text string) *Properties {
	t.Helper()
	p, err := ParseProperties(file, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestLauncherLookup(t *testing.T) {
	main := mustParse(t, "m", "file = f \nboth = f\nhidden = f\nliteral = ${file}\n")
	s := sources{overrides: map[string]string{"all": " d "}, environ: map[string]string{"all": "e", "both": "e", "hidden": ""}}
	for _, c := range []struct {
		key, value, kind string
		found            bool
	}{
		{"all", "d", sourceOverride, true},
		{"both", "e", sourceEnviron, true},
		{"hidden", "", sourceEnviron, true}, // an empty variable hides the file
		{"file", "f", sourceFile, true},
		{"literal", "${file}", sourceFile, true},
		{"none", "", sourceDefault, false},
	} {
		v, src, found := s.launcher(main, c.key)
		if v != c.value || src.Kind != c.kind || found != c.found {
			t.Errorf("%s = %q from %s, %v; want %q from %s, %v", c.key, v, src.Kind, found, c.value, c.kind, c.found)
		}
	}
}

func TestPlaceholders(t *testing.T) {
	p := &placeholders{
		sources:     sources{overrides: map[string]string{"d": "D", "blank": " "}, environ: map[string]string{"d": "E", "e": "E", "blank": "E", "emptyenv": ""}},
		destination: "ex",
		instance:    mustParse(t, "i", "d=I\ne=I\ni=I\nmasked=  \nblank=I\nemptyenv=I\nchain=${i}-${g}\nself=${self}\nx=${y}\ny=a${x}\nbomb00=ab\n"+bomb()),
		global:      mustParse(t, "g", "d=G\ne=G\ni=G\ng=G\nmasked=G\ndir=${base:../conf}/${canal.instance.destination:}\nnested=${no:${g}}\nopen=${g\nspaced=${ g : x }\nbrace=${no:{1,2}}\nempty=${no}x\ncolon=${no:jdbc:h2:mem}"),
	}
	for key, want := range map[string]string{
		"d":                          "D",
		"e":                          "E",
		"i":                          "I",
		"g":                          "G",
		"masked":                     "def", // a blank line hides canal.properties
		"blank":                      "I",   // a blank -D does not count, nor does it let the environment in
		"emptyenv":                   "I",
		"absent":                     "def",
		"chain":                      "I-G",
		"dir":                        "../conf/ex",
		"nested":                     "G",
		"open":                       "${g",
		"spaced":                     "G",
		"brace":                      "{1,2}",
		"empty":                      "x",
		"colon":                      "jdbc:h2:mem",
		"canal.instance.destination": "ex",
	} {
		if got, _, err := p.value(key, "def"); err != nil || got != want {
			t.Errorf("%s = %q, %v; want %q", key, got, err, want)
		}
	}
	for _, key := range []string{"self", "x", "y", "bomb40"} {
		_, _, err := p.value(key, "")
		if e := (*ValueError)(nil); !errors.As(err, &e) || e.Key != key || e.Destination != "ex" {
			t.Errorf("%s: error = %v, want a ValueError", key, err)
		}
	}
}

// bomb makes keys that double with each number.
func bomb() string {
	var b strings.Builder
	for i := 1; i <= 40; i++ {
		n, m := itoa(i), itoa(i-1)
		b.WriteString("bomb" + n + "=${bomb" + m + "}${bomb" + m + "}\n")
	}
	return b.String()
}

func itoa(i int) string { return string(rune('0'+i/10)) + string(rune('0'+i%10)) }

func FuzzExpand(f *testing.F) {
	f.Add("${a:${b}}x${", "${b}", "${a}")
	f.Add("${${a}}{}${:}", "b", "}")
	f.Fuzz(func(t *testing.T, text, a, b string) {
		values := map[string]string{"a": a, "b": b}
		e := expansion{lookup: func(k string) string { return values[k] }, open: map[string]bool{}}
		got, err := e.expand(text)
		if err != nil {
			if !errors.Is(err, errExpansionCycle) && !errors.Is(err, errExpansionSize) {
				t.Fatalf("error = %v", err)
			}
			return
		}
		if len(got) > maxExpansion {
			t.Errorf("%d bytes came out", len(got))
		}
		if !strings.Contains(text, "${") && got != text {
			t.Errorf("expand(%q) = %q", text, got)
		}
	})
}
