package config

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// LoadOptions say where to read and what overrides the files. Only Home is
// needed.
type LoadOptions struct {
	Home string // install folder; relative paths in values count from Home/bin, Canal's working directory
	Conf string // "" means Home/conf; when set it also replaces canal.conf.dir
	Logs string // "" means Home/logs
	Data string // "" means what canal.file.data.dir says

	// File is the main properties file; "" means -D canal.conf, else
	// canal_local.properties in Conf when Local is set or there is no
	// canal.properties, else canal.properties. Instance keys come from
	// Conf/canal.properties whatever File is, as in Canal.
	File  string
	Local bool // as "startup.sh local"

	// Admin holds what the admin of a managed server said; nil before it was
	// asked, and without an admin.
	Admin *AdminTexts

	Overrides map[string]string // -D key=value
	Environ   []string          // as os.Environ; JAVA_OPTS in it may hold further -Dkey=value
}

// AdminTexts are the configuration of a managed server as its admin has it. Keys of
// the main file stand over those of Server.
type AdminTexts struct {
	Server string // canal.properties

	// Instances returns the texts of the instances by destination as they are now.
	// The map is not changed any more. It may be called from anywhere.
	Instances func() map[string]string
}

// Config is a loaded configuration. It is immutable and safe for concurrent
// use; Instance and Report read the files or texts of the instances anew each time,
// as Canal does when it starts one.
type Config struct {
	home, conf, logs string
	sources          sources
	main             *Properties
	server           Server
	zone             *time.Location
	manager          *Manager    // nil without an admin
	admin            *AdminTexts // nil before it has been asked
	findings         []Finding   // met while loading
	detached         bool        // made from texts alone: no file is read
}

// Load reads the main properties file and the values of the server. The error
// is a *ValueError when a value is wrong, a *SyntaxError when the file cannot be
// parsed, or wraps the error of reading it.
func Load(o LoadOptions) (*Config, error) {
	c := &Config{home: absolute(o.Home), sources: newSources(o)}
	c.conf = absoluteOr(o.Conf, filepath.Join(c.home, "conf"))
	c.logs = absoluteOr(o.Logs, filepath.Join(c.home, "logs"))
	main, err := ReadProperties(c.mainFile(o))
	if err != nil {
		return nil, fmt.Errorf("load configuration: %w", err)
	}
	c.main = main
	if err := c.loadManager(); err != nil {
		return nil, err
	}
	if o.Admin != nil {
		if err := c.lay(o.Admin); err != nil {
			return nil, err
		}
	}
	if c.zone, err = timeZone(c.sources.overrides["user.timezone"]); err != nil {
		return nil, err
	}
	if err := c.loadServer(); err != nil {
		return nil, err
	}
	return c, nil
}

// Server is what the main file says for the process.
func (c *Config) Server() Server { return c.server }

// ConfDir is the folder of canal.properties, absolute.
func (c *Config) ConfDir() string { return c.conf }

// LogsDir is the folder the log folders stand in, absolute.
func (c *Config) LogsDir() string { return c.logs }

// File is the main properties file, absolute unless it was given otherwise.
func (c *Config) File() string { return c.main.File }

// Startable says why this version cannot run a server with the configuration
// although nothing in it is wrong: it asks for a part that does not exist yet.
// The errors are joined; nil means it can run.
func (c *Config) Startable() error {
	var errs []error
	refuse := func(key, why string) {
		v, src, _ := c.sources.launcher(c.main, key)
		errs = append(errs, newValueError("", key, v, src, why))
	}
	if c.server.Mode != "tcp" {
		refuse("canal.serverMode", "message queue producers are not supported in this version; use tcp")
	}
	return errors.Join(errs...)
}

// newSources collects the overrides: -D wins over the folder options, those win
// over -D in JAVA_OPTS, which Canal's startup.sh hands to the Java process.
func newSources(o LoadOptions) sources {
	s := sources{overrides: map[string]string{}, environ: map[string]string{}}
	for _, kv := range o.Environ {
		if k, v, ok := strings.Cut(kv, "="); ok {
			s.environ[k] = v
		}
	}
	for _, opt := range strings.Fields(s.environ["JAVA_OPTS"]) {
		if def, ok := strings.CutPrefix(opt, "-D"); ok {
			k, v, _ := strings.Cut(def, "=")
			s.overrides[k] = v
		}
	}
	if o.Conf != "" {
		s.overrides["canal.conf.dir"] = absolute(o.Conf)
	}
	if o.Data != "" {
		s.overrides["canal.file.data.dir"] = absolute(o.Data)
	}
	for k, v := range o.Overrides {
		s.overrides[k] = v
	}
	return s
}

// mainFile picks the main properties file.
func (c *Config) mainFile(o LoadOptions) string {
	if o.File != "" {
		return o.File
	}
	global, local := filepath.Join(c.conf, "canal.properties"), filepath.Join(c.conf, "canal_local.properties")
	if file := c.sources.overrides["canal.conf"]; file != "" && !o.Local {
		return c.resource(file)
	}
	if o.Local || absent(global) && !absent(local) {
		return local
	}
	return global
}

func absent(file string) bool {
	_, err := os.Stat(file)
	return errors.Is(err, fs.ErrNotExist)
}

// resource finds a file as Canal names it: "classpath:x" stands in the conf
// folder, anything else is a path.
func (c *Config) resource(name string) string {
	if rest, ok := strings.CutPrefix(name, "classpath:"); ok {
		return filepath.Join(c.conf, filepath.FromSlash(rest))
	}
	return c.path(name)
}

// path makes a path from a value absolute. Relative ones count from home/bin;
// those that lead to home/conf or home/logs follow --conf and --logs.
func (c *Config) path(p string) string {
	p = filepath.FromSlash(p)
	if filepath.IsAbs(p) {
		return filepath.Clean(p)
	}
	p = filepath.Join(c.home, "bin", p)
	for from, to := range map[string]string{filepath.Join(c.home, "conf"): c.conf, filepath.Join(c.home, "logs"): c.logs} {
		if rest, ok := strings.CutPrefix(p, from); ok && (rest == "" || os.IsPathSeparator(rest[0])) {
			return to + rest
		}
	}
	return p
}

func absolute(p string) string {
	if abs, err := filepath.Abs(p); err == nil {
		return abs
	}
	return filepath.Clean(p)
}

func absoluteOr(p, def string) string {
	if p == "" {
		return def
	}
	return absolute(p)
}

// HostIP is the address Canal publishes when none is configured: the first IPv4
// address of the host's interfaces that is not loopback (AddressUtils.getHostIp),
// "127.0.0.1" when there is none.
func HostIP() string {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return "127.0.0.1"
	}
	for _, a := range addrs {
		ipNet, ok := a.(*net.IPNet)
		if !ok {
			continue
		}
		if ip := ipNet.IP.To4(); ip != nil && !ip.IsLoopback() && !ip.IsUnspecified() {
			return ip.String()
		}
	}
	return "127.0.0.1"
}

// DataDir is the folder in which the server keeps what it has to remember. A
// file that cannot be read counts as empty: whoever starts an instance is told.
func (c *Config) DataDir() string {
	p, err := c.placeholders("")
	if err != nil {
		p = &placeholders{sources: c.sources}
	}
	r := &instanceReader{p: p}
	return c.path(r.text("canal.file.data.dir"))
}
