package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/towpath-cdc/towpath/internal/sqldb"
)

// revisionsMost is how many revisions of one text are listed; all are kept.
const revisionsMost = 1000

// Kinds of revisions.
const (
	kindConfig   = "config"
	kindInstance = "instance"
)

// revision keeps a text. At is now, and the user is that of the change, unless it
// is from before.
func (t *tx) revision(r Revision) error {
	if r.At.IsZero() {
		r.At, r.Username = t.now, t.by.Username
	}
	return t.exec("INSERT INTO towpath_revision (kind, target_id, target, at_ms, username, comment, md5, content, deleted) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
		r.Kind, r.TargetID, r.Target, millis(r.At), cut(r.Username, maxName), cut(r.Comment, maxDetail), md5Of(r.Content), r.Content, r.Deleted)
}

// adopt keeps a text that was stored by somebody else, such as a Java admin, before
// it is overwritten. r has the time it was stored; who did that is not known.
func (t *tx) adopt(r Revision) error {
	known, err := t.isNewest(r)
	if err != nil || known {
		return err
	}
	return t.revision(r)
}

// isNewest says whether the text of r is that of the newest revision.
func (t *tx) isNewest(r Revision) (bool, error) {
	var md5 string
	var deleted bool
	err := t.row("SELECT md5, deleted FROM towpath_revision WHERE kind = ? AND target_id = ? ORDER BY id DESC LIMIT 1", r.Kind, r.TargetID).Scan(&md5, &deleted)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil && md5 == md5Of(r.Content) && !deleted, err
}

const revisionColumns = "id, kind, target_id, target, at_ms, username, comment, md5, deleted"

func scanRevision(scan func(...any) error) (Revision, error) {
	return scanRevisionAnd(scan)
}

func scanRevisionAnd(scan func(...any) error, more ...any) (Revision, error) {
	var r Revision
	var at int64
	err := scan(append([]any{&r.ID, &r.Kind, &r.TargetID, &r.Target, &at, &r.Username, &r.Comment, &r.MD5, &r.Deleted}, more...)...)
	r.At = fromMillis(at)
	return r, err
}

// Revisions lists the texts that a configuration ("config") or an instance
// ("instance") has had, newest first, without the texts. The first is the present
// one, or what it was when it was deleted.
func (db *DB) Revisions(ctx context.Context, kind string, targetID int64) ([]Revision, error) {
	if err := db.adoptPresent(ctx, kind, targetID); err != nil {
		return nil, fmt.Errorf("revisions of %s %d: %w", kind, targetID, err)
	}
	var all []Revision
	err := db.read(ctx, func(ctx context.Context) (err error) {
		all, err = sqldb.Collect(ctx, db.sql, scanRevision, "SELECT "+revisionColumns+" FROM towpath_revision WHERE kind = ? AND target_id = ? ORDER BY id DESC LIMIT ?", kind, targetID, revisionsMost)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("revisions of %s %d: %w", kind, targetID, err)
	}
	return all, nil
}

// adoptPresent keeps the present text if somebody else has stored it.
func (db *DB) adoptPresent(ctx context.Context, kind string, id int64) error {
	content, err := db.present(ctx, kind, id)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	var newest string
	err = db.read(ctx, func(ctx context.Context) error {
		return db.sql.QueryRowContext(ctx, "SELECT md5 FROM towpath_revision WHERE kind = ? AND target_id = ? ORDER BY id DESC LIMIT 1", kind, id).Scan(&newest)
	})
	if err != nil && !errors.Is(err, ErrNotFound) || newest == md5Of(content) {
		return err
	}
	err = db.write(ctx, Actor{}, func(t *tx) error { return t.adoptRow(kind, id) })
	if errors.Is(err, ErrNotFound) {
		return nil // deleted meanwhile
	}
	return err
}

// present is the stored text.
func (db *DB) present(ctx context.Context, kind string, id int64) (string, error) {
	switch kind {
	case kindInstance:
		i, err := db.Instance(ctx, id)
		return i.Content, err
	case kindConfig:
		c, err := db.Config(ctx, id)
		return c.Content, err
	}
	return "", fmt.Errorf("kind of revision %q: %w", kind, ErrNotFound)
}

// adoptRow keeps the text of a row as it is now, if it is not the newest revision.
func (t *tx) adoptRow(kind string, id int64) error {
	if kind == kindInstance {
		i, err := t.instance(id)
		if err != nil {
			return err
		}
		return t.adopt(Revision{Kind: kind, TargetID: id, Target: i.Name, At: i.Modified, Content: i.Content})
	}
	c, err := t.config(id)
	if err != nil {
		return err
	}
	owner, err := t.ownerOf(c)
	if err != nil {
		return err
	}
	return t.adopt(Revision{Kind: kind, TargetID: id, Target: owner, At: c.Modified, Content: c.Content})
}

// Revision returns one revision with its text, or ErrNotFound.
func (db *DB) Revision(ctx context.Context, id int64) (Revision, error) {
	var r Revision
	err := db.read(ctx, func(ctx context.Context) (err error) {
		var content string
		r, err = scanRevisionAnd(db.sql.QueryRowContext(ctx, "SELECT "+revisionColumns+", content FROM towpath_revision WHERE id = ?", id).Scan, &content)
		r.Content = content
		return err
	})
	if err != nil {
		return Revision{}, fmt.Errorf("revision %d: %w", id, err)
	}
	return r, nil
}
