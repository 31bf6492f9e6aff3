package config

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// TextKind says what a text is.
type TextKind int

// The kinds of texts.
const (
	ServerText   TextKind = iota // canal.properties
	InstanceText                 // instance.properties
)

// ProblemSeverity says how bad a Problem is.
type ProblemSeverity string

// The severities.
const (
	ProblemError   ProblemSeverity = "error"   // the server, or the instance, cannot start
	ProblemWarning ProblemSeverity = "warning" // it starts, but not as the author may think
	ProblemInfo    ProblemSeverity = "info"    // a line that changes nothing
)

// Problem is one thing about a text.
type Problem struct {
	Line       int    // from 1; 0 for the text as a whole
	Key        string // "" when it is not about one
	Severity   ProblemSeverity
	Message    string
	Suggestion string // what to write, or do, instead; may be ""
}

// maxProblems bounds the problems of one text. The first ones are kept.
const maxProblems = 500

// masked is a secret that is not shown. It is taken for a good value.
const masked = "******"

// Validate looks through a text of a server with an admin, or of one of its
// instances. The problems are in the order of the lines. Values are read as Load
// and Instance read them.
func Validate(kind TextKind, content string) []Problem {
	if kind == ServerText {
		v := newValidator(kind, content)
		v.keys()
		v.serverValues()
		return v.result()
	}
	return ValidateInstance(content, "")
}

// ValidateInstance looks through the text of an instance that belongs to a server,
// or cluster, with the text server, whose values come before those of the instance.
func ValidateInstance(content, server string) []Problem {
	c := detached(server)
	if main, err := ParseProperties(c.main.File, []byte(server)); err == nil {
		c.main = main
	}
	_ = c.loadServer() // what is wrong with it is not about this text
	return c.ValidateInstance(content)
}

// ValidateInstance looks through a text that is to stand in the place of an
// instance.properties of this server, or of its admin's text for one.
func (c *Config) ValidateInstance(content string) []Problem {
	v := newValidator(InstanceText, content)
	p, err := c.placeholdersFor("validate", v.text)
	if err != nil {
		v.add(Problem{Severity: ProblemError, Message: err.Error()})
		return v.result()
	}
	v.refer(p.server, p.global)
	v.keys()
	v.instanceValues(c, p)
	if c.admin != nil {
		v.overruled(c.main)
	} else {
		v.hidden(p.global)
	}
	return v.result()
}

// validator gathers the problems of one text.
type validator struct {
	kind     TextKind
	lines    []logicalLine
	text     *Properties // of the lines that can be read
	used     map[string]bool
	problems []Problem
}

// logicalLine is one setting as it is written.
type logicalLine struct {
	line       int
	key, value string
	rawValue   []rune // before its escapes are resolved
	separated  bool   // there is something between key and value, or behind the key
	joined     bool   // it goes over several lines of the text
}

// newValidator reads the lines, and tells of those that cannot be read.
func newValidator(kind TextKind, content string) *validator {
	v := &validator{kind: kind, text: &Properties{File: "text", entries: map[string]Entry{}}}
	if len(content) > maxFileSize {
		v.add(Problem{Severity: ProblemError, Message: fmt.Sprintf("the text is longer than %d bytes", maxFileSize)})
		return v
	}
	r := lineReader{text: decodeText([]byte(content)), line: 1}
	for {
		logical, line, ok := r.next()
		if !ok {
			break
		}
		v.read(logical, line, r.line-line > 1)
	}
	v.used = referenced([]*Properties{v.text})
	return v
}

// read takes one logical line.
func (v *validator) read(logical []rune, line int, joined bool) {
	rawKey, rawValue := splitLine(logical)
	key, ok := unescape(rawKey)
	value, ok2 := unescape(rawValue)
	if !ok || !ok2 {
		v.add(Problem{Line: line, Key: key, Severity: ProblemError,
			Message:    `malformed \uXXXX escape: the text cannot be read`,
			Suggestion: `write four hexadecimal digits behind \u, or \\u for a literal \u`})
		return
	}
	if first, dup := v.text.Get(key); dup {
		v.add(Problem{Line: line, Key: key, Severity: ProblemWarning,
			Message:    fmt.Sprintf("the key stands on line %d already; the last one counts", first.Line),
			Suggestion: fmt.Sprintf("remove line %d", first.Line)})
	} else {
		v.text.keys = append(v.text.keys, key)
	}
	v.text.entries[key] = Entry{Key: key, Value: value, Line: line}
	v.lines = append(v.lines, logicalLine{line, key, value, rawValue, len(rawKey) < len(logical), joined})
}

