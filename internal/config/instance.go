package config

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/towpath-cdc/towpath/internal/charset"
	"github.com/towpath-cdc/towpath/internal/filter"
)

// instanceFile is the name of the file of an instance in its folder.
const instanceFile = "instance.properties"

// Instance reads the configuration of one destination and says how to run it. A
// missing instance.properties is not an error (Canal runs on defaults then), though the
// address of the source has no default and may come from anywhere else. The
// error is a *ValueError naming the place and what would be right, or joins
// several of them.
func (c *Config) Instance(destination string) (Instance, error) {
	if err := checkDestination(destination); err != nil {
		return Instance{}, err
	}
	p, err := c.placeholders(destination)
	if err != nil {
		return Instance{}, fmt.Errorf("destination %s: %w", destination, err)
	}
	return c.readInstance(p)
}

// readInstance is Instance with the files in hand.
func (c *Config) readInstance(p *placeholders) (Instance, error) {
	destination := p.destination
	kind, err := c.kind(destination)
	if err != nil {
		return Instance{}, err
	}
	r := &instanceReader{p: p}
	in := r.read(c, kind)
	in.Meta = kind.meta
	in.History = r.history(c, kind, in.DataDir)
	in.FlushPeriod = r.duration("canal.file.flush.period", time.Millisecond)
	if in.Meta.InZooKeeper() {
		in.FlushPeriod = r.duration("canal.zookeeper.flush.period", time.Millisecond)
	}
	in.Lazy = c.destinationValue(destination, "lazy").is("true")
	if len(r.errs) > 0 {
		return Instance{}, errors.Join(r.errs...)
	}
	return in, nil
}

// placeholders reads the files that hold the values of a destination.
func (c *Config) placeholders(destination string) (*placeholders, error) {
	p := &placeholders{sources: c.sources, destination: destination}
	var err error
	if c.admin != nil && destination != "" {
		if p.remote, err = c.remoteInstance(destination); err != nil {
			return nil, err
		}
	}
	if c.admin != nil {
		p.server = c.main
	}
	return p, c.addFiles(p)
}

// addFiles adds the files in the folder conf.
func (c *Config) addFiles(p *placeholders) (err error) {
	if p.global, err = readOptional(filepath.Join(c.conf, "canal.properties")); err != nil {
		return err
	}
	for _, dir := range []string{c.conf, c.server.ConfDir} {
		file := findInstanceFile(filepath.Join(dir, p.destination))
		if file == "" {
			continue
		}
		if p.instance, err = readOptional(file); err != nil || p.instance != nil {
			return err
		}
	}
	return nil
}

