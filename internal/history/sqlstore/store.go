package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
	"unicode/utf8"

	"github.com/towpath-cdc/towpath/internal/history"
	"github.com/towpath-cdc/towpath/internal/sqldb"
)

// Limits.
const (
	callTimeout = time.Minute // of one call, beyond what the caller allows
	busyTimeout = 10 * time.Second
	deadlocks   = 3 // how often a change is tried that MySQL gives up for another

	maxDestination = 128 // characters, as the column has them
)

// mysqlBounds are those of one destination.
var mysqlBounds = sqldb.Bounds{Connections: 3, Idle: 1, IO: 30 * time.Second, LockWait: busyTimeout}

// Options say where the history of which destination is.
type Options struct {
	Destination string // at most 128 characters

	// Path is SQLite's file; it and its folder are created. Several destinations
	// may have the same one.
	Path string

	// URL is the address of MySQL, jdbc:mysql://…, when Path is "". Several
	// destinations may share the database.
	URL, User, Password string

	// Read opens what is there and changes nothing; methods that write fail. The
	// error of Open matches fs.ErrNotExist when there is no history yet.
	Read bool

	// Notice is told what a person should know of how a history was found; nil
	// when nobody wants to.
	Notice func(message string)
}

// Store is the history of one destination: a history.Log. It is made by Open.
type Store struct {
	db          *sql.DB
	destination string
	where       string // for errors
	lockClause  string // makes a read of the lock's row lock it
	wide        bool   // the columns can have characters beyond U+FFFF
	read        bool   // as Options.Read has it

	life context.Context // until Close
	end  context.CancelFunc
}

var _ history.Log = (*Store)(nil)

// errClosed is the cause of what ends because of Close.
var errClosed = errors.New("the history is closed")

// errRead is returned by what writes to a history that was opened to be read.
var errRead = errors.New("it was opened to be read only")

// Open opens a history and creates the tables that are missing. Those that are
// there stay as they are. When the database cannot be reached it may be tried
// again. Errors name the database and never contain the password.
func Open(ctx context.Context, o Options) (*Store, error) {
	if n := utf8.RuneCountInString(o.Destination); n == 0 || n > maxDestination {
		return nil, fmt.Errorf("open the history: the name of the destination has %d characters, want 1 to %d", n, maxDestination)
	}
	s := &Store{destination: o.Destination, read: o.Read}
	s.life, s.end = context.WithCancel(context.Background())
	prepare, err := s.connect(o)
	if err == nil {
		err = s.call(ctx, "open the history", prepare)
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// connect returns what makes the tables, or looks for them.
func (s *Store) connect(o Options) (prepare func(context.Context) error, err error) {
	if o.Path != "" {
		err = s.connectSQLite(o)
		if o.Read {
			return s.findSQLite, err
		}
		return s.createSQLite, err
	}
	c, err := sqldb.ParseJDBC(o.URL, o.User, o.Password)
	if err != nil {
		return nil, fmt.Errorf("address of the history: %w", err)
	}
	c.MaxAllowedPacket = 0 // the server's
	s.where = "MySQL " + c.Addr + "/" + c.DBName
	s.lockClause = " FOR UPDATE"
	s.db, err = sqldb.OpenMySQL(c, mysqlBounds)
	if o.Read {
		return s.findMySQL, err
	}
	return s.createMySQL, err
}

func (s *Store) connectSQLite(o Options) (err error) {
	s.where, s.wide = o.Path, true
	_, missing := os.Stat(o.Path)
	open := sqldb.OpenSQLite
	if o.Read {
		open = sqldb.ReadSQLite
	}
	if s.db, err = open(o.Path, busyTimeout); err != nil {
		err = fmt.Errorf("open the history in %s: %w", s.where, err)
	}
	if missing != nil && o.Notice != nil && (err == nil || o.Read) {
		for _, name := range []string{"h2.mv.db", "h2.h2.db"} {
			if java := filepath.Join(filepath.Dir(o.Path), name); isFile(java) {
				o.Notice(fmt.Sprintf("%s has the history of a Java Canal in a format that only Java reads: a new history begins in %s, with the tables as they are at the source now", java, o.Path))
			}
		}
	}
	return err
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// Close ends calls under way. Calls after it fail; closing again does nothing.
func (s *Store) Close() error {
	s.end()
	if s.db == nil {
		return nil
	}
	return s.db.Close()
}

// call bounds what f does in time and says in its error what was done where.
func (s *Store) call(ctx context.Context, what string, f func(ctx context.Context) error) error {
	bounded, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	defer context.AfterFunc(s.life, cancel)()
	err := f(bounded)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	case s.life.Err() != nil:
		err = errClosed
	case bounded.Err() != nil:
		err = fmt.Errorf("no answer within %s: %w", callTimeout, err)
	case sqldb.IsTooLarge(err):
		err = fmt.Errorf("%w: %w", history.ErrTooLarge, err)
	}
	return fmt.Errorf("%s of destination %s in %s: %w", what, s.destination, s.where, err)
}

// change runs f in a transaction, with no other change of the destination at the
// same time.
func (s *Store) change(ctx context.Context, what string, f func(t *tx) error) error {
	return s.call(ctx, what, func(ctx context.Context) (err error) {
		for range deadlocks {
			if err = s.changeOnce(ctx, f); !sqldb.IsDeadlock(err) {
				break
			}
		}
		return err
	})
}

func (s *Store) changeOnce(ctx context.Context, f func(t *tx) error) error {
	if s.read {
		return errRead
	}
	inner, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	t := &tx{Tx: inner, ctx: ctx, s: s}
	if err = t.lock(); err == nil {
		err = f(t)
	}
	if err != nil {
		inner.Rollback()
		return err
	}
	return inner.Commit()
}

// tx is one change.
type tx struct {
	*sql.Tx
	ctx context.Context // of the change, which is bounded
	s   *Store
}

// lock waits for other changes of the destination, of other processes too.
func (t *tx) lock() error {
	var name string
	err := t.QueryRowContext(t.ctx, "SELECT name FROM towpath_history_state WHERE destination = ? AND name = ?"+t.s.lockClause, t.s.destination, lockName).Scan(&name)
	if errors.Is(err, sql.ErrNoRows) {
		return errors.New("towpath_history_state has lost its row of the destination: open the history again")
	}
	return err
}

func (t *tx) exec(query string, args ...any) error {
	_, err := t.ExecContext(t.ctx, query, args...)
	return err
}

// querier is a database or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}
