package pipeline

import (
	"sync"

	"github.com/towpath-cdc/towpath/internal/binlog"
	"github.com/towpath-cdc/towpath/internal/entry"
	"github.com/towpath-cdc/towpath/internal/source"
	"github.com/towpath-cdc/towpath/internal/store"
)

// taskKind says what entry a task becomes.
type taskKind uint8

const (
	taskRows      taskKind = iota
	taskBegin              // number is the thread id
	taskEnd                // number is the xid
	taskXA                 // XA COMMIT or ROLLBACK
	taskStatement          // DDL or statement-format DML
	taskText               // a statement that comments on what follows
	taskNone               // no entry, but the place behind it is a boundary
)

// task is one event, scanned, that waits to be encoded.
type task struct {
	kind     taskKind
	boundary bool // a dump may start again behind this event
	xa       bool
	typ      binlog.EventType // taskRows
	ctx      entry.Context
	body     []byte // taskRows: the event without header and checksum
	plan     *entry.Plan
	number   int64
	ddl      uint64 // statements the tracker had followed; set at boundaries
	words    *words
}

// words are the texts of the tasks that have any.
type words struct {
	entry.Statement
	xid string
}

// job is a run of tasks that is encoded as one piece of work.
type job struct {
	tasks  []task
	format *binlog.FormatDescription
	chunk  *source.Chunk   // holds the bodies; released when the job is done
	items  []encoded       // the result
	err    error           // of the first task that failed; items are those before it
	behind <-chan struct{} // closed when the job before this one has had its turn
	done   chan struct{}   // closed when this one has
}

// encoded is an item with what the grouper and the resume position need.
type encoded struct {
	item     store.Item
	flush    bool // ends its group
	boundary bool
	skip     bool   // no item, only a boundary
	next     int64  // offset behind the event
	ddl      uint64 // of the task
}

var jobs = sync.Pool{New: func() any { return new(job) }}

func newJob() *job {
	j := jobs.Get().(*job)
	j.done = make(chan struct{})
	return j
}

// recycle gives the job's memory back, after its chunk. Nobody may use it afterwards.
func (j *job) recycle() {
	clear(j.items)
	*j = job{tasks: j.tasks[:0], items: j.items[:0]}
	if cap(j.tasks) <= maxPooledTasks {
		jobs.Put(j)
	}
}

// maxPooledTasks bounds the memory that an unused job holds.
const maxPooledTasks = 4096
