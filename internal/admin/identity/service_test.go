package identity

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/towpath-cdc/towpath/internal/admin/database"
)

func TestMain(m *testing.M) {
	presentCost = cost{memory: 64, passes: 1, threads: 1} // the real one is for real passwords
	goleak.VerifyTestMain(m)
}

// fixture is a service with the first user, whose clock the test moves.
type fixture struct {
	*Service
	db   *database.DB
	path string
	now  time.Time
}

func newFixture(t *testing.T, o Options) *fixture {
	t.Helper()
	f := &fixture{now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), path: filepath.Join(t.TempDir(), "admin.db")}
	clock := func() time.Time { return f.now }
	var err error
	f.db, err = database.Open(t.Context(), database.Options{Driver: database.SQLite, Path: f.path, Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.db.Close() })
	o.Now = clock
	f.Service = New(f.db, o)
	if added, err := f.EnsureFirstUser(t.Context(), ""); !added || err != nil {
		t.Fatalf("first user: %v, %v", added, err)
	}
	return f
}

func (f *fixture) login(t *testing.T, password string) (string, Principal) {
	t.Helper()
	token, p, err := f.Login(t.Context(), "admin", password, "192.0.2.1", "test")
	if err != nil {
		t.Fatal(err)
	}
	return token, p
}

func TestFirstLogin(t *testing.T) {
	f := newFixture(t, Options{})
	token, p := f.login(t, DefaultPassword)
	if !p.MustChange || p.Role != RoleAdmin {
		t.Errorf("principal %+v", p)
	}
	if u, _ := f.db.UserNamed(t.Context(), "admin"); u.PasswordHash != database.UpgradedHash {
		t.Errorf("Canal's hash stayed: %q", u.PasswordHash)
	}
	for _, c := range []struct {
		name, old, new string
		want           error
	}{
		{"short", DefaultPassword, "äöü1", ErrTooShort},
		{"long", DefaultPassword, strings.Repeat("x", 1025), ErrTooLong},
		{"default again", DefaultPassword, DefaultPassword, ErrSame},
		{"wrong", "654321", "secret1", ErrOldWrong},
		{"right", DefaultPassword, "secret1", nil},
	} {
		if err := f.ChangePassword(t.Context(), p, c.old, c.new); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
		}
	}
	if p, err := f.Authenticate(t.Context(), token); err != nil || p.MustChange {
		t.Errorf("after the change: %+v, %v", p, err)
	}
	if _, p := f.login(t, "secret1"); p.MustChange {
		t.Error("the new password must be changed")
	}
}

func TestSessions(t *testing.T) {
	f := newFixture(t, Options{})
	ctx := t.Context()
	token, p := f.login(t, DefaultPassword)
	wantExpired := func(what, token string) {
		t.Helper()
		if _, err := f.Authenticate(ctx, token); !errors.Is(err, ErrExpired) {
			t.Errorf("%s: got %v, want ErrExpired", what, err)
		}
	}
	wantExpired("no token", "")
	wantExpired("the stored hash as a token", p.TokenHash)
	for range 3 { // use makes it last
		f.now = f.now.Add(20 * time.Minute)
		if got, err := f.Authenticate(ctx, token); err != nil || got.TokenHash != p.TokenHash || !got.MustChange {
			t.Fatalf("in use: %+v, %v", got, err)
		}
	}
	f.now = f.now.Add(30 * time.Minute)
	wantExpired("after half an hour", token)

	token, _ = f.login(t, DefaultPassword)
	if err := f.Logout(ctx, token); err != nil {
		t.Error(err)
	}
	wantExpired("after the log-out", token)
	if err := errors.Join(f.Logout(ctx, token), f.Logout(ctx, "")); err != nil {
		t.Error(err)
	}

	token, p = f.login(t, DefaultPassword)
	other, _ := f.login(t, DefaultPassword)
	if err := f.ChangePassword(ctx, p, DefaultPassword, "secret"); err != nil {
		t.Fatal(err)
	}
	wantExpired("another session after a change of the password", other)
	if _, err := f.Authenticate(ctx, token); err != nil {
		t.Errorf("the session that changed it: %v", err)
	}
	if err := f.SetPassword(ctx, database.Actor{}, p.User.ID, "another", true); err != nil {
		t.Fatal(err)
	}
	wantExpired("after somebody set the password", token)
	token, p = f.login(t, "another")
	if !p.MustChange {
		t.Error("a password set by somebody else may be kept")
	}
	_, err := f.db.InsertUser(ctx, database.Actor{}, database.User{Username: "second", Roles: "admin"})
	if err != nil {
		t.Fatal(err)
	}
	u := p.User
	u.Disabled = true
	if err := f.db.UpdateUser(ctx, database.Actor{}, u); err != nil {
		t.Fatal(err)
	}
	wantExpired("disabled", token)
	if _, _, err := f.Login(ctx, "admin", "another", "192.0.2.1", ""); !errors.Is(err, ErrWrong) {
		t.Errorf("log-in of a disabled user: %v", err)
	}
	if _, _, err := f.Login(ctx, "second", database.UpgradedHash, "192.0.2.1", ""); !errors.Is(err, ErrWrong) {
		t.Errorf("log-in of a user without a password: %v", err)
	}
}

