package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/towpath-cdc/towpath/internal/config"
	"github.com/towpath-cdc/towpath/internal/zk"
)

func init() {
	register(command{name: "cluster", summary: "show a cluster, move destinations, drain servers", run: runCluster})
}

const clusterHead = `Shows or changes what ZooKeeper has of a cluster. ACTION is one of

  show                          servers, destinations, clients; problems first (without ACTION, too)
  drain SERVER                  have SERVER hand over all it runs, and wait for that
  undrain SERVER                let SERVER take destinations again
  move DESTINATION SERVER       move DESTINATION to SERVER; its owner may be a Java server
  release DESTINATION           have the owner give DESTINATION to whichever server is first
  rebalance                     spread the destinations over the Towpath servers now
  expire DESTINATION CLIENTID   delete a subscription that nobody uses any more

SERVER is ip:port, as show prints it. ZooKeeper is --zk, or canal.zkServers of the
configuration in --home or --conf. The exit code is 1 when something could not be
done in time, 2 for wrong usage.`

// clusterOptions are the flags of cluster.
type clusterOptions struct {
	home       homeFlags
	zk, zkAuth string
	format     string
	timeout    time.Duration
	ghost      time.Duration
	force      bool

	session        *zk.Session
	stdout, stderr io.Writer
}

// clusterAction is what can be done to a cluster.
type clusterAction struct {
	args int
	run  func(o *clusterOptions, ctx context.Context, args []string) error
}

var clusterActions = map[string]clusterAction{
	"show":      {0, (*clusterOptions).show},
	"drain":     {1, (*clusterOptions).drain},
	"undrain":   {1, (*clusterOptions).undrain},
	"move":      {2, (*clusterOptions).move},
	"release":   {1, (*clusterOptions).release},
	"rebalance": {0, (*clusterOptions).rebalance},
	"expire":    {2, (*clusterOptions).expire},
}

// errUsage is wrapped by errors about the arguments.
var errUsage = errors.New("wrong usage")

// clusterConnect is how long cluster tries to reach ZooKeeper.
const clusterConnect = 10 * time.Second

func runCluster(ctx context.Context, args []string, _ io.Reader, stdout, stderr io.Writer) int {
	o := clusterOptions{stdout: stdout, stderr: stderr}
	flags := newFlags("cluster [ACTION]", clusterHead, stderr)
	o.home.register(flags)
	flags.StringVar(&o.zk, "zk", "", "`hosts` of ZooKeeper, as in canal.zkServers: host:port, separated by commas")
	flags.StringVar(&o.zkAuth, "zk-auth", "", "`user:password` for ZooKeeper's digest scheme, with --zk; $TOWPATH_ZK_AUTH does not show in the list of processes")
	flags.StringVar(&o.format, "format", "text", "text or json, of show")
	flags.DurationVar(&o.timeout, "timeout", 30*time.Second, "`time` that drain and rebalance wait")
	flags.DurationVar(&o.ghost, "ghost", 24*time.Hour, "`time` without a sign of life after which show takes a client for gone")
	flags.BoolVar(&o.force, "force", false, "expire a client although a process consumes as it")
	words, code, ok := parseWords(flags, args)
	if !ok {
		return code
	}
	if len(words) == 0 {
		words = []string{"show"}
	}
	action, known := clusterActions[words[0]]
	switch {
	case !known:
		return usageError("cluster", stderr, fmt.Errorf("unknown action %q", words[0]))
	case len(words)-1 != action.args:
		return usageError("cluster", stderr, fmt.Errorf("%s takes %d arguments", words[0], action.args))
	case o.format != "text" && o.format != "json":
		return usageError("cluster", stderr, fmt.Errorf("--format %q is neither text nor json", o.format))
	case o.timeout <= 0 || o.ghost <= 0:
		return usageError("cluster", stderr, errors.New("--timeout and --ghost must be more than 0"))
	}
	err := o.do(ctx, action, words[1:])
	switch {
	case errors.Is(err, errUsage):
		return usageError("cluster", stderr, err)
	case err != nil:
		fmt.Fprintf(stderr, "towpath cluster: %v\n", err)
		return exitError
	}
	return exitOK
}

// parseWords parses flags that may stand before, between and behind other words,
// and returns those.
func parseWords(flags *flag.FlagSet, args []string) (words []string, code int, ok bool) {
	for {
		switch err := flags.Parse(args); {
		case errors.Is(err, flag.ErrHelp):
			return nil, exitOK, false
		case err != nil:
			return nil, exitUsage, false
		}
		if flags.NArg() == 0 {
			return words, exitOK, true
		}
		words, args = append(words, flags.Arg(0)), flags.Args()[1:]
	}
}

// do connects to ZooKeeper and runs the action.
func (o *clusterOptions) do(ctx context.Context, action clusterAction, args []string) error {
	z, err := o.zooKeeper()
	if err != nil {
		return err
	}
	client, err := zk.Open(z)
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveTimeout)
		defer cancel()
		_ = client.Close(ctx) // nothing of it stays but a session that expires
	}()
	connecting, cancel := context.WithTimeout(ctx, clusterConnect)
	defer cancel()
	if o.session, err = client.Session(connecting); err != nil {
		return err
	}
	return action.run(o, ctx, args)
}

// zooKeeper says how to reach ZooKeeper.
func (o *clusterOptions) zooKeeper() (zk.Config, error) {
	silent := slog.New(slog.DiscardHandler)
	if o.zk != "" {
		return zooKeeperConfig(config.ZooKeeper{Servers: o.zk, Auth: cmp.Or(o.zkAuth, os.Getenv("TOWPATH_ZK_AUTH"))}, silent)
	}
	c, err := o.home.load()
	if err != nil {
		return zk.Config{}, fmt.Errorf("%w (or name ZooKeeper with --zk)", err)
	}
	z := c.Server().ZooKeeper
	if strings.TrimSpace(z.Servers) == "" {
		return zk.Config{}, errors.New("canal.zkServers is not set: this server is in no cluster")
	}
	return zooKeeperConfig(z, silent)
}
