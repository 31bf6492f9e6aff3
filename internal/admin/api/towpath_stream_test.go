package api

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/internal/admin/identity"
	"github.com/towpath-cdc/towpath/internal/control"
)

// events reads a stream until it ends.
func events(t *testing.T, ctx context.Context, base, token, topics string) (<-chan [2]string, *http.Response) {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, "GET", base+"/api/v1/towpath/stream?topics="+url.QueryEscape(topics), nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Token", token)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	out := make(chan [2]string, 1000)
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer close(out)
		lines := bufio.NewReader(resp.Body)
		name := ""
		for {
			line, err := lines.ReadString('\n')
			if err != nil {
				return
			}
			if rest, ok := strings.CutPrefix(line, "event: "); ok {
				name = strings.TrimSpace(rest)
			}
			if rest, ok := strings.CutPrefix(line, "data: "); ok {
				out <- [2]string{name, rest}
			}
		}
	}()
	t.Cleanup(func() { resp.Body.Close(); <-done; http.DefaultClient.CloseIdleConnections() })
	return out, resp
}

// await reads events until all topics have come, and gives the last of each.
func await(t *testing.T, from <-chan [2]string, topics ...string) map[string]string {
	t.Helper()
	got := map[string]string{}
	timeout := time.After(20 * time.Second)
	for {
		missing := false
		for _, topic := range topics {
			missing = missing || got[topic] == ""
		}
		if !missing {
			return got
		}
		select {
		case e, ok := <-from:
			if !ok {
				t.Fatalf("the stream ended with %v", got)
			}
			got[e[0]] = e[1]
		case <-timeout:
			t.Fatalf("only %v came", got)
		}
	}
}

func shortHeartbeat(t *testing.T) {
	old := heartbeatPeriod
	heartbeatPeriod = 100 * time.Millisecond
	t.Cleanup(func() { heartbeatPeriod = old })
}

func TestStream(t *testing.T) {
	shortHeartbeat(t)
	w := newFleetWorld(t)
	server := reporting(control.ServerReport{Running: true, Instances: []control.InstanceReport{runs("a", 3)}})
	server.logs = t.TempDir()
	writeLog(t, server.logs, "a/a.log", 5)
	s := w.addServer(t, "s1", 0, server)
	id := w.addInstance(t, "a", 0, s, "x = 1\n")
	w.settle(t)
	front := httptest.NewServer(w.Handler())
	t.Cleanup(front.Close)
	instance, log := fmt.Sprintf("instance:%d", id), fmt.Sprintf("log:instances:%d:0:", id)
	stream, resp := events(t, t.Context(), front.URL, "viewer", "dashboard,instances,servers,dashboard,"+instance+","+log)
	if resp.Header.Get("Content-Type") != "text/event-stream" || resp.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("headers: %v", resp.Header)
	}
	got := await(t, stream, "dashboard", "instances", "servers", instance, log)
	var all []InstanceSummary
	if err := json.Unmarshal([]byte(got["instances"]), &all); err != nil || len(all) != 1 || all[0].State != "running" {
		t.Errorf("instances: %s, %v", got["instances"], err)
	}
	var d InstanceDetail
	if err := json.Unmarshal([]byte(got[instance]), &d); err != nil || d.LagMs != 3 {
		t.Errorf("instance: %s, %v", got[instance], err)
	}
	var begin control.LogPage
	if err := json.Unmarshal([]byte(got[log]), &begin); err != nil || len(begin.Lines) != 0 || begin.Next == 0 || begin.Next != begin.Size {
		t.Errorf("where the log is followed from: %s, %v", got[log], err)
	}
	// What is appended to a log after its end was first looked at comes, and only
	// that.
	page := appendUntilSent(t, filepath.Join(server.logs, "a", "a.log"), stream, log)
	for _, line := range page.Lines {
		if !strings.Contains(line.Text, "appended") {
			t.Errorf("log: %+v", page)
		}
	}
	if page.First != begin.Next {
		t.Errorf("the log goes on at %d, behind %d", page.First, begin.Next)
	}
	// With the session the stream ends.
	if err := w.identity.Logout(t.Context(), "viewer"); err != nil {
		t.Fatal(err)
	}
	timeout := time.After(20 * time.Second)
	for {
		select {
		case _, open := <-stream:
			if !open {
				return
			}
		case <-timeout:
			t.Fatal("the stream goes on after the log-out")
		}
	}
}

