package inspect

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/towpath-cdc/towpath/internal/control"
)

func TestDecode(t *testing.T) {
	for name, c := range map[string]struct {
		params string
		want   control.SeekParams
		bad    bool
	}{
		"nothing":            {"", control.SeekParams{}, false},
		"null":               {"null", control.SeekParams{}, false},
		"blanks around":      {" {\"destination\":\"d\", \"end\":true}\n", control.SeekParams{Destination: "d", End: true}, false},
		"unknown field":      {`{"destination":"d","ent":true}`, control.SeekParams{}, true},
		"something follows":  {`{"destination":"d"} {}`, control.SeekParams{}, true},
		"a bracket follows":  {`{"destination":"d"}]`, control.SeekParams{}, true},
		"wrong type":         {`{"offset":"4"}`, control.SeekParams{}, true},
		"not JSON":           {`{destination`, control.SeekParams{}, true},
		"not an object":      {`[1]`, control.SeekParams{}, true},
		"too large a number": {`{"offset":99999999999999999999}`, control.SeekParams{}, true},
	} {
		_, err := answer(json.RawMessage(c.params), func(p control.SeekParams) (any, error) {
			if p != c.want {
				t.Errorf("%s: got %+v", name, p)
			}
			return nil, nil
		})
		if e, ok := errors.AsType[*control.Error](err); ok != c.bad || ok && e.Code != control.CodeBadParams {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNames(t *testing.T) {
	for name, ok := range map[string]bool{
		"example": true, "mysql-bin.000001": true, "数据": true, "a b": true,
		"": false, ".": false, "..": false, "a/b": false, `a\b`: false, "a\x00": false, "a\n": false, strings.Repeat("x", 256): false,
	} {
		if got := isName(name); got != ok {
			t.Errorf("%q: %v", name, got)
		}
		if err := wantDestination(name); (err == nil) != ok {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestTarget(t *testing.T) {
	for name, c := range map[string]struct {
		p  control.SeekParams
		ok bool
	}{
		"file":            {control.SeekParams{File: "b.1"}, true},
		"file and offset": {control.SeekParams{File: "b.1", Offset: 4, ClientID: 1001}, true},
		"time":            {control.SeekParams{TimestampMs: 1}, true},
		"set":             {control.SeekParams{GTIDSet: "x"}, true},
		"end":             {control.SeekParams{End: true}, true},
		"nothing":         {control.SeekParams{}, false},
		"two":             {control.SeekParams{End: true, TimestampMs: 1}, false},
		"lone offset":     {control.SeekParams{Offset: 4, End: true}, false},
		"path":            {control.SeekParams{File: "../b.1"}, false},
		"before the file": {control.SeekParams{File: "b.1", Offset: -1}, false},
		"before 1970":     {control.SeekParams{TimestampMs: -1}, false},
		"blank set":       {control.SeekParams{GTIDSet: " "}, false},
		"huge set":        {control.SeekParams{GTIDSet: strings.Repeat("x", maxSet+1)}, false},
		"client":          {control.SeekParams{End: true, ClientID: math.MaxInt16 + 1}, false},
		"no client":       {control.SeekParams{End: true, ClientID: -1}, false},
	} {
		if _, err := target(c.p); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzParams feeds every method with parameters. Nothing of the server is there, so
// whatever comes out is an error that names what is wrong with them, or that.
func FuzzParams(f *testing.F) {
	for _, p := range []string{"", "null", `{"destination":"d"}`, `{"destination":"../d","schema":"a","table":"b"}`, `{"destination":"d","file":"x","offset":-1}`} {
		for n := range methods {
			f.Add(n, []byte(p))
		}
	}
	i := stopped(f)
	f.Fuzz(func(t *testing.T, n int, params []byte) {
		method := methods[uint(n)%uint(len(methods))]
		result, err := i.Call(t.Context(), method, params)
		e, ok := errors.AsType[*control.Error](err)
		switch {
		case err != nil && !ok:
			t.Errorf("%s(%q): %v is not for the client", method, params, err)
		case ok && (e.Code == "" || e.Message == ""):
			t.Errorf("%s(%q): %+v says nothing", method, params, e)
		case err == nil:
			if _, err := json.Marshal(result); err != nil {
				t.Errorf("%s(%q): %v", method, params, err)
			}
		}
	})
}

var methods = []string{control.MethodReport, control.MethodConfig, control.MethodCheck, control.MethodSeekPreview, control.MethodSeek, control.MethodTables, "nosuch"}
