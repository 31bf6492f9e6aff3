package sqldb

import (
	"crypto/tls"
	"strings"
	"testing"
	"time"
)

func TestParseJDBC(t *testing.T) {
	const canal = "jdbc:mysql://127.0.0.1:3306/canal_manager?useUnicode=true&characterEncoding=UTF-8&useSSL=false"
	for _, c := range []struct {
		address, addr, name string
		tls                 string // disabled, preferred, required, authority, identity
	}{
		{canal, "127.0.0.1:3306", "canal_manager", "disabled"},
		{canal + "&allowPublicKeyRetrieval=true", "127.0.0.1:3306", "canal_manager", "disabled"},
		{"jdbc:mysql://db/x", "db:3306", "x", "preferred"},
		{"jdbc:mysql:///x", "localhost:3306", "x", "preferred"},
		{"jdbc:mysql://[::1]:3307/x?usessl=TRUE", "[::1]:3307", "x", "required"},
		{"jdbc:mysql://[::1]/x?requireSSL=true", "[::1]:3306", "x", "required"},
		{"jdbc:mysql://h/x?useSSL=true&verifyServerCertificate=true", "h:3306", "x", "authority"},
		{"jdbc:mysql://h/x?useSSL=true&sslMode=DISABLED", "h:3306", "x", "disabled"},
		{"jdbc:mysql://h/x?sslMode=verify_identity", "h:3306", "x", "identity"},
		{"jdbc:mysql://h/%E5%BA%93?sslMode=PREFERRED", "h:3306", "库", "preferred"},
	} {
		got, err := ParseJDBC(c.address, "u", "p@:/?#")
		if err != nil {
			t.Errorf("%s: %v", c.address, err)
			continue
		}
		if got.Addr != c.addr || got.DBName != c.name || got.User != "u" || got.Passwd != "p@:/?#" {
			t.Errorf("%s: %s %s %s", c.address, got.Addr, got.DBName, got.User)
		}
		if mode := tlsMode(got.TLS, got.AllowFallbackToPlaintext); mode != c.tls {
			t.Errorf("%s: TLS %s, want %s", c.address, mode, c.tls)
		}
	}
}

func tlsMode(c *tls.Config, fallback bool) string {
	switch {
	case c == nil:
		return "disabled"
	case fallback:
		return "preferred"
	case c.VerifyConnection != nil:
		return "authority"
	case c.InsecureSkipVerify:
		return "required"
	}
	return "identity"
}

func TestParseJDBCUserAndZone(t *testing.T) {
	at := time.Date(2024, 7, 1, 0, 0, 0, 0, time.UTC)
	for query, want := range map[string]int{
		"":                             0,
		"serverTimezone=UTC":           0,
		"serverTimezone=Asia/Shanghai": 8 * 3600,
		"serverTimezone=GMT%2B8":       8 * 3600,
		"serverTimezone=GMT+8":         8 * 3600, // as people write it
		"serverTimezone=GMT-03:30":     -(3*3600 + 1800),
		"connectionTimeZone=%2B02:00":  2 * 3600,
		"connectionTimeZone=LOCAL":     0,
		"connectTimeout=500&serverTimezone=America/New_York": -4 * 3600,
	} {
		c, err := ParseJDBC("jdbc:mysql://h/x?user=a&password=b%26c&"+query, "", "")
		if err != nil {
			t.Errorf("%s: %v", query, err)
			continue
		}
		if _, got := at.In(c.Loc).Zone(); got != want || c.User != "a" || c.Passwd != "b&c" {
			t.Errorf("%s: %d s, user %s", query, got, c.User)
		}
		if strings.Contains(query, "connectTimeout") && c.Timeout != 500*time.Millisecond {
			t.Errorf("%s: timeout %s", query, c.Timeout)
		}
	}
}

func TestParseJDBCRefuses(t *testing.T) {
	for _, address := range []string{
		"", "jdbc:h2:mem", "jdbc:mysql://", "jdbc:mysql://h", "jdbc:mysql://h/", "jdbc:mysql://a,b/x", "jdbc:mysql://u:topsecret@h/x",
		"jdbc:mysql://(host=h,password=topsecret)/x", "jdbc:mysql://h:0/x", "jdbc:mysql://h:x/x", "jdbc:mysql://h/x?sslMode=MAYBE", "jdbc:mysql://h/x?password=topsecret&serverTimezone=Nowhere",
		"jdbc:mysql://h/x?connectTimeout=soon", "jdbc:mysql://h/%zz", "jdbc:mysql://h/x?%zz=topsecret", "jdbc:mysql://h/x?trustCertificateKeyStoreUrl=file:/x.jks",
		"jdbc:mysql://h/x?serverTimezone=Local", "jdbc:mysql://h/x?serverTimezone=GMT%2B25", JDBCPrefix + "h/" + strings.Repeat("x", maxJDBCLength),
	} {
		_, err := ParseJDBC(address, "u", "topsecret")
		if err == nil {
			t.Errorf("%.60s: taken", address)
		} else if strings.Contains(err.Error(), "topsecret") {
			t.Errorf("%s: the error has the password: %v", address, err)
		}
	}
}

func FuzzParseJDBC(f *testing.F) {
	f.Add("jdbc:mysql://127.0.0.1:3306/canal_manager?useUnicode=true&characterEncoding=UTF-8&useSSL=false")
	f.Add("jdbc:mysql://[::1]/x?serverTimezone=GMT%2B8&sslMode=VERIFY_CA&connectTimeout=1")
	f.Fuzz(func(t *testing.T, address string) {
		c, err := ParseJDBC(address, "u", "p")
		if err == nil && (c.Addr == "" || c.DBName == "" || c.Loc == nil) {
			t.Errorf("%q: %+v", address, c)
		}
	})
}
