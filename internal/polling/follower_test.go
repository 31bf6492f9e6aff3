package polling

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/internal/testkit/admintest"
)

// target notes what it is told. A server text that begins with "bad" does not pass
// Check; one with "fails" does not start, and one with "fatal" leaves nothing running.
type target struct {
	mu      sync.Mutex
	done    []string
	stopped bool
	fatal   bool
	again   []string
	texts   func() Texts
}

func (x *target) note(what string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.done = append(x.done, what)
}

func (x *target) Check(server string) (Settings, error) {
	if strings.HasPrefix(server, "bad") {
		return Settings{}, errors.New("line 1 is bad")
	}
	s := Settings{Interval: 5 * time.Millisecond, Scan: !strings.Contains(server, "noscan")}
	if !s.Scan {
		s.Destinations = []string{"a"}
	}
	return s, nil
}

func (x *target) Use(server string) error {
	x.mu.Lock()
	fatal := x.fatal
	x.mu.Unlock()
	switch {
	case strings.HasPrefix(server, "fatal") && fatal:
		x.note("fatal")
		return fmt.Errorf("%w: fatal", ErrDown)
	case strings.HasPrefix(server, "fails"):
		return errors.New("the port is in use")
	}
	x.note("use " + strings.TrimSpace(server) + " with " + strings.TrimSuffix(strings.TrimSuffix(show(x.texts().Instances, nil), "|"), " "))
	return nil
}

func (x *target) Running() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return !x.stopped
}

func (x *target) Change(actions []Action) (again []string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, a := range actions {
		x.done = append(x.done, a.Op.String()+" "+a.Destination)
	}
	again, x.again = x.again, nil
	return again
}

func (x *target) set(f func()) {
	x.mu.Lock()
	defer x.mu.Unlock()
	f()
}

// story is a follower that runs.
type story struct {
	t      *testing.T
	admin  *admintest.Admin
	target *target
	f      *Follower
	log    *lockedBuffer
	seen   int // of target.done
	file   string
	stop   func()
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func newStory(t *testing.T) *story {
	return &story{t: t, admin: admintest.Start(t), file: filepath.Join(t.TempDir(), "canal-admin.cache"), stop: func() {}}
}

// eachAdmin tells a story with an admin that knows only Canal's questions, and with
// one of ours.
func eachAdmin(t *testing.T, tell func(t *testing.T, s *story)) {
	for name, summaries := range map[string]bool{"Canal's": false, "ours": true} {
		t.Run(name, func(t *testing.T) {
			s := newStory(t)
			s.admin.Summaries(summaries)
			tell(t, s)
		})
	}
}

// begin starts a follower, as in a new process.
func (s *story) begin() {
	s.target, s.log, s.seen = &target{}, &lockedBuffer{}, 0
	s.f = NewFollower(FollowerOptions{
		Client: NewClient(ClientOptions{Addresses: []string{"http://" + s.admin.Addr()}, User: admintest.User, Passwd: admintest.Hash,
			IP: "10.0.0.1", Port: 11110, Register: true}),
		Cache:  Cache{File: s.file, Admin: "a", Node: "10.0.0.1:11110"},
		Target: s.target, Name: "a", Logger: slog.New(slog.NewTextHandler(s.log, nil)), Retry: time.Millisecond, MaxRetry: 5 * time.Millisecond,
	})
	s.target.texts = s.f.Texts
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.f.Run(ctx)
	}()
	s.stop = func() {
		cancel()
		<-ended
	}
	s.t.Cleanup(s.stop)
}

// expect waits until the target has been told exactly these things more.
func (s *story) expect(want ...string) {
	s.t.Helper()
	s.eventually(fmt.Sprintf("told %q", want), func() bool {
		s.target.mu.Lock()
		defer s.target.mu.Unlock()
		return len(s.target.done) >= s.seen+len(want)
	})
	s.polls(2) // nothing comes after it
	s.target.mu.Lock()
	defer s.target.mu.Unlock()
	if got := s.target.done[s.seen:]; !slices.Equal(got, want) {
		s.t.Fatalf("told %q, want %q\n%s", got, want, s.log)
	}
	s.seen = len(s.target.done)
}

// polls waits until the admin has been asked n times more for the server's text, or
// for all at once.
func (s *story) polls(n int) {
	s.t.Helper()
	count := func() int { return max(s.asked("server_polling"), s.asked("towpath_polling")) }
	until := count() + n
	s.eventually("the admin is asked", func() bool { return count() >= until })
}

// asked is how often the admin was asked something.
func (s *story) asked(what string) (n int) {
	for _, r := range s.admin.Requests() {
		if strings.Contains(r, what) {
			n++
		}
	}
	return n
}

func (s *story) says(text string) {
	s.t.Helper()
	s.eventually("the log says "+text, func() bool { return strings.Contains(s.log.String(), text) })
}

func (s *story) eventually(what string, ok func() bool) {
	s.t.Helper()
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline:
			s.t.Fatalf("in vain: %s\n%q\n%s", what, s.target.done, s.log)
		case <-tick.C:
		}
	}
}

