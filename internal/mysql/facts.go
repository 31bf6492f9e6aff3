package mysql

// Flavor is the family of a server. It decides how some binlog bytes are read.
type Flavor int

// The flavors Canal tells apart.
const (
	MySQL Flavor = iota
	Percona
	MariaDB
)

// String is the name of the flavor.
func (f Flavor) String() string {
	switch f {
	case Percona:
		return "Percona"
	case MariaDB:
		return "MariaDB"
	default:
		return "MySQL"
	}
}

// Facts are the settings of a server that a change stream depends on.
type Facts struct {
	Version      string // as the greeting says it: "8.0.15", "10.11.6-MariaDB-log"
	Flavor       Flavor
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
