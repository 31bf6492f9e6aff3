package differential

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/client"
	"github.com/towpath-cdc/towpath/protocol"
	"github.com/towpath-cdc/towpath/test/servers"
)

// TestLargestRow reads a row about as large as a server can log: its event has to
// fit into the largest max_allowed_packet, which is 1 GiB. It takes some GiB of
// memory, so it runs with -full only.
func TestLargestRow(t *testing.T) {
	if !*full {
		t.Skip("takes much memory: run with -full")
	}
	const size = 1<<30 - 4<<10
	db := servers.ForTest(t, servers.MySQL80, "max_allowed_packet=1G")
	s, err := newSession(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Quit()
	from, err := here(s)
	if err != nil {
		t.Fatal(err)
	}
	// The log of InnoDB would have to be larger than ten such rows.
	if err := s.exec("CREATE DATABASE d_limit", "CREATE TABLE d_limit.t (id INT PRIMARY KEY, v LONGTEXT CHARACTER SET ascii) ENGINE=MyISAM",
		fmt.Sprintf("INSERT INTO d_limit.t VALUES (1, REPEAT('limit...', %d)), (2, 'small')", size/8)); err != nil {
		t.Fatal(err)
	}
	port, _ := startTowpath(t, build(t), db, place{file: from.file})
	up, err := connect(t.Context(), port, "example")
	if err != nil {
		t.Fatal(err)
	}
	up.Close()
	c, err := client.Dial(t.Context(), client.Options{Addr: fmt.Sprintf("127.0.0.1:%d", port), Destination: "example", SOTimeout: 10 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Subscribe(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	var got []string
	for deadline := time.Now().Add(10 * time.Minute); len(got) < 2; {
		if time.Now().After(deadline) {
			t.Fatalf("%d rows", len(got))
		}
		b, err := c.GetWithoutAck(t.Context(), 1, time.Second)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, sizes(t, b)...)
		if err := c.Ack(b.ID()); err != nil {
			t.Fatal(err)
		}
	}
	if want := []string{fmt.Sprintf("1 of %d", size), "2 of 5"}; strings.Join(got, ", ") != strings.Join(want, ", ") {
		t.Errorf("rows %q, want %q", got, want)
	}
}

// sizes are the ids of a batch's inserted rows and the sizes of their values.
func sizes(t *testing.T, b *client.Batch) (out []string) {
	t.Helper()
	for e, err := range b.Entries() {
		if err != nil {
			t.Fatal(err)
		}
		if e.Header().EventType() != protocol.EventInsert {
			continue
		}
		change, err := e.RowChange()
		if err != nil {
			t.Fatal(err)
		}
		for row := range change.Rows() {
			id, _ := row.AfterColumn("id")
			v, _ := row.AfterColumn("v")
			if text := v.RawValue(); len(text)%8 == 0 && (string(text[:8]) != "limit..." || string(text[len(text)-8:]) != "limit..." || string(text[8:]) != string(text[:len(text)-8])) {
				t.Error("the value is another")
			}
			out = append(out, fmt.Sprintf("%s of %d", id.Value(), len(v.RawValue())))
		}
	}
	return out
}
