package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/towpath-cdc/towpath/internal/control"
	"github.com/towpath-cdc/towpath/internal/polling"
)

// node is a simulated server: an admin port that reports what a server with these
// instances would, and what asks the admin for its configuration.
type node struct {
	dir    string
	port   int32
	alive  bool
	listed []string // all instances of its cluster
	runs   map[string]bool
	ln     net.Listener

	polls  atomic.Int64 // questions, or with Towpath's servers rounds
	rounds atomic.Int64 // that have ended
	told   chan string  // destinations whose text has come anew; bounded, others are not told
}

// newNode takes a port. A node that is not alive refuses connections, or with mute
// takes them and says nothing.
func newNode(dir string, alive, mute bool) (*node, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	n := &node{dir: dir, port: int32(ln.Addr().(*net.TCPAddr).Port), alive: alive, ln: ln, told: make(chan string, 16)}
	if !alive && !mute {
		return n, ln.Close()
	}
	return n, nil
}

// serve answers at the admin port until ctx ends.
func (n *node) serve(ctx context.Context) error {
	if !n.alive {
		<-ctx.Done()
		n.ln.Close() // that of one that refuses is closed already
		return nil
	}
	return control.NewServer(control.ServerOptions{User: user, PasswdHash: hashText, Backend: n, Logger: quiet}).Serve(ctx, n.ln)
}

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// What is asked of the admin port; only reports are.

func (n *node) Check() bool                 { return true }
func (n *node) Start() bool                 { return false }
func (n *node) Stop() bool                  { return false }
func (n *node) Restart() bool               { return false }
func (n *node) CheckInstance(d string) bool { return n.runs[d] }
func (*node) StartInstance(string) bool     { return true }
func (*node) StopInstance(string) bool      { return true }
func (*node) ReleaseInstance(string) bool   { return true }
func (*node) RestartInstance(string) bool   { return true }
func (n *node) List() (names []string) {
	for d := range n.runs {
		names = append(names, d)
	}
	return names
}

// Call reports with figures that change, as those of a busy server.
func (n *node) Call(_ context.Context, method string, _ json.RawMessage) (any, error) {
	if method != control.MethodReport {
		return nil, &control.Error{Code: control.CodeUnknownMethod, Message: method}
	}
	now := time.Now().UnixMilli()
	r := control.ServerReport{Version: "bench", Host: "bench", PID: os.Getpid(), StartedMs: 1, NowMs: now, Running: true,
		Address: fmt.Sprintf("127.0.0.1:%d", n.port+1), CPUSeconds: float64(now%1e6) / 1000, Memory: 100 << 20, ConfigSource: "admin", Errors: []control.ErrorReport{}}
	for i, d := range n.listed {
		one := control.InstanceReport{Destination: d, State: control.StateStandby, SinceMs: 1, ConfigMD5: "0123456789abcdef0123456789abcdef", LagMs: -1, LagBytes: -1}
		if n.runs[d] {
			at := control.Position{File: "mysql-bin.000123", Offset: now % 1e9, TimestampMs: now}
			one.State, one.LagMs, one.LagBytes = control.StateRunning, (now+int64(i))%5000, 1<<20
			one.Source = &control.SourceReport{Phase: "reading", SinceMs: 1, Address: "10.1.2.3:3306", Version: "8.0.36", Bytes: uint64(now), Events: uint64(now), Read: at, Head: at, HeadAtMs: now}
			one.Pipeline = &control.PipelineReport{Transactions: now, LastEventMs: now}
			one.Store = &control.StoreReport{Slots: 16384, Used: 100, UsedBytes: 1 << 20, PutEntries: now, PutRows: now, PutBytes: now, GetEntries: now, GetRows: now, GetBytes: now, AckEntries: now, AckRows: now, AckBytes: now}
			one.Clients = []control.ClientReport{{ID: 1001, Filter: ".*\\..*", Connected: []string{"10.9.8.7:40000"}, HasCursor: true, Cursor: at}}
		}
		r.Instances = append(r.Instances, one)
	}
	return r, nil
}

// pollers ask the admin as the servers of one kind do, until ctx ends.
func pollers(ctx context.Context, nodes []*node, url string, ask func(ctx context.Context, n *node, c *polling.Client)) {
	var wg sync.WaitGroup
	for i, n := range nodes {
		wg.Go(func() {
			c := polling.NewClient(polling.ClientOptions{Addresses: []string{url}, User: user, Passwd: hashText, IP: "127.0.0.1", Port: int(n.port), Version: "bench"})
			defer c.Close()
			if sleep(ctx, time.Duration(i)*interval/time.Duration(len(nodes))) { // servers have not all started at once
				ask(ctx, n, c)
			}
		})
	}
	wg.Wait()
}

// asTowpath is what towpath server does.
func asTowpath(ctx context.Context, n *node, c *polling.Client) {
	f := polling.NewFollower(polling.FollowerOptions{Client: c, Cache: polling.Cache{File: n.dir + "/cache", Admin: "bench", Node: "bench"}, Target: n.target(), Name: "bench", Logger: quiet})
	f.Run(ctx)
}

// asCanal is what Canal's server does: three kinds of questions, one after the other.
func asCanal(ctx context.Context, n *node, c *polling.Client) {
	known, server := make(map[string]polling.Text), ""
	for ctx.Err() == nil {
		if t, ok, err := c.Server(ctx, server); err == nil && ok {
			server = t.MD5
		}
		names, _, _ := c.Instances(ctx)
		n.polls.Add(2)
		for _, d := range names {
			n.polls.Add(1)
			if t, ok, err := c.Instance(ctx, d, known[d].MD5); err == nil && ok {
				if known[d].MD5 != "" {
					n.tell(d)
				}
				known[d] = t
			}
		}
		n.rounds.Add(1)
		sleep(ctx, interval)
	}
}

func (n *node) tell(d string) {
	select {
	case n.told <- d:
	default:
	}
}

// target is a server that does nothing but count.
type target struct{ n *node }

func (n *node) target() target { return target{n} }

func (target) Check(string) (polling.Settings, error) {
	return polling.Settings{Interval: interval, Scan: true}, nil
}
func (target) Use(string) error { return nil }
func (t target) Running() bool {
	t.n.polls.Add(1)
	t.n.rounds.Add(1) // it is asked once in each round
	return true
}

func (t target) Change(actions []polling.Action) []string {
	for _, a := range actions {
		if a.Op == polling.Reload {
			t.n.tell(a.Destination)
		}
	}
	return nil
}

func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
