// Command failover measures for how long a client gets nothing when the server
// that runs its destination dies, stops or is told to give it up, when ZooKeeper
// loses its leader, and when another client was the one that consumed. It does so
// for Towpath, server and client, and for Java Canal, server and client, on the
// same ensemble and database, one after the other, while a row is committed every
// 20 ms.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"github.com/towpath-cdc/towpath/test/bench/document"
	"github.com/towpath-cdc/towpath/test/servers"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "failover:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	program := flag.String("towpath", "bin/towpath", "the `program` to measure")
	trials := flag.Int("trials", 3, "trials of each case")
	java := flag.Bool("java", true, "measure Java Canal too")
	tick := flag.Duration("tick", time.Second, "tickTime of ZooKeeper; Java's session lasts 20 of them")
	only := flag.String("case", "", "the one `case` to measure")
	instances := flag.Int("many", 500, "destinations that two of our servers share, of which one is killed; 0 leaves this out")
	out := flag.String("out", "", "`file` whose part between the failover markers is replaced by the result")
	flag.Parse()

	dir, err := os.MkdirTemp("", "towpath-failover-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	db, err := servers.Start(ctx, servers.Options{Kind: servers.MariaDB1011, Dir: filepath.Join(dir, "db")})
	if err != nil {
		return err
	}
	defer db.Kill()
	path, err := filepath.Abs(*program)
	if err != nil {
		return err
	}
	subjects := []subject{towpath{program: path}}
	if *java {
		subjects = append(subjects, javaCanal{})
	}
	var results []result
	for _, s := range subjects {
		if *trials == 0 {
			break
		}
		r, err := measure(ctx, s, db, filepath.Join(dir, s.name()), *trials, *tick, *only)
		results = append(results, r)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name(), err)
		}
	}
	text := report(results, *trials, *tick)
	if *instances > 0 && *only == "" {
		more, err := many(ctx, path, filepath.Join(dir, "many"), *instances)
		if err != nil {
			return fmt.Errorf("%d destinations: %w", *instances, err)
		}
		text += "\n" + more
	}
	fmt.Println(text)
	if *out != "" {
		return document.Replace(*out, "failover", text)
	}
	return nil
}

// result is what one subject took.
type result struct {
	subject string
	session time.Duration // the servers' session with ZooKeeper
	silence map[string][]time.Duration
	repeats map[string][]int64
}

// cases are what is done, in this order. Each leaves two servers and one client.
var cases = []struct {
	name, what string
	do         func(ctx context.Context, t *trial) error
}{
	{"kill", "kill -9 of the server", killServer},
	{"restart", "kill -9 of the server, started again at once", restartServer},
	{"stop", "SIGTERM of the server", stopServer},
	{"move", "the destination is moved", move},
	{"zookeeper", "kill -9 of ZooKeeper's leader", killLeader},
	{"client", "kill -9 of the client, another waits", killClient},
	{"leave", "the client leaves, another waits", stopClient},
}

// measure runs all trials of a subject, each on a tree of its own.
func measure(ctx context.Context, s subject, db *servers.Server, dir string, trials int, tick time.Duration, only string) (r result, err error) {
	zk, err := servers.StartZooKeeper(ctx, servers.ZooKeeperOptions{Dir: filepath.Join(dir, "zk"), Servers: 3, TickTime: tick,
		MinSessionTimeout: 2 * tick, MaxSessionTimeout: 20 * tick})
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, zk.Stop()) }()
	r = result{subject: s.name(), session: s.session(tick), silence: map[string][]time.Duration{}, repeats: map[string][]int64{}}
	for _, c := range cases {
		if only != "" && only != c.name {
			continue
		}
		for i := range trials {
			t := &trial{subject: s, zk: zk, db: db, destination: fmt.Sprintf("d%s%d", c.name, i), dir: filepath.Join(dir, fmt.Sprintf("%s%d", c.name, i))}
			if err := t.run(ctx, c.do); err != nil {
				return r, fmt.Errorf("%s: %w", c.what, err)
			}
			r.silence[c.name] = append(r.silence[c.name], t.silence)
			r.repeats[c.name] = append(r.repeats[c.name], t.repeats)
			fmt.Fprintf(os.Stderr, "%-8s %-10s silence %v, %d rows repeated\n", s.name(), c.name, t.silence.Round(time.Millisecond), t.repeats)
		}
	}
	return r, nil
}
