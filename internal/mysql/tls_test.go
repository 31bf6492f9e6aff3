package mysql

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pavlo-v-chernykh/keystore-go/v4"
	"software.sslmate.com/src/go-pkcs12"

	"github.com/towpath-cdc/towpath/internal/config"
)

// authority signs certificates for tests.
type authority struct {
	cert *x509.Certificate
	key  crypto.Signer
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	a := authority{}
	a.cert, a.key = issue(t, "authority", nil, authority{})
	return a
}

// issue makes a certificate; without a signer it is its own authority.
func issue(t *testing.T, name string, ips []net.IP, by authority) (*x509.Certificate, crypto.Signer) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return issueFor(t, key, name, ips, by, time.Now().Add(time.Hour)), key
}

// issueFor makes a certificate for a key that ends at a time.
func issueFor(t *testing.T, key crypto.Signer, name string, ips []net.IP, by authority, end time.Time) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, IPAddresses: ips,
		NotBefore: end.Add(-2 * time.Hour), NotAfter: end, BasicConstraintsValid: true, IsCA: by.cert == nil}
	parent, signer := by.cert, by.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func pkcs8(t *testing.T, key crypto.Signer) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func pemOf(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func jks(t *testing.T, fill func(keystore.KeyStore) error) []byte {
	t.Helper()
	ks := keystore.New()
	if err := fill(ks); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := ks.Store(&b, []byte("changeit")); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// stores returns a trust store and a client store of each kind.
func stores(t *testing.T, ca authority) (trust, client map[string][]byte) {
	t.Helper()
	_, key := issue(t, "client", nil, ca)
	return storesFor(t, ca, key)
}

func storesFor(t *testing.T, ca authority, key crypto.Signer) (trust, client map[string][]byte) {
	t.Helper()
	cert := issueFor(t, key, "client", nil, ca, time.Now().Add(time.Hour))
	must := func(b []byte, err error) []byte {
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	trust = map[string][]byte{
		"PEM":    pemOf("CERTIFICATE", ca.cert.Raw),
		"PKCS12": must(pkcs12.Modern.EncodeTrustStore([]*x509.Certificate{ca.cert}, "changeit")),
		"JKS": jks(t, func(ks keystore.KeyStore) error {
			return ks.SetTrustedCertificateEntry("ca", keystore.TrustedCertificateEntry{CreationTime: time.Now(), Certificate: keystore.Certificate{Type: "X509", Content: ca.cert.Raw}})
		}),
	}
	client = map[string][]byte{
		"PEM":    append(pemOf("PRIVATE KEY", pkcs8(t, key)), pemOf("CERTIFICATE", cert.Raw)...),
		"PKCS12": must(pkcs12.LegacyDES.Encode(key, cert, []*x509.Certificate{ca.cert}, "changeit")),
		"JKS": jks(t, func(ks keystore.KeyStore) error {
			return ks.SetPrivateKeyEntry("me", keystore.PrivateKeyEntry{CreationTime: time.Now(), PrivateKey: pkcs8(t, key),
				CertificateChain: []keystore.Certificate{{Type: "X509", Content: cert.Raw}}}, []byte("changeit"))
		}),
	}
	return trust, client
}

func TestKeyStores(t *testing.T) {
	ca := newAuthority(t)
	trust, client := stores(t, ca)
	for kind := range trust {
		t.Run(kind, func(t *testing.T) {
			s, err := parseKeyStore(trust[kind], "changeit")
			if err != nil || len(s.trusted) != 1 || !s.trusted[0].Equal(ca.cert) {
				t.Errorf("trust store: %+v, %v", s, err)
			}
			s, err = parseKeyStore(client[kind], "changeit")
			if err != nil || s.client == nil || s.client.PrivateKey == nil {
				t.Errorf("client store: %+v, %v", s, err)
			}
			if kind == "PEM" {
				return
			}
			if _, err := parseKeyStore(client[kind], "wrong"); err == nil {
				t.Error("a wrong password was accepted")
			}
		})
	}
	if _, err := parseKeyStore([]byte("what"), ""); err == nil {
		t.Error("text was accepted")
	}
}

func TestStorePath(t *testing.T) {
	for in, want := range map[string]string{"/a/b.jks": "/a/b.jks", "file:/a/b.jks": "/a/b.jks", "file:///a/b%20c.jks": "/a/b c.jks", "file:a.jks": "a.jks"} {
		if got, err := storePath(in); err != nil || got != want {
			t.Errorf("%s: %q, %v", in, got, err)
		}
	}
}

func TestTLSModes(t *testing.T) {
	ca, stranger := newAuthority(t), newAuthority(t)
	serverTLS := func(ips ...net.IP) *tls.Config {
		cert, key := issue(t, "server", ips, ca)
		pool := x509.NewCertPool()
		pool.AddCert(ca.cert)
		return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{cert.Raw}, PrivateKey: key}}, ClientCAs: pool, ClientAuth: tls.VerifyClientCertIfGiven}
	}
	local := serverTLS(net.IPv4(127, 0, 0, 1))
	needsClient := serverTLS(net.IPv4(127, 0, 0, 1))
	needsClient.ClientAuth = tls.RequireAndVerifyClientCert
	dir := t.TempDir()
	file := func(name string, data []byte) config.KeyStore {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return config.KeyStore{URL: path, Password: "changeit"}
	}
	trust, client := stores(t, ca)
	ours := file("trust.jks", trust["JKS"])
	theirs := file("stranger.pem", pemOf("CERTIFICATE", stranger.cert.Raw))
	me := file("client.p12", client["PKCS12"])
	for _, c := range []struct {
		name   string
		server *tls.Config
		tls    config.TLS
		want   string // part of the error; "" for none
		secure bool
	}{
		{"disabled", local, config.TLS{Mode: "DISABLED"}, "", false},
		{"required", local, config.TLS{Mode: "REQUIRED"}, "", true},
		{"required, server without", nil, config.TLS{Mode: "REQUIRED"}, "does not support TLS", false},
		{"preferred", local, config.TLS{Mode: "preferred"}, "", true},
		{"preferred, server without", nil, config.TLS{Mode: "PREFERRED"}, "", false},
		{"preferred, no common version", &tls.Config{Certificates: local.Certificates, MaxVersion: tls.VersionTLS12}, config.TLS{Mode: "PREFERRED", Versions: []string{"TLSv1.3"}}, "", false},
		{"versions", local, config.TLS{Mode: "REQUIRED", Versions: []string{"TLSv1.2"}}, "", true},
		{"unknown version", local, config.TLS{Mode: "REQUIRED", Versions: []string{"SSLv3"}}, `tlsVersions: "SSLv3"`, false},
		{"unknown mode", local, config.TLS{Mode: "maybe"}, "sslMode", false},
		{"verify ca", local, config.TLS{Mode: "VERIFY_CA", TrustStore: ours}, "", true},
		{"verify ca, other name", serverTLS(net.IPv4(10, 0, 0, 1)), config.TLS{Mode: "VERIFY_CA", TrustStore: ours}, "", true},
		{"verify ca, stranger", local, config.TLS{Mode: "VERIFY_CA", TrustStore: theirs}, "unknown authority", false},
		{"verify identity", local, config.TLS{Mode: "VERIFY_IDENTITY", TrustStore: ours}, "", true},
		{"verify identity, other name", serverTLS(net.IPv4(10, 0, 0, 1)), config.TLS{Mode: "VERIFY_IDENTITY", TrustStore: ours}, "127.0.0.1", false},
		{"client certificate", needsClient, config.TLS{Mode: "REQUIRED", ClientStore: me}, "", true},
		{"store without key", local, config.TLS{Mode: "REQUIRED", ClientStore: ours}, "holds no private key", false},
		{"no such store", local, config.TLS{Mode: "REQUIRED", TrustStore: config.KeyStore{URL: dir + "/no"}}, "no such file", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := fake(t)
			s.TLS = c.server
			var log bytes.Buffer
			conn, err := Connect(t.Context(), Config{Address: s.Address(), User: "canal", TLS: c.tls, Logger: slog.New(slog.NewTextHandler(&log, nil))})
			if c.want != "" {
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Fatalf("%v, want %q", err, c.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if conn.Secure() != c.secure {
				t.Errorf("encrypted: %v", conn.Secure())
			}
			if _, err := conn.Query(t.Context(), "select 1"); err != nil {
				t.Error(err)
			}
			plain := strings.EqualFold(c.tls.Mode, "PREFERRED") && !c.secure
			if strings.Contains(log.String(), "not encrypted") != plain {
				t.Errorf("log: %s", log.String())
			}
		})
	}
}

func TestPreferredKeepsOtherErrors(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	_, err = Connect(t.Context(), Config{Address: l.Addr().String(), User: "canal", TLS: config.TLS{Mode: "PREFERRED"}, Logger: discard()})
	if e, ok := errors.AsType[*ConnectError](err); !ok || e.Step != "dial" {
		t.Errorf("%v", err)
	}
}

// TestDamagedJKS reads stores that announce more than they have. Each would
// otherwise ask for gigabytes of memory.
func TestDamagedJKS(t *testing.T) {
	head := []byte{0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2, 0, 0, 0, 1}
	alias := append([]byte{0, 1, 'a'}, make([]byte, 8)...)
	for what, b := range map[string][]byte{
		"no number of entries": head[:9],
		"an unknown version":   append([]byte{0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 0xc8, 0, 0, 1, 0}, make([]byte, 40)...),
		"an unknown kind":      append(slices.Clone(head), 0, 0, 0, 3),
		"no entry":             head,
		"a long key":           slices.Concat(head, []byte{0, 0, 0, 1}, alias, []byte{0xff, 0xff, 0xff, 0xff}),
		"a long chain":         slices.Concat(head, []byte{0, 0, 0, 1}, alias, []byte{0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}),
		"a long certificate":   slices.Concat(head, []byte{0, 0, 0, 2}, alias, []byte{0, 0, 0xf0, 0, 0, 0}),
		"many entries":         {0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2, 0xff, 0xff, 0xff, 0xff},
	} {
		if _, err := parseKeyStore(b, "changeit"); err == nil {
			t.Errorf("%s: no error", what)
		}
	}
}

func FuzzParseKeyStore(f *testing.F) {
	f.Add([]byte{0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2})
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"))
	f.Add([]byte{0x30, 0x82, 0x01, 0x00, 0x02, 0x01, 0x03})
	f.Fuzz(func(_ *testing.T, data []byte) {
		_, _ = parseKeyStore(data, "changeit")
	})
}
