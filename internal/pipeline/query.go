package pipeline

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"strings"

	"github.com/towpath-cdc/towpath/internal/binlog"
	"github.com/towpath-cdc/towpath/internal/charset"
	"github.com/towpath-cdc/towpath/internal/config"
	"github.com/towpath-cdc/towpath/internal/ddl"
	"github.com/towpath-cdc/towpath/internal/entry"
	"github.com/towpath-cdc/towpath/internal/schema"
	"github.com/towpath-cdc/towpath/internal/value"
)

// query scans a statement that the log carries as text.
func (s *scanner) query(ctx context.Context, h binlog.Header, body []byte) error {
	q, err := binlog.ParseQuery(body, s.flavor)
	if err != nil {
		return err
	}
	s.unknownVariable(h, &q)
	if string(q.SQL) == "BEGIN" { // as servers write it; it is the same in every charset that a client may have
		s.beginTransaction(h, q.ThreadID, nil)
		return nil
	}
	sql := s.sqlText(&q)
	switch upper := strings.ToUpper(sql[:min(len(sql), 12)]); {
	case strings.HasPrefix(upper, "XA START"):
		s.beginTransaction(h, q.ThreadID, &words{xid: after(sql, "XA START")})
	case strings.HasPrefix(upper, "XA END"):
		s.end(h, 0, &words{xid: after(sql, "XA END")})
	case strings.HasPrefix(upper, "XA COMMIT"):
		s.xa(h, entry.XACommit, sql, "XA COMMIT")
	case strings.HasPrefix(upper, "XA ROLLBACK"):
		s.xa(h, entry.XARollback, sql, "XA ROLLBACK")
	case isWord(sql, "BEGIN"):
		s.beginTransaction(h, q.ThreadID, nil)
	case isWord(sql, "COMMIT"):
		s.end(h, 0, nil)
	default:
		return s.statement(ctx, h, &q, sql)
	}
	return nil
}

// isWord says whether a statement is nothing but the given word.
func isWord(sql, word string) bool {
	return len(sql) < len(word)+8 && strings.EqualFold(strings.Trim(sql, " \t\r\n;"), word)
}

// after is what follows a keyword. Canal looks for it in upper case only.
func after(sql, keyword string) string {
	_, rest, _ := strings.Cut(sql, keyword)
	return rest
}

// xa lists an XA COMMIT or XA ROLLBACK, which stands outside of transactions.
func (s *scanner) xa(h binlog.Header, t entry.EventType, sql, keyword string) {
	s.inTransaction = false
	w := &words{xid: after(sql, keyword)}
	w.Type, w.SQL = t, sql
	s.add(task{kind: taskXA, ctx: s.context(h), words: w, boundary: s.canStartBehind()})
}

// sqlText is the text of a statement, decoded from the charset of the client
// that ran it.
func (s *scanner) sqlText(q *binlog.Query) string {
	return charset.Statement(q.SQL, q.ClientCollation, q.HasCharset)
}

// statement scans a statement that is no transaction mark: DDL, or DML in
// statement format.
func (s *scanner) statement(ctx context.Context, h binlog.Header, q *binlog.Query, sql string) error {
	o := &s.d.p.o.Instance
	current := string(charset.UTF8.Append(nil, q.Schema))
	results := ddl.Classify(sql, current, ddlMode(o))
	isDML := len(results) > 0 && isDML(results[0].Type)
	if !isDML {
		st := schema.Statement{Position: s.position(h), GTID: s.gtid.text(), Schema: current, SQL: sql, SQLMode: q.SQLMode}
		if err := s.tables.apply(ctx, st); err != nil {
			return err
		}
	}
	if o.FilterQueryDDL || !s.wantsAny(o, results) {
		s.boundaryOutside(h)
		return nil
	}
	r := &results[0]
	w := &words{}
	w.Statement = entry.Statement{Type: entry.EventType(r.Type), Schema: r.Schema, Table: r.Table,
		NoSchema: r.Schema == "", NoTable: r.Table == "", SQL: sql, CurrentSchema: current}
	s.add(task{kind: taskStatement, ctx: s.context(h), words: w, boundary: s.canStartBehind()})
	return nil
}

// boundaryOutside notes a boundary behind a statement that makes no entry,
// unless it stands inside a transaction.
func (s *scanner) boundaryOutside(h binlog.Header) {
	if !s.inTransaction {
		s.boundary(h)
	}
}

func ddlMode(o *config.Instance) ddl.Mode {
	if o.DruidDDL {
		return ddl.Druid
	}
	return ddl.Regex
}

