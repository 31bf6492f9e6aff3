package identity

import (
	"context"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/towpath-cdc/towpath/internal/admin/database"
)

// Why a password or a log-in is refused.
var (
	// ErrEmpty says that the user name or the password is empty.
	ErrEmpty = errors.New("user name or password is empty")
	// ErrWrong says that there is no such user, that the password is another, or that
	// the user is disabled; which of them is not told.
	ErrWrong = errors.New("wrong user name or password")
	// ErrTooShort says that a new password has less than five characters, as Canal's
	// UserController wants.
	ErrTooShort = errors.New("the new password is too short")
	// ErrTooLong says that a new password has more than 1024 bytes.
	ErrTooLong = errors.New("the new password is too long")
	// ErrOldWrong says that the present password is another.
	ErrOldWrong = errors.New("the old password is wrong")
	// ErrSame says that the new password is the default one.
	ErrSame = errors.New("the new password must not be the default password")
)

// DefaultPassword is that of Canal's first user. Who logs in with it has to change
// it before anything else.
const DefaultPassword = "123456"

const (
	minPassword = 5    // characters
	maxPassword = 1024 // bytes
	defaultIdle = 30 * time.Minute
	// touchEvery is how often at most a session in use is written down.
	touchEvery = time.Minute
	maxHashing = 2 // how many hashes are made at a time
	// maxWaiting is how many log-ins wait for their turn; more are refused.
	maxWaiting = 32
)

// Options say how a Service works.
type Options struct {
	// PollUser and PollPassword are canal.adminUser and canal.adminPasswd, which the
	// admin shares with all servers.
	PollUser, PollPassword string
	Idle                   time.Duration // until a session that is not used ends; 30 minutes if 0
	// KeepCanalHash leaves Canal's hash of each password in canal_user, so that a Java
	// admin can be put back without anybody's password being set anew.
	KeepCanalHash bool
	Logger        *slog.Logger
	Now           func() time.Time // time.Now if nil
}

// Service knows users and their sessions. It is made by New, starts nothing, and is
// safe for concurrent use. It needs the database for all but CheckPollHeaders.
type Service struct {
	pollHash [sha1.Size]byte // of PollPassword, as servers send it
	db       *database.DB
	o        Options
	throttle *throttle
	hashing  chan struct{} // a token for each hash in the making
	waiting  chan struct{} // and for each log-in
	dummy    func() hash   // compared with when there is nothing to compare with

	mu     sync.Mutex
	purged time.Time // when expired sessions were last deleted
}

