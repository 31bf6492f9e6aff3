package settings

import (
	"fmt"
	"strings"
	"unicode"
)

// The keys that have an effect. Those of Canal Admin's application.yml first.
const (
	keyPort          = "server.port"
	keyAddress       = "server.address"
	keyDateFormat    = "spring.jackson.date-format"
	keyTimeZone      = "spring.jackson.time-zone"
	keyURL           = "spring.datasource.url"
	keyDBAddress     = "spring.datasource.address"  // by way of the url
	keyDBName        = "spring.datasource.database" // by way of the url
	keyDBUser        = "spring.datasource.username"
	keyDBPassword    = "spring.datasource.password"
	keyAdminUser     = "canal.adminUser"
	keyAdminPassword = "canal.adminPasswd"

	keyDatabase      = "towpath.database"
	keyDatabasePath  = "towpath.database.path"
	keyCert          = "towpath.tls.cert"
	keyKey           = "towpath.tls.key"
	keyControlTLS    = "towpath.control.tls"
	keyControlCA     = "towpath.control.ca"
	keyAllow         = "towpath.address.allow"
	keyOrigins       = "towpath.cors.origins"
	keyIdle          = "towpath.session.idle"
	keyFirstPassword = "towpath.firstPassword"
	keyKeepCanalHash = "towpath.passwords.keepCanalHash"
	keySecureCookie  = "towpath.secureCookie"
	keyRegistration  = "towpath.registration.closed"
)

var knownKeys = []string{
	keyPort, keyAddress, keyDateFormat, keyTimeZone, keyURL, keyDBAddress, keyDBName, keyDBUser, keyDBPassword, keyAdminUser, keyAdminPassword,
	keyDatabase, keyDatabasePath, keyCert, keyKey, keyControlTLS, keyControlCA, keyAllow, keyOrigins, keyIdle, keyFirstPassword, keyKeepCanalHash, keySecureCookie, keyRegistration,
}

// withoutEffect are keys of Spring, and of what Canal Admin is built with, that
// have nothing to say here; the more special ones first.
var withoutEffect = []struct{ prefix, why string }{
	{"spring.datasource.driver-class-name", ""}, // shipped; there is one driver
	{"spring.datasource.hikari.", ""},           // shipped; the pool needs no settings
	{"server.ssl.", "TLS is set by " + keyCert + " and " + keyKey},
	{"logging.", "the log is logs/admin.log; its level is an option of the command"},
	{"management.", "there are no actuators"},
	{"spring.", "it belongs to Spring"},
	{"server.", "it belongs to Tomcat"},
	{"ebean.", "it belongs to Ebean"},
}

// canonical is a key without case, dashes and underscores, which Spring does not
// look at.
func canonical(key string) string {
	return strings.NewReplacer("-", "", "_", "").Replace(strings.ToLower(key))
}

// environmentNames are the upper-case names of a key: CANAL_ADMINPASSWD as Spring
// has it, and CANAL_ADMIN_PASSWD.
func environmentNames(key string) []string {
	dots := strings.NewReplacer(".", "_", "-", "")
	var words strings.Builder
	for i, c := range key {
		if i > 0 && unicode.IsUpper(c) {
			words.WriteByte('_')
		}
		words.WriteRune(c)
	}
	return []string{strings.ToUpper(dots.Replace(key)), strings.ToUpper(strings.NewReplacer(".", "_", "-", "_").Replace(words.String()))}
}

// unknown describes a key that has no effect; "" when it is known, or shipped with
// Canal and of no interest here.
func unknown(key string) string {
	c := canonical(key)
	for _, k := range knownKeys {
		if canonical(k) == c {
			return ""
		}
	}
	if near := nearest(c); near != "" {
		return fmt.Sprintf("%s is unknown: did you mean %s?", key, near)
	}
	for _, w := range withoutEffect {
		if strings.HasPrefix(c+".", canonical(w.prefix)) {
			if w.why == "" {
				return ""
			}
			return fmt.Sprintf("%s has no effect: %s", key, w.why)
		}
	}
	return key + " is unknown and has no effect"
}

// nearest is a known key that differs by three letters at most.
func nearest(c string) string {
	for distance := 1; distance <= 3; distance++ {
		for _, k := range knownKeys {
			if edits(c, canonical(k)) == distance {
				return k
			}
		}
	}
	return ""
}

// edits is how many letters have to be added, left out or changed.
func edits(a, b string) int {
	if max(len(a), len(b)) > 100 {
		return 100
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
