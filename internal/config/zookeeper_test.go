package config

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestZooKeeperValues(t *testing.T) {
	text := strings.Join([]string{
		"canal.zkServers = zk1:2181,zk2:2181/app ", "towpath.zookeeper.session.timeout=30000", "towpath.zookeeper.auth = me:s3cret:more",
		"towpath.zookeeper.acl=Creator", "towpath.zookeeper.tls=true", "towpath.zookeeper.tls.ca=../conf/ca.pem",
		"towpath.zookeeper.tls.cert=classpath:own.pem", "towpath.zookeeper.tls.key=/etc/own.key",
		"towpath.cluster.weight=7", "towpath.cluster.rebalance=False",
	}, "\n")
	dir := home(t, map[string]string{"canal.properties": text})
	c := load(t, LoadOptions{Home: dir, Environ: []string{"towpath.zookeeper.session.timeout=20000", "towpath.cluster.weight="}, Overrides: map[string]string{"towpath.zookeeper.session.timeout": "4000"}})
	conf := filepath.Join(dir, "conf")
	want := ZooKeeper{
		Servers: "zk1:2181,zk2:2181/app", SessionTimeout: 4 * time.Second, Auth: "me:s3cret:more", CreatorACL: true, TLS: true,
		CAFile: filepath.Join(conf, "ca.pem"), CertFile: filepath.Join(conf, "own.pem"), KeyFile: "/etc/own.key",
	}
	if s := c.Server(); s.ZooKeeper != want || s.Weight != 1 || s.Rebalance {
		t.Errorf("%+v, weight %d, rebalance %v; want %+v, 1, false", s.ZooKeeper, s.Weight, s.Rebalance, want)
	}
	if err := c.Startable(); err != nil {
		t.Errorf("Startable = %v", err)
	}
	if found := c.Report(); len(found) != 0 {
		t.Errorf("Report = %v", found)
	}
}

func TestZooKeeperErrors(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"servers", "a=b\ncanal.zkServers = zk1:2181,zk2:x", `canal.zkServers = "zk1:2181,zk2:x" (`},
		{"no server", "a=b\ncanal.zkServers = ,", "canal.properties:2): zookeeper servers"},
		{"timeout", "towpath.zookeeper.session.timeout = 999", `towpath.zookeeper.session.timeout = "999" (`},
		{"long timeout", "towpath.zookeeper.session.timeout = 600001", "from 1000 to 600000"},
		{"timeout with a unit", "towpath.zookeeper.session.timeout = 10s", "from 1000 to 600000"},
		{"auth", "a=b\ntowpath.zookeeper.auth = s3cret", `towpath.zookeeper.auth = "***" (`},
		{"auth place", "a=b\ntowpath.zookeeper.auth = s3cret:", "canal.properties:2): want user:password"},
		{"acl", "towpath.zookeeper.acl = world", "want open or creator"},
		{"nobody", "towpath.zookeeper.acl = creator", "known by towpath.zookeeper.auth"},
		{"certificate without TLS", "towpath.zookeeper.acl = creator\ntowpath.zookeeper.tls.cert=a\ntowpath.zookeeper.tls.key=b", "known by towpath.zookeeper.auth"},
		{"tls", "towpath.zookeeper.tls = ture", "want true or false"},
		{"no key", "towpath.zookeeper.tls.cert = a", `towpath.zookeeper.tls.key = ""`},
		{"no certificate", "towpath.zookeeper.tls.key = a", `towpath.zookeeper.tls.cert = ""`},
		{"weight", "towpath.cluster.weight = 0", "from 1 to 1000"},
		{"heavy", "towpath.cluster.weight = 1001", "from 1 to 1000"},
		{"rebalance", "towpath.cluster.rebalance = never", "want true or false"},
	} {
		_, err := Load(LoadOptions{Home: home(t, map[string]string{"canal.properties": c.text})})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error = %v, want one with %q", c.name, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: the error %v shows the password", c.name, err)
		}
	}
}

// TestUnusedFiles: who names PEM files and forgets to switch TLS on learns of it.
func TestUnusedFiles(t *testing.T) {
	c := load(t, LoadOptions{Home: home(t, map[string]string{"canal.properties": "towpath.zookeeper.tls.cert=a\ntowpath.zookeeper.tls.key=b"})})
	found := c.Report()
	if len(found) != 1 || !strings.Contains(found[0].String(), "towpath.zookeeper.tls.cert") || !strings.Contains(found[0].Message, "not encrypted") {
		t.Errorf("Report = %v", found)
	}
}

// pemFiles writes a certificate that is its own authority, and its key.
func pemFiles(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	write(t, cert, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	write(t, key, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})))
	return cert, key
}

func TestTLSConfig(t *testing.T) {
	cert, key := pemFiles(t)
	otherCert, _ := pemFiles(t)
	empty := filepath.Join(t.TempDir(), "empty.pem")
	write(t, empty, "")
	if c, err := (ZooKeeper{CAFile: "/nowhere"}).TLSConfig(); c != nil || err != nil {
		t.Errorf("without TLS: %v, %v", c, err)
	}
	c, err := ZooKeeper{TLS: true}.TLSConfig()
	if err != nil || c.RootCAs != nil || c.Certificates != nil || c.MinVersion != tls.VersionTLS12 || c.InsecureSkipVerify {
		t.Errorf("without files: %+v, %v", c, err)
	}
	c, err = ZooKeeper{TLS: true, CAFile: cert, CertFile: cert, KeyFile: key}.TLSConfig()
	if err != nil || c.RootCAs == nil || len(c.Certificates) != 1 {
		t.Errorf("with files: %+v, %v", c, err)
	}
	for _, bad := range []struct {
		name string
		z    ZooKeeper
		want []string
	}{
		{"no authorities", ZooKeeper{CAFile: "/nowhere/ca.pem"}, []string{"towpath.zookeeper.tls.ca", "/nowhere/ca.pem"}},
		{"empty authorities", ZooKeeper{CAFile: empty}, []string{"towpath.zookeeper.tls.ca", empty, "no certificate"}},
		{"authorities from a key", ZooKeeper{CAFile: key}, []string{"towpath.zookeeper.tls.ca", "no certificate"}},
		{"no certificate", ZooKeeper{CertFile: "/nowhere/c.pem", KeyFile: key}, []string{"towpath.zookeeper.tls.cert", "/nowhere/c.pem"}},
		{"no key", ZooKeeper{CertFile: cert, KeyFile: "/nowhere/k.pem"}, []string{"towpath.zookeeper.tls.key", "/nowhere/k.pem"}},
		{"no key named", ZooKeeper{CertFile: cert}, []string{"towpath.zookeeper.tls.key"}},
		{"not a pair", ZooKeeper{CertFile: otherCert, KeyFile: key}, []string{otherCert, key, "does not match"}},
		{"empty key", ZooKeeper{CertFile: cert, KeyFile: empty}, []string{empty, "towpath.zookeeper.tls.key"}},
	} {
		bad.z.TLS = true
		c, err := bad.z.TLSConfig()
		if err == nil || c != nil {
			t.Errorf("%s: %v, %v", bad.name, c, err)
			continue
		}
		for _, part := range bad.want {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: the error %v lacks %q", bad.name, err, part)
			}
		}
	}
	if _, err := (ZooKeeper{TLS: true, CAFile: "/nowhere"}).TLSConfig(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error = %v, want one of a missing file", err)
	}
}
