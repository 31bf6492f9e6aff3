package sqldb

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
)

// JDBCPrefix is what an address begins with that ParseJDBC reads.
const JDBCPrefix = "jdbc:mysql://"

const (
	mysqlPort     = "3306"
	maxJDBCLength = 8192
)

// ParseJDBC turns the address of a database as Canal's files have it into one for
// our driver. user and password count before those in the address. Of Connector/J's parameters those count that say how to
// connect: useSSL, requireSSL, verifyServerCertificate, sslMode, serverTimezone,
// connectionTimeZone, connectTimeout, user and password. useUnicode and
// characterEncoding have no effect, since text is always UTF-8; nor has
// allowPublicKeyRetrieval, since the key is always asked for where it is needed.
// The rest is about Java. Errors never contain the address, which may have a
// password.
func ParseJDBC(address, user, password string) (*mysql.Config, error) {
	rest, ok := strings.CutPrefix(address, JDBCPrefix)
	if !ok || len(address) > maxJDBCLength {
		return nil, fmt.Errorf("want an address that begins with %s", JDBCPrefix)
	}
	rest, query, _ := strings.Cut(rest, "?")
	hosts, name, _ := strings.Cut(rest, "/")
	switch {
	case strings.ContainsAny(hosts, ",()@"):
		return nil, errors.New("want one host and one port between // and /")
	case name == "":
		return nil, errors.New("want the name of the database after the host")
	}
	params, err := url.ParseQuery(query)
	if err != nil {
		return nil, errors.New("the parameters after ? cannot be read")
	}
	c := mysql.NewConfig()
	c.Net, c.User, c.Passwd = "tcp", user, password
	if c.DBName, err = url.PathUnescape(name); err != nil {
		return nil, errors.New("the name of the database cannot be read")
	}
	if c.Addr, err = hostPort(hosts); err != nil {
		return nil, err
	}
	p := jdbcParams(params)
	if c.User == "" {
		c.User, c.Passwd = p.get("user"), p.get("password")
	}
	if err := p.setTLS(c); err != nil {
		return nil, err
	}
	if err := p.setZone(c); err != nil {
		return nil, err
	}
	return c, p.setTimeout(c)
}

// hostPort adds what a JDBC address may leave out.
func hostPort(s string) (string, error) {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		host, port = strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"), mysqlPort
	}
	if host == "" {
		host = "localhost"
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", fmt.Errorf("port %q is none", port)
	}
	return net.JoinHostPort(host, port), nil
}

// jdbcParams are parameters whose names have no case.
type jdbcParams url.Values

func (p jdbcParams) get(name string) string {
	for key, values := range p {
		if strings.EqualFold(key, name) {
			return values[0]
		}
	}
	return ""
}

func (p jdbcParams) isTrue(name string) bool {
	v := p.get(name)
	return strings.EqualFold(v, "true") || strings.EqualFold(v, "yes")
}

// setTLS follows sslMode, and without it what the older parameters come to. As in
// Connector/J 8 a connection is encrypted where the server can do so, unless that
// is refused.
func (p jdbcParams) setTLS(c *mysql.Config) error {
	mode := strings.ToUpper(p.get("sslMode"))
	if mode == "" {
		switch use := p.get("useSSL"); {
		case use != "" && !p.isTrue("useSSL"):
			mode = "DISABLED"
		case p.isTrue("verifyServerCertificate"):
			mode = "VERIFY_CA"
		case p.isTrue("requireSSL"), use != "":
			mode = "REQUIRED"
		default:
			mode = "PREFERRED"
		}
	}
	if p.get("trustCertificateKeyStoreUrl") != "" || p.get("clientCertificateKeyStoreUrl") != "" {
		return errors.New("key stores are not supported: let the system trust the server's authority, and log in by password")
	}
	host, _, _ := net.SplitHostPort(c.Addr)
	suites := cipherSuites()
	// MySQL before 5.7.28 may have nothing newer than TLS 1.1.
	unverified := &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, CipherSuites: suites}
	switch mode {
	case "DISABLED":
	case "PREFERRED":
		c.TLS, c.AllowFallbackToPlaintext = unverified, true
	case "REQUIRED":
		c.TLS = unverified
	case "VERIFY_CA":
		c.TLS = &tls.Config{InsecureSkipVerify: true, VerifyConnection: verifyAuthority, CipherSuites: suites} // but for the name
	case "VERIFY_IDENTITY":
		c.TLS = &tls.Config{ServerName: host, CipherSuites: suites}
	default:
		return fmt.Errorf("sslMode %q: there are DISABLED, PREFERRED, REQUIRED, VERIFY_CA and VERIFY_IDENTITY", mode)
	}
	return nil
}