func (v *validator) add(p Problem) {
	if len(v.problems) < maxProblems {
		v.problems = append(v.problems, p)
	}
}

func (v *validator) result() []Problem {
	slices.SortStableFunc(v.problems, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
	return v.problems
}

// refer adds what other texts refer to by ${…}: such keys are not unknown.
func (v *validator) refer(texts ...*Properties) {
	for key := range referenced(texts) {
		v.used[key] = true
	}
}

// keys looks at each line for itself.
func (v *validator) keys() {
	for i := range v.lines {
		l := &v.lines[i]
		if v.suspectLine(l) {
			continue
		}
		k, known := LookupKey(l.key)
		if !known {
			v.unknown(l)
			continue
		}
		v.place(l, k)
		v.status(l, k)
		v.suspectValue(l)
	}
}

// suspectLine tells of lines that are hardly settings. It says whether there is
// nothing more to say about one.
func (v *validator) suspectLine(l *logicalLine) bool {
	if !l.separated && !v.used[l.key] {
		if _, known := LookupKey(l.key); !known {
			v.add(Problem{Line: l.line, Key: l.key, Severity: ProblemWarning,
				Message:    "there is no = in this line: all of it is taken for a key without a value",
				Suggestion: "write key = value, or # before a comment"})
			return true
		}
	}
	if l.joined && containsKey(l.value) {
		v.add(Problem{Line: l.line, Key: l.key, Severity: ProblemWarning,
			Message:    `this line ends in \, so that the next one, which looks like a setting, is a part of the value`,
			Suggestion: `remove the \ at the end of the line`})
	}
	return false
}

// containsKey says whether what follows the beginning of a value looks like a
// setting.
func containsKey(value string) bool {
	for _, word := range strings.FieldsFunc(value, func(r rune) bool { return r == ' ' || r == '=' || r == '\t' || r == ',' }) {
		if k, ok := LookupKey(word); ok && !k.isPattern() {
			return true
		}
	}
	return false
}

func (v *validator) unknown(l *logicalLine) {
	// A name for use in ${…} is its author's business; and comparing names with
	// the catalogue takes time.
	if v.used[l.key] || len(v.problems) >= maxProblems {
		return
	}
	p := Problem{Line: l.line, Key: l.key, Severity: ProblemWarning, Message: "unknown key; nothing reads it"}
	if best := nearestKey(l.key); best != "" {
		p.Suggestion = "did you mean " + best + "?"
		if strings.EqualFold(best, l.key) {
			p.Message = "unknown key; names are case-sensitive"
		}
	}
	v.add(p)
}

// personal are keys that say something else for each destination. With an admin
// the server's values come before those of the instances.
var personal = []string{
	"canal.instance.master.address", "canal.instance.master.journal.name", "canal.instance.master.position",
	"canal.instance.master.timestamp", "canal.instance.master.gtid", "canal.instance.standby.address",
	"canal.instance.standby.journal.name", "canal.instance.standby.position", "canal.instance.standby.timestamp",
	"canal.instance.standby.gtid", "canal.instance.mysql.slaveId", "canal.instance.dbUsername",
	"canal.instance.dbPassword", "canal.instance.defaultDatabaseName",
	"canal.instance.filter.regex", "canal.instance.filter.black.regex",
	"canal.instance.master1.address", "canal.instance.master2.address", "canal.instance.standby1.address", "canal.instance.standby2.address",
	localDirKey, "towpath.instance.localBinlog.name", "towpath.instance.localBinlog.serverId",
}

// place tells of keys in the wrong text.
func (v *validator) place(l *logicalLine, k Key) {
	blank := trim(l.value) == ""
	switch {
	case blank:
	case v.kind == InstanceText && k.Scope != ScopeInstance:
		v.add(Problem{Line: l.line, Key: l.key, Severity: ProblemWarning,
			Message:    "without effect: this key is read from canal.properties only",
			Suggestion: "move the line to canal.properties, the main configuration"})
	case v.kind == ServerText && slices.Contains(personal, l.key):
		v.add(Problem{Line: l.line, Key: l.key, Severity: ProblemWarning,
			Message:    "with an admin this value is that of every instance, whatever their own texts say",
			Suggestion: "move the line to the texts of the instances"})
	}
}

// status tells of keys that do nothing.
func (v *validator) status(l *logicalLine, k Key) {
	if k.Status != Works && !k.quietAt(trim(l.value)) {
		v.add(Problem{Line: l.line, Key: l.key, Severity: ProblemInfo, Message: "without effect: " + k.Why})
	}
}

// suspectValue tells of values that are probably not what was meant.
func (v *validator) suspectValue(l *logicalLine) {
	if doubled, lost := lostBackslashes(l.rawValue); lost {
		v.add(Problem{Line: l.line, Key: l.key, Severity: ProblemWarning,
			Message:    `a single \ is lost in a properties file` + v.readAs(l),
			Suggestion: "write " + v.shown(l.key, doubled)})
	}
	if i := strings.Index(l.value, " #"); i >= 0 {
		v.add(Problem{Line: l.line, Key: l.key, Severity: ProblemWarning,
			Message:    "a comment behind a value is a part of the value",
			Suggestion: "give the comment a line of its own"})
	}
	if isTableList(l.key) && strings.Contains(l.value, "%") {
		v.add(Problem{Line: l.line, Key: l.key, Severity: ProblemWarning,
			Message:    "% stands for itself in a regular expression",
			Suggestion: "write .* for any text"})
	}
}

func isTableList(key string) bool {
	return key == "canal.instance.filter.regex" || key == "canal.instance.filter.black.regex"
}

// readAs tells how a value is read, unless it is a secret.
func (v *validator) readAs(l *logicalLine) string {
	if IsSecret(l.key) {
		return ""
	}
	return fmt.Sprintf(": this is read as %q", l.value)
}

// shown is a value as it is written, unless it is a secret.
func (v *validator) shown(key, raw string) string {
	if IsSecret(key) {
		return `\\ for each \`
	}
	return raw
}

// lostBackslashes doubles every single backslash that only vanishes: one that
// stands before a character for which there is no escape, and which has no
// meaning of its own in a properties file.
func lostBackslashes(raw []rune) (doubled string, lost bool) {
	var out strings.Builder
	for i := 0; i < len(raw); i++ {
		out.WriteRune(raw[i])
		if raw[i] != '\\' || i+1 == len(raw) {
			continue
		}
		if !strings.ContainsRune("\\tnrfu =:#!", raw[i+1]) {
			lost = true
			out.WriteRune('\\')
		}
		i++
		out.WriteRune(raw[i])
	}
	return out.String(), lost
}

// serverValues reads the values of a server as Load does, which stops at the first
// that is wrong: each is then taken out, and the rest read again.
func (v *validator) serverValues() {
	c := detached("")
	c.main = &Properties{File: v.text.File, entries: map[string]Entry{}, keys: v.text.keys}
	for key, e := range v.text.entries {
		if v.isMasked(e) {
			e.Value = standIn(key)
		}
		c.main.entries[key] = e
	}
	for range maxProblems {
		c.findings = nil
		err := c.loadServer()
		wrong, ok := errors.AsType[*ValueError](err)
		if !ok {
			break
		}
		v.value(wrong)
		if _, there := c.main.entries[wrong.Key]; !there {
			break // it is what is missing that is wrong
		}
		delete(c.main.entries, wrong.Key)
	}
	for _, f := range c.findings {
		for _, key := range f.Keys {
			v.add(Problem{Line: v.line(key), Key: key, Severity: ProblemWarning, Message: f.Message})
		}
	}
	if wrong, ok := errors.AsType[*ValueError](c.Startable()); ok {
		v.value(wrong)
	}
}

// standIn is a good value for a secret that is not to be looked at.
func standIn(key string) string {
	if key == "towpath.zookeeper.auth" {
		return "user:password"
	}
	return strings.Repeat("0", 40)
}

// isMasked says that a secret is not to be looked at.
func (v *validator) isMasked(e Entry) bool { return trim(e.Value) == masked && IsSecret(e.Key) }

// line is where a key stands; 0 when it does not.
func (v *validator) line(key string) int {
	e, _ := v.text.Get(key)
	return e.Line
}

// value tells of a value that cannot be used.
func (v *validator) value(e *ValueError) {
	p := Problem{Line: v.line(e.Key), Key: e.Key, Severity: ProblemError, Message: fmt.Sprintf("%q cannot be used", e.Value), Suggestion: e.Want}
	if e.Source.Kind == sourceFile && e.Source.File != v.text.File {
		p.Line, p.Message = 0, fmt.Sprintf("%q of %s cannot be used", e.Value, e.Source)
	}
	v.add(p)
}

// instanceValues reads the values of an instance.
func (v *validator) instanceValues(c *Config, p *placeholders) {
	r := &instanceReader{p: p}
	kind, err := c.kind(p.destination)
	if err != nil {
		r.errs = append(r.errs, err)
	}
	v.missing(p, kind)
	r.read(c, kind)
	told := map[string]bool{}
	for _, err := range r.errs {
		// What is in a circle is met by every key that is looked up.
		if !told[err.Error()] {
			told[err.Error()] = true
			v.instanceError(err)
		}
	}
}

func (v *validator) instanceError(err error) {
	wrong, ok := errors.AsType[*ValueError](err)
	if !ok {
		return
	}
	e, there := v.text.Get(wrong.Key)
	if there && v.isMasked(e) || wrong.Value == "" && slices.Contains(required, wrong.Key) {
		return // which says nothing, or has been told
	}
	v.value(wrong)
}

// required are the keys that no instance can do without. Canal has defaults for
// the last two, which are a user of its authors.
var required = []string{"canal.instance.master.address", "canal.instance.dbUsername", "canal.instance.dbPassword"}

// missing tells of required keys that are nowhere. What a group lacks is told where
// it is read, and who reads files needs no server.
func (v *validator) missing(p *placeholders, kind profile) {
	if dir, _ := p.raw(localDirKey); dir != "" {
		return
	}
	want := map[string]Problem{
		required[0]: {Severity: ProblemError, Message: "there is no server to read from", Suggestion: "write " + required[0] + " = host:3306"},
		required[1]: {Severity: ProblemWarning, Message: "there is no user for the source; Canal's default is hardly yours", Suggestion: "write " + required[1] + " = the user's name"},
		required[2]: {Severity: ProblemWarning, Message: "there is no password for the source; Canal's default is hardly yours", Suggestion: "write " + required[2] + " = the user's password"},
	}
	for _, key := range required {
		if raw, _ := p.raw(key); raw == "" && !(kind.group && key == required[0]) {
			problem := want[key]
			problem.Key, problem.Line = key, v.line(key)
			v.add(problem)
		}
	}
}

// overruled tells of keys that the server's text has too, with another value: with
// an admin that comes first.
func (v *validator) overruled(server *Properties) {
	for _, e := range v.text.Entries() {
		k, known := LookupKey(e.Key)
		over, ok := server.Get(e.Key)
		if !known || !ok || k.Scope != ScopeInstance || k.Status != Works || trim(over.Value) == trim(e.Value) || trim(e.Value) == "" {
			continue
		}
		v.add(Problem{Line: e.Line, Key: e.Key, Severity: ProblemWarning,
			Message:    fmt.Sprintf("without effect: with an admin the value in line %d of the server's canal.properties counts", over.Line),
			Suggestion: "remove the key from one of the two"})
	}
}

// hidden tells of blank lines that hide a value of canal.properties.
func (v *validator) hidden(global *Properties) {
	for _, e := range v.text.Entries() {
		k, known := LookupKey(e.Key)
		g, ok := global.Get(e.Key)
		value := trim(g.Value)
		if !known || !ok || k.Scope != ScopeInstance || k.Status != Works || trim(e.Value) != "" || value == "" || value == k.Default {
			continue
		}
		v.add(Problem{Line: e.Line, Key: e.Key, Severity: ProblemWarning,
			Message:    fmt.Sprintf("this blank line hides the value in line %d of canal.properties", g.Line),
			Suggestion: "remove the line, or give it a value"})
	}
}
