package api

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/internal/admin/database"
	"github.com/towpath-cdc/towpath/internal/admin/identity"
)

// world is an admin on an empty database, with servers that are not there.
type world struct {
	api   *API
	db    *database.DB
	fleet *fakeFleet
	url   string
}

func newWorld(t testing.TB) *world {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	db, err := database.Open(t.Context(), database.Options{Driver: database.SQLite, Path: filepath.Join(t.TempDir(), "admin.db"), Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	service := identity.New(db, identity.Options{PollUser: "admin", PollPassword: "admin"})
	if _, err := service.EnsureFirstUser(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	w := &world{db: db, fleet: &fakeFleet{}}
	w.api, err = New(Options{DB: db, Identity: service, Fleet: w.fleet, Logger: log, UI: pages(), Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(w.api.Handler())
	t.Cleanup(server.Close)
	w.url = server.URL
	return w
}

// get asks without a server between, so that odd paths stay as they are.
func (w *world) get(t testing.TB, path, token string) (int, http.Header, []byte) {
	return w.do(t, http.MethodGet, path, token, "")
}

func (w *world) do(t testing.TB, method, path, token, body string) (int, http.Header, []byte) {
	t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if token != "" {
		r.Header.Set("X-Token", token)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	rec := httptest.NewRecorder()
	w.api.Handler().ServeHTTP(rec, r)
	got, err := io.ReadAll(rec.Body)
	if err != nil {
		t.Fatal(err)
	}
	return rec.Code, rec.Header(), got
}

// addUser logs a user in, who is added if need be, with the name for a token.
func (w *world) addUser(t testing.TB, name, roles string, mustChange bool) {
	t.Helper()
	id, err := w.db.InsertUser(t.Context(), database.Actor{}, database.User{Username: name, Name: name, Roles: roles})
	if errors.Is(err, database.ErrDuplicate) {
		var u database.User
		u, err = w.db.UserNamed(t.Context(), name)
		id = u.ID
	}
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	err = w.db.InsertSession(t.Context(), database.Actor{}, database.Session{
		TokenHash: sha256Hex(name), UserID: id, Created: now, LastSeen: now, MustChange: mustChange})
	if err != nil {
		t.Fatal(err)
	}
}

func sha256Hex(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// envelope is an answer of any call.
type envelope struct {
	Code    int
	Message *string
	Data    json.RawMessage
	Error   *Failure
}

// call asks as a user and wants an envelope.
func (w *world) call(t testing.TB, method, path, token, body string) envelope {
	t.Helper()
	status, _, got := w.do(t, method, path, token, body)
	var e envelope
	if err := json.Unmarshal(got, &e); err != nil || status != http.StatusOK {
		t.Fatalf("%s %s: %d %s", method, path, status, got)
	}
	return e
}

func (e envelope) String() string {
	message := "null"
	if e.Message != nil {
		message = *e.Message
	}
	return fmt.Sprintf("%d %s %s", e.Code, message, e.Data)
}
