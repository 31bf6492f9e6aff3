package main

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/towpath-cdc/towpath/test/netfault"
)

// fault is something that goes wrong for a while.
type fault struct {
	what    string   // for the history
	targets []string // what no other fault may touch meanwhile
	hold    time.Duration
	begin   func() error
	end     func() error
}

// errAbsent is returned by the begin of a fault whose victim does not run just now.
var errAbsent = errors.New("the victim does not run")

// card is a kind of fault.
type card struct {
	name  string
	count int // in the deck
	draw  func(r *rand.Rand, c *cluster) fault
}

// cards are all kinds of faults.
var cards = []card{
	{"server killed", 3, drawServerKill},
	{"server stopped", 4, drawServerStop},
	{"server terminated", 1, drawServerEnd},
	{"zookeeper killed", 1, func(r *rand.Rand, c *cluster) fault { return zooKeeperKill(r, c, r.IntN(zooKeepers), "") }},
	{"zookeeper leader killed", 2, func(r *rand.Rand, c *cluster) fault { return zooKeeperKill(r, c, leader(r, c), " (leader)") }},
	{"zookeeper stopped", 1, func(r *rand.Rand, c *cluster) fault { return zooKeeperStop(r, c, r.IntN(zooKeepers), "") }},
	{"zookeeper leader stopped", 1, func(r *rand.Rand, c *cluster) fault { return zooKeeperStop(r, c, leader(r, c), " (leader)") }},
	{"server and zookeeper parted", 4, drawServerZooKeeper},
	{"server and database parted", 2, drawServerDatabase},
	{"clients and server parted", 2, drawClientsServer},
	{"consumer and zookeeper parted", 1, drawConsumerZooKeeper},
	{"consumer killed", 1, drawConsumerKill},
	{"consumer stopped", 1, drawConsumerStop},
	{"slow link", 3, drawSlow},
	{"clock stepped", 2, drawClock},
	{"disk full", 1, drawDisk},
}

// deck gives out all cards in random order, then begins anew, so that every kind
// comes soon and none comes all the time.
type deck struct {
	r    *rand.Rand
	left []card
}

func (d *deck) next() card {
	if len(d.left) == 0 {
		for _, c := range cards {
			for range c.count {
				d.left = append(d.left, c)
			}
		}
		d.r.Shuffle(len(d.left), func(i, j int) { d.left[i], d.left[j] = d.left[j], d.left[i] })
	}
	c := d.left[0]
	d.left = d.left[1:]
	return c
}

// between is a time from least to most.
func between(r *rand.Rand, least, most time.Duration) time.Duration {
	return least + time.Duration(r.Int64N(int64(most-least)))
}

func nothing() error { return nil }

// pickServer picks any server or, more often, the one that has handed out a batch
// most recently: something is at stake there.
func pickServer(r *rand.Rand, c *cluster) (*server, string) {
	s := c.servers[r.IntN(len(c.servers))]
	if r.IntN(3) > 0 {
		for _, other := range c.servers {
			if other.tap.last.Load() > s.tap.last.Load() {
				s = other
			}
		}
	}
	return s, s.name
}

func pickConsumer(r *rand.Rand, c *cluster) *reader { return c.consumers[r.IntN(len(c.consumers))] }

func drawServerKill(r *rand.Rand, c *cluster) fault {
	s, name := pickServer(r, c)
	return fault{"kill -9 " + name, []string{name}, between(r, 100*time.Millisecond, 6*time.Second), s.kill, s.start}
}

// drawServerStop stops a server for shorter or longer than its session lasts. It is
// asked for batches meanwhile, which is the first that it reads when it goes on.
func drawServerStop(r *rand.Rand, c *cluster) fault {
	s, name := pickServer(r, c)
	f := fault{"SIGSTOP " + name, []string{name}, between(r, 200*time.Millisecond, 3*session), s.stop, s.cont}
	if f.hold < session {
		return f
	}
	return probed(s, f, 0)
}

func drawServerEnd(r *rand.Rand, c *cluster) fault {
	s, name := pickServer(r, c)
	return fault{"SIGTERM " + name, []string{name}, between(r, 100*time.Millisecond, 4*time.Second), s.terminate, s.start}
}

// leader is the index of the server that leads the ensemble, or any when none does.
func leader(r *rand.Rand, c *cluster) int {
	any := r.IntN(zooKeepers)
	if i, err := c.zk.Leader(); err == nil {
		return i
	}
	return any
}

func zooKeeperKill(r *rand.Rand, c *cluster, i int, note string) fault {
	name := fmt.Sprintf("zookeeper %d", i)
	return fault{"kill -9 " + name + note, []string{name}, between(r, 200*time.Millisecond, 6*time.Second),
		func() error { return c.zk.Kill(i) }, func() error { return c.zk.Restart(i) }}
}

func zooKeeperStop(r *rand.Rand, c *cluster, i int, note string) fault {
	name := fmt.Sprintf("zookeeper %d", i)
	return fault{"SIGSTOP " + name + note, []string{name}, between(r, 200*time.Millisecond, 2*session),
		func() error { return c.zk.Pause(i) }, func() error { return c.zk.Resume(i) }}
}

// parted is a network between two that does not work, in one of several ways.
func parted(r *rand.Rand, who, target string, links []*netfault.Proxy, most time.Duration) fault {
	ways := []struct {
		name string
		do   func(*netfault.Proxy)
	}{
		{"cut", (*netfault.Proxy).Cut},
		{"silent", (*netfault.Proxy).Blackhole},
		{"silent to the server", func(p *netfault.Proxy) { p.Pause(netfault.ToServer) }},
		{"silent from the server", func(p *netfault.Proxy) { p.Pause(netfault.ToClient) }},
	}
	w := ways[r.IntN(len(ways))]
	return onLinks(fmt.Sprintf("network %s: %s", who, w.name), target, links, between(r, 200*time.Millisecond, most), w.do)
}

