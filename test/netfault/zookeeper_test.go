package netfault

import (
	"encoding/binary"
	"testing"
)

func request(number, kind int32, body string) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(8+len(body)))
	b = binary.BigEndian.AppendUint32(b, uint32(number))
	b = binary.BigEndian.AppendUint32(b, uint32(kind))
	return append(b, body...)
}

func join(bs ...[]byte) (all []byte) {
	for _, b := range bs {
		all = append(all, b...)
	}
	return all
}

func TestZooKeeperRequest(t *testing.T) {
	ping := request(-2, 11, "")
	create := request(7, OpCreate, "/a/node/with/a/path")
	connect := request(0, OpCreate, "a session whose last transaction is of epoch 1")
	tests := []struct {
		name   string
		chunks [][]byte
		want   []bool
	}{
		{"alone", [][]byte{create}, []bool{true}},
		{"other kind", [][]byte{ping, request(8, OpSetData, "/a")}, []bool{false, false}},
		{"connect", [][]byte{connect, create}, []bool{false, true}},
		{"among others", [][]byte{join(ping, create, ping)}, []bool{true}},
		{"length first", [][]byte{create[:4], create[4:]}, []bool{false, true}},
		{"byte by byte", [][]byte{create[:1], create[1:9], create[9:20], create[20:]}, []bool{false, false, false, true}},
		{"end with the next", [][]byte{join(ping, create[:10]), join(create[10:], ping)}, []bool{false, true}},
		{"a new connection after a part", [][]byte{create[:10], create}, []bool{false, true}},
		{"no requests", [][]byte{[]byte("GET / HTTP/1.1\r\n"), []byte("\r\n"), create}, []bool{false, false, true}},
		{"empty", [][]byte{nil, create}, []bool{false, true}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			match := ZooKeeperRequest(OpCreate, OpCreate2)
			for i, c := range test.chunks {
				if got := match(c); got != test.want[i] {
					t.Errorf("chunk %d: %v", i, got)
				}
			}
		})
	}
}

// FuzzZooKeeperRequest reads any bytes, and finds a request with any body that
// comes in two pieces.
func FuzzZooKeeperRequest(f *testing.F) {
	f.Add([]byte("ruok"), 5)
	f.Add(request(1, OpMulti, "/a"), 10)
	f.Fuzz(func(t *testing.T, b []byte, at int) {
		foreign := ZooKeeperRequest(OpMulti)
		foreign(b)
		foreign(b)

		stream := join(request(1, OpCreate, string(b)), request(2, OpMulti, string(b)))
		at = min(max(at, 0), len(stream))
		match := ZooKeeperRequest(OpMulti)
		first, second := match(stream[:at]), match(stream[at:])
		if whole := at == len(stream); first != whole || second == whole {
			t.Errorf("found in the pieces: %v, %v", first, second)
		}
	})
}
