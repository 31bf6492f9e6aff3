package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"sync"

	"github.com/towpath-cdc/towpath/internal/config"
	"github.com/towpath-cdc/towpath/internal/instance"
	"github.com/towpath-cdc/towpath/internal/logging"
	"github.com/towpath-cdc/towpath/internal/metrics"
	"github.com/towpath-cdc/towpath/internal/server"
	"github.com/towpath-cdc/towpath/internal/store"
)

// service is one run of the server with one configuration. It can be stopped and
// another one started in the same process, which is what an admin has it do.
type service struct {
	config  *config.Config
	address string // where clients are told to reach it
	budget  *store.Budget
	manager *instance.Manager
	clients *server.Server
	member  *membership
	log     *slog.Logger

	cancel context.CancelFunc
	done   chan struct{}
	err    error // why it ended by itself; to be read after done
}

// startService starts the server: the port for clients is taken first, so that a
// second server on the same installation fails before it touches any cursor; the
// instances come before clients are let in. made is given the manager before it
// starts anything. Who starts a service stops it.
func startService(c *config.Config, destinations []string, logs *logging.Logs, log *slog.Logger, made func(*instance.Manager)) (*service, error) {
	o := c.Server()
	log.Info("## start the canal server.")
	var ln net.Listener
	if o.ServeTCP {
		var err error
		if ln, err = net.Listen("tcp", net.JoinHostPort(o.BindIP, strconv.Itoa(o.Port))); err != nil {
			return nil, fmt.Errorf("listen for clients (canal.ip, canal.port): %w", err)
		}
	}
	address := clientAddress(o, ln)
	member, err := join(c, address, log)
	if err != nil {
		if ln != nil {
			ln.Close()
		}
		return nil, err
	}
	s := &service{config: c, address: address, budget: store.NewBudget(o.StoreBudget), member: member, log: log, done: make(chan struct{})}
	inCluster, zooKeeper := member.parts()
	s.manager = instance.NewManager(instance.ManagerOptions{
		Config: c, Budget: s.budget, Logger: log, Cluster: inCluster, ZooKeeper: zooKeeper,
		InstanceLogger: func(d string) (*slog.Logger, func(string)) {
			return log.With("destination", d), func(line string) { logs.Meta(d, line) }
		},
		Released: logs.Release,
	})
	made(s.manager)
	for _, d := range destinations {
		_ = s.manager.Start(d) // it has logged why not; the others run
	}
	s.clients = server.New(server.Options{User: o.User, PasswdHash: o.PasswdHash, Logger: log}, s.manager)
	var ctx context.Context
	ctx, s.cancel = context.WithCancel(context.Background())
	go func() {
		defer close(s.done)
		s.err = s.run(ctx, ln)
	}()
	return s, nil
}

// stop ends the service and waits until nothing of it runs.
func (s *service) stop() {
	s.cancel()
	<-s.done
}

// run serves until ctx ends. The order of the end is Canal's: the port for clients
// first, so that nobody is answered by an instance that is going down.
func (s *service) run(ctx context.Context, ln net.Listener) error {
	defer s.member.leave(s.log)
	o := s.config.Server()
	var helpers sync.WaitGroup
	background, stop := context.WithCancel(ctx)
	defer func() {
		stop()
		helpers.Wait()
		s.manager.Close()
		s.log.Info("## canal server is down.")
	}()
	helpers.Go(func() { s.manager.ReportStalls(background) })
	if o.AutoScan && s.config.Manager() == nil {
		helpers.Go(func() { s.manager.Watch(background, o.ConfDir, o.ScanInterval, o.Destinations) })
	}
	if o.MetricsPort > 0 {
		m := metrics.New(metrics.Options{Port: o.MetricsPort, Instances: func() []metrics.InstanceStats { return instanceStats(s.manager) },
			Clients: s.clients.ClientStats, Sessions: s.clients.Sessions, Refused: s.clients.RefusedClients, Logger: s.log})
		helpers.Go(func() { m.Run(background) })
	}
	s.log.Info(fmt.Sprintf("## start the canal server[%s(%s):%d]", o.BindIP, o.RegisterIP, o.Port))
	s.log.Info("## the canal server is running now ......")
	serving := ctx
	if s.member != nil {
		// The destinations go to other servers first, while clients can still ack
		// what they have in hand.
		var end context.CancelFunc
		serving, end = context.WithCancel(context.WithoutCancel(ctx))
		defer end()
		helpers.Go(func() {
			<-background.Done()
			s.log.Info("## hand the destinations over to other servers")
			s.manager.Close()
			end()
		})
	}
	if ln == nil {
		<-serving.Done()
	} else if err := s.clients.Serve(serving, ln); err != nil {
		return err
	}
	s.log.Info("## stop the canal server")
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
		parsers := make([]metrics.ParserStats, len(s.Sources))
		for n, one := range s.Sources {
			parsers[n] = metrics.ParserStats{ReceivedBytes: one.Read.Bytes, PublishBlocking: one.Pipeline.PublishWait}
		}
		all = append(all, metrics.InstanceStats{
			Destination: d, Subscriptions: len(s.Clients), Parallel: s.Config.Parallel,
			Parsers:      parsers,
			SinkBlocking: s.Pipeline.StoreWait, LastExecTime: s.Pipeline.LastEvent,
			Transactions: uint64(s.Pipeline.Transactions), Store: s.Store,
			Quarantined: len(s.Quarantine), HeldRows: uint64(s.Pipeline.HeldRows), Healed: uint64(s.Pipeline.Healed),
		})
	}
	return all
}
