package mysql

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/towpath-cdc/towpath/internal/binlog"
)

// Facts are the settings of a server that a change stream depends on.
type Facts struct {
	Version      string // as the greeting says it: "8.0.15", "10.11.6-MariaDB-log"
	Flavor       binlog.Flavor
	ServerID     uint32 // @@server_id
	ServerUUID   string // "" where the server has none
	LogBin       bool
	BinlogFormat string // ROW, STATEMENT, MIXED
	RowImage     string // FULL, MINIMAL, NOBLOB; FULL for servers older than the setting
	Checksum     bool   // @@global.binlog_checksum is CRC32

	// GTIDMode is @@gtid_mode ("ON", "OFF", …); "" for MariaDB, which always has GTIDs.
	GTIDMode string

	// LowerCaseTableNames is @@lower_case_table_names: 0 names are as written and
	// differ by case, 1 stored in lower case, 2 as written but compared without case.
	LowerCaseTableNames int

	RDS    bool // Aliyun RDS: has rds_% variables
	PolarX bool // PolarDB-X: has polarx_% variables
}

// Inspect asks the server for its facts. Settings a server does not know are
// left at their zero values, but for RowImage.
func (c *Conn) Inspect(ctx context.Context) (Facts, error) {
	f := Facts{Version: c.Version(), Flavor: flavorOf(c.Version())}
	vars, err := c.variables(ctx, "server_id", "server_uuid", "log_bin", "binlog_format", "binlog_row_image",
		"binlog_checksum", "gtid_mode", "lower_case_table_names", "version_comment")
	if err != nil {
		return Facts{}, fmt.Errorf("read server settings: %w", err)
	}
	id, err := strconv.ParseUint(vars["server_id"], 10, 32)
	if err != nil {
		return Facts{}, fmt.Errorf("read server settings: server_id %q: %w", vars["server_id"], err)
	}
	f.ServerID = uint32(id)
	f.ServerUUID = vars["server_uuid"]
	f.LogBin = strings.EqualFold(vars["log_bin"], "ON")
	f.BinlogFormat = strings.ToUpper(vars["binlog_format"])
	f.Checksum = strings.EqualFold(vars["binlog_checksum"], "CRC32")
	f.GTIDMode = strings.ToUpper(vars["gtid_mode"])
	f.RowImage = "FULL"
	if v := vars["binlog_row_image"]; v != "" {
		f.RowImage = strings.ToUpper(v)
	}
	if v := vars["lower_case_table_names"]; v != "" {
		if f.LowerCaseTableNames, err = strconv.Atoi(v); err != nil {
			return Facts{}, fmt.Errorf("read server settings: lower_case_table_names: %w", err)
		}
	}
	if f.Flavor == binlog.FlavorMySQL && strings.Contains(vars["version_comment"], "Percona") {
		f.Flavor = binlog.FlavorPercona
	}
	for name := range vars {
		f.RDS = f.RDS || strings.HasPrefix(name, rdsPrefix)
		f.PolarX = f.PolarX || strings.HasPrefix(name, polarXPrefix)
	}
	return f, nil
}

// What the variables are called that only these servers have.
const (
	rdsPrefix    = "rds_"
	polarXPrefix = "polarx_"
)

// variables returns the global variables of those names that exist, and those that
// tell servers of Alibaba's from others. It is one question, because a server lists
// all its variables for each, which costs it milliseconds.
func (c *Conn) variables(ctx context.Context, names ...string) (map[string]string, error) {
	r, err := c.Query(ctx, "show global variables where variable_name in ('"+strings.Join(names, "','")+"') or variable_name like 'rds\\_%' or variable_name like 'polarx\\_%'")
	if err != nil {
		return nil, err
	}
	vars := make(map[string]string, len(r.Rows))
	for _, row := range r.Rows {
		if len(row) >= 2 {
			vars[strings.ToLower(row[0])] = row[1]
		}
	}
	return vars, nil
}

// flavorOf tells MariaDB from MySQL by the greeting, as Canal does.
func flavorOf(version string) binlog.Flavor {
	if strings.Contains(strings.ToLower(version), "mariadb") {
		return binlog.FlavorMariaDB
	}
	return binlog.FlavorMySQL
}

// AtLeast reports whether a MySQL server (never a MariaDB one) is of version
// major.minor.patch or later.
func AtLeast(version string, major, minor, patch int) bool {
	if flavorOf(version) == binlog.FlavorMariaDB {
		return false
	}
	want := [3]int{major, minor, patch}
	parts := strings.SplitN(version, ".", 3)
	for i, w := range want {
		have := 0
		if i < len(parts) {
			digits := parts[i]
			if end := strings.IndexFunc(digits, func(r rune) bool { return r < '0' || r > '9' }); end >= 0 {
				digits = digits[:end]
			}
			have, _ = strconv.Atoi(digits)
		}
		if have != w {
			return have > w
		}
	}
	return true
}