// asJava sets a password as a Java admin does.
func (f *fixture) asJava(t *testing.T, hash string) {
	t.Helper()
	db, err := sql.Open("sqlite", f.path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), "UPDATE canal_user SET password = ? WHERE username = 'admin'", hash); err != nil {
		t.Fatal(err)
	}
}

func (f *fixture) canalHash(t *testing.T) string {
	t.Helper()
	u, err := f.db.UserNamed(t.Context(), "admin")
	if err != nil {
		t.Fatal(err)
	}
	return u.PasswordHash
}

// TestCanalHashes logs in by the hashes that a Java admin has stored, of either case,
// and goes back and forth between the two.
func TestCanalHashes(t *testing.T) {
	f := newFixture(t, Options{})
	before := DefaultPassword
	for _, c := range []struct{ password, hash string }{
		{"by java 1", strings.ToUpper(HashCanal("by java 1"))}, {"by java 2", HashCanal("by java 2")},
	} {
		f.login(t, before)
		f.asJava(t, c.hash)
		if _, _, err := f.Login(t.Context(), "admin", before, "192.0.2.1", ""); !errors.Is(err, ErrWrong) {
			t.Errorf("the password of before: %v", err)
		}
		for range 2 {
			f.login(t, c.password)
			if got := f.canalHash(t); got != database.UpgradedHash {
				t.Errorf("canal_user has %s", got)
			}
		}
		before = c.password
	}
}

// TestKeepCanalHash leaves the way back to a Java admin open, until it is closed.
func TestKeepCanalHash(t *testing.T) {
	f := newFixture(t, Options{KeepCanalHash: true})
	f.asJava(t, strings.ToUpper(HashCanal("by java")))
	for range 2 {
		f.login(t, "by java")
		if got := f.canalHash(t); !strings.EqualFold(got, HashCanal("by java")) {
			t.Errorf("canal_user has %s", got)
		}
	}
	_, p := f.login(t, "by java")
	if err := f.ChangePassword(t.Context(), p, "by java", "by towpath"); err != nil {
		t.Fatal(err)
	}
	if got := f.canalHash(t); got != HashCanal("by towpath") {
		t.Errorf("after a change canal_user has %s", got)
	}
	if stored, err := f.db.PasswordOf(t.Context(), p.User.ID); err != nil || !strings.HasPrefix(stored.Hash, "$argon2id$") {
		t.Errorf("stored %+v, %v", stored, err)
	}
	f.o.KeepCanalHash = false
	f.login(t, "by towpath")
	if got := f.canalHash(t); got != database.UpgradedHash {
		t.Errorf("canal_user still has %s", got)
	}
	f.login(t, "by towpath")
}

// TestCostGrows makes a hash anew once new ones cost more.
func TestCostGrows(t *testing.T) {
	f := newFixture(t, Options{})
	_, p := f.login(t, DefaultPassword)
	before, _ := f.db.PasswordOf(t.Context(), p.User.ID)
	presentCost.passes++
	defer func() { presentCost.passes-- }()
	f.login(t, DefaultPassword)
	after, err := f.db.PasswordOf(t.Context(), p.User.ID)
	if err != nil || after.Hash == before.Hash || !strings.Contains(after.Hash, "t=2") {
		t.Errorf("%s became %s, %v", before.Hash, after.Hash, err)
	}
}

