package client

import (
	"slices"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/internal/zk"
	"github.com/towpath-cdc/towpath/internal/zktree"
)

// Sessions of the tables below.
const (
	ourSession = 7
	another    = 8
)

func node(owner, czxid int64, holder string, active bool) sight {
	return sight{exists: true, stat: zk.Stat{EphemeralOwner: owner, Czxid: czxid},
		claim: claim{ClientRunning: zktree.ClientRunning{Active: active}, Holder: holder}}
}

// A candidate sees one thing after the other, seconds apart.
func TestCandidacy(t *testing.T) {
	const me = "me"
	type look struct {
		at   time.Duration
		see  sight
		do   step
		left time.Duration
	}
	missing := sight{}
	for name, script := range map[string][]look{
		"free at first": {
			{0, missing, take, 0},
			{0, node(ourSession, 1, me, true), keep, 0},
		},
		"deleted by hand": {
			{0, node(ourSession, 1, me, true), keep, 0},
			{1 * time.Second, missing, take, 0},
		},
		"java vanishes": {
			{0, node(another, 1, "", true), stay, 0},
			{9 * time.Second, missing, stay, 5 * time.Second},
			{12 * time.Second, missing, stay, 2 * time.Second},
			{14 * time.Second, missing, take, 0},
		},
		"java elects itself again": {
			{0, node(another, 1, "", true), stay, 0},
			{1 * time.Second, missing, stay, 5 * time.Second},
			{2 * time.Second, node(another, 2, "", true), stay, 0},
			{20 * time.Second, missing, stay, 5 * time.Second},
		},
		"towpath vanishes": {
			{0, node(another, 1, "other", true), stay, 0},
			{1 * time.Second, missing, take, 0},
		},
		"towpath after java": {
			{0, node(another, 1, "", true), stay, 0},
			{1 * time.Second, node(another, 2, "other", true), stay, 0},
			{2 * time.Second, missing, take, 0},
		},
		"told to give way by a stranger": {
			{0, node(another, 1, "other", true), stay, 0},
			{1 * time.Second, node(another, 1, "", false), stay, 0},
			{2 * time.Second, missing, take, 0},
		},
		"told to give way": {
			{0, node(ourSession, 1, me, true), keep, 0},
			{1 * time.Second, node(ourSession, 1, "", false), cede, 0},
			{1 * time.Second, missing, stay, 15 * time.Second},
			{6 * time.Second, node(another, 2, "", true), stay, 0},
			{14 * time.Second, missing, stay, 5 * time.Second},
			{19 * time.Second, missing, take, 0},
		},
		"nobody comes": {
			{0, node(ourSession, 1, me, false), cede, 0},
			{0, missing, stay, 15 * time.Second},
			{15 * time.Second, missing, take, 0},
		},
		"another of our process": {
			{0, node(ourSession, 1, "other", true), stay, 0},
			{1 * time.Second, node(ourSession, 1, "", false), stay, 0},
		},
		"of our last session": {
			{0, node(another, 1, me, true), stay, 0},
			{1 * time.Second, missing, take, 0},
		},
		"overwritten": {
			{0, node(ourSession, 1, me, true), keep, 0},
			{1 * time.Second, node(another, 2, "", true), stay, 0},
		},
		"by hand, for ever": {{0, node(0, 1, me, true), stay, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			c := candidacy{id: me}
			start := time.Now()
			for i, l := range script {
				if do, left := c.judge(l.see, ourSession, start.Add(l.at)); do != l.do || left != l.left {
					t.Errorf("look %d: step %d in %v, want %d in %v", i, do, left, l.do, l.left)
				}
			}
		})
	}
}

