package polling

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// known are texts by destination; the MD5 is the content.
func known(pairs ...string) map[string]Text {
	m := map[string]Text{}
	for _, p := range pairs {
		d, v, _ := strings.Cut(p, "=")
		m[d] = Text{Content: v, MD5: v}
	}
	return m
}

// answers are "d=text" for a text, "d" for nothing new, "d!" for an error.
func answersOf(items ...string) map[string]Answer {
	m := map[string]Answer{}
	for _, i := range items {
		if d, bad := strings.CutSuffix(i, "!"); bad {
			m[d] = Answer{Err: errors.New("refused")}
			continue
		}
		d, v, is := strings.Cut(i, "=")
		m[d] = Answer{New: is, Text: Text{Content: v, MD5: v}}
	}
	return m
}

func show(texts map[string]Text, actions []Action) string {
	var parts []string
	for _, d := range slices.Sorted(maps.Keys(texts)) {
		parts = append(parts, d+"="+texts[d].Content)
	}
	parts = append(parts, "|")
	for _, a := range actions {
		parts = append(parts, fmt.Sprintf("%s %s", a.Op, a.Destination))
	}
	return strings.Join(parts, " ")
}

func TestNext(t *testing.T) {
	for _, c := range []struct {
		name    string
		known   map[string]Text
		names   []string
		answers map[string]Answer
		want    string
	}{
		{"nothing", known(), nil, nil, "|"},
		{"new", known(), []string{"a"}, answersOf("a=1"), "a=1 | start a"},
		{"new without a text", known(), []string{"a"}, answersOf("a"), "|"},
		{"unchanged", known("a=1"), []string{"a"}, answersOf("a"), "a=1 |"},
		{"the same text again", known("a=1"), []string{"a"}, answersOf("a=1"), "a=1 |"},
		{"changed", known("a=1"), []string{"a"}, answersOf("a=2"), "a=2 | reload a"},
		{"gone", known("a=1", "b=1"), []string{"b"}, answersOf("b"), "b=1 | stop a"},
		{"none left", known("a=1", "b=1"), []string{}, nil, "| stop a stop b"},
		{"stops, reloads, starts", known("s=1", "r=1", "q=1"), []string{"z", "r", "q", "a"}, answersOf("z=1", "r=2", "q=2", "a=1"), "a=1 q=2 r=2 z=1 | stop s reload q reload r start a start z"},
		{"refused stays as it is", known("a=1", "b=1"), []string{"a", "b", "c"}, answersOf("a!", "b=2", "c!"), "a=1 b=2 | reload b"},
		{"named twice", known(), []string{"a", "a"}, answersOf("a=1"), "a=1 | start a"},
		{"no names of folders", known(), []string{"..", "a/b", ".", "a\\b"}, answersOf("..=1", "a/b=1", ".=1", "a\\b=1"), "|"},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := show(c.known, nil)
			next, actions := Next(c.known, c.names, c.answers)
			if got := show(next, actions); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			if show(c.known, nil) != before {
				t.Error("what was known has changed")
			}
			// When all has been done, there is nothing more to do.
			same := map[string]Answer{}
			for d := range next {
				same[d] = Answer{}
			}
			if _, more := Next(next, c.names, same); len(more) != 0 {
				t.Errorf("again: %v", more)
			}
		})
	}
}
