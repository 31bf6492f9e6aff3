package zk

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

func TestParseServers(t *testing.T) {
	for _, tc := range []struct {
		in      string
		servers []string
		chroot  string
		err     string
	}{
		{in: "h1:2181,h2:2182", servers: []string{"h1:2181", "h2:2182"}},
		{in: "h1:2181,h2:2181/chroot;h3:2181", servers: []string{"h1:2181", "h2:2181", "h3:2181"}, chroot: "/chroot"},
		{in: " h1 , h2:1 ; h3 /other ", servers: []string{"h1:2181", "h2:1", "h3:2181"}},
		{in: "h1/", servers: []string{"h1:2181"}},
		{in: "h1,;h2;", servers: []string{"h1:2181", "h2:2181"}},
		{in: "h1/a/b", servers: []string{"h1:2181"}, chroot: "/a/b"},
		{in: "[::1]:2182,[fe80::1%eth0],::1,10.0.0.1", servers: []string{"[::1]:2182", "[fe80::1%eth0]:2181", "[::1]:2181", "10.0.0.1:2181"}},
		{in: "", err: `zookeeper servers "": no server is named`},
		{in: " ; ,", err: `zookeeper servers " ; ,": no server is named`},
		{in: "h1:0", err: `zookeeper server "h1:0": port "0" is not a number from 1 to 65535`},
		{in: "h1:65536", err: `zookeeper server "h1:65536": port "65536" is not a number from 1 to 65535`},
		{in: "h1:", err: `zookeeper server "h1:": port "" is not a number from 1 to 65535`},
		{in: ":2181", err: `zookeeper server ":2181": not a host name or address`},
		{in: "h 1", err: `zookeeper server "h 1": not a host name or address`},
		{in: "h1:2181:2182", err: `zookeeper server "h1:2181:2182": more than one colon, and not an IPv6 address`},
		{in: "[::1:2181", err: `zookeeper server "[::1:2181": no ] after the address`},
		{in: "[::1]2181", err: `zookeeper server "[::1]2181": only :port may follow the ]`},
		{in: "h1/a/", err: `zookeeper chroot: path "/a/" has an empty or relative part`},
		{in: "h1/a//b", err: `zookeeper chroot: path "/a//b" has an empty or relative part`},
	} {
		servers, chroot, err := ParseServers(tc.in)
		message := ""
		if err != nil {
			message = err.Error()
		}
		if !slices.Equal(servers, tc.servers) || chroot != tc.chroot || message != tc.err {
			t.Errorf("%q: %q, %q, %s; want %q, %q, %s", tc.in, servers, chroot, message, tc.servers, tc.chroot, tc.err)
		}
	}
}

func TestCheckPath(t *testing.T) {
	for path, ok := range map[string]bool{
		"/": true, "/a": true, "/a/b.c/..d": true, "/é": true,
		"": false, "a": false, "/a/": false, "//": false, "/./a": false, "/a/..": false, "/a\x00b": false, "/\ue000": false,
	} {
		if err := checkPath(path); (err == nil) != ok {
			t.Errorf("%q: %v", path, err)
		}
	}
}

func TestChroot(t *testing.T) {
	c := Config{Chroot: "/app"}
	for path, want := range map[string]string{"/": "/app", "/a": "/app/a"} {
		if got := c.full(path); got != want {
			t.Errorf("%s is %s, want %s", path, got, want)
		}
		if got := c.strip(want); got != path {
			t.Errorf("%s is %s, want %s", want, got, path)
		}
	}
	if got := c.strip("/application"); got != "/application" {
		t.Errorf("a path outside the chroot is %s", got)
	}
	if none := (&Config{}); none.full("/") != "/" || none.strip("/") != "/" || none.strip("/a") != "/a" {
		t.Error("paths change without a chroot")
	}
}

func TestReadFrame(t *testing.T) {
	long := bytes.Repeat([]byte("0123456789"), 100_000)
	input := append(framed(long), framed([]byte("short"))...)
	input = append(input, framed(nil)...)
	r := iotest.HalfReader(bytes.NewReader(append(input, 0, 0, 0, 9, 1)))
	var buf []byte
	for _, want := range [][]byte{long, []byte("short"), {}} {
		var err error
		if buf, err = readFrame(r, buf); err != nil || !bytes.Equal(buf, want) {
			t.Fatalf("frame of %d bytes, %v; want %d", len(buf), err, len(want))
		}
	}
	if _, err := readFrame(r, buf); err != io.ErrUnexpectedEOF {
		t.Errorf("frame that was cut: %v", err)
	}
	if _, err := readFrame(r, buf); err != io.EOF {
		t.Errorf("end between frames: %v", err)
	}
}

// A length alone takes no memory.
func TestFrameMemory(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := readFrame(strings.NewReader("\x04\x00\x00\x00short"), nil)
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 64<<10 || err == nil {
		t.Errorf("%d bytes for a frame that did not come, %v", used, err)
	}
	if _, err := readFrame(strings.NewReader("\x04\x00\x00\x01"), nil); !errors.Is(err, errMalformed) {
		t.Errorf("frame over the limit: %v", err)
	}
}

func TestRotation(t *testing.T) {
	r := newRotation([]string{"a", "b", "c"})
	round := func() (servers []string) {
		for range 3 {
			server, _ := r.server()
			servers = append(servers, server)
		}
		return servers
	}
	for range 20 {
		got := round()
		slices.Sort(got)
		if !slices.Equal(got, []string{"a", "b", "c"}) {
			t.Fatalf("round of %v", got)
		}
	}
	if _, pause := r.server(); pause < lastPause/2 || pause > lastPause {
		t.Errorf("pause of %v after many rounds", pause)
	}
	for range 20 {
		r.held("b")
		if got := round(); got[2] != "b" {
			t.Fatalf("round of %v after the loss of b", got)
		}
	}
}

func TestErrors(t *testing.T) {
	for code, want := range map[int32]string{
		codeNoNode: "no such node",
		-8:         "server says: bad arguments",
		-999:       "server says: error -999",
	} {
		if got := codeError(code).Error(); got != want {
			t.Errorf("%d: %q, want %q", code, got, want)
		}
	}
	if EventDeleted.String() != "deleted" || EventType(9).String() != "event 9" {
		t.Error("names of events")
	}
}
