package server

import (
	"net"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/protocol"
)

// Canal's Java client writes the length and the packet one after the other with
// Nagle's algorithm on. Without the quick ack each request takes 40 ms more.
func TestClientWithNagle(t *testing.T) {
	_, addr := startServer(t, Options{}, fakeRegistry{instance: &fakeInstance{}})
	c := login(t, addr)
	if err := c.conn.(*net.TCPConn).SetNoDelay(false); err != nil {
		t.Fatal(err)
	}
	request := protocol.AppendRequest(nil, &protocol.Sub{Destination: "example", ClientID: "1001"})
	const requests = 50
	start := time.Now()
	for range requests {
		c.write(request[:protocol.HeaderLength])
		c.write(request[protocol.HeaderLength:])
		c.wantSuccess()
	}
	if d := time.Since(start); d > requests*30*time.Millisecond {
		t.Errorf("%d requests took %v", requests, d)
	}
}
