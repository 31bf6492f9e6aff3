package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/client"
	"github.com/towpath-cdc/towpath/internal/control"
	"github.com/towpath-cdc/towpath/internal/testkit/admintest"
	"github.com/towpath-cdc/towpath/internal/testkit/mysqltest"
)

// managedHome is an installation whose only file is canal_local.properties.
type managedHome struct {
	home
	admin     *admintest.Admin
	adminPort int
	source    *mysqltest.Server
}

func newManagedHome(t *testing.T, rows int, lines ...string) *managedHome {
	t.Helper()
	return newManagedHomeOf(t, admintest.Start(t), rows, lines...)
}

func newManagedHomeOf(t *testing.T, admin *admintest.Admin, rows int, lines ...string) *managedHome {
	t.Helper()
	h := &managedHome{home: home{dir: t.TempDir(), port: freePort(t)}, admin: admin, adminPort: freePort(t), source: sourceOf(t, rows)}
	h.write(t, "canal_local.properties", append([]string{
		"canal.register.ip = 127.0.0.1", "canal.ip = 127.0.0.1", "canal.metrics.pull.port = 0",
		"canal.admin.manager = " + h.admin.Addr(), "canal.admin.user = " + admintest.User, "canal.admin.passwd = " + admintest.Hash,
		"canal.admin.port = " + strconv.Itoa(h.adminPort), "canal.admin.register.auto = true", "canal.admin.register.name = kaven",
	}, lines...)...)
	h.server()
	return h
}

// server gives the admin a canal.properties with the port of the home.
func (h *managedHome) server(lines ...string) {
	h.admin.Server(append([]string{"canal.port = " + strconv.Itoa(h.port), "canal.auto.scan = true", "canal.auto.scan.interval = 1",
		"canal.instance.global.mode = manager", "canal.instance.global.spring.xml = classpath:spring/file-instance.xml",
		"canal.instance.memory.batch.mode = ITEMSIZE"}, lines...)...)
}

// instance gives the admin the text of a destination.
func (h *managedHome) instance(destination string, lines ...string) {
	h.admin.Instance(destination, append([]string{"canal.instance.master.address = " + h.source.Address(),
		"canal.instance.dbUsername = canal", "canal.instance.dbPassword = secret-of-the-source",
		"canal.instance.master.journal.name = mysql-bin.000001", "canal.instance.master.position = 4"}, lines...)...)
}

// steer connects to the admin port.
func (h *managedHome) steer(t *testing.T) *control.Client {
	t.Helper()
	return steer(t, h.adminPort)
}

func steer(t *testing.T, port int) *control.Client {
	c := control.NewClient(control.ClientOptions{Address: "127.0.0.1:" + strconv.Itoa(port), User: "admin", Password: "admin"})
	t.Cleanup(c.Close)
	return c
}

// count is how often the server has said something.
func (x *serving) count(text string) int { return strings.Count(x.out.String(), text) }

// saysAgain waits until it has been said n times.
func (x *serving) saysAgain(text string, n int) {
	x.t.Helper()
	x.await(fmt.Sprintf("%q %d times", text, n), func() bool { return x.count(text) >= n })
}

// await polls until ok.
func (x *serving) await(what string, ok func() bool) {
	x.t.Helper()
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			x.t.Fatalf("waited in vain for %s\n%s", what, x.out)
		}
	}
}

// polled waits until the admin has been asked for everything once more.
func (h *managedHome) polled(x *serving) {
	x.t.Helper()
	count := func() (n int) {
		for _, r := range h.admin.Requests() {
			if strings.Contains(r, "server_polling") {
				n++
			}
		}
		return n
	}
	before := count()
	x.await("a poll", func() bool { return count() >= before+2 })
}