// cipherSuites are, for TLS up to 1.2, Go's own and behind them those with RSA key
// exchange: MySQL 5.7 and 8.0 built with yaSSL or OpenSSL 1.0.2 have no others.
func cipherSuites() (ids []uint16) {
	for _, s := range tls.CipherSuites() {
		ids = append(ids, s.ID)
	}
	return append(ids, tls.TLS_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_RSA_WITH_AES_256_GCM_SHA384,
		tls.TLS_RSA_WITH_AES_128_CBC_SHA, tls.TLS_RSA_WITH_AES_256_CBC_SHA)
}

// verifyAuthority wants a certificate of an authority that the system trusts, for
// whatever host.
func verifyAuthority(s tls.ConnectionState) error {
	if len(s.PeerCertificates) == 0 {
		return errors.New("the server has no certificate")
	}
	o := x509.VerifyOptions{Intermediates: x509.NewCertPool()}
	for _, c := range s.PeerCertificates[1:] {
		o.Intermediates.AddCert(c)
	}
	_, err := s.PeerCertificates[0].Verify(o)
	return err
}

// setZone says in which zone the server's session gives its times. Without a
// parameter the session is set to UTC; with one it is left as it is, as in
// Connector/J, and the times are taken for those of the zone.
func (p jdbcParams) setZone(c *mysql.Config) error {
	name := p.get("connectionTimeZone")
	if name == "" {
		name = p.get("serverTimezone")
	}
	if name == "" || name == "LOCAL" || name == "SERVER" {
		return nil
	}
	zone, err := zoneOf(name)
	if err != nil {
		return fmt.Errorf("serverTimezone %q: want a zone such as Asia/Shanghai or GMT+8", name)
	}
	c.Loc = zone
	return nil
}

var offset = regexp.MustCompile(`^(?:GMT|UTC)?([+ -])(\d{1,2})(?::?(\d{2}))?$`)

// zoneOf reads a zone as Java names it. A plus sign that was not escaped in an
// address has become a space.
func zoneOf(name string) (*time.Location, error) {
	m := offset.FindStringSubmatch(name)
	if m == nil {
		if name == "Local" {
			return nil, errors.New("no zone")
		}
		return time.LoadLocation(name)
	}
	hours, _ := strconv.Atoi(m[2])
	minutes, _ := strconv.Atoi("0" + m[3])
	if hours > 23 || minutes > 59 {
		return nil, errors.New("no such offset")
	}
	seconds := (hours*60 + minutes) * 60
	if m[1] == "-" {
		seconds = -seconds
	}
	return time.FixedZone(name, seconds), nil
}

// setTimeout takes a shorter time for connecting than connectTimeout, in
// milliseconds.
func (p jdbcParams) setTimeout(c *mysql.Config) error {
	text := p.get("connectTimeout")
	if text == "" {
		return nil
	}
	ms, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return fmt.Errorf("connectTimeout %q: want milliseconds", text)
	}
	if d := time.Duration(ms) * time.Millisecond; d > 0 && d < connectTimeout {
		c.Timeout = d
	}
	return nil
}
