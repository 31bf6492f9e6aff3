package protocol

import (
	"bytes"
	"encoding/hex"
	"errors"
	"reflect"
	"strings"
	"testing"
)

// unhex reads bytes written as spaced hex.
func unhex(tb testing.TB, s string) []byte {
	tb.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

const exampleClient = "0a 07 65 78 61 6d 70 6c 65 12 04 31 30 30 31"

// goldens are packets as Canal's Java classes write them, without the frame.
var goldens = []struct {
	name    string
	reply   bool // written by the server, with a version
	message Message
	hex     string
}{
	{"success", true, &Ack{}, "10 01 18 03"},
	{"error", true, &Ack{ErrorCode: Some[int32](400), ErrorMessage: "x"}, "10 01 18 03 2a 06 08 90 03 12 01 78"},
	{"handshake", true, &Handshake{Seeds: []byte{1, 2, 3, 4, 5, 6, 7, 8}}, "10 01 18 01 2a 0a 12 08 01 02 03 04 05 06 07 08"},
	{"nothing", true, &Messages{BatchID: NoBatch}, "10 01 18 07 2a 0b 08 ff ff ff ff ff ff ff ff ff 01"},
	{"auth", false, &ClientAuth{NetReadTimeout: Some[int32](3600000), NetWriteTimeout: Some[int32](3600000)},
		"18 02 2a 0a 18 80 dd db 01 20 80 dd db 01"},
	{"subscription", false, &Sub{Destination: "example", ClientID: "1001"}, "18 04 2a 0f " + exampleClient},
	{"get", false, &Get{Destination: "example", ClientID: "1001", FetchSize: 1000, Timeout: Some[int64](-1), Unit: Some[int32](2), AutoAck: Some(false)},
		"18 06 2a 21 " + exampleClient + " 18 e8 07 20 ff ff ff ff ff ff ff ff ff 01 28 02 30 00"},
	{"ack of nothing", false, &ClientAck{Destination: "example", ClientID: "1001", BatchID: NoBatch},
		"18 08 2a 1a " + exampleClient + " 18 ff ff ff ff ff ff ff ff ff 01"},
	{"rollback of all", false, &ClientRollback{Destination: "example", ClientID: "1001"}, "18 0c 2a 0f " + exampleClient},
}

func TestGoldenPackets(t *testing.T) {
	for _, g := range goldens {
		t.Run(g.name, func(t *testing.T) {
			appendTo := AppendRequest
			if g.reply {
				appendTo = AppendReply
			}
			packet := unhex(t, g.hex)
			want := AppendFrame(nil, packet)
			if got := appendTo([]byte("kept"), g.message); !bytes.Equal(got, append([]byte("kept"), want...)) {
				t.Errorf("got  %x\nwant %x", got, want)
			}
			p, err := ParsePacket(packet)
			if err != nil {
				t.Fatal(err)
			}
			if p.Type != g.message.PacketType() || p.Version.Set != g.reply {
				t.Errorf("parsed packet %+v", p)
			}
			if again := p.Append(nil); !bytes.Equal(again, packet) {
				t.Errorf("re-encoded %x, want %x", again, packet)
			}
			m, err := parseBody(p)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(m, g.message) {
				t.Errorf("parsed %#v, want %#v", m, g.message)
			}
		})
	}
}

// parseBody parses the body of p as its type says; nil for types without a message.
func parseBody(p Packet) (Message, error) {
	switch p.Type {
	case TypeHandshake:
		m, err := ParseHandshake(p.Body)
		return &m, err
	case TypeClientAuth:
		m, err := ParseClientAuth(p.Body)
		return &m, err
	case TypeAck:
		m, err := ParseAck(p.Body)
		return &m, err
	case TypeSubscription:
		m, err := ParseSub(p.Body)
		return &m, err
	case TypeUnsubscription:
		m, err := ParseUnsub(p.Body)
		return &m, err
	case TypeGet:
		m, err := ParseGet(p.Body)
		return &m, err
	case TypeMessages:
		m, err := ParseMessages(p.Body)
		return &m, err
	case TypeClientAck:
		m, err := ParseClientAck(p.Body)
		return &m, err
	case TypeClientRollback:
		m, err := ParseClientRollback(p.Body)
		return &m, err
	}
	return nil, nil
}

func TestMessagesHead(t *testing.T) {
	entries := [][]byte{bytes.Repeat([]byte{7}, 300), {}, {1}}
	for _, id := range []int64{1, 127, 128, 1 << 40, -1} {
		m := Messages{BatchID: id, Messages: entries}
		body := m.Append(nil)
		var framed []byte
		for _, e := range entries {
			framed = (&Messages{Messages: [][]byte{e}}).appendEntries(framed)
		}
		packet := Packet{Type: TypeMessages, Body: body}
		want := AppendFrame(nil, packet.Append(nil))
		got := append(AppendMessagesHead(nil, id, len(framed)), framed...)
		if !bytes.Equal(got, want) {
			t.Errorf("batch %d: got %x\nwant %x", id, got[:20], want[:20])
		}
	}
}

func TestParseSkipsUnknownFields(t *testing.T) {
	// Fields 100 to 103 in each wire type, and a group; fields 1 and 3 with
	// wire types they do not have.
	extra := unhex(t, "a0 06 05 a9 06 01 02 03 04 05 06 07 08 b2 06 01 41 bd 06 01 02 03 04 c3 06 08 01 c4 06 08 07 1a 01 41")
	want := Get{Destination: "example", ClientID: "1001", FetchSize: 5, Unit: Some[int32](0)}
	got, err := ParseGet(append(extra, want.Append(nil)...))
	if err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
}

func TestParseMalformed(t *testing.T) {
	for _, s := range []string{"0a", "0a 05 41", "08", "00", "0c", "80 80 80 80 80 80 80 80 80 80 01", "0a 01 ff"} {
		if _, err := ParseSub(unhex(t, s)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: error %v, want ErrMalformed", s, err)
		}
	}
}

func TestPresence(t *testing.T) {
	m, err := ParseGet(nil)
	if err != nil || m.Timeout.Set || m.Unit.Set || m.AutoAck.Set {
		t.Errorf("empty Get reads %+v, %v", m, err)
	}
	m, err = ParseGet(unhex(t, "20 00 28 00 30 00"))
	if err != nil || !m.Timeout.Set || !m.Unit.Set || !m.AutoAck.Set {
		t.Errorf("Get of zeros reads %+v, %v", m, err)
	}
}

func TestPacketTypeString(t *testing.T) {
	for typ, want := range map[PacketType]string{
		0: "PACKAGETYPECOMPATIBLEPROTO2", 2: "CLIENTAUTHENTICATION", 12: "CLIENTROLLBACK",
		13: "UNRECOGNIZED", -1: "UNRECOGNIZED", 99: "UNRECOGNIZED",
	} {
		if got := typ.String(); got != want {
			t.Errorf("%d is %s, want %s", int32(typ), got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, g := range goldens {
		f.Add(unhex(f, g.hex))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ParsePacket(b)
		if err != nil {
			return
		}
		again, err := ParsePacket(p.Append(nil))
		if err != nil || !reflect.DeepEqual(again, p) && (len(p.Body) > 0 || again.Type != p.Type) {
			t.Fatalf("%+v encodes to what parses as %+v, %v", p, again, err)
		}
		for typ := range PacketType(len(packetTypeNames)) {
			m, err := parseBody(Packet{Type: typ, Body: b})
			if err != nil || m == nil {
				continue
			}
			body := m.Append(nil)
			again, err := parseBody(Packet{Type: typ, Body: body})
			if err != nil || !bytes.Equal(again.Append(nil), body) {
				t.Fatalf("%v: %+v encodes to what parses as %+v, %v", typ, m, again, err)
			}
		}
	})
}
