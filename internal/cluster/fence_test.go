package cluster

import (
	"testing"
	"time"
)

// handClock is a clock that is set by hand.
type handClock struct{ t time.Duration }

func (c *handClock) now() time.Duration { return c.t }

func TestFenceCountsFromTheHeartbeatBeforeTheLast(t *testing.T) {
	c := &handClock{t: 100 * time.Second}
	f := newFence(c.now)
	want := func(what string, left time.Duration) {
		t.Helper()
		if got := f.remaining(1); got != left {
			t.Errorf("%s: %v remain, want %v", what, got, left)
		}
	}
	want("without a session", 0)
	f.open(1, 10*time.Second, 99*time.Second)
	want("before the first heartbeat", 0)
	f.confirm(1, 100*time.Second)
	want("after the first heartbeat, from the session's beginning", 8*time.Second)
	c.t = 101 * time.Second
	f.confirm(1, 101*time.Second)
	want("after the second, from the first", 8*time.Second)
	c.t = 105 * time.Second
	want("four seconds on", 4*time.Second)
	f.confirm(2, 105*time.Second)
	want("after a heartbeat of another session", 4*time.Second)
	c.t = 109 * time.Second
	want("at the deadline", 0)
	f.confirm(1, 108*time.Second)
	want("a heartbeat that was late, from the one before it", time.Second) // 101 + 9 - 109
	f.shut(2)
	want("after the end of another session", time.Second)
	f.shut(1)
	want("after the session's end", 0)
}

func TestFenceNeverMovesBack(t *testing.T) {
	c := &handClock{}
	f := newFence(c.now)
	f.open(1, 10*time.Second, 0)
	f.confirm(1, 5*time.Second)
	f.confirm(1, 6*time.Second)
	before := f.remaining(1)
	f.confirm(1, 2*time.Second) // answered after the one sent later
	if got := f.remaining(1); got < before {
		t.Errorf("an old heartbeat moved the deadline from %v to %v", before, got)
	}
}

func TestShapeFollows(t *testing.T) {
	names := func(n ...string) map[string]bool {
		m := make(map[string]bool)
		for _, s := range n {
			m[s] = true
		}
		return m
	}
	then := shape{version: 7, names: names("cluster", "1001")}
	for what, c := range map[string]struct {
		now  shape
		want bool
	}{
		"the running node was deleted":                {shape{8, names("cluster", "1001")}, true},
		"and a client has come":                       {shape{9, names("cluster", "1001", "1002")}, true},
		"and a client has gone":                       {shape{9, names("cluster")}, true},
		"another owner came and went":                 {shape{10, names("cluster", "1001")}, false},
		"a client came and went, which looks as much": {shape{10, names("cluster", "1001")}, false},
		"the node was made anew":                      {shape{1, names("cluster")}, false},
	} {
		if got := c.now.follows(then); got != c.want {
			t.Errorf("%s: %v", what, got)
		}
	}
}

func TestSessionFileOfACrash(t *testing.T) {
	for _, b := range []string{"", "{", `{"session":0}`, "[]", `{"session":"x"}`} {
		if _, ok := parseSession([]byte(b)); ok {
			t.Errorf("%q was taken for a session", b)
		}
	}
}

func FuzzParseSession(f *testing.F) {
	f.Add([]byte(`{"session":72058467659415552,"password":"OM6VQmVPRGnWV4egtvJ0FQ==","address":"127.0.0.1:18111"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, ok := parseSession(b); ok && s.Session == 0 {
			t.Errorf("%q: session 0", b)
		}
	})
}

func FuzzParseOrder(f *testing.F) {
	f.Add([]byte(`{"to":"10.0.0.1:11111","by":"operator","at":1700000000000}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		o, err := ParseOrder(b)
		if err != nil {
			return
		}
		if back, err := ParseOrder(o.Append(nil)); err != nil || back != o {
			t.Errorf("%q: %+v became %+v, %v", b, o, back, err)
		}
	})
}

func FuzzParseServerInfo(f *testing.F) {
	f.Add([]byte(`{"version":"v1","started":1,"weight":2,"instances":3,"draining":true}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := ParseServerInfo(b); err != nil {
			return
		}
	})
}
