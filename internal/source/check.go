package source

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/towpath-cdc/towpath/internal/binlog"
	"github.com/towpath-cdc/towpath/internal/config"
	"github.com/towpath-cdc/towpath/internal/mysql"
)

// Severity says how bad a Finding is.
type Severity int

// The severities.
const (
	Info    Severity = iota
	Warning          // it runs, but a person should know
	Failure          // the instance cannot run
)

// Finding is one thing Check found out about a source.
type Finding struct {
	Severity Severity
	Address  string // the server it is about
	Text     string
	Remedy   string // the statement or setting that mends it; "" when nothing has to be done
}

// Check connects to the servers of an instance and tests what a Source will
// need, without starting a dump: log-in, settings, privileges, the list of
// binlog files, and cursor's position among them (nil for none). dial connects, a
// net.Dialer if it is nil. Of an instance that reads binlog files it looks at the
// folder, and at the server that is asked for definitions.
func Check(ctx context.Context, inst config.Instance, cursor *Cursor, dial mysql.Dial) []Finding {
	var out []Finding
	if inst.Local.Dir != "" {
		return checkFiles(ctx, inst, cursor, dial)
	}
	for i, e := range []config.Endpoint{inst.Master, inst.Standby} {
		if i > 0 && e.Address == "" {
			continue
		}
		server, err := parseEndpoint(e)
		if err != nil {
			key := []string{"canal.instance.master.address", "canal.instance.standby.address"}[i]
			out = append(out, Finding{Failure, e.Address, err.Error(), "correct " + key})
			continue
		}
		c := &checker{inst: inst, server: server, dial: dial}
		c.run(ctx, cursor)
		out = append(out, c.findings...)
	}
	return out
}

type checker struct {
	inst     config.Instance
	server   endpoint
	dial     mysql.Dial
	conn     *mysql.Conn
	findings []Finding
}

func (c *checker) add(s Severity, text, remedy string) {
	c.findings = append(c.findings, Finding{s, c.server.Address, text, remedy})
}

func (c *checker) fail(err error) {
	c.add(Failure, err.Error(), diagnose(err, c.inst.User).remedy)
}

func (c *checker) run(ctx context.Context, cursor *Cursor) {
	conn, err := mysql.Connect(ctx, mysql.Config{Address: c.server.Address, User: c.inst.User, Password: c.inst.Password,
		Schema: c.inst.DefaultSchema, TLS: c.server.TLS, Dial: c.dial})
	if err != nil {
		c.fail(err)
		return
	}
	defer conn.Close()
	c.conn = conn
	facts, err := conn.Inspect(ctx)
	if err != nil {
		c.fail(err)
		return
	}
	c.add(Info, fmt.Sprintf("%s %s, server id %d, binlog format %s, row image %s, encrypted: %v",
		facts.Flavor, facts.Version, facts.ServerID, facts.BinlogFormat, facts.RowImage, conn.Secure()), "")
	if err := checkFacts(facts, c.inst.BinlogFormats, c.inst.BinlogImages, c.inst.GTIDMode); err != nil {
		c.fail(err)
		return
	}
	if facts.BinlogFormat != "ROW" {
		c.add(Warning, "binlog format is "+facts.BinlogFormat+": changes written as statements have no rows", "SET GLOBAL binlog_format = 'ROW'")
	}
	c.privileges(ctx, facts)
	c.position(ctx, facts, cursor)
}

