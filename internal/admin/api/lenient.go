package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// The fields of Canal's requests are read as leniently as Jackson reads them:
// numbers may be quoted, "" is a number that is not there, and texts may be
// numbers. Each is nil when it is null or absent.

// long is a Java Long.
type long struct{ v *int64 }

// integer is a Java Integer.
type integer struct{ v *int32 }

// words is a Java String.
type words struct{ v *string }

// UnmarshalJSON implements json.Unmarshaler.
func (l *long) UnmarshalJSON(data []byte) error {
	v, err := lenientNumber(data, math.MinInt64, math.MaxInt64)
	l.v = v
	return err
}

// UnmarshalJSON implements json.Unmarshaler.
func (i *integer) UnmarshalJSON(data []byte) error {
	v, err := lenientNumber(data, math.MinInt32, math.MaxInt32)
	i.v = nil
	if v != nil {
		narrow := int32(*v)
		i.v = &narrow
	}
	return err
}

// UnmarshalJSON implements json.Unmarshaler.
func (s *words) UnmarshalJSON(data []byte) error {
	var v string
	switch data[0] {
	case 'n':
		s.v = nil
		return nil
	case '"':
		if err := json.Unmarshal(data, &v); err != nil {
			return err
		}
	case '{', '[':
		return fmt.Errorf("a text is needed where %s stands", shortened(data))
	default: // a number or a boolean
		v = string(data)
	}
	s.v = &v
	return nil
}

// orEmpty is the text, or "" when it is null.
func (s words) orEmpty() string {
	if s.v == nil {
		return ""
	}
	return *s.v
}

func (long) jsonSchema() schema    { return numberSchema("int64") }
func (integer) jsonSchema() schema { return numberSchema("int32") }
func (words) jsonSchema() schema   { return schema{"type": []string{"string", "null"}} }

func numberSchema(format string) schema {
	return schema{"anyOf": []schema{{"type": "integer", "format": format}, {"type": "null"}, {"const": ""}}}
}

func lenientNumber(data []byte, least, most int64) (*int64, error) {
	if bytes.Equal(data, []byte("null")) {
		return nil, nil
	}
	digits := string(data)
	if data[0] == '"' {
		if err := json.Unmarshal(data, &digits); err != nil {
			return nil, err
		}
		if digits = strings.TrimSpace(digits); digits == "" {
			return nil, nil
		}
	}
	v, err := strconv.ParseInt(digits, 10, 64)
	if err != nil && data[0] != '"' {
		v, err = whole(digits)
	}
	if err != nil || v < least || v > most {
		return nil, fmt.Errorf("a whole number from %d to %d is needed where %s stands", least, most, shortened(data))
	}
	return &v, nil
}

// whole cuts a JSON number to a whole one, as Jackson does.
func whole(digits string) (int64, error) {
	f, err := strconv.ParseFloat(digits, 64)
	if err != nil {
		return 0, err
	}
	if f = math.Trunc(f); math.Abs(f) >= 1<<63 {
		return 0, strconv.ErrRange
	}
	return int64(f), nil
}

func shortened(data []byte) string {
	const most = 40
	if len(data) > most {
		return string(data[:most]) + "…"
	}
	return string(data)
}
