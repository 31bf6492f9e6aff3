package source

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
	"testing/iotest"

	"github.com/towpath-cdc/towpath/internal/binlog"
	"github.com/towpath-cdc/towpath/internal/mysql"
)

// packets frames payloads as a server does, from sequence number 1.
func packets(payloads ...[]byte) []byte {
	var out []byte
	seq := byte(1)
	for _, p := range payloads {
		for {
			n := min(len(p), maxPayload)
			out = append(out, byte(n), byte(n>>8), byte(n>>16), seq)
			out = append(out, p[:n]...)
			seq++
			p = p[n:]
			if n < maxPayload {
				break
			}
		}
	}
	return out
}

// testEvent is an event of that size, status byte in front.
func testEvent(size int) []byte {
	p := make([]byte, size+1)
	for i := range min(len(p), 251) {
		p[i] = byte(i * 7)
	}
	for n := 251; n < len(p); n *= 2 {
		copy(p[n:], p[:n])
	}
	p[0] = statusOK
	p[5] = byte(binlog.EventXID)
	binary.LittleEndian.PutUint32(p[10:], uint32(size))
	return p
}

// collect reads until the stream ends and returns copies of the events.
func collect(t testing.TB, r io.Reader, chunkSize, maxEvent int) ([][]byte, error) {
	t.Helper()
	f := newFramer(r, newChunkPool(chunkSize), maxEvent)
	defer f.close()
	var events [][]byte
	for {
		c, err := f.next()
		if err != nil {
			if _, again := f.next(); !errors.Is(again, err) {
				t.Errorf("second error %v, first %v", again, err)
			}
			return events, err
		}
		if c.Len() == 0 {
			t.Fatal("chunk without events")
		}
		for i := range c.Len() {
			events = append(events, bytes.Clone(c.Event(i)))
		}
		c.Release()
	}
}

func TestFramer(t *testing.T) {
	const chunk = 4 * minFreeToRead
	sizes := map[string][]int{
		"one":                 {30},
		"smallest":            {binlog.HeaderSize, binlog.HeaderSize},
		"many small":          {31, 40, 1000, 25, 64, 200, 19, 4000, 3000, 2000, 5000, 6000, 100},
		"larger than a block": {100, chunk * 3, 50, chunk - minFreeToRead - 6, chunk - minFreeToRead - 5, chunk - minFreeToRead - 4, chunk, 20},
		"one packet short":    {50, maxPayload - 2, 50},
		"exactly one packet":  {50, maxPayload - 1, 50},
		"several packets":     {50, 2*maxPayload + 77, 50},
	}
	readers := map[string]func(io.Reader) io.Reader{
		"whole":           func(r io.Reader) io.Reader { return r },
		"half":            iotest.HalfReader,
		"pieces":          func(r io.Reader) io.Reader { return &pieces{r: r, rnd: rand.New(rand.NewPCG(1, 2))} },
		"data with error": iotest.DataErrReader,
	}
	for name, list := range sizes {
		for how, wrap := range readers {
			t.Run(name+"/"+how, func(t *testing.T) {
				if list[len(list)/2] > 1<<22 && how != "whole" && how != "pieces" {
					t.Skip("the other readers tell enough of events this large")
				}
				var want [][]byte
				for _, n := range list {
					want = append(want, testEvent(n))
				}
				got, err := collect(t, wrap(bytes.NewReader(packets(want...))), chunk, defaultMaxEventSize)
				if !errors.Is(err, io.EOF) {
					t.Fatalf("ended with %v, want EOF", err)
				}
				if len(got) != len(want) {
					t.Fatalf("%d events, want %d", len(got), len(want))
				}
				for i := range got {
					if !bytes.Equal(got[i], want[i][1:]) {
						t.Errorf("event %d differs", i)
					}
				}
			})
		}
	}
}

// pieces reads a random few bytes at a time.
type pieces struct {
	r   io.Reader
	rnd *rand.Rand
}

func (p *pieces) Read(b []byte) (int, error) {
	return p.r.Read(b[:min(len(b), 1+p.rnd.IntN(70000))])
}

