package source

import (
	"context"
	"errors"
	"fmt"

	"github.com/towpath-cdc/towpath/internal/binlog"
	"github.com/towpath-cdc/towpath/internal/config"
	"github.com/towpath-cdc/towpath/internal/mysql"
)

// checkFiles is Check for an instance that reads binlog files.
func checkFiles(ctx context.Context, inst config.Instance, cursor *Cursor, dial mysql.Dial) []Finding {
	server, err := localEndpoint(&inst)
	if err != nil {
		return []Finding{{Failure, inst.Master.Address, err.Error(), "correct canal.instance.master.address"}}
	}
	c := &checker{inst: inst, server: server, dial: dial}
	d := &folder{dir: inst.Local.Dir, name: inst.Local.Name, serverID: inst.Local.ServerID, maxEvent: defaultMaxEventSize}
	writer, ok := c.files(d)
	if ok {
		c.place(ctx, d, writer, cursor)
	}
	c.definitions(ctx, writer)
	return c.findings
}

// files looks at each file, and returns what the newest tells of its server.
func (c *checker) files(d *folder) (writer mysql.Facts, ok bool) {
	all, err := d.list()
	if err != nil {
		c.fail(err)
		return writer, false
	}
	for i, f := range all {
		file, o, err := d.open(f.name)
		if err != nil {
			c.fail(err)
			continue
		}
		_ = file.Close()
		writer, ok = o.facts(), true
		if i > 0 && f.number > all[i-1].number+1 {
			c.add(Failure, fmt.Sprintf("the file after %s is missing, and %s is there", all[i-1].name, f.name), remedyMissing)
		}
	}
	if ok {
		c.add(Info, fmt.Sprintf("binlog files %s to %s of %s %s, server id %d", all[0].name, all[len(all)-1].name, writer.Flavor, writer.Version, writer.ServerID), "")
	}
	return writer, ok
}

// place looks for the place where reading would begin.
func (c *checker) place(ctx context.Context, d *folder, writer mysql.Facts, cursor *Cursor) {
	p, what := binlog.Position{File: c.inst.Master.Start.File, Offset: max(c.inst.Master.Start.Offset, 0)}, "configured"
	if cursor != nil {
		p, what = cursor.Position, "stored"
	}
	if p.File == "" || c.inst.GTIDMode && p.GTIDSet != "" {
		return
	}
	r := resolver{probe: d, server: c.server, facts: writer, files: true}
	err := r.available(ctx, p)
	if stop, ok := errors.AsType[*StopError](err); ok {
		c.add(Failure, fmt.Sprintf("%s: %s position %s, available %s to %s", stop.Reason, what, stop.Asked, stop.Oldest, stop.Newest), stop.Remedy())
	} else if err != nil {
		c.fail(err)
	}
}

// definitions looks at the server that is asked for definitions of tables.
func (c *checker) definitions(ctx context.Context, writer mysql.Facts) {
	master := c.inst.Master
	if master.Address == "" {
		c.add(Info, "there is no server to ask for definitions of tables: those count that CREATE statements in the files tell, and the history", "")
		return
	}
	c.server.Address = master.Address
	conn, err := mysql.Connect(ctx, mysql.Config{Address: master.Address, User: c.inst.User, Password: c.inst.Password,
		Schema: c.inst.DefaultSchema, TLS: master.TLS, Dial: c.dial})
	if err != nil {
		c.fail(err)
		return
	}
	defer conn.Close()
	facts, err := conn.Inspect(ctx)
	if err != nil {
		c.fail(err)
		return
	}
	if facts.ServerID != writer.ServerID && writer.ServerID != 0 {
		c.add(Warning, fmt.Sprintf("server id %d: it is not the server that wrote the files (%d), and its tables must be the same", facts.ServerID, writer.ServerID), "")
		return
	}
	c.add(Info, fmt.Sprintf("%s %s, server id %d, is asked for definitions of tables", facts.Flavor, facts.Version, facts.ServerID), "")
}
