package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/internal/admin/identity"
	"github.com/towpath-cdc/towpath/test/servers"
)

// runningAdmin is `towpath admin` in this process.
type runningAdmin struct {
	t      *testing.T
	home   string
	out    *lockedText
	url    string
	client *http.Client
	stop   func() int
}

var listens = regexp.MustCompile(`the admin listens address=(\S+)`)

// startAdmin starts an admin on a free port and waits until it listens.
func startAdmin(t *testing.T, home string, args ...string) *runningAdmin {
	t.Helper()
	a := &runningAdmin{t: t, home: home, out: &lockedText{}, client: &http.Client{
		Timeout: 30 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan int, 1)
	go func() {
		done <- run(ctx, append([]string{"admin", "--home", home, "--listen", "127.0.0.1:0"}, args...), strings.NewReader(""), a.out, a.out)
	}()
	a.stop = func() int {
		cancel()
		code := <-done
		done <- code
		a.client.CloseIdleConnections()
		return code
	}
	t.Cleanup(func() {
		a.stop()
		if t.Failed() {
			t.Log(a.out.String())
		}
	})
	a.await("the admin listens")
	a.url = listens.FindStringSubmatch(a.out.String())[1]
	return a
}

// await waits until the admin has written something.
func (a *runningAdmin) await(what string) {
	a.t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); !strings.Contains(a.out.String(), what); <-tick.C {
		if time.Now().After(deadline) {
			a.t.Fatalf("the admin has not said %q", what)
		}
	}
}

// answer is Canal's envelope.
type answer struct {
	Code    int
	Message string
	Data    map[string]any
}

func (a *runningAdmin) login(password string) answer {
	a.t.Helper()
	r, err := a.client.Post(a.url+"/api/v1/user/login", "application/json", strings.NewReader(fmt.Sprintf(`{"username":"admin","password":%q}`, password)))
	if err != nil {
		a.t.Fatal(err)
	}
	defer r.Body.Close()
	var out answer
	if err := json.NewDecoder(r.Body).Decode(&out); err != nil {
		a.t.Fatal(err)
	}
	return out
}

// TestAdmin runs an installation from nothing: first start, first log-in, a password
// set from outside, and a stop.
func TestAdmin(t *testing.T) {
	home := t.TempDir()
	a := startAdmin(t, home)
	a.await("the admin is running")
	if got := a.login(identity.DefaultPassword); got.Code != 20000 || got.Data["needPasswordChange"] != "true" {
		t.Errorf("first log-in: %+v", got)
	}
	r, err := a.client.Get(a.url + "/")
	if err != nil {
		t.Fatal(err)
	}
	page, _ := io.ReadAll(r.Body)
	r.Body.Close()
	if r.StatusCode != http.StatusOK || !strings.Contains(string(page), "<html") {
		t.Errorf("the page: %s %.100s", r.Status, page)
	}
	var out lockedText
	if code := run(t.Context(), []string{"admin", "passwd", "--home", home}, strings.NewReader("from outside\n"), &out, &out); code != exitOK {
		t.Fatalf("passwd ends with %d: %s", code, out.String())
	}
	if got := a.login("from outside"); got.Code != 20000 || got.Data["needPasswordChange"] != nil {
		t.Errorf("log-in after passwd: %+v", got)
	}
	if got := a.login(identity.DefaultPassword); got.Code == 20000 {
		t.Errorf("the old password: %+v", got)
	}
	if code := a.stop(); code != exitOK {
		t.Errorf("ended with %d", code)
	}
	text, err := os.ReadFile(filepath.Join(home, "logs", "admin.log"))
	if err != nil || !strings.Contains(string(text), "the admin stops") {
		t.Errorf("admin.log: %s, %v", text, err)
	}
	settings, err := os.ReadFile(filepath.Join(home, "conf", "application.yml"))
	if err != nil {
		t.Fatal(err)
	}
	shared := regexp.MustCompile(`adminPasswd: (\S+)`).FindSubmatch(settings)
	if shared == nil || strings.Contains(string(text), string(shared[1])) {
		t.Errorf("the shared password %q is missing, or logged", shared)
	}
}

func TestAdminPasswdRefuses(t *testing.T) {
	home := t.TempDir()
	startAdmin(t, home).await("the admin is running")
	for _, c := range []struct{ name, input, user, want string }{
		{"nothing", "", "admin", "no password"},
		{"short", "abcd\n", "admin", "too short"},
		{"default", "123456\n", "admin", "default password"},
		{"unknown user", "long enough\n", "nobody", "no user"},
	} {
		var out lockedText
		code := run(t.Context(), []string{"admin", "passwd", "--home", home, "--user", c.user}, strings.NewReader(c.input), &out, &out)
		if code != exitError || !strings.Contains(out.String(), c.want) {
			t.Errorf("%s: %d %s", c.name, code, out.String())
		}
	}
	var out lockedText
	code := run(t.Context(), []string{"admin", "passwd", "--home", t.TempDir()}, strings.NewReader("long enough\n"), &out, &out)
	if code != exitError || !strings.Contains(out.String(), "canal.adminPasswd is empty") {
		t.Errorf("no installation: %d %s", code, out.String())
	}
}

