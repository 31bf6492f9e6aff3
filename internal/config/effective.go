package config

import (
	"fmt"
	"slices"
	"strings"
)

// Value is a value that is in effect.
type Value struct {
	Key    string
	Value  string // expanded; the default where nothing is set
	Source Source
	Secret bool // never to be shown: it is a secret, or has one in it
}

// ServerText is the text that the values of the server come from: the admin's, or
// that of the main file.
func (c *Config) ServerText() (string, error) {
	if c.admin != nil {
		return c.admin.Server, nil
	}
	b, err := readBounded(c.File())
	if err != nil {
		return "", fmt.Errorf("read configuration: %w", err)
	}
	return string(b), nil
}

// InstanceText is the text that the values of an instance come from, as it is now:
// the admin's, or that of its instance.properties; "" when there is no such file.
func (c *Config) InstanceText(destination string) (string, error) {
	if err := checkDestination(destination); err != nil {
		return "", err
	}
	p, err := c.placeholders(destination)
	if err != nil {
		return "", fmt.Errorf("destination %s: %w", destination, err)
	}
	switch {
	case p.remote != nil:
		return c.admin.Instances()[destination], nil
	case p.instance == nil:
		return "", nil
	}
	b, err := readBounded(p.instance.File)
	if err != nil {
		return "", fmt.Errorf("destination %s: %w", destination, err)
	}
	return string(b), nil
}

// RemoteText is the admin's text for an instance as it is now; ok is false without
// an admin, or when that has none for it.
func (c *Config) RemoteText(destination string) (text string, ok bool) {
	if c.admin == nil {
		return "", false
	}
	text, ok = c.admin.Instances()[destination]
	return text, ok
}

// ServerValues are the values of the server, by key.
func (c *Config) ServerValues() []Value {
	var all []Value
	for _, k := range catalogue {
		if k.Scope != ScopeServer || k.Status != Works || k.isPattern() {
			continue
		}
		v, src, _ := c.sources.launcher(c.main, k.Name)
		if v == "" {
			v, src = k.Default, Source{Kind: sourceDefault}
		}
		all = append(all, Value{k.Name, v, src, k.Secret || HasCredentials(v)})
	}
	return sortValues(all)
}

// InstanceValues are the values of an instance, by key. A value that cannot be
// expanded stands as it is written.
func (c *Config) InstanceValues(destination string) ([]Value, error) {
	if err := checkDestination(destination); err != nil {
		return nil, err
	}
	p, err := c.placeholders(destination)
	if err != nil {
		return nil, fmt.Errorf("destination %s: %w", destination, err)
	}
	var all []Value
	for _, k := range catalogue {
		if k.Scope != ScopeInstance || k.Status != Works || k.isPattern() {
			continue
		}
		v, src, err := p.value(k.Name, k.Default)
		if err != nil {
			v, _ = p.raw(k.Name)
		}
		all = append(all, Value{k.Name, v, src, p.reveals(k.Name)})
	}
	for _, suffix := range []string{"mode", "lazy", "manager.address", "spring.xml"} {
		if _, known := LookupKey("canal.instance.global." + suffix); known {
			s := c.destinationValue(destination, suffix)
			all = append(all, Value{Key: s.key, Value: s.value, Source: s.src})
		}
	}
	return sortValues(all), nil
}

func sortValues(all []Value) []Value {
	slices.SortFunc(all, func(a, b Value) int { return strings.Compare(a.Key, b.Key) })
	return all
}

// MaskSecrets puts mask in the place of every secret in the text of a properties
// file, and leaves everything else as it is. A comment that looks like a setting
// is taken for one. A value that a secret refers to by ${…} is a secret too, and so
// is one with a password in it.
func MaskSecrets(text, mask string) string {
	var all [][2]string
	eachSetting(text, func(s setting) { all = append(all, [2]string{s.key, s.value}) })
	names := SecretNames(all)
	var out strings.Builder
	eachSetting(text, func(s setting) {
		if trim(s.value) == "" || !IsSecret(s.key) && !names[s.key] && !HasCredentials(s.value) {
			out.WriteString(s.raw)
			return
		}
		out.WriteString(s.head + mask)
		if strings.HasSuffix(s.raw, "\n") {
			out.WriteByte('\n')
		}
	})
	return out.String()
}

// setting is a piece of a properties file: a logical line, or anything else, which
// has no key.
type setting struct {
	raw        string // as it stands, with its line ends
	head       string // of raw, up to the value
	key, value string // without escapes
}

// eachSetting cuts a text into pieces. Together they are the text.
func eachSetting(text string, do func(setting)) {
	r := lineReader{text: decodeText([]byte(text)), line: 1}
	for r.at < len(r.text) {
		start := r.at
		logical := r.piece()
		raw := r.text[start:r.at]
		rawKey, value := splitLine(logical)
		key, ok := unescape(rawKey)
		if !ok {
			key = string(rawKey)
		}
		s := setting{raw: string(raw), key: key}
		if s.value, ok = unescape(value); !ok {
			s.value = string(value)
		}
		if n := len(logical) - len(value); n > 0 && len(raw) >= n {
			s.head = headOf(raw, logical[:n])
		}
		do(s)
	}
}

// headOf is the part of raw up to the value, where that stands in the same natural
// line; else the key with an equals sign.
func headOf(raw, head []rune) string {
	if at := strings.Index(string(raw), string(head)); at >= 0 {
		return string(raw)[:at+len(string(head))]
	}
	key, _ := splitLine(head)
	return string(key) + " = "
}

// piece takes the next line, with those it goes on in, and returns it as a logical
// line. A comment loses the marks that make it one.
func (r *lineReader) piece() []rune {
	r.skipBlank()
	for r.at < len(r.text) && (r.text[r.at] == '#' || r.text[r.at] == '!') {
		r.at++
		r.skipBlank()
		if r.at >= len(r.text) || r.text[r.at] != '#' && r.text[r.at] != '!' {
			return r.natural()
		}
	}
	logical := slices.Clone(r.natural())
	for endsInBackslash(logical) && r.at < len(r.text) {
		logical = logical[:len(logical)-1]
		r.skipBlank()
		logical = append(logical, r.natural()...)
	}
	return logical
}
