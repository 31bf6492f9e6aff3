package source

import (
	"fmt"
	"strings"
	"testing"

	"github.com/towpath-cdc/towpath/internal/binlog"
	"github.com/towpath-cdc/towpath/internal/testkit/mysqltest"
)

func TestCheck(t *testing.T) {
	refuse := func(sql, text string) func(*mysqltest.Server) {
		return func(s *mysqltest.Server) {
			s.Query = func(q string) *mysqltest.Answer {
				if q == sql {
					return &mysqltest.Answer{Err: &mysqltest.Err{Code: 1227, State: "42000", Message: text}}
				}
				return nil
			}
		}
	}
	grants := func(line string) func(*mysqltest.Server) {
		return func(s *mysqltest.Server) {
			s.Query = func(q string) *mysqltest.Answer {
				if q == "show grants" {
					return &mysqltest.Answer{Columns: []string{"Grants"}, Rows: [][]string{{line}}}
				}
				return nil
			}
		}
	}
	for name, c := range map[string]struct {
		set    func(*mysqltest.Server)
		cursor *Cursor
		worst  Severity
		text   string
		remedy string
	}{
		"sound":        {func(*mysqltest.Server) {}, nil, Info, "mysql 5.7.22-log, server id 77, binlog format ROW", ""},
		"statements":   {func(s *mysqltest.Server) { s.Set("binlog_format", "MIXED") }, nil, Warning, "binlog format is MIXED", "SET GLOBAL binlog_format"},
		"no binlog":    {func(s *mysqltest.Server) { s.Set("log_bin", "OFF") }, nil, Failure, "log_bin is OFF", "log_bin=mysql-bin"},
		"no privilege": {grants("GRANT SELECT, REPLICATION CLIENT ON *.* TO 'canal'@'%'"), nil, Failure, "the account canal lacks the privilege REPLICATION SLAVE", "GRANT SELECT, REPLICATION SLAVE"},
		"refused":      {refuse("show master status", "Access denied; you need the REPLICATION CLIENT privilege(s)"), nil, Failure, "REPLICATION CLIENT", "GRANT SELECT, REPLICATION SLAVE"},
		"purged": {func(*mysqltest.Server) {}, &Cursor{Position: binlog.Position{File: "mysql-bin.000000", Offset: 4}}, Failure,
			"does not have the binlog file of the position: stored position mysql-bin.000000:4, available mysql-bin.000001 to mysql-bin.000003", "canal.auto.reset.latest.pos.mode"},
		"there": {func(*mysqltest.Server) {}, &Cursor{Position: binlog.Position{File: "mysql-bin.000002", Offset: 4}}, Info, "binlog mysql-bin.000001 to mysql-bin.000003", ""},
	} {
		t.Run(name, func(t *testing.T) {
			server := mysqltest.Start(t, fill(1))
			c.set(server)
			o := testOptions(server.Address())
			worst := Info
			found := false
			findings := Check(t.Context(), o.Instance, c.cursor, nil)
			for _, f := range findings {
				worst = max(worst, f.Severity)
				found = found || strings.Contains(f.Text, c.text) && strings.Contains(f.Remedy, c.remedy)
			}
			if worst != c.worst || !found {
				t.Errorf("%s", fmt.Sprintf("%+v", findings))
			}
			if len(server.Dumps()) != 0 {
				t.Error("a check began a dump")
			}
		})
	}
}

func TestMissingPrivileges(t *testing.T) {
	for _, c := range []struct {
		grants []string
		want   string
	}{
		{nil, ""},
		{[]string{"GRANT USAGE ON *.* TO 'a'@'%'"}, "SELECT, REPLICATION SLAVE, REPLICATION CLIENT"},
		{[]string{"GRANT USAGE ON *.* TO `a`@`%`", "GRANT SELECT, INSERT ON `test`.* TO PUBLIC"}, "SELECT, REPLICATION SLAVE, REPLICATION CLIENT"},
		{[]string{"GRANT ALL PRIVILEGES ON *.* TO `a`@`%` WITH GRANT OPTION"}, ""},
		{[]string{"GRANT USAGE ON *.* TO `a`@`%`", "GRANT `reader`@`%` TO `a`@`%`"}, ""},
		{[]string{"GRANT SELECT, REPLICATION SLAVE, REPLICATION CLIENT, SHOW VIEW ON *.* TO 'a'@'%'"}, ""},
		{[]string{"GRANT SELECT, REPLICATION SLAVE, BINLOG MONITOR ON *.* TO `a`@`%` IDENTIFIED BY PASSWORD '*X'"}, ""},
		{[]string{"GRANT REPLICATION SLAVE, SUPER ON *.* TO 'a'@'%'", "GRANT SELECT ON `d`.* TO 'a'@'%'"}, ""},
		{[]string{"GRANT REPLICATION SLAVE ON *.* TO 'a'@'%'", "GRANT INSERT, SELECT (x) ON `d`.`t` TO 'a'@'%'"}, "REPLICATION CLIENT"},
		{[]string{"GRANT REPLICATION CLIENT ON *.* TO 'a'@'%'", "GRANT ALL PRIVILEGES ON `d`.* TO 'a'@'%'"}, "REPLICATION SLAVE"},
	} {
		if got := strings.Join(missingPrivileges(c.grants), ", "); got != c.want {
			t.Errorf("%v: %q, want %q", c.grants, got, c.want)
		}
	}
}
