package mysql

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/towpath-cdc/towpath/internal/binlog"
)

// ErrNotLogging says that the server writes no binary log.
var ErrNotLogging = errors.New("the server has no binary log (log_bin is OFF)")

// LogFile is one file of a server's binary log.
type LogFile struct {
	Name string
	Size int64 // bytes
}

// End is the present end of the binary log. With gtid it also asks for the set of
// executed transactions. Timestamp is the server's present time.
func (c *Conn) End(ctx context.Context, gtid bool) (binlog.Position, error) {
	sql := "show master status"
	if AtLeast(c.Version(), 8, 4, 0) {
		sql = "show binary log status"
	}
	r, err := c.Query(ctx, sql)
	if err != nil {
		return binlog.Position{}, err
	}
	if len(r.Rows) == 0 || len(r.Rows[0]) < 2 {
		return binlog.Position{}, fmt.Errorf("%s: %w", sql, ErrNotLogging)
	}
	row := r.Rows[0]
	p := binlog.Position{File: row[0]}
	if p.Offset, err = strconv.ParseInt(row[1], 10, 64); err != nil {
		return binlog.Position{}, fmt.Errorf("%s: position: %w", sql, err)
	}
	now, _, err := c.queryValue(ctx, "select unix_timestamp()")
	if err != nil {
		return binlog.Position{}, err
	}
	if sec, err := strconv.ParseInt(now, 10, 64); err == nil {
		p.Timestamp = sec * 1000
	}
	switch {
	case !gtid:
	case flavorOf(c.Version()) == binlog.FlavorMariaDB:
		if p.GTIDSet, _, err = c.queryValue(ctx, "SELECT @@global.gtid_binlog_pos"); err != nil {
			return binlog.Position{}, err
		}
	case len(row) > 4:
		p.GTIDSet = strings.ReplaceAll(row[4], "\n", "")
	}
	return p, nil
}

// LogFiles lists the binary log, oldest file first.
func (c *Conn) LogFiles(ctx context.Context) ([]LogFile, error) {
	const sql = "show binary logs"
	r, err := c.Query(ctx, sql)
	if err != nil {
		if Code(err) == CodeNotBinlogging {
			return nil, fmt.Errorf("%s: %w", sql, ErrNotLogging)
		}
		return nil, err
	}
	files := make([]LogFile, 0, len(r.Rows))
	for _, row := range r.Rows {
		if len(row) < 2 {
			return nil, fmt.Errorf("%s: row of %d columns", sql, len(row))
		}
		size, err := strconv.ParseInt(row[1], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%s: size of %s: %w", sql, row[0], err)
		}
		files = append(files, LogFile{Name: row[0], Size: size})
	}
	return files, nil
}

// Replica is another reader of the server's binary log.
type Replica struct {
	ServerID uint32
	Host     string
	Port     string
}

// Replicas lists who has registered as a replica.
func (c *Conn) Replicas(ctx context.Context) ([]Replica, error) {
	sql := "show slave hosts"
	if AtLeast(c.Version(), 8, 0, 22) {
		sql = "show replicas"
	}
	r, err := c.Query(ctx, sql)
	if err != nil {
		return nil, err
	}
	id, host, port := r.Column("server_id"), r.Column("host"), r.Column("port")
	var out []Replica
	for _, row := range r.Rows {
		if id < 0 || host < 0 || port < 0 {
			return nil, fmt.Errorf("%s: columns %v", sql, r.Columns)
		}
		n, err := strconv.ParseUint(row[id], 10, 32)
		if err != nil {
			return nil, fmt.Errorf("%s: server id: %w", sql, err)
		}
		out = append(out, Replica{ServerID: uint32(n), Host: row[host], Port: row[port]})
	}
	return out, nil
}

// Grants are the statements that would give the account what it may do.
func (c *Conn) Grants(ctx context.Context) ([]string, error) {
	r, err := c.Query(ctx, "show grants")
	if err != nil {
		return nil, err
	}
	var out []string
	for _, row := range r.Rows {
		out = append(out, row[0])
	}
	return out, nil
}

// Kill ends another connection of the server, by its Conn.ID.
func (c *Conn) Kill(ctx context.Context, id uint32) error {
	_, err := c.Query(ctx, "KILL CONNECTION "+strconv.FormatUint(uint64(id), 10))
	return err
}
