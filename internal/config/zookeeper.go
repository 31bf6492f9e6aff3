package config

import (
	"crypto/tls"
	"strings"
	"time"

	"github.com/towpath-cdc/towpath/internal/zk"
)

// The keys of the PEM files; TLSConfig names them in its errors.
const (
	caKey   = "towpath.zookeeper.tls.ca"
	certKey = "towpath.zookeeper.tls.cert"
	keyKey  = "towpath.zookeeper.tls.key"
)

// zooKeeper reads the keys about ZooKeeper. The PEM files are not looked at.
func (l *launcher) zooKeeper() ZooKeeper {
	z := ZooKeeper{
		Servers:        l.zkServers("canal.zkServers"),
		SessionTimeout: time.Duration(l.number("towpath.zookeeper.session.timeout", 1000, 600_000)) * time.Millisecond,
		Auth:           l.digest("towpath.zookeeper.auth"),
		TLS:            l.boolean("towpath.zookeeper.tls"),
		CAFile:         l.file(caKey),
		CertFile:       l.file(certKey),
		KeyFile:        l.file(keyKey),
	}
	switch {
	case z.CertFile == "" && z.KeyFile != "":
		l.fail(certKey, "want the PEM file with the certificate of "+keyKey)
	case z.CertFile != "" && z.KeyFile == "":
		l.fail(keyKey, "want the PEM file with the key of "+certKey)
	}
	const aclKey = "towpath.zookeeper.acl"
	switch strings.ToLower(l.text(aclKey)) {
	case "open":
	case "creator":
		z.CreatorACL = true
		if z.Auth == "" && !(z.TLS && z.CertFile != "") {
			l.fail(aclKey, "want open: a creator has to be known by towpath.zookeeper.auth, or by "+certKey+" with towpath.zookeeper.tls = true")
		}
	default:
		l.fail(aclKey, "want open or creator")
	}
	if !z.TLS {
		l.unusedFiles(caKey, certKey, keyKey)
	}
	return z
}

// zkServers checks the list of ZooKeeper's servers.
func (l *launcher) zkServers(key string) string {
	v := l.text(key)
	if v == "" {
		return ""
	}
	if _, _, err := zk.ParseServers(v); err != nil {
		l.fail(key, err.Error()+"; want host:port, comma separated, such as zk1:2181,zk2:2181")
	}
	return v
}

// digest is user:password.
func (l *launcher) digest(key string) string {
	v := l.text(key)
	if v == "" {
		return ""
	}
	if user, password, ok := strings.Cut(v, ":"); !ok || user == "" || password == "" {
		l.fail(key, "want user:password")
	}
	return v
}

// file is the path of a file, absolute; "" when the key is blank.
func (l *launcher) file(key string) string {
	v := l.text(key)
	if v == "" {
		return ""
	}
	return l.c.resource(v)
}

// unusedFiles notes the first of keys that has a value although connections to
// ZooKeeper are plain.
func (l *launcher) unusedFiles(keys ...string) {
	for _, key := range keys {
		if l.text(key) == "" {
			continue
		}
		_, src, _ := l.c.sources.launcher(l.c.main, key)
		l.c.findings = append(l.c.findings, Finding{
			Kind: SuspectValue, Keys: []string{key}, Source: src,
			Message: "the file is not used, and connections to ZooKeeper are not encrypted: towpath.zookeeper.tls is not true",
		})
		return
	}
}

// TLSConfig reads the PEM files and makes of them how to connect: TLS 1.2 or
// newer, the server's certificate checked against CAFile or the system's
// authorities and against its host name, which the caller fills in for each
// server (ServerName). It is nil when TLS is not set. The error names the key and
// the file.
func (z ZooKeeper) TLSConfig() (*tls.Config, error) {
	if !z.TLS {
		return nil, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if z.CAFile != "" {
		var err error
		if c.RootCAs, err = authorities(caKey, z.CAFile); err != nil {
			return nil, err
		}
	}
	if z.CertFile == "" && z.KeyFile == "" {
		return c, nil
	}
	own, err := certificate(certKey, z.CertFile, keyKey, z.KeyFile)
	if err != nil {
		return nil, err
	}
	c.Certificates = []tls.Certificate{own}
	return c, nil
}
