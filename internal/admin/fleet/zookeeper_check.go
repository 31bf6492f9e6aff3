package fleet

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/towpath-cdc/towpath/internal/admin/database"
	"github.com/towpath-cdc/towpath/internal/zk"
)

// ZooKeeperCheck is what the servers of an ensemble say of themselves.
type ZooKeeperCheck struct {
	Verdict Verdict
	Err     error // of VerdictWrong
	Servers []ZooKeeperServer
}

// OK tells whether clients are served.
func (c ZooKeeperCheck) OK() bool { return c.Verdict == VerdictOK }

// Verdict is what a check of an ensemble comes to.
type Verdict int

// The verdicts.
const (
	VerdictOK          Verdict = iota // a majority serves, and one leads, or the only one is standalone
	VerdictWrong                      // the addresses cannot be read
	VerdictUnreachable                // none answers
	VerdictMinority                   // less than half of them serve, so nobody may
	VerdictNoLeader                   // they answer, and none leads
	VerdictSeparate                   // several are standalone: they are no ensemble
)

// ZooKeeperServer is one server of an ensemble.
type ZooKeeperServer struct {
	Address     string
	Condition   Condition
	Err         error  // of Unreachable
	Mode        string // leader, follower, observer, standalone; "" when it does not tell
	Version     string
	Connections int
	LatencyMs   float64 // average
}

// Condition is how a server of an ensemble is.
type Condition int

// The conditions.
const (
	Serving          Condition = iota
	ServingSilent              // it serves clients, but its 4lw.commands.whitelist lets it not tell more
	NotServing                 // it is up, but in no ensemble with a majority
	ConditionUnknown           // it is up, and tells too little to say whether it serves
	NotZooKeeper               // something else answers there
	Unreachable
)

const (
	// fourLetterTimeout bounds one question to a server of an ensemble.
	fourLetterTimeout = 2 * time.Second
	// maxFourLetter is how much of an answer is read.
	maxFourLetter = 64 << 10
	// maxEnsemble is how many servers are asked; no ensemble has as many.
	maxEnsemble = 32
	// checkAge is for how long a check of a cluster's ensemble counts.
	checkAge = 10 * time.Second
)

// ErrTooManyServers says that more servers are named than any ensemble has.
var ErrTooManyServers = errors.New("too many servers are named")

// CheckZooKeeper asks each server of a list, as canal.zkServers has it, how it is:
// first in words, and if it may not answer those by opening a session.
func (f *Fleet) CheckZooKeeper(ctx context.Context, hosts string) ZooKeeperCheck {
	return f.checkEnsemble(ctx, ensembleKey{hosts: hosts})
}

func (f *Fleet) checkEnsemble(ctx context.Context, key ensembleKey) ZooKeeperCheck {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(f.life, cancel)()
	o, err := f.zooKeeperConfig(key)
	if err == nil && len(o.Servers) > maxEnsemble {
		err = ErrTooManyServers
	}
	if err != nil {
		return ZooKeeperCheck{Verdict: VerdictWrong, Err: err}
	}
	check := ZooKeeperCheck{Servers: make([]ZooKeeperServer, len(o.Servers))}
	_ = eachOf(len(o.Servers), len(o.Servers), func(i int) error {
		check.Servers[i] = checkZooKeeperServer(ctx, o, o.Servers[i])
		return nil
	})
	check.Verdict = verdict(check.Servers)
	return check
}

// checkZooKeeperServer asks one server. o says how to reach it.
func checkZooKeeperServer(ctx context.Context, o zk.Config, address string) ZooKeeperServer {
	asking, cancel := context.WithTimeout(ctx, fourLetterTimeout)
	defer cancel()
	s := ZooKeeperServer{Address: address}
	answer, err := fourLetters(asking, o, address, "srvr")
	if err != nil {
		s.Condition, s.Err = Unreachable, err
		return s
	}
	parseSrvr(&s, answer)
	if s.Condition != ConditionUnknown && s.Condition != NotZooKeeper {
		return s
	}
	trying, cancel := context.WithTimeout(ctx, zooTimeout)
	defer cancel()
	if o.Servers = []string{address}; opensSession(trying, o) {
		s.Condition = ServingSilent
	}
	return s
}

// fourLetters sends one of ZooKeeper's four letter words. The answer of one that
// hangs up without a word is "".
func fourLetters(ctx context.Context, o zk.Config, address, word string) (string, error) {
	c, err := o.Dial(ctx, "tcp", address)
	if err != nil {
		return "", err
	}
	defer c.Close()
	if o.TLS != nil {
		secure := o.TLS.Clone()
		secure.ServerName = cmp.Or(secure.ServerName, hostOf(address))
		c = tls.Client(c, secure)
	}
	defer context.AfterFunc(ctx, func() { c.SetDeadline(time.Unix(1, 0)) })() //nolint:errcheck // then the read fails
	if _, err := io.WriteString(c, word); err != nil {
		return "", fmt.Errorf("ask %s: %w", address, err)
	}
	answer, err := io.ReadAll(io.LimitReader(c, maxFourLetter))
	if len(answer) == 0 && errors.Is(err, os.ErrDeadlineExceeded) {
		return "", fmt.Errorf("ask %s: %w", address, err)
	}
	return string(answer), nil
}