// TestManaged: canal_local.properties alone is enough; what the admin says comes
// into force while the server runs (P1, P6, P7, P8, C28).
func TestManaged(t *testing.T) {
	h := newManagedHome(t, 3)
	h.instance("example")
	x := serveHome(t, h.home)
	x.says("start CanalInstances[example] successfully")
	if got := strings.Join(rowsOf(t, h.home, 3), " "); got != "0 1 2" {
		t.Errorf("rows %s", got)
	}
	first := h.admin.Requests()[0]
	if want := fmt.Sprintf("/api/v1/config/server_polling?ip=127.0.0.1&port=%d&md5=&register=1&cluster=&name=kaven", h.adminPort); first != want {
		t.Errorf("first request %s, want %s", first, want)
	}
	h.instance("second")
	x.says("auto notify start second successful.")
	h.instance("example", "canal.instance.filter.regex = only\\\\..*")
	x.says("auto notify reload example successful.")
	x.says("--> init table filter : ^only\\..*$")
	h.admin.Remove("second")
	x.says("auto notify stop second successful.")
	// The server's keys win over the instance's, so the port is the same, and the
	// values of a changed server reach the instances.
	h.server("canal.instance.filter.regex = all\\\\..*")
	x.says("--> init table filter : ^all\\..*$")
	if code := x.stop(); code != exitOK {
		t.Errorf("exit code %d", code)
	}
	if strings.Contains(x.out.String(), "secret-of-the-source") || strings.Contains(x.out.String(), admintest.Hash) {
		t.Error("a password is in the log")
	}
	var files []string
	entries, err := os.ReadDir(filepath.Join(h.dir, "conf"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		files = append(files, e.Name())
	}
	if want := []string{"canal-admin.cache", "canal_local.properties", "example", "second"}; !slices.Equal(files, want) {
		t.Errorf("files %q, want %q", files, want)
	}
	if left, _ := filepath.Glob(filepath.Join(h.dir, "conf", "*", "instance.properties")); len(left) != 0 {
		t.Errorf("configuration was written: %q", left)
	}
}

// TestManagedServerText: a new text restarts the server in its process, one that
// cannot be used leaves it as it is, and comments do not count (C29, P6).
func TestManagedServerText(t *testing.T) {
	h := newManagedHome(t, 2)
	h.instance("example")
	x := serveHome(t, h.home)
	rowsOf(t, h.home, 2)
	starts := func() int { return x.count("## the canal server is running now") }

	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	good := h.port
	for _, wrong := range []struct{ line, want string }{
		{"canal.port = many", "canal-admin: canal.properties line 7"},
		{"canal.serverMode = kafka", "not supported"},
		{"a = \\u12", "canal-admin: canal.properties line 7: malformed"},
	} {
		h.server(wrong.line)
		x.says(wrong.want)
		h.polled(x)
		if n := starts(); n != 1 {
			t.Errorf("%s: %d starts", wrong.line, n)
		}
	}
	if got := x.count("the server runs as before"); got != 3 {
		t.Errorf("%d complaints, want 3", got)
	}

	// The port is in use: the server goes back to what it had.
	h.server("canal.port = " + strconv.Itoa(taken.Addr().(*net.TCPAddr).Port))
	x.says("it goes back to the one before")
	x.await("the old server", func() bool { return starts() == 2 })
	addRows(h.source, 2, 3)
	if got := strings.Join(rowsOf(t, h.home, 1), " "); got != "2" {
		t.Errorf("rows %s", got)
	}

	h.port = freePort(t)
	h.server()
	x.await("the new server", func() bool { return starts() == 3 })
	addRows(h.source, 3, 4)
	if got := strings.Join(rowsOf(t, h.home, 1), " "); got != "3" {
		t.Errorf("rows %s", got)
	}
	if c, err := net.Dial("tcp", "127.0.0.1:"+strconv.Itoa(good)); err == nil {
		c.Close()
		t.Error("the old port is still open")
	}
	h.server("# a comment")
	h.polled(x)
	if n := starts(); n != 3 {
		t.Errorf("%d starts after a comment", n)
	}
}

// TestManagedWithoutAdmin: a start while the admin is away, with and without what it
// said before; and the admin away while the server runs.
func TestManagedWithoutAdmin(t *testing.T) {
	h := newManagedHome(t, 2)
	h.instance("example")
	h.admin.Down(true)
	x := launch(t, h.home)
	x.says("## Something goes wrong when starting up the canal Server:")
	x.says("load manager config failed.: requestGet remote error, request : http://")
	h.admin.Down(false)
	x.says("## the canal server is running now")
	rowsOf(t, h.home, 2)
	h.admin.Down(true)
	x.says("scan failed")
	addRows(h.source, 2, 3)
	rowsOf(t, h.home, 1)
	x.stop()

	y := launch(t, h.home)
	y.says("the server runs with what the admin said last")
	addRows(h.source, 3, 4)
	if got := strings.Join(rowsOf(t, h.home, 1), " "); got != "3" {
		t.Errorf("rows %s", got)
	}
	report := control.ServerReport{}
	if err := h.steer(t).Call(t.Context(), control.MethodReport, control.ReportParams{}, &report); err != nil {
		t.Fatal(err)
	}
	if report.ConfigSource != "cache" || report.AdminError == "" || report.ConfigMD5 == "" {
		t.Errorf("report: source %q, MD5 %q, error %q", report.ConfigSource, report.ConfigMD5, report.AdminError)
	}
	h.admin.Remove("example")
	h.admin.Down(false)
	y.says("auto notify stop example successful.")
	if n := y.count("## the canal server is running now"); n != 1 {
		t.Errorf("%d starts", n)
	}
	y.stop()
}

// launch runs the server and does not wait until it serves.
func launch(t *testing.T, h home, args ...string) *serving {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	x := &serving{t: t, out: &lockedText{}, cancel: cancel, code: make(chan int, 1)}
	args = append([]string{"server", "--home", h.dir}, args...)
	go func() { x.code <- run(ctx, args, strings.NewReader(""), x.out, x.out) }()
	t.Cleanup(func() {
		x.stop()
		if t.Failed() {
			t.Log(x.out.String())
		}
	})
	return x
}

// told asks the admin port and compares the answer.
func told(t *testing.T, what, want string, ask func(context.Context) (string, error)) {
	t.Helper()
	if got, err := ask(t.Context()); err != nil || got != want {
		t.Errorf("%s: %q, %v; want %q", what, got, err, want)
	}
}

// TestAdminPort: the actions of the admin port, in the order of an admin's working
// day (C24).
func TestAdminPort(t *testing.T) {
	h := newManagedHome(t, 1)
	h.instance("example")
	h.instance("second")
	x := serveHome(t, h.home)
	x.says("start CanalInstances[second] successfully")
	c := h.steer(t)
	server := func(action, want string) {
		t.Helper()
		told(t, "SERVER "+action, want, func(ctx context.Context) (string, error) { return c.Server(ctx, action) })
	}
	instance := func(d, action, want string) {
		t.Helper()
		told(t, "INSTANCE "+d+" "+action, want, func(ctx context.Context) (string, error) { return c.Instance(ctx, d, action) })
	}
	server("check", "1")
	server("list", "example,second")
	server("start", "0") // it runs
	instance("example", "check", "1")
	instance("example", "start", "1")
	instance("nobody", "start", "0")
	instance("nobody", "check", "0")

	instance("second", "stop", "1")
	instance("second", "check", "0")
	instance("second", "stop", "1")
	instance("second", "release", "1") // there is nothing to release
	h.polled(x)
	instance("second", "check", "0") // until its text changes
	h.instance("second", "# changed")
	x.says("auto notify reload second successful.")
	instance("second", "check", "1")

	starts := x.count("start CanalInstances[example] successfully")
	instance("example", "restart", "1")
	x.saysAgain("start CanalInstances[example] successfully", starts+1)

	instance("second", "release", "1") // nobody else takes it
	instance("second", "check", "0")
	x.await("it comes back", func() bool { got, _ := c.Instance(t.Context(), "second", "check"); return got == "1" })

	server("stop", "1")
	server("stop", "0")
	server("check", "0")
	server("list", "")
	instance("example", "start", "0")
	instance("example", "check", "0")
	if _, err := client.Dial(t.Context(), client.Options{Addr: "127.0.0.1:" + strconv.Itoa(h.port), Destination: "example"}); err == nil {
		t.Error("a stopped server accepts clients")
	}
	h.polled(x)
	server("check", "0")
	server("start", "1")
	server("check", "1")
	rowsOf(t, h.home, 1)
	server("restart", "1")
	server("list", "example,second")

	// A stopped server is started by a new text.
	server("stop", "1")
	h.server("some.key = changed")
	x.await("the server runs again", func() bool { got, _ := c.Server(t.Context(), "check"); return got == "1" })

	// The port itself goes with the text when its settings do. Its user stands in
	// the local file, which wins; TLS does not.
	h.server("towpath.admin.port.tls.required = true")
	x.says("towpath.admin.port.tls.required")
	server("check", "1")
}

// TestAdminPortOfFiles: without an admin the port is there too, and a port that is
// in use keeps the server from starting.
func TestAdminPortOfFiles(t *testing.T) {
	port := freePort(t)
	h := newHome(t, sourceOf(t, 1), "canal.admin.port = "+strconv.Itoa(port), "canal.admin.user = admin", "canal.admin.passwd = "+admintest.Hash)
	x := serveHome(t, h)
	x.says("start CanalInstances[example] successfully")
	c := steer(t, port)
	ask := func(d, action, want string) {
		t.Helper()
		told(t, d+" "+action, want, func(ctx context.Context) (string, error) {
			if d == "" {
				return c.Server(ctx, action)
			}
			return c.Instance(ctx, d, action)
		})
	}
	ask("", "list", "example")
	ask("example", "stop", "1")
	ask("example", "check", "0")
	ask("example", "start", "1")
	ask("example", "release", "1")
	ask("example", "check", "0")
	ask("", "restart", "1")
	ask("example", "check", "1")
	var report control.ServerReport
	if err := c.Call(t.Context(), control.MethodReport, control.ReportParams{}, &report); err != nil || report.ConfigSource != "files" || !report.Running {
		t.Errorf("report %+v, %v", report, err)
	}
	var findings []control.Finding
	err := c.Call(t.Context(), control.MethodCheck, control.CheckParams{Destination: "new", Content: "canal.instance.master.address = nowhere"}, &findings)
	if err != nil || !slices.ContainsFunc(findings, func(f control.Finding) bool {
		return f.Severity == control.SeverityFailure && strings.Contains(f.Text, "nowhere")
	}) {
		t.Errorf("check: %+v, %v", findings, err)
	}

	other := newHome(t, sourceOf(t, 1), "canal.admin.port = "+strconv.Itoa(port))
	out := &lockedText{}
	if code := run(t.Context(), []string{"server", "--home", other.dir}, strings.NewReader(""), out, out); code != exitError || !strings.Contains(out.String(), "canal.admin.port") {
		t.Errorf("exit code %d\n%s", code, out)
	}
	if _, err := os.Stat(filepath.Join(other.dir, "conf", "example", "meta.dat")); err == nil {
		t.Error("cursors were touched")
	}
}

// TestManagedStopWhileWaiting: SIGTERM ends a server that waits for its admin.
func TestManagedStopWhileWaiting(t *testing.T) {
	h := newManagedHome(t, 1)
	h.admin.Refuse("auto cluster : nowhere is not found.")
	x := launch(t, h.home)
	x.says("requestGet for canal config error: auto cluster : nowhere is not found.")
	if code := x.stop(); code != exitOK {
		t.Errorf("exit code %d", code)
	}
}

// portCertificate is a certificate for 127.0.0.1 and its key, in PEM.
func portCertificate(t *testing.T) (cert, key string) {
	t.Helper()
	secret, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, secret.Public(), secret)
	if err != nil {
		t.Fatal(err)
	}
	secretKey, err := x509.MarshalPKCS8PrivateKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secretKey}))
}

