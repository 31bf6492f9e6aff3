package mysql

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/go-mysql-org/go-mysql/client"
	gomysql "github.com/go-mysql-org/go-mysql/mysql"

	"github.com/towpath-cdc/towpath/internal/binlog"
	"github.com/towpath-cdc/towpath/internal/config"
)

// Default time limits. The first two are Canal's; Canal lets a query wait for
// ever, which turns a half-open connection into a silent stop.
const (
	DefaultConnectTimeout   = 10 * time.Second
	DefaultHandshakeTimeout = 5 * time.Second
	DefaultQueryTimeout     = time.Minute
)

// Config says how to connect. The zero time limits mean the defaults.
type Config struct {
	Address  string // host:port, [v6]:port
	User     string
	Password string
	Schema   string // default schema; "" for none
	TLS      config.TLS

	ConnectTimeout   time.Duration
	HandshakeTimeout time.Duration // greeting, TLS and login together
	QueryTimeout     time.Duration // one statement and its whole result

	Logger *slog.Logger // nil discards

	// Dial connects within ConnectTimeout; nil for a net.Dialer.
	Dial Dial
}

// Dial makes a connection, as net.Dialer.DialContext does.
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

func (c Config) withDefaults() Config {
	if c.ConnectTimeout <= 0 {
		c.ConnectTimeout = DefaultConnectTimeout
	}
	if c.HandshakeTimeout <= 0 {
		c.HandshakeTimeout = DefaultHandshakeTimeout
	}
	if c.QueryTimeout <= 0 {
		c.QueryTimeout = DefaultQueryTimeout
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Dial == nil {
		c.Dial = (&net.Dialer{KeepAlive: 30 * time.Second}).DialContext
	}
	return c
}

// Conn is a connection to a server. It is for one goroutine at a time; only
// Close may be called while another goroutine waits in a method.
type Conn struct {
	cfg    Config
	sock   *socket
	client *client.Conn
	secure bool
	broken bool
}

// Connect opens a connection and logs in. With TLS mode PREFERRED it falls back
// to a plain connection, and says so in the log, when the server has no TLS or
// the TLS handshake fails. Errors are *ConnectError or a configuration error of
// the key stores.
func Connect(ctx context.Context, cfg Config) (*Conn, error) {
	cfg = cfg.withDefaults()
	tc, err := tlsConfig(cfg.TLS, cfg.Address)
	if err != nil {
		return nil, err
	}
	c, err := connect(ctx, cfg, tc)
	if err == nil || tc == nil || !strings.EqualFold(cfg.TLS.Mode, "PREFERRED") || !isTLSFailure(err) {
		return c, err
	}
	cfg.Logger.WarnContext(ctx, "connection is not encrypted: sslMode is PREFERRED and TLS is not possible",
		"address", cfg.Address, "cause", err.Error())
	return connect(ctx, cfg, nil)
}

func connect(ctx context.Context, cfg Config, tc *tls.Config) (conn *Conn, err error) {
	fail := func(step string, cause error) error {
		return &ConnectError{Address: cfg.Address, User: cfg.User, Step: step, Remedy: remedy(cfg, step, cause), Err: cause}
	}
	dialing, cancel := context.WithTimeout(ctx, cfg.ConnectTimeout)
	raw, err := cfg.Dial(dialing, "tcp", cfg.Address)
	cancel()
	if err != nil {
		return nil, fail("dial", err)
	}
	c := &Conn{cfg: cfg, sock: &socket{Conn: raw}, secure: tc != nil}
	err = c.guard(ctx, cfg.HandshakeTimeout, func() error {
		cc, err := client.ConnectWithDialer(ctx, "tcp", cfg.Address, cfg.User, cfg.Password, cfg.Schema,
			func(context.Context, string, string) (net.Conn, error) { return c.sock, nil },
			func(cc *client.Conn) error {
				cc.SetAttributes(map[string]string{"program_name": "towpath"})
				cc.UnsetCapability(gomysql.CLIENT_QUERY_ATTRIBUTES)
				// The plain utf8mb4 collation is the one that MySQL 5.5 to 9 and MariaDB all have.
				if err := cc.SetCollation("utf8mb4_general_ci"); err != nil {
					return err
				}
				if tc != nil {
					cc.SetTLSConfig(tc)
				}
				return nil
			})
		c.client = cc
		return err
	})
	if err != nil {
		_ = raw.Close()
		if Code(err) != 0 {
			return nil, fail("login", err)
		}
		return nil, fail("handshake", err)
	}
	return c, nil
}

// remedy is what to do when connecting failed at step.
func remedy(cfg Config, step string, err error) string {
	switch code := Code(err); {
	case code == CodeAccessDenied, code == CodeAccessDeniedNoPass:
		r := "check canal.instance.dbUsername and dbPassword, and that the account may log in from this host: " + GrantStatement(cfg.User)
		switch {
		case !wantsTLS(cfg.TLS):
			r += "; an account that REQUIREs SSL or X509 needs canal.instance.master.sslMode"
		case cfg.TLS.ClientStore.URL == "":
			r += "; an account that REQUIREs X509 needs canal.instance.master.clientCertificateKeyStoreUrl"
		}
		return r
	case code == CodeAccountLocked:
		return fmt.Sprintf("ALTER USER '%s'@'%%' ACCOUNT UNLOCK", cfg.User)
	case code == CodeDBAccessDenied, code == CodeBadDB:
		return "check canal.instance.defaultDatabaseName, or leave it empty"
	case code != 0:
		return ""
	case step == "dial":
		return "check canal.instance.master.address, that the server runs, and that no firewall is between"
	case isOldTLS(err):
		return "the server speaks no newer TLS: name its version in canal.instance.master.tlsVersions, such as TLSv1.1,TLSv1.2, or update the server"
	case isTLSFailure(err), wantsTLS(cfg.TLS):
		return "check canal.instance.master.sslMode, tlsVersions and the key stores, or that the server has TLS switched on"
	}
	return ""
}

// GrantStatement is the statement that gives user what a change stream needs.
func GrantStatement(user string) string {
	return fmt.Sprintf("GRANT SELECT, REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO '%s'@'%%'", user)
}

// guard runs f, which uses the socket, so that it ends when ctx does or after
// limit. It turns panics of the client library on malformed packets into
// errors. After any error that the server did not send the connection is broken.
func (c *Conn) guard(ctx context.Context, limit time.Duration, f func() error) (err error) {
	if c.broken {
		return ErrBroken
	}
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	if limit > 0 {
		if err := c.sock.SetDeadline(time.Now().Add(limit)); err != nil {
			c.broken = true
			return fmt.Errorf("%w: %w", ErrBroken, err)
		}
	}
	stop := context.AfterFunc(ctx, func() { _ = c.sock.SetDeadline(time.Unix(1, 0)) })
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("malformed packet: %v", p)
		}
		switch {
		case !stop():
			c.broken = true
			err = fmt.Errorf("%w: %w", ErrBroken, context.Cause(ctx))
		case err != nil:
			err = fromClient(ctx, c.sock, err)
			c.broken = errors.Is(err, ErrBroken)
		case limit > 0:
			_ = c.sock.SetDeadline(time.Time{})
		}
	}()
	return f()
}

