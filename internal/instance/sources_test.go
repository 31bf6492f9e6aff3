package instance

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/internal/source"
	"github.com/towpath-cdc/towpath/internal/testkit/mysqltest"
	"github.com/towpath-cdc/towpath/protocol"
)

const groupXML = "canal.instance.global.spring.xml = classpath:spring/group-instance.xml"

// named is a fake server whose files have a name of their own.
func named(t *testing.T, base string, n int) *mysqltest.Server {
	s := database(t, 0)
	s.Log = mysqltest.NewLog(base, 1_700_000_000)
	for i := range n {
		s.Log.Transaction(1_700_000_000+uint32(i), binary.LittleEndian.AppendUint32([]byte{0}, uint32(i)))
	}
	return s
}

// group writes the instance.properties of a destination that reads several servers
// from the begin of their logs.
func (in *installation) group(name string, servers ...*mysqltest.Server) {
	in.t.Helper()
	lines := []string{"canal.instance.dbUsername = canal", "canal.instance.dbPassword = canal"}
	for i, s := range servers {
		prefix := fmt.Sprintf("canal.instance.master%d.", i+1)
		file := s.Log.End().File
		lines = append(lines, prefix+"address = "+s.Address(), prefix+"journal.name = "+file, prefix+"position = 4")
	}
	in.write(name+"/instance.properties", lines...)
}

