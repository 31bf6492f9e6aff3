package servers

import (
	"fmt"
	"os"
	"path/filepath"
)

// Kind is a server version that tests run on.
type Kind string

// The kinds, each with the version the fetch script brings.
const (
	MySQL56     Kind = "mysql56"     // 5.6.24
	MySQL57     Kind = "mysql57"     // 5.7.22
	MySQL80     Kind = "mysql80"     // 8.0.15
	MySQL97     Kind = "mysql97"     // 9.7
	MariaDB1011 Kind = "mariadb1011" // 10.11, as Debian 12 packages it
)

// Kinds are all of them, oldest first.
var Kinds = []Kind{MySQL56, MySQL57, MySQL80, MySQL97, MariaDB1011}

// IsMariaDB says whether the server is a MariaDB.
func (k Kind) IsMariaDB() bool { return k == MariaDB1011 }

// Cache is where programs and templates are kept between runs.
func Cache() string {
	if dir := os.Getenv("TOWPATH_CACHE"); dir != "" {
		return dir
	}
	base, err := os.UserCacheDir()
	if err != nil {
		base = os.TempDir()
	}
	return filepath.Join(base, "towpath")
}

func programs() string { return filepath.Join(Cache(), "servers") }

// command is the server program of a kind with the options that tell it where
// its own files are. Those that name a defaults file have to come first.
func (k Kind) command(first string, rest ...string) (args []string, err error) {
	dist := filepath.Join(programs(), "dist", string(k))
	var program, options []string
	switch k {
	case MariaDB1011:
		program = []string{"/usr/sbin/mariadbd"}
	case MySQL56:
		program = []string{dist + "/mysqld"}
		options = []string{"--basedir=" + dist, "--lc-messages-dir=" + dist + "/share"}
	case MySQL57, MySQL80:
		program = []string{dist + "/bin/mysqld"}
		options = []string{"--basedir=" + dist}
	case MySQL97:
		// A newer distribution's files in a tree of their own, run by its loader.
		sid := filepath.Join(programs(), "sid")
		program = []string{sid + "/lib64/ld-linux-x86-64.so.2", "--library-path", sid + "/usr/lib/x86_64-linux-gnu", sid + "/usr/sbin/mysqld"}
		options = []string{"--basedir=" + sid + "/usr", "--lc-messages-dir=" + sid + "/usr/share/mysql",
			"--character-sets-dir=" + sid + "/usr/share/mysql/charsets", "--plugin-dir=" + sid + "/usr/lib/mysql/plugin"}
	default:
		return nil, fmt.Errorf("unknown kind of server %q", k)
	}
	if _, err := os.Stat(program[len(program)-1]); err != nil {
		return nil, fmt.Errorf("%s is not installed (%w): run test/servers/fetch", k, err)
	}
	args = append(append(program, first), options...)
	return append(args, rest...), nil
}

// settings are the lines of the configuration file that a kind needs.
func (k Kind) settings() []string {
	s := []string{
		"user=root", "bind-address=127.0.0.1", "skip-name-resolve", "binlog_format=ROW",
		"max_binlog_size=1G", "max_allowed_packet=256M", "sync_binlog=0",
		"innodb_buffer_pool_size=64M", "innodb_flush_log_at_trx_commit=2",
	}
	switch k {
	case MariaDB1011:
		return append(s, "character-set-server=utf8mb4", "log_slave_updates=1", "innodb_log_file_size=96M", "binlog_annotate_row_events=ON", "plugin-maturity=unknown")
	case MySQL56:
		return append(s, "character-set-server=utf8mb4", "gtid_mode=ON", "enforce_gtid_consistency=ON", "log_slave_updates=1",
			"innodb_log_file_size=96M", "explicit_defaults_for_timestamp=1", "sql_mode=NO_ENGINE_SUBSTITUTION")
	case MySQL57:
		return append(s, "character-set-server=utf8mb4", "gtid_mode=ON", "enforce_gtid_consistency=ON", "log_slave_updates=1",
			"innodb_log_file_size=96M", "explicit_defaults_for_timestamp=1")
	case MySQL80:
		return append(s, "gtid_mode=ON", "enforce_gtid_consistency=ON", "innodb_log_file_size=96M", "mysqlx=0",
			"default_authentication_plugin=mysql_native_password", "secure_file_priv=NULL")
	}
	return append(s, "gtid_mode=ON", "enforce_gtid_consistency=ON", "innodb_redo_log_capacity=200M", "mysqlx=0", "secure_file_priv=NULL")
}

// accounts are the statements that make the users of a fresh server: root from
// 127.0.0.1 without a password, and canal with what a replica needs.
func (k Kind) accounts() []string {
	grant := "GRANT SELECT, REPLICATION SLAVE, REPLICATION CLIENT, SHOW VIEW ON *.* TO %s@'%%';"
	root := "GRANT ALL ON *.* TO 'root'@'127.0.0.1' WITH GRANT OPTION;"
	canal := fmt.Sprintf(grant, "canal")
	switch k {
	case MySQL56:
		return []string{"DELETE FROM mysql.user WHERE user='' OR (user='root' AND host<>'localhost');", "FLUSH PRIVILEGES;",
			root, "CREATE USER canal@'%' IDENTIFIED BY 'canal';", canal}
	case MySQL57, MariaDB1011: // MariaDB's installer has made the root of 127.0.0.1
		return []string{"CREATE USER IF NOT EXISTS 'root'@'127.0.0.1';", root, "CREATE USER canal@'%' IDENTIFIED BY 'canal';", canal}
	case MySQL80:
		return []string{"CREATE USER 'root'@'127.0.0.1' IDENTIFIED WITH mysql_native_password BY '';", root,
			"CREATE USER canal@'%' IDENTIFIED WITH mysql_native_password BY 'canal';", canal,
			"CREATE USER canalsha2@'%' IDENTIFIED WITH caching_sha2_password BY 'canal';", fmt.Sprintf(grant, "canalsha2")}
	}
	return []string{"CREATE USER 'root'@'127.0.0.1' IDENTIFIED BY '';", root, "CREATE USER canal@'%' IDENTIFIED BY 'canal';", canal}
}
