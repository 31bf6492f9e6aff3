package source

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/towpath-cdc/towpath/internal/mysql"
)

func TestDiagnose(t *testing.T) {
	server := func(code uint16, text string) error {
		return fmt.Errorf("binlog dump: %w", &mysql.ServerError{Code: code, SQLState: "HY000", Message: text})
	}
	for _, c := range []struct {
		err    error
		kind   kind
		remedy string
	}{
		{io.EOF, transient, ""},
		{server(1236, "Could not find first log file name in binary log index file"), lostPosition, ""},
		{server(1236, "The slave is connecting using CHANGE MASTER TO MASTER_AUTO_POSITION = 1, but the master has purged binary logs containing GTIDs that the slave requires."), lostPosition, ""},
		{server(1236, "Cannot replicate because the source purged required binary logs."), lostPosition, ""},
		{server(1236, "Client requested master to start replication from position > file size"), lostPosition, ""},
		{server(1236, "Client requested master to start replication from impossible position"), lostPosition, ""},
		{server(1236, "Error: connecting slave requested to start from GTID 0-1-5, which is not in the master's binlog"), lostPosition, ""},
		{server(1236, "Could not find GTID state requested by slave in any binlog files. Probably the slave state is too old and required binlog files have been purged."), lostPosition, ""},
		{server(1236, "Slave has more GTIDs than the master has, using the master's SERVER_UUID."), lostPosition, ""},
		{server(1236, "A slave with the same server_uuid/server_id as this slave has connected to the master"), transient, "slaveId"},
		{server(4052, "A slave with the same server_uuid/server_id is already connected"), transient, "slaveId"},
		{server(1236, "Binary log is not open"), operator, "log_bin"},
		{server(1236, "Misconfigured master - server_id was not set"), operator, "server_id"},
		{server(1236, "log event entry exceeded max_allowed_packet"), transient, "error log"},
		{server(1227, "Access denied; you need (at least one of) the REPLICATION SLAVE privilege(s) for this operation"), operator, "GRANT SELECT, REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO 'canal'@'%'"},
		{server(1053, "Server shutdown in progress"), transient, ""},
		{fmt.Errorf("show master status: %w", mysql.ErrNotLogging), operator, "log_bin"},
		{&mysql.ConnectError{Err: &mysql.ServerError{Code: 1045}, Remedy: "check the password"}, operator, "check the password"},
		{&mysql.ConnectError{Err: errors.New("connection refused"), Remedy: "start it"}, transient, "start it"},
		{fmt.Errorf("rows: %w", ErrNeedTransactionStart), midTransaction, ""},
		{fmt.Errorf("find start position: %w", &StopError{Reason: "r", Choices: []string{"c"}, Err: ErrPositionPurged}), permanent, "choices: c"},
	} {
		if d := diagnose(c.err, "canal"); d.kind != c.kind || !strings.Contains(d.remedy, c.remedy) {
			t.Errorf("%v: %+v, want kind %d, remedy %q", c.err, d, c.kind, c.remedy)
		}
	}
}
