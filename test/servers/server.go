package servers

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/go-mysql-org/go-mysql/client"
)

// Options say how a server is started. Kind and Dir are needed.
type Options struct {
	Kind  Kind
	Dir   string   // its files; made if missing, used again if it holds a data directory
	Port  int      // 0 picks a free one
	Extra []string // more lines for the configuration file
}

// Server is a running server.
type Server struct {
	Kind Kind
	Dir  string
	Port int

	extra []string
	cmd   *exec.Cmd
	done  chan struct{} // closed when the process has ended
}

// startTimeout bounds the wait for a server to answer. A machine busy with
// other tests is slow.
const startTimeout = 3 * time.Minute

// Start starts a server with a fresh data directory, or again with the one in
// o.Dir, and waits until it answers. The first binlog file is empty.
func Start(ctx context.Context, o Options) (*Server, error) {
	s := &Server{Kind: o.Kind, Dir: o.Dir, Port: o.Port, extra: o.Extra}
	if s.Port == 0 {
		var err error
		if s.Port, err = FreePort(); err != nil {
			return nil, err
		}
	}
	if _, err := os.Stat(s.data()); errors.Is(err, fs.ErrNotExist) {
		t, err := template(ctx, o.Kind)
		if err != nil {
			return nil, fmt.Errorf("data directory for %s: %w", o.Kind, err)
		}
		if err := os.MkdirAll(o.Dir, 0o755); err != nil {
			return nil, err
		}
		if out, err := exec.CommandContext(ctx, "cp", "-a", "--reflink=auto", t, s.data()).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("copy data directory: %w: %s", err, out)
		}
	}
	return s, s.Up(ctx)
}

func (s *Server) data() string { return filepath.Join(s.Dir, "data") }

// Addr is host:port.
func (s *Server) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Port)) }

// LogFile is the server's error log.
func (s *Server) LogFile() string { return filepath.Join(s.Dir, "error.log") }

// BinlogDir is where the binlog files are, named mysql-bin.NNNNNN.
func (s *Server) BinlogDir() string { return filepath.Join(s.Dir, "binlog") }

// PID is the process.
func (s *Server) PID() int { return s.cmd.Process.Pid }

// Up starts the server again after Stop or Kill.
func (s *Server) Up(ctx context.Context) error {
	for _, d := range []string{"binlog", "tmp"} {
		if err := os.MkdirAll(filepath.Join(s.Dir, d), 0o755); err != nil {
			return err
		}
	}
	conf := filepath.Join(s.Dir, "my.cnf")
	lines := append([]string{"[mysqld]",
		"port=" + strconv.Itoa(s.Port), "socket=" + socketPath(s.Dir), "datadir=" + s.data(),
		"pid-file=" + filepath.Join(s.Dir, "pid"), "tmpdir=" + filepath.Join(s.Dir, "tmp"), "log-error=" + s.LogFile(),
		"log-bin=" + filepath.Join(s.BinlogDir(), "mysql-bin"), "server-id=" + strconv.Itoa(s.Port),
	}, s.Kind.settings()...)
	lines = append(lines, s.extra...)
	if err := os.WriteFile(conf, []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
		return err
	}
	args, err := s.Kind.command("--defaults-file=" + conf)
	if err != nil {
		return err
	}
	if err := s.launch(args); err != nil {
		return err
	}
	if err := s.await(ctx); err != nil {
		s.Kill()
		return err
	}
	return nil
}

// socketPath is short, because the path of a socket may have 107 bytes only.
func socketPath(dir string) string {
	if p := filepath.Join(dir, "sock"); len(p) < 100 {
		return p
	}
	return filepath.Join(os.TempDir(), fmt.Sprintf("towpath-%d.sock", time.Now().UnixNano()))
}

// launch starts the process. It dies with this one, however this one ends.
func (s *Server) launch(args []string) error {
	out, err := os.OpenFile(filepath.Join(s.Dir, "stdout.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer out.Close()
	s.cmd = exec.Command(args[0], args[1:]...)
	s.cmd.Stdout, s.cmd.Stderr = out, out
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	s.done = make(chan struct{})
	if err := StartProcess(s.cmd); err != nil {
		return fmt.Errorf("start %s: %w", s.Kind, err)
	}
	go func(cmd *exec.Cmd, done chan struct{}) {
		_ = cmd.Wait() // how it ended is in its log
		close(done)
	}(s.cmd, s.done)
	return nil
}

// await waits until root can log in.
func (s *Server) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		c, err := s.Connect(ctx)
		if err == nil {
			return c.Quit()
		}
		select {
		case <-s.done:
			return fmt.Errorf("%s ended while starting: %s", s.Kind, tail(s.LogFile()))
		case <-ctx.Done():
			return fmt.Errorf("%s does not answer: %w: %s", s.Kind, err, tail(s.LogFile()))
		case <-tick.C:
		}
	}
}

// tail is the end of a file, for an error text.
func tail(file string) string {
	b, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	return string(b[max(0, len(b)-2000):])
}

// Connect logs in as root. The connection is the caller's.
func (s *Server) Connect(ctx context.Context) (*client.Conn, error) {
	var d net.Dialer
	return client.ConnectWithDialer(ctx, "tcp", s.Addr(), "root", "", "", d.DialContext)
}

// Exec runs statements as root, one after the other, in one session.
func (s *Server) Exec(ctx context.Context, statements ...string) error {
	c, err := s.Connect(ctx)
	if err != nil {
		return err
	}
	defer c.Quit()
	if _, err := c.Execute("SET NAMES utf8mb4"); err != nil {
		return err
	}
	for _, q := range statements {
		if _, err := c.Execute(q); err != nil {
			return fmt.Errorf("%s: %.200q: %w", s.Kind, q, err)
		}
	}
	return nil
}

// Query runs one statement as root and returns its rows as text; NULL is "NULL".
func (s *Server) Query(ctx context.Context, q string) ([][]string, error) {
	c, err := s.Connect(ctx)
	if err != nil {
		return nil, err
	}
	defer c.Quit()
	r, err := c.Execute(q)
	if err != nil {
		return nil, fmt.Errorf("%s: %.200q: %w", s.Kind, q, err)
	}
	defer r.Close()
	var rows [][]string
	for i := range r.RowNumber() {
		var row []string
		for j := range r.ColumnNumber() {
			v, err := r.GetString(i, j)
			if err != nil {
				return nil, err
			}
			if null, _ := r.IsNull(i, j); null {
				v = "NULL"
			}
			row = append(row, strings.Clone(v)) // the result's memory is used again once it is closed
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// Stop ends the server as an operator would and waits for it.
func (s *Server) Stop() error {
	if s.cmd == nil {
		return nil
	}
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-s.done:
		return nil
	case <-time.After(time.Minute):
		s.Kill()
		return fmt.Errorf("%s did not end within a minute and was killed", s.Kind)
	}
}

// Kill ends the server at once and waits until it is gone.
func (s *Server) Kill() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill() // it may have ended already
	<-s.done
}

// FreePort is a TCP port of 127.0.0.1 that nobody listens on just now.
func FreePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
