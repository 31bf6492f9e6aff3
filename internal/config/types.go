package config

import "time"

// Server is what the launcher keys of canal.properties say (Canal's resolver A).
type Server struct {
	BindIP      string // canal.ip; "" means all interfaces
	RegisterIP  string // canal.register.ip, resolved as Canal does
	Port        int    // canal.port
	MetricsPort int    // canal.metrics.pull.port; <= 0 switches metrics off
	User        string // canal.user; "" lets any user in
	PasswdHash  []byte // canal.passwd, unhexed SHA1(SHA1(password)); nil lets any password in
	ServeTCP    bool   // canal.withoutNetty absent or exactly "false"
	Mode        string // canal.serverMode, lower case: "tcp", "kafka", …

	Destinations []string // canal.destinations or canal.destinations.expr, in order
	ConfDir      string   // canal.conf.dir, resolved against the home's bin directory as Canal's cwd
	AutoScan     bool
	ScanInterval time.Duration

	StoreBudget int64 // towpath.store.budget: bytes that all stores together may hold

	ZooKeeper ZooKeeper
	Weight    int  // towpath.cluster.weight, 1 to 1000: this server's share of the destinations, beside the others' weights
	Rebalance bool // towpath.cluster.rebalance: destinations move by themselves until the shares are right

	Admin AdminPort
}

// AdminPort is the port on which an admin, or its web application, steers the
// server.
type AdminPort struct {
	Open       bool   // canal.admin.port is not blank
	Port       int    // canal.admin.port
	User       string // canal.admin.user; "" lets any user in
	PasswdHash string // canal.admin.passwd: hex SHA1(SHA1(password)); "" lets any password in

	// PEM files, absolute: with them the port offers TLS. Required refuses
	// connections without, Java's among them.
	CertFile, KeyFile string
	Required          bool
}

// Manager says where a server that is managed gets its configuration from, and
// how it is known there.
type Manager struct {
	Name      string   // canal.admin.manager as it is written, for messages
	Addresses []string // base URLs without a slash at the end, most wanted first
	User      string   // canal.admin.user
	Passwd    string   // canal.admin.passwd: the hash in hex, as it is sent

	IP       string // canal.register.ip, else the host's address
	Port     int    // canal.admin.port, 11110 when it is blank
	Register bool   // canal.admin.register.auto
	Cluster  string // canal.admin.register.cluster; "" for a server that is alone
	NodeName string // canal.admin.register.name, else the host's name

	CAFile   string // towpath.admin.tls.ca: authorities to trust instead of the system's, absolute
	Insecure bool   // towpath.admin.tls.insecure: the admin's certificate is not looked at
}

// ZooKeeper is how the servers of a cluster agree on who runs what.
type ZooKeeper struct {
	Servers        string        // canal.zkServers as zk.ParseServers reads it, and checked; "" means no ZooKeeper, one server alone
	SessionTimeout time.Duration // towpath.zookeeper.session.timeout, asked for: 1 s to 10 min
	Auth           string        // towpath.zookeeper.auth: user:password of the digest scheme; "" means none. Never shown
	CreatorACL     bool          // towpath.zookeeper.acl is creator: who made a node is the only one to read and change it
	TLS            bool          // towpath.zookeeper.tls

	// PEM files, absolute; used when TLS is set. No CAFile means the
	// authorities of the system, no CertFile and KeyFile no certificate.
	CAFile, CertFile, KeyFile string
}

// MetaMode says where the cursors of an instance are kept.
type MetaMode int

// The meta modes, each named by the Spring file that selects it in Canal, or by
// the metaManager of a file of one's own.
const (
	MetaFile           MetaMode = iota // file-instance.xml: memory and meta.dat
	MetaMemory                         // memory-instance.xml
	MetaZooKeeper                      // default-instance.xml (PeriodMixedMetaManager): memory, and cursors in ZooKeeper at intervals
	MetaZooKeeperMixed                 // MixedMetaManager: memory, and ZooKeeper soon after each change
	MetaZooKeeperPure                  // ZooKeeperMetaManager: ZooKeeper at each change
)

// InZooKeeper says whether the cursors are in ZooKeeper, where the server that
// takes an instance over finds them.
func (m MetaMode) InZooKeeper() bool {
	return m == MetaZooKeeper || m == MetaZooKeeperMixed || m == MetaZooKeeperPure
}

// BatchMode says what the size of a batch counts.
type BatchMode int

// The batch modes of canal.instance.memory.batch.mode.
const (
	MemSize  BatchMode = iota // MEMSIZE: units of Memunit bytes
	ItemSize                  // ITEMSIZE: entries
)

// Endpoint is one MySQL server an instance may read from.
type Endpoint struct {
	Address string // host:port, [v6]:port; "" when not configured
	Start   StartPosition
	TLS     TLS
}

// Pair is a server and the one that may take its place.
type Pair struct {
	Master  Endpoint
	Standby Endpoint // without an address when there is none
}

