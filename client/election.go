package client

import (
	"encoding/json"
	"net"
	"time"

	"github.com/towpath-cdc/towpath/internal/zk"
	"github.com/towpath-cdc/towpath/internal/zktree"
)

const (
	// javaDelay is how long a process must leave the node alone after it vanished
	// under one with Canal's Java client: ClientRunningMonitor's delayTime, within
	// which a holder whose session ended by mishap elects itself again.
	javaDelay = 5 * time.Second
	// yieldDelay is how long a process that was asked to give way does not compete:
	// longer than javaDelay, so that the others come first.
	yieldDelay = 15 * time.Second
)

// claim is what is in the node of the process that consumes. Java's client does not
// know the last member and ignores it.
type claim struct {
	zktree.ClientRunning
	Holder string `json:"towpath,omitempty"` // tells the candidates apart; empty when not Towpath's
}

// parseClaim reads a claim. What cannot be read is Java's, whose delay is the longer.
func parseClaim(b []byte) claim {
	c := claim{ClientRunning: zktree.ClientRunning{Active: true}}
	if err := json.Unmarshal(b, &c); err != nil {
		return claim{ClientRunning: zktree.ClientRunning{Active: true}}
	}
	return c
}

func (c claim) encode() []byte {
	b, err := json.Marshal(c)
	if err != nil {
		return nil // strings, numbers and booleans always encode
	}
	return b
}

// sight is the node as it was seen.
type sight struct {
	exists bool
	stat   zk.Stat
	claim  claim
}

// step is what a candidate does next.
type step int

const (
	stay step = iota // until the node changes, or for a time
	take             // the node is free
	keep             // the node is ours
	cede             // the node is ours, and shall be another's
)

// candidacy decides what to do about the node. It does no I/O and reads no clock.
//
// A node is ours if our session owns it and it is the very node we created. The
// address in it proves nothing: it is the same for all processes of a host until they
// have connected to a server.
type candidacy struct {
	id       string    // Holder of our claims
	czxid    int64     // of our node, 0 when we have none
	seen     int64     // czxid of the last node of another
	foreign  bool      // whether that was not Towpath's
	vanished time.Time // when the node was first missed, zero while it is there
	barred   time.Time // not to compete before
}

// judge decides on what was seen in a session. For stay, 0 is until the node changes.
func (c *candidacy) judge(n sight, session int64, now time.Time) (step, time.Duration) {
	if !n.exists {
		return c.succeed(now)
	}
	c.vanished = time.Time{}
	if !c.ours(n, session) {
		// Whose it was when first seen stands: an operator who has the holder give
		// way may drop what he does not know.
		if n.stat.Czxid != c.seen {
			c.seen, c.foreign = n.stat.Czxid, n.claim.Holder == ""
		}
		c.czxid = 0
		return stay, 0
	}
	c.czxid, c.foreign = n.stat.Czxid, false
	if n.claim.Active {
		return keep, 0
	}
	c.barred = now.Add(yieldDelay)
	return cede, 0
}

func (c *candidacy) ours(n sight, session int64) bool {
	return n.exists && n.stat.EphemeralOwner == session && (n.stat.Czxid == c.czxid || n.claim.Holder == c.id)
}

// succeed decides when to take a node that is not there. Towpath's processes do not
// wait for one another, so that a hand-over between them is quick.
func (c *candidacy) succeed(now time.Time) (step, time.Duration) {
	c.czxid = 0
	if c.vanished.IsZero() {
		c.vanished = now
	}
	free := c.barred
	if t := c.vanished.Add(javaDelay); c.foreign && t.After(free) {
		free = t
	}
	if left := free.Sub(now); left > 0 {
		return stay, left
	}
	return take, 0
}

// leaseOf is for how long a session cannot have ended since ZooKeeper was asked for
// an answer that proves it, and how often to ask. The server we are connected to tells
// the leader, which ends sessions, only every half tick which of them it has heard of;
// a tick is at most half a session timeout. What it had heard before that half tick
// was from us at most a quarter of the timeout old, which is how often a client pings.
func leaseOf(timeout time.Duration) (lease, renewal time.Duration) {
	return timeout / 2, timeout / 6
}

// hostIP is the first address of this host that is not a loopback's, as Canal's
// AddressUtils picks it; 127.0.0.1 without one.
func hostIP() string {
	addrs, _ := net.InterfaceAddrs() // without any there is no other choice either
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && !n.IP.IsLoopback() && !n.IP.IsUnspecified() {
			return n.IP.String()
		}
	}
	return "127.0.0.1"
}
