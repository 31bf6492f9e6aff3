package database

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/towpath-cdc/towpath/internal/sqldb"
)

// Limits of what a call returns.
const (
	auditDefault = 100
	auditMost    = 1000
	// maxDetail is how much of a detail or a comment is kept, in bytes.
	maxDetail = 4096
)

// audit writes down what the transaction has done.
func (t *tx) audit(action, kind string, id int64, target, detail string) error {
	return t.record(AuditRecord{Action: action, Kind: kind, TargetID: id, Target: target, OK: true, Detail: detail})
}

func (t *tx) record(r AuditRecord) error {
	return t.exec("INSERT INTO towpath_audit (at_ms, username, address, action, kind, target_id, target, ok, detail) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
		millis(t.now), cut(t.by.Username, maxName), cut(t.by.Address, maxName), cut(r.Action, 64), cut(r.Kind, 32), r.TargetID, cut(r.Target, maxName), r.OK, cut(r.Detail, maxDetail))
}

// cut shortens foreign text to n bytes, without what is not UTF-8, so that writing
// something down never fails for what it says.
func cut(s string, n int) string {
	return strings.ToValidUTF8(s[:min(len(s), n)], "")
}

// Audit writes down what was done elsewhere, or was refused. ID, At, Username and
// Address of r are not used.
func (db *DB) Audit(ctx context.Context, by Actor, r AuditRecord) error {
	if err := db.write(ctx, by, func(t *tx) error { return t.record(r) }); err != nil {
		return fmt.Errorf("audit %s: %w", r.Action, err)
	}
	return nil
}

// AuditTrail returns the records that a query selects, newest first.
func (db *DB) AuditTrail(ctx context.Context, q AuditQuery) ([]AuditRecord, error) {
	where, args := q.where()
	limit := q.Limit
	if limit <= 0 {
		limit = auditDefault
	}
	args = append(args, min(limit, auditMost))
	var all []AuditRecord
	err := db.read(ctx, func(ctx context.Context) (err error) {
		all, err = sqldb.Collect(ctx, db.sql, scanAudit, "SELECT id, at_ms, username, address, action, kind, target_id, target, ok, detail FROM towpath_audit WHERE "+
			where+" ORDER BY id DESC LIMIT ?", args...)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the audit: %w", err)
	}
	return all, nil
}

// where is the condition of a query. Target selects by a part of it, the other
// texts by all of it.
func (q AuditQuery) where() (string, []any) {
	conditions, args := []string{"1 = 1"}, []any{}
	add := func(wanted bool, condition string, value any) {
		if wanted {
			conditions, args = append(conditions, condition), append(args, value)
		}
	}
	add(q.Username != "", "username = ?", q.Username)
	add(q.Action != "", "action = ?", q.Action)
	add(q.Kind != "", "kind = ?", q.Kind)
	add(q.Target != "", "target LIKE ? ESCAPE '!'", "%"+strings.NewReplacer("!", "!!", "%", "!%", "_", "!_").Replace(q.Target)+"%")
	add(!q.From.IsZero(), "at_ms >= ?", millis(q.From))
	add(!q.To.IsZero(), "at_ms < ?", millis(q.To))
	add(q.Before > 0, "id < ?", q.Before)
	return strings.Join(conditions, " AND "), args
}

func scanAudit(scan func(...any) error) (AuditRecord, error) {
	var r AuditRecord
	var at int64
	err := scan(&r.ID, &at, &r.Username, &r.Address, &r.Action, &r.Kind, &r.TargetID, &r.Target, &r.OK, &r.Detail)
	r.At = fromMillis(at)
	return r, err
}

// second is the time of a change as a column modified_time has it.
func (t *tx) second() time.Time { return t.now.UTC().Truncate(time.Second) }
