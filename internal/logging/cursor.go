package logging

import (
	"fmt"
	"net"
	"strconv"

	"github.com/towpath-cdc/towpath/internal/binlog"
)

// CursorLine is the text of meta.log for a flushed cursor, as Canal's
// FileMixedMetaManager writes it. host and port name the source; Java prints an
// address as name/number:port, and one that was given as a number with an empty
// name. An unknown file, timestamp or server id prints as null; outside GTID mode
// the GTID set is empty there as here.
func CursorLine(clientID int16, p binlog.Position, host string, port int) string {
	file := p.File
	if file == "" {
		file = "null"
	}
	if net.ParseIP(host) != nil {
		host = "/" + host
	}
	return fmt.Sprintf("clientId:%d cursor:[%s,%d,%s,%s,%s] address[%s:%d]",
		clientID, file, p.Offset, orNull(p.Timestamp), orNull(p.ServerID), p.GTIDSet, host, port)
}

func orNull(n int64) string {
	if n == 0 {
		return "null"
	}
	return strconv.FormatInt(n, 10)
}
