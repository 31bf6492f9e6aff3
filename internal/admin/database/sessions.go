package database

import (
	"context"
	"fmt"
	"time"

	"github.com/towpath-cdc/towpath/internal/sqldb"
)

// maxSessions is how many log-ins there are at most, as in Canal. One more ends
// the one that was used longest ago.
const maxSessions = 10_000

const sessionColumns = "token_hash, user_id, created_at, seen_at, address, agent, must_change"

func scanSession(scan func(...any) error) (Session, error) {
	var s Session
	var created, seen int64
	err := scan(&s.TokenHash, &s.UserID, &created, &seen, &s.Address, &s.Agent, &s.MustChange)
	s.Created, s.LastSeen = fromMillis(created), fromMillis(seen)
	return s, err
}

// InsertSession keeps a log-in and writes it into the audit, by the user of by.
func (db *DB) InsertSession(ctx context.Context, by Actor, s Session) error {
	err := db.write(ctx, by, func(t *tx) error {
		var n int
		if err := t.row("SELECT COUNT(*) FROM towpath_session").Scan(&n); err != nil {
			return err
		}
		if n >= maxSessions {
			var oldest string
			if err := t.row("SELECT token_hash FROM towpath_session ORDER BY seen_at LIMIT 1").Scan(&oldest); err != nil {
				return err
			}
			if err := t.exec("DELETE FROM towpath_session WHERE token_hash = ?", oldest); err != nil {
				return err
			}
		}
		err := t.exec("INSERT INTO towpath_session ("+sessionColumns+") VALUES (?, ?, ?, ?, ?, ?, ?)",
			s.TokenHash, s.UserID, millis(s.Created), millis(s.LastSeen), cut(s.Address, maxName), cut(s.Agent, maxName), s.MustChange)
		if err != nil {
			return err
		}
		return t.audit("user.login", "user", s.UserID, by.Username, "")
	})
	if err != nil {
		return fmt.Errorf("insert session: %w", err)
	}
	return nil
}

// SessionByHash returns a session, or ErrNotFound. Whether it has expired is for the
// caller to say.
func (db *DB) SessionByHash(ctx context.Context, hash string) (Session, error) {
	var s Session
	err := db.read(ctx, func(ctx context.Context) (err error) {
		s, err = scanSession(db.sql.QueryRowContext(ctx, "SELECT "+sessionColumns+" FROM towpath_session WHERE token_hash = ?", hash).Scan)
		return err
	})
	if err != nil {
		return Session{}, fmt.Errorf("session: %w", err)
	}
	return s, nil
}

// SessionsOf returns the sessions of a user, the one used last first.
func (db *DB) SessionsOf(ctx context.Context, userID int64) ([]Session, error) {
	var all []Session
	err := db.read(ctx, func(ctx context.Context) (err error) {
		all, err = sqldb.Collect(ctx, db.sql, scanSession, "SELECT "+sessionColumns+" FROM towpath_session WHERE user_id = ? ORDER BY seen_at DESC", userID)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("sessions of user %d: %w", userID, err)
	}
	return all, nil
}

// TouchSession notes that a session is in use.
func (db *DB) TouchSession(ctx context.Context, hash string, at time.Time) error {
	return db.change(ctx, "touch session", "UPDATE towpath_session SET seen_at = ? WHERE token_hash = ?", millis(at), hash)
}

// DeleteSession ends a session; that there is none is no error.
func (db *DB) DeleteSession(ctx context.Context, hash string) error {
	return db.change(ctx, "delete session", "DELETE FROM towpath_session WHERE token_hash = ?", hash)
}

// DeleteSessionsOf ends all sessions of a user but one.
func (db *DB) DeleteSessionsOf(ctx context.Context, userID int64, exceptHash string) error {
	return db.change(ctx, "delete sessions", "DELETE FROM towpath_session WHERE user_id = ? AND token_hash <> ?", userID, exceptHash)
}

// DeleteExpiredSessions ends the sessions that were last used before a time.
func (db *DB) DeleteExpiredSessions(ctx context.Context, before time.Time) error {
	return db.change(ctx, "delete expired sessions", "DELETE FROM towpath_session WHERE seen_at < ?", millis(before))
}

// change runs a statement that is no change of what the admin knows, and so is
// written down nowhere.
func (db *DB) change(ctx context.Context, what, statement string, args ...any) error {
	err := db.read(ctx, func(ctx context.Context) error {
		_, err := db.sql.ExecContext(ctx, statement, args...)
		return err
	})
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}
