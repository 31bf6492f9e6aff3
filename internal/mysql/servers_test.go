package mysql

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/binary"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/internal/config"
	"github.com/towpath-cdc/towpath/test/servers"
)

// secured is a server with a certificate for 127.0.0.1.
type secured struct {
	*servers.Server
	certificates
	dir string
	key crypto.Signer
}

// certificates are an authority and key stores of each kind: with its
// certificate, and with that of a client.
type certificates struct {
	ca            authority
	trust, client map[string]config.KeyStore
}

// rsaKey makes a key that also the oldest servers can use.
func rsaKey(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func startSecured(t *testing.T, kind servers.Kind, c certificates) *secured {
	t.Helper()
	s := &secured{certificates: c, dir: t.TempDir(), key: rsaKey(t)}
	s.file(t, "ca.pem", pemOf("CERTIFICATE", s.ca.cert.Raw))
	s.certificate(t, time.Now().Add(time.Hour))
	s.file(t, "server-key.pem", pemOf("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(s.key.(*rsa.PrivateKey))))
	s.Server = servers.ForTest(t, kind, "ssl-ca="+s.dir+"/ca.pem", "ssl-cert="+s.dir+"/server-cert.pem", "ssl-key="+s.dir+"/server-key.pem")
	return s
}

// certificate gives the server a certificate, valid until end.
func (s *secured) certificate(t *testing.T, end time.Time) {
	t.Helper()
	cert := issueFor(t, s.key, "server", []net.IP{net.IPv4(127, 0, 0, 1)}, s.ca, end)
	s.file(t, "server-cert.pem", pemOf("CERTIFICATE", cert.Raw))
}

func (s *secured) file(t *testing.T, name string, data []byte) config.KeyStore {
	t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return config.KeyStore{URL: path, Password: "changeit"}
}

// config is how a test connects. yaSSL, which the oldest servers are built with,
// speaks TLS 1.0 and 1.1.
func (s *secured) config(user string, tls config.TLS) Config {
	if s.old() && tls.Versions == nil {
		tls.Versions = []string{"TLSv1", "TLSv1.1"}
	}
	return Config{Address: s.Addr(), User: user, Password: "canal", TLS: tls}
}

func (s *secured) old() bool { return s.Kind == servers.MySQL56 || s.Kind == servers.MySQL57 }

func TestServers(t *testing.T) {
	c := newCertificates(t)
	for _, kind := range servers.Kinds {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			s := startSecured(t, kind, c)
			t.Run("authentication", func(t *testing.T) { testAuthentication(t, s) })
			t.Run("modes", func(t *testing.T) { testModes(t, s) })
			t.Run("old versions", func(t *testing.T) { testOldTLS(t, s) })
			t.Run("client certificates", func(t *testing.T) { testClientCertificates(t, s) })
			t.Run("dump", func(t *testing.T) { testDump(t, s) })
			t.Run("expired", func(t *testing.T) { testExpired(t, s) })
		})
	}
}

// testAuthentication logs in with each plugin of the server, with and without TLS.
func testAuthentication(t *testing.T, s *secured) {
	type account struct {
		plugin, user string
		setup        string
	}
	native := account{"mysql_native_password", "canal", ""}
	sha2 := account{"caching_sha2_password", "canal", ""}
	accounts := []account{native}
	switch s.Kind {
	case servers.MySQL80:
		sha2.user = "canalsha2"
		accounts = append(accounts, sha2)
	case servers.MySQL97: // has no other plugin any more
		accounts = []account{sha2}
	case servers.MariaDB1011:
		s.MustExec(t, "INSTALL SONAME 'auth_ed25519'")
		accounts = append(accounts, account{"ed25519", "ed", "CREATE USER ed@'%' IDENTIFIED VIA ed25519 USING PASSWORD('canal')"})
	}
	for _, a := range accounts {
		t.Run(a.plugin, func(t *testing.T) {
			if a.setup != "" {
				s.MustExec(t, a.setup)
			}
			if rows, err := s.Query(t.Context(), "SELECT plugin FROM mysql.user WHERE user = '"+a.user+"'"); err != nil || rows[0][0] != a.plugin && rows[0][0] != "" {
				t.Errorf("account %s has plugin %v, %v", a.user, rows, err)
			}
			for _, mode := range []string{"DISABLED", "REQUIRED"} {
				// The server forgets whom it has seen, so that the first log-in of
				// caching_sha2_password is the full one: by RSA or through TLS.
				s.MustExec(t, "FLUSH PRIVILEGES")
				for _, which := range []string{"first", "second"} {
					conn, err := Connect(t.Context(), s.config(a.user, config.TLS{Mode: mode}))
					if err != nil {
						t.Fatalf("%s, %s log-in: %v", mode, which, err)
					}
					if v, _, err := conn.queryValue(t.Context(), "select 'ä'"); err != nil || v != "ä" {
						t.Errorf("%q, %v", v, err)
					}
					if conn.Secure() != (mode == "REQUIRED") || conn.cipher(t) != conn.Secure() {
						t.Errorf("%s: encrypted %v, the server says %v", mode, conn.Secure(), conn.cipher(t))
					}
					_ = conn.Close()
				}
				wrong := s.config(a.user, config.TLS{Mode: mode})
				wrong.Password = "wrong"
				_, err := Connect(t.Context(), wrong)
				if Code(err) != CodeAccessDenied || !strings.Contains(err.Error(), ": login: ") {
					t.Errorf("%s, wrong password: %v", mode, err)
				}
			}
		})
	}
}

// cipher asks the server whether the connection is encrypted.
func (c *Conn) cipher(t *testing.T) bool {
	t.Helper()
	r, err := c.Query(t.Context(), "SHOW STATUS LIKE 'Ssl_cipher'")
	if err != nil || len(r.Rows) != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	return r.Rows[0][1] != ""
}

// testModes goes through the TLS modes with right and wrong authorities and names.
func testModes(t *testing.T, s *secured) {
	ours := s.file(t, "trust.pem", pemOf("CERTIFICATE", s.ca.cert.Raw))
	key := rsaKey(t)
	stranger := authority{issueFor(t, key, "stranger", nil, authority{}, time.Now().Add(time.Hour)), key}
	theirs := s.file(t, "stranger.pem", pemOf("CERTIFICATE", stranger.cert.Raw))
	_, port, err := net.SplitHostPort(s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	want := "certificate signed by unknown authority"
	byName := net.JoinHostPort("localhost", port)
	for _, c := range []struct {
		name    string
		address string
		tls     config.TLS
		secure  bool
		want    string // part of the error; "" for none
	}{
		{"disabled", s.Addr(), config.TLS{Mode: "DISABLED"}, false, ""},
		{"preferred", s.Addr(), config.TLS{Mode: "PREFERRED"}, true, ""},
		{"required", s.Addr(), config.TLS{Mode: "REQUIRED"}, true, ""},
		{"required, of another authority", s.Addr(), config.TLS{Mode: "REQUIRED", TrustStore: theirs}, true, ""},
		{"verify ca", s.Addr(), config.TLS{Mode: "VERIFY_CA", TrustStore: ours}, true, ""},
		{"verify ca, of another authority", s.Addr(), config.TLS{Mode: "VERIFY_CA", TrustStore: theirs}, false, want},
		{"verify ca, for another name", byName, config.TLS{Mode: "VERIFY_CA", TrustStore: ours}, true, ""},
		{"verify identity", s.Addr(), config.TLS{Mode: "VERIFY_IDENTITY", TrustStore: ours}, true, ""},
		{"verify identity, of another authority", s.Addr(), config.TLS{Mode: "VERIFY_IDENTITY", TrustStore: theirs}, false, want},
		{"verify identity, for another name", byName, config.TLS{Mode: "VERIFY_IDENTITY", TrustStore: ours}, false, "localhost"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := s.config("canal", c.tls)
			cfg.Address = c.address
			conn, err := Connect(t.Context(), cfg)
			if c.want != "" {
				checkRefused(t, err, c.want, "sslMode")
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if conn.cipher(t) != c.secure || conn.Secure() != c.secure {
				t.Errorf("encrypted: %v, the server says %v", conn.Secure(), conn.cipher(t))
			}
		})
	}
}

// testOldTLS connects to a server that is too old for the TLS versions of today.
func testOldTLS(t *testing.T, s *secured) {
	if !s.old() {
		return
	}
	_, err := Connect(t.Context(), s.config("canal", config.TLS{Mode: "REQUIRED", Versions: []string{"TLSv1.2"}}))
	checkRefused(t, err, "unsupported protocol version", "tlsVersions")
}

// checkRefused wants a ConnectError with parts of its text and of its remedy.
func checkRefused(t *testing.T, err error, text, remedy string) {
	t.Helper()
	e, ok := err.(*ConnectError)
	if !ok {
		t.Fatalf("error %v, want %q", err, text)
	}
	if !strings.Contains(e.Error(), text) || !strings.Contains(e.Remedy, remedy) {
		t.Errorf("%v; remedy %q; want %q and %q", e, e.Remedy, text, remedy)
	}
}

// testClientCertificates logs in to an account that requires a certificate, from
// key stores of each kind.
func testClientCertificates(t *testing.T, s *secured) {
	s.MustExec(t, "CREATE USER x509@'%' IDENTIFIED BY 'canal'",
		map[bool]string{true: "GRANT SELECT ON *.* TO x509@'%' REQUIRE X509", false: "ALTER USER x509@'%' REQUIRE X509"}[s.Kind == servers.MySQL56])
	for kind := range s.client {
		t.Run(kind, func(t *testing.T) {
			tls := config.TLS{Mode: "VERIFY_IDENTITY", TrustStore: s.trust[kind], ClientStore: s.client[kind]}
			conn, err := Connect(t.Context(), s.config("x509", tls))
			if err != nil {
				t.Fatal(err)
			}
			_ = conn.Close()
		})
	}
	_, err := Connect(t.Context(), s.config("x509", config.TLS{Mode: "REQUIRED"}))
	checkRefused(t, err, "errno = 1045", "clientCertificateKeyStoreUrl")
	_, err = Connect(t.Context(), s.config("x509", config.TLS{}))
	checkRefused(t, err, "errno = 1045", "sslMode")
	wrong := s.client["PKCS12"]
	wrong.Password = "wrong"
	if _, err = Connect(t.Context(), s.config("x509", config.TLS{Mode: "REQUIRED", ClientStore: wrong})); err == nil || !strings.Contains(err.Error(), "client store ") {
		t.Errorf("wrong password of the store: %v", err)
	}
}

// newCertificates makes an authority and key stores, those of keytool included.
func newCertificates(t *testing.T) certificates {
	t.Helper()
	key, dir := rsaKey(t), t.TempDir()
	c := certificates{trust: map[string]config.KeyStore{}, client: map[string]config.KeyStore{}}
	c.ca = authority{issueFor(t, key, "authority", nil, authority{}, time.Now().Add(time.Hour)), key}
	file := func(name string, data []byte) config.KeyStore {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return config.KeyStore{URL: name, Password: "changeit"}
	}
	trust, client := storesFor(t, c.ca, rsaKey(t))
	for kind := range trust {
		c.trust[kind], c.client[kind] = file("trust."+kind, trust[kind]), file("client."+kind, client[kind])
	}
	if _, err := exec.LookPath("keytool"); err != nil {
		if os.Getenv("TOWPATH_REQUIRE_SERVERS") != "" {
			t.Fatal(err)
		}
		t.Logf("without key stores of Java: %v", err)
		return c
	}
	for _, kind := range []string{"JKS", "PKCS12"} {
		name := "keytool " + kind
		c.trust[name] = config.KeyStore{URL: filepath.Join(dir, "java-trust."+kind), Password: "changeit"}
		c.client[name] = config.KeyStore{URL: filepath.Join(dir, "java-client."+kind), Password: "changeit"}
		keytool(t, "-importcert", "-noprompt", "-alias", "ca", "-file", c.trust["PEM"].URL, "-keystore", c.trust[name].URL, "-storetype", kind, "-storepass", "changeit")
		keytool(t, "-importkeystore", "-noprompt", "-srckeystore", c.client["PKCS12"].URL, "-srcstoretype", "PKCS12", "-srcstorepass", "changeit",
			"-destkeystore", c.client[name].URL, "-deststoretype", kind, "-deststorepass", "changeit")
	}
	return c
}

func keytool(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), "keytool", args...).CombinedOutput(); err != nil {
		t.Fatalf("keytool %v: %v: %s", args, err, out)
	}
}

