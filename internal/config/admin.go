package config

import (
	"crypto/tls"
	"fmt"
	"maps"
	"net/url"
	"os"
	"slices"
	"strings"
)

// Manager says where the configuration of a managed server comes from; nil when
// the files are all there is. It is read from the main file alone, so that the
// server is known to its admin under one name whatever the admin's text says.
func (c *Config) Manager() *Manager {
	return c.manager
}

// SameServer says whether two configurations have the same values for the server
// and, from canal.properties, for all its instances: whoever runs with one need not
// be restarted for the other. Comments and the order of lines do not count.
func (c *Config) SameServer(other *Config) bool {
	if len(c.main.entries) != len(other.main.entries) {
		return false
	}
	for key, e := range c.main.entries {
		if o, ok := other.main.entries[key]; !ok || trim(o.Value) != trim(e.Value) {
			return false
		}
	}
	return true
}

// AdminDestinations are those for which the admin has a text, sorted; ok is false
// without one, or before it has been asked.
func (c *Config) AdminDestinations() (destinations []string, ok bool) {
	if c.admin == nil {
		return nil, false
	}
	return slices.Sorted(maps.Keys(c.admin.Instances())), true
}

// loadManager fills c.manager from the main file, before anything is laid under it.
func (c *Config) loadManager() error {
	l := &launcher{c: c}
	c.manager = l.manager()
	return l.err
}

// lay puts the text of the admin under the main file.
func (c *Config) lay(texts *AdminTexts) error {
	remote, err := ParseProperties(adminPlace+"canal.properties", []byte(texts.Server))
	if err != nil {
		return fmt.Errorf("load configuration: %w", err)
	}
	c.main = remote.overlay(c.main)
	c.admin = texts
	return nil
}

// remoteInstance is the admin's text for a destination.
func (c *Config) remoteInstance(destination string) (*Properties, error) {
	text, ok := c.admin.Instances()[destination]
	if !ok {
		return nil, fmt.Errorf("instance : %s config is not found: the admin has none for it", destination)
	}
	return ParseProperties(adminPlace+destination+"/"+instanceFile, []byte(text))
}

// Keys about the connection between a server and its admin.
const (
	adminPasswdKey   = "canal.admin.passwd"
	adminCAKey       = "towpath.admin.tls.ca"
	adminInsecureKey = "towpath.admin.tls.insecure"
	portCertKey      = "towpath.admin.port.tls.cert"
	portKeyKey       = "towpath.admin.port.tls.key"
	portRequiredKey  = "towpath.admin.port.tls.required"
)

// defaultAdminPort is the admin port by which a server is known that opens none
// (CanalLauncher).
const defaultAdminPort = 11110

// manager reads the keys about where the configuration comes from.
func (l *launcher) manager() *Manager {
	name := l.text("canal.admin.manager")
	if name == "" {
		return nil
	}
	m := &Manager{
		Name:      name,
		Addresses: l.adminAddresses("canal.admin.manager"),
		User:      l.text("canal.admin.user"),
		Passwd:    l.text(adminPasswdKey),
		IP:        l.text("canal.register.ip"),
		Port:      defaultAdminPort,
		Register:  l.flag("canal.admin.register.auto", "true", "on", "yes"),
		Cluster:   l.text("canal.admin.register.cluster"),
		NodeName:  l.text("canal.admin.register.name"),
		CAFile:    l.file(adminCAKey),
		Insecure:  l.boolean(adminInsecureKey),
	}
	if l.passwordHash(adminPasswdKey) == nil {
		l.fail(adminPasswdKey, "canal.admin.passwd is empty , pls check https://github.com/alibaba/canal/issues/4941")
	}
	if l.text("canal.admin.port") != "" {
		m.Port = l.number("canal.admin.port", 0, 65535)
	}
	if m.IP == "" {
		m.IP = HostIP()
	}
	if m.NodeName == "" {
		m.NodeName, _ = os.Hostname() // an admin takes the address where there is no name
	}
	if m.Insecure {
		l.suspect(adminInsecureKey, "the certificate of the admin is not checked: whoever answers in its place can change every setting; set "+adminCAKey+" instead")
	}
	return m
}

