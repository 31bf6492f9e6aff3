package config

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

// FindingKind says what is remarkable about a key.
type FindingKind int

// The kinds of findings.
const (
	UnknownKey    FindingKind = iota // no part of Canal reads a key of this name
	Unsupported                      // the key belongs to a part this version does not have
	WithoutEffect                    // the key changes nothing here, or nothing in Canal either
	MisplacedKey                     // the key stands in a file where it is not read
	HiddenValue                      // a blank line hides a value of canal.properties
	SuspectValue                     // the value is accepted but probably not what was meant
)

// Finding is one thing worth telling a person who configured the server. None
// of them stops anything; what does is an error of Load, Startable or Instance.
type Finding struct {
	Kind    FindingKind
	Keys    []string // sorted; more than one when they share a reason
	Source  Source   // of the first occurrence
	Message string
}

// String is the form for the log: keys, place, message.
func (f Finding) String() string {
	return fmt.Sprintf("%s (%s): %s", strings.Join(f.Keys, ", "), f.Source, f.Message)
}

// Report looks through all files, -D and the environment for keys that do not
// do what their author may think: unknown ones (with the nearest known name),
// ones without effect (merged by reason), misplaced ones, Spring files that keep
// cursors where a cluster has no use for them. Each key is named once for one
// reason. Files that cannot be read are left to Load and Instance to complain of.
func (c *Config) Report() []Finding {
	r := &reporter{seen: map[string]bool{}, merged: map[string]int{}, findings: slices.Clone(c.findings)}
	files := c.files()
	r.used = referenced(files.all())
	for _, f := range files.all() {
		instance := slices.Contains(files.instances, f)
		for _, e := range f.Entries() {
			r.key(e.Key, trim(e.Value), f.place(e), instance)
		}
	}
	for _, place := range []struct {
		values map[string]string
		kind   string
	}{{c.sources.overrides, sourceOverride}, {c.sources.environ, sourceEnviron}} {
		for _, k := range sortedOurs(place.values) {
			r.key(k, trim(place.values[k]), Source{Kind: place.kind}, false)
		}
	}
	if c.admin == nil {
		r.hidden(files)
	} else {
		r.overruled(files)
	}
	r.findings = append(r.findings, c.profileFindings(c.names())...)
	for i := range r.findings {
		slices.Sort(r.findings[i].Keys)
	}
	return r.findings
}

// fileSet is every properties file that takes part.
type fileSet struct {
	main      *Properties
	global    *Properties // conf/canal.properties; the main file itself or nil possibly
	instances []*Properties
}

// all lists each file once: main, global, instances.
func (s fileSet) all() []*Properties {
	files := []*Properties{s.main}
	if s.global != nil && s.global.File != s.main.File {
		files = append(files, s.global)
	}
	return append(files, s.instances...)
}

// files reads the files or texts of every destination there is.
func (c *Config) files() fileSet {
	set := fileSet{main: c.main}
	if p, err := readOptional(filepath.Join(c.conf, "canal.properties")); err == nil {
		set.global = p
	}
	for _, name := range c.names() {
		p, err := c.placeholders(name)
		switch {
		case err != nil:
		case p.remote != nil:
			set.instances = append(set.instances, p.remote)
		case p.instance != nil:
			set.instances = append(set.instances, p.instance)
		}
	}
	return set
}