func TestClaim(t *testing.T) {
	c := claim{ClientRunning: zktree.ClientRunning{Active: true, Address: "10.0.0.9:5", ClientID: 1001}, Holder: "x"}
	const want = `{"active":true,"address":"10.0.0.9:5","clientId":1001,"towpath":"x"}`
	if got := string(c.encode()); got != want || parseClaim([]byte(want)) != c {
		t.Errorf("wrote %s, want %s", got, want)
	}
	java, err := zktree.ParseClientRunning([]byte(want))
	if err != nil || java != c.ClientRunning {
		t.Errorf("read as Canal's: %+v, %v", java, err)
	}
	for in, want := range map[string]claim{
		`{"active":false,"address":"10.0.0.9","clientId":1}`: {ClientRunning: zktree.ClientRunning{Address: "10.0.0.9", ClientID: 1}},
		`{}`:                         {ClientRunning: zktree.ClientRunning{Active: true}},
		"":                           {ClientRunning: zktree.ClientRunning{Active: true}},
		`{"active":5,"towpath":"x"}`: {ClientRunning: zktree.ClientRunning{Active: true}},
	} {
		if got := parseClaim([]byte(in)); got != want {
			t.Errorf("%s: %+v, want %+v", in, got, want)
		}
	}
}

func TestWhereabouts(t *testing.T) {
	start := time.Now()
	members := []string{"a:1", "b:1"}
	for name, tt := range map[string]struct {
		at    whereabouts
		after time.Duration // since it was asked for
		addrs []string
		wait  time.Duration
	}{
		"running":           {whereabouts{addr: "r:1", members: members}, 0, []string{"r:1"}, 0},
		"nothing":           {whereabouts{known: true}, time.Hour, nil, 0},
		"never run":         {whereabouts{known: true, members: members}, 0, nil, lazyPatience},
		"lazy":              {whereabouts{known: true, members: members}, lazyPatience, members, 0},
		"just given up":     {whereabouts{known: true, members: members, vanished: start}, time.Second, nil, electionPatience - time.Second},
		"given up":          {whereabouts{known: true, members: members, vanished: start}, electionPatience, members, 0},
		"given up long ago": {whereabouts{known: true, members: members, vanished: start.Add(-time.Hour)}, 0, nil, lazyPatience},
	} {
		addrs, wait := tt.at.pick(start, start.Add(tt.after))
		slices.Sort(addrs)
		if !slices.Equal(addrs, tt.addrs) || wait != tt.wait {
			t.Errorf("%s: %v in %v, want %v in %v", name, addrs, wait, tt.addrs, tt.wait)
		}
	}
}

func TestWhereaboutsUpdate(t *testing.T) {
	var w whereabouts
	now := time.Now()
	for i, u := range []struct {
		addr     string
		changed  bool
		vanished time.Time
	}{{"", true, time.Time{}}, {"", false, time.Time{}}, {"a", true, time.Time{}}, {"", true, now}, {"b", true, now}} {
		if changed := w.update(u.addr, now); changed != u.changed || !w.vanished.Equal(u.vanished) || w.addr != u.addr {
			t.Errorf("update %d: %v, %+v", i, changed, w)
		}
	}
}

func TestLease(t *testing.T) {
	for _, timeout := range []time.Duration{time.Second, 10 * time.Second, 40 * time.Second} {
		lease, renewal := leaseOf(timeout)
		if lag := timeout/4 + max(renewal, timeout/4); lease+lag > timeout || renewal*2 > lease {
			t.Errorf("%v: lease %v, renewed every %v", timeout, lease, renewal)
		}
	}
}

func FuzzClaim(f *testing.F) {
	f.Add([]byte(`{"active":true,"address":"10.0.0.9:51734","clientId":1001,"towpath":"x"}`))
	f.Add([]byte(`{"active":true,"address":"10.0.0.9","clientId":1001}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		c := parseClaim(b)
		if back := parseClaim(c.encode()); back != c {
			t.Errorf("%q: %+v became %+v", b, c, back)
		}
	})
}

func FuzzRunningAddr(f *testing.F) {
	f.Add([]byte(`{"active":true,"address":"10.0.0.1:11111"}`))
	f.Add([]byte(`{"address":"[::1]:11111"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if addr, err := runningAddr(b); (addr == "") != (err != nil) {
			t.Errorf("%q: %q, %v", b, addr, err)
		}
	})
}