// testDump dumps over TLS and plainly; both must bring the same bytes.
func testDump(t *testing.T, s *secured) {
	s.MustExec(t, "CREATE DATABASE d", "CREATE TABLE d.t (id INT PRIMARY KEY, b LONGBLOB)", "INSERT INTO d.t VALUES (1, REPEAT('x', 3000000))")
	read := func(mode string) []byte {
		conn, err := Connect(t.Context(), s.config("canal", config.TLS{Mode: mode}))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		end, err := conn.End(t.Context(), false)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.PrepareDump(t.Context(), time.Second); err != nil {
			t.Fatal(err)
		}
		if err := conn.Register(t.Context(), 4711); err != nil {
			t.Fatal(err)
		}
		if err := conn.Dump(t.Context(), 4711, end.File, 4); err != nil {
			t.Fatal(err)
		}
		return readTo(t, conn.Stream(), end.Offset)
	}
	plain, secure := read("DISABLED"), read("REQUIRED")
	if !bytes.Equal(plain, secure) || len(plain) < 3000000 {
		t.Errorf("%d bytes over TLS, %d without; equal: %v", len(secure), len(plain), bytes.Equal(plain, secure))
	}
}

// readTo reads packets until the event that ends at an offset.
func readTo(t *testing.T, c net.Conn, offset int64) []byte {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	var all []byte
	for {
		head := make([]byte, 4)
		if _, err := io.ReadFull(c, head); err != nil {
			t.Fatalf("after %d bytes: %v", len(all), err)
		}
		packet := make([]byte, int(head[0])|int(head[1])<<8|int(head[2])<<16)
		if _, err := io.ReadFull(c, packet); err != nil {
			t.Fatalf("after %d bytes: %v", len(all), err)
		}
		if packet[0] != 0 {
			t.Fatal(ParseErrorPacket(packet))
		}
		all = slices.Concat(all, head, packet)
		if int64(binary.LittleEndian.Uint32(packet[14:])) == offset {
			return all
		}
	}
}

