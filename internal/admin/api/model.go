package api

import "github.com/towpath-cdc/towpath/internal/control"

// What the calls under /api/{env}/towpath take and give, beyond Canal's. Times
// are milliseconds since the epoch, 0 when there is none; sizes are bytes. All
// answers stand in Canal's envelope; a failure has an error beside it.

// Failure is what an envelope has beside code and message when a call under
// /towpath fails.
type Failure struct {
	Reason string            `json:"reason"`           // for programs: "forbidden", "not_found", "conflict", "invalid", "unreachable", …
	Remedy string            `json:"remedy,omitempty"` // what to do
	Fields map[string]string `json:"fields,omitempty"` // what is wrong with which field of the request
}

// Me is who is logged in. GET /towpath/me
type Me struct {
	ID                 int64  `json:"id"`
	Username           string `json:"username"`
	Name               string `json:"name"`
	Role               string `json:"role"`
	MustChangePassword bool   `json:"mustChangePassword"`
	Version            string `json:"version"`              // of the admin
	ZoneMinutes        int    `json:"zoneMinutes"`          // of the times in Canal's answers, east of UTC
	ServerUser         string `json:"serverUser,omitempty"` // canal.adminUser, which servers log in as; only administrators are told
}

// Dashboard is everything in numbers. GET /towpath/dashboard; also sent as event
// "dashboard" by GET /towpath/stream?topics=dashboard
type Dashboard struct {
	AtMs        int64             `json:"atMs"`
	Clusters    int               `json:"clusters"`
	Servers     map[string]int    `json:"servers"`     // by status: "1", "0", "-1"
	Instances   map[string]int    `json:"instances"`   // by InstanceSummary.State
	Quarantined int               `json:"quarantined"` // instances with tables in quarantine
	RowsRate    float64           `json:"rowsRate"`    // rows a second handed to clients
	BytesRate   float64           `json:"bytesRate"`   // bytes of binlog read a second
	MaxLagMs    int64             `json:"maxLagMs"`
	Memory      int64             `json:"memory"` // of all servers that tell
	Series      []DashboardPoint  `json:"series"` // the last hour at most; in the stream only what is new
	Attention   []Attention       `json:"attention"`
	Busiest     []InstanceSummary `json:"busiest"` // ten by rows a second
	Slowest     []InstanceSummary `json:"slowest"` // ten by lag
}

// DashboardPoint is one moment of a series.
type DashboardPoint struct {
	AtMs      int64   `json:"atMs"`
	RowsRate  float64 `json:"rowsRate"`
	BytesRate float64 `json:"bytesRate"`
	MaxLagMs  int64   `json:"maxLagMs"`
	Memory    int64   `json:"memory"`
	Running   int     `json:"running"`
	Troubled  int     `json:"troubled"`
}

// Attention is something that a person should look at.
type Attention struct {
	Severity string `json:"severity"` // "warning" or "error"
	Kind     string `json:"kind"`     // cluster, server, instance, admin
	ID       int64  `json:"id"`
	Name     string `json:"name"`
	Text     string `json:"text"`
	Remedy   string `json:"remedy,omitempty"`
	SinceMs  int64  `json:"sinceMs"`
}

// InstanceSummary is an instance in a list. GET /towpath/instances?name=&clusterId=&serverId=&state=&sort=&page=&size=
// gives a Page of them; stream topic "instances" sends []InstanceSummary of those
// that have changed.
type InstanceSummary struct {
	ID          int64   `json:"id"`
	Name        string  `json:"name"`
	ClusterID   int64   `json:"clusterId"` // 0 when alone
	ClusterName string  `json:"clusterName"`
	ServerID    int64   `json:"serverId"` // its own when alone, else the one that runs it; 0 when none does
	ServerName  string  `json:"serverName"`
	Wanted      bool    `json:"wanted"` // it shall run
	State       string  `json:"state"`  // of control.State…, or "unknown" when no server can be asked, "down" when none runs it
	Reason      string  `json:"reason,omitempty"`
	Remedy      string  `json:"remedy,omitempty"`
	Source      string  `json:"source,omitempty"` // host:port
	LagMs       int64   `json:"lagMs"`            // -1 when unknown
	LagBytes    int64   `json:"lagBytes"`         // -1 when unknown
	RowsRate    float64 `json:"rowsRate"`         // rows a second handed to clients
	Clients     int     `json:"clients"`          // subscriptions
	OutOfDate   bool    `json:"outOfDate"`        // it runs with another text than the stored one
	Quarantined int     `json:"quarantined"`      // tables in quarantine
	ModifiedMs  int64   `json:"modifiedMs"`
}

