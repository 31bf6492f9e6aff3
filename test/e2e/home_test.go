package e2e

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/client"
	"github.com/towpath-cdc/towpath/test/servers"
)

// startLimit is how long anything that should happen at once may take on a busy
// machine.
const startLimit = 60 * time.Second

// settings are properties of a configuration file.
type settings map[string]string

// home is an installation of the server, as it is shipped but for ports and
// what a test sets.
type home struct {
	t    testing.TB
	dir  string
	port int
	bin  string // the program
	role string // its sub-command; "" is server
	env  []string

	cmd  *exec.Cmd
	done chan struct{} // closed when the process has ended
	runs int           // processes started so far
}

// newHome makes an installation without instances. It is stopped with the test.
func newHome(t testing.TB, set settings) *home {
	t.Helper()
	bin, err := build()
	if err != nil {
		t.Fatal(err)
	}
	port, err := servers.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	h := &home{t: t, dir: t.TempDir(), port: port, bin: bin}
	all := settings{
		"canal.ip": "127.0.0.1", "canal.port": strconv.Itoa(port), "canal.metrics.pull.port": "0",
		"canal.admin.port": "", "canal.destinations": "", "canal.auto.scan.interval": "1",
	}
	maps.Copy(all, set)
	h.write("conf/canal.properties", stock(t, "canal.properties", all))
	t.Cleanup(func() {
		h.kill()
		h.checkOutput()
		if t.Failed() {
			out := h.output()
			t.Logf("end of the server's log:\n%s", out[max(0, len(out)-6000):])
		}
	})
	return h
}

// stock is a configuration file as it is shipped, with other values.
func stock(t testing.TB, name string, set settings) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "conf", name))
	if err != nil {
		t.Fatal(err)
	}
	left := maps.Clone(set)
	lines := strings.Split(string(b), "\n")
	for i, line := range lines {
		key, _, ok := strings.Cut(line, "=")
		if key = strings.TrimSpace(key); !ok || strings.HasPrefix(key, "#") {
			continue
		}
		if v, ok := left[key]; ok {
			lines[i] = key + " = " + v
			delete(left, key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(left)) {
		lines = append(lines, key+" = "+left[key])
	}
	return strings.Join(lines, "\n") + "\n"
}

// write puts a file in place at once, as an operator's tools would.
func (h *home) write(name, text string) {
	h.t.Helper()
	name = filepath.Join(h.dir, name)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		h.t.Fatal(err)
	}
	if err := os.WriteFile(name+".new", []byte(text), 0o644); err != nil {
		h.t.Fatal(err)
	}
	if err := os.Rename(name+".new", name); err != nil {
		h.t.Fatal(err)
	}
}

// remove takes a file away.
func (h *home) remove(name string) {
	h.t.Helper()
	if err := os.Remove(filepath.Join(h.dir, name)); err != nil {
		h.t.Fatal(err)
	}
}

// instance writes the file of a destination that reads addr.
func (h *home) instance(destination, addr string, set settings) {
	h.t.Helper()
	all := settings{"canal.instance.master.address": addr}
	maps.Copy(all, set)
	h.write("conf/"+destination+"/instance.properties", stock(h.t, "example/instance.properties", all))
}

// at are the settings that make an instance begin at a place.
func at(p place) settings {
	return settings{"canal.instance.master.journal.name": p.file, "canal.instance.master.position": strconv.FormatInt(p.offset, 10)}
}

// with adds settings.
func (s settings) with(more settings) settings {
	all := maps.Clone(s)
	maps.Copy(all, more)
	return all
}

// only is the filter of one schema, as a properties file spells it.
func only(schema string) settings {
	return settings{"canal.instance.filter.regex": schema + `\\..*`}
}

// launch starts the server and does not wait for it.
func (h *home) launch() {
	h.t.Helper()
	out, err := os.OpenFile(h.outputFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		h.t.Fatal(err)
	}
	defer out.Close()
	h.cmd = exec.Command(h.bin, cmp.Or(h.role, "server"), "--home", h.dir)
	h.cmd.Env = append(os.Environ(), h.env...)
	h.cmd.Stdout, h.cmd.Stderr = out, out
	h.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := servers.StartProcess(h.cmd); err != nil {
		h.t.Fatal(err)
	}
	h.runs++
	h.done = make(chan struct{})
	go func(cmd *exec.Cmd, done chan struct{}) {
		_ = cmd.Wait() // ProcessState says how it ended
		close(done)
	}(h.cmd, h.done)
}

// start starts the server and waits until it accepts clients.
func (h *home) start() {
	h.t.Helper()
	h.launch()
	h.awaitPort()
}

