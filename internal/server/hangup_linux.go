package server

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// hangupSensor returns a function that says whether the other end of conn has
// closed it. It looks past what has come and was not read: pipelined requests.
func hangupSensor(conn net.Conn) func() bool {
	c, ok := conn.(syscall.Conn)
	if !ok {
		return func() bool { return false }
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return func() bool { return false }
	}
	var gone bool
	poll := make([]unix.PollFd, 1)
	look := func(fd uintptr) {
		poll[0] = unix.PollFd{Fd: int32(fd), Events: unix.POLLRDHUP}
		n, err := unix.Poll(poll, 0)
		gone = err == nil && n > 0 && poll[0].Revents&(unix.POLLRDHUP|unix.POLLHUP|unix.POLLERR) != 0
	}
	return func() bool {
		gone = false
		return raw.Control(look) == nil && gone
	}
}
