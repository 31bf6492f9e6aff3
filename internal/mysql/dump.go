package mysql

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"
)

// Commands of the client/server protocol, from MySQL's my_command.h.
const (
	comBinlogDump     = 0x12
	comRegisterSlave  = 0x15
	comBinlogDumpGTID = 0x1e
)

// Flags of the dump commands.
const (
	flagSendAnnotateRows = 2 // BINLOG_SEND_ANNOTATE_ROWS_EVENT of MariaDB
	flagThroughGTID      = 4 // BINLOG_THROUGH_GTID of MySQL
)

// PrepareDump sends the session settings that Canal sends before a dump and
// returns whether events will carry a checksum. heartbeat is how often the
// server speaks when it has nothing to say. A setting the server refuses is
// left out, as Canal does; only a broken connection is an error.
//
// The checksum is never switched off: a server would then send shorter events,
// and with them other offsets, than stand in its files.
func (c *Conn) PrepareDump(ctx context.Context, heartbeat time.Duration) (checksum bool, err error) {
	for _, sql := range []string{
		"set wait_timeout=9999999",
		"set net_write_timeout=7200",
		"set net_read_timeout=7200",
		"set names 'binary'",
		"set @master_binlog_checksum= @@global.binlog_checksum",
		"set @slave_uuid=uuid()",
		"SET @mariadb_slave_capability='4'",
		"SET @master_heartbeat_period=" + strconv.FormatInt(heartbeat.Nanoseconds(), 10),
	} {
		if err := c.trySet(ctx, sql); err != nil {
			return false, err
		}
	}
	v, _, err := c.queryValue(ctx, "select @@global.binlog_checksum")
	if err != nil && !c.Usable() {
		return false, err
	}
	return v == "CRC32", nil
}

// trySet runs a statement whose refusal does not matter.
func (c *Conn) trySet(ctx context.Context, sql string) error {
	_, err := c.Query(ctx, sql)
	if err == nil || c.Usable() {
		if err != nil {
			c.cfg.Logger.DebugContext(ctx, "session setting refused", "cause", err.Error())
		}
		return nil
	}
	return err
}

// Register announces this connection as a replica of that server id
// (COM_REGISTER_SLAVE). As Canal does, it tells its own address and account.
func (c *Conn) Register(ctx context.Context, serverID uint32) error {
	host, port := "", uint16(0)
	if a, ok := c.LocalAddr().(*net.TCPAddr); ok {
		host, port = a.IP.String(), uint16(a.Port)
	}
	p := command(comRegisterSlave)
	p = binary.LittleEndian.AppendUint32(p, serverID)
	for _, s := range []string{host, c.cfg.User, c.cfg.Password} {
		s = s[:min(len(s), 255)]
		p = append(append(p, byte(len(s))), s...)
	}
	p = binary.LittleEndian.AppendUint16(p, port)
	p = binary.LittleEndian.AppendUint32(p, 0) // rank
	p = binary.LittleEndian.AppendUint32(p, 0) // master id
	err := c.guard(ctx, c.cfg.QueryTimeout, func() error {
		if err := c.send(p); err != nil {
			return err
		}
		_, err := c.client.ReadOKPacket()
		return err
	})
	if err != nil {
		return fmt.Errorf("register as replica %d: %w", serverID, err)
	}
	return nil
}

// Dump starts the binlog dump at a place in a file (COM_BINLOG_DUMP). From then
// on the connection is a stream to be read through Stream.
func (c *Conn) Dump(ctx context.Context, serverID uint32, file string, offset int64) error {
	if offset < 0 || offset > 1<<32-1 {
		return fmt.Errorf("dump %s at %d: the offset does not fit the command's 32 bits", file, offset)
	}
	p := command(comBinlogDump)
	p = binary.LittleEndian.AppendUint32(p, uint32(offset))
	p = binary.LittleEndian.AppendUint16(p, flagSendAnnotateRows)
	p = binary.LittleEndian.AppendUint32(p, serverID)
	return c.startDump(ctx, append(p, file...))
}

// DumpGTID starts the binlog dump after a set of transactions
// (COM_BINLOG_DUMP_GTID of MySQL). set is in the command's binary form.
func (c *Conn) DumpGTID(ctx context.Context, serverID uint32, set []byte) error {
	p := command(comBinlogDumpGTID)
	p = binary.LittleEndian.AppendUint16(p, flagThroughGTID)
	p = binary.LittleEndian.AppendUint32(p, serverID)
	p = binary.LittleEndian.AppendUint32(p, 0) // length of the file name
	p = binary.LittleEndian.AppendUint64(p, 4) // after the magic number
	p = binary.LittleEndian.AppendUint32(p, uint32(len(set)))
	return c.startDump(ctx, append(p, set...))
}

// DumpMariaGTID starts the binlog dump of a MariaDB server after a GTID set in
// text form, such as "0-1-42,1-1-7".
func (c *Conn) DumpMariaGTID(ctx context.Context, serverID uint32, set string) error {
	for _, r := range set {
		if (r < '0' || r > '9') && r != '-' && r != ',' {
			return fmt.Errorf("dump after gtid set %q: unexpected %q", set, r)
		}
	}
	for _, sql := range []string{
		"SET @slave_connect_state = '" + set + "'",
		"SET @slave_gtid_strict_mode = 0",
		"SET @slave_gtid_ignore_duplicates = 0",
	} {
		if _, err := c.Query(ctx, sql); err != nil {
			return err
		}
	}
	if err := c.Register(ctx, serverID); err != nil {
		return err
	}
	return c.Dump(ctx, serverID, "", 0)
}

// command returns the start of a packet: room for its header and the command byte.
func command(code byte) []byte { return append(make([]byte, 4, 64), code) }

// send writes a command packet made by command.
func (c *Conn) send(packet []byte) error {
	c.client.ResetSequence()
	return c.client.WritePacket(packet)
}

func (c *Conn) startDump(ctx context.Context, packet []byte) error {
	if err := c.guard(ctx, c.cfg.QueryTimeout, func() error { return c.send(packet) }); err != nil {
		return fmt.Errorf("start binlog dump: %w", err)
	}
	c.broken = true // for statements: what comes now is the dump
	return nil
}

// Stream is the socket of a connection on which a dump was started, decrypted
// where TLS is in use. Its first packet has sequence number 1.
func (c *Conn) Stream() net.Conn { return c.client.Conn.Conn }

// ParseErrorPacket reads the payload of an error packet, first byte 0xff included.
func ParseErrorPacket(p []byte) error {
	if len(p) < 3 || p[0] != 0xff {
		return errors.New("malformed error packet")
	}
	e := &ServerError{Code: binary.LittleEndian.Uint16(p[1:])}
	p = p[3:]
	if len(p) >= 6 && p[0] == '#' {
		e.SQLState, p = string(p[1:6]), p[6:]
	}
	e.Message = string(p)
	return e
}
