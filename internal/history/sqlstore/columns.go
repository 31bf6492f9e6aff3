package sqlstore

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Widths of columns, in characters.
const (
	fileWidth = 64
	nameWidth = 1024
	typeWidth = 256
)

// fit makes a text one that a column of n characters can have: without what is not
// UTF-8, in a column that is not wide without characters beyond U+FFFF, and cut at
// its end.
func (s *Store) fit(text string, n int) string {
	text = s.storable(text)
	for i := range text {
		if n--; n < 0 {
			return text[:i]
		}
	}
	return text
}

// storable is a text without what a column cannot have, with U+FFFD instead.
func (s *Store) storable(text string) string {
	text = strings.ToValidUTF8(text, "\ufffd")
	if s.wide || strings.IndexFunc(text, beyond) < 0 {
		return text
	}
	return strings.Map(func(r rune) rune {
		if beyond(r) {
			return utf8.RuneError
		}
		return r
	}, text)
}

func beyond(r rune) bool { return r > 0xffff }

// fitFile keeps the end of the name of a file, where its number is.
func (s *Store) fitFile(file string) string {
	file = s.storable(file)
	for n := utf8.RuneCountInString(file); n > fileWidth; n-- {
		_, size := utf8.DecodeRuneInString(file)
		file = file[size:]
	}
	return file
}

// decimal is what Canal writes in binlog_master_id.
func decimal(serverID int64) string { return strconv.FormatInt(serverID, 10) }

// parseServerID reads that. What is no number is 0, which is unknown: Canal writes
// "null" for a position without a server.
func parseServerID(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// encodeSchemas is the column data: a JSON object of schemas as Canal writes it, in
// one order, and with characters beyond U+FFFF escaped for columns that cannot have
// them.
func encodeSchemas(schemas map[string]string) (string, error) {
	if schemas == nil {
		return "{}", nil
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(schemas); err != nil {
		return "", err
	}
	text := strings.TrimSuffix(b.String(), "\n")
	if strings.IndexFunc(text, beyond) < 0 {
		return text, nil
	}
	var out strings.Builder
	for _, r := range text {
		if beyond(r) {
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&out, `\u%04x\u%04x`, high, low)
		} else {
			out.WriteRune(r)
		}
	}
	return out.String(), nil
}

// decodeSchemas reads the column data. Canal has a schema that was the current one
// of its statement in backquotes, and may have it without them as well: the texts
// then belong together, in the order in which they are there.
func decodeSchemas(data string) (map[string]string, error) {
	d := json.NewDecoder(strings.NewReader(data))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, errors.Join(errors.New("column data: want a JSON object"), err)
	}
	schemas := map[string]string{}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, fmt.Errorf("column data: %w", err)
		}
		name, _ := key.(string)
		var text string
		if err := d.Decode(&text); err != nil {
			return nil, fmt.Errorf("column data: statements of schema %s: %w", name, err)
		}
		schemas[bare(name)] += text
	}
	if _, err := d.Token(); err != nil {
		return nil, fmt.Errorf("column data: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("column data: there is more than one JSON object")
	}
	return schemas, nil
}

// bare is a name without the backquotes around it.
func bare(name string) string {
	if n := len(name); n > 2 && name[0] == '`' && name[n-1] == '`' {
		return name[1 : n-1]
	}
	return name
}
