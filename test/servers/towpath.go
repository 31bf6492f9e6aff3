package servers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
	"time"
)

// TowpathOptions say how an installation of Towpath is made.
type TowpathOptions struct {
	Program string // the built program
	Samples string // folder of the configuration that is shipped, conf of the module
	Dir     string // its files; made if missing
	Env     []string

	// Properties are values of canal.properties, Instances those of the
	// instance.properties of each destination; what is not named is as shipped.
	Properties map[string]string
	Instances  map[string]map[string]string
}

// Towpath is an installation of the server under test, which is started, stopped
// and killed again and again. Its methods are called by one goroutine at a time.
type Towpath struct {
	o       TowpathOptions
	port    int
	process *process
}

// NewTowpath writes the configuration of an installation that serves clients on a
// free port of 127.0.0.1 and opens no other one. Launch starts it.
func NewTowpath(o TowpathOptions) (*Towpath, error) {
	ports, err := freePorts(1)
	if err != nil {
		return nil, err
	}
	t := &Towpath{o: o, port: ports[0]}
	all := map[string]string{
		"canal.ip": "127.0.0.1", "canal.register.ip": "127.0.0.1", "canal.port": strconv.Itoa(t.port),
		"canal.metrics.pull.port": "0", "canal.admin.port": "", "canal.destinations": "",
	}
	for destination, set := range o.Instances {
		if all["canal.destinations"] != "" {
			all["canal.destinations"] += ","
		}
		all["canal.destinations"] += destination
		err = errors.Join(err, CopySample(filepath.Join(o.Samples, "example", "instance.properties"), filepath.Join(o.Dir, "conf", destination, "instance.properties"), set))
	}
	for key, value := range o.Properties {
		all[key] = value
	}
	return t, errors.Join(err, CopySample(filepath.Join(o.Samples, "canal.properties"), filepath.Join(o.Dir, "conf", "canal.properties"), all))
}

// CopySample writes a properties file that is shipped with other values.
func CopySample(from, to string, set map[string]string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	text := string(b)
	for key, value := range set {
		line := regexp.MustCompile(`(?m)^#? ?` + regexp.QuoteMeta(key) + `\s*=.*$`)
		text = line.ReplaceAllLiteralString(text, "") + "\n" + key + " = " + value + "\n"
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return os.WriteFile(to, []byte(text), 0o644)
}

// Addr is host:port for clients.
func (t *Towpath) Addr() string { return localAddr(t.port) }

// LogFile is the log of a destination.
func (t *Towpath) LogFile(destination string) string {
	return filepath.Join(t.o.Dir, "logs", destination, destination+".log")
}

// OutputFile has what the processes so far have printed.
func (t *Towpath) OutputFile() string { return filepath.Join(t.o.Dir, "output.log") }

// Running says whether the process has been started and has not ended.
func (t *Towpath) Running() bool { return t.process.running() }

// Launch starts the server, unless it runs, and does not wait for it.
func (t *Towpath) Launch() (err error) {
	if t.Running() {
		return nil
	}
	args := append(append([]string{"env"}, t.o.Env...), t.o.Program, "server", "--home", t.o.Dir)
	t.process, err = startProcess(t.o.Dir, t.OutputFile(), args)
	return err
}

// Await waits until the server accepts clients.
func (t *Towpath) Await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	var d net.Dialer
	for {
		c, err := d.DialContext(ctx, "tcp", t.Addr())
		if err == nil {
			return c.Close()
		}
		select {
		case <-t.process.done:
			return fmt.Errorf("towpath ended while starting: %s", tail(t.OutputFile()))
		case <-ctx.Done():
			return fmt.Errorf("towpath does not answer: %w: %s", err, tail(t.OutputFile()))
		case <-tick.C:
		}
	}
}

// Kill ends the server at once and waits until it is gone. It has no effect on one
// that does not run.
func (t *Towpath) Kill() error { return t.process.kill() }

// terminateTimeout is how long an orderly end may take.
const terminateTimeout = 30 * time.Second

// Terminate ends the server as an operator would. It is an error when it does not
// end, or not well. It has no effect on one that does not run.
func (t *Towpath) Terminate() error {
	if !t.Running() {
		return nil
	}
	if err := t.process.signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-t.process.done:
	case <-time.After(terminateTimeout):
		return errors.Join(fmt.Errorf("towpath did not end within %v of SIGTERM", terminateTimeout), t.Kill())
	}
	if !t.process.cmd.ProcessState.Success() {
		return fmt.Errorf("towpath ended with %v after SIGTERM", t.process.cmd.ProcessState)
	}
	return nil
}
