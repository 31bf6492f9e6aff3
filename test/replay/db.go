package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/go-mysql-org/go-mysql/client"
	"github.com/go-mysql-org/go-mysql/mysql"

	"github.com/towpath-cdc/towpath/test/servers"
)

// sessionSetting is what all sessions have in common, on the source and on the
// target: values that no strict server would take, and 0 as the number of a row.
var sessionSetting = []string{"SET NAMES utf8mb4", "SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO'", "SET SESSION time_zone = '+00:00'"}

// session is a connection that keeps its state from statement to statement.
type session struct{ c *client.Conn }

// connect opens a session. Its user closes it.
func connect(ctx context.Context, s *servers.Server, more ...string) (*session, error) {
	c, err := s.Connect(ctx)
	if err != nil {
		return nil, err
	}
	d := &session{c}
	for _, q := range append(sessionSetting[:len(sessionSetting):len(sessionSetting)], more...) {
		if _, err := d.exec(q); err != nil {
			return nil, errors.Join(err, c.Close())
		}
	}
	return d, nil
}

func (d *session) close() { _ = d.c.Close() } // nothing is under way

// exec runs a statement and says how many rows it has changed.
func (d *session) exec(q string) (affected uint64, err error) {
	r, err := d.c.Execute(q)
	if err != nil {
		return 0, fmt.Errorf("%.300q: %w", q, err)
	}
	defer r.Close()
	return r.AffectedRows, nil
}

// null is NULL in what query returns. No value is spelled so.
const null = "\x00NULL"

// query returns the rows of a statement as text.
func (d *session) query(q string) (rows [][]string, err error) {
	r, err := d.c.Execute(q)
	if err != nil {
		return nil, fmt.Errorf("%.300q: %w", q, err)
	}
	defer r.Close()
	for i := range r.RowNumber() {
		row := make([]string, r.ColumnNumber())
		for j := range row {
			v, err := r.GetString(i, j)
			if err != nil {
				return nil, err
			}
			if isNull, _ := r.IsNull(i, j); isNull {
				v = null
			}
			row[j] = strings.Clone(v) // the result's memory is used again
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// isError says whether a server has refused something with one of these codes.
func isError(err error, codes ...uint16) bool {
	var refused *mysql.MyError
	if !errors.As(err, &refused) {
		return false
	}
	for _, c := range codes {
		if refused.Code == c {
			return true
		}
	}
	return false
}

// quote is a name as SQL.
func quote(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }

// literal is a text as SQL.
func literal(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}
