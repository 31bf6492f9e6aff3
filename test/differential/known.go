package differential

import (
	"github.com/towpath-cdc/towpath/test/servers"
)

// difference is one that docs/differences.md explains to users.
type difference struct {
	name string // the heading of its entry there
	// mend gives Canal's entry our form where this difference is the reason.
	mend func(k servers.Kind, ours, canal object)
}

// missing is an entry that only one side has.
type missing struct {
	name     string
	ours     bool // it is ours that has it
	explains func(k servers.Kind, entry object) bool
}

var known = []difference{
	{"The file name after MariaDB's checkpoints", checkpointFile},
}

var knownMissing = []missing{}

// checkpointFile: Canal takes the file a BINLOG_CHECKPOINT event names for the
// one it is reading.
func checkpointFile(k servers.Kind, ours, canal object) {
	if k.IsMariaDB() && canal.text("header", "logfileName") < ours.text("header", "logfileName") {
		canal.in("header")["logfileName"] = ours.text("header", "logfileName")
	}
}
