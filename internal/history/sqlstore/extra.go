package sqlstore

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/towpath-cdc/towpath/internal/binlog"
	"github.com/towpath-cdc/towpath/internal/history"
)

// maxExtra is how much the column extra holds, in bytes: that of MySQL's text.
const maxExtra = 1<<16 - 1

// canalLoaded is all that Canal writes into extra: that a definition was read from
// the source (TableMetaCache).
const canalLoaded = "first"

// extraVersion is the value of the key "towpath", by which our extra is known.
const extraVersion = 1

// header is how each extra of ours begins.
type header struct {
	Version int  `json:"towpath"`
	Long    bool `json:"long,omitempty"` // this is in towpath_history_state
}

// changeExtra is the extra of a change.
type changeExtra struct {
	header
	Loaded   bool   `json:"first,omitempty"`
	Origin   string `json:"origin,omitempty"`
	GTID     string `json:"gtid,omitempty"`
	SQLMode  uint64 `json:"sqlMode,omitempty"`
	Charset  string `json:"charset,omitempty"`
	File     string `json:"file,omitempty"`     // when the column has the end of it only
	SQL      []byte `json:"sql,omitempty"`      // when the column has not all of it
	ServerID *int64 `json:"serverId,omitempty"` // when the column is NULL
}

// snapshotExtra is the extra of a snapshot. Of an initial one the columns are
// Canal's, and the place is here.
type snapshotExtra struct {
	header
	Origin    string `json:"origin,omitempty"`
	GTIDSet   string `json:"gtidSet,omitempty"`
	File      string `json:"file,omitempty"`
	Offset    int64  `json:"offset,omitempty"`
	Timestamp int64  `json:"timestamp,omitempty"`
	ServerID  *int64 `json:"serverId,omitempty"`
	Extra     []byte `json:"extra,omitempty"`
}

// encodeExtra is the text for the column and, when this does not hold it, the
// text for towpath_history_state.
func encodeExtra(v any, loaded bool) (column string, long []byte, err error) {
	text, err := json.Marshal(v)
	if err != nil {
		return "", nil, err
	}
	if len(text) <= maxExtra {
		return string(text), nil, nil
	}
	short, err := json.Marshal(changeExtra{header: header{Version: extraVersion, Long: true}, Loaded: loaded})
	return string(short), text, err
}

// isOurs says whether an extra is not one of Canal's.
func isOurs(extra string) bool { return strings.HasPrefix(extra, `{"towpath":`) }

// decodeExtra reads an extra of ours into v. One of anybody else says nothing.
func decodeExtra(extra string, v any) error {
	if !isOurs(extra) {
		return nil
	}
	if err := json.Unmarshal([]byte(extra), v); err != nil {
		return fmt.Errorf("column extra: %w", err)
	}
	return nil
}

// extraOf is what Canal's columns of a change do not say.
func extraOf(c history.Change) changeExtra {
	return changeExtra{header: header{Version: extraVersion}, Loaded: c.Loaded, Origin: c.At.Origin, GTID: c.GTID, SQLMode: c.SQLMode, Charset: c.Charset}
}

// isPlain says whether Canal's columns, or "first", say all.
func (x changeExtra) isPlain() bool {
	return x.Origin == "" && x.GTID == "" && x.SQLMode == 0 && x.Charset == "" && x.File == "" && x.SQL == nil && x.ServerID == nil
}

// place is where a snapshot is, by its extra, on top of what the columns say.
func (x snapshotExtra) place(columns binlog.Position) history.Place {
	p := history.Place{Position: columns, Origin: x.Origin}
	p.GTIDSet = x.GTIDSet
	if x.File != "" {
		p.File = x.File
	}
	if x.ServerID != nil {
		p.ServerID = *x.ServerID
	}
	return p
}
