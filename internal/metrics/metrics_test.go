package metrics

import (
	"compress/gzip"
	"context"
	"flag"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/towpath-cdc/towpath/internal/config"
	"github.com/towpath-cdc/towpath/internal/server"
	"github.com/towpath-cdc/towpath/internal/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var update = flag.Bool("update", false, "rewrite the golden files")

var testNow = time.UnixMilli(1_700_000_010_000)

func testInstances() []InstanceStats {
	return []InstanceStats{
		{
			Destination: "example", Subscriptions: 1, Parallel: true,
			Parsers:      []ParserStats{{ReceivedBytes: 12_345_678, PublishBlocking: 1500 * time.Microsecond}},
			SinkBlocking: 2 * time.Second, LastExecTime: testNow.Add(-time.Second), Transactions: 7,
			Store: store.Stats{
				Slots: 16384, Mode: config.MemSize, PutSeq: 20, GetSeq: 10, AckSeq: -1,
				PutBytes: 4000, GetBytes: 2000, PutRows: 18, GetRows: 9,
				// The get cursor passed something newer last than the put cursor:
				// its delay still counts from the older of the two.
				PutTime: testNow.UnixMilli() - 3000, GetTime: testNow.UnixMilli() - 2000, AckTime: testNow.UnixMilli() - 5000,
				FullSince: testNow.Add(-250 * time.Millisecond),
			},
		},
		{
			Destination: `gr"oup\`, Parsers: []ParserStats{{ReceivedBytes: 1}, {ReceivedBytes: 2}},
			LastExecTime: testNow.Add(time.Minute),
			Store:        store.Stats{Slots: 4, Mode: config.ItemSize, PutSeq: -1, GetSeq: -1, AckSeq: -1, PutTime: testNow.UnixMilli() + 9, GetTime: testNow.UnixMilli(), AckTime: testNow.UnixMilli()},
		},
	}
}

func testClients() []server.ClientStats {
	return []server.ClientStats{{
		Destination: "example", Packets: map[string]uint64{"GET": 3, "CLIENTACK": 2}, Bytes: 99, EmptyBatches: 1,
		Errors: map[int]uint64{402: 1, 400: 5}, Latency: [5]uint64{1, 0, 2, 0, 3}, LatencySum: 1234.5,
	}}
}

func TestPage(t *testing.T) {
	for name, families := range map[string][]family{
		"full": append(append(instanceFamilies(testInstances(), testNow), clientFamilies(testClients())...),
			ownFamilies(testInstances(), 3, 1, testNow)...),
		"empty": append(instanceFamilies(nil, testNow), clientFamilies(nil)...),
	} {
		t.Run(name, func(t *testing.T) {
			got := string(render(families, nil))
			file := "testdata/" + name + ".txt"
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got:\n%s", got)
			}
		})
	}
}

// Serial instances have no publish blocking, and those that count items no memory.
func TestOmittedFamilies(t *testing.T) {
	page := string(render(instanceFamilies(testInstances()[1:], testNow), nil))
	for _, name := range []string{"canal_instance_publish_blocking_time", "canal_instance_store_produce_mem", "canal_instance_store_consume_mem"} {
		if strings.Contains(page, name) {
			t.Errorf("%s is there", name)
		}
	}
}

func TestAppendDouble(t *testing.T) {
	for want, v := range map[string]float64{
		"0.0": 0, "1.0": 1, "-1.0": -1, "2.5": 2.5, "16384.0": 16384, "1.0E7": 1e7, "1.2345678E7": 12345678,
		"9999999.0": 9999999, "0.001": 0.001, "9.99E-4": 0.000999, "1.7976931348623157E308": math.MaxFloat64,
		"NaN": math.NaN(), "+Inf": math.Inf(1), "-Inf": math.Inf(-1),
	} {
		if got := string(appendDouble(nil, v)); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func testServer() *Server {
	return New(Options{
		Instances: testInstances, Clients: testClients, Sessions: func() int { return 3 },
		Logger: slog.New(slog.DiscardHandler),
	})
}

func TestHTTP(t *testing.T) {
	ts := httptest.NewServer(testServer())
	defer ts.Close()
	defer ts.Client().CloseIdleConnections()
	get := func(path string) string {
		t.Helper()
		r, err := ts.Client().Get(ts.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		b, err := io.ReadAll(r.Body)
		if err != nil || r.StatusCode != http.StatusOK || r.Header.Get("Content-Type") != contentType {
			t.Errorf("%s: %s %s, %v", path, r.Status, r.Header.Get("Content-Type"), err)
		}
		return string(b)
	}
	for _, path := range []string{"/", "/metrics", "/any/thing"} {
		if page := get(path); !strings.Contains(page, `canal_instance{destination="example",mode="spring",} 1.0`) {
			t.Errorf("%s: %s", path, page)
		}
	}
	got := get("/metrics?name[]=towpath_client_connections&name[]=canal_instance_client_request_latency_sum")
	want := "# HELP canal_instance_client_request_latency Client request latency.\n# TYPE canal_instance_client_request_latency histogram\n" +
		"canal_instance_client_request_latency_sum{destination=\"example\",} 1234.5\n" +
		"# HELP towpath_client_connections Open connections of clients\n# TYPE towpath_client_connections gauge\ntowpath_client_connections 3.0\n"
	if got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestGzip(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	r.Header.Set("Accept-Encoding", "gzip, deflate")
	w := httptest.NewRecorder()
	testServer().ServeHTTP(w, r)
	z, err := gzip.NewReader(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	if page, err := io.ReadAll(z); err != nil || !strings.Contains(string(page), "canal_instance_store{") {
		t.Errorf("%v:\n%s", err, page)
	}
}

func TestRun(t *testing.T) {
	ln, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	port := ln.Addr().(*net.TCPAddr).Port
	for _, p := range []int{0, -1, port} { // off, off, taken
		New(Options{Port: p, Logger: slog.New(slog.DiscardHandler)}).Run(t.Context())
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		testServer().serve(ctx, ln)
	}()
	r, err := http.Get("http://" + ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	cancel()
	<-done
	http.DefaultClient.CloseIdleConnections()
}

func TestRuntime(t *testing.T) {
	const size, more = 64 << 20, 50
	block := make([]byte, size)
	end := make(chan struct{})
	defer close(end)
	for range more {
		go func() { <-end }()
	}
	got := make(map[string]float64)
	for _, f := range runtimeFamilies() {
		got[f.name] = f.samples[0].value
	}
	runtime.KeepAlive(block)
	if n := got["go_goroutines"]; n <= more || n > more+20 {
		t.Errorf("%v goroutines beside %d of this test", n-more, more)
	}
	alloc, inUse, sys := got["go_memstats_heap_alloc_bytes"], got["go_memstats_heap_inuse_bytes"], got["go_memstats_sys_bytes"]
	if alloc < size || inUse < alloc || sys < inUse || sys > 10*size {
		t.Errorf("%v bytes allocated, %v in use, %v of the system, with %d held", alloc, inUse, sys, size)
	}
}

func TestProcess(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("read from Linux's /proc")
	}
	got := make(map[string]float64)
	for _, f := range processFamilies() {
		got[f.name] = f.samples[0].value
	}
	for _, name := range []string{"process_open_fds", "process_max_fds", "process_virtual_memory_bytes", "process_resident_memory_bytes"} {
		if got[name] < 3 {
			t.Errorf("%s is %v", name, got[name])
		}
	}
	if start := time.Unix(int64(got["process_start_time_seconds"]), 0); time.Since(start) < -time.Minute || time.Since(start) > time.Hour {
		t.Errorf("started at %v", start)
	}
}
