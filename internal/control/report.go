package control

import "encoding/json"

// The requests that a Towpath server answers beyond Canal's, by their method in
// a Request. Times are milliseconds since the epoch, 0 when there is none; sizes
// are bytes.
const (
	MethodReport      = "report"       // ReportParams → ServerReport
	MethodConfig      = "config"       // ConfigParams → RunningConfig
	MethodLogFiles    = "logs.list"    // LogFilesParams → []LogFile
	MethodLogRead     = "logs.read"    // LogReadParams → LogPage
	MethodCheck       = "check"        // CheckParams → []Finding
	MethodSeekPreview = "seek.preview" // SeekParams → SeekPlan
	MethodSeek        = "seek"         // SeekParams → SeekPlan
	MethodTables      = "tables"       // TablesParams → []TableReport
	MethodDismiss     = "dismiss"      // DismissParams → struct{}
)

// Request is what a client of the admin port asks of a Towpath server.
type Request struct {
	Method string          `json:"method"`
	Params json.RawMessage `json:"params,omitempty"`
}

// Response answers a Request: Result, or Error.
type Response struct {
	Result json.RawMessage `json:"result,omitempty"`
	Error  *Error          `json:"error,omitempty"`
}

// Error is why a Request failed.
type Error struct {
	Code    string `json:"code"`    // one of the Code constants
	Message string `json:"message"` // for a person
	Remedy  string `json:"remedy,omitempty"`
}

// The codes of an Error.
const (
	CodeUnknownMethod      = "unknown_method"
	CodeBadParams          = "bad_params"
	CodeUnknownDestination = "unknown_destination"
	CodeNotOwner           = "not_owner" // another server runs the destination
	CodeNotRunning         = "not_running"
	CodeNotFound           = "not_found"
	CodeFailed             = "failed"
)

// Error implements error.
func (e *Error) Error() string { return e.Message }

// ReportParams ask for a report.
type ReportParams struct {
	Destination string `json:"destination,omitempty"` // "" for all, in brief; else that one in full
}

// ServerReport is how a server is doing. Counters are since its start.
type ServerReport struct {
	Version    string  `json:"version"`
	GoVersion  string  `json:"goVersion"`
	Host       string  `json:"host"`
	PID        int     `json:"pid"`
	StartedMs  int64   `json:"startedMs"`
	NowMs      int64   `json:"nowMs"` // by the server's clock
	Running    bool    `json:"running"`
	Address    string  `json:"address"` // ip:port for clients
	CPUSeconds float64 `json:"cpuSeconds"`
	Memory     int64   `json:"memory"` // resident
	Heap       int64   `json:"heap"`
	Goroutines int     `json:"goroutines"`
	Budget     int64   `json:"budget"` // for the entries of all instances
	BudgetUsed int64   `json:"budgetUsed"`
	Sessions   int     `json:"sessions"` // connections of clients

	// Where the configuration came from: "files", "admin", or "cache", which is
	// what the admin last sent, while it does not answer.
	ConfigSource string `json:"configSource"`
	ConfigMD5    string `json:"configMd5,omitempty"`
	ConfigAtMs   int64  `json:"configAtMs,omitempty"`
	AdminError   string `json:"adminError,omitempty"` // why the admin could last not be asked

	ZooKeeper          string `json:"zooKeeper,omitempty"` // the servers of the ensemble; "" when alone
	ZooKeeperConnected bool   `json:"zooKeeperConnected"`
	Draining           bool   `json:"draining"`

	Instances []InstanceReport `json:"instances"` // by destination
	Errors    []ErrorReport    `json:"errors"`    // of the server as a whole, latest first
}

// The states of an instance on one server.
const (
	StateRunning  = "running"
	StateStandby  = "standby"  // another server runs it, or may take it first
	StateStarting = "starting" // it is this server's, and the instance is starting
	StateRetrying = "retrying" // it runs, but the source cannot be read at present
	StateFailed   = "failed"   // it could not start, or has stopped reading
	StateStopped  = "stopped"  // on request
	StateWaiting  = "waiting"  // for ZooKeeper
	StateLazy     = "lazy"     // it starts when the first client subscribes
)

