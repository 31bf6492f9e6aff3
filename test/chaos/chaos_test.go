package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/towpath-cdc/towpath/protocol"
	"github.com/towpath-cdc/towpath/test/servers"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent())
}

// TestChaosShort is a campaign of a minute, with a new seed each time. When it
// fails, its files are kept and named.
func TestChaosShort(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes more than a minute")
	}
	servers.Require(t, servers.MySQL80)
	servers.RequireZooKeeper(t)
	var out bytes.Buffer
	o, err := options{root: filepath.Join("..", ".."), faults: 20, duration: time.Minute, out: io.MultiWriter(&out, t.Output())}.prepare()
	if err == nil {
		o.root, err = filepath.Abs(o.root)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := runCampaign(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "clients have acked everything") {
		t.Error("the campaign ended early")
	}
}

// The deck has every kind of fault, and the same order for the same seed.
func TestDeck(t *testing.T) {
	draw := func(seed uint64) (names []string) {
		k := deck{r: newRand(seed)}
		for range 40 {
			names = append(names, k.next().name)
		}
		return names
	}
	first := fmt.Sprint(draw(7))
	if first != fmt.Sprint(draw(7)) || first == fmt.Sprint(draw(8)) {
		t.Error("the order does not follow from the seed")
	}
	for _, c := range cards {
		if !strings.Contains(first, c.name) {
			t.Errorf("%s never comes", c.name)
		}
	}
}

// A batch is recorded when it leaves the server, even if its client reads nothing,
// and is passed on as it was.
func TestTap(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	rec, err := newRecorder(filepath.Join(t.TempDir(), "h"))
	if err != nil {
		t.Fatal(err)
	}
	tap, err := newTap(ln.Addr().String(), rec)
	if err != nil {
		t.Fatal(err)
	}
	client, err := net.Dial("tcp", tap.addr())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	server, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	get := protocol.AppendRequest(nil, &protocol.Get{Destination: "d", ClientID: "1001"})
	exchange(t, client, server, get)
	exchange(t, server, client, protocol.AppendReply(nil, &protocol.Messages{BatchID: protocol.NoBatch}))
	exchange(t, client, server, get)
	exchange(t, server, client, protocol.AppendReply(nil, &protocol.Messages{BatchID: id(3, 5)}))
	if err := tap.close(); err != nil {
		t.Error(err)
	}
	if err := rec.close(); err != nil {
		t.Error(err)
	}
	events, err := readHistory(rec.file.Name())
	if err != nil || len(events) != 1 {
		t.Fatalf("recorded %+v, %v", events, err)
	}
	e := events[0]
	if e.Kind != kindHanded || e.Destination != "d" || e.Batch != id(3, 5) || e.Server != ln.Addr().String() || e.Asked == 0 || e.Asked > e.At {
		t.Errorf("recorded %+v", e)
	}
}

// exchange sends b and expects it at the other side.
func exchange(t *testing.T, from, to net.Conn, b []byte) {
	t.Helper()
	if _, err := from.Write(b); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(b))
	if err := to.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(to, got); err != nil || !bytes.Equal(got, b) {
		t.Fatalf("got %x, %v, want %x", got, err, b)
	}
}

// The front finds out that a connection is this process's.
func TestFront(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	var known atomic.Bool
	f, err := newFront(func() map[int]string {
		if !known.Load() {
			return map[int]string{0: "nowhere"}
		}
		return map[int]string{os.Getpid(): ln.Addr().String()}
	})
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := net.Dial("tcp", f.addr())
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	if _, err := stranger.Read(make([]byte, 1)); err == nil {
		t.Error("a stranger was let in")
	}
	known.Store(true)
	client, err := net.Dial("tcp", f.addr())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	server, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	exchange(t, client, server, []byte("x"))
	exchange(t, server, client, []byte("y"))
	if err := f.close(); err != nil {
		t.Error(err)
	}
}

func TestIsStopped(t *testing.T) {
	for stat, want := range map[string]bool{"12 (a b) T 1": true, "12 (T) S 1": false, "12 (x) t": false, "": false} {
		if isStopped([]byte(stat)) != want {
			t.Errorf("%q: %t", stat, !want)
		}
	}
}

func TestCatches(t *testing.T) {
	for status, want := range map[string]bool{
		"Name:\tx\nSigIgn:\t0\nSigCgt:\t0000000000000800\nCapInh:\t0\n": true,
		"Name:\tx\nSigCgt:\tfffffffffffff7ff\n":                         false,
		"":                                                              false,
	} {
		if catches(status, syscall.SIGUSR2) != want {
			t.Errorf("%q: %t", status, !want)
		}
	}
}