// TestAdminLimitsBodies ends a request whose body does not come, and none that takes
// its time to be answered.
func TestAdminLimitsBodies(t *testing.T) {
	const within = 100 * time.Millisecond
	for _, c := range []struct{ name, request, want string }{
		{"no body", "GET / HTTP/1.1\r\nHost: h\r\n\r\n", "<nil> <nil>"},
		{"a body", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\ntext", "<nil> <nil>"},
		{"half a body", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nte", "i/o timeout"},
	} {
		result := make(chan string, 1)
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			limitBody(w, r, within)
			_, err := io.Copy(io.Discard, r.Body)
			timer := time.NewTimer(2 * within)
			defer timer.Stop()
			select {
			case <-timer.C:
			case <-r.Context().Done():
			}
			result <- fmt.Sprint(err, " ", r.Context().Err())
		}))
		conn, err := net.Dial("tcp", s.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, c.request); err != nil {
			t.Fatal(err)
		}
		if got := <-result; !strings.Contains(got, c.want) {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
		conn.Close()
		s.Close()
	}
}

func TestAdminHash(t *testing.T) {
	var out lockedText
	if code := run(t.Context(), []string{"admin", "hash"}, strings.NewReader("admin\r\n"), &out, &out); code != exitOK || out.String() != "4acfe3202a5ff5cf467898fc58aab1d615029441\n" {
		t.Errorf("%d %q", code, out.String())
	}
}

func TestAdminRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"no shared password": {[]string{"-D", "canal.adminPasswd="}, "canal.adminPasswd is empty , pls check https://github.com/alibaba/canal/issues/4941"},
		"no certificate":     {[]string{"-D", "towpath.tls.cert=none.pem", "-D", "towpath.tls.key=none.pem"}, "towpath.tls.cert"},
		"no authority":       {[]string{"-D", "towpath.control.ca=none.pem"}, "towpath.control.ca"},
		"no network":         {[]string{"-D", "towpath.address.allow=10.0.0.0/99"}, "towpath.address.allow"},
		"no port":            {[]string{"--listen", "127.0.0.1:99999"}, "server.port"},
		"no database":        {[]string{"--listen", "127.0.0.1:0", "-D", "spring.datasource.url=jdbc:h2:mem", "-D", "towpath.database=mysql"}, "jdbc:mysql://"},
		"no origin":          {[]string{"--listen", "127.0.0.1:0", "-D", "towpath.cors.origins=nowhere"}, "origin"},
	} {
		var out lockedText
		code := run(t.Context(), append([]string{"admin", "--home", t.TempDir()}, c.args...), strings.NewReader(""), &out, &out)
		if code != exitError || !strings.Contains(out.String(), c.want) {
			t.Errorf("%s: %d %s", name, code, out.String())
		}
	}
}

// TestAdminTLS serves HTTPS.
func TestAdminTLS(t *testing.T) {
	home := t.TempDir()
	cert, key := selfSigned(t, home)
	a := startAdmin(t, home, "-D", "towpath.tls.cert="+cert, "-D", "towpath.tls.key="+key)
	a.await("the admin is running")
	if !strings.HasPrefix(a.url, "https://") {
		t.Fatal(a.url)
	}
	r, err := a.client.Post(a.url+"/api/v1/user/login", "application/json", strings.NewReader(`{"username":"admin","password":"123456"}`))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if cookie := r.Header.Get("Set-Cookie"); !strings.Contains(cookie, "Secure") {
		t.Errorf("cookie %q", cookie)
	}
}

func selfSigned(t *testing.T, dir string) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"localhost"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, kind string, b []byte) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	return write("cert.pem", "CERTIFICATE", der), write("key.pem", "PRIVATE KEY", pkcs8)
}

// TestAdminWaitsForDatabase starts before MySQL does, and works once that is there.
func TestAdminWaitsForDatabase(t *testing.T) {
	s := servers.ForTest(t, servers.MySQL57)
	s.MustExec(t, "CREATE DATABASE canal_manager DEFAULT CHARACTER SET utf8")
	s.Kill()
	a := startAdmin(t, t.TempDir(), "-D", "spring.datasource.url=jdbc:mysql://"+s.Addr()+"/canal_manager?useSSL=false", "-D", "spring.datasource.username=root")
	a.await("the database cannot be opened, it is tried again")
	r, err := a.client.Get(a.url + "/")
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	if r.StatusCode != http.StatusServiceUnavailable || r.Header.Get("Retry-After") == "" {
		t.Errorf("while it waits: %s", r.Status)
	}
	if err := s.Up(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
	a.await("the admin is running")
	if got := a.login(identity.DefaultPassword); got.Code != 20000 {
		t.Errorf("log-in: %+v", got)
	}
}