// InstanceReport is how one destination is doing on one server. What is marked
// full is there only when the destination was asked for by name.
type InstanceReport struct {
	Destination string `json:"destination"`
	State       string `json:"state"`
	SinceMs     int64  `json:"sinceMs"`
	Reason      string `json:"reason,omitempty"` // why it is not running
	Remedy      string `json:"remedy,omitempty"`
	ConfigMD5   string `json:"configMd5,omitempty"` // of the text from the admin

	Source   *SourceReport   `json:"source,omitempty"` // this and the following only while it runs here
	Pipeline *PipelineReport `json:"pipeline,omitempty"`
	Store    *StoreReport    `json:"store,omitempty"`
	Clients  []ClientReport  `json:"clients,omitempty"`

	// Sources are all sources of a destination that has several, in the order of
	// their numbers; Source is then the one that needs most attention.
	Sources []SourceReport `json:"sources,omitempty"`

	LagMs    int64 `json:"lagMs"`    // of the slowest client behind the source's clock; -1 when unknown
	LagBytes int64 `json:"lagBytes"` // of binlog between the last confirmed and the source's head; -1 when unknown

	Quarantined int                `json:"quarantined,omitempty"` // tables in quarantine
	Quarantine  []QuarantineReport `json:"quarantine,omitempty"`  // those tables, by name; the first alone unless full
	History     *HistoryReport     `json:"history,omitempty"`     // full

	Filter *FilterReport `json:"filter,omitempty"` // full
	Errors []ErrorReport `json:"errors,omitempty"` // full; latest first
}

// Position is a place in a binlog.
type Position struct {
	File        string `json:"file,omitempty"`
	Offset      int64  `json:"offset,omitempty"`
	GTIDSet     string `json:"gtidSet,omitempty"`
	TimestampMs int64  `json:"timestampMs,omitempty"` // when what is there was executed
}

// SourceReport is the reading side of an instance.
type SourceReport struct {
	Phase      string   `json:"phase"` // as in source.Phase
	SinceMs    int64    `json:"sinceMs"`
	Address    string   `json:"address"` // of the server that is read
	Version    string   `json:"version,omitempty"`
	Reason     string   `json:"reason,omitempty"`
	Remedy     string   `json:"remedy,omitempty"`
	Failures   int      `json:"failures"` // attempts since it last worked
	Switches   uint64   `json:"switches"` // between master and standby
	Bytes      uint64   `json:"bytes"`
	Events     uint64   `json:"events"`
	LastByteMs int64    `json:"lastByteMs,omitempty"`
	Read       Position `json:"read"`               // behind the last transaction in the store
	Head       Position `json:"head"`               // end of the source's binlog, when it was last asked
	HeadAtMs   int64    `json:"headAtMs,omitempty"` // 0 when it was not
}

// PipelineReport is what turns events into entries.
type PipelineReport struct {
	Transactions  int64 `json:"transactions"`
	LastEventMs   int64 `json:"lastEventMs"`   // execution time of the last entry, or when the source was last idle
	PublishWaitMs int64 `json:"publishWaitMs"` // that the source waited for a worker
	StoreWaitMs   int64 `json:"storeWaitMs"`   // that workers waited for room in the store
	SkippedRows   int64 `json:"skippedRows"`   // events of rows whose table could not be resolved
}

// StoreReport is the ring between source and clients. Sequences count entries.
type StoreReport struct {
	Slots       int    `json:"slots"`
	Used        int64  `json:"used"` // entries that are not confirmed
	UsedBytes   int64  `json:"usedBytes"`
	PutEntries  int64  `json:"putEntries"`
	PutRows     int64  `json:"putRows"`
	PutBytes    int64  `json:"putBytes"`
	GetEntries  int64  `json:"getEntries"`
	GetRows     int64  `json:"getRows"`
	GetBytes    int64  `json:"getBytes"`
	AckEntries  int64  `json:"ackEntries"`
	AckRows     int64  `json:"ackRows"`
	AckBytes    int64  `json:"ackBytes"`
	FullSinceMs int64  `json:"fullSinceMs,omitempty"` // since when the source waits for room
	FullReason  string `json:"fullReason,omitempty"`
}

