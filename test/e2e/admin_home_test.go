package e2e

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/towpath-cdc/towpath/protocol"
	"github.com/towpath-cdc/towpath/test/servers"
)

// The password that the admin and its servers share, and the one that its first
// user gets.
const (
	fleetPassword = "fleet-secret"
	webPassword   = "towpath-story"
)

// adminHome is an installation of the admin, with its database in a file.
type adminHome struct {
	*home
	token string // of the session that is logged in
}

// newAdmin makes an installation of the admin. It is stopped with the test.
func newAdmin(t testing.TB, more string) *adminHome {
	t.Helper()
	bin, err := build()
	if err != nil {
		t.Fatal(err)
	}
	port, err := servers.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	h := &home{t: t, dir: t.TempDir(), port: port, bin: bin, role: "admin"}
	h.write("conf/application.yml", fmt.Sprintf(`server:
  port: %d
  address: 127.0.0.1
canal:
  adminUser: admin
  adminPasswd: %s
towpath:
  database: sqlite
%s`, port, fleetPassword, more))
	t.Cleanup(func() {
		h.kill()
		h.checkOutput()
		if t.Failed() {
			out := h.output()
			t.Logf("end of the admin's log:\n%s", out[max(0, len(out)-6000):])
		}
	})
	return &adminHome{home: h}
}

// start starts the admin and waits until it answers: it takes its port before it
// opens its database.
func (a *adminHome) start() {
	a.t.Helper()
	a.home.start()
	eventually(a.t, startLimit, "the admin answers", func() bool {
		resp, err := http.Get(a.url("/"))
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
}

func (a *adminHome) url(path string) string { return "http://" + a.addr() + path }

// answer is the envelope of every answer.
type answer struct {
	Code    int             `json:"code"`
	Message *string         `json:"message"`
	Data    json.RawMessage `json:"data"`
}

// ask makes a call and returns what came, whatever its code.
func (a *adminHome) ask(method, path string, body any) (answer, error) {
	var send io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return answer{}, err
		}
		send = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(a.t.Context(), method, a.url("/api/v1"+path), send)
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Token", a.token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	var got answer
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil {
		return got, fmt.Errorf("%s %s: %s: %w", method, path, resp.Status, err)
	}
	return got, nil
}

// call makes a call that must succeed; data, if not nil, receives what it gives.
func (a *adminHome) call(method, path string, body, data any) {
	a.t.Helper()
	got, err := a.ask(method, path, body)
	if err != nil {
		a.t.Fatal(err)
	}
	if got.Code != 20000 {
		message := "no message"
		if got.Message != nil {
			message = *got.Message
		}
		a.t.Fatalf("%s %s: %d %s", method, path, got.Code, message)
	}
	if data != nil {
		if err := json.Unmarshal(got.Data, data); err != nil {
			a.t.Fatalf("%s %s: %v: %s", method, path, err, got.Data)
		}
	}
}

// login logs in with the first password and replaces it.
func (a *adminHome) login() {
	a.t.Helper()
	var session struct{ Token string }
	a.call("POST", "/user/login", map[string]string{"username": "admin", "password": "123456"}, &session)
	a.token = session.Token
	a.call("PUT", "/user", map[string]string{"username": "admin", "oldPassword": "123456", "password": webPassword}, nil)
}

// newManaged makes an installation that has its configuration from the admin.
func newManaged(t testing.TB, a *adminHome, cluster, name string) (h *home, adminPort int) {
	t.Helper()
	h = newHome(t, nil) // for its ports and its end; its files are replaced
	ports := make([]int, 2)
	for i := range ports {
		var err error
		if ports[i], err = servers.FreePort(); err != nil {
			t.Fatal(err)
		}
	}
	h.remove("conf/canal.properties")
	h.write("conf/canal_local.properties", fmt.Sprintf(`canal.register.ip = 127.0.0.1
canal.ip = 127.0.0.1
canal.port = %d
canal.metrics.pull.port = %d
canal.admin.manager = %s
canal.admin.port = %d
canal.admin.user = admin
canal.admin.passwd = %s
canal.admin.register.auto = true
canal.admin.register.cluster = %s
canal.admin.register.name = %s
`, h.port, ports[1], a.addr(), ports[0], canalHash(fleetPassword), cluster, name))
	return h, ports[0]
}

// canalHash is a password as servers send it.
func canalHash(password string) string {
	sum := protocol.HashPassword([]byte(password))
	return hex.EncodeToString(sum[:])
}
