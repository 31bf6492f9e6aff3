package zktree

import (
	"slices"
	"testing"
)

func TestPaths(t *testing.T) {
	for got, want := range map[string]string{
		Server("10.0.0.1:11111"):          "/otter/canal/cluster/10.0.0.1:11111",
		Competitor("a-b.c", "10.0.0.1:1"): "/otter/canal/destinations/a-b.c/cluster/10.0.0.1:1",
		Running("example"):                "/otter/canal/destinations/example/running",
		Parse("example"):                  "/otter/canal/destinations/example/parse",
		Cursor("example", 1001):           "/otter/canal/destinations/example/1001/cursor",
		Filter("example", 1001):           "/otter/canal/destinations/example/1001/filter",
		RunningClient("example", 1001):    "/otter/canal/destinations/example/1001/running",
		Mark("example", 1001, 7):          "/otter/canal/destinations/example/1001/mark/0000000007",
		Lease("example", "5-1"):           "/towpath/destinations/example/lease-5-1",
		TowpathServer("10.0.0.1:11111"):   "/towpath/servers/10.0.0.1:11111",
		History("example"):                "/towpath/destinations/example/history",
		Move("example"):                   "/towpath/moves/example",
		Drain("10.0.0.1:11111"):           "/towpath/drain/10.0.0.1:11111",
	} {
		if got != want {
			t.Errorf("path %s, want %s", got, want)
		}
	}
}

func TestClientIDs(t *testing.T) {
	got := ClientIDs([]string{"running", "cluster", "1001", "parse", "32767", "32768", "-1", "+5", "", "7a"})
	if want := []int16{1001, 32767}; !slices.Equal(got, want) {
		t.Errorf("client ids %v, want %v", got, want)
	}
}

func TestServerRunning(t *testing.T) {
	if got := string(ServerRunning{Active: true, Address: "10.0.0.1:11111"}.Append(nil)); got != `{"active":true,"address":"10.0.0.1:11111"}` {
		t.Errorf("wrote %s", got)
	}
	for in, want := range map[string]ServerRunning{
		`{"active":true,"address":"10.0.0.1:11111"}`:          {true, "10.0.0.1:11111"},
		`{"active":false,"address":"10.0.0.1:11111","cid":7}`: {false, "10.0.0.1:11111"},
		` {"address":"h:1","something":{"new":[1]}} `:         {true, "h:1"},
	} {
		got, err := ParseServerRunning([]byte(in))
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v; want %+v", in, got, err, want)
		}
	}
	for _, in := range []string{"", " ", "null x", "[]", `{"address":5}`} {
		if _, err := ParseServerRunning([]byte(in)); err == nil {
			t.Errorf("%q: no error", in)
		}
	}
}

func TestClientRunning(t *testing.T) {
	for want, r := range map[string]ClientRunning{
		`{"active":true,"address":"10.0.0.9:51734","clientId":1001}`: {true, "10.0.0.9:51734", 1001},
		`{"active":true,"clientId":1001}`:                            {true, "", 1001},
	} {
		if got := string(r.Append(nil)); got != want {
			t.Errorf("wrote %s, want %s", got, want)
		}
		if back, err := ParseClientRunning([]byte(want)); err != nil || back != r {
			t.Errorf("%s: read %+v, %v", want, back, err)
		}
	}
}

func TestCheckDestination(t *testing.T) {
	for d, ok := range map[string]bool{"example": true, "a-b.c": true, "1001": true, "": false, "a/b": false, "..": false} {
		if err := CheckDestination(d); (err == nil) != ok {
			t.Errorf("%q: %v", d, err)
		}
	}
}

func FuzzServerRunning(f *testing.F) {
	f.Add([]byte(`{"active":true,"address":"10.0.0.1:11111"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := ParseServerRunning(b)
		if err != nil {
			return
		}
		if back, err := ParseServerRunning(r.Append(nil)); err != nil || back != r {
			t.Errorf("%q: %+v became %+v, %v", b, r, back, err)
		}
	})
}

func FuzzClientRunning(f *testing.F) {
	f.Add([]byte(`{"active":true,"address":"10.0.0.9:51734","clientId":1001}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := ParseClientRunning(b)
		if err != nil {
			return
		}
		if back, err := ParseClientRunning(r.Append(nil)); err != nil || back != r {
			t.Errorf("%q: %+v became %+v, %v", b, r, back, err)
		}
	})
}