// testExpired lets a server go on with a certificate that has expired. MySQL
// refuses to load one, or cannot while it runs.
func testExpired(t *testing.T, s *secured) {
	if s.Kind != servers.MariaDB1011 {
		return
	}
	s.certificate(t, time.Now().Add(-time.Minute))
	s.MustExec(t, "FLUSH SSL")
	ours := s.file(t, "trust.pem", pemOf("CERTIFICATE", s.ca.cert.Raw))
	for _, mode := range []string{"VERIFY_CA", "VERIFY_IDENTITY"} {
		_, err := Connect(t.Context(), s.config("canal", config.TLS{Mode: mode, TrustStore: ours}))
		checkRefused(t, err, "certificate has expired", "sslMode")
	}
	conn, err := Connect(t.Context(), s.config("canal", config.TLS{Mode: "REQUIRED"}))
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
}

// TestServerWithoutTLS wants TLS of a server that has none.
func TestServerWithoutTLS(t *testing.T) {
	for _, kind := range []servers.Kind{servers.MySQL56, servers.MariaDB1011} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			s := servers.ForTest(t, kind)
			var log bytes.Buffer
			for _, mode := range []string{"REQUIRED", "VERIFY_CA", "VERIFY_IDENTITY"} {
				_, err := Connect(t.Context(), Config{Address: s.Addr(), User: "canal", Password: "canal", TLS: config.TLS{Mode: mode}})
				checkRefused(t, err, "does not support TLS", "TLS switched on")
			}
			conn, err := Connect(t.Context(), Config{Address: s.Addr(), User: "canal", Password: "canal", TLS: config.TLS{Mode: "PREFERRED"},
				Logger: slog.New(slog.NewTextHandler(&log, nil))})
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if conn.Secure() || conn.cipher(t) || !strings.Contains(log.String(), "connection is not encrypted") {
				t.Errorf("encrypted: %v; log %s", conn.Secure(), log.String())
			}
		})
	}
}
