package delivery

import (
	"errors"
	"fmt"
	"strings"

	"github.com/towpath-cdc/towpath/internal/meta"
)

// The Java classes of the errors that clients see.
const (
	classServer = "com.alibaba.otter.canal.server.exception.CanalServerException"
	classMeta   = "com.alibaba.otter.canal.meta.exception.CanalMetaManagerException"
	classStore  = "com.alibaba.otter.canal.store.CanalStoreException"
)

// Error is a refusal in Canal's own words. Clients show and match the text, so
// Class and Message are those of the exception that Canal throws.
type Error struct {
	Class   string // full name of the Java exception class
	Message string
}

// Error is what Java prints of the exception.
func (e *Error) Error() string { return e.Class + ": " + e.Message }

// notStartedText ends the message of NotStarted.
const notStartedText = " should start first"

// NotStarted is the error for a destination that is not running here.
func NotStarted(destination string) *Error {
	return &Error{classServer, "destination:" + destination + notStartedText}
}

// IsNotStarted says whether an error is one of NotStarted.
func IsNotStarted(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Class == classServer && strings.HasSuffix(e.Message, notStartedText)
}

func notSubscribed(c meta.Client) *Error {
	return &Error{classServer, fmt.Sprintf("ClientIdentity:%s should subscribe first", c)}
}

// The two that follow differ in their blanks, as in Canal.

func noBatchToAck(c meta.Client, id int64) *Error {
	return &Error{classServer, fmt.Sprintf("ack error , clientId:%d batchId:%d is not exist , please check", c.ID, id)}
}

func noBatchToRollback(c meta.Client, id int64) *Error {
	return &Error{classServer, fmt.Sprintf("rollback error, clientId:%d batchId:%d is not exist , please check", c.ID, id)}
}

func notFirst(id, first int64) *Error {
	return &Error{classMeta, fmt.Sprintf("batchId:%d is not the firstly:%d", id, first)}
}

func noMatch(cursor meta.Cursor) *Error {
	return &Error{classStore, "no match ack position" + logPosition(cursor)}
}

// logPosition is the text of Canal's LogPosition.
func logPosition(c meta.Cursor) string {
	p := c.Position
	return fmt.Sprintf("LogPosition[identity=LogIdentity[sourceAddress=%s,slaveId=-1],"+
		"postion=EntryPosition[included=false,journalName=%s,position=%d,serverId=%d,gtid=%s,timestamp=%d]]",
		c.Address(), p.File, p.Offset, p.ServerID, p.GTIDSet, p.Timestamp)
}
