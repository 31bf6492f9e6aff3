package identity

import (
	"errors"
	"path/filepath"
	"strings"
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
	db  *database.DB
	now time.Time
}

func newFixture(t *testing.T, o Options) *fixture {
	t.Helper()
	f := &fixture{now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	clock := func() time.Time { return f.now }
	var err error
	f.db, err = database.Open(t.Context(), database.Options{Driver: database.SQLite, Path: filepath.Join(t.TempDir(), "admin.db"), Now: clock})
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