func isDML(t ddl.Type) bool { return t == ddl.TypeInsert || t == ddl.TypeUpdate || t == ddl.TypeDelete }

// wantsAny says whether at least one result of a statement passes the filters
// (LogEventConvert.processFilter).
func (s *scanner) wantsAny(o *config.Instance, results []ddl.Result) bool {
	names := s.d.p.names.Load()
	for i := range results {
		r := &results[i]
		switch {
		case isDML(r.Type):
			if !o.FilterQueryDML {
				return true
			}
		case r.Type == ddl.TypeQuery:
			if !o.FilterQueryDCL {
				return true
			}
		case names.wantsDDL(r):
			return true
		}
	}
	return false
}

// abbreviate cuts a statement for a log line.
func abbreviate(sql string) string {
	const most = 200
	if len(sql) <= most {
		return sql
	}
	return strings.ToValidUTF8(sql[:most], "") + "…"
}

// text scans an event that becomes the text of a statement.
func (s *scanner) text(h binlog.Header, body []byte) error {
	w := &words{}
	switch h.Type {
	case binlog.EventRowsQuery:
		q, err := binlog.ParseRowsQuery(body)
		if err != nil {
			return err
		}
		w.SQL = s.tables.text(q)
		w.Table, w.NoTable = s.commentedTable(w.SQL)
	case binlog.EventMariaAnnotateRows:
		q, err := binlog.ParseAnnotateRows(body)
		if err != nil {
			return err
		}
		w.SQL = s.tables.text(q)
	case binlog.EventIntvar:
		_, v, err := binlog.ParseIntvar(body)
		if err != nil {
			return err
		}
		w.SQL = fmt.Sprintf("SET INSERT_ID = %d", int64(v))
	case binlog.EventRand:
		a, b, err := binlog.ParseRand(body)
		if err != nil {
			return err
		}
		w.SQL = fmt.Sprintf("SET SESSION rand_seed1 = %d , rand_seed2 = %d", int64(a), int64(b))
	case binlog.EventUserVar:
		v, err := binlog.ParseUserVar(body)
		if err != nil {
			return err
		}
		text, err := userVariable(&v)
		if err != nil {
			return err
		}
		w.SQL = text
	}
	c := s.context(h)
	if h.Type == binlog.EventIntvar && c.GTID != nil {
		// Canal attaches no GTID to this one event.
		c.GTID = nil
	}
	s.add(task{kind: taskText, ctx: c, words: w})
	return nil
}

// commentedTable is the table that the statement before rows names, as far as
// Canal says it.
func (s *scanner) commentedTable(sql string) (table string, none bool) {
	if !s.d.p.o.Instance.DruidDDL {
		return "", true
	}
	results := ddl.Classify(sql, "", ddl.Druid)
	if len(results) == 0 || results[0].Table == "" {
		return "", true
	}
	return results[0].Table, false
}

// Types of a user variable: MySQL's Item_result.
const (
	userVarString  = 0
	userVarReal    = 1
	userVarInt     = 2
	userVarDecimal = 4
)

// userVariable is the statement that sets a user variable (Canal's
// UserVarLogEvent.getQuery).
func userVariable(v *binlog.UserVar) (string, error) {
	b := append([]byte("SET @"), charset.UTF8.Append(nil, v.Name)...)
	b = append(b, " := "...)
	if v.Null {
		return string(append(b, "NULL"...)), nil
	}
	switch v.Type {
	case userVarReal, userVarInt:
		if len(v.Value) != 8 {
			return "", fmt.Errorf("user variable with a number of %d bytes", len(v.Value))
		}
		n := binary.LittleEndian.Uint64(v.Value)
		switch {
		case v.Type == userVarReal:
			b = value.AppendFloat64(b, math.Float64frombits(n))
		case v.Unsigned:
			b = value.AppendUint(b, n)
		default:
			b = value.AppendInt(b, int64(n))
		}
	case userVarDecimal:
		if len(v.Value) < 2 {
			return "", fmt.Errorf("user variable with a decimal of %d bytes", len(v.Value))
		}
		precision, scale := int(v.Value[0]), int(v.Value[1])
		var err error
		if b, err = value.AppendDecimal(b, v.Value[2:], precision, scale); err != nil {
			return "", err
		}
	case userVarString:
		cs, _ := charset.ByCollation(uint16(v.Collation))
		b = append(b, '\'')
		b = cs.Append(b, v.Value)
		b = append(b, '\'')
	default:
		return "", fmt.Errorf("user variable of unknown type %d", v.Type)
	}
	return string(b), nil
}