func onLinks(what, target string, links []*netfault.Proxy, hold time.Duration, do func(*netfault.Proxy)) fault {
	return fault{what, []string{target}, hold,
		func() error {
			for _, p := range links {
				do(p)
			}
			return nil
		},
		func() error {
			var errs []error
			for _, p := range links {
				errs = append(errs, p.Heal())
			}
			return errors.Join(errs...)
		}}
}

// drawServerZooKeeper parts a server from the ensemble, or from one of its servers.
// It is asked for batches about when its session expires.
func drawServerZooKeeper(r *rand.Rand, c *cluster) fault {
	s, name := pickServer(r, c)
	if i := r.IntN(2 * zooKeepers); i < zooKeepers {
		return parted(r, fmt.Sprintf("%s - zookeeper %d", name, i), name+" zookeeper", s.zooKeeper[i:i+1], 3*session)
	}
	f := parted(r, name+" - all of zookeeper", name+" zookeeper", s.zooKeeper, 3*session)
	if f.hold < session {
		return f
	}
	return probed(s, f, session*8/10)
}

func drawServerDatabase(r *rand.Rand, c *cluster) fault {
	s, name := pickServer(r, c)
	return parted(r, name+" - database", name+" database", []*netfault.Proxy{s.database}, 5*time.Second)
}

// drawClientsServer parts all clients from a server, or one.
func drawClientsServer(r *rand.Rand, c *cluster) fault {
	i := r.IntN(len(c.servers))
	name := fmt.Sprintf("server %d", i)
	var links []*netfault.Proxy
	for _, k := range c.consumers {
		links = append(links, k.servers[i])
	}
	who := "all clients - " + name
	if k := r.IntN(2 * len(links)); k < len(links) {
		links, who = links[k:k+1], c.consumers[k].name+" - "+name
	}
	return parted(r, who, name+" clients", links, 6*time.Second)
}

func drawConsumerZooKeeper(r *rand.Rand, c *cluster) fault {
	k := pickConsumer(r, c)
	return parted(r, k.name+" - all of zookeeper", k.name+" zookeeper", k.zooKeeper, 2*session)
}

func drawConsumerKill(r *rand.Rand, c *cluster) fault {
	k := pickConsumer(r, c)
	return fault{"kill -9 " + k.name, []string{k.name}, between(r, 100*time.Millisecond, 4*time.Second), k.kill, k.start}
}

func drawConsumerStop(r *rand.Rand, c *cluster) fault {
	k := pickConsumer(r, c)
	return fault{"SIGSTOP " + k.name, []string{k.name}, between(r, 200*time.Millisecond, 2*session), k.stop, k.cont}
}

// drawSlow makes a link slow: everything comes late, or few bytes a second pass.
func drawSlow(r *rand.Rand, c *cluster) fault {
	i := r.IntN(len(c.servers))
	s, name := c.servers[i], fmt.Sprintf("server %d", i)
	links, to := s.zooKeeper, "zookeeper"
	switch r.IntN(3) {
	case 0:
		links, to = []*netfault.Proxy{s.database}, "database"
	case 1:
		links, to = nil, "clients"
		for _, k := range c.consumers {
			links = append(links, k.servers[i])
		}
	}
	hold := between(r, time.Second, 8*time.Second)
	if r.IntN(2) == 0 {
		d := between(r, 20*time.Millisecond, time.Second)
		return onLinks(fmt.Sprintf("network %s - %s: %v late", name, to, d.Round(time.Millisecond)), name+" "+to, links, hold,
			func(p *netfault.Proxy) { p.Delay(d) })
	}
	rate := 500 + r.IntN(8000)
	return onLinks(fmt.Sprintf("network %s - %s: %d bytes/s", name, to, rate), name+" "+to, links, hold,
		func(p *netfault.Proxy) { p.Limit(rate) })
}

// drawClock sets the wall clock of a process wrong, and right again.
func drawClock(r *rand.Rand, c *cluster) fault {
	all := c.processes()
	p := all[r.IntN(len(all))]
	steps := []int64{1, 3, 10, 60, 3600, 86400, 10 * 365 * 86400}
	step := steps[r.IntN(len(steps))]
	if r.IntN(2) == 0 {
		step = -step
	}
	return fault{fmt.Sprintf("clock of %s: %+d s", p.name, step), []string{"clock of " + p.name}, between(r, 200*time.Millisecond, 8*time.Second),
		func() error { return p.stepClock(step) }, func() error { return unlessAbsent(p.stepClock(0)) }}
}

// drawDisk fills the disk of the server that has a small one.
func drawDisk(r *rand.Rand, c *cluster) fault {
	s := c.servers[0]
	f := fault{"disk of " + s.name + " full", []string{"disk"}, between(r, time.Second, 10*time.Second), nothing, nothing}
	f.begin = func() error {
		if !s.disk || s.pid() == 0 {
			return errAbsent
		}
		return absent(fillDisk(s.diskFile()))
	}
	f.end = func() error { return unlessAbsent(absent(os.Remove(s.diskFile()))) }
	return f
}

// unlessAbsent is for the end of a fault whose victim may have gone meanwhile.
func unlessAbsent(err error) error {
	if errors.Is(err, errAbsent) {
		return nil
	}
	return err
}

// absent makes errAbsent of the errors that mean that a process has gone.
func absent(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
		return errAbsent
	}
	return err
}

// touches says whether two faults have a target in common.
func touches(a, b []string) bool {
	return slices.ContainsFunc(a, func(t string) bool { return slices.Contains(b, t) })
}

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0)) }
