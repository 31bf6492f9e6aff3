package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/pprof"
	"strings"
	"time"

	"github.com/towpath-cdc/towpath/internal/config"
	"github.com/towpath-cdc/towpath/internal/inspect"
	"github.com/towpath-cdc/towpath/internal/logging"
)

func init() {
	register(command{name: "server", summary: "run the server: read binlogs, serve Canal clients", run: runServer})
}

// overrides collects -D key=value.
type overrides map[string]string

func (o overrides) String() string { return "" }

func (o overrides) Set(s string) error {
	k, v, ok := strings.Cut(s, "=")
	if !ok || k == "" {
		return errors.New("want key=value")
	}
	o[k] = v
	return nil
}

// homeFlags are the flags that say where an installation is.
type homeFlags struct {
	home, conf, logs, data string
	local                  bool
	defines                overrides
}

func (h *homeFlags) register(f *flag.FlagSet) {
	h.defines = overrides{}
	f.StringVar(&h.home, "home", ".", "installation `DIR`, laid out as Canal's: conf/, logs/")
	f.StringVar(&h.conf, "conf", "", "configuration `DIR` (default HOME/conf)")
	f.StringVar(&h.logs, "logs", "", "log `DIR` (default HOME/logs)")
	f.StringVar(&h.data, "data", "", "`DIR` of the cursors (default what canal.file.data.dir says)")
	f.BoolVar(&h.local, "local", false, "take conf/canal_local.properties for the main file, as startup.sh local does (so it is without canal.properties)")
	f.Var(h.defines, "D", "override a property: may be repeated, as `KEY=VALUE`")
}

func (h *homeFlags) options() config.LoadOptions {
	return config.LoadOptions{Home: h.home, Conf: h.conf, Logs: h.logs, Data: h.data, Local: h.local, Overrides: h.defines, Environ: os.Environ()}
}

func (h *homeFlags) load() (*config.Config, error) { return config.Load(h.options()) }

// runServer is the sub-command server. Exit codes: 0 after a stop that was
// asked for, 1 when it could not start or serve, 2 for wrong usage.
func runServer(ctx context.Context, args []string, _ io.Reader, stdout, stderr io.Writer) int {
	var home homeFlags
	flags := newFlags("server", "Reads the binlogs of MySQL and MariaDB servers and serves Canal clients.", stderr)
	home.register(flags)
	level := flags.String("log-level", "info", "least `LEVEL` that is logged: debug, info, warn, error")
	profile := flags.String("cpu-profile", "", "write a CPU profile of the run to `FILE`, for go tool pprof")
	if code, ok := parseFlags(flags, args); !ok {
		return code
	}
	if *profile != "" {
		stop, err := startProfile(*profile)
		if err != nil {
			fmt.Fprintf(stderr, "towpath server: %v\n", err)
			return exitError
		}
		defer stop()
	}
	var least slog.Level
	if err := least.UnmarshalText([]byte(*level)); err != nil {
		return usageError("server", stderr, err)
	}
	c, err := home.load()
	if err != nil {
		fmt.Fprintf(stderr, "towpath server: %v\n", err)
		return exitError
	}
	h := newHost()
	logs := logging.New(logging.Options{Dir: c.LogsDir(), Level: least, Terminal: stdout, Complaints: stderr, Known: h.known})
	defer logs.Close()
	recorder := inspect.NewRecorder()
	h.logs, h.log = logs, slog.New(recorder.Handler(logs.Handler()))
	h.inspector = inspect.New(inspect.Options{Parts: h.parts, Version: version, Started: time.Now(), Recorder: recorder, Check: h.check, Logger: h.log})
	defer h.inspector.Close()
	defer h.close()
	if c.Manager() == nil {
		err = h.runFiles(ctx, c)
	} else {
		err = h.runManaged(ctx, home.options(), c)
	}
	if err != nil {
		h.log.Error("## Something goes wrong when starting up the canal Server:", "error", err)
		return exitError
	}
	return exitOK
}

// startProfile writes a CPU profile until stop is called.
func startProfile(name string) (stop func(), err error) {
	f, err := os.Create(name)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		f.Close()
		return nil, err
	}
	return func() {
		pprof.StopCPUProfile()
		f.Close()
	}, nil
}
