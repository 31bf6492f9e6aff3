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
