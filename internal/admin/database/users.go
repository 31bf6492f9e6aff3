package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/towpath-cdc/towpath/internal/sqldb"
)

// UpgradedHash stands in canal_user.password once a password is kept better in
// towpath_user. It is no hash, so a Java admin lets nobody in by it.
const UpgradedHash = "towpath"

// Password is how a user's password is kept beside canal_user.password.
type Password struct {
	Hash       string    // as internal/admin/identity writes it; "" when there is none yet
	CanalHash  string    // what canal_user.password was when Hash was made; it differs when a Java admin has set another one
	MustChange bool      // set by somebody else: to be changed at the next log-in
	Changed    time.Time // when it was set
}

const userQuery = `SELECT u.id, u.username, u.password, u.name, u.roles, u.introduction, u.avatar, u.creation_date, COALESCE(t.disabled, 0)
	FROM canal_user u LEFT JOIN towpath_user t ON t.user_id = u.id`

func scanUser(scan func(...any) error) (User, error) {
	var u User
	err := scan(&u.ID, &u.Username, &u.PasswordHash, &u.Name, &u.Roles, &u.Introduction, &u.Avatar, stamp{&u.Created}, &u.Disabled)
	return u, err
}

// Users returns all users by id.
func (db *DB) Users(ctx context.Context) ([]User, error) {
	var all []User
	err := db.read(ctx, func(ctx context.Context) (err error) {
		all, err = sqldb.Collect(ctx, db.sql, scanUser, userQuery+" ORDER BY u.id")
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read users: %w", err)
	}
	return all, nil
}

// User returns one user, or ErrNotFound.
func (db *DB) User(ctx context.Context, id int64) (User, error) {
	return db.user(ctx, "u.id = ?", id)
}

// UserNamed returns the user of a name, or ErrNotFound. Of several, which a Java
// admin's database can have, it is the first.
func (db *DB) UserNamed(ctx context.Context, username string) (User, error) {
	return db.user(ctx, "u.username = ?", username)
}

func (db *DB) user(ctx context.Context, where string, arg any) (User, error) {
	var u User
	err := db.read(ctx, func(ctx context.Context) (err error) {
		u, err = scanUser(db.sql.QueryRowContext(ctx, userQuery+" WHERE "+where+" ORDER BY u.id LIMIT 1", arg).Scan)
		return err
	})
	if errors.Is(err, ErrCharacters) {
		err = ErrNotFound // a name that could not be stored
	}
	if err != nil {
		return User{}, fmt.Errorf("user: %w", err) // without the name, which may be a password by mistake
	}
	return u, nil
}

// InsertUser adds a user and returns its id. Without a PasswordHash nobody can log
// in as that user until SetPassword. The error is ErrDuplicate when the name is
// taken.
func (db *DB) InsertUser(ctx context.Context, by Actor, u User) (id int64, err error) {
	if err := checkLengths("username", u.Username, "name", u.Name, "roles", u.Roles); err != nil {
		return 0, err
	}
	if u.PasswordHash == "" {
		u.PasswordHash = UpgradedHash
	}
	err = db.write(ctx, by, func(t *tx) error {
		if err := t.refuse(ErrDuplicate, "SELECT id FROM canal_user WHERE username = ?", u.Username); err != nil {
			return err
		}
		id, err = t.insert("INSERT INTO canal_user (username, password, name, roles, introduction, avatar, creation_date) VALUES (?, ?, ?, ?, ?, ?, ?)",
			u.Username, u.PasswordHash, u.Name, u.Roles, u.Introduction, u.Avatar, t.modified())
		if err != nil {
			return err
		}
		if u.Disabled {
			if err := t.disable(id, true); err != nil {
				return err
			}
		}
		return t.audit("user.insert", "user", id, u.Username, "roles "+u.Roles)
	})
	if err != nil {
		return 0, fmt.Errorf("insert user %q: %w", u.Username, err)
	}
	return id, nil
}

// UpdateUser sets all of a user but the password. A change of roles and disabling
// end the user's sessions. The error is ErrNotFound, ErrDuplicate when the name is
// taken, or ErrLastAdmin.
func (db *DB) UpdateUser(ctx context.Context, by Actor, u User) error {
	if err := checkLengths("username", u.Username, "name", u.Name, "roles", u.Roles); err != nil {
		return err
	}
	err := db.write(ctx, by, func(t *tx) error {
		old, err := scanUser(t.row(userQuery+" WHERE u.id = ?", u.ID).Scan)
		if err != nil {
			return err
		}
		if err := t.refuse(ErrDuplicate, "SELECT id FROM canal_user WHERE username = ? AND id <> ?", u.Username, u.ID); err != nil {
			return err
		}
		// The creation date is written as well: MySQL would set it to now.
		err = t.exec("UPDATE canal_user SET username = ?, name = ?, roles = ?, introduction = ?, avatar = ?, creation_date = creation_date WHERE id = ?",
			u.Username, u.Name, u.Roles, u.Introduction, u.Avatar, u.ID)
		if err != nil {
			return err
		}
		if err := t.disable(u.ID, u.Disabled); err != nil {
			return err
		}
		if err := t.keepAdmin(old); err != nil {
			return err
		}
		if old.Roles != u.Roles || u.Disabled {
			if err := t.exec("DELETE FROM towpath_session WHERE user_id = ?", u.ID); err != nil {
				return err
			}
		}
		return t.audit("user.update", "user", u.ID, u.Username, changes("username", old.Username, u.Username, "name", old.Name, u.Name,
			"roles", old.Roles, u.Roles, "disabled", yesNo(old.Disabled), yesNo(u.Disabled)))
	})
	if err != nil {
		return fmt.Errorf("update user %d: %w", u.ID, err)
	}
	return nil
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// disable sets whether a user may log in, and leaves the password.
func (t *tx) disable(id int64, disabled bool) error {
	found, err := t.exists("SELECT user_id FROM towpath_user WHERE user_id = ?", id)
	switch {
	case err != nil:
		return err
	case found:
		return t.exec("UPDATE towpath_user SET disabled = ? WHERE user_id = ?", disabled, id)
	case disabled:
		return t.exec("INSERT INTO towpath_user (user_id, hash, canal_hash, disabled, must_change, changed_at) VALUES (?, '', '', 1, 0, 0)", id)
	}
	return nil
}

// keepAdmin returns ErrLastAdmin when old was one, and nobody is left who is.
func (t *tx) keepAdmin(old User) error {
	if old.Disabled || !isAdmin(old.Roles) {
		return nil
	}
	rows, err := t.QueryContext(t.ctx, userQuery)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		u, err := scanUser(rows.Scan)
		if err != nil {
			return err
		}
		if !u.Disabled && isAdmin(u.Roles) {
			return nil
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	return ErrLastAdmin
}

// isAdmin reads the column roles as internal/admin/identity does.
func isAdmin(roles string) bool {
	return slices.Contains(strings.FieldsFunc(roles, func(c rune) bool { return c == ',' || c == ' ' }), "admin")
}

// DeleteUser deletes a user with the sessions. The error is ErrNotFound, or
// ErrLastAdmin.
func (db *DB) DeleteUser(ctx context.Context, by Actor, id int64) error {
	err := db.write(ctx, by, func(t *tx) error {
		old, err := scanUser(t.row(userQuery+" WHERE u.id = ?", id).Scan)
		if err != nil {
			return err
		}
		for _, query := range []string{"DELETE FROM canal_user WHERE id = ?", "DELETE FROM towpath_user WHERE user_id = ?", "DELETE FROM towpath_session WHERE user_id = ?"} {
			if err := t.exec(query, id); err != nil {
				return err
			}
		}
		if err := t.keepAdmin(old); err != nil {
			return err
		}
		return t.audit("user.delete", "user", id, old.Username, "")
	})
	if err != nil {
		return fmt.Errorf("delete user %d: %w", id, err)
	}
	return nil
}

// PasswordOf returns how a user's password is kept; the zero Password when there is
// nothing but canal_user.password.
func (db *DB) PasswordOf(ctx context.Context, userID int64) (Password, error) {
	var p Password
	var changed int64
	err := db.read(ctx, func(ctx context.Context) error {
		err := db.sql.QueryRowContext(ctx, "SELECT hash, canal_hash, must_change, changed_at FROM towpath_user WHERE user_id = ?", userID).
			Scan(&p.Hash, &p.CanalHash, &p.MustChange, &changed)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	})
	if err != nil {
		return Password{}, fmt.Errorf("password of user %d: %w", userID, err)
	}
	p.Changed = fromMillis(changed)
	return p, nil
}

// PasswordChange says how SetPassword is to be written down.
type PasswordChange struct {
	Action     string // such as "user.password"; "" when only the way it is kept changes
	KeepOf     string // token hash of the session that stays; "" for none
	KeepAll    bool   // all sessions stay
	OnlyIfHash string // leave everything when canal_user.password is not this any more; "" to set it anyway
}

// SetPassword stores a password: p.Hash in towpath_user and p.CanalHash in
// canal_user.password. It ends the user's sessions. The error is ErrNotFound, or
// ErrConflict for OnlyIfHash.
func (db *DB) SetPassword(ctx context.Context, by Actor, userID int64, p Password, c PasswordChange) error {
	err := db.write(ctx, by, func(t *tx) error {
		u, err := scanUser(t.row(userQuery+" WHERE u.id = ?", userID).Scan)
		if err != nil {
			return err
		}
		if c.OnlyIfHash != "" && c.OnlyIfHash != u.PasswordHash {
			return ErrConflict
		}
		if err := t.exec("UPDATE canal_user SET password = ?, creation_date = creation_date WHERE id = ?", p.CanalHash, userID); err != nil {
			return err
		}
		if err := t.exec("DELETE FROM towpath_user WHERE user_id = ?", userID); err != nil {
			return err
		}
		err = t.exec("INSERT INTO towpath_user (user_id, hash, canal_hash, disabled, must_change, changed_at) VALUES (?, ?, ?, ?, ?, ?)",
			userID, p.Hash, p.CanalHash, u.Disabled, p.MustChange, millis(p.Changed))
		if err != nil {
			return err
		}
		if !c.KeepAll {
			if err := t.exec("DELETE FROM towpath_session WHERE user_id = ? AND token_hash <> ?", userID, c.KeepOf); err != nil {
				return err
			}
			if err := t.exec("UPDATE towpath_session SET must_change = 0 WHERE token_hash = ?", c.KeepOf); err != nil {
				return err
			}
		}
		if c.Action == "" {
			return nil
		}
		return t.audit(c.Action, "user", userID, u.Username, "")
	})
	if err != nil {
		return fmt.Errorf("set password of user %d: %w", userID, err)
	}
	return nil
}
