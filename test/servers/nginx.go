package servers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Nginx is a running nginx that passes TCP connections on to one of several
// servers, in turn, as operators put it in front of ZooKeeper.
type Nginx struct {
	dir     string
	port    int
	process *process
}

// StartNginx starts nginx with its files in dir, in front of servers given as
// host:port, and waits until it accepts connections. A server that cannot be
// connected to within 1 s is left out for 3 s.
func StartNginx(ctx context.Context, dir string, to []string) (*Nginx, error) {
	program, module, err := nginxFiles()
	if err != nil {
		return nil, err
	}
	ports, err := freePorts(1)
	if err != nil {
		return nil, err
	}
	n := &Nginx{dir: dir, port: ports[0]}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	conf := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(conf, []byte(n.config(module, to)), 0o644); err != nil {
		return nil, err
	}
	if n.process, err = startProcess(dir, n.LogFile(), []string{program, "-p", dir, "-e", n.LogFile(), "-c", conf}); err != nil {
		return nil, err
	}
	if err := n.await(ctx); err != nil {
		return nil, errors.Join(err, n.Stop())
	}
	return n, nil
}

// config is nginx.conf: one process, in the foreground, without HTTP.
func (n *Nginx) config(module string, to []string) string {
	var servers strings.Builder
	for _, a := range to {
		fmt.Fprintf(&servers, "    server %s max_fails=1 fail_timeout=3s;\n", a)
	}
	return fmt.Sprintf(`load_module %s;
daemon off;
master_process off;
pid %s/nginx.pid;
error_log %s;
events { worker_connections 1024; }
stream {
  upstream servers {
%s  }
  server {
    listen %s;
    proxy_pass servers;
    proxy_connect_timeout 1s;
    proxy_timeout 10m;
  }
}
`, module, n.dir, n.LogFile(), servers.String(), n.Addr())
}

// nginxFiles are nginx and its module for TCP, from the system or, as the deps
// script brings them, from the cache.
func nginxFiles() (program, module string, err error) {
	roots := []string{"/", filepath.Join(programs(), "nginx")}
	for _, root := range roots {
		program = filepath.Join(root, "usr/sbin/nginx")
		module = filepath.Join(root, "usr/lib/nginx/modules/ngx_stream_module.so")
		if exists(program) && exists(module) {
			return program, module, nil
		}
	}
	return "", "", fmt.Errorf("nginx with its stream module is not installed in any of %v: run make deps", roots)
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

func (n *Nginx) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	var d net.Dialer
	for {
		c, err := d.DialContext(ctx, "tcp", n.Addr())
		if err == nil {
			return c.Close()
		}
		select {
		case <-n.process.done:
			return fmt.Errorf("nginx ended while starting: %s", tail(n.LogFile()))
		case <-ctx.Done():
			return fmt.Errorf("nginx does not answer: %w: %s", err, tail(n.LogFile()))
		case <-tick.C:
		}
	}
}

// Addr is host:port.
func (n *Nginx) Addr() string { return localAddr(n.port) }

// LogFile is nginx's error log.
func (n *Nginx) LogFile() string { return filepath.Join(n.dir, "error.log") }

// Stop ends nginx at once, with its connections.
func (n *Nginx) Stop() error { return n.process.kill() }

// StartProxy starts nginx in front of all servers.
func (z *ZooKeeper) StartProxy(ctx context.Context) (*Nginx, error) {
	dir, err := os.MkdirTemp(z.o.Dir, "nginx-")
	if err != nil {
		return nil, err
	}
	return StartNginx(ctx, dir, z.Addrs())
}

// Proxy starts nginx in front of all servers, until the end of the test, and
// returns its address. Where nginx is not installed the test is skipped or, with
// TOWPATH_REQUIRE_SERVERS, fails.
func (z *ZooKeeper) Proxy(t testing.TB) string {
	t.Helper()
	_, _, err := nginxFiles()
	requireInstalled(t, err)
	n, err := z.StartProxy(context.WithoutCancel(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Stop(); err != nil {
			t.Error(err)
		}
	})
	return n.Addr()
}
