package polling

import (
	"maps"
	"slices"
	"strings"
)

// Op is what to do with an instance.
type Op int

// The operations, in the order in which they are done (ManagerInstanceConfigMonitor).
// Reload is a stop and a start.
const (
	Stop Op = iota
	Reload
	Start
)

// String names the operation as Canal's log does.
func (o Op) String() string { return [...]string{"stop", "reload", "start"}[o] }

// Action is one thing to do.
type Action struct {
	Op          Op
	Destination string
}

// Answer is what an admin said about an instance.
type Answer struct {
	Text Text
	New  bool  // Text is there: the instance has changed, or is new
	Err  error // it did not say
}

// Next compares the instances that are known with what the admin lists and says of
// each, as Canal's ManagerInstanceConfigMonitor does: one that is listed and not
// known starts, if there is a text for it; one whose text is new reloads; one that is
// not listed stops. What the admin did not say of a listed one changes nothing for
// it. Next changes neither argument; actions are sorted by operation and destination.
//
// An instance whose start failed stays known, so that it is tried again only when its
// text changes. When a stop fails, put the old text back: the next comparison decides
// it again.
func Next(known map[string]Text, names []string, answers map[string]Answer) (map[string]Text, []Action) {
	next := make(map[string]Text, len(names))
	var actions []Action
	for _, d := range names {
		if _, twice := next[d]; twice || !validName(d) {
			continue
		}
		old, registered := known[d]
		a := answers[d]
		changed := a.Err == nil && a.New && a.Text.MD5 != old.MD5
		switch {
		case registered && changed:
			next[d] = a.Text
			actions = append(actions, Action{Reload, d})
		case registered:
			next[d] = old
		case changed:
			next[d] = a.Text
			actions = append(actions, Action{Start, d})
		}
	}
	listed := slices.Sorted(slices.Values(names))
	for d := range known {
		if _, ok := slices.BinarySearch(listed, d); !ok {
			actions = append(actions, Action{Stop, d})
		}
	}
	slices.SortFunc(actions, func(a, b Action) int {
		if a.Op != b.Op {
			return int(a.Op) - int(b.Op)
		}
		return strings.Compare(a.Destination, b.Destination)
	})
	return next, actions
}

// validName says whether a name can be that of a destination: that of a folder.
func validName(name string) bool {
	return name != "" && len(name) <= 255 && name != "." && name != ".." && !strings.ContainsAny(name, "/\\\x00")
}

// without returns texts but those of some destinations.
func without(texts map[string]Text, names map[string]bool) map[string]Text {
	if len(names) == 0 {
		return texts
	}
	rest := maps.Clone(texts)
	maps.DeleteFunc(rest, func(d string, _ Text) bool { return names[d] })
	return rest
}