// privileges looks for what the account lacks, and tries the statements that need
// it: what the account has by a role does not stand among its grants.
func (c *checker) privileges(ctx context.Context, facts mysql.Facts) {
	var missing []string
	if grants, err := c.conn.Grants(ctx); err == nil {
		missing = missingPrivileges(grants)
	}
	for _, m := range missing {
		c.add(Failure, fmt.Sprintf("the account %s lacks the privilege %s: %s", c.inst.User, m, privilegeUses[m]), mysql.GrantStatement(c.inst.User))
	}
	named := func(err error) bool { return mysql.IsPrivilege(err) && len(missing) > 0 }
	if _, err := c.conn.End(ctx, c.inst.GTIDMode); err != nil && !named(err) {
		c.fail(err)
	}
	if facts.Flavor != binlog.FlavorMariaDB {
		return // see avoidTwins
	}
	replicas, err := c.conn.Replicas(ctx)
	if err != nil && !mysql.IsPrivilege(err) { // MariaDB wants another privilege for it; a Source does without the list
		c.fail(err)
	}
	for _, r := range replicas {
		if r.ServerID == c.inst.ServerID && r.ServerID != 0 {
			c.add(Warning, fmt.Sprintf("a replica from %s:%s is registered under this instance's id %d; fine if it is this very instance", r.Host, r.Port, r.ServerID), collisionRemedy)
		}
	}
}

// privilegeUses says what a Source needs each privilege for.
var privilegeUses = map[string]string{
	"SELECT":             "the definitions of tables cannot be read",
	"REPLICATION SLAVE":  "the binlog cannot be read",
	"REPLICATION CLIENT": "the state of the binlog cannot be asked for",
}

// missingPrivileges reads the lines of SHOW GRANTS and returns what is not among
// them. SELECT may be limited to schemas or tables. Nothing is missing where it
// cannot be told: without lines, and with roles.
func missingPrivileges(grants []string) (missing []string) {
	have := map[string]bool{}
	for _, g := range grants {
		list, object, ok := strings.Cut(strings.TrimPrefix(strings.ToUpper(g), "GRANT "), " ON ")
		switch {
		case !ok:
			return nil
		case strings.HasSuffix(object, " TO PUBLIC"): // what MariaDB lets anybody do in the schema test
		case strings.HasPrefix(object, "*.*"):
			for p := range strings.SplitSeq(list, ",") {
				have[strings.TrimSpace(p)] = true
			}
		case strings.HasPrefix(list, "SELECT"), strings.Contains(list, ", SELECT"), strings.HasPrefix(list, "ALL PRIVILEGES"):
			have["SELECT"] = true
		}
	}
	if len(grants) == 0 || have["ALL PRIVILEGES"] {
		return nil
	}
	// MariaDB has BINLOG MONITOR for REPLICATION CLIENT; SUPER has included it in all versions that have SUPER.
	have["REPLICATION CLIENT"] = have["REPLICATION CLIENT"] || have["BINLOG MONITOR"] || have["SUPER"]
	for _, p := range []string{"SELECT", "REPLICATION SLAVE", "REPLICATION CLIENT"} {
		if !have[p] {
			missing = append(missing, p)
		}
	}
	return missing
}

// position tells which binlog the server has and whether the cursor is in it.
func (c *checker) position(ctx context.Context, facts mysql.Facts, cursor *Cursor) {
	files, err := c.conn.LogFiles(ctx)
	if err != nil {
		if !mysql.IsPrivilege(err) { // privileges has said so
			c.fail(err)
		}
		return
	}
	if len(files) > 0 {
		c.add(Info, fmt.Sprintf("binlog %s to %s", files[0].Name, files[len(files)-1].Name), "")
	}
	if cursor == nil || cursor.Position.File == "" || c.inst.GTIDMode && cursor.Position.GTIDSet != "" || !c.server.is(ctx, cursor.Host, cursor.Port) {
		return
	}
	r := resolver{probe: &attempt{conn: c.conn}, server: c.server, facts: facts}
	err = r.available(ctx, cursor.Position)
	if stop, ok := errors.AsType[*StopError](err); ok {
		c.add(Failure, fmt.Sprintf("%s: stored position %s, available %s to %s", stop.Reason, stop.Asked, stop.Oldest, stop.Newest), stop.Remedy())
	} else if err != nil {
		c.fail(err)
	}
}
