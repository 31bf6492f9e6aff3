package servers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// askTimeout bounds one question to a server.
const askTimeout = 5 * time.Second

// FourLetter sends one of ZooKeeper's four letter words, such as srvr, cons, dump
// or mntr, to a server and returns its answer.
func (z *ZooKeeper) FourLetter(i int, word string) (string, error) {
	return z.ask(context.Background(), i, word)
}

func (z *ZooKeeper) ask(ctx context.Context, i int, word string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", localAddr(z.nodes[i].client))
	if err != nil {
		return "", err
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	if _, err := io.WriteString(c, word); err != nil {
		return "", fmt.Errorf("ask %s of ZooKeeper server %d: %w", word, i, err)
	}
	b, err := io.ReadAll(c)
	if err != nil {
		return "", fmt.Errorf("ask %s of ZooKeeper server %d: %w", word, i, err)
	}
	return string(b), nil
}

// mode is standalone, leader or follower; an error while the server does not
// serve clients.
func (z *ZooKeeper) mode(ctx context.Context, i int) (string, error) {
	answer, err := z.ask(ctx, i, "srvr")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(answer) {
		if m, ok := strings.CutPrefix(line, "Mode: "); ok {
			return strings.TrimSpace(m), nil
		}
	}
	return "", fmt.Errorf("ZooKeeper server %d is in no mode: %q", i, answer)
}

// errNoLeader is an ensemble between two leaders.
var errNoLeader = errors.New("no ZooKeeper server is the leader")

// Leader is the index of the server that leads now, 0 for a single one. It is an
// error when none does; AwaitLeader waits. Paused servers delay the answer, by
// up to 5 s, if no other leads.
func (z *ZooKeeper) Leader() (int, error) { return z.leader(context.Background()) }

func (z *ZooKeeper) leader(ctx context.Context) (int, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	leads := make(chan int, len(z.nodes))
	var asking sync.WaitGroup
	for i := range z.nodes {
		asking.Go(func() {
			if m, err := z.mode(ctx, i); err == nil && m != "follower" {
				leads <- i
				cancel() // no need to wait for the others
			}
		})
	}
	asking.Wait()
	select {
	case i := <-leads:
		return i, nil
	default:
		return 0, errNoLeader
	}
}

// AwaitLeader waits until a server leads.
func (z *ZooKeeper) AwaitLeader(ctx context.Context) (int, error) {
	tick := time.NewTicker(30 * time.Millisecond)
	defer tick.Stop()
	for {
		i, err := z.leader(ctx)
		if err == nil {
			return i, nil
		}
		select {
		case <-ctx.Done():
			return 0, fmt.Errorf("%w: %w", err, ctx.Err())
		case <-tick.C:
		}
	}
}

// CLI runs one command, such as "ls", "-R", "/", in ZooKeeper's own command line
// client and returns what it prints. An error has what it reports.
func (z *ZooKeeper) CLI(args ...string) (string, error) {
	var servers []string
	for _, n := range z.nodes {
		servers = append(servers, localAddr(n.client))
	}
	line := append(zooKeeperCommand("org.apache.zookeeper.ZooKeeperMain", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error"),
		"-waitforconnection", "-server", strings.Join(servers, ","))
	line = append(line, args...)
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, line[0], line[1:]...)
	var out, report bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &report
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("zkCli %s: %w: %s", strings.Join(args, " "), err, report.String())
	}
	return out.String(), nil
}
