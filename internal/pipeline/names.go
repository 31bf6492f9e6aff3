package pipeline

import (
	"fmt"
	"strings"

	"github.com/towpath-cdc/towpath/internal/ddl"
	"github.com/towpath-cdc/towpath/internal/filter"
)

// nameFilter is the white and the black list of an instance. It is immutable.
type nameFilter struct {
	pattern      string // of white, as it was given
	white, black *filter.Regex
}

func newNameFilter(white, black string) (*nameFilter, error) {
	w, err := filter.Compile(white, true)
	if err != nil {
		return nil, fmt.Errorf("table filter %q: %w", white, err)
	}
	b, err := filter.Compile(black, false)
	if err != nil {
		return nil, fmt.Errorf("black table filter %q: %w", black, err)
	}
	return &nameFilter{white, w, b}, nil
}

// wants says whether rows of a table pass.
func (f *nameFilter) wants(schema, table string) bool {
	name := strings.ToLower(schema + "." + table)
	return f.white.Match(name) && !f.black.Match(name)
}

// wantsDDL applies the lists to a DDL. A rename passes the white list with
// either name and is black-listed only with both (LogEventConvert.processFilter).
func (f *nameFilter) wantsDDL(r *ddl.Result) bool {
	name := ddlName(r.Schema, r.Table)
	if r.Type != ddl.TypeRename {
		return f.white.Match(name) && !f.black.Match(name)
	}
	old := ddlName(r.OldSchema, r.OldTable)
	return (f.white.Match(name) || f.white.Match(old)) && !(f.black.Match(name) && f.black.Match(old))
}

// ddlName is the name a DDL is filtered by. Canal prints a missing part as null.
func ddlName(schema, table string) string {
	if schema == "" {
		schema = "null"
	}
	if table == "" {
		table = "null"
	}
	return strings.ToLower(schema + "." + table)
}