// readOptional is ReadProperties, nil for a file that does not exist.
func readOptional(file string) (*Properties, error) {
	p, err := ReadProperties(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return p, err
}

// findInstanceFile is the path of instance.properties in dir, in whatever case
// it is written there; "" when there is none.
func findInstanceFile(dir string) string {
	exact := filepath.Join(dir, instanceFile)
	if _, err := os.Stat(exact); err == nil {
		return exact
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return ""
	}
	for _, e := range entries {
		if strings.EqualFold(e.Name(), instanceFile) {
			return filepath.Join(dir, e.Name())
		}
	}
	return ""
}

// selected is the value of a key that has a global and a per-destination form.
type selected struct {
	key, value string
	src        Source
}

// is compares in any case.
func (s selected) is(word string) bool { return strings.EqualFold(s.value, word) }

// destinationValue looks canal.instance.<destination>.<suffix> up, then
// canal.instance.global.<suffix>, then the default.
func (c *Config) destinationValue(destination, suffix string) selected {
	for _, name := range []string{destination, "global"} {
		key := "canal.instance." + name + "." + suffix
		if v, src, _ := c.sources.launcher(c.main, key); v != "" {
			return selected{key: key, value: v, src: src}
		}
	}
	key := "canal.instance.global." + suffix
	k, _ := LookupKey(key)
	return selected{key: key, value: k.Default, src: Source{Kind: sourceDefault}}
}

// instanceReader reads typed instance values and gathers every error, so that a
// person can mend a file in one go.
type instanceReader struct {
	p    *placeholders
	errs []error
}

// text is the expanded value of key or the catalogue's default.
func (r *instanceReader) text(key string) string {
	v, _ := r.lookup(key)
	return v
}

func (r *instanceReader) lookup(key string) (string, Source) {
	k, _ := LookupKey(key)
	v, src, err := r.p.value(key, k.Default)
	if err != nil {
		r.errs = append(r.errs, err)
	}
	return v, src
}

// fail records that the value of key cannot be used.
func (r *instanceReader) fail(key, value string, src Source, want string) {
	if r.p.reveals(key) && !IsSecret(key) {
		value, want = hiddenValue, "want another value: this one, which is not shown, refers to a secret"
	}
	r.errs = append(r.errs, newValueError(r.p.destination, key, value, src, want))
}

// flag reads what Spring's editor for booleans accepts.
func (r *instanceReader) flag(key string) bool {
	v, src := r.lookup(key)
	b, ok := parseBool(v)
	if !ok {
		r.fail(key, v, src, "want true or false")
	}
	return b
}

func parseBool(text string) (value, ok bool) {
	switch strings.ToLower(text) {
	case "true", "on", "yes", "1":
		return true, true
	case "false", "off", "no", "0", "":
		return false, true
	}
	return false, false
}

// number reads a whole number in [low, high] as Spring does: blanks inside are
// dropped, 0x and # begin hexadecimal. Absent means 0.
func (r *instanceReader) number(key string, low, high int64) int64 {
	v, src := r.lookup(key)
	if v == "" {
		return 0
	}
	n, err := parseNumber(v)
	if err != nil || n < low || n > high {
		r.fail(key, v, src, fmt.Sprintf("want a whole number from %d to %d", low, high))
		return 0
	}
	return n
}

func parseNumber(text string) (int64, error) {
	text = strings.Join(strings.Fields(text), "")
	digits, negative := strings.CutPrefix(text, "-")
	for _, prefix := range []string{"0x", "0X", "#"} {
		if hexDigits, ok := strings.CutPrefix(digits, prefix); ok {
			if negative {
				hexDigits = "-" + hexDigits
			}
			return strconv.ParseInt(hexDigits, 16, 64)
		}
	}
	return strconv.ParseInt(text, 10, 64)
}

const maxInt32 = 1<<31 - 1

// duration reads a number of units, from 1 up to about 24 days or 68 years.
func (r *instanceReader) duration(key string, unit time.Duration) time.Duration {
	return time.Duration(r.number(key, 1, maxInt32)) * unit
}

// choice reads one of words; fold accepts any case and yields the word as listed.
func (r *instanceReader) choice(key string, fold bool, words ...string) string {
	v, src := r.lookup(key)
	for _, w := range words {
		if v == w || fold && strings.EqualFold(v, w) {
			return w
		}
	}
	r.fail(key, v, src, "want "+strings.Join(words, ", "))
	return ""
}

// list reads comma separated words out of words, in any case; the result has
// them as they stand in words.
func (r *instanceReader) list(key string, words ...string) []string {
	v, src := r.lookup(key)
	var list []string
	for item := range strings.SplitSeq(v, ",") {
		item = trim(item)
		if item == "" {
			continue
		}
		i := slices.IndexFunc(words, func(w string) bool { return strings.EqualFold(w, item) })
		if i < 0 {
			r.fail(key, v, src, "want a list of "+strings.Join(words, ", "))
			return nil
		}
		list = append(list, words[i])
	}
	return list
}

// read fills everything that comes from instance keys. kind is what the Spring file
// says of the sources.
func (r *instanceReader) read(c *Config, kind profile) Instance {
	in := Instance{
		Destination: r.p.destination,
		DataDir:     filepath.Join(c.path(r.text("canal.file.data.dir")), r.p.destination),

		Preferred: r.addresses("towpath.instance.preferred"),

		ServerID:          r.serverID(),
		User:              r.text("canal.instance.dbUsername"),
		Password:          r.password(),
		DefaultSchema:     r.text("canal.instance.defaultDatabaseName"),
		ConnectionCharset: r.charset(),
		GTIDMode:          r.flag("canal.instance.gtidon"),
		TimeZone:          c.zone,

		Fallback:          time.Duration(r.number("canal.instance.fallbackIntervalInSeconds", 0, maxInt32)) * time.Second,
		AutoResetToLatest: r.flag("canal.auto.reset.latest.pos.mode"),
		ReceiveBufferSize: int(r.number("canal.instance.network.receiveBufferSize", 0, maxInt32)),
		SendBufferSize:    int(r.number("canal.instance.network.sendBufferSize", 0, maxInt32)),
		SocketTimeout:     time.Duration(r.number("canal.instance.network.soTimeout", 0, maxInt32)) * time.Second,
		BinlogFormats:     r.list("canal.instance.binlog.format", "ROW", "STATEMENT", "MIXED"),
		BinlogImages:      r.list("canal.instance.binlog.image", "FULL", "MINIMAL", "NOBLOB"),
		MultiStream:       r.flag("canal.instance.multi.stream.on"),

		DetectingEnable:    r.flag("canal.instance.detecting.enable"),
		DetectingSQL:       r.text("canal.instance.detecting.sql"),
		DetectingInterval:  r.duration("canal.instance.detecting.interval.time", time.Second),
		DetectingThreshold: int(r.number("canal.instance.detecting.retry.threshold", 0, maxInt32)),
		DetectingHA:        r.flag("canal.instance.detecting.heartbeatHaEnable"),

		TransactionSize: int(r.number("canal.instance.transaction.size", 1, maxInt32)),
		Parallel:        r.flag("canal.instance.parser.parallel"),
		ParallelThreads: r.parallelThreads(),
		ParallelBuffer:  int(r.number("canal.instance.parser.parallelBufferSize", 1, maxInt32)),

		BufferSize:   r.bufferSize(),
		MemUnit:      int(r.number("canal.instance.memory.buffer.memunit", 1, maxInt32)),
		BatchMode:    r.batchMode(),
		DDLIsolation: r.flag("canal.instance.get.ddl.isolation"),
		GetLinger:    r.getLinger(),
	}
	r.filters(&in)
	r.sources(c, kind, &in)
	return in
}

// maxLinger bounds towpath.instance.get.linger, in milliseconds.
const maxLinger = 60000

func (r *instanceReader) getLinger() *time.Duration {
	const key = "towpath.instance.get.linger"
	if r.text(key) == "" {
		return nil
	}
	linger := time.Duration(r.number(key, 0, maxLinger)) * time.Millisecond
	return &linger
}

// filters fills the filter values.
func (r *instanceReader) filters(in *Instance) {
	const prefix = "canal.instance.filter."
	in.WhiteRegex = r.regex(prefix + "regex")
	in.BlackRegex = r.regex(prefix + "black.regex")
	in.WhiteField = r.text(prefix + "field")
	in.BlackField = r.text(prefix + "black.field")
	in.DruidDDL = r.flag(prefix + "druid.ddl")
	in.FilterQueryDCL = r.flag(prefix + "query.dcl")
	in.FilterQueryDML = r.flag(prefix + "query.dml")
	in.FilterQueryDDL = r.flag(prefix + "query.ddl")
	in.FilterTableErr = r.flag(prefix + "table.error")
	in.TableMismatch = mismatches[r.choice("towpath.instance.table.mismatch", true, "hold", "mark", "stop")]
	in.FilterRows = r.flag(prefix + "rows")
	in.FilterTxEntry = r.flag(prefix + "transaction.entry")
	in.FilterDMLInsert = r.flag(prefix + "dml.insert")
	in.FilterDMLUpdate = r.flag(prefix + "dml.update")
	in.FilterDMLDelete = r.flag(prefix + "dml.delete")
}

// endpoint reads the keys of "master" or "standby", or of those with a number behind
// them, which have the TLS keys of those without.
func (r *instanceReader) endpoint(c *Config, role, number string) Endpoint {
	prefix := "canal.instance." + role + number
	secure := "canal.instance." + role
	store := func(kind string) KeyStore {
		name := secure + "." + kind + "CertificateKeyStore"
		url := r.text(name + "Url")
		if url != "" && !strings.HasPrefix(url, "file:") {
			url = c.resource(url)
		}
		return KeyStore{Type: r.text(name + "Type"), URL: url, Password: r.text(name + "Password")}
	}
	return Endpoint{
		Address: r.address(prefix + ".address"),
		Start: StartPosition{
			File:      r.text(prefix + ".journal.name"),
			Offset:    r.number(prefix+".position", -1<<63, 1<<63-1),
			Timestamp: r.number(prefix+".timestamp", -1<<63, 1<<63-1),
			GTIDSet:   r.text(prefix + ".gtid"),
		},
		TLS: TLS{
			Mode:        r.choice(secure+".sslMode", true, "DISABLED", "PREFERRED", "REQUIRED", "VERIFY_CA", "VERIFY_IDENTITY"),
			Versions:    r.list(secure+".tlsVersions", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"),
			TrustStore:  store("trust"),
			ClientStore: store("client"),
		},
	}
}

// address reads host:port.
func (r *instanceReader) address(key string) string {
	v, src := r.lookup(key)
	if v == "" {
		return ""
	}
	address, err := parseAddress(v)
	if err != nil {
		r.fail(key, v, src, err.Error())
	}
	return address
}

// addresses reads host:port, comma separated; each is in the result once.
func (r *instanceReader) addresses(key string) []string {
	v, src := r.lookup(key)
	var list []string
	for item := range strings.SplitSeq(v, ",") {
		if item = trim(item); item == "" {
			continue
		}
		address, err := parseAddress(item)
		if err != nil {
			r.fail(key, v, src, fmt.Sprintf("%q: %v", item, err))
			return nil
		}
		if !slices.Contains(list, address) {
			list = append(list, address)
		}
	}
	return list
}

// parseAddress reads host:port; as in Canal the last ':' divides and brackets
// are not needed around an IPv6 address. The result has them. The error says
// what would be right.
func parseAddress(text string) (string, error) {
	plain := strings.NewReplacer("[", "", "]", "").Replace(text)
	i := strings.LastIndexByte(plain, ':')
	if i <= 0 {
		return "", errors.New("want host:port, or [address]:port for IPv6")
	}
	host, port := trim(plain[:i]), trim(plain[i+1:])
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || host == "" {
		return "", errors.New("want host:port with a port from 1 to 65535")
	}
	return net.JoinHostPort(host, port), nil
}

func (r *instanceReader) serverID() uint32 {
	return uint32(max(0, r.number("canal.instance.mysql.slaveId", -1<<63, 1<<32-1)))
}

// password decrypts the password of the source when Druid encrypted it.
func (r *instanceReader) password() string {
	const key = "canal.instance.dbPassword"
	v, src := r.lookup(key)
	if !r.flag("canal.instance.enableDruid") {
		return v
	}
	plain, err := decryptDruid(r.text("canal.instance.pwdPublicKey"), v)
	if err != nil {
		r.fail(key, v, src, fmt.Sprintf("want a password encrypted for canal.instance.pwdPublicKey, as canal.instance.enableDruid is set: %v", err))
	}
	return plain
}

// charset is the Java name of the connection charset as package charset spells
// it; UTF8MB4 is MySQL's name for UTF-8.
func (r *instanceReader) charset() string {
	const key = "canal.instance.connectionCharset"
	v, src := r.lookup(key)
	set, err := charset.ByJavaName(v)
	if err != nil {
		r.fail(key, v, src, "want the Java name of a character set, such as UTF-8, GBK or ISO-8859-1")
		return ""
	}
	return set.Name()
}

// regex is a list of table expressions, tried out so that a mistake shows with
// its place.
func (r *instanceReader) regex(key string) string {
	v, src := r.lookup(key)
	if _, err := filter.Compile(v, true); err != nil {
		r.fail(key, v, src, err.Error())
	}
	return v
}

// parallelThreads is at least 1; the default is 60 % of the processors.
func (r *instanceReader) parallelThreads() int {
	const key = "canal.instance.parser.parallelThreadSize"
	if r.text(key) == "" {
		return max(1, runtime.NumCPU()*60/100)
	}
	return max(1, int(r.number(key, -maxInt32, maxInt32)))
}

// maxSlots is the most slots a store may have: their bookkeeping alone takes
// about 100 bytes each.
const maxSlots = 1 << 24

func (r *instanceReader) bufferSize() int {
	const key = "canal.instance.memory.buffer.size"
	n := r.number(key, 1, maxSlots)
	if n&(n-1) != 0 {
		v, src := r.lookup(key)
		r.fail(key, v, src, "bufferSize must be a power of 2")
	}
	return int(n)
}

// batchMode is case-sensitive, as Java's enum is.
func (r *instanceReader) batchMode() BatchMode {
	if r.choice("canal.instance.memory.batch.mode", false, "MEMSIZE", "ITEMSIZE") == "ITEMSIZE" {
		return ItemSize
	}
	return MemSize
}