// names are the destinations that are listed, or have a folder or a text of the
// admin, sorted.
func (c *Config) names() []string {
	names := slices.Clone(c.server.Destinations)
	if c.admin != nil {
		names = slices.AppendSeq(names, maps.Keys(c.admin.Instances()))
		slices.Sort(names)
		return slices.Compact(names)
	}
	if folders, _, err := ReadFolders(c.server.ConfDir); err == nil {
		names = slices.AppendSeq(names, maps.Keys(folders))
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// referenced gathers the names that stand in ${…}: keys people made up for use
// in their own files.
func referenced(files []*Properties) map[string]bool {
	used := map[string]bool{}
	for _, f := range files {
		for _, e := range f.Entries() {
			for _, part := range strings.Split(e.Value, "${")[1:] {
				if i := strings.IndexAny(part, ":}"); i >= 0 {
					used[trim(part[:i])] = true
				}
			}
		}
	}
	return used
}

// ourNames are the beginnings of names that -D and the environment are searched
// for; everything else there belongs to other programs.
var ourNames = []string{"canal.", "kafka.", "rocketmq.", "rabbitmq.", "pulsarmq.", "towpath."}

func sortedOurs(values map[string]string) []string {
	var keys []string
	for k := range values {
		if slices.ContainsFunc(ourNames, func(p string) bool { return strings.HasPrefix(k, p) }) && k != "canal.conf" {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	return keys
}

// reporter gathers findings, each key once and each reason once.
type reporter struct {
	used     map[string]bool
	seen     map[string]bool
	merged   map[string]int // reason -> index in findings
	findings []Finding
}

// key looks at one occurrence of a key.
func (r *reporter) key(name, value string, src Source, inInstanceFile bool) {
	k, known := LookupKey(name)
	switch {
	case !known:
		if !r.used[name] {
			r.add(UnknownKey, name, src, unknownMessage(name))
		}
	case inInstanceFile && k.Scope != ScopeInstance && value != "":
		r.add(MisplacedKey, name, src, "this key is read from canal.properties only")
	case k.Status == Works || k.quietAt(value):
	case k.Status == NotYet:
		r.merge(Unsupported, name, src, k.Why)
	default:
		r.merge(WithoutEffect, name, src, k.Why)
	}
}

func (r *reporter) add(kind FindingKind, name string, src Source, message string) {
	if r.seen[name] {
		return
	}
	r.seen[name] = true
	r.findings = append(r.findings, Finding{Kind: kind, Keys: []string{name}, Source: src, Message: message})
}

// merge puts keys with the same reason into one finding.
func (r *reporter) merge(kind FindingKind, name string, src Source, why string) {
	if r.seen[name] {
		return
	}
	i, ok := r.merged[why]
	if !ok {
		r.merged[why] = len(r.findings)
		r.add(kind, name, src, why)
		return
	}
	r.seen[name] = true
	r.findings[i].Keys = append(r.findings[i].Keys, name)
}

// hidden reports blank lines in instance files that hide a value of
// canal.properties and so bring the default back.
func (r *reporter) hidden(files fileSet) {
	for _, f := range files.instances {
		for _, e := range f.Entries() {
			k, known := LookupKey(e.Key)
			g, ok := files.global.Get(e.Key)
			value := trim(g.Value)
			if !known || !ok || k.Scope != ScopeInstance || k.Status != Works || trim(e.Value) != "" || value == "" || value == k.Default {
				continue
			}
			if k.Secret || HasCredentials(value) {
				value = hiddenValue
			}
			r.findings = append(r.findings, Finding{
				Kind: HiddenValue, Keys: []string{e.Key}, Source: f.place(e),
				Message: fmt.Sprintf("this blank line hides %q of %s:%d; the value is %q", value, files.global.File, g.Line, k.Default),
			})
		}
	}
}

// unknownMessage names the nearest known key when there is one near enough.
func unknownMessage(name string) string {
	switch best := nearestKey(name); {
	case best == "":
		return "unknown key; nothing reads it"
	case strings.EqualFold(best, name):
		return fmt.Sprintf("unknown key; names are case-sensitive: did you mean %s?", best)
	default:
		return fmt.Sprintf("unknown key; did you mean %s?", best)
	}
}

// nearestKey is the known key that is most like name, "" when none is near enough.
func nearestKey(name string) string {
	best, bestDistance := "", 1+max(2, len(name)/6)
	for _, k := range catalogue {
		if k.isPattern() {
			continue
		}
		if strings.EqualFold(k.Name, name) {
			return k.Name
		}
		if d := editDistance(strings.ToLower(name), strings.ToLower(k.Name)); d < bestDistance {
			best, bestDistance = k.Name, d
		}
	}
	return best
}

// maxKeyLength bounds the work of editDistance; no key is nearly as long.
const maxKeyLength = 200

// editDistance counts the insertions, deletions and changes of single bytes
// that lead from a to b; very long names are infinitely far away.
func editDistance(a, b string) int {
	if len(a) > maxKeyLength || len(b) > maxKeyLength {
		return 1 << 30
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
