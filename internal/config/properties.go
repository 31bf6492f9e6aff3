package config

import (
	"fmt"
	"io"
	"maps"
	"os"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxFileSize bounds a properties or XML file in bytes. Files people write by
// hand are a thousand times smaller; a larger one is refused.
const maxFileSize = 8 << 20

// Entry is one key of a properties file.
type Entry struct {
	Key   string
	Value string // unescaped, trailing blanks kept
	Line  int    // 1-based line the key stands on

	file string // where it stands, when that is not the File of the Properties
}

// Properties is a parsed Java .properties file. It is immutable once read.
type Properties struct {
	File    string
	entries map[string]Entry
	keys    []string // in order of first appearance
}

// SyntaxError says where a properties file cannot be read.
type SyntaxError struct {
	File string
	Line int
	Text string
}

func (e *SyntaxError) Error() string { return place(e.File, e.Line) + ": " + e.Text }

// place names a line of a file, or of a text from the admin, which is no file.
func place(file string, line int) string {
	if strings.HasPrefix(file, adminPlace) {
		return fmt.Sprintf("%s line %d", file, line)
	}
	return fmt.Sprintf("%s:%d", file, line)
}

// adminPlace begins the name of every text that is from the admin.
const adminPlace = "canal-admin: "

// ReadProperties reads a properties file. Text that is valid UTF-8 is taken as
// such, anything else as ISO-8859-1, which is what Java always assumes.
func ReadProperties(file string) (*Properties, error) {
	data, err := readBounded(file)
	if err != nil {
		return nil, err
	}
	return ParseProperties(file, data)
}

// readBounded reads a whole file of at most maxFileSize bytes.
func readBounded(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFileSize+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	if len(data) > maxFileSize {
		return nil, fmt.Errorf("read %s: larger than %d bytes", file, maxFileSize)
	}
	return data, nil
}

// ParseProperties parses the text of a properties file by the rules of
// java.util.Properties.load; the last of several equal keys wins. The only
// possible error is a *SyntaxError for a malformed \uXXXX escape.
func ParseProperties(file string, data []byte) (*Properties, error) {
	p := &Properties{File: file, entries: map[string]Entry{}}
	lines := lineReader{text: decodeText(data), line: 1}
	for {
		text, line, ok := lines.next()
		if !ok {
			return p, nil
		}
		rawKey, rawValue := splitLine(text)
		key, ok := unescape(rawKey)
		value, ok2 := unescape(rawValue)
		if !ok || !ok2 {
			return nil, &SyntaxError{File: file, Line: line, Text: `malformed \uXXXX escape: want four hexadecimal digits (write \\u for a literal \u)`}
		}
		if _, dup := p.entries[key]; !dup {
			p.keys = append(p.keys, key)
		}
		p.entries[key] = Entry{Key: key, Value: value, Line: line}
	}
}

// Get is the entry of key. It is safe on a nil receiver, which has no keys.
func (p *Properties) Get(key string) (Entry, bool) {
	if p == nil {
		return Entry{}, false
	}
	e, ok := p.entries[key]
	return e, ok
}

// place says where an entry of p stands.
func (p *Properties) place(e Entry) Source {
	file := p.File
	if e.file != "" {
		file = e.file
	}
	return Source{Kind: sourceFile, File: file, Line: e.Line}
}

// overlay returns the keys of p with every key of top over them, blank ones
// included, as java.util.Properties.putAll does it. Each entry remembers the file
// it is from; the result has the name of top.
func (p *Properties) overlay(top *Properties) *Properties {
	all := &Properties{File: top.File, entries: maps.Clone(top.entries)}
	for _, e := range p.Entries() {
		if _, over := top.entries[e.Key]; !over {
			e.file = p.File
			all.entries[e.Key] = e
			all.keys = append(all.keys, e.Key)
		}
	}
	all.keys = append(all.keys, top.keys...)
	return all
}

// Entries lists the keys in the order in which they first appear.
func (p *Properties) Entries() []Entry {
	if p == nil {
		return nil
	}
	list := make([]Entry, 0, len(p.keys))
	for _, k := range p.keys {
		list = append(list, p.entries[k])
	}
	return list
}

// decodeText applies the encoding rule of ReadProperties and drops a byte order
// mark, which editors on Windows write and Java would make part of the first key.
func decodeText(data []byte) []rune {
	if utf8.Valid(data) {
		return []rune(strings.TrimPrefix(string(data), "\ufeff"))
	}
	text := make([]rune, len(data))
	for i, b := range data {
		text[i] = rune(b)
	}
	return text
}

// lineReader yields logical lines: comments and blank lines are gone,
// continuations are joined with their leading white space dropped.
type lineReader struct {
	text []rune
	at   int
	line int // line of text[at]
}

func (r *lineReader) next() (logical []rune, line int, ok bool) {
	for r.at < len(r.text) {
		r.skipBlank()
		line = r.line
		natural := r.natural()
		if len(natural) == 0 || natural[0] == '#' || natural[0] == '!' {
			continue
		}
		logical = append([]rune(nil), natural...)
		for endsInBackslash(logical) {
			logical = logical[:len(logical)-1]
			if len(logical) == 0 {
				break // a lone backslash; what follows begins a line of its own
			}
			if r.at >= len(r.text) {
				break
			}
			r.skipBlank()
			natural = r.natural()
			logical = append(logical, natural...)
			if len(natural) == 0 {
				break
			}
		}
		if len(logical) > 0 {
			return logical, line, true
		}
	}
	return nil, 0, false
}

// skipBlank skips white space within a line.
func (r *lineReader) skipBlank() {
	for r.at < len(r.text) && isBlank(r.text[r.at]) {
		r.at++
	}
}

// natural is the rest of the line; it also takes the line end (\n, \r, \r\n).
func (r *lineReader) natural() []rune {
	start := r.at
	for r.at < len(r.text) && r.text[r.at] != '\n' && r.text[r.at] != '\r' {
		r.at++
	}
	line := r.text[start:r.at]
	if r.at < len(r.text) {
		if r.text[r.at] == '\r' && r.at+1 < len(r.text) && r.text[r.at+1] == '\n' {
			r.at++
		}
		r.at++
		r.line++
	}
	return line
}

func isBlank(c rune) bool { return c == ' ' || c == '\t' || c == '\f' }

// endsInBackslash reports whether line ends in an odd number of backslashes.
func endsInBackslash(line []rune) bool {
	n := 0
	for n < len(line) && line[len(line)-1-n] == '\\' {
		n++
	}
	return n%2 == 1
}

// splitLine cuts a logical line at its first unescaped '=', ':' or white space.
func splitLine(line []rune) (key, value []rune) {
	end, escaped := 0, false
	for end < len(line) {
		c := line[end]
		if !escaped && (c == '=' || c == ':' || isBlank(c)) {
			break
		}
		escaped = c == '\\' && !escaped
		end++
	}
	start, separated := end, false
	for start < len(line) {
		c := line[start]
		if !isBlank(c) {
			if separated || (c != '=' && c != ':') {
				break
			}
			separated = true
		}
		start++
	}
	return line[:end], line[start:]
}

// unescape resolves backslash escapes; false means a malformed \uXXXX.
func unescape(raw []rune) (string, bool) {
	out := make([]rune, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		if c != '\\' || i+1 == len(raw) {
			out = append(out, c)
			continue
		}
		i++
		switch raw[i] {
		case 't':
			out = append(out, '\t')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 'f':
			out = append(out, '\f')
		case 'u':
			unit, ok := hex4(raw[i+1:])
			if !ok {
				return "", false
			}
			i += 4
			if n := len(out); n > 0 && utf16.IsSurrogate(out[n-1]) {
				if pair := utf16.DecodeRune(out[n-1], unit); pair != utf8.RuneError {
					out[n-1] = pair
					continue
				}
			}
			out = append(out, unit)
		default:
			out = append(out, raw[i])
		}
	}
	return string(out), true
}

func hex4(s []rune) (rune, bool) {
	if len(s) < 4 {
		return 0, false
	}
	var v rune
	for _, c := range s[:4] {
		switch {
		case '0' <= c && c <= '9':
			v = v<<4 | (c - '0')
		case 'a' <= c && c <= 'f':
			v = v<<4 | (c - 'a' + 10)
		case 'A' <= c && c <= 'F':
			v = v<<4 | (c - 'A' + 10)
		default:
			return 0, false
		}
	}
	return v, true
}
