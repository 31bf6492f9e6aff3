package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/towpath-cdc/towpath/internal/config"
	"github.com/towpath-cdc/towpath/internal/instance"
	"github.com/towpath-cdc/towpath/internal/logging"
	"github.com/towpath-cdc/towpath/internal/metrics"
	"github.com/towpath-cdc/towpath/internal/server"
	"github.com/towpath-cdc/towpath/internal/store"
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
	defines                overrides
}

func (h *homeFlags) register(f *flag.FlagSet) {
	h.defines = overrides{}
	f.StringVar(&h.home, "home", ".", "installation `DIR`, laid out as Canal's: conf/, logs/")
	f.StringVar(&h.conf, "conf", "", "configuration `DIR` (default HOME/conf)")
	f.StringVar(&h.logs, "logs", "", "log `DIR` (default HOME/logs)")
	f.StringVar(&h.data, "data", "", "`DIR` of the cursors (default what canal.file.data.dir says)")
	f.Var(h.defines, "D", "override a property: may be repeated, as `KEY=VALUE`")
}

func (h *homeFlags) load() (*config.Config, error) {
	return config.Load(config.LoadOptions{Home: h.home, Conf: h.conf, Logs: h.logs, Data: h.data, Overrides: h.defines, Environ: os.Environ()})
}

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
	var manager atomic.Pointer[instance.Manager] // nil until serve has made it
	logs := logging.New(logging.Options{Dir: c.LogsDir(), Level: least, Terminal: stdout, Complaints: stderr,
		Known: func(d string) bool { m := manager.Load(); return m != nil && m.Known(d) }})
	defer logs.Close()
	log := logs.Logger()
	if err := serve(ctx, c, logs, log, &manager); err != nil {
		log.Error("## Something goes wrong when starting up the canal Server:", "error", err)
		return exitError
	}
	return exitOK
}

// serve runs the server until ctx ends. The order of start and stop is Canal's:
// instances before the port for clients, and at the end the port first, so that
// nobody is answered by an instance that is going down. The manager of the
// instances is published in published.
func serve(ctx context.Context, c *config.Config, logs *logging.Logs, log *slog.Logger, published *atomic.Pointer[instance.Manager]) error {
	log.Info("## load canal configurations", "file", c.File())
	for _, finding := range c.Report() {
		log.Warn(finding.String())
	}
	if err := c.Startable(); err != nil {
		return err
	}
	o := c.Server()
	log.Info("## start the canal server.")

	// The port is taken first, so that a second server on the same
	// installation fails before it touches any cursor.
	var ln net.Listener
	if o.ServeTCP {
		var err error
		if ln, err = net.Listen("tcp", net.JoinHostPort(o.BindIP, strconv.Itoa(o.Port))); err != nil {
			return fmt.Errorf("listen for clients (canal.ip, canal.port): %w", err)
		}
	}
	member, err := join(c, clientAddress(o, ln), log)
	if err != nil {
		return err
	}
	defer member.leave(log)
	inCluster, zooKeeper := member.parts()
	manager := instance.NewManager(instance.ManagerOptions{
		Config: c, Budget: store.NewBudget(o.StoreBudget), Logger: log, Cluster: inCluster, ZooKeeper: zooKeeper,
		InstanceLogger: func(d string) (*slog.Logger, func(string)) {
			return log.With("destination", d), func(line string) { logs.Meta(d, line) }
		},
		Released: logs.Release,
	})
	published.Store(manager)
	for _, d := range o.Destinations {
		_ = manager.Start(d) // it has logged why not; the others run
	}
	clients := server.New(server.Options{User: o.User, PasswdHash: o.PasswdHash, Logger: log}, manager)

	var helpers sync.WaitGroup
	background, stop := context.WithCancel(ctx)
	defer func() {
		stop()
		helpers.Wait()
		manager.Close()
		log.Info("## canal server is down.")
	}()
	helpers.Go(func() { manager.ReportStalls(background) })
	if o.AutoScan {
		helpers.Go(func() { manager.Watch(background, o.ConfDir, o.ScanInterval, o.Destinations) })
	}
	if o.MetricsPort > 0 {
		m := metrics.New(metrics.Options{Port: o.MetricsPort, Instances: func() []metrics.InstanceStats { return instanceStats(manager) },
			Clients: clients.ClientStats, Sessions: clients.Sessions, Refused: clients.RefusedClients, Logger: log})
		helpers.Go(func() { m.Run(background) })
	}
	log.Info(fmt.Sprintf("## start the canal server[%s(%s):%d]", o.BindIP, o.RegisterIP, o.Port))
	log.Info("## the canal server is running now ......")
	serving := ctx
	if member != nil {
		// The destinations go to other servers first, while clients can still ack
		// what they have in hand.
		var end context.CancelFunc
		serving, end = context.WithCancel(context.WithoutCancel(ctx))
		defer end()
		helpers.Go(func() {
			<-background.Done()
			log.Info("## hand the destinations over to other servers")
			manager.Close()
			end()
		})
	}
	if ln == nil {
		<-serving.Done()
	} else if err := clients.Serve(serving, ln); err != nil {
		return err
	}
	log.Info("## stop the canal server")
	return nil
}

// instanceStats gathers what the metrics show of each running instance.
func instanceStats(m *instance.Manager) []metrics.InstanceStats {
	var all []metrics.InstanceStats
	for _, d := range m.Destinations() {
		in := m.Instance(d)
		if in == nil {
			continue
		}
		s := in.Status()
		all = append(all, metrics.InstanceStats{
			Destination: d, Subscriptions: len(s.Clients), Parallel: s.Config.Parallel,
			Parsers:      []metrics.ParserStats{{ReceivedBytes: s.Read.Bytes, PublishBlocking: s.Pipeline.PublishWait}},
			SinkBlocking: s.Pipeline.StoreWait, LastExecTime: s.Pipeline.LastEvent,
			Transactions: uint64(s.Pipeline.Transactions), Store: s.Store,
		})
	}
	return all
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