// New makes a Service.
func New(db *database.DB, o Options) *Service {
	if o.Idle <= 0 {
		o.Idle = defaultIdle
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Service{
		db: db, o: o, pollHash: canalSum(o.PollPassword), throttle: newThrottle(),
		hashing: make(chan struct{}, maxHashing), waiting: make(chan struct{}, maxWaiting),
		dummy: sync.OnceValue(func() hash { return newHash(rand.Text()) }),
	}
}

// EnsureFirstUser adds the user admin, who may do everything, when there are no
// users: with password, or with the default one if it is "".
func (s *Service) EnsureFirstUser(ctx context.Context, password string) (added bool, err error) {
	users, err := s.db.Users(ctx)
	if err != nil || len(users) > 0 {
		return false, err
	}
	if password == "" {
		password = DefaultPassword
	}
	_, err = s.db.InsertUser(ctx, database.Actor{}, database.User{
		Username: "admin", PasswordHash: HashCanal(password), Name: "Canal Manager", Roles: string(RoleAdmin)})
	if errors.Is(err, database.ErrDuplicate) {
		return false, nil // another admin was faster
	}
	return err == nil, err
}

// Login checks a password and begins a session. The error is ErrEmpty, ErrWrong,
// *ThrottledError, or that of the database.
func (s *Service) Login(ctx context.Context, username, password, address, agent string) (token string, p Principal, err error) {
	if username == "" || password == "" {
		return "", Principal{}, ErrEmpty
	}
	now := s.o.Now()
	a, throttled := s.throttle.begin(username, address, now)
	if throttled != nil {
		return "", Principal{}, throttled
	}
	user, must, err := s.check(ctx, username, password)
	switch {
	case errors.Is(err, ErrWrong):
		s.noteFailure(ctx, user, address)
		return "", Principal{}, ErrWrong
	case err != nil:
		a.undecided()
		return "", Principal{}, err
	}
	a.succeeded(now)
	s.purge(ctx, now)
	token = rand.Text()
	p = Principal{User: user, Role: RoleOf(user.Roles), TokenHash: tokenHash(token), MustChange: must}
	err = s.db.InsertSession(ctx, database.Actor{UserID: user.ID, Username: user.Username, Address: address},
		database.Session{TokenHash: p.TokenHash, UserID: user.ID, Created: now, LastSeen: now, Address: address, Agent: agent, MustChange: must})
	if err != nil {
		return "", Principal{}, err
	}
	return token, p, nil
}

// check finds the user who has the name and the password. It takes as long for a
// user that does not exist. With ErrWrong, user is who it would have been.
func (s *Service) check(ctx context.Context, username, password string) (user database.User, mustChange bool, err error) {
	user, err = s.db.UserNamed(ctx, username)
	unknown := errors.Is(err, database.ErrNotFound)
	if err != nil && !unknown {
		return user, false, err
	}
	if !unknown && foldName(user.Username) != foldName(username) {
		user, unknown = database.User{}, true
	}
	var stored database.Password
	if stored, err = s.db.PasswordOf(ctx, user.ID); err != nil {
		return user, false, err
	}
	ok, err := s.matches(ctx, user, stored, password)
	if err != nil {
		return user, false, err
	}
	if !ok || unknown || user.Disabled {
		return user, false, ErrWrong
	}
	s.upgrade(ctx, &user, stored, password)
	return user, stored.MustChange || password == DefaultPassword, nil
}

// foldName is a user name as the throttle knows it. MySQL also takes other letters
// for the same (á for a, blanks at the end), which would be as many names to try one
// user's password under.
func foldName(username string) string { return strings.ToLower(username[:min(len(username), 255)]) }

// isOurs says whether the password is kept in towpath_user, and nobody has set
// another one in a Java admin since.
func isOurs(user database.User, stored database.Password) bool {
	return stored.Hash != "" && stored.CanalHash == user.PasswordHash
}

// matches compares a password with what is stored, with one run of argon2 in any
// case.
func (s *Service) matches(ctx context.Context, user database.User, stored database.Password, password string) (bool, error) {
	h, ours := s.dummy(), isOurs(user, stored)
	if ours {
		var err error
		if h, err = parseHash(stored.Hash); err != nil {
			return false, fmt.Errorf("user %d: %w", user.ID, err)
		}
	}
	if len(password) > maxPassword {
		return false, nil
	}
	done, err := s.turn(ctx)
	if err != nil {
		return false, err
	}
	ok := h.matches(password)
	done()
	if !ours {
		ok = matchesCanal(password, user.PasswordHash)
	}
	return ok, nil
}

// turn waits until one more hash may be made.
func (s *Service) turn(ctx context.Context) (done func(), err error) {
	select {
	case s.waiting <- struct{}{}:
		defer func() { <-s.waiting }()
	default:
		return nil, &ThrottledError{RetryAfter: time.Second}
	}
	select {
	case s.hashing <- struct{}{}:
		return func() { <-s.hashing }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// upgrade keeps a password that has just been checked the way new ones are kept.
// That it fails keeps nobody out.
func (s *Service) upgrade(ctx context.Context, user *database.User, stored database.Password, password string) {
	canal := s.canalHash(password)
	if s.o.KeepCanalHash && isOurs(*user, stored) && user.PasswordHash != database.UpgradedHash {
		canal = user.PasswordHash // the same, perhaps in upper case
	}
	h, err := parseHash(stored.Hash)
	if err == nil && h.cost == presentCost && isOurs(*user, stored) && canal == user.PasswordHash {
		return
	}
	hashed, err := s.hash(ctx, password)
	if err == nil {
		err = s.db.SetPassword(ctx, database.Actor{}, user.ID,
			database.Password{Hash: hashed, CanalHash: canal, MustChange: stored.MustChange, Changed: stored.Changed},
			database.PasswordChange{KeepAll: true, OnlyIfHash: user.PasswordHash})
	}
	if err != nil {
		s.o.Logger.Warn("a password is still kept as before", "user", user.Username, "error", err)
		return
	}
	user.PasswordHash = canal
}

// canalHash is what canal_user.password has for a password.
func (s *Service) canalHash(password string) string {
	if s.o.KeepCanalHash {
		return HashCanal(password)
	}
	return database.UpgradedHash
}

func (s *Service) hash(ctx context.Context, password string) (string, error) {
	done, err := s.turn(ctx)
	if err != nil {
		return "", err
	}
	defer done()
	return newHash(password).String(), nil
}

// noteFailure writes a log-in that was refused into the audit. What was typed for a
// user that does not exist is not written: it may be a password.
func (s *Service) noteFailure(ctx context.Context, user database.User, address string) {
	r := database.AuditRecord{Action: "user.login", Kind: "user", TargetID: user.ID, Target: user.Username, Detail: "wrong password"}
	switch {
	case user.ID == 0:
		r.Detail = "unknown user"
	case user.Disabled:
		r.Detail = "disabled, or wrong password"
	}
	if err := s.db.Audit(ctx, database.Actor{UserID: user.ID, Username: user.Username, Address: address}, r); err != nil {
		s.o.Logger.Warn("a refused log-in is not in the audit", "user", user.Username, "address", address, "error", err)
	}
}

// purge deletes sessions that have expired, now and then.
func (s *Service) purge(ctx context.Context, now time.Time) {
	s.mu.Lock()
	due := now.Sub(s.purged) >= touchEvery
	if due {
		s.purged = now
	}
	s.mu.Unlock()
	if !due {
		return
	}
	if err := s.db.DeleteExpiredSessions(ctx, now.Add(-s.o.Idle)); err != nil {
		s.o.Logger.Warn("expired sessions stay in the database", "error", err)
	}
}

// Authenticate finds who has a token, and lets the session go on. The error is
// ErrExpired, or that of the database.
func (s *Service) Authenticate(ctx context.Context, token string) (Principal, error) {
	hash := tokenHash(token)
	session, err := s.db.SessionByHash(ctx, hash)
	if errors.Is(err, database.ErrNotFound) {
		return Principal{}, ErrExpired
	}
	if err != nil {
		return Principal{}, err
	}
	now := s.o.Now()
	if now.Sub(session.LastSeen) >= s.o.Idle {
		return Principal{}, errors.Join(ErrExpired, s.db.DeleteSession(ctx, hash))
	}
	user, err := s.db.User(ctx, session.UserID)
	if errors.Is(err, database.ErrNotFound) || err == nil && user.Disabled {
		return Principal{}, ErrExpired
	}
	if err != nil {
		return Principal{}, err
	}
	if now.Sub(session.LastSeen) >= min(touchEvery, s.o.Idle/2) {
		if err := s.db.TouchSession(ctx, hash, now); err != nil {
			s.o.Logger.Warn("a session in use may expire", "user", user.Username, "error", err)
		}
	}
	return Principal{User: user, Role: RoleOf(user.Roles), TokenHash: hash, MustChange: session.MustChange}, nil
}

// Logout ends the session of a token. That there is none is no error.
func (s *Service) Logout(ctx context.Context, token string) error {
	return s.db.DeleteSession(ctx, tokenHash(token))
}

// ChangePassword sets a user's own password and ends the user's other sessions. The
// error is ErrTooShort, ErrTooLong, ErrSame, ErrOldWrong, *ThrottledError, or that of
// the database.
func (s *Service) ChangePassword(ctx context.Context, p Principal, old, new string) error {
	if err := checkNew(new); err != nil {
		return err
	}
	session, err := s.db.SessionByHash(ctx, p.TokenHash)
	if err != nil && !errors.Is(err, database.ErrNotFound) {
		return err
	}
	now := s.o.Now()
	a, throttled := s.throttle.begin(p.User.Username, session.Address, now)
	if throttled != nil {
		return throttled
	}
	user, _, err := s.check(ctx, p.User.Username, old)
	by := database.Actor{UserID: p.User.ID, Username: p.User.Username, Address: session.Address}
	switch {
	case errors.Is(err, ErrWrong) || err == nil && user.ID != p.User.ID:
		return errors.Join(ErrOldWrong, s.db.Audit(ctx, by,
			database.AuditRecord{Action: "user.password", Kind: "user", TargetID: p.User.ID, Target: p.User.Username, Detail: "wrong old password"}))
	case err != nil:
		a.undecided()
		return err
	}
	a.succeeded(now)
	return s.set(ctx, by, user.ID, new, false, p.TokenHash)
}

// SetPassword sets the password of a user and ends the user's sessions. With
// mustChange the user has to change it at the next log-in. The error is ErrTooShort,
// ErrTooLong, ErrSame, database.ErrNotFound, or another of the database.
func (s *Service) SetPassword(ctx context.Context, by database.Actor, userID int64, password string, mustChange bool) error {
	if err := checkNew(password); err != nil {
		return err
	}
	return s.set(ctx, by, userID, password, mustChange, "")
}

func (s *Service) set(ctx context.Context, by database.Actor, userID int64, password string, mustChange bool, keep string) error {
	hashed, err := s.hash(ctx, password)
	if err != nil {
		return err
	}
	return s.db.SetPassword(ctx, by, userID,
		database.Password{Hash: hashed, CanalHash: s.canalHash(password), MustChange: mustChange, Changed: s.o.Now()},
		database.PasswordChange{Action: "user.password", KeepOf: keep})
}

func checkNew(password string) error {
	switch {
	case utf8.RuneCountInString(password) < minPassword:
		return ErrTooShort
	case len(password) > maxPassword:
		return ErrTooLong
	case password == DefaultPassword:
		return ErrSame
	}
	return nil
}

// tokenHash is what is stored of a token: who reads the database cannot log in.
func tokenHash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}
