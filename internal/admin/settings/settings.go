package settings

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/towpath-cdc/towpath/internal/admin/database"
)

// Defaults, those of Canal as it ships them.
const (
	defaultPort      = 8089
	defaultIdle      = 30 * time.Minute
	defaultAdminUser = "admin"
	defaultSQLite    = "../data/towpath-admin.db"
	defaultURL       = "jdbc:mysql://${" + keyDBAddress + ":127.0.0.1:3306}/${" + keyDBName + ":canal_manager}?useUnicode=true&characterEncoding=UTF-8&useSSL=false"
)

// Values of towpath.control.tls.
const (
	ControlTLSNever    = "never"
	ControlTLSOffered  = "offered" // with the servers that offer it
	ControlTLSRequired = "required"
)

// LoadOptions say where the sources are.
type LoadOptions struct {
	Home    string            // of the installation
	Conf    string            // folder of application.yml; HOME/conf if ""
	Defines map[string]string // of the command line
	Environ []string          // as os.Environ has it
	// ReadOnly writes no application.yml.
	ReadOnly bool
}

// Settings are all values. Paths are absolute or begin with Home.
type Settings struct {
	File     string   // application.yml, which need not exist
	Written  bool     // it was missing, and has been written
	Findings []string // what has no effect, for a person

	Address string // to listen on; "" for all
	Port    int    // 0 for any

	DateFormat, TimeZone string // of Jackson; "" for Canal's

	Driver                string // database.SQLite or database.MySQL
	DatabasePath          string // of SQLite
	DatabaseURL           string // of MySQL, as JDBC has it
	DatabaseUser          string
	DatabasePassword      string
	AdminUser             string // shared with all servers
	AdminPassword         string
	Cert, Key             string // PEM files for HTTPS; "" for HTTP
	ControlTLS, ControlCA string // TLS with servers; PEM file of the authority, "" for the system's
	Allow                 []string
	Origins               []string
	Idle                  time.Duration // of a session
	FirstPassword         string
	KeepCanalHash         bool
	SecureCookie          bool
	RegistrationClosed    bool // servers are added by people only
}

// Load reads all sources. Without an application.yml, one with a random
// canal.adminPasswd is written, unless definitions or the environment have it.
// Errors name the key, and never have the value of a password.
func Load(o LoadOptions) (*Settings, error) {
	if o.Conf == "" {
		o.Conf = filepath.Join(o.Home, "conf")
	}
	s := &Settings{File: filepath.Join(o.Conf, "application.yml")}
	text, err := s.read(o)
	if err != nil {
		return nil, err
	}
	pairs, findings, err := flatten(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.File, err)
	}
	v := newValues(o.Defines, o.Environ, pairs)
	if err := s.take(reader{values: v}, o, text == nil); err != nil {
		return nil, fmt.Errorf("settings (%s, environment, -D): %w", s.File, err)
	}
	s.Findings = append(findings, findUnknown(pairs, o.Defines, v.used)...)
	return s, nil
}

// read returns the text of the file, which it writes if there is none and one is
// needed; nil when there is none.
func (s *Settings) read(o LoadOptions) ([]byte, error) {
	text, err := os.ReadFile(s.File)
	if errors.Is(err, fs.ErrNotExist) {
		other := filepath.Join(o.Conf, "application.yaml")
		if text, err = os.ReadFile(other); err == nil {
			s.File = other
		}
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return text, err
	}
	v := newValues(o.Defines, o.Environ, nil)
	if _, given := v.outside(keyAdminPassword); given || o.ReadOnly {
		return nil, nil
	}
	text = firstFile(!usesMySQL(v))
	if err := writeFirst(s.File, text); err != nil {
		return nil, fmt.Errorf("write a first application.yml: %w", err)
	}
	s.Written = true
	return text, nil
}

// usesMySQL says whether Canal's keys lead to a database.
func usesMySQL(v *values) bool {
	_, url := v.raw(keyURL)
	_, address := v.raw(keyDBAddress)
	return url || address
}

// firstFile is what an installation begins with.
func firstFile(sqlite bool) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "# Settings of towpath admin. They are those of Canal Admin, and towpath.*.\n\nserver:\n  port: %d\n\n", defaultPort)
	fmt.Fprintf(&b, "canal:\n  # User and password that this admin shares with its servers. A server has\n  # canal.admin.user and, in canal.admin.passwd, the hash of the password:\n"+
		"  #   towpath admin hash\n  adminUser: %s\n  adminPasswd: %s\n", defaultAdminUser, rand.Text())
	if sqlite {
		fmt.Fprintf(&b, "\ntowpath:\n  database: %s\n  database.path: %s # from bin/\n", database.SQLite, defaultSQLite)
	}
	return []byte(b.String())
}

// writeFirst writes a file that nobody else may read, unless there is one by now.
func writeFirst(name string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Sync(), f.Close())
}

// reader reads typed values and remembers the first error.
type reader struct {
	*values
	err error
}

func (r *reader) text(key, fallback string) string {
	value, found, err := r.get(key)
	if err != nil && r.err == nil {
		r.err = err
	}
	if !found || value == "" {
		return fallback
	}
	return value
}

func (r *reader) fail(key, want string) {
	if r.err == nil {
		r.err = fmt.Errorf("%s: want %s", key, want)
	}
}

func (r *reader) port(key string, fallback int) int {
	n, err := strconv.ParseUint(r.text(key, strconv.Itoa(fallback)), 10, 16)
	if err != nil {
		r.fail(key, "a port, up to 65535")
	}
	return int(n)
}

func (r *reader) flag(key string) bool {
	switch strings.ToLower(r.text(key, "false")) {
	case "true", "on", "yes", "1":
		return true
	case "false", "off", "no", "0":
		return false
	}
	r.fail(key, "true or false")
	return false
}