// awaitPort waits until the server accepts clients.
func (h *home) awaitPort() {
	h.t.Helper()
	eventually(h.t, startLimit, "the server accepts clients", func() bool {
		select {
		case <-h.done:
			h.t.Fatalf("the server ended: %v", h.cmd.ProcessState)
		default:
		}
		c, err := net.DialTimeout("tcp", h.addr(), time.Second)
		if err != nil {
			return false
		}
		c.Close()
		return true
	})
}

// kill ends the server with kill -9, if it runs.
func (h *home) kill() {
	if h.cmd == nil {
		return
	}
	_ = h.cmd.Process.Kill() // it may have ended
	<-h.done
}

// stop ends the server as an operator would.
func (h *home) stop() {
	h.t.Helper()
	if err := h.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		h.t.Fatal(err)
	}
	select {
	case <-h.done:
	case <-time.After(startLimit):
		h.t.Fatal("the server does not end")
	}
	if code := h.cmd.ProcessState.ExitCode(); code != 0 {
		h.t.Errorf("the server ended with %v", h.cmd.ProcessState)
	}
}

// up says whether a server of ours runs.
func (h *home) up() bool {
	if h.cmd == nil {
		return false
	}
	select {
	case <-h.done:
		return false
	default:
		return true
	}
}

// checkOutput looks for what no server may ever print.
func (h *home) checkOutput() {
	for _, bad := range []string{"DATA RACE", "panic:", "fatal error:"} {
		if i := strings.Index(h.output(), bad); i >= 0 {
			out := h.output()[i:]
			h.t.Errorf("the server printed %s", out[:min(len(out), 4000)])
		}
	}
}

func (h *home) addr() string       { return net.JoinHostPort("127.0.0.1", strconv.Itoa(h.port)) }
func (h *home) outputFile() string { return filepath.Join(h.dir, "output.log") }

// output is what all processes so far have printed, their log included.
func (h *home) output() string {
	b, err := os.ReadFile(h.outputFile())
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// log is what the log of a destination says.
func (h *home) log(destination string) string {
	b, err := os.ReadFile(filepath.Join(h.dir, "logs", destination, destination+".log"))
	if err != nil {
		return ""
	}
	return string(b)
}

// awaitLog waits until the log of a destination has a text n times.
func (h *home) awaitLog(destination, text string, n int) {
	h.t.Helper()
	eventually(h.t, startLimit, fmt.Sprintf("the log of %s says %q %d times", destination, text, n), func() bool {
		return strings.Count(h.log(destination), text) >= n
	})
}

// options are what a client needs to read a destination.
func (h *home) options(destination string) client.Options {
	return client.Options{Addr: h.addr(), Destination: destination}
}

// dial connects and subscribes.
func (h *home) dial(destination string) *client.Conn {
	h.t.Helper()
	var c *client.Conn
	eventually(h.t, startLimit, "the destination "+destination+" can be subscribed to", func() bool {
		var err error
		if c, err = client.Dial(h.t.Context(), h.options(destination)); err != nil {
			return false
		}
		if err = c.Subscribe(h.t.Context(), ""); err != nil {
			c.Close()
			return false
		}
		return true
	})
	h.t.Cleanup(func() { c.Close() })
	return c
}

// cursor is a client's cursor in meta.dat.
type cursor struct {
	place
	gtid string
}

// cursor reads the cursor of client 1001 from meta.dat; ok is false when there is none.
// Java Canal writes the file in place, so that while it runs in the folder there may be
// a part of it only; a server of ours leaves it whole at any moment.
func (h *home) cursor(destination string) (c cursor, ok bool) {
	h.t.Helper()
	b, err := os.ReadFile(filepath.Join(h.dir, "conf", destination, "meta.dat"))
	if os.IsNotExist(err) {
		return c, false
	}
	if err != nil {
		h.t.Fatal(err)
	}
	var file struct {
		ClientDatas []struct {
			ClientIdentity struct{ ClientID int }
			Cursor         *struct {
				Postion struct {
					GTID, JournalName string
					Position          int64
				}
			}
		}
	}
	if err := json.NewDecoder(bytes.NewReader(b)).Decode(&file); err != nil {
		if !h.up() {
			return c, false
		}
		h.t.Fatalf("meta.dat of %s: %v: %s", destination, err, b)
	}
	for _, d := range file.ClientDatas {
		if d.ClientIdentity.ClientID == client.DefaultClientID && d.Cursor != nil {
			p := d.Cursor.Postion
			return cursor{place{p.JournalName, p.Position}, p.GTID}, true
		}
	}
	return c, false
}

// peakMemory is the most memory the server has had, in bytes.
func (h *home) peakMemory() int64 {
	h.t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", h.cmd.Process.Pid))
	if err != nil {
		h.t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kb, err := strconv.ParseInt(strings.Fields(v)[0], 10, 64)
			if err != nil {
				h.t.Fatal(err)
			}
			return kb << 10
		}
	}
	h.t.Fatal("no VmHWM")
	return 0
}