// TestFollower: the life of a server with its admin (P6, P7, P8, P10, C29).
func TestFollower(t *testing.T) { eachAdmin(t, followerLives) }

func followerLives(t *testing.T, s *story) {
	s.admin.Server("v1")
	s.admin.Instance("a", "1")
	s.begin()
	s.expect("use v1 with a=1\n")
	s.admin.Instance("b", "1")
	s.expect("start b")
	s.admin.Instance("a", "2")
	s.admin.Remove("b")
	s.eventually("both", func() bool { s.target.mu.Lock(); defer s.target.mu.Unlock(); return len(s.target.done) == 4 })
	s.seen = 4
	s.admin.Server("v2")
	s.expect("use v2 with a=2\n")
	// A server that its admin has forgotten runs on, with its instances.
	s.admin.Unknown(true)
	s.expect()
	// One instance is started anew, also while the admin lists none.
	s.f.Forget("a")
	s.expect("start a")
	s.admin.Unknown(false)
	s.f.Forget("a")
	s.expect("start a")
	// What could not be done is done again.
	s.target.set(func() { s.target.again = []string{"a"} })
	s.admin.Instance("a", "3")
	s.expect("reload a", "reload a")
	// Stopped on request: nothing is scanned, until there is a new text.
	s.target.set(func() { s.target.stopped = true })
	s.polls(1)
	s.admin.Instance("c", "1")
	s.expect()
	s.target.set(func() { s.target.stopped = false })
	s.expect("start c")
	if o := s.f.Origin(); o.Source != "admin" || o.Error != "" || o.MD5 == "" || o.AtMs == 0 {
		t.Errorf("origin %+v", o)
	}
}

// TestFollowerFirstQuestions: the first two have no MD5 and so register the server,
// the later ones do, and all name it (P1, P9).
func TestFollowerFirstQuestions(t *testing.T) {
	s := newStory(t)
	s.admin.Server("v1")
	s.begin()
	s.polls(4)
	var asked []string
	for _, r := range s.admin.Requests() {
		if strings.Contains(r, "server_polling") {
			asked = append(asked, r)
		}
	}
	const start = "/api/v1/config/server_polling?ip=10.0.0.1&port=11110&md5="
	for i, r := range asked[:4] {
		md5, ok := strings.CutSuffix(strings.TrimPrefix(r, start), "&register=1&cluster=&name=")
		if !ok || !strings.HasPrefix(r, start) || (md5 == "") != (i < 2) {
			t.Errorf("question %d: %s", i, r)
		}
	}
}

// TestFollowerWrongText: a text that cannot be used leaves the server as it is, and
// the next is tried.
func TestFollowerWrongText(t *testing.T) { eachAdmin(t, followerWrongText) }

func followerWrongText(t *testing.T, s *story) {
	s.admin.Server("v1")
	s.begin()
	s.expect("use v1 with ")
	for _, text := range []string{"bad", "fails"} {
		s.admin.Server(text)
		s.says("the server runs as before")
		s.expect()
		if o := s.f.Origin(); o.Source != "admin" || o.Error == "" {
			t.Errorf("%s: origin %+v", text, o)
		}
	}
	// A text with which neither it nor the one before starts is tried again.
	s.target.set(func() { s.target.fatal = true })
	s.admin.Server("fatal")
	s.says("it is tried again")
	s.eventually("several attempts", func() bool { s.target.mu.Lock(); defer s.target.mu.Unlock(); return len(s.target.done) > 3 })
	s.target.set(func() { s.target.fatal, s.target.done, s.seen = false, nil, 0 })
	s.expect("use fatal with ")
	s.admin.Server("v1")
	s.expect("use v1 with ")
	if o := s.f.Origin(); o.Error != "" {
		t.Errorf("origin %+v", o)
	}
	if n := strings.Count(s.log.String(), "tried again"); n > 2 {
		t.Errorf("it is said %d times", n)
	}
}

// TestFollowerAdminAway: said once when it begins and once when it is over.
func TestFollowerAdminAway(t *testing.T) { eachAdmin(t, followerAdminAway) }

func followerAdminAway(t *testing.T, s *story) {
	s.admin.Server("v1")
	s.admin.Instance("a", "1")
	s.begin()
	s.expect("use v1 with a=1\n")
	s.admin.Down(true)
	s.says("scan failed")
	s.expect()
	if o := s.f.Origin(); !strings.Contains(o.Error, "requestGet remote error, request : http://") || o.Source != "admin" {
		t.Errorf("origin %+v", o)
	}
	s.f.Forget("a")
	s.expect("start a")
	s.admin.Refuse("auth :admin is failed")
	s.admin.Down(false)
	s.says("requestGet for canal config error: auth :admin is failed")
	s.admin.Refuse("")
	s.says("the admin answers again")
	s.expect()
	if n := strings.Count(s.log.String(), "scan failed"); n != 2 {
		t.Errorf("the trouble is told %d times\n%s", n, s.log)
	}
	if o := s.f.Origin(); o.Error != "" {
		t.Errorf("origin %+v", o)
	}
}

