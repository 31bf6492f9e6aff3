package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/internal/admin/database"
	"github.com/towpath-cdc/towpath/internal/admin/fleet"
	"github.com/towpath-cdc/towpath/internal/admin/identity"
	"github.com/towpath-cdc/towpath/internal/control"
)

// fleetWorld is an admin with users of all roles and a fleet that asks real
// admin ports.
type fleetWorld struct {
	*API
	db    *database.DB
	users map[identity.Role]int64
}

// The tokens of the users of fleetWorld are the names of their roles.
var testRoles = []identity.Role{identity.RoleViewer, identity.RoleOperator, identity.RoleAdmin}

func newFleetWorld(t testing.TB) *fleetWorld {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	db, err := database.Open(t.Context(), database.Options{Driver: database.SQLite, Path: filepath.Join(t.TempDir(), "admin.db"), Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	f := fleet.New(fleet.Options{DB: db, User: "admin"})
	t.Cleanup(f.Close)
	a, err := New(Options{DB: db, Identity: identity.New(db, identity.Options{PollUser: "fleet", PollPassword: "fleet"}), Fleet: f, Logger: log, Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	w := &fleetWorld{API: a, db: db, users: map[identity.Role]int64{}}
	for _, role := range testRoles {
		id, err := db.InsertUser(t.Context(), database.Actor{}, database.User{Username: string(role), Name: string(role), Roles: string(role)})
		if err != nil {
			t.Fatal(err)
		}
		w.users[role] = id
		w.session(t, id, string(role))
	}
	return w
}

// session logs a user in with a token of the test's choice.
func (w *fleetWorld) session(t testing.TB, userID int64, token string) {
	t.Helper()
	hash := sha256.Sum256([]byte(token))
	err := w.db.InsertSession(t.Context(), database.Actor{}, database.Session{TokenHash: hex.EncodeToString(hash[:]), UserID: userID, Created: time.Now(), LastSeen: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
}

// answer is an envelope.
type answer struct {
	Code    int
	Message string
	Data    json.RawMessage
	Error   *Failure
}

// call asks as a user of a role; body is encoded unless it is nil.
func (w *fleetWorld) call(t testing.TB, role identity.Role, method, path string, body any, header ...string) answer {
	t.Helper()
	var text string
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		text = string(b)
	}
	r := httptest.NewRequestWithContext(t.Context(), method, "/api/v1"+path, strings.NewReader(text))
	r.Header.Set("X-Token", string(role))
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	rec := httptest.NewRecorder()
	w.Handler().ServeHTTP(rec, r)
	var got answer
	if err := json.Unmarshal(rec.Body.Bytes(), &got); err != nil {
		t.Fatalf("%s %s: %d %s: %v", method, path, rec.Code, rec.Body, err)
	}
	return got
}

// into asks and decodes the data, which must be there.
func into[T any](t testing.TB, w *fleetWorld, role identity.Role, method, path string, body any) (data T) {
	t.Helper()
	got := w.call(t, role, method, path, body)
	if got.Code != codeSuccess {
		t.Fatalf("%s %s: %d %s %+v", method, path, got.Code, got.Message, got.Error)
	}
	if err := json.Unmarshal(got.Data, &data); err != nil {
		t.Fatalf("%s %s: %s: %v", method, path, got.Data, err)
	}
	return data
}

// refusedWith asks for something that must fail with a reason.
func (w *fleetWorld) refusedWith(t testing.TB, reason string, role identity.Role, method, path string, body any) answer {
	t.Helper()
	got := w.call(t, role, method, path, body)
	if got.Code == codeSuccess || got.Error == nil || got.Error.Reason != reason || got.Message == "" {
		t.Errorf("%s %s: %d %q %+v, want a failure with reason %s", method, path, got.Code, got.Message, got.Error, reason)
	}
	return got
}

// answers is a Towpath server that answers each method from a table.
type answers struct {
	logs string

	mu     sync.Mutex
	by     map[string]func(params json.RawMessage) (any, error)
	params map[string]json.RawMessage // of the last call
}

func (s *answers) Check() bool                 { return true }
func (s *answers) Start() bool                 { return true }
func (s *answers) Stop() bool                  { return true }
func (s *answers) Restart() bool               { return true }
func (s *answers) List() []string              { return nil }
func (s *answers) CheckInstance(string) bool   { return true }
func (s *answers) StartInstance(string) bool   { return true }
func (s *answers) StopInstance(string) bool    { return true }
func (s *answers) ReleaseInstance(string) bool { return true }
func (s *answers) RestartInstance(string) bool { return true }

func (s *answers) Call(_ context.Context, method string, params json.RawMessage) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.params == nil {
		s.params = make(map[string]json.RawMessage)
	}
	s.params[method] = params
	if f := s.by[method]; f != nil {
		return f(params)
	}
	return nil, &control.Error{Code: control.CodeUnknownMethod, Message: "unknown method"}
}

func (s *answers) last(method string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return string(s.params[method])
}

// reporting is a server that runs instances, and knows of others.
func reporting(report control.ServerReport) *answers {
	return &answers{by: map[string]func(json.RawMessage) (any, error){
		control.MethodReport: func(json.RawMessage) (any, error) { return report, nil },
	}}
}

// addServer starts an admin port and registers it; cluster 0 is none.
func (w *fleetWorld) addServer(t testing.TB, name string, cluster int64, s *answers) int64 {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if s.logs == "" {
		s.logs = t.TempDir()
	}
	ctx, cancel := context.WithCancel(context.Background())
	server := control.NewServer(control.ServerOptions{LogsDir: s.logs, Backend: s, Logger: slog.New(slog.DiscardHandler)})
	done := make(chan error, 1)
	go func() { done <- server.Serve(ctx, ln) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return w.register(t, name, cluster, int32(ln.Addr().(*net.TCPAddr).Port))
}

func (w *fleetWorld) register(t testing.TB, name string, cluster int64, port int32) int64 {
	t.Helper()
	row := database.Server{Name: name, IP: "127.0.0.1", AdminPort: &port}
	if cluster != 0 {
		row.ClusterID = &cluster
	}
	id, err := w.db.InsertServer(t.Context(), database.Actor{}, row, "")
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func (w *fleetWorld) addCluster(t testing.TB, name, hosts string) int64 {
	t.Helper()
	id, err := w.db.InsertCluster(t.Context(), database.Actor{}, database.Cluster{Name: name, ZKHosts: hosts})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// addInstance stores an instance of a cluster, or else of a server.
func (w *fleetWorld) addInstance(t testing.TB, name string, cluster, server int64, content string) int64 {
	t.Helper()
	wanted := "1"
	row := database.Instance{Name: name, Content: content, Status: &wanted}
	if cluster != 0 {
		row.ClusterID = &cluster
	} else {
		row.ServerID = &server
	}
	id, err := w.db.InsertInstance(t.Context(), database.Actor{}, row)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// settle waits until all servers have been looked at.
func (w *fleetWorld) settle(t testing.TB) {
	t.Helper()
	servers, _, err := w.db.Servers(t.Context(), database.ServerFilter{})
	if err != nil {
		t.Fatal(err)
	}
	w.fleet.ServerStatuses(t.Context(), servers)
}

// runs is the report of an instance that runs.
func runs(name string, lag int64) control.InstanceReport {
	return control.InstanceReport{Destination: name, State: control.StateRunning, SinceMs: 1, LagMs: lag, LagBytes: -1,
		Source: &control.SourceReport{Address: "10.0.0.1:3306"}, Store: &control.StoreReport{}}
}

func writeLog(t testing.TB, dir, name string, lines int) {
	t.Helper()
	var b strings.Builder
	for i := range lines {
		fmt.Fprintf(&b, "2026-01-02 03:04:05.678 [main] INFO  c.a.o.X - line %d\n", i)
	}
	path := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
}