// Page is one page of a list.
type Page[T any] struct {
	Count int64 `json:"count"`
	Items []T   `json:"items"`
	Page  int   `json:"page"`
	Size  int   `json:"size"`
}

// InstanceDetail is all about one instance. GET /towpath/instances/{id}; stream
// topic "instance:{id}" sends it again and again, with what is new of Series.
type InstanceDetail struct {
	InstanceSummary
	AtMs    int64                   `json:"atMs"`             // of Report
	Report  *control.InstanceReport `json:"report,omitempty"` // of the server that runs it, in full
	Rates   Rates                   `json:"rates"`
	Series  []RatesPoint            `json:"series"`
	Servers []InstanceOnServer      `json:"servers"` // what it is on each server that may run it
	Cursors []ClusterCursor         `json:"cursors"` // of the subscriptions in ZooKeeper, when no server tells
}

// Rates are what goes through an instance a second.
type Rates struct {
	ReadBytes    float64 `json:"readBytes"` // of binlog
	ReadEvents   float64 `json:"readEvents"`
	PutRows      float64 `json:"putRows"` // into the store
	GetRows      float64 `json:"getRows"` // handed to clients
	AckRows      float64 `json:"ackRows"` // confirmed by them
	Transactions float64 `json:"transactions"`
}

// RatesPoint is one moment of a series.
type RatesPoint struct {
	AtMs int64 `json:"atMs"`
	Rates
	LagMs    int64 `json:"lagMs"`
	LagBytes int64 `json:"lagBytes"`
	Used     int64 `json:"used"` // bytes in the store
}

// InstanceOnServer is what an instance is on one server.
type InstanceOnServer struct {
	ServerID   int64  `json:"serverId"`
	ServerName string `json:"serverName"`
	Address    string `json:"address"` // for clients
	Towpath    bool   `json:"towpath"`
	State      string `json:"state"`
	SinceMs    int64  `json:"sinceMs"`
	Reason     string `json:"reason,omitempty"`
	Remedy     string `json:"remedy,omitempty"`
}

// ClusterCursor is a cursor in ZooKeeper.
type ClusterCursor struct {
	ClientID int              `json:"clientId"`
	Filter   string           `json:"filter"`
	Client   string           `json:"client,omitempty"` // address of the client that consumes
	Cursor   control.Position `json:"cursor"`
}

// ServerSummary is a server in a list. GET /towpath/servers?clusterId= gives all;
// stream topic "servers".
type ServerSummary struct {
	ID          int64                 `json:"id"`
	ClusterID   int64                 `json:"clusterId"`
	ClusterName string                `json:"clusterName"`
	Name        string                `json:"name"`
	IP          string                `json:"ip"`
	AdminPort   int                   `json:"adminPort"`
	TCPPort     int                   `json:"tcpPort"`
	MetricPort  int                   `json:"metricPort"`
	Status      string                `json:"status"`          // Canal's: "1", "0", "-1"
	Kind        string                `json:"kind"`            // "towpath", "canal", or "" when it has never answered
	Secure      bool                  `json:"secure"`          // the admin port is asked over TLS
	Error       string                `json:"error,omitempty"` // why it cannot be asked
	Remedy      string                `json:"remedy,omitempty"`
	SinceMs     int64                 `json:"sinceMs"`    // of Status
	LastPollMs  int64                 `json:"lastPollMs"` // when it last asked for its configuration
	OutOfDate   bool                  `json:"outOfDate"`
	Instances   int                   `json:"instances"` // that it runs
	Draining    bool                  `json:"draining"`
	RowsRate    float64               `json:"rowsRate"`
	CPU         float64               `json:"cpu"`              // of one core
	Report      *control.ServerReport `json:"report,omitempty"` // of a Towpath server, without its instances
}

// ServerDetail is all about one server. GET /towpath/servers/{id}
type ServerDetail struct {
	ServerSummary
	Own    []InstanceOnThis `json:"instanceList"`
	Series []ServerPoint    `json:"series"`
}