// ClientReport is one subscription.
type ClientReport struct {
	ID            int      `json:"id"`
	Filter        string   `json:"filter"`
	Connected     []string `json:"connected"` // addresses of its connections
	HasCursor     bool     `json:"hasCursor"`
	Cursor        Position `json:"cursor"` // what it has confirmed
	OpenBatches   int      `json:"openBatches"`
	OldestBatch   int64    `json:"oldestBatch,omitempty"`   // id of the oldest of them
	OldestSinceMs int64    `json:"oldestSinceMs,omitempty"` // when it was handed out
	Unacked       int64    `json:"unacked"`                 // entries in open batches
}

// QuarantineReport is a table whose rows do not fit any definition that is known of
// it. The other tables of the instance flow.
type QuarantineReport struct {
	Schema   string   `json:"schema"`
	Table    string   `json:"table"`
	Reason   string   `json:"reason"`
	Remedy   string   `json:"remedy,omitempty"`
	SinceMs  int64    `json:"sinceMs"`
	Position Position `json:"position"` // of the first rows that did not fit
	Rows     int64    `json:"rows"`     // rows events that did not fit since the instance started

	// Marked says that these rows were delivered with the columns @1, @2, … instead of
	// being held back.
	Marked bool `json:"marked,omitempty"`

	// Until is where rows fit again and flow as ever, with a gap before; zero while
	// they do not.
	Until Position `json:"until,omitzero"`
}

// DismissParams name a table that is to be taken off the list of those in quarantine,
// because a person has seen to it. No rows are delivered by that. It is listed again
// with the next rows that do not fit.
type DismissParams struct {
	Destination string `json:"destination"`
	Schema      string `json:"schema"`
	Table       string `json:"table"`
}

// The kinds of a HistoryReport.
const (
	HistorySQLite    = "sqlite"
	HistoryMySQL     = "mysql"
	HistoryZooKeeper = "zookeeper"
	HistoryMemory    = "memory" // nothing is kept: at a start the definitions are read from the source
)

// HistoryReport is where an instance keeps what its tables were, and how that goes.
type HistoryReport struct {
	Kind           string `json:"kind"`
	Place          string `json:"place,omitempty"` // a path, or an address without credentials
	Changes        int64  `json:"changes"`         // written since the instance started
	LastChangeMs   int64  `json:"lastChangeMs,omitempty"`
	LastSnapshotMs int64  `json:"lastSnapshotMs,omitempty"`
	Error          string `json:"error,omitempty"` // why it can at present not be written or read
}

// FilterReport is the filter that is in effect.
type FilterReport struct {
	WhiteRegex string `json:"whiteRegex"`
	BlackRegex string `json:"blackRegex"`
	WhiteField string `json:"whiteField,omitempty"`
	BlackField string `json:"blackField,omitempty"`
}

// ErrorReport is something that went wrong, with how to mend it. The same thing
// again counts in Times.
type ErrorReport struct {
	Level   string `json:"level"` // "warn" or "error"
	FirstMs int64  `json:"firstMs"`
	LastMs  int64  `json:"lastMs"`
	Times   int    `json:"times"`
	Text    string `json:"text"`
	Remedy  string `json:"remedy,omitempty"`
}

// ConfigParams name a configuration: that of a destination, or of the server.
type ConfigParams struct {
	Destination string `json:"destination,omitempty"`
}

// RunningConfig is what a server or an instance runs with. Secrets are Masked.
type RunningConfig struct {
	MD5    string        `json:"md5,omitempty"` // of the text with its secrets
	Text   string        `json:"text"`          // as it came from the admin, or stands in the file
	Values []ConfigValue `json:"values"`        // all that are in effect, by key
}

// ConfigValue is one value in effect.
type ConfigValue struct {
	Key    string `json:"key"`
	Value  string `json:"value"`
	Source string `json:"source"` // the place it is from, for a person
}

// Masked stands for a secret that is not shown.
const Masked = "******"

// LogFilesParams name a log folder: that of a destination, or of the server.
type LogFilesParams struct {
	Destination string `json:"destination,omitempty"`
}

// LogFile is one file in a log folder, its sub-folders included.
type LogFile struct {
	Name       string `json:"name"` // relative to the folder, with slashes
	Size       int64  `json:"size"`
	ModifiedMs int64  `json:"modifiedMs"`
}

