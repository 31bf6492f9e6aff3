// Package document puts what a benchmark found into a document.
package document

import (
	"bytes"
	"fmt"
	"os"
	"slices"
)

// Replace puts text between the markers of a part of a file, which are the lines
// "<!-- PART: begin -->" and "<!-- PART: end -->". It is an error when they are
// not there.
func Replace(file, part, text string) error {
	doc, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	begin, end := []byte("<!-- "+part+": begin -->\n"), []byte("<!-- "+part+": end -->")
	i, j := bytes.Index(doc, begin), bytes.Index(doc, end)
	if i < 0 || j < i {
		return fmt.Errorf("%s has no %s markers", file, part)
	}
	return os.WriteFile(file, slices.Concat(doc[:i+len(begin)], []byte(text), doc[j:]), 0o644)
}