// InstanceOnThis is one instance of the server that is shown.
type InstanceOnThis struct {
	InstanceID  int64  `json:"instanceId"` // 0 when it is not stored here
	Name        string `json:"name"`
	State       string `json:"state"`
	SinceMs     int64  `json:"sinceMs"`
	Reason      string `json:"reason,omitempty"`
	Remedy      string `json:"remedy,omitempty"`
	Quarantined int    `json:"quarantined"` // tables in quarantine
}

// ServerPoint is one moment of a series.
type ServerPoint struct {
	AtMs     int64   `json:"atMs"`
	CPU      float64 `json:"cpu"`
	Memory   int64   `json:"memory"`
	RowsRate float64 `json:"rowsRate"`
}

// ClusterDetail is a cluster as its ZooKeeper and its servers tell. GET /towpath/clusters/{id};
// stream topic "cluster:{id}"
type ClusterDetail struct {
	ID        int64             `json:"id"`
	Name      string            `json:"name"`
	ZKHosts   string            `json:"zkHosts"`
	HasConfig bool              `json:"hasConfig"` // its main configuration is stored
	ZooKeeper ZooKeeperCheck    `json:"zooKeeper"`
	Servers   []ClusterServer   `json:"servers"`
	Instances []ClusterInstance `json:"instances"`
	Orders    []ClusterOrder    `json:"orders"`
	Problems  []string          `json:"problems"`
	AtMs      int64             `json:"atMs"`
}

// ClusterServer is a server of a cluster, as ZooKeeper knows it, as it is stored
// here, or both.
type ClusterServer struct {
	ID         int64  `json:"id"` // 0 when it is not stored here
	Name       string `json:"name"`
	Address    string `json:"address"` // ip:port for clients
	Status     string `json:"status"`
	Registered bool   `json:"registered"` // in ZooKeeper
	Towpath    bool   `json:"towpath"`
	Version    string `json:"version,omitempty"`
	Weight     int    `json:"weight"`
	Draining   bool   `json:"draining"`
	Owns       int    `json:"owns"`
}

// ClusterInstance is who runs a destination.
type ClusterInstance struct {
	ID          int64    `json:"id"` // 0 when it is not stored here
	Name        string   `json:"name"`
	Owner       string   `json:"owner"` // ip:port; "" when nobody does
	SinceMs     int64    `json:"sinceMs"`
	Competitors []string `json:"competitors"`
	LagMs       int64    `json:"lagMs"`
	Quarantined int      `json:"quarantined"` // tables in quarantine
}

// ClusterOrder is an order to move a destination that is not carried out yet.
type ClusterOrder struct {
	Destination string `json:"destination"`
	To          string `json:"to"`
	By          string `json:"by"`
	AtMs        int64  `json:"atMs"`
}

// Orders to a cluster. POST /towpath/clusters/{id}/drain, /undrain {address};
// /move {instance, to}; /release {instance}; /rebalance {}. They answer when it is
// done, or after 20 s with reason "timeout".
type ClusterCommand struct {
	Address  string `json:"address,omitempty"`
	Instance string `json:"instance,omitempty"`
	To       string `json:"to,omitempty"`
}

// ClusterCommandResult says how it went.
type ClusterCommandResult struct {
	Text string `json:"text"`
}

// ZooKeeperCheck is what the servers of an ensemble say. POST /towpath/zookeeper/check {zkHosts}
type ZooKeeperCheck struct {
	OK      bool              `json:"ok"` // a majority answers and one leads, or the only one is standalone
	Text    string            `json:"text"`
	Remedy  string            `json:"remedy,omitempty"`
	Servers []ZooKeeperServer `json:"servers"`
}

// ZooKeeperServer is one server of an ensemble.
type ZooKeeperServer struct {
	Address     string  `json:"address"`
	OK          bool    `json:"ok"`
	Mode        string  `json:"mode,omitempty"` // leader, follower, observer, standalone; "" when it does not tell
	Version     string  `json:"version,omitempty"`
	Connections int     `json:"connections"`
	LatencyMs   float64 `json:"latencyMs"`
	Error       string  `json:"error,omitempty"`
	Remedy      string  `json:"remedy,omitempty"`
}

// ZooKeeperNode is one node of the tree. GET /towpath/clusters/{id}/zookeeper?path=/otter/canal
type ZooKeeperNode struct {
	Path       string           `json:"path"`
	Data       string           `json:"data"` // text, or hex
	Binary     bool             `json:"binary"`
	Size       int              `json:"size"`
	Ephemeral  bool             `json:"ephemeral"`
	Owner      string           `json:"owner,omitempty"` // session, hex
	CreatedMs  int64            `json:"createdMs"`
	ModifiedMs int64            `json:"modifiedMs"`
	Version    int32            `json:"version"`
	Children   []ZooKeeperChild `json:"children"`
	Meaning    string           `json:"meaning,omitempty"` // key of a sentence about what such a node is for: "running", "cursor", "server", …
}