// LogReadParams ask for lines of a log file. Compressed files are read as text.
type LogReadParams struct {
	Destination string `json:"destination,omitempty"`
	File        string `json:"file,omitempty"`   // "" for the current one
	Offset      int64  `json:"offset"`           // where to begin; -1 for the end
	Backwards   bool   `json:"backwards"`        // the lines before Offset instead of those after
	Lines       int    `json:"lines"`            // at most; 200 if 0, no more than 2000
	Search      string `json:"search,omitempty"` // only lines that contain it, in any case
	Level       string `json:"level,omitempty"`  // only lines of at least this level: DEBUG, INFO, WARN, ERROR
}

// LogPage are lines of a log file, in the order of the file. To follow it ask
// again from Next; to go back ask backwards from First.
type LogPage struct {
	File  string    `json:"file"`
	First int64     `json:"first"` // offset of what was looked at
	Next  int64     `json:"next"`  // offset behind it; begins a line
	Size  int64     `json:"size"`
	Lines []LogLine `json:"lines"`
	More  bool      `json:"more"` // there is more in this direction
}

// LogLine is one record: its line and those that belong to it.
type LogLine struct {
	Offset int64  `json:"offset"`
	Level  string `json:"level,omitempty"`
	Text   string `json:"text"`
}

// CheckParams ask for a look at a source before an instance is started with it.
type CheckParams struct {
	Destination string `json:"destination"`
	Content     string `json:"content"` // instance.properties
}

// The severities of a Finding.
const (
	SeverityOK      = "ok"
	SeverityWarning = "warning"
	SeverityFailure = "failure"
)

// Finding is one thing a check found out.
type Finding struct {
	Severity    string `json:"severity"`
	Destination string `json:"destination,omitempty"` // "" for the whole server
	Source      string `json:"source,omitempty"`      // host:port of the server it is about
	Text        string `json:"text"`
	Remedy      string `json:"remedy,omitempty"` // the setting or statement that mends it
}

// SeekParams say where clients of a destination shall go on. One of File,
// TimestampMs, GTIDSet and End is given.
type SeekParams struct {
	Destination string `json:"destination"`
	ClientID    int    `json:"clientId,omitempty"` // 0 for all subscriptions
	File        string `json:"file,omitempty"`
	Offset      int64  `json:"offset,omitempty"` // 4 if 0
	TimestampMs int64  `json:"timestampMs,omitempty"`
	GTIDSet     string `json:"gtidSet,omitempty"`
	End         bool   `json:"end,omitempty"` // the present end of the binlog
}

// SeekPlan says what a SeekParams does, or has done.
type SeekPlan struct {
	From         []ClientPosition `json:"from"`         // where the clients are
	To           Position         `json:"to"`           // where they go on
	Available    []BinlogFile     `json:"available"`    // what the source still has, oldest first
	Backwards    bool             `json:"backwards"`    // clients get changes again
	Bytes        int64            `json:"bytes"`        // of binlog that come again, or are skipped; -1 when unknown
	Consequences []string         `json:"consequences"` // plain sentences
	Done         bool             `json:"done"`
}

// ClientPosition is the cursor of a client.
type ClientPosition struct {
	ClientID int      `json:"clientId"`
	Cursor   Position `json:"cursor"`
}

// BinlogFile is one binlog file of a source.
type BinlogFile struct {
	Name string `json:"name"`
	Size int64  `json:"size"`
}

// TablesParams ask for the tables an instance knows.
type TablesParams struct {
	Destination string `json:"destination"`
	Schema      string `json:"schema,omitempty"`
	Table       string `json:"table,omitempty"` // with Schema: only this one
}

// TableReport is the layout of a table as an instance decodes it.
type TableReport struct {
	Schema  string         `json:"schema"`
	Table   string         `json:"table"`
	SinceMs int64          `json:"sinceMs,omitempty"` // since when this layout is known
	From    Position       `json:"from"`              // the change of the layout, if it was seen
	DDL     string         `json:"ddl,omitempty"`     // the statement that made it, if it was seen
	Columns []ColumnReport `json:"columns"`
}

// ColumnReport is one column.
type ColumnReport struct {
	Name     string `json:"name"`
	Type     string `json:"type"` // as in SHOW CREATE TABLE
	Key      bool   `json:"key"`
	Nullable bool   `json:"nullable"`
}
