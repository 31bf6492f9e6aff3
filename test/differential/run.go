package differential

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/client"
	"github.com/towpath-cdc/towpath/protocol"
	"github.com/towpath-cdc/towpath/test/servers"
)

// start is where both readers begin.
const startFile = "mysql-bin.000001"

// home writes an installation that reads db from its first binlog file, with
// extra lines for the instance.
func home(t testing.TB, db *servers.Server, port int, extra ...string) string {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "conf", "canal.properties"), fmt.Sprintf("canal.port = %d\ncanal.metrics.pull.port = 0\n"+
		"canal.serverMode = tcp\ncanal.destinations = example\ncanal.instance.global.mode = spring\ncanal.instance.global.lazy = false\n"+
		"canal.instance.global.spring.xml = classpath:spring/memory-instance.xml\n", port))
	lines := append([]string{
		"canal.instance.master.address = " + db.Addr(),
		"canal.instance.master.journal.name = " + startFile,
		"canal.instance.master.position = 4",
		"canal.instance.dbUsername = canal", "canal.instance.dbPassword = canal",
		`canal.instance.filter.regex = .*\\..*`, `canal.instance.filter.black.regex = mysql\\.slave_.*`,
	}, extra...)
	write(t, filepath.Join(dir, "conf", "example", "instance.properties"), strings.Join(lines, "\n")+"\n")
	return dir
}

func write(t testing.TB, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// build makes the program under test.
func build(t testing.TB) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "towpath")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "../../cmd/towpath").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return program
}

// startTowpath runs a server. It ends with stop, or with the test.
func startTowpath(t testing.TB, program string, db *servers.Server, extra ...string) (port int, stop func()) {
	t.Helper()
	port, err := servers.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	dir := home(t, db, port, extra...)
	cmd := exec.Command(program, "server", "--home", dir)
	log, err := os.Create(filepath.Join(dir, "output.log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := servers.StartProcess(cmd); err != nil {
		t.Fatal(err)
	}
	stop = func() {
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()
	}
	t.Cleanup(func() {
		stop()
		if t.Failed() {
			b, _ := os.ReadFile(log.Name())
			t.Logf("towpath: %s", b[max(0, len(b)-4000):])
		}
	})
	return port, stop
}

// entries takes all entries of destination example from a server, up to the
// insert into the marker table, in canonical JSON.
func entries(ctx context.Context, port int, marker string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	c, err := connect(ctx, port)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	schema, table, _ := strings.Cut(marker, ".")
	var out []string
	for {
		b, err := c.GetWithoutAck(ctx, 500, 200*time.Millisecond)
		if err != nil {
			return out, fmt.Errorf("after %d entries: %w", len(out), err)
		}
		done := false
		for e, err := range b.Entries() {
			if err != nil {
				return out, err
			}
			line, err := protocol.AppendJSON(nil, e.Raw(), true)
			if err != nil {
				return out, err
			}
			out = append(out, string(line))
			h := e.Header()
			done = done || h.SchemaName() == schema && h.TableName() == table && h.EventType() == protocol.EventInsert
		}
		if err := c.Ack(b.ID()); err != nil {
			return out, err
		}
		if done {
			return out, nil
		}
	}
}

// connect subscribes, waiting for a server that is still starting.
func connect(ctx context.Context, port int) (*client.Conn, error) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		c, err := client.Dial(ctx, client.Options{Addr: fmt.Sprintf("127.0.0.1:%d", port), Destination: "example"})
		if err == nil {
			if err = c.Subscribe(ctx, ""); err == nil {
				return c, nil
			}
			c.Close()
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("connect: %w", err)
		case <-tick.C:
		}
	}
}