// ZooKeeperChild is a child of a node.
type ZooKeeperChild struct {
	Name      string `json:"name"`
	Children  int    `json:"children"`
	Ephemeral bool   `json:"ephemeral"`
}

// ConfigProblem is one thing about a text. POST /towpath/config/validate ValidateRequest → []ConfigProblem
type ConfigProblem struct {
	Line       int    `json:"line"` // from 1; 0 for the text as a whole
	Key        string `json:"key,omitempty"`
	Severity   string `json:"severity"` // error, warning, info
	Message    string `json:"message"`
	Suggestion string `json:"suggestion,omitempty"` // what to write instead
}

// ValidateRequest is a text to look through.
type ValidateRequest struct {
	Kind      string `json:"kind"` // "server" (canal.properties) or "instance" (instance.properties)
	Content   string `json:"content"`
	ClusterID int64  `json:"clusterId,omitempty"` // of the cluster it is for
}

// ConfigKey is one known key. GET /towpath/config/keys?kind=
type ConfigKey struct {
	Name    string `json:"name"`
	Default string `json:"default,omitempty"`
	Effect  string `json:"effect"`
	Status  string `json:"status"` // works, ignored, not-yet, …
	Secret  bool   `json:"secret"`
}

// ConfigVersions are the stored and the running text. GET /towpath/instances/{id}/config,
// /towpath/clusters/{id}/config, /towpath/servers/{id}/config. Secrets are masked
// for those who may not see them.
type ConfigVersions struct {
	RowID      int64           `json:"rowId"` // 0 when none is stored
	Stored     string          `json:"stored"`
	StoredMD5  string          `json:"storedMd5"` // of stored; when that is masked, it is not that of the database
	Masked     bool            `json:"masked"`    // a secret that stays masked is stored as it was
	ModifiedMs int64           `json:"modifiedMs"`
	Running    []RunningConfig `json:"running"`
}

// RunningConfig is what one server runs with.
type RunningConfig struct {
	ServerID   int64  `json:"serverId"`
	ServerName string `json:"serverName"`
	Error      string `json:"error,omitempty"`
	UpToDate   bool   `json:"upToDate"`
	control.RunningConfig
}

// SaveConfig stores a text. PUT /towpath/instances/{id}/config, /towpath/clusters/{id}/config,
// /towpath/servers/{id}/config → ConfigVersions
type SaveConfig struct {
	Content string `json:"content"`
	BaseMD5 string `json:"baseMd5"` // of what was edited; reason "conflict" when another text is stored by now
	Comment string `json:"comment,omitempty"`
}

// RevisionSummary is one stored text. GET /towpath/{instances,clusters,servers}/{id}/config/history → []RevisionSummary;
// …/history/{revision} → RevisionText; POST …/history/{revision}/restore → ConfigVersions
type RevisionSummary struct {
	ID       int64  `json:"id"`
	AtMs     int64  `json:"atMs"`
	Username string `json:"username"`
	Comment  string `json:"comment,omitempty"`
	MD5      string `json:"md5"`
	Current  bool   `json:"current"`
	Deleted  bool   `json:"deleted"`
}

// RevisionText is one of them with its text.
type RevisionText struct {
	RevisionSummary
	Content string `json:"content"`
}

// NewInstance is the form for an instance. POST /towpath/instances/form → {content}: the
// instance.properties it comes to, from the template.
type NewInstance struct {
	Name       string  `json:"name"`
	Address    string  `json:"address"` // host:port of the source
	Standby    string  `json:"standby,omitempty"`
	Username   string  `json:"username"`
	Password   string  `json:"password"`
	Regex      string  `json:"regex"`
	BlackRegex string  `json:"blackRegex,omitempty"`
	GTID       bool    `json:"gtid"`
	Start      StartAt `json:"start"`
}

// StartAt is where a new instance begins to read.
type StartAt struct {
	Kind        string `json:"kind"` // "end" (now), "position", "time", "gtid"
	File        string `json:"file,omitempty"`
	Offset      int64  `json:"offset,omitempty"`
	TimestampMs int64  `json:"timestampMs,omitempty"`
	GTIDSet     string `json:"gtidSet,omitempty"`
}

