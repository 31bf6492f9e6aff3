package filter

import (
	"slices"
	"testing"
)

func TestExpressions(t *testing.T) {
	tests := []struct {
		list string
		want []string
	}{
		{"", nil},
		{`a\..*`, []string{`a\..*`}},
		{`a\.t{1,2},b\.(x,y),,c`, []string{`a\.t{1,2}`, `b\.(x,y)`, "c"}},
	}
	for _, tt := range tests {
		if got := Expressions(tt.list); !slices.Equal(got, tt.want) {
			t.Errorf("Expressions(%q) = %q, want %q", tt.list, got, tt.want)
		}
	}
}