// TestFollowerCache: a start while the admin is away, and what happens when it is back.
func TestFollowerCache(t *testing.T) { eachAdmin(t, followerCache) }

func followerCache(t *testing.T, s *story) {
	s.admin.Server("v1")
	s.admin.Instance("a", "1")
	s.begin()
	s.expect("use v1 with a=1\n")
	s.admin.Instance("b", "1")
	s.expect("start b")
	s.stop()
	s.admin.Down(true)

	s.begin()
	s.eventually("told", func() bool { s.target.mu.Lock(); defer s.target.mu.Unlock(); return len(s.target.done) > 0 })
	s.expect("use v1 with a=1\n b=1\n")
	if o := s.f.Origin(); o.Source != "cache" || o.Error == "" || o.AtMs == 0 {
		t.Errorf("origin %+v", o)
	}
	s.admin.Remove("b")
	s.admin.Down(false)
	s.expect("use v1 with a=1\n b=1\n", "stop b") // the target knows that it has this text
	if o := s.f.Origin(); o.Source != "admin" || o.Error != "" {
		t.Errorf("origin %+v", o)
	}
	s.stop()

	// A text that is wrong when the server starts: the one before is used.
	s.admin.Server("bad")
	s.begin()
	s.expect("use v1 with a=1\n")
	s.admin.Server("v2")
	s.expect("use v2 with a=1\n")
	s.stop()

	// An admin that answers and does not know the server is believed.
	s.admin.Unknown(true)
	s.begin()
	s.says("managerAddress:a can't not found config for [10.0.0.1:11110]")
	s.expect()
	s.stop()
}

// TestFollowerWithoutCache: the server waits for its admin (P2, P3, P4).
func TestFollowerWithoutCache(t *testing.T) {
	for name, damage := range map[string]bool{"none": false, "damaged": true} {
		t.Run(name, func(t *testing.T) {
			s := newStory(t)
			if damage {
				if err := os.WriteFile(s.file, []byte("what is this"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			s.admin.Down(true)
			s.begin()
			s.says("## Something goes wrong when starting up the canal Server:")
			s.says("load manager config failed.: requestGet remote error, request : http://")
			if damage {
				s.says("cannot be read, and is not used")
			}
			s.admin.Down(false)
			s.says("requestGet for canal config error: canal.properties config is empty")
			s.expect()
			if o := s.f.Origin(); o.Source != "" || o.Error == "" {
				t.Errorf("origin %+v", o)
			}
			s.admin.Server("fails")
			s.says("the port is in use")
			s.admin.Server("v1")
			s.expect("use v1 with ")
			if n := strings.Count(s.log.String(), "## Something goes wrong"); n != 3 {
				t.Errorf("the troubles are told %d times\n%s", n, s.log)
			}
		})
	}
}

// TestFollowerWithoutScan: without canal.auto.scan the listed destinations count.
func TestFollowerWithoutScan(t *testing.T) { eachAdmin(t, followerWithoutScan) }

func followerWithoutScan(t *testing.T, s *story) {
	s.admin.Server("noscan")
	s.admin.Instance("a", "1")
	s.admin.Instance("b", "1")
	s.begin()
	s.expect("use noscan with a=1\n")
	s.admin.Instance("a", "2")
	s.admin.Server("noscan 2")
	s.expect("use noscan 2 with a=2\n")
}

// TestLook: all that an admin says, once.
func TestLook(t *testing.T) {
	admin := admintest.Start(t)
	c := NewClient(ClientOptions{Addresses: []string{"http://" + admin.Addr()}, User: admintest.User, Passwd: admintest.Hash})
	defer c.Close()
	check := (&target{}).Check
	if _, err := Look(t.Context(), c, check); err == nil || !strings.Contains(err.Error(), "config is empty") {
		t.Errorf("without a configuration: %v", err)
	}
	admin.Server("v1")
	admin.Instance("a", "1")
	admin.Instance("b", "2")
	got, err := Look(t.Context(), c, check)
	if err != nil || got.Server.Content != "v1\n" || len(got.Instances) != 2 || got.Contents()["b"] != "2\n" {
		t.Errorf("got %+v, %v", got, err)
	}
	admin.Server("noscan")
	if got, err = Look(t.Context(), c, check); err != nil || len(got.Instances) != 1 {
		t.Errorf("without a scan: %+v, %v", got, err)
	}
	admin.Server("bad")
	if _, err = Look(t.Context(), c, check); err == nil || err.Error() != "line 1 is bad" {
		t.Errorf("a bad text: %v", err)
	}
	admin.Unknown(true)
	if _, err = Look(t.Context(), c, check); err == nil || !strings.Contains(err.Error(), "does not know this server") {
		t.Errorf("an unknown server: %v", err)
	}
	for _, r := range admin.Requests() {
		if strings.Contains(r, "register=1") {
			t.Errorf("looking registers: %s", r)
		}
	}
}
