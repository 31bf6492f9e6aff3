package config

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/towpath-cdc/towpath/internal/sqldb"
)

// The Spring files of Canal that say what kind of database the history is in.
const (
	tsdbKey     = "canal.instance.tsdb."
	h2XML       = "h2-tsdb.xml"
	mysqlXML    = "mysql-tsdb.xml"
	h2Prefix    = "jdbc:h2:"
	h2Folder    = "h2" // the file of Canal's default URL, in the folder of the destination
	historyFile = ".towpath.db"
	maxHistory  = 100 * 365 * 24 // hours
	maxLimitMiB = 1 << 20

	historyLimitKey = "towpath.tsdb.zookeeper.limit"
)

// history reads where the history of table definitions is kept. As in Canal there is
// none without a Spring file, none for a group, and with memory-instance.xml only
// when it is asked for.
func (r *instanceReader) history(c *Config, kind profile, dataDir string) History {
	h := History{
		User:           r.text(tsdbKey + "dbUsername"),
		Password:       r.text(tsdbKey + "dbPassword"),
		Interval:       r.hours(tsdbKey + "snapshot.interval"),
		Expire:         r.hours(tsdbKey + "snapshot.expire"),
		ZooKeeperLimit: r.number(historyLimitKey, 1, maxLimitMiB) << 20,
	}
	_, src := r.lookup(tsdbKey + "enable")
	enabled := r.flag(tsdbKey+"enable") && !(kind.meta == MetaMemory && src.Kind == sourceDefault)
	xml := r.text(tsdbKey + springKey)
	if !enabled || xml == "" || kind.group {
		return History{}
	}
	switch name := path.Base(strings.ReplaceAll(strings.TrimPrefix(xml, "classpath:"), `\`, "/")); name {
	case h2XML, mysqlXML:
		r.database(c, name, dataDir, &h)
	default:
		r.want(tsdbKey+springKey, "want "+h2XML+" or "+mysqlXML)
	}
	return h
}

// hours reads a whole number of hours; nothing and less is 0.
func (r *instanceReader) hours(key string) time.Duration {
	return time.Duration(min(maxHistory, max(0, r.number(key, -maxInt32-1, maxInt32)))) * time.Hour
}

// database reads the URL. It says more than the name of the Spring file, with which
// it has to go together in Canal.
func (r *instanceReader) database(c *Config, xml, dataDir string, h *History) {
	const key = tsdbKey + "url"
	url, src := r.lookup(key)
	switch {
	case strings.HasPrefix(url, sqldb.JDBCPrefix):
		h.Kind, h.URL = HistoryMySQL, url
		if _, err := sqldb.ParseJDBC(url, h.User, h.Password); err != nil {
			r.fail(key, url, src, err.Error())
		}
	case xml == mysqlXML:
		r.fail(key, url, src, "want an address that begins with "+sqldb.JDBCPrefix+", because "+tsdbKey+springKey+" is "+mysqlXML)
	case url == "":
		h.Kind, h.Path = HistorySQLite, filepath.Join(dataDir, h2Folder+historyFile)
	case strings.HasPrefix(url, h2Prefix):
		file, err := h2Path(url)
		if err != nil {
			r.fail(key, url, src, err.Error())
			return
		}
		h.Kind, h.Path = HistorySQLite, c.path(file)+historyFile
	default:
		r.fail(key, url, src, "want an address that begins with "+h2Prefix+" or "+sqldb.JDBCPrefix)
	}
	if h.Kind == HistorySQLite {
		h.User, h.Password = "", ""
	}
}

// otherH2 is how addresses of H2 begin that are not those of files.
var otherH2 = regexp.MustCompile(`^[a-zA-Z]{2,}:`)

// h2Path is the path in an address of H2's, without the endings that H2 gives its
// files. As H2 does it takes ~ for the folder of the user.
func h2Path(url string) (string, error) {
	file, _, _ := strings.Cut(strings.TrimPrefix(url, h2Prefix), ";")
	file = strings.TrimPrefix(file, "file:")
	if base := path.Base(file); file == "" || otherH2.MatchString(file) || base == "." || base == "/" || base == ".." {
		return "", errors.New("behind " + h2Prefix + " want the path of a file")
	}
	if rest, ok := strings.CutPrefix(file, "~/"); ok {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("~ stands for no folder: %w", err)
		}
		return filepath.Join(home, rest), nil
	}
	return file, nil
}