// TestRefusals gives the same answer whatever is wrong, and no secret away.
func TestRefusals(t *testing.T) {
	var logged bytes.Buffer
	f := newFixture(t, Options{Logger: slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	ctx := t.Context()
	secrets := []string{"s3cret-typed", "s3cret-as-name", "s3cret-new", HashCanal("s3cret-typed")}
	var said []string
	note := func(err error) {
		if err != nil {
			said = append(said, err.Error())
		}
	}
	for _, c := range []struct {
		user, password string
		want           error
	}{
		{"", "s3cret-typed", ErrEmpty}, {"admin", "", ErrEmpty},
		{"admin", "s3cret-typed", ErrWrong}, {"s3cret-as-name", "s3cret-typed", ErrWrong}, {"admin", strings.Repeat("s3cret-typed", 1000), ErrWrong},
	} {
		_, _, err := f.Login(ctx, c.user, c.password, "192.0.2.1", "agent")
		if !errors.Is(err, c.want) || err.Error() != c.want.Error() {
			t.Errorf("%.20s: got %v, want %v", c.user, err, c.want)
		}
		note(err)
	}
	token, p := f.login(t, DefaultPassword)
	note(f.ChangePassword(ctx, p, "s3cret-typed", "s3cret-new"))
	note(f.ChangePassword(ctx, p, DefaultPassword, "s3cret-new"))
	f.db.Close()
	for _, call := range []func() error{
		func() error { _, _, err := f.Login(ctx, "admin", "s3cret-new", "192.0.2.9", ""); return err },
		func() error { _, err := f.Authenticate(ctx, token); return err },
		func() error { return f.SetPassword(ctx, database.Actor{}, p.User.ID, "s3cret-new", false) },
	} {
		err := call()
		if err == nil {
			t.Error("a closed database lets in")
		}
		note(err)
	}
	again, err := database.Open(ctx, database.Options{Driver: database.SQLite, Path: f.path})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	trail, err := again.AuditTrail(ctx, database.AuditQuery{})
	if err != nil || len(trail) < 5 {
		t.Fatalf("audit %+v, %v", trail, err)
	}
	for _, r := range trail {
		said = append(said, r.Username+" "+r.Target+" "+r.Detail)
	}
	text := logged.String() + strings.Join(said, "\n")
	for _, secret := range append(secrets, token, p.TokenHash) {
		if strings.Contains(text, secret) {
			t.Errorf("%q is told:\n%s", secret, text)
		}
	}
}

// TestUnavailableCountsForNothing throttles nobody because the database is away.
func TestUnavailableCountsForNothing(t *testing.T) {
	f := newFixture(t, Options{})
	f.db.Close()
	for range 20 {
		_, _, err := f.Login(t.Context(), "admin", "secret", "192.0.2.1", "")
		var throttled *ThrottledError
		if err == nil || errors.As(err, &throttled) || errors.Is(err, ErrWrong) {
			t.Fatalf("got %v", err)
		}
	}
}

// TestThrottledLogin refuses a right password, too, so that guessing goes no faster.
func TestThrottledLogin(t *testing.T) {
	f := newFixture(t, Options{})
	login := func(password string) error {
		_, _, err := f.Login(t.Context(), "admin", password, "192.0.2.1", "")
		return err
	}
	for range freeOfPair + 1 {
		if err := login("wrong"); !errors.Is(err, ErrWrong) {
			t.Fatal(err)
		}
	}
	var throttled *ThrottledError
	if err := login(DefaultPassword); !errors.As(err, &throttled) || throttled.RetryAfter != time.Second {
		t.Fatalf("got %v", err)
	}
	f.now = f.now.Add(time.Second)
	if err := login(DefaultPassword); err != nil {
		t.Fatal(err)
	}
	if err := login("wrong"); !errors.Is(err, ErrWrong) {
		t.Errorf("after a log-in: %v", err)
	}
}

// TestHashingIsBounded makes few hashes at a time, and lets few wait.
func TestHashingIsBounded(t *testing.T) {
	s := New(nil, Options{})
	var done []func()
	for range maxHashing {
		d, err := s.turn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		done = append(done, d)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	refused := make(chan error, 2*maxWaiting)
	for range 2 * maxWaiting {
		wg.Go(func() {
			_, err := s.turn(ctx)
			refused <- err
		})
	}
	for range maxWaiting { // the others wait
		var throttled *ThrottledError
		if err := <-refused; !errors.As(err, &throttled) {
			t.Errorf("got %v", err)
		}
	}
	cancel()
	wg.Wait()
	for range maxWaiting {
		if err := <-refused; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	}
	for _, d := range done {
		d()
	}
	if len(s.hashing)+len(s.waiting) != 0 {
		t.Error("turns are left")
	}
}

func TestRoles(t *testing.T) {
	for roles, want := range map[string]Role{"admin": RoleAdmin, "operator,admin": RoleAdmin, "operator": RoleOperator, "": RoleViewer, "administrator": RoleViewer, "editor, operator": RoleOperator} {
		if got := RoleOf(roles); got != want {
			t.Errorf("%q: %s, want %s", roles, got, want)
		}
	}
}

// MySQL takes names for the same that differ in accents, or in blanks at the end. Each
// was once a name of its own for the throttle, and so a way past it.
func TestNamesThatOnlyTheDatabaseTakesForTheSame(t *testing.T) {
	f := newFixture(t, Options{})
	raw, err := sql.Open("sqlite", f.path+"?_pragma=writable_schema(1)")
	if err != nil {
		t.Fatal(err)
	}
	_, err = raw.ExecContext(t.Context(), "UPDATE sqlite_master SET sql = replace(sql, 'username varchar(255) NOT NULL COLLATE NOCASE', 'username varchar(255) NOT NULL COLLATE RTRIM') WHERE name = 'canal_user'")
	if err := errors.Join(err, raw.Close(), f.db.Close()); err != nil {
		t.Fatal(err)
	}
	if f.db, err = database.Open(t.Context(), database.Options{Driver: database.SQLite, Path: f.path}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.db.Close() })
	s := New(f.db, Options{})
	if u, err := f.db.UserNamed(t.Context(), "admin  "); err != nil || u.Username != "admin" {
		t.Fatalf("the database does not do what the test is about: %+v, %v", u, err)
	}
	if _, _, err := s.Login(t.Context(), "admin  ", DefaultPassword, "192.0.2.1", ""); !errors.Is(err, ErrWrong) {
		t.Errorf("another name: %v", err)
	}
	if _, _, err := s.Login(t.Context(), "admin", DefaultPassword, "192.0.2.1", ""); err != nil {
		t.Errorf("the name: %v", err)
	}
}