// duration reads 30m, or a number of seconds.
func (r *reader) duration(key string, fallback, least, most time.Duration) time.Duration {
	text := r.text(key, fallback.String())
	d, err := time.ParseDuration(text)
	if err != nil {
		d, err = time.ParseDuration(text + "s")
	}
	if err != nil || d < least || d > most {
		r.fail(key, fmt.Sprintf("a time from %s to %s, such as 30m", least, most))
	}
	return d
}

func (r *reader) list(key string) []string {
	var all []string
	for e := range strings.SplitSeq(r.text(key, ""), ",") {
		if e = strings.TrimSpace(e); e != "" {
			all = append(all, e)
		}
	}
	return all
}

// path reads the name of a file, from HOME/bin as in Canal, whose scripts go there.
func (r *reader) path(o LoadOptions, key, fallback string) string {
	p := r.text(key, fallback)
	if p == "" || filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(o.Home, "bin", p)
}

// take fills the settings in. noFile says that there is no application.yml.
func (s *Settings) take(r reader, o LoadOptions, noFile bool) error {
	s.Port = r.port(keyPort, defaultPort)
	s.Address = strings.Trim(r.text(keyAddress, ""), "[]")
	s.DateFormat, s.TimeZone = r.text(keyDateFormat, ""), r.text(keyTimeZone, "")
	user := ""
	if noFile {
		user = defaultAdminUser
	}
	s.AdminUser, s.AdminPassword = r.text(keyAdminUser, user), r.text(keyAdminPassword, "")
	s.takeDatabase(&r, o)
	s.Cert, s.Key = r.path(o, keyCert, ""), r.path(o, keyKey, "")
	s.ControlTLS, s.ControlCA = strings.ToLower(r.text(keyControlTLS, ControlTLSOffered)), r.path(o, keyControlCA, "")
	s.Allow, s.Origins = r.list(keyAllow), r.list(keyOrigins)
	s.Idle = r.duration(keyIdle, defaultIdle, time.Minute, 7*24*time.Hour)
	s.FirstPassword = r.text(keyFirstPassword, "")
	s.KeepCanalHash, s.SecureCookie, s.RegistrationClosed = r.flag(keyKeepCanalHash), r.flag(keySecureCookie), r.flag(keyRegistration)
	if r.err != nil {
		return r.err
	}
	return s.check()
}

func (s *Settings) takeDatabase(r *reader, o LoadOptions) {
	driver := database.SQLite
	if usesMySQL(r.values) {
		driver = database.MySQL
	}
	s.Driver = strings.ToLower(r.text(keyDatabase, driver))
	switch s.Driver {
	case database.SQLite:
		s.DatabasePath = r.path(o, keyDatabasePath, defaultSQLite)
	case database.MySQL:
		if _, found := r.raw(keyURL); !found {
			r.file[canonical(keyURL)] = defaultURL
		}
		s.DatabaseURL = r.text(keyURL, "")
		s.DatabaseUser, s.DatabasePassword = r.text(keyDBUser, ""), r.text(keyDBPassword, "")
		if s.DatabaseURL == "" {
			r.fail(keyURL, "an address such as jdbc:mysql://127.0.0.1:3306/canal_manager")
		}
	default:
		r.fail(keyDatabase, database.SQLite+" or "+database.MySQL)
	}
}

// check finds what is missing. The texts for the shared user and password are those
// of Canal's WebConfig.
func (s *Settings) check() error {
	const issue = " is empty , pls check https://github.com/alibaba/canal/issues/4941\n"
	switch {
	case s.AdminUser == "":
		return errors.New(keyAdminUser + issue + "Set it in " + s.File + ", or as -D " + keyAdminUser + "=admin: it is the user that the admin shares with its servers.")
	case s.AdminPassword == "":
		return errors.New(keyAdminPassword + issue + "Set it in " + s.File + ", or as -D " + keyAdminPassword + "=...: it is the password that the admin shares with its servers, " +
			"which have its hash as canal.admin.passwd.")
	case (s.Cert == "") != (s.Key == ""):
		return fmt.Errorf("%s and %s: want both or none", keyCert, keyKey)
	case !slices.Contains([]string{ControlTLSNever, ControlTLSOffered, ControlTLSRequired}, s.ControlTLS):
		return fmt.Errorf("%s: want %s, %s or %s", keyControlTLS, ControlTLSNever, ControlTLSOffered, ControlTLSRequired)
	}
	return nil
}

// Listen is the address to listen on.
func (s *Settings) Listen() string { return net.JoinHostPort(s.Address, strconv.Itoa(s.Port)) }

// Database are the options to open the database with, but for the logger.
func (s *Settings) Database() database.Options {
	return database.Options{Driver: s.Driver, Path: s.DatabasePath, DSN: s.DatabaseURL, User: s.DatabaseUser, Password: s.DatabasePassword}
}

// findUnknown describes the keys of the file and of definitions that do nothing.
func findUnknown(pairs []pair, defines map[string]string, used map[string]bool) []string {
	var found []string
	seen := map[string]int{}
	for _, p := range pairs {
		if first, twice := seen[canonical(p.key)]; twice {
			found = append(found, fmt.Sprintf("line %d: %s replaces the one of line %d", p.line, p.key, first))
		}
		seen[canonical(p.key)] = p.line
		if what := unknown(p.key); what != "" && !used[canonical(p.key)] {
			found = append(found, fmt.Sprintf("line %d: %s", p.line, what))
		}
	}
	var names []string
	for key := range defines {
		names = append(names, key)
	}
	slices.Sort(names)
	for _, key := range names {
		if what := unknown(key); what != "" && !used[canonical(key)] {
			found = append(found, "-D "+what)
		}
	}
	return found
}