// CheckSource asks for a look at a source. POST /towpath/check → CheckResult
type CheckSource struct {
	Name            string `json:"name"`
	Content         string `json:"content"`              // instance.properties
	ClusterServerID string `json:"clusterServerId"`      // as in Canal's calls; the servers that would run it
	InstanceID      int64  `json:"instanceId,omitempty"` // whose masked secrets are meant
}

// CheckResult is what a server found out.
type CheckResult struct {
	CheckedBy string            `json:"checkedBy"` // name of the server, or "admin" when no Towpath server could be asked
	OK        bool              `json:"ok"`
	Findings  []control.Finding `json:"findings"`
}

// FilterTest tries filters on names. POST /towpath/filter/test → []FilterTestResult
type FilterTest struct {
	WhiteRegex string   `json:"whiteRegex"`
	BlackRegex string   `json:"blackRegex"`
	WhiteField string   `json:"whiteField,omitempty"`
	BlackField string   `json:"blackField,omitempty"`
	Names      []string `json:"names"` // schema.table; at most 1000
}

// FilterTestResult is what becomes of one table.
type FilterTestResult struct {
	Name    string `json:"name"`
	Passes  bool   `json:"passes"`
	Why     string `json:"why"` // "white", "black", "no white", with the part that matched
	Matched string `json:"matched,omitempty"`
}

// Seek is where the clients of an instance shall go on. POST /towpath/instances/{id}/seek/preview
// and /seek → control.SeekPlan. Body: control.SeekParams without destination.

// Tables: GET /towpath/instances/{id}/tables?schema=&table= → []control.TableReport

// Logs: GET /towpath/{servers|instances}/{id}/logs?serverId= → []control.LogFile (serverId for an instance: which server; 0 the one that runs it);
// GET /towpath/{servers|instances}/{id}/log?serverId=&file=&offset=&backwards=&lines=&search=&level= → control.LogPage;
// stream topic "log:{servers|instances}:{id}:{serverId}:{file}" sends control.LogPage of what is new.
// Of a Java server the file names and the last 2000 lines can be had; First is then -1.

// UserInfo is a user. GET /towpath/users → []UserInfo; POST /towpath/users NewUser;
// PUT /towpath/users/{id} UserChange; DELETE /towpath/users/{id}; POST /towpath/users/{id}/sessions/revoke
type UserInfo struct {
	ID         int64  `json:"id"`
	Username   string `json:"username"`
	Name       string `json:"name"`
	Role       string `json:"role"` // viewer, operator, admin
	Disabled   bool   `json:"disabled"`
	CreatedMs  int64  `json:"createdMs"`
	LastSeenMs int64  `json:"lastSeenMs"`
	Sessions   int    `json:"sessions"`
}

// NewUser makes a user, who must change the password at the first log-in.
type NewUser struct {
	Username string `json:"username"`
	Name     string `json:"name"`
	Role     string `json:"role"`
	Password string `json:"password"`
}

// UserChange changes a user. Absent fields stay.
type UserChange struct {
	Name     *string `json:"name,omitempty"`
	Role     *string `json:"role,omitempty"`
	Disabled *bool   `json:"disabled,omitempty"`
	Password *string `json:"password,omitempty"` // must be changed at the next log-in
}

// AuditItem is a line of the audit trail. GET /towpath/audit?username=&action=&kind=&target=&fromMs=&toMs=&before=&limit= → []AuditItem
type AuditItem struct {
	ID       int64  `json:"id"`
	AtMs     int64  `json:"atMs"`
	Username string `json:"username"`
	Address  string `json:"address"`
	Action   string `json:"action"`
	Kind     string `json:"kind"`
	TargetID int64  `json:"targetId"`
	Target   string `json:"target"`
	OK       bool   `json:"ok"`
	Detail   string `json:"detail"`
}

// PollSummary is what a server shall run, by the MD5s of the texts: it asks for those
// that it does not have. GET /config/towpath_polling
type PollSummary struct {
	Version   string       `json:"version"`   // of Instances
	Server    string       `json:"server"`    // contentMd5 of its canal.properties
	Instances []PolledText `json:"instances"` // null when the version is the one that the server knows
}

// PolledText is the text of an instance that a server shall run.
type PolledText struct {
	Name string `json:"name"`
	MD5  string `json:"md5"` // of its text, lower-case hex
}
