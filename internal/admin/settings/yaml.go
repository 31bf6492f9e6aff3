package settings

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Bounds of a file. What is beyond is refused.
const (
	maxFile  = 1 << 20 // bytes
	maxNodes = 20_000  // keys and values, each alias counted with all it stands for
	maxDepth = 50
)

// pair is a key of the file, joined by dots, and its text.
type pair struct {
	key, value string
	line       int
}

// flatten reads the documents of a YAML file into pairs; of equal keys the last
// counts. A list becomes its elements, separated by commas.
func flatten(text []byte) (pairs []pair, findings []string, err error) {
	if len(text) > maxFile {
		return nil, nil, fmt.Errorf("the file has %d bytes, more than %d", len(text), maxFile)
	}
	d := yaml.NewDecoder(bytes.NewReader(text))
	f := flattener{left: maxNodes}
	for {
		var document yaml.Node
		err := d.Decode(&document)
		if errors.Is(err, io.EOF) {
			return f.pairs, f.findings, nil
		}
		if err != nil {
			return nil, nil, errors.New(strings.TrimPrefix(withoutText(err), "yaml: "))
		}
		if err := f.document(&document); err != nil {
			return nil, nil, err
		}
	}
}

// withoutText is the error without what it quotes from the file, which may be a
// password.
func withoutText(err error) string {
	text, _, _ := strings.Cut(err.Error(), "`")
	text, _, _ = strings.Cut(text, "'")
	text, _, _ = strings.Cut(text, `"`)
	return strings.TrimSpace(text)
}

type flattener struct {
	pairs    []pair
	findings []string
	left     int // nodes that may still come
}

// document takes one document. One that Spring would read in some profile only is
// left out.
func (f *flattener) document(n *yaml.Node) error {
	before := len(f.pairs)
	for _, child := range n.Content {
		if err := f.node("", child, 0); err != nil {
			return err
		}
	}
	for _, p := range f.pairs[before:] {
		switch canonical(p.key) {
		case canonical("spring.profiles"), canonical("spring.config.activate.on-profile"):
			f.findings = append(f.findings, fmt.Sprintf("line %d: a document for a profile is left out: there are no profiles here", p.line))
			f.pairs = f.pairs[:before]
			return nil
		}
	}
	return nil
}

func (f *flattener) node(key string, n *yaml.Node, depth int) error {
	if f.left--; f.left < 0 || depth > maxDepth {
		return fmt.Errorf("line %d: the file is too large, or nested too deeply", n.Line)
	}
	switch n.Kind {
	case yaml.AliasNode:
		return f.node(key, n.Alias, depth+1)
	case yaml.MappingNode:
		return f.mapping(key, n, depth)
	case yaml.SequenceNode:
		return f.sequence(key, n, depth)
	}
	if key == "" {
		if n.Tag == "!!null" {
			return nil // an empty file
		}
		return fmt.Errorf("line %d: want keys with values", n.Line)
	}
	value := n.Value
	if n.Tag == "!!null" {
		value = ""
	}
	f.pairs = append(f.pairs, pair{key, value, n.Line})
	return nil
}

func (f *flattener) mapping(key string, n *yaml.Node, depth int) error {
	for i := 0; i+1 < len(n.Content); i += 2 {
		name, value := n.Content[i], n.Content[i+1]
		if name.Kind != yaml.ScalarNode {
			return fmt.Errorf("line %d: a key is no text", name.Line)
		}
		inner := name.Value
		switch {
		case name.Tag == "!!merge":
			inner = key
		case key != "":
			inner = key + "." + inner
		}
		if err := f.node(inner, value, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (f *flattener) sequence(key string, n *yaml.Node, depth int) error {
	var elements []string
	for _, e := range n.Content {
		if e.Kind != yaml.ScalarNode {
			return fmt.Errorf("line %d: lists may have texts only", e.Line)
		}
		if f.left--; f.left < 0 {
			return fmt.Errorf("line %d: the file is too large", e.Line)
		}
		elements = append(elements, e.Value)
	}
	if key == "" {
		return fmt.Errorf("line %d: want keys with values", n.Line)
	}
	f.pairs = append(f.pairs, pair{key, strings.Join(elements, ","), n.Line})
	return nil
}
