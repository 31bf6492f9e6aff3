package servers

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/go-mysql-org/go-mysql/client"
)

// templateVersion is part of a template's name; raise it when what is in a
// fresh data directory changes.
const templateVersion = "4"

// loginTimeout bounds one attempt to log in.
const loginTimeout = 10 * time.Second

// template returns an initialised data directory of a kind, with its accounts
// and without binlogs. It is made on first use; several processes may ask.
func template(ctx context.Context, k Kind) (string, error) {
	root := filepath.Join(Cache(), "templates")
	if err := os.MkdirAll(root, 0o755); err != nil {
		return "", err
	}
	unlock, err := lockFile(filepath.Join(root, string(k)+".lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	ready := filepath.Join(root, string(k)+"-"+templateVersion)
	if _, err := os.Stat(ready); err == nil {
		return ready, nil
	}
	work := ready + ".tmp"
	if err := os.RemoveAll(work); err != nil {
		return "", err
	}
	if err := os.MkdirAll(work, 0o755); err != nil {
		return "", err
	}
	defer os.RemoveAll(work)
	if err := initialise(ctx, k, work); err != nil {
		return "", err
	}
	return ready, os.Rename(filepath.Join(work, "data"), ready)
}

// initialise makes a data directory in dir and its accounts.
func initialise(ctx context.Context, k Kind, dir string) error {
	s := &Server{Kind: k, Dir: dir}
	if err := os.MkdirAll(filepath.Join(dir, "tmp"), 0o755); err != nil {
		return err
	}
	var args []string
	var err error
	switch k {
	case MariaDB1011:
		args = []string{"mariadb-install-db", "--no-defaults", "--datadir=" + s.data(), "--auth-root-authentication-method=normal", "--skip-name-resolve", "--force"}
		if os.Geteuid() == 0 {
			args = append(args, "--user=root")
		}
	case MySQL56: // the package carries an initialised directory
		args = []string{"sh", "-c", `cp -a "$0/data/mysql" "$1" && rm -f "$1/auto.cnf" "$1"/ib_logfile*`, filepath.Join(programs(), "dist", string(k)), s.data()}
	default:
		args, err = k.command("--no-defaults", "--initialize-insecure", "--user=root", "--datadir="+s.data(), "--log-error="+filepath.Join(dir, "init.log"))
	}
	if err != nil {
		return err
	}
	if out, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput(); err != nil {
		return fmt.Errorf("initialise %s: %w: %s %s", k, err, out, tail(filepath.Join(dir, "init.log")))
	}
	return s.makeAccounts(ctx)
}

// makeAccounts runs the server once, without a binlog.
func (s *Server) makeAccounts(ctx context.Context) error {
	file := filepath.Join(s.Dir, "accounts.sql")
	if err := os.WriteFile(file, []byte(strings.Join(s.Kind.accounts(), "\n")+"\n"), 0o644); err != nil {
		return err
	}
	port, err := FreePort()
	if err != nil {
		return err
	}
	s.Port = port
	conf := filepath.Join(s.Dir, "my.cnf")
	lines := []string{"[mysqld]", fmt.Sprintf("port=%d", port), "socket=" + socketPath(s.Dir), "datadir=" + s.data(),
		"tmpdir=" + filepath.Join(s.Dir, "tmp"), "log-error=" + s.LogFile(), "pid-file=" + filepath.Join(s.Dir, "pid"), "init-file=" + file, "skip-log-bin"}
	for _, line := range s.Kind.settings() {
		switch key, _, _ := strings.Cut(line, "="); key {
		case "gtid_mode", "enforce_gtid_consistency", "log_slave_updates", "binlog_annotate_row_events":
		default:
			lines = append(lines, line)
		}
	}
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
	// The init file ends silently at its first error.
	c, err := client.ConnectWithContext(ctx, s.Addr(), "canal", "canal", "", loginTimeout)
	if err != nil {
		s.Kill()
		return fmt.Errorf("the accounts were not made: %w: %s", err, tail(s.LogFile()))
	}
	if err := c.Quit(); err != nil {
		s.Kill()
		return err
	}
	if err := s.Stop(); err != nil {
		return err
	}
	return os.RemoveAll(filepath.Join(s.data(), "auto.cnf"))
}

// lockFile takes an exclusive lock that other processes respect.
func lockFile(name string) (unlock func(), err error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", name, err)
	}
	return func() { f.Close() }, nil
}