func TestFramerErrors(t *testing.T) {
	refusal := append([]byte{statusERR, 0xd4, 0x04}, "#HY000it is gone"...)
	ok := testEvent(40)
	wrongSequence := packets(ok, ok)
	wrongSequence[4+len(ok)+3] = 9
	for _, c := range []struct {
		name   string
		stream []byte
		events int
		want   func(error) bool
	}{
		{"error packet after an event", packets(ok, refusal), 1, func(err error) bool { return mysql.Code(err) == 1236 }},
		{"malformed error packet", packets([]byte{statusERR}), 0, func(err error) bool { return err.Error() == "malformed error packet" }},
		{"end of stream", packets(ok, []byte{statusEOF, 0, 0, 2, 0}), 1, func(err error) bool { return errors.Is(err, errEndOfStream) }},
		{"cut in a header", packets(ok)[:2], 0, func(err error) bool { return errors.Is(err, io.EOF) }},
		{"cut in an event", packets(ok, ok)[:60], 1, func(err error) bool { return errors.Is(err, io.EOF) }},
		{"empty packet", packets(nil), 0, func(err error) bool { return err.Error() == "packet is empty" }},
		{"too short", packets([]byte{0, 1, 2}), 0, func(err error) bool { return err != nil }},
		{"unknown status", packets([]byte{7}), 0, func(err error) bool { return err != nil }},
		{"sequence", wrongSequence, 1, func(err error) bool { return err.Error() == "packet has sequence number 9, want 2" }},
		{"too large", packets(testEvent(2 << 20)), 0, func(err error) bool { return err.Error() == "event is larger than 1048576 bytes" }},
		{"cut in a large event", packets(testEvent(1 << 19))[:1<<18], 0, func(err error) bool { return errors.Is(err, io.ErrUnexpectedEOF) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			events, err := collect(t, bytes.NewReader(c.stream), 4*minFreeToRead, 1<<20)
			if len(events) != c.events || !c.want(err) {
				t.Errorf("%d events and %v", len(events), err)
			}
		})
	}
}

// TestChunkOutlivesFramer: a chunk must keep its memory while the framer reads on.
func TestChunkOutlivesFramer(t *testing.T) {
	var want [][]byte
	for i := range 400 {
		want = append(want, testEvent(100+i))
	}
	f := newFramer(iotest.HalfReader(bytes.NewReader(packets(want...))), newChunkPool(4*minFreeToRead), defaultMaxEventSize)
	defer f.close()
	var kept []*Chunk
	for {
		c, err := f.next()
		if err != nil {
			break
		}
		kept = append(kept, c)
	}
	i := 0
	for _, c := range kept {
		for j := range c.Len() {
			if !bytes.Equal(c.Event(j), want[i][1:]) {
				t.Fatalf("event %d differs", i)
			}
			i++
		}
		c.Retain(1)
		c.Release()
		c.Release()
	}
	if i != len(want) {
		t.Errorf("%d events, want %d", i, len(want))
	}
}

func FuzzFramer(f *testing.F) {
	f.Add(packets(testEvent(30), testEvent(50)), uint16(3))
	f.Add(packets(testEvent(30), []byte{statusEOF, 0, 0, 2, 0}), uint16(100))
	f.Add(packets(append([]byte{statusERR, 0xd4, 0x04}, "#HY000it is gone"...)), uint16(1))
	f.Add([]byte{0xff, 0xff, 0xff, 1, 0, 0}, uint16(5))
	f.Fuzz(func(t *testing.T, stream []byte, piece uint16) {
		// However the bytes arrive, the events are the same.
		whole, err1 := collect(t, bytes.NewReader(stream), 4*minFreeToRead, 1<<20)
		cut, err2 := collect(t, &fixed{bytes.NewReader(stream), int(piece%5000) + 1}, 4*minFreeToRead, 1<<20)
		if len(whole) != len(cut) || (err1 == nil) != (err2 == nil) {
			t.Fatalf("%d events and %v, in pieces %d and %v", len(whole), err1, len(cut), err2)
		}
		for i := range whole {
			if !bytes.Equal(whole[i], cut[i]) {
				t.Fatalf("event %d differs", i)
			}
		}
	})
}

// fixed reads n bytes at a time.
type fixed struct {
	r io.Reader
	n int
}

func (f *fixed) Read(b []byte) (int, error) { return f.r.Read(b[:min(len(b), f.n)]) }

// endless repeats a stream of 255 packets, after which the sequence numbers begin anew
// with the last one's successor.
type endless struct {
	data []byte
	at   int
	left int
}

func (e *endless) Read(b []byte) (int, error) {
	if e.left <= 0 {
		return 0, io.EOF
	}
	n := copy(b[:min(len(b), e.left)], e.data[e.at:])
	e.at = (e.at + n) % len(e.data)
	e.left -= n
	return n, nil
}

func benchmarkFramer(b *testing.B, eventSize int) {
	var events [][]byte
	for range 256 { // a full turn of the sequence number
		events = append(events, testEvent(eventSize))
	}
	data := packets(events...)
	rounds := max(1, (64<<20)/len(data))
	b.SetBytes(int64(rounds * len(data)))
	b.ReportAllocs()
	pool := newChunkPool(defaultChunkSize)
	for b.Loop() {
		f := newFramer(&endless{data: data, left: rounds * len(data)}, pool, defaultMaxEventSize)
		for {
			c, err := f.next()
			if err != nil {
				break
			}
			c.Release()
		}
		if !errors.Is(f.err, io.EOF) {
			b.Fatal(f.err)
		}
		f.close()
	}
}

func BenchmarkFramer100(b *testing.B)  { benchmarkFramer(b, 100) }
func BenchmarkFramer1000(b *testing.B) { benchmarkFramer(b, 1000) }
func BenchmarkFramer8K(b *testing.B)   { benchmarkFramer(b, 8<<10) }
func BenchmarkFramer1M(b *testing.B)   { benchmarkFramer(b, 1<<20) }