// TestManagedTLS: an admin behind HTTPS has to be one that is trusted; and the admin
// port does TLS, and without it speaks to nobody when that is required.
func TestManagedTLS(t *testing.T) {
	admin, authorities := admintest.StartTLS(t)
	stranger := launch(t, newManagedHomeOf(t, admin, 1).home)
	stranger.says("certificate signed by unknown authority")

	cert, key := portCertificate(t)
	h := newManagedHomeOf(t, admin, 1, "towpath.admin.tls.ca = "+authorities, "towpath.admin.port.tls.required = true",
		"towpath.admin.port.tls.cert = classpath:port.pem", "towpath.admin.port.tls.key = classpath:port.key")
	h.write(t, "port.pem", cert)
	h.write(t, "port.key", key)
	serveHome(t, h.home)

	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM([]byte(cert))
	o := control.ClientOptions{Address: "127.0.0.1:" + strconv.Itoa(h.adminPort), User: "admin", Password: "admin",
		TLS: control.TLSRequired, TLSConfig: &tls.Config{RootCAs: trusted}}
	secure := control.NewClient(o)
	defer secure.Close()
	told(t, "with TLS", "1", func(ctx context.Context) (string, error) { return secure.Server(ctx, "check") })
	if !secure.Secure() {
		t.Error("the conversation is not encrypted")
	}
	o.TLS = control.TLSNever
	plain := control.NewClient(o)
	defer plain.Close()
	if got, err := plain.Server(t.Context(), "check"); err == nil {
		t.Errorf("without TLS: %q", got)
	}
}

