package database

import "time"

// Cluster is a row of canal_cluster.
type Cluster struct {
	ID       int64
	Name     string
	ZKHosts  string // as canal.zkServers has them
	Modified time.Time
}

// Server is a row of canal_node_server.
type Server struct {
	ID         int64
	ClusterID  *int64 // nil for a server that is alone
	Name, IP   string
	AdminPort  *int32
	TCPPort    *int32
	MetricPort *int32
	Status     string // as stored: "-1"
	Modified   time.Time
}

// Config is a row of canal_config: the canal.properties of a cluster, or of a
// server that is alone.
type Config struct {
	ID         int64
	ClusterID  *int64
	ServerID   *int64
	Name       string
	Status     *string
	Content    string
	ContentMD5 string // as stored; Canal's servers compare it
	Modified   time.Time
}

// Instance is a row of canal_instance_config.
type Instance struct {
	ID         int64
	ClusterID  *int64
	ServerID   *int64
	Name       string
	Status     *string // "1": it shall run; "0": it shall not
	Content    string
	ContentMD5 *string
	Modified   time.Time
}

// User is a row of canal_user, and the role that its roles come to.
type User struct {
	ID           int64
	Username     string
	PasswordHash string // Canal's: hex(SHA1(SHA1(password))); UpgradedHash once it has been replaced
	Name         string
	Roles        string
	Introduction *string
	Avatar       *string
	Created      time.Time
	Disabled     bool // of Towpath; such a user cannot log in
}

// Session is a log-in. Only a hash of the token is stored.
type Session struct {
	TokenHash  string // hex(SHA-256(token))
	UserID     int64
	Created    time.Time
	LastSeen   time.Time
	Address    string // from where
	Agent      string // User-Agent, cut to 255 bytes
	MustChange bool   // logged in with the default password
}

// Actor is who changes something.
type Actor struct {
	UserID   int64 // 0 when no user does: a server that registers, the program itself
	Username string
	Address  string // from where
}

// AuditRecord is one change, or an attempt that was refused.
type AuditRecord struct {
	ID       int64
	At       time.Time
	Username string
	Address  string
	Action   string // such as "instance.update", "user.login"
	Kind     string // of what was changed: cluster, server, config, instance, user, …
	TargetID int64
	Target   string // its name
	OK       bool
	Detail   string // for a person; never a secret
}

// AuditQuery selects audit records. Zero fields select all.
type AuditQuery struct {
	Username, Action, Kind, Target string
	From, To                       time.Time
	Before                         int64 // only records with a smaller id
	Limit                          int   // 100 if 0, at most 1000
}

// Revision is one stored text of a configuration, the present one included.
type Revision struct {
	ID       int64
	Kind     string // "config" or "instance"
	TargetID int64  // of the row in canal_config or canal_instance_config
	Target   string // name of the instance, cluster or server
	At       time.Time
	Username string
	Comment  string
	MD5      string
	Content  string // "" in lists
	Deleted  bool   // the configuration was deleted; Content is what it was
}
