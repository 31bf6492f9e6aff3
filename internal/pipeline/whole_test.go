package pipeline

import (
	"fmt"
	"strings"
	"testing"

	"github.com/towpath-cdc/towpath/internal/store"
)

// TestHolder feeds items that carry their number as their offset. A | is a border.
func TestHolder(t *testing.T) {
	for name, c := range map[string]struct {
		limit int
		in    []string
		want  []string // what each add puts
		held  int
	}{
		"complete":               {9, []string{"1 2 |"}, []string{"1 2"}, 0},
		"begin held":             {9, []string{"1 2 | 3", "4 5 | 6"}, []string{"1 2", "3 4 5"}, 1},
		"no border":              {9, []string{"1", "2", "3 |"}, []string{"", "", "1 2 3"}, 0},
		"border before all":      {9, []string{"1 2", "| 3"}, []string{"", "1 2"}, 1},
		"border and nothing":     {9, []string{"1 2", "|"}, []string{"", "1 2"}, 0},
		"larger than the limit":  {3, []string{"1 2", "3", "4 5 6 7", "8 |"}, []string{"", "1 2 3", "4 5 6 7", "8"}, 0},
		"large behind a border":  {3, []string{"1 | 2 3 4", "5"}, []string{"1 2 3 4", ""}, 1},
		"limit counts one alone": {3, []string{"1 | 2 3", "4 |"}, []string{"1", "2 3 4"}, 0},
	} {
		h := &holder{limit: c.limit}
		for i, in := range c.in {
			items, border := parseItems(in)
			if got := itemsText(h.add(items, border)); got != c.want[i] {
				t.Errorf("%s: add %d put %q, want %q", name, i, got, c.want[i])
			}
		}
		if len(h.held) != c.held {
			t.Errorf("%s: %d held, want %d", name, len(h.held), c.held)
		}
	}
}

func parseItems(text string) (items []store.Item, border int) {
	border = -1
	for word := range strings.FieldsSeq(text) {
		if word == "|" {
			border = len(items)
			continue
		}
		var it store.Item
		fmt.Sscan(word, &it.Position.Offset)
		items = append(items, it)
	}
	return items, border
}

func itemsText(items []store.Item) string {
	var b strings.Builder
	for _, it := range items {
		fmt.Fprintf(&b, "%d ", it.Position.Offset)
	}
	return strings.TrimSpace(b.String())
}
