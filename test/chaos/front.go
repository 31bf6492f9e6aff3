package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
)

// front is one address behind which each program has a network of its own: it
// finds out which process a connection comes from, and passes it on to that
// one's proxy. A cursor names the database that it is for, so all servers have to
// know it by the same address.
type front struct {
	ln     net.Listener
	routes func() map[int]string // where connections of a process are passed on to

	wg     sync.WaitGroup
	mu     sync.Mutex
	closed bool
	open   map[net.Conn]struct{}
}

func newFront(routes func() map[int]string) (*front, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	f := &front{ln: ln, routes: routes, open: make(map[net.Conn]struct{})}
	f.wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			f.wg.Go(func() { f.serve(c) })
		}
	})
	return f, nil
}

func (f *front) addr() string { return f.ln.Addr().String() }

// close ends all connections and waits until nothing of the front runs.
func (f *front) close() error {
	err := f.ln.Close()
	f.mu.Lock()
	f.closed = true
	for c := range f.open {
		c.Close()
	}
	f.mu.Unlock()
	f.wg.Wait()
	return err
}

func (f *front) own(c net.Conn) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.closed {
		f.open[c] = struct{}{}
	}
	return !f.closed
}

func (f *front) disown(c net.Conn) {
	c.Close()
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.open, c)
}

func (f *front) serve(in net.Conn) {
	defer f.disown(in)
	target, ok := f.targetOf(in)
	if !ok {
		return
	}
	out, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	defer f.disown(out)
	if !f.own(in) || !f.own(out) {
		return
	}
	var copies sync.WaitGroup
	for _, way := range [][2]net.Conn{{in, out}, {out, in}} {
		copies.Go(func() {
			_, _ = io.Copy(way[1], way[0]) // either end ends both
			in.Close()
			out.Close()
		})
	}
	copies.Wait()
}

// targetOf finds the process at the other end of a connection; not ok when it has
// gone or is none of those that are known.
func (f *front) targetOf(c net.Conn) (string, bool) {
	table, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		return "", false
	}
	inode, ok := socketInode(string(table), c.RemoteAddr().(*net.TCPAddr).Port, c.LocalAddr().(*net.TCPAddr).Port)
	if !ok {
		return "", false
	}
	for pid, target := range f.routes() {
		if hasSocket(pid, inode) {
			return target, true
		}
	}
	return "", false
}

// socketInode finds a connection in /proc/net/tcp by the ports of its two ends.
func socketInode(table string, local, remote int) (inode string, ok bool) {
	for line := range strings.Lines(table) {
		// sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode …
		f := strings.Fields(line)
		if len(f) > 9 && hasPort(f[1], local) && hasPort(f[2], remote) {
			return f[9], true
		}
	}
	return "", false
}

func hasPort(address string, port int) bool {
	_, hex, _ := strings.Cut(address, ":")
	n, err := strconv.ParseUint(hex, 16, 16)
	return err == nil && int(n) == port
}

func hasSocket(pid int, inode string) bool {
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	files, err := os.ReadDir(dir)
	if err != nil {
		return false
	}
	for _, file := range files {
		if to, err := os.Readlink(dir + "/" + file.Name()); err == nil && to == "socket:["+inode+"]" {
			return true
		}
	}
	return false
}
