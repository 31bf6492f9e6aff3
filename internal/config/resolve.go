package config

import (
	"errors"
	"fmt"
	"strings"
)

// sources are the places a value can come from, without the rules of who wins.
type sources struct {
	overrides map[string]string // -D
	environ   map[string]string
}

// launcher looks a key up as Canal's CanalController does: the first place
// where the key exists wins, even when it is empty there; the value is trimmed
// and nothing in it is expanded. found is false when no place has the key.
func (s sources) launcher(main *Properties, key string) (value string, src Source, found bool) {
	if v, ok := s.overrides[key]; ok {
		return trim(v), Source{Kind: sourceOverride}, true
	}
	if v, ok := s.environ[key]; ok {
		return trim(v), Source{Kind: sourceEnviron}, true
	}
	if e, ok := main.Get(key); ok {
		return trim(e.Value), main.place(e), true
	}
	return "", Source{Kind: sourceDefault}, false
}

// placeholders looks instance keys up as Canal's PropertyPlaceholderConfigurer
// does for one destination.
type placeholders struct {
	sources
	destination string
	instance    *Properties // may be nil
	global      *Properties // conf/canal.properties, whatever the main file is; may be nil

	// Of a managed server, nil otherwise: the values of the server, and the
	// instance's text from the admin. What they have comes before the files
	// (PlainCanalInstanceGenerator), the server's values first.
	server, remote *Properties

	secretNames map[string]bool // what secrets refer to; nil before it is asked for
}

// isSecret says whether the value of key is a secret, here.
func (p *placeholders) isSecret(key string) bool {
	if p.secretNames == nil {
		var all [][2]string
		for _, text := range []*Properties{p.server, p.remote, p.instance, p.global} {
			for _, e := range text.Entries() {
				all = append(all, [2]string{e.Key, e.Value})
			}
		}
		p.secretNames = SecretNames(all)
	}
	return p.secretNames[key] || IsSecret(key)
}

// raw is the winning value of key before expansion: the first of -D,
// environment, texts of the admin and files that is not blank. A key present in
// instance.properties hides the one in canal.properties even when it is blank, and
// so does a key of a managed server hide that of the instance's text.
func (p *placeholders) raw(key string) (string, Source) {
	if key == destinationKey {
		return p.destination, Source{Kind: sourceDefault}
	}
	if v, ok := p.overrides[key]; ok {
		if trim(v) != "" {
			return trim(v), Source{Kind: sourceOverride}
		}
	} else if v := trim(p.environ[key]); v != "" {
		return v, Source{Kind: sourceEnviron}
	}
	if v, src := first(key, p.server, p.remote); v != "" {
		return v, src
	}
	return first(key, p.instance, p.global)
}

// first is the value of key in the first of files that has it.
func first(key string, files ...*Properties) (string, Source) {
	for _, f := range files {
		if e, ok := f.Get(key); ok {
			return trim(e.Value), f.place(e)
		}
	}
	return "", Source{Kind: sourceDefault}
}

// destinationKey is published by Canal while an instance is generated.
const destinationKey = "canal.instance.destination"

// expansion begins the expansion of the value of key, or of a text if key is "".
func (p *placeholders) expansion(key string) *expansion {
	return &expansion{
		lookup:   func(k string) string { v, _ := p.raw(k); return v },
		isSecret: p.isSecret,
		open:     map[string]bool{key: true},
	}
}

// reveals says whether the expanded value of key has a secret in it.
func (p *placeholders) reveals(key string) bool {
	raw, _ := p.raw(key)
	e := p.expansion(key)
	value, err := e.expand(raw)
	return p.isSecret(key) || e.secret || HasCredentials(raw) || err == nil && HasCredentials(value)
}

// value is the expanded value of key, or def when it is absent or blank.
func (p *placeholders) value(key, def string) (string, Source, error) {
	raw, src := p.raw(key)
	if raw == "" {
		raw, src = def, Source{Kind: sourceDefault}
	}
	v, err := p.expansion(key).expand(raw)
	if err != nil {
		return "", src, newValueError(p.destination, key, raw, src, err.Error())
	}
	return trim(v), src, nil
}

// Limits of one expansion, so that a hostile or mistaken file ends in an error
// instead of filling the memory or taking minutes: look-ups, nesting, bytes of
// result, bytes of all that is looked through on the way.
const (
	maxLookups   = 10_000
	maxNesting   = 100
	maxExpansion = 1 << 20
	maxExpanded  = 4 << 20
)

var (
	errExpansionCycle = errors.New("the placeholders refer to each other in a circle")
	errExpansionSize  = errors.New("the placeholders expand to an unreasonable size or depth")
)

// expansion expands ${key} and ${key:default} in one value.
type expansion struct {
	lookup   func(key string) string // "" means absent
	isSecret func(key string) bool   // nil for none
	secret   bool                    // a secret was looked up
	open     map[string]bool         // keys being expanded
	lookups  int
	depth    int
	bytes    int // that were looked through
}

// expand replaces every placeholder. Text of a placeholder is itself expanded
// first (so a default may contain one), then cut at its first ':', then looked
// up, and what is found is expanded again. An unclosed "${" stays as it is.
func (e *expansion) expand(text string) (string, error) {
	e.bytes += len(text)
	if e.depth++; e.depth > maxNesting || e.bytes > maxExpanded {
		return "", errExpansionSize
	}
	defer func() { e.depth-- }()
	var out strings.Builder
	for {
		start := strings.Index(text, "${")
		if start < 0 {
			break
		}
		end := placeholderEnd(text, start+2)
		if end < 0 {
			break
		}
		out.WriteString(text[:start])
		v, err := e.placeholder(text[start+2 : end])
		if err != nil {
			return "", err
		}
		out.WriteString(v)
		if out.Len() > maxExpansion {
			return "", errExpansionSize
		}
		text = text[end+1:]
	}
	out.WriteString(text)
	if out.Len() > maxExpansion {
		return "", errExpansionSize
	}
	return out.String(), nil
}

// placeholder resolves what stands between "${" and "}".
func (e *expansion) placeholder(text string) (string, error) {
	if e.lookups++; e.lookups > maxLookups {
		return "", errExpansionSize
	}
	text, err := e.expand(text)
	if err != nil {
		return "", err
	}
	key, def, _ := strings.Cut(text, ":")
	key = trim(key)
	e.secret = e.secret || e.isSecret != nil && e.isSecret(key)
	value := e.lookup(key)
	e.bytes += len(value)
	if value == "" {
		value = trim(def)
	}
	if !strings.Contains(value, "${") {
		return value, nil
	}
	if e.open[key] {
		return "", fmt.Errorf("${%s}: %w", key, errExpansionCycle)
	}
	e.open[key] = true
	defer delete(e.open, key)
	value, err = e.expand(value)
	return trim(value), err
}

// placeholderEnd is the index of the '}' that closes a placeholder whose text
// begins at start, counting nested braces; -1 when there is none.
func placeholderEnd(text string, start int) int {
	depth := 0
	for i := start; i < len(text); i++ {
		switch text[i] {
		case '{':
			depth++
		case '}':
			if depth == 0 {
				return i
			}
			depth--
		}
	}
	return -1
}

// trim removes what Java's String.trim removes: code points up to U+0020.
func trim(s string) string {
	return strings.TrimFunc(s, func(r rune) bool { return r <= ' ' })
}
