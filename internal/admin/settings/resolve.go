package settings

import (
	"errors"
	"fmt"
	"strings"
)

// Bounds of placeholders.
const (
	maxNesting = 16
	maxValue   = 64 << 10 // bytes of a resolved value
)

// values are all sources of values.
type values struct {
	defines     map[string]string // by canonical key
	environment map[string]string // by name
	dotted      map[string]string // variables with a dot in their name, by canonical key
	file        map[string]string // by canonical key
	used        map[string]bool   // canonical keys that placeholders refer to
}

func newValues(defines map[string]string, environ []string, file []pair) *values {
	v := &values{defines: map[string]string{}, environment: map[string]string{}, dotted: map[string]string{}, file: map[string]string{}, used: map[string]bool{}}
	for key, value := range defines {
		v.defines[canonical(key)] = value
	}
	for _, e := range environ {
		name, value, _ := strings.Cut(e, "=")
		v.environment[name] = value
		if strings.Contains(name, ".") {
			v.dotted[canonical(name)] = value
		}
	}
	for _, p := range file {
		v.file[canonical(p.key)] = p.value
	}
	return v
}

// raw finds the value of a key as it is written.
func (v *values) raw(key string) (value string, found bool) {
	if value, found = v.outside(key); found {
		return value, true
	}
	value, found = v.file[canonical(key)]
	return value, found
}

// outside finds the value that a definition or the environment gives a key.
func (v *values) outside(key string) (value string, found bool) {
	c := canonical(key)
	if value, found = v.defines[c]; found {
		return value, true
	}
	if value, found = v.environment[key]; found {
		return value, true
	}
	if value, found = v.dotted[c]; found {
		return value, true
	}
	for _, name := range environmentNames(key) {
		if value, found = v.environment[name]; found {
			return value, true
		}
	}
	return "", false
}

// get is the value of a key with its placeholders replaced, without space around
// it; found is false when no source has it.
func (v *values) get(key string) (value string, found bool, err error) {
	value, found = v.raw(key)
	if !found {
		return "", false, nil
	}
	value, err = v.expand(value, []string{canonical(key)})
	if err != nil {
		return "", true, fmt.Errorf("%s: %w", key, err)
	}
	return strings.TrimSpace(value), true, nil
}

// expand replaces the placeholders of a text. within are the keys whose values lead
// here. Errors name keys, never values.
func (v *values) expand(text string, within []string) (string, error) {
	if len(within) > maxNesting {
		return "", fmt.Errorf("placeholders are nested more than %d times", maxNesting)
	}
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(text, "${")
		out.WriteString(before)
		if out.Len() > maxValue {
			return "", fmt.Errorf("the value has more than %d bytes", maxValue)
		}
		if !found {
			return out.String(), nil
		}
		end := closing(rest)
		if end < 0 { // as in Spring: no placeholder
			out.WriteString("${")
			text = rest
			continue
		}
		value, err := v.placeholder(rest[:end], within)
		if err != nil {
			return "", err
		}
		out.WriteString(value)
		text = rest[end+1:]
	}
}

// closing is where the brace is that ends a placeholder whose inside begins text.
func closing(text string) int {
	depth := 1
	for i := range len(text) {
		switch text[i] {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

// placeholder is the value of what stands between ${ and }.
func (v *values) placeholder(inside string, within []string) (string, error) {
	inside, err := v.expandKey(inside, within)
	if err != nil {
		return "", err
	}
	if value, found := v.raw(inside); found { // a key may have a colon
		return v.refer(inside, value, within)
	}
	key, fallback, hasDefault := strings.Cut(inside, ":")
	if value, found := v.raw(key); found {
		return v.refer(key, value, within)
	}
	if hasDefault {
		return v.expand(fallback, append(within, ""))
	}
	return "", fmt.Errorf("nothing has the value of the placeholder ${%s}", key)
}

// expandKey replaces placeholders in the key of a placeholder; those in its default
// wait until it is needed.
func (v *values) expandKey(inside string, within []string) (string, error) {
	key, fallback, hasDefault := strings.Cut(inside, ":")
	if !strings.Contains(key, "${") {
		return inside, nil
	}
	if hasDefault && closing(key[strings.Index(key, "${")+2:]) < 0 {
		return "", errors.New("a placeholder within the name of another has a default, which is not supported")
	}
	key, err := v.expand(key, append(within, ""))
	if hasDefault {
		key += ":" + fallback
	}
	return key, err
}

func (v *values) refer(key, value string, within []string) (string, error) {
	c := canonical(key)
	v.used[c] = true
	for _, w := range within {
		if w == c {
			return "", fmt.Errorf("the placeholder ${%s} leads to itself", key)
		}
	}
	return v.expand(value, append(within[:len(within):len(within)], c))
}