// Result is what a statement returned. Values are text; NULL is "".
type Result struct {
	Columns []string
	Rows    [][]string
}

// Column returns the index of the column of that name in any case, or -1.
func (r *Result) Column(name string) int {
	for i, c := range r.Columns {
		if strings.EqualFold(c, name) {
			return i
		}
	}
	return -1
}

// Query runs a statement and returns its rows, if it has any. Errors the server
// sent are *ServerError and leave the connection usable, others wrap ErrBroken.
func (c *Conn) Query(ctx context.Context, sql string) (*Result, error) {
	var out *Result
	err := c.guard(ctx, c.cfg.QueryTimeout, func() error {
		r, err := c.client.Execute(sql)
		if err != nil {
			return err
		}
		defer r.Close()
		out, err = fromResult(r)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", sql, err)
	}
	return out, nil
}

func fromResult(r *gomysql.Result) (*Result, error) {
	out := &Result{}
	if !r.HasResultset() {
		return out, nil
	}
	for _, f := range r.Fields {
		out.Columns = append(out.Columns, string(f.Name))
	}
	for i := range r.Values {
		row := make([]string, len(r.Values[i]))
		for j := range row {
			v, err := r.GetString(i, j)
			if err != nil {
				return nil, fmt.Errorf("column %d: %w", j, err)
			}
			row[j] = strings.Clone(v)
		}
		out.Rows = append(out.Rows, row)
	}
	return out, nil
}

// queryValue returns the first column of the first row; ok is false when there
// is no row.
func (c *Conn) queryValue(ctx context.Context, sql string) (value string, ok bool, err error) {
	r, err := c.Query(ctx, sql)
	if err != nil || len(r.Rows) == 0 || len(r.Rows[0]) == 0 {
		return "", false, err
	}
	return r.Rows[0][0], true, nil
}

// ID is the server's number of this connection, as in SHOW PROCESSLIST.
func (c *Conn) ID() uint32 { return c.client.GetConnectionID() }

// Version is what the server's greeting says, without the "5.5.5-" that MariaDB
// puts in front for the sake of old replicas.
func (c *Conn) Version() string {
	v := c.client.GetServerVersion()
	if rest, ok := strings.CutPrefix(v, "5.5.5-"); ok && flavorOf(v) == binlog.FlavorMariaDB {
		return rest
	}
	return v
}

// Secure reports whether the connection is encrypted.
func (c *Conn) Secure() bool { return c.secure }

// Usable reports whether statements can still be sent.
func (c *Conn) Usable() bool { return !c.broken }

// LocalAddr is this end of the connection.
func (c *Conn) LocalAddr() net.Addr { return c.sock.LocalAddr() }

// Close closes the socket. It may be called more than once and while a method
// of another goroutine waits, which then returns an error.
func (c *Conn) Close() error {
	err := c.sock.Conn.Close()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// Address is the server's address as configured.
func (c *Conn) Address() string { return c.cfg.Address }
