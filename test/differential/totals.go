package differential

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/towpath-cdc/towpath/test/servers"
)

// counts are what comparisons of one server in one mode came to.
type counts struct {
	readings, equal, unexplained int
	explained                    map[string]int
}

// tally sums up all comparisons of a run.
type tally struct {
	sync.Mutex
	of map[[2]string]*counts // by server and mode
}

var totals tally

func (a *tally) add(k servers.Kind, mode string, r *result) {
	a.Lock()
	defer a.Unlock()
	key := [2]string{string(k), mode}
	if a.of == nil {
		a.of = map[[2]string]*counts{}
	}
	c := a.of[key]
	if c == nil {
		c = &counts{explained: map[string]int{}}
		a.of[key] = c
	}
	c.readings++
	c.equal += r.equal
	c.unexplained += len(r.unexplained)
	for name, n := range r.explained {
		c.explained[name] += n
	}
}

// String is a table with a line for each server and mode. An entry that several
// rules explain counts under each.
func (a *tally) String() string {
	a.Lock()
	defer a.Unlock()
	var b strings.Builder
	fmt.Fprintf(&b, "%-12s %-15s %9s %9s %9s  %s\n", "server", "mode", "readings", "equal", "unequal", "explained")
	for _, key := range slices.SortedFunc(maps.Keys(a.of), func(x, y [2]string) int {
		return cmp.Or(slices.Index(servers.Kinds, servers.Kind(x[0]))-slices.Index(servers.Kinds, servers.Kind(y[0])), cmp.Compare(x[1], y[1]))
	}) {
		c := a.of[key]
		rules := slices.Sorted(maps.Keys(c.explained))
		for i, name := range rules {
			rules[i] = fmt.Sprintf("%d %s", c.explained[name], name)
		}
		fmt.Fprintf(&b, "%-12s %-15s %9d %9d %9d  %s\n", key[0], key[1], c.readings, c.equal, c.unexplained, strings.Join(rules, "; "))
	}
	return b.String()
}
