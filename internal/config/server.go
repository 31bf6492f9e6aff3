package config

import (
	"encoding/hex"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// The values of canal.serverMode, lower case.
var serverModes = []string{"tcp", "kafka", "rocketmq", "rabbitmq", "pulsarmq"}

// launcher reads server keys and keeps the first error, so that loadServer
// reads like a list.
type launcher struct {
	c   *Config
	err error
}

// text is the value of key; the catalogue's default when absent or empty.
func (l *launcher) text(key string) string {
	v, _, _ := l.c.sources.launcher(l.c.main, key)
	if v == "" {
		k, _ := LookupKey(key)
		return k.Default
	}
	return v
}

// fail records that the value of key cannot be used.
func (l *launcher) fail(key, want string) {
	if l.err == nil {
		v, src, _ := l.c.sources.launcher(l.c.main, key)
		l.err = newValueError("", key, v, src, want)
	}
}

// number is a whole number in [low, high].
func (l *launcher) number(key string, low, high int) int {
	n, err := strconv.Atoi(l.text(key))
	if err != nil || n < low || n > high {
		l.fail(key, fmt.Sprintf("want a whole number from %d to %d", low, high))
		return 0
	}
	return n
}

// minStoreBudget is the least towpath.store.budget, in bytes: room for a few
// usual transactions.
const minStoreBudget = 1 << 20

// size is a number of bytes of at least low. It may end in k, m or g, in any
// case, for units of 1024, 1024² and 1024³.
func (l *launcher) size(key string, low int64) int64 {
	n, err := parseSize(l.text(key))
	if err != nil || n < low {
		l.fail(key, fmt.Sprintf("want a number of bytes of at least %d, such as 536870912, 512m or 1g", low))
		return 0
	}
	return n
}

func parseSize(s string) (int64, error) {
	unit := int64(1)
	if s != "" {
		switch s[len(s)-1] | 0x20 {
		case 'k':
			unit = 1 << 10
		case 'm':
			unit = 1 << 20
		case 'g':
			unit = 1 << 30
		}
	}
	if unit > 1 {
		s = trim(s[:len(s)-1])
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err == nil && (n < 0 || n > math.MaxInt64/unit) {
		err = strconv.ErrRange
	}
	return n * unit, err
}

// flag is true for the given words, in any case. Canal takes every other word
// for false; a word that is not one for false either is noted.
func (l *launcher) flag(key string, words ...string) bool {
	v := strings.ToLower(l.text(key))
	if slices.Contains(words, v) {
		return true
	}
	if !slices.Contains([]string{"", "false", "off", "no", "0"}, v) {
		_, src, _ := l.c.sources.launcher(l.c.main, key)
		l.c.findings = append(l.c.findings, Finding{
			Kind: SuspectValue, Keys: []string{key}, Source: src,
			Message: fmt.Sprintf("%q counts as false; only %s switches this on", v, strings.Join(words, ", ")),
		})
	}
	return false
}

// boolean is a key of Towpath's own: a word that is neither true nor false is an
// error, unlike with flag.
func (l *launcher) boolean(key string) bool {
	b, ok := parseBool(l.text(key))
	if !ok {
		l.fail(key, "want true or false")
	}
	return b
}

// loadServer fills c.server from the main file.
func (c *Config) loadServer() error {
	l := &launcher{c: c}
	s := Server{
		BindIP:       l.text("canal.ip"),
		RegisterIP:   l.text("canal.register.ip"),
		Port:         l.number("canal.port", 0, 65535),
		MetricsPort:  l.number("canal.metrics.pull.port", -1<<31, 65535),
		User:         l.text("canal.user"),
		PasswdHash:   l.passwordHash("canal.passwd"),
		Mode:         l.serverMode(),
		Destinations: l.destinations(),
		ConfDir:      c.path(l.text("canal.conf.dir")),
		AutoScan:     l.flag("canal.auto.scan", "true", "on", "yes"),
		ScanInterval: time.Duration(l.number("canal.auto.scan.interval", 1, 86400)) * time.Second,
		StoreBudget:  l.size("towpath.store.budget", minStoreBudget),
		ZooKeeper:    l.zooKeeper(),
		Weight:       l.number("towpath.cluster.weight", 1, 1000),
		Rebalance:    l.boolean("towpath.cluster.rebalance"),
		Admin:        l.adminPort(),
	}
	if strings.ContainsFunc(s.RegisterIP, unicode.IsSpace) {
		// What it is for is a node's name and an address to connect to.
		l.fail("canal.register.ip", "want an address without blanks; a comment needs a line of its own")
	}
	if s.RegisterIP == "" {
		s.RegisterIP = s.BindIP
	}
	if s.RegisterIP == "" {
		s.RegisterIP = HostIP()
	}
	s.ServeTCP = c.opensClientPort() && s.Mode == "tcp"
	if s.User != "" && s.PasswdHash == nil {
		l.fail("canal.passwd", fmt.Sprintf("canal.user = %s , but canal.passwd is empty , pls check https://github.com/alibaba/canal/issues/4941", s.User))
	}
	c.server = s
	return l.err
}

// opensClientPort applies Canal's test of canal.withoutNetty: absent or exactly
// "false". Anything else, blank included, closes the port, which is noted.
func (c *Config) opensClientPort() bool {
	const key = "canal.withoutNetty"
	v, src, found := c.sources.launcher(c.main, key)
	if !found || v == "false" {
		return true
	}
	if v != "true" {
		c.findings = append(c.findings, Finding{
			Kind: SuspectValue, Keys: []string{key}, Source: src,
			Message: fmt.Sprintf("%q closes the client port: only exactly false, or no such line, opens it", v),
		})
	}
	return false
}

// passwordHash is the unhexed hash of key, nil when blank.
func (l *launcher) passwordHash(key string) []byte {
	text := l.text(key)
	if text == "" {
		return nil
	}
	hash, err := hex.DecodeString(text)
	if err != nil || len(hash) != 20 {
		l.fail(key, "want hex SHA1(SHA1(password)): 40 hexadecimal digits without a star (in MySQL 5.7: select password('…'), without its *)")
		return nil
	}
	return hash
}

// serverMode checks canal.serverMode. Canal loads a plug-in of that name; its
// text for a name without one is kept.
func (l *launcher) serverMode() string {
	mode := strings.ToLower(l.text("canal.serverMode"))
	if !slices.Contains(serverModes, mode) {
		l.fail("canal.serverMode", "Extension instance(name: "+mode+", class: interface com.alibaba.otter.canal.connector.core.spi.CanalMQProducer)  could not be instantiated: class could not be found; want tcp, kafka, rocketMQ, rabbitMQ or pulsarMQ")
	}
	return mode
}

// maxDestinations bounds what canal.destinations.expr may make.
const maxDestinations = 100_000

var destinationsExpr = regexp.MustCompile(`^(.*?)\{(\d+)-(\d+)\}`)

// destinations is the list of canal.destinations, or the expansion of
// canal.destinations.expr when that is not blank. Names are trimmed (Canal's MQ
// part trims them, its controller does not) and named once.
func (l *launcher) destinations() []string {
	if expr := l.text("canal.destinations.expr"); expr != "" {
		return l.expandDestinations(expr)
	}
	var list []string
	for name := range strings.SplitSeq(l.text("canal.destinations"), ",") {
		name = trim(name)
		if name == "" || slices.Contains(list, name) {
			continue
		}
		if err := checkDestination(name); err != nil {
			l.fail("canal.destinations", err.Error())
			return nil
		}
		list = append(list, name)
	}
	return list
}

// expandDestinations expands prefix{from-to}; what follows the brace is ignored.
func (l *launcher) expandDestinations(expr string) []string {
	const key = "canal.destinations.expr"
	m := destinationsExpr.FindStringSubmatch(expr)
	if m == nil {
		l.fail(key, "invalid destinations expr "+expr+"; want prefix{from-to}, such as d{1-3}")
		return nil
	}
	from, err1 := strconv.Atoi(m[2])
	to, err2 := strconv.Atoi(m[3])
	if err1 != nil || err2 != nil || to-from >= maxDestinations {
		l.fail(key, fmt.Sprintf("want at most %d destinations", maxDestinations))
		return nil
	}
	if err := checkDestination(m[1] + "0"); err != nil {
		l.fail(key, err.Error())
		return nil
	}
	var list []string
	for i := from; i <= to; i++ {
		list = append(list, m[1]+strconv.Itoa(i))
	}
	return list
}

// checkDestination refuses names that are not the name of a folder.
func checkDestination(name string) error {
	if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\\\x00") {
		return fmt.Errorf("%q cannot be a destination: want the name of a folder", name)
	}
	return nil
}
