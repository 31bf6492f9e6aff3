package fleet

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/towpath-cdc/towpath/internal/admin/database"
)

// javaServer answers like Canal's admin port, of AdminProtocol.proto only as much
// as a look needs: whoever comes is let in.
func javaServer(t *testing.T) string {
	return listen(t, func(c net.Conn) {
		var seeds []byte
		seeds = protowire.AppendTag(seeds, 2, protowire.BytesType)
		seeds = protowire.AppendBytes(seeds, []byte("12345678"))
		send(c, 1, seeds)
		if kind, _ := receive(c); kind != 2 {
			return
		}
		send(c, 3, nil)
		for {
			kind, action := receive(c)
			switch {
			case kind == 4 && action == "check":
				send(c, 3, ack(0, "1"))
			case kind == 4 && action == "list":
				send(c, 3, ack(0, "a,b"))
			case kind == 0:
				return
			default:
				send(c, 3, ack(300, "packet type: UNRECOGNIZED is NOT supported!"))
			}
		}
	})
}

func ack(code uint64, message string) []byte {
	var b []byte
	if code != 0 {
		b = protowire.AppendVarint(protowire.AppendTag(b, 1, protowire.VarintType), code)
	}
	return protowire.AppendString(protowire.AppendTag(b, 2, protowire.BytesType), message)
}

func send(w io.Writer, kind uint64, body []byte) {
	b := protowire.AppendVarint(protowire.AppendTag(make([]byte, 4), 2, protowire.VarintType), 1)
	b = protowire.AppendVarint(protowire.AppendTag(b, 3, protowire.VarintType), kind)
	b = protowire.AppendBytes(protowire.AppendTag(b, 4, protowire.BytesType), body)
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	_, _ = w.Write(b)
}

// receive reads a packet: its type, and the first field of its body when that is
// a text. 0 is the end.
func receive(r io.Reader) (kind uint64, text string) {
	head := make([]byte, 4)
	if _, err := io.ReadFull(r, head); err != nil {
		return 0, ""
	}
	b := make([]byte, binary.BigEndian.Uint32(head))
	if _, err := io.ReadFull(r, b); err != nil {
		return 0, ""
	}
	for len(b) > 0 {
		number, wire, n := protowire.ConsumeTag(b)
		b = b[max(n, 1):]
		switch {
		case number == 3 && wire == protowire.VarintType:
			kind, n = protowire.ConsumeVarint(b)
		case number == 4 && wire == protowire.BytesType:
			var body []byte
			body, n = protowire.ConsumeBytes(b)
			if _, wire, tag := protowire.ConsumeTag(body); tag > 0 && wire == protowire.BytesType {
				text, _ = protowire.ConsumeString(body[tag:])
			}
		default:
			n = protowire.ConsumeFieldValue(number, wire, b)
		}
		b = b[max(n, 1):]
	}
	return kind, text
}

// TestCanalServer: a server that does not know reports is asked with Canal's words.
func TestCanalServer(t *testing.T) {
	var port int32
	if _, err := fmt.Sscanf(javaServer(t), "127.0.0.1:%d", &port); err != nil {
		t.Fatal(err)
	}
	f := newFleet(t, &stored{})
	s := f.States(t.Context(), []database.Server{serverRow(1, port)}, answerTime)[1]
	if s.Status != StatusRunning || s.Kind != KindCanal || fmt.Sprint(s.Running) != "[a b]" || s.Report != nil || s.Err != nil {
		t.Errorf("state = %+v", s)
	}
	f.Close()
}

// TestServerWithoutReports: one of Towpath's that cannot report is asked so, too.
func TestServerWithoutReports(t *testing.T) {
	b := &backend{noReports: true}
	s := newFleet(t, nil).States(t.Context(), []database.Server{serverRow(1, serve(t, b))}, answerTime)[1]
	if s.Status != StatusRunning || s.Kind != KindTowpath || fmt.Sprint(s.Running) != "[listed]" {
		t.Errorf("state = %+v", s)
	}
}