// TestManagedCheck: check looks at what the admin says, and while it is away at what
// the server remembers.
func TestManagedCheck(t *testing.T) {
	h := newManagedHome(t, 1)
	h.instance("example", "canal.instance.filter.rgex = a")
	check := func() (int, string) {
		out := &lockedText{}
		code := run(t.Context(), []string{"check", "--home", h.dir}, strings.NewReader(""), out, out)
		return code, out.String()
	}
	if code, out := check(); code == exitUsage || !strings.Contains(out, "destination example") || !strings.Contains(out, "canal-admin: example/instance.properties line 6") {
		t.Errorf("exit code %d\n%s", code, out)
	}
	x := serveHome(t, h.home)
	h.polled(x)
	x.stop()
	h.admin.Down(true)
	if code, out := check(); code == exitUsage || !strings.Contains(out, "destination example") || !strings.Contains(out, "the admin does not answer") {
		t.Errorf("exit code %d with the admin away\n%s", code, out)
	}
	if err := os.Remove(filepath.Join(h.dir, "conf", "canal-admin.cache")); err != nil {
		t.Fatal(err)
	}
	if code, out := check(); code != exitUsage || !strings.Contains(out, "requestGet remote error") {
		t.Errorf("exit code %d without anything to look at\n%s", code, out)
	}
	h.admin.Down(false)
	h.server("canal.port = many")
	if code, out := check(); code != exitUsage || !strings.Contains(out, "canal-admin: canal.properties line 7") {
		t.Errorf("exit code %d with a wrong text\n%s", code, out)
	}
}