// adminAddresses reads the addresses of admins that share a database: host:port or
// a URL, comma separated.
func (l *launcher) adminAddresses(key string) []string {
	var list []string
	for item := range strings.SplitSeq(l.text(key), ",") {
		if item = trim(item); item == "" {
			continue
		}
		if !strings.Contains(item, "://") {
			item = "http://" + item
		}
		u, err := url.Parse(item)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.User != nil {
			l.fail(key, "want host:port, or a URL that begins with http:// or https://; several are comma separated")
			return nil
		}
		list = append(list, strings.TrimRight(item, "/"))
	}
	if len(list) == 0 {
		l.fail(key, "want host:port of the admin")
	}
	return list
}

// adminPort reads the keys about the port of the server that an admin talks to.
func (l *launcher) adminPort() AdminPort {
	p := AdminPort{
		Open:       l.text("canal.admin.port") != "",
		User:       l.text("canal.admin.user"),
		PasswdHash: l.text(adminPasswdKey),
		CertFile:   l.file(portCertKey),
		KeyFile:    l.file(portKeyKey),
		Required:   l.boolean(portRequiredKey),
	}
	switch {
	case p.CertFile == "" && p.KeyFile != "":
		l.fail(portCertKey, "want the PEM file with the certificate of "+portKeyKey)
	case p.CertFile != "" && p.KeyFile == "":
		l.fail(portKeyKey, "want the PEM file with the key of "+portCertKey)
	case p.CertFile == "" && p.Required:
		l.fail(portRequiredKey, "want false, or "+portCertKey+" and "+portKeyKey+" set")
	}
	if !p.Open {
		return p
	}
	p.Port = l.number("canal.admin.port", 0, 65535)
	if l.passwordHash(adminPasswdKey) == nil {
		l.suspect(adminPasswdKey, "the admin port lets anybody in with any password, as in Canal, and who is in can stop this server: set the hash of a password, or leave canal.admin.port blank")
	}
	return p
}

// suspect notes a value that is probably not what was meant.
func (l *launcher) suspect(key, message string) {
	_, src, _ := l.c.sources.launcher(l.c.main, key)
	l.c.findings = append(l.c.findings, Finding{Kind: SuspectValue, Keys: []string{key}, Source: src, Message: message})
}

// TLSConfig is how to connect to an admin whose address begins with https: TLS 1.2
// or newer, its certificate checked against CAFile or the system's authorities.
// The error names the key and the file.
func (m *Manager) TLSConfig() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: m.Insecure}
	if m.CAFile == "" {
		return c, nil
	}
	var err error
	c.RootCAs, err = authorities(adminCAKey, m.CAFile)
	return c, err
}

// TLSConfig is how the admin port does TLS; nil when it does not. The error names
// the key and the file.
func (p AdminPort) TLSConfig() (*tls.Config, error) {
	if p.CertFile == "" {
		return nil, nil
	}
	own, err := certificate(portCertKey, p.CertFile, portKeyKey, p.KeyFile)
	if err != nil {
		return nil, err
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{own}}, nil
}

// overruled reports keys of an instance's text that have no effect because the
// server's values have them too: those come first in manager mode.
func (r *reporter) overruled(files fileSet) {
	for _, f := range files.instances {
		for _, e := range f.Entries() {
			k, known := LookupKey(e.Key)
			over, ok := files.main.Get(e.Key)
			if !known || !ok || k.Scope != ScopeInstance || k.Status != Works || trim(over.Value) == trim(e.Value) || trim(e.Value) == "" {
				continue
			}
			r.findings = append(r.findings, Finding{
				Kind: HiddenValue, Keys: []string{e.Key}, Source: f.place(e),
				Message: fmt.Sprintf("without effect: with an admin the server's value counts, that of %s", files.main.place(over)),
			})
		}
	}
}
