package source

import (
	"errors"
	"fmt"
	"strings"

	"github.com/towpath-cdc/towpath/internal/mysql"
)

// ErrPositionPurged says that the source no longer has the binlog a position is in.
var ErrPositionPurged = errors.New("binlog of the position is purged")

// kind is what a failed attempt means for the next one.
type kind int

const (
	transient      kind = iota // heals itself: try again
	operator                   // a setting or a grant has to change on the source; tried again, for it may
	lostPosition               // the source does not have the position
	midTransaction             // the position is inside a transaction
	permanent                  // trying again cannot help
)

// configError is a setting of the source that a change stream cannot live with.
type configError struct{ reason, remedy string }

func (e *configError) Error() string { return e.reason }

// diagnosis is what to make of an error.
type diagnosis struct {
	kind   kind
	remedy string // what to do; "" when it heals itself
}

// Texts of error 1236, in lower case, by what they mean. They come from MySQL's
// rpl_binlog_sender.cc and MariaDB's sql_repl.cc.
var (
	purgedTexts = []string{
		"not find first log file name", "purged binary logs", "purged required", // the file or the GTIDs are gone
		"impossible position", "position > file size", // the server lost the end of its log
		"is not in the master's binlog", "gtids with higher sequence", // MariaDB: GTIDs are gone
		"missing the gtid", "binlog files have been purged", // the same
		"slave has more gtids", "replica has more gtids", // the set is of another server's history
	}
	collisionTexts = []string{"same server_uuid", "same server_id"}
)

const collisionRemedy = "another reader uses the same replica id: give each its own canal.instance.mysql.slaveId, and run each destination on one server only"

// diagnose decides what an error of an attempt means. It is the only place that does.
func diagnose(err error, user string) diagnosis {
	if e, ok := errors.AsType[*StopError](err); ok {
		return diagnosis{permanent, e.Remedy()}
	}
	if errors.Is(err, ErrNeedTransactionStart) {
		return diagnosis{kind: midTransaction}
	}
	if errors.Is(err, ErrPositionPurged) {
		return diagnosis{kind: lostPosition}
	}
	if e, ok := errors.AsType[*configError](err); ok {
		return diagnosis{operator, e.remedy}
	}
	if errors.Is(err, mysql.ErrNotLogging) {
		return diagnosis{operator, "switch the binary log on: log_bin=mysql-bin and a server_id in my.cnf, then restart the server"}
	}
	if e, ok := errors.AsType[*mysql.ConnectError](err); ok {
		if mysql.IsPrivilege(err) {
			return diagnosis{operator, e.Remedy}
		}
		return diagnosis{transient, e.Remedy}
	}
	if mysql.IsPrivilege(err) {
		return diagnosis{operator, mysql.GrantStatement(user)}
	}
	switch mysql.Code(err) {
	case mysql.CodeReplicaSameID:
		return diagnosis{transient, collisionRemedy}
	case mysql.CodeMasterFatal:
		return diagnoseFatal(err)
	}
	return diagnosis{kind: transient}
}

// diagnoseFatal reads the text of error 1236, the one code for all that can go
// wrong with a dump.
func diagnoseFatal(err error) diagnosis {
	text := strings.ToLower(err.Error())
	switch {
	case containsAny(text, purgedTexts):
		return diagnosis{kind: lostPosition}
	case containsAny(text, collisionTexts):
		return diagnosis{transient, collisionRemedy}
	case strings.Contains(text, "binary log is not open"), strings.Contains(text, "server_id was not set"), strings.Contains(text, "server id was not set"):
		return diagnosis{operator, "switch the binary log on: log_bin=mysql-bin and a server_id in my.cnf, then restart the server"}
	default:
		return diagnosis{transient, "the server cannot read its binlog at the position; look at its error log"}
	}
}

func containsAny(s string, parts []string) bool {
	for _, p := range parts {
		if strings.Contains(s, p) {
			return true
		}
	}
	return false
}

// checkFacts refuses settings of the source that a change stream cannot live
// with. The first words are Canal's.
func checkFacts(f mysql.Facts, formats, images []string, gtidMode bool) error {
	switch {
	case !f.LogBin:
		return &configError{"the server writes no binary log (log_bin is OFF)",
			"set log_bin=mysql-bin, binlog_format=ROW and a server_id in my.cnf and restart the server"}
	case !allowed(f.BinlogFormat, formats):
		return &configError{fmt.Sprintf("Unsupported BinlogFormat %s (allowed: %s)", f.BinlogFormat, strings.Join(formats, ",")),
			"SET GLOBAL binlog_format = 'ROW' on the source and let its applications reconnect, or allow the format in canal.instance.binlog.format"}
	case !allowed(f.RowImage, images):
		return &configError{fmt.Sprintf("Unsupported BinlogImage %s (allowed: %s)", f.RowImage, strings.Join(images, ",")),
			"SET GLOBAL binlog_row_image = 'FULL' on the source and let its applications reconnect, or allow the image in canal.instance.binlog.image"}
	case gtidMode && f.GTIDMode == "OFF":
		return &configError{"canal.instance.gtidon is true and the server runs with gtid_mode=OFF",
			"switch gtid_mode on at the source, or set canal.instance.gtidon=false"}
	}
	return nil
}

func allowed(value string, list []string) bool {
	if len(list) == 0 {
		return true
	}
	for _, v := range list {
		if strings.EqualFold(strings.TrimSpace(v), value) {
			return true
		}
	}
	return false
}
