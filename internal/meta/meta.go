package meta

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/towpath-cdc/towpath/internal/binlog"
)

// Client is who reads a destination. Destination and ID are its identity;
// Filter is what it subscribed with.
type Client struct {
	Destination string
	ID          int16
	Filter      string // comma-separated regular expressions over schema.table; "" means none
}

// String is the text of Canal's ClientIdentity of a request, in which the
// filter is not known.
func (c Client) String() string {
	return fmt.Sprintf("ClientIdentity[destination=%s,clientId=%d,filter=<null>]", c.Destination, c.ID)
}

// Cursor is how far a client has confirmed: a position and the server on which
// it is valid. Canal calls it LogPosition.
type Cursor struct {
	Host     string // IP address, or a host name when Java wrote it; "" when unknown
	Port     int    // 0 when unknown
	Position binlog.Position

	// Whole is true when the whole event at Position has been confirmed, so that
	// a source that starts there need not deliver it again. Canal's form of a
	// cursor cannot say so; only this program's own records can.
	Whole bool

	// Sources are the cursors of each source of a destination that has several; the
	// fields above are then those of the source that was confirmed last. nil when
	// there is one source, and when Java wrote the cursor. They are not changed once
	// they are here.
	Sources *Sources
}

// Record is what is kept of one client.
type Record struct {
	Client    Client
	Cursor    Cursor
	HasCursor bool
}

// ErrClosed is returned by a manager after Close.
var ErrClosed = errors.New("meta manager closed")

// Manager keeps the subscriptions and cursors of one destination. Its methods
// may be called by any number of goroutines.
//
// Whatever is kept outside of the process is read when the manager is opened;
// after that all reading is from memory, and what Subscribe, Unsubscribe and
// UpdateCursor change is written in the background or, where that is cheap, at
// once. They never wait for a slow disk or a network, but may refuse: a manager
// that has lost the right to write says so here.
type Manager interface {
	// Subscribe adds the client, or replaces its filter.
	Subscribe(ctx context.Context, c Client) error
	// Unsubscribe removes the client from the subscriptions; one that is not
	// there is no error. Its cursor stays in memory, so that subscribing again
	// goes on where it was.
	Unsubscribe(ctx context.Context, c Client) error
	HasSubscription(c Client) bool
	// Subscriptions returns the clients in the order in which they came.
	Subscriptions() []Client

	// Cursor returns how far c has confirmed; ok is false when that is not known.
	Cursor(c Client) (cur Cursor, ok bool)
	UpdateCursor(ctx context.Context, c Client, cur Cursor) error
	// MoveCursors sets the cursors of several clients together and writes them before
	// it returns: after a crash either all have moved or none. After an error it is
	// not certain which of the two, and the manager is only good for Close.
	MoveCursors(ctx context.Context, records []Record) error
	// Snapshot returns the subscribed clients with their cursors.
	Snapshot() []Record

	// Flush writes what has changed.
	Flush(ctx context.Context) error
	// Close flushes and ends the manager. A second Close is harmless.
	Close() error
}

// Earliest returns the cursor of the client that is furthest behind: where a
// source has to resume so that no client misses anything. Cursors of different
// servers are compared by time, as Canal's CanalEventUtils.min does; binlog
// files are compared by number, so that binlog.1000000 is after binlog.999999.
func Earliest(records []Record) (cur Cursor, ok bool) {
	for _, r := range records {
		if r.HasCursor && (!ok || r.Cursor.before(cur)) {
			cur, ok = r.Cursor, true
		}
	}
	return cur, ok
}

func (c Cursor) before(d Cursor) bool {
	p, q := c.Position, d.Position
	switch {
	case c.Host != d.Host || c.Port != d.Port:
		return p.Timestamp < q.Timestamp
	case p.File != q.File:
		return fileBefore(p.File, q.File)
	}
	return p.Offset < q.Offset
}

// fileBefore compares the names of two binlog files: by number when they have
// one and the same base name, else as text.
func fileBefore(a, b string) bool {
	i, j := strings.LastIndexByte(a, '.'), strings.LastIndexByte(b, '.')
	if i < 0 || j < 0 || a[:i] != b[:j] {
		return a < b
	}
	m, errA := strconv.ParseUint(a[i+1:], 10, 64)
	n, errB := strconv.ParseUint(b[j+1:], 10, 64)
	if errA != nil || errB != nil || m == n {
		return a < b
	}
	return m < n
}

// LogLine is the text of a line in meta.log, as Canal's FileMixedMetaManager
// writes it for a cursor that has moved. What is not known prints as null, but
// for the GTID set: entries outside GTID mode carry an empty one.
func (r Record) LogLine() string {
	p := r.Cursor.Position
	return fmt.Sprintf("clientId:%d cursor:[%s,%s,%s,%s,%s] address[%s]", r.Client.ID,
		textOrNull(p.File), offsetText(p), numberOrNull(p.Timestamp), numberOrNull(p.ServerID), p.GTIDSet, r.Cursor.Address())
}

func textOrNull(s string) string {
	if s == "" {
		return "null"
	}
	return s
}

func offsetText(p binlog.Position) string {
	if p.File == "" {
		return "null"
	}
	return strconv.FormatInt(p.Offset, 10)
}

func numberOrNull(n int64) string {
	if n == 0 {
		return "null"
	}
	return strconv.FormatInt(n, 10)
}

// Address is the server's address as Java prints an InetSocketAddress: a slash
// before an IP address, IPv6 in full and in brackets; a name that has not been
// resolved stands as Java 14 and later print it.
func (c Cursor) Address() string {
	if c.Host == "" {
		return "null"
	}
	ip, err := netip.ParseAddr(c.Host)
	switch {
	case err != nil:
		return fmt.Sprintf("%s/<unresolved>:%d", c.Host, c.Port)
	case ip.Is4():
		return fmt.Sprintf("/%s:%d", c.Host, c.Port)
	}
	var groups []string
	b := ip.As16()
	for i := 0; i < len(b); i += 2 {
		groups = append(groups, strconv.FormatUint(uint64(b[i])<<8|uint64(b[i+1]), 16))
	}
	return fmt.Sprintf("/[%s]:%d", strings.Join(groups, ":"), c.Port)
}