// Local says which binlog files are read in the place of a server's log (the keys
// towpath.instance.localBinlog.*). The zero value means none.
type Local struct {
	Dir      string // folder with the files, absolute; "" means that a server is read
	Name     string // of the files without their number: "mysql-bin"; "" means the only series in Dir
	Wait     bool   // for more at the end of the newest file
	ServerID uint32 // that the files must have been written by; 0 for any
}

// StartPosition is where to start when no cursor is stored. Zero fields are absent.
type StartPosition struct {
	File      string
	Offset    int64 // 0 or less means absent
	Timestamp int64 // milliseconds; 0 or less means absent
	GTIDSet   string
}

// TLS is how a connection to an Endpoint is secured.
type TLS struct {
	Mode        string // DISABLED, PREFERRED, REQUIRED, VERIFY_CA, VERIFY_IDENTITY
	Versions    []string
	TrustStore  KeyStore
	ClientStore KeyStore
}

// KeyStore names a file with certificates. Type is JKS, PKCS12 or PEM ("" means by content).
type KeyStore struct {
	Type     string
	URL      string // path or file: URL
	Password string
}

// Instance is what the instance keys say for one destination (Canal's resolver B).
type Instance struct {
	Destination string
	Meta        MetaMode
	DataDir     string        // <canal.file.data.dir>/<destination>
	FlushPeriod time.Duration // canal.zookeeper.flush.period for cursors in ZooKeeper, else canal.file.flush.period
	Lazy        bool
	Preferred   []string // towpath.instance.preferred: the servers, ip:port, that shall run it when they can, most wanted first

	Master  Endpoint // without an address only with Local
	Standby Endpoint
	Group   []Pair // the servers that a group reads side by side, the first one also in Master and Standby; nil for one source
	Local   Local  // files that are read in the place of a server's binlog

	ServerID          uint32 // canal.instance.mysql.slaveId; 0 means: generate
	User              string
	Password          string // clear text, decrypted already when enableDruid is set
	DefaultSchema     string
	ConnectionCharset string // Java charset name, normalised: "UTF-8", "GBK", …
	GTIDMode          bool
	TimeZone          *time.Location // zone of TIMESTAMP text: the process's, as in Canal

	Fallback          time.Duration // canal.instance.fallbackIntervalInSeconds
	AutoResetToLatest bool          // canal.auto.reset.latest.pos.mode
	ReceiveBufferSize int
	SendBufferSize    int
	SocketTimeout     time.Duration
	BinlogFormats     []string // allowed; empty means any
	BinlogImages      []string // allowed; empty means any
	MultiStream       bool

	DetectingEnable    bool
	DetectingSQL       string
	DetectingInterval  time.Duration
	DetectingThreshold int
	DetectingHA        bool

	WhiteRegex      string // canal.instance.filter.regex
	BlackRegex      string // canal.instance.filter.black.regex
	WhiteField      string
	BlackField      string
	DruidDDL        bool // grammar (true) or regular-expression (false) reading of DDL
	FilterQueryDCL  bool
	FilterQueryDML  bool
	FilterQueryDDL  bool
	FilterTableErr  bool
	TableMismatch   MismatchMode // towpath.instance.table.mismatch
	FilterRows      bool
	FilterTxEntry   bool
	FilterDMLInsert bool
	FilterDMLUpdate bool
	FilterDMLDelete bool

	TransactionSize int
	Parallel        bool
	ParallelThreads int // at least 1
	ParallelBuffer  int

	BufferSize   int // ring slots, a power of two
	MemUnit      int // bytes
	BatchMode    BatchMode
	DDLIsolation bool
	GetLinger    *time.Duration // towpath.instance.get.linger; nil: until a get's timeout

	History History
}

// History says where the history of an instance's table definitions is kept, which
// Canal calls TSDB. Canal's H2 is SQLite here. In a cluster a history that is not in
// MySQL is in ZooKeeper.
type History struct {
	Kind HistoryKind

	Path                string // of SQLite's file, absolute
	URL, User, Password string // of MySQL, as sqldb.ParseJDBC reads it

	Interval time.Duration // between snapshots; 0 means none but the first
	Expire   time.Duration // age at which snapshots are removed, but for the first and the newest; 0 removes all others

	ZooKeeperLimit int64 // towpath.tsdb.zookeeper.limit: bytes it may take in ZooKeeper
}

// MismatchMode is what becomes of rows of which the names of the columns are not
// certain.
type MismatchMode int

// The ways to deal with such rows.
const (
	MismatchHold MismatchMode = iota // they are held back
	MismatchMark                     // they are delivered with made-up names
	MismatchStop                     // nothing is delivered
)

var mismatches = map[string]MismatchMode{"hold": MismatchHold, "mark": MismatchMark, "stop": MismatchStop}

// HistoryKind is a kind of store.
type HistoryKind int

// The kinds of stores of the history.
const (
	HistoryOff    HistoryKind = iota // there is none
	HistorySQLite                    // a file
	HistoryMySQL                     // Canal's tables in a database
)

// Source says where a value came from, for messages and `towpath check`.
type Source struct {
	Kind string // "-D", "environment", "file", "default"
	File string // when Kind is "file"; of a text from the admin "canal-admin: " and its name
	Line int    // when Kind is "file"
}
