package config

import (
	"fmt"
	"strings"
)

// ValueError is a configured value that cannot be used. It names everything a
// person needs to mend it. When Destination is set, only that instance is
// affected; otherwise the server cannot start.
type ValueError struct {
	Destination string // "" for a key of the server
	Key         string
	Value       string // as found, after expansion; blanked when the key is a secret
	Source      Source
	Want        string // what would be right
}

func (e *ValueError) Error() string {
	var b strings.Builder
	if e.Destination != "" {
		fmt.Fprintf(&b, "destination %s: ", e.Destination)
	}
	fmt.Fprintf(&b, "%s = %q (%s): %s", e.Key, e.Value, e.Source, e.Want)
	return b.String()
}

// hiddenValue stands for a value that is not shown.
const hiddenValue = "***"

// newValueError builds a ValueError, hiding the value of a secret key and one with a
// password in it.
func newValueError(dest, key, value string, src Source, want string) *ValueError {
	if value != "" && (IsSecret(key) || HasCredentials(value)) {
		value = hiddenValue
	}
	return &ValueError{Destination: dest, Key: key, Value: value, Source: src, Want: want}
}

// String is the place in the form file:line, "canal-admin: text line n", "-D",
// "environment" or "default".
func (s Source) String() string {
	if s.Kind == sourceFile {
		return place(s.File, s.Line)
	}
	return s.Kind
}

// The kinds of a Source.
const (
	sourceOverride = "-D"
	sourceEnviron  = "environment"
	sourceFile     = "file"
	sourceDefault  = "default"
)
