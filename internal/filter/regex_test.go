package filter

import (
	"encoding/json"
	"errors"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dlclark/regexp2"
)

// vectors is testdata/oro.json: what Canal's filter answered.
type vectors struct {
	Names []string
	Cases []struct {
		Pattern string
		Joined  string
		Error   string
		Matches []int
	}
}

func readVectors(t testing.TB) vectors {
	t.Helper()
	data, err := os.ReadFile("testdata/oro.json")
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// stricter are patterns that ORO takes and this package refuses on purpose.
var stricter = []string{`\p{L}+\..*`, `test\.\pL`, `test\.\Qt1\E`, `test\.(?x) t1`, `(?-i)test\.T1`, `test\.a{99999}`, `(?#x)*a`, `test\.a(?#open`}

func TestRegexAgainstORO(t *testing.T) {
	v := readVectors(t)
	for _, c := range v.Cases {
		t.Run(c.Pattern, func(t *testing.T) {
			r, err := Compile(c.Pattern, true)
			if c.Error != "" || slices.Contains(stricter, c.Pattern) {
				if e := (*PatternError)(nil); !errors.As(err, &e) {
					t.Fatalf("error = %v, want a PatternError like ORO's %q", err, c.Error)
				}
				return
			}
			if err != nil {
				t.Fatalf("error = %v, want none", err)
			}
			if r.String() != c.Joined {
				t.Errorf("joined = %q, want %q", r.String(), c.Joined)
			}
			for i, name := range v.Names {
				if got, want := r.Match(name), slices.Contains(c.Matches, i); got != want {
					t.Errorf("Match(%q) = %v, want %v", name, got, want)
				}
			}
		})
	}
}

// TestEnginesAgree runs every pattern that goes to the linear engine on the
// other one too: which engine is picked must not show.
func TestEnginesAgree(t *testing.T) {
	v := readVectors(t)
	linear := 0
	for _, c := range v.Cases {
		r, err := Compile(c.Pattern, true)
		if err != nil || r.linear == nil {
			continue
		}
		linear++
		text, _, _ := translate(r.joined)
		other := &Regex{joined: r.joined, backtrack: regexp2.MustCompile(`\A(?:`+text+`)`, regexp2.Singleline)}
		for _, name := range v.Names {
			if got, want := r.Match(name), other.Match(name); got != want {
				t.Errorf("%q on %q: linear %v, backtracking %v", c.Pattern, name, got, want)
			}
		}
	}
	if linear < len(v.Cases)/2 {
		t.Errorf("only %d of %d patterns run in linear time", linear, len(v.Cases))
	}
}

func TestEmpty(t *testing.T) {
	for _, emptyMatches := range []bool{true, false} {
		for _, pattern := range []string{"", ",", ",,,"} {
			r, err := Compile(pattern, emptyMatches)
			if err != nil {
				t.Fatal(err)
			}
			if got := r.Match("a.b"); got != emptyMatches {
				t.Errorf("Compile(%q, %v).Match = %v", pattern, emptyMatches, got)
			}
		}
		r, err := Compile(`a\.b`, emptyMatches)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Match(""); got != emptyMatches {
			t.Errorf("Match of an empty name = %v, want %v", got, emptyMatches)
		}
	}
}

func TestRefusals(t *testing.T) {
	for _, c := range []struct{ name, pattern, want string }{
		{"too long", strings.Repeat("a", MaxPattern+1), "longer than"},
		{"too deep", strings.Repeat("(", maxNesting+1) + strings.Repeat(")", maxNesting+1), "nested deeper"},
		{"property", `\p{L}`, "do not exist"},
		{"property in a class", `[\p{L}]`, "do not exist"},
		{"quotation", `\Qa\E`, "do not exist"},
		{"look-behind", `(?<!a)b`, "look-behind"},
		{"possessive", `a++`, "possessive"},
		{"count", `a{70000}`, "above 65535"},
		{"digits past all integers", `a{99999999999999999999999}`, "above 65535"},
		{"extended", `(?x)a`, "not supported"},
		{"position", `a\.b,(c`, "at character"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Compile(c.pattern, true)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error = %v, want one with %q", err, c.want)
			}
		})
	}
}

// TestHostilePattern: an expression that backtracks without end is cut off, and
// the table is delivered whichever list it is.
func TestHostilePattern(t *testing.T) {
	t.Cleanup(regexp2.StopTimeoutClock)
	for _, emptyMatches := range []bool{true, false} {
		r, err := Compile(`(a+)+(?!z)\.b`, emptyMatches)
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if got := r.Match(strings.Repeat("a", 60)); got != emptyMatches {
			t.Errorf("Match = %v, want %v", got, emptyMatches)
		}
		if r.Timeouts() != 1 {
			t.Errorf("Timeouts = %d, want 1", r.Timeouts())
		}
		if d := time.Since(start); d > 10*time.Second {
			t.Errorf("took %v", d)
		}
	}
}

func TestLongCountsUseTheOtherEngine(t *testing.T) {
	r, err := Compile(`a{1,2000}\.b`, true)
	if err != nil {
		t.Fatal(err)
	}
	if r.linear != nil {
		t.Fatal("Go's engine took a count above 1000")
	}
	if !r.Match(strings.Repeat("a", 1500)+".b") || r.Match(strings.Repeat("a", 2001)+".b") {
		t.Error("the count is not kept")
	}
	regexp2.StopTimeoutClock()
}

func FuzzSplit(f *testing.F) {
	f.Add(`a\.b,c\.d{1,2},[,],(x,y)`)
	f.Add(`)},]\`)
	f.Fuzz(func(t *testing.T, list string) {
		pieces := split(list)
		if slices.Contains(pieces, "") {
			t.Errorf("split(%q) has an empty piece", list)
		}
		if got := strings.Join(pieces, ","); strings.Trim(list, ",") != strings.Trim(got, ",") && !strings.Contains(list, ",,") {
			t.Errorf("split(%q) = %q loses text", list, pieces)
		}
		if joined := join(slices.Clone(pieces)); len(pieces) > 0 && len(joined) < len(list)-strings.Count(list, ",") {
			t.Errorf("join(%q) = %q loses text", pieces, joined)
		}
	})
}

func FuzzCompile(f *testing.F) {
	v := readVectors(f)
	for _, c := range v.Cases {
		f.Add(c.Pattern, "test.t1")
	}
	f.Fuzz(func(t *testing.T, pattern, name string) {
		if len(pattern) > 200 || len(name) > 64 {
			return
		}
		r, err := Compile(pattern, true)
		if err != nil {
			if e := (*PatternError)(nil); !errors.As(err, &e) {
				t.Fatalf("error %v is no PatternError", err)
			}
			// What passed the translation must be text both engines can read.
			if strings.Contains(err.Error(), "error parsing") || strings.Contains(err.Error(), "regexp2") {
				t.Fatalf("the translation of %q cannot be compiled: %v", pattern, err)
			}
			return
		}
		r.Match(name)
		if text, _, err := translate(r.joined); err == nil && r.linear != nil {
			if _, err := regexp.Compile(text); err != nil {
				t.Fatal(err)
			}
		}
	})
}