// TestStreamSendsChanges: instances that have not changed are not sent again.
func TestStreamSendsChanges(t *testing.T) {
	w := newFleetWorld(t)
	server := w.addServer(t, "s1", 0, reporting(control.ServerReport{Running: true, Instances: []control.InstanceReport{runs("a", 3)}}))
	for _, name := range []string{"a", "b"} {
		w.addInstance(t, name, 0, server, "x = 1\n")
	}
	w.settle(t)
	next := w.instancesTopic()
	first, err := next(t.Context())
	if err != nil || len(first.([]InstanceSummary)) != 2 {
		t.Fatalf("first: %v, %v", first, err)
	}
	if second, err := next(t.Context()); second != nil || err != nil {
		t.Errorf("second: %v, %v", second, err)
	}
	w.addInstance(t, "c", 0, server, "x = 1\n")
	for end := time.Now().Add(10 * time.Second); ; {
		third, err := next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if third != nil {
			if changed := third.([]InstanceSummary); len(changed) != 1 || changed[0].Name != "c" {
				t.Errorf("third: %+v", changed)
			}
			return
		}
		if time.Now().After(end) {
			t.Fatal("the new one was not sent")
		}
	}
}

func TestStreamBounds(t *testing.T) {
	w := newFleetWorld(t)
	for _, topics := range []string{"", "weather", "instance:x", "instance:", "log:a", "log:users:1:0:f", "log:servers:x:0:f", "a\nb", strings.Repeat("x", maxTopic+1), strings.Repeat("servers,", maxTopics+1)} {
		w.refusedWith(t, reasonInvalid, identity.RoleViewer, "GET", "/towpath/stream?topics="+url.QueryEscape(topics), nil)
	}
	front := httptest.NewServer(w.Handler())
	t.Cleanup(front.Close)
	ctx, cancel := context.WithCancel(t.Context())
	for range maxSessionStreams {
		stream, _ := events(t, ctx, front.URL, "viewer", "servers")
		await(t, stream, "servers")
	}
	w.refusedWith(t, reasonUnavailable, identity.RoleViewer, "GET", "/towpath/stream?topics=servers", nil)
	stream, _ := events(t, t.Context(), front.URL, "operator", "servers")
	await(t, stream, "servers")
	cancel()
	for end := time.Now().Add(10 * time.Second); ; {
		stream, resp := events(t, t.Context(), front.URL, "viewer", "servers")
		if resp.Header.Get("Content-Type") == "text/event-stream" {
			await(t, stream, "servers")
			return
		}
		if time.Now().After(end) {
			t.Fatal("the places of streams that have ended are not free")
		}
	}
}

// appendUntilSent appends lines to a log until its topic tells of one.
func appendUntilSent(t *testing.T, path string, stream <-chan [2]string, topic string) (page control.LogPage) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	timeout := time.After(20 * time.Second)
	for {
		select {
		case <-tick.C:
			fmt.Fprintln(f, "2026-01-02 03:04:06.000 [main] WARN  c.a.o.X - appended")
		case e := <-stream:
			if e[0] != topic {
				continue
			}
			if err := json.Unmarshal([]byte(e[1]), &page); err != nil || len(page.Lines) == 0 {
				t.Fatalf("log: %s, %v", e[1], err)
			}
			return page
		case <-timeout:
			t.Fatal("nothing of the log came")
		}
	}
}