// TestManagedNeitherStarts: a server that starts neither with the new text nor with
// the one before is tried again until it does.
func TestManagedNeitherStarts(t *testing.T) {
	h := newManagedHome(t, 1)
	cert, key := portCertificate(t)
	h.write(t, "port.pem", cert)
	h.write(t, "port.key", key)
	h.instance("example")
	h.server("towpath.admin.port.tls.cert = classpath:port.pem", "towpath.admin.port.tls.key = classpath:port.key")
	x := serveHome(t, h.home)
	rowsOf(t, h.home, 1)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	if err := os.Remove(filepath.Join(h.dir, "conf", "port.pem")); err != nil {
		t.Fatal(err)
	}
	h.port = taken.Addr().(*net.TCPAddr).Port
	h.server()
	x.says("neither does the one before; it is tried again")
	h.polled(x)
	if n := x.count("neither does the one before"); n != 1 {
		t.Errorf("it is said %d times", n)
	}
	taken.Close()
	x.saysAgain("## the canal server is running now", 2)
	addRows(h.source, 1, 2)
	if got := strings.Join(rowsOf(t, h.home, 1), " "); got != "1" {
		t.Errorf("rows %s", got)
	}
}

// TestManagedStoppedStays: a server that was stopped on request is not started by a
// text that does not work, and can be started with the one that did.
func TestManagedStoppedStays(t *testing.T) {
	h := newManagedHome(t, 1)
	h.instance("example")
	x := serveHome(t, h.home)
	c := h.steer(t)
	ask := func(action string) func(context.Context) (string, error) {
		return func(ctx context.Context) (string, error) { return c.Server(ctx, action) }
	}
	told(t, "stop", "1", ask("stop"))
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	h.server("canal.port = " + strconv.Itoa(taken.Addr().(*net.TCPAddr).Port))
	x.says("the configuration of the admin cannot be used")
	h.polled(x)
	told(t, "check", "0", ask("check"))
	told(t, "start", "1", ask("start"))
	rowsOf(t, h.home, 1)
}
