package inspect

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/towpath-cdc/towpath/internal/control"
)

// answer reads the parameters of a request and calls do with them.
func answer[P any](params json.RawMessage, do func(P) (any, error)) (any, error) {
	var p P
	if err := decode(params, &p); err != nil {
		return nil, badParams("the parameters cannot be read: %v", err)
	}
	return do(p)
}

// decode reads one JSON value, strictly: what is misspelt must not count as left
// out. Nothing at all, and null, are the zero value.
func decode(params json.RawMessage, to any) error {
	if len(bytes.TrimSpace(params)) == 0 {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(params))
	d.DisallowUnknownFields()
	if err := d.Decode(to); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows them")
	}
	return nil
}

func badParams(format string, args ...any) *control.Error {
	return &control.Error{Code: control.CodeBadParams, Message: fmt.Sprintf(format, args...)}
}

// maxName bounds the names in requests, in bytes: that of a file in file systems.
const maxName = 255

// wantDestination refuses what cannot be the name of a destination. The result is
// an error, not a *control.Error, so that nil stays nil.
func wantDestination(name string) error {
	switch {
	case name == "":
		return badParams("destination is missing")
	case !isName(name):
		return badParams("%.100q cannot be a destination: want the name of a folder", name)
	}
	return nil
}

// isName says whether a text can be the name of a file in a folder.
func isName(s string) bool {
	return s != "" && len(s) <= maxName && s != "." && s != ".." && !strings.ContainsAny(s, "/\\") &&
		!strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
}