func hostOf(address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	return host
}

// opensSession tells whether a server lets a client open a session, which it does
// only with a majority.
func opensSession(ctx context.Context, o zk.Config) bool {
	o.Chroot = ""
	client, err := zk.Open(o)
	if err != nil {
		return false
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
		defer cancel()
		_ = client.Close(ctx) // nothing of it stays but a session that expires
	}()
	_, err = client.Session(ctx)
	return err == nil
}

// parseSrvr reads the answer to srvr, of ZooKeeper 3.4 to 3.9.
func parseSrvr(s *ZooKeeperServer, answer string) {
	s.Condition = NotZooKeeper
	lines := bufio.NewScanner(strings.NewReader(answer))
	for lines.Scan() {
		line := lines.Text()
		key, value, _ := strings.Cut(line, ": ")
		value = strings.TrimSpace(value)
		switch {
		case strings.Contains(line, "is not executed because it is not in the whitelist"):
			s.Condition = ConditionUnknown
		case strings.Contains(line, "is not currently serving requests"):
			s.Condition = NotServing
		case key == "Zookeeper version":
			s.Version, _, _ = strings.Cut(value, "-")
			s.Version = printable(s.Version)
			s.Condition = ConditionUnknown
		case key == "Mode":
			switch value {
			case "leader", "follower", "observer", "standalone":
				s.Mode, s.Condition = value, Serving
			case "read-only":
				s.Condition = NotServing
			}
		case key == "Connections":
			s.Connections, _ = strconv.Atoi(value)
		case strings.HasPrefix(key, "Latency min/avg/max"):
			if parts := strings.Split(value, "/"); len(parts) == 3 {
				s.LatencyMs, _ = strconv.ParseFloat(parts[1], 64)
			}
		}
	}
}

// printable keeps the first characters of a word that somebody else has written.
func printable(word string) string {
	const most = 40
	word = strings.Map(func(c rune) rune {
		if c <= ' ' || c > '~' {
			return -1
		}
		return c
	}, word)
	return word[:min(len(word), most)]
}

// verdict puts together what the servers say.
func verdict(servers []ZooKeeperServer) Verdict {
	serving, voters, answering, leaders, standalone, silent := 0, 0, 0, 0, 0, 0
	for _, s := range servers {
		if s.Condition != Unreachable && s.Condition != NotZooKeeper {
			answering++
		}
		if s.Mode != "observer" {
			voters++
		}
		switch s.Condition {
		case ServingSilent:
			serving++
			silent++
		case Serving:
			switch s.Mode {
			case "leader":
				leaders++
				serving++
			case "standalone":
				standalone++
				serving++
			case "follower":
				serving++
			}
		}
	}
	switch {
	case answering == 0:
		return VerdictUnreachable
	case standalone > 1, standalone == 1 && len(servers) > 1 && serving > 1:
		return VerdictSeparate
	case 2*serving <= voters:
		return VerdictMinority
	case leaders == 0 && standalone == 0 && silent == 0:
		return VerdictNoLeader
	}
	return VerdictOK
}

// ZooKeeper is the check of the ensemble of a cluster: the last one if it is young
// enough or ctx ends, else a new one.
func (f *Fleet) ZooKeeper(ctx context.Context, c database.Cluster) (ZooKeeperCheck, error) {
	key, err := f.ensembleKey(ctx, c)
	if err != nil {
		return ZooKeeperCheck{}, err
	}
	return f.zoo.check(key).get(ctx, f, checkAge, func(ctx context.Context) (ZooKeeperCheck, error) {
		return f.checkEnsemble(ctx, key), nil
	})
}

// lookAtEnsembles checks the ensembles of all clusters, without waiting for what
// they say.
func (f *Fleet) lookAtEnsembles(r *rows) {
	over, cancel := context.WithCancel(context.Background())
	cancel()
	used := make(map[ensembleKey]bool)
	for _, c := range r.clusters {
		if key := r.ensembleKey(c); key.hosts != "" {
			used[key] = true
			_, _ = f.zoo.check(key).get(over, f, checkAge, func(ctx context.Context) (ZooKeeperCheck, error) {
				return f.checkEnsemble(ctx, key), nil
			})
		}
	}
	f.zoo.forgetChecks(used)
}
