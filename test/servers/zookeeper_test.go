package servers

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/test/netfault"
)

// TestZooKeeper starts one server, writes to it and starts it again.
func TestZooKeeper(t *testing.T) {
	t.Parallel()
	z := ZooKeeperForTest(t, ZooKeeperOptions{})
	if out, err := z.CLI("create", "/a", "payload"); err != nil {
		t.Fatal(err, out)
	}
	cutAfterRequest(t, z)
	if err := z.Kill(0); err != nil {
		t.Fatal(err)
	}
	if _, err := z.Leader(); err == nil {
		t.Error("a killed server is the leader")
	}
	if err := z.Restart(0); err != nil {
		t.Fatal(err)
	}
	out, err := z.CLI("get", "/a")
	if err != nil || !strings.Contains(out, "payload") {
		t.Errorf("after a restart get /a = %q, %v", out, err)
	}
}

// cutAfterRequest breaks a connection between a request and its answer: the server
// carries the request out, the client is not told.
func cutAfterRequest(t *testing.T, z *ZooKeeper) {
	t.Helper()
	p := netfault.New(t, z.Addr())
	c, id, err := join(t.Context(), new(net.Dialer), p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if dump, err := z.FourLetter(0, "dump"); err != nil || !strings.Contains(dump, fmt.Sprintf("%#x", id)) {
		t.Fatalf("sessions before: %q, %v, want %#x among them", dump, err, id)
	}
	done := p.CutAfter(netfault.ZooKeeperRequest(opCloseSession))
	if _, err := c.Write(closeRequest()); err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(c); !errors.Is(err, syscall.ECONNRESET) || len(b) != 0 {
		t.Errorf("the answer is %q, %v, want a reset", b, err)
	}
	<-done
	// Left alone, the session would last 10 s.
	deadline := time.After(8 * time.Second)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		dump, err := z.FourLetter(0, "dump")
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(dump, fmt.Sprintf("%#x", id)) {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("the session %#x that was to be closed is still there: %s", id, dump)
		}
	}
}

// TestZooKeeperEnsemble kills the leader, sees another one, and brings the first
// back as a follower.
func TestZooKeeperEnsemble(t *testing.T) {
	t.Parallel()
	z := ZooKeeperForTest(t, ZooKeeperOptions{Servers: 3})
	proxy := z.Proxy(t)
	first, err := z.Leader()
	if err != nil {
		t.Fatal(err)
	}
	if err := z.Kill(first); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	second, err := z.AwaitLeader(ctx)
	if err != nil || second == first {
		t.Fatalf("leader after %d was killed: %d, %v", first, second, err)
	}
	for range z.Addrs() { // the proxy comes to the dead one, too
		c, _, err := join(ctx, new(net.Dialer), proxy)
		if err != nil {
			t.Fatalf("join through the proxy: %v", err)
		}
		c.Close()
	}
	if err := z.Restart(first); err != nil {
		t.Fatal(err)
	}
	if m, err := z.mode(ctx, first); m != "follower" {
		t.Errorf("the first leader came back as %q, %v", m, err)
	}
}

func TestZooKeeperTLS(t *testing.T) {
	t.Parallel()
	z := ZooKeeperForTest(t, ZooKeeperOptions{TLS: true, ClientCertificate: true})
	c, id, err := join(t.Context(), &tls.Dialer{Config: z.TLSConfig()}, z.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	anonymous := z.TLSConfig()
	anonymous.Certificates = nil
	if _, _, err := join(t.Context(), &tls.Dialer{Config: anonymous}, z.Addr()); err == nil {
		t.Error("joined without a certificate")
	}

	if err := z.Pause(0); err != nil {
		t.Fatal(err)
	}
	if err := z.Resume(0); err != nil {
		t.Fatal(err)
	}
	if err := z.ExpireSession(id); err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(c); err != nil || len(b) != 0 {
		t.Errorf("the connection of an expired session: %q, %v, want its end", b, err)
	}
	if err := z.ExpireSession(id); !errors.Is(err, errNoSession) {
		t.Errorf("expire again: %v", err)
	}
}

// join opens a new session and checks that its password is what its id makes it.
func join(ctx context.Context, d interface {
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
}, addr string) (net.Conn, int64, error) {
	c, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, 0, err
	}
	id, err := greet(c)
	if err != nil {
		c.Close()
		return nil, 0, err
	}
	return c, id, nil
}

func greet(c net.Conn) (id int64, err error) {
	if _, err := c.Write(joinRequest(0)); err != nil {
		return 0, err
	}
	answer, err := readFrame(c)
	if err != nil {
		return 0, err
	}
	id = int64(binary.BigEndian.Uint64(answer[8:]))
	if want := sessionPassword(id); !bytes.Equal(answer[20:36], want[:]) {
		return 0, errors.New("the session has another password than its id tells")
	}
	return id, nil
}