// entriesOf takes n entries and acks them.
func entriesOf(t *testing.T, i *Instance, n int) (all []*protocol.Entry) {
	t.Helper()
	for len(all) < n {
		d, err := i.Get(t.Context(), reader, 1, 10*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if d.Count == 0 {
			t.Fatalf("%d entries are missing", n-len(all))
		}
		for _, b := range d.Buffers {
			for len(b) > 0 {
				size, head := binary.Uvarint(b[1:]) // behind the tag
				end := 1 + head + int(size)
				e, err := protocol.ParseEntry(bytes.Clone(b[1+head : end]))
				if err != nil {
					t.Fatal(err)
				}
				all, b = append(all, &e), b[end:]
			}
		}
		d.Release()
		if err := i.Ack(t.Context(), reader, d.BatchID); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// places are where the rows of entries come from, by the base name of their files.
// Within one name they must be in order, and no transaction inside another.
func places(t *testing.T, entries []*protocol.Entry) map[string][]int64 {
	t.Helper()
	by := map[string][]int64{}
	open := ""
	for _, e := range entries {
		base, _, _ := strings.Cut(e.Header().LogfileName(), ".")
		if open != "" && open != base {
			t.Errorf("an entry of %s inside a transaction of %s", base, open)
		}
		switch e.EntryType() {
		case protocol.EntryTransactionBegin:
			open = base
		case protocol.EntryTransactionEnd:
			open = ""
		case protocol.EntryRowData:
			at := e.Header().LogfileOffset()
			if old := by[base]; len(old) > 0 && old[len(old)-1] >= at {
				t.Errorf("%s: %d after %d", base, at, old[len(old)-1])
			}
			by[base] = append(by[base], at)
		}
	}
	return by
}

// TestGroup reads two sources, stops when more of the one than of the other has been
// confirmed, and goes on with each where it was.
func TestGroup(t *testing.T) {
	in := install(t, groupXML)
	a, b := named(t, "a-bin", 40), named(t, "b-bin", 20)
	in.group("example", a, b)
	i := in.start("example")
	if err := i.Subscribe(t.Context(), reader); err != nil {
		t.Fatal(err)
	}
	got := places(t, entriesOf(t, i, 3*60))
	if len(got["a-bin"]) != 40 || len(got["b-bin"]) != 20 {
		t.Fatalf("%d of a, %d of b", len(got["a-bin"]), len(got["b-bin"]))
	}
	if st := i.Status(); len(st.Sources) != 2 || st.Sources[1].Master != b.Address() || st.Sources[0].Read.Events == 0 || st.Read.Events <= st.Sources[0].Read.Events {
		t.Errorf("status %+v", st)
	}
	if err := in.Stop("example"); err != nil {
		t.Fatal(err)
	}
	a.Log.Transaction(1_700_000_100, []byte{0, 9, 0, 0, 0})
	b.Log.Transaction(1_700_000_100, []byte{0, 9, 0, 0, 0})
	b.Log.Transaction(1_700_000_101, []byte{0, 9, 0, 0, 0})
	i = in.start("example")
	more := places(t, entriesOf(t, i, 3*3))
	if len(more["a-bin"]) != 1 || len(more["b-bin"]) != 2 || more["a-bin"][0] <= got["a-bin"][39] || more["b-bin"][0] <= got["b-bin"][19] {
		t.Errorf("after the restart: %v", more)
	}
}

// TestGroupIdleSource: of the second source nothing has been confirmed when the
// server stops. What comes meanwhile is found all the same.
func TestGroupIdleSource(t *testing.T) {
	in := install(t, groupXML)
	a, b := named(t, "a-bin", 3), named(t, "b-bin", 5)
	in.write("example/instance.properties", "canal.instance.dbUsername = canal", "canal.instance.dbPassword = canal",
		"canal.instance.master1.address = "+a.Address(), "canal.instance.master2.address = "+b.Address(), // from their ends on
		"canal.instance.master1.journal.name = a-bin.000001", "canal.instance.master1.position = 4")
	i := in.start("example")
	until(t, "both dumps", func() bool { return i.Status().Read.Dumps == 2 })
	if err := i.Subscribe(t.Context(), reader); err != nil {
		t.Fatal(err)
	}
	entriesOf(t, i, 3*3)
	if err := in.Stop("example"); err != nil {
		t.Fatal(err)
	}
	b.Log.Transaction(1_700_000_100, []byte{0, 9, 0, 0, 0})
	i = in.start("example")
	if got := places(t, entriesOf(t, i, 3)); len(got["b-bin"]) != 1 {
		t.Errorf("got %v", got)
	}
}

// TestGroupRenumbered changes the numbers of the sources: the addresses count.
func TestGroupRenumbered(t *testing.T) {
	in := install(t, groupXML)
	a, b := named(t, "a-bin", 3), named(t, "b-bin", 2)
	in.group("example", a, b)
	i := in.start("example")
	if err := i.Subscribe(t.Context(), reader); err != nil {
		t.Fatal(err)
	}
	entriesOf(t, i, 3*5)
	for n, order := range [][]*mysqltest.Server{{b, a}, {a, b}, {b, a}} {
		in.group("example", order...)
		if err := in.Reload("example"); err != nil {
			t.Fatal(err)
		}
		i = in.Instance("example")
		server := []*mysqltest.Server{a, b}[n%2] // one goes on, the other stays where it is
		server.Log.Transaction(1_700_000_100+uint32(n), []byte{0, 9, 0, 0, 0})
		if got := places(t, entriesOf(t, i, 3)); len(got["a-bin"])+len(got["b-bin"]) != 1 {
			t.Errorf("round %d: %v", n, got)
		}
	}
	if d, err := i.Get(t.Context(), reader, 1, 50*time.Millisecond); err != nil || d.Count != 0 {
		t.Errorf("%d entries more, error %v", d.Count, err)
	}
}

// TestGroupSourceDown: a source that cannot be reached does not hold up the other,
// and the status tells of it.
func TestGroupSourceDown(t *testing.T) {
	in := install(t, groupXML)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = ln.Close() // nobody listens there now
	b := named(t, "b-bin", 4)
	in.write("example/instance.properties", "canal.instance.dbUsername = canal", "canal.instance.dbPassword = canal",
		"canal.instance.master1.address = "+ln.Addr().String(), "canal.instance.master2.address = "+b.Address(),
		"canal.instance.master2.journal.name = b-bin.000001", "canal.instance.master2.position = 4")
	i := in.start("example")
	if err := i.Subscribe(t.Context(), reader); err != nil {
		t.Fatal(err)
	}
	if got := places(t, entriesOf(t, i, 3*4)); len(got["b-bin"]) != 4 {
		t.Errorf("got %v", got)
	}
	until(t, "the state of the one that is down", func() bool { return i.Status().Source.Phase == source.PhaseWaiting })
	st := i.Status()
	if st.Source.Address != ln.Addr().String() || st.Sources[1].State.Phase != source.PhaseStreaming || st.Sources[0].Resume.File != "" {
		t.Errorf("status %+v", st.Sources)
	}
	in.logged("source=" + ln.Addr().String())
	if _, err := i.Locate(t.Context(), source.Target{End: true}); err == nil {
		t.Error("a place was found in one of two binlogs")
	}
}
