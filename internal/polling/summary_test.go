package polling

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/internal/testkit/admintest"
)

// With an admin of ours a round in which nothing has changed is one question, and
// one in which a text has is two.
func TestSummarySparesQuestions(t *testing.T) {
	s := newStory(t)
	s.admin.Summaries(true)
	s.admin.Server("v1")
	for _, d := range []string{"a", "b", "c"} {
		s.admin.Instance(d, "1")
	}
	s.begin()
	s.expect("use v1 with a=1\n b=1\n c=1\n")
	servers, texts := s.asked("server_polling"), s.asked("instance_polling")
	s.polls(5)
	if n := s.asked("server_polling"); n != servers {
		t.Errorf("%d questions for the server's text", n-servers)
	}
	if n := s.asked("instance_polling"); n != texts || n != 3 {
		t.Errorf("%d and %d questions for texts, want 3", texts, n)
	}
	s.admin.Instance("b", "2")
	s.expect("reload b")
	if n := s.asked("instance_polling"); n != texts+1 {
		t.Errorf("%d questions for one text", n-texts)
	}
	if n := s.asked("instances_polling"); n != 0 {
		t.Errorf("%d questions for the list", n)
	}
}

// An admin that is Canal's is asked for a summary once in a while only.
func TestSummaryOfCanal(t *testing.T) {
	now := time.Now()
	for name, answer := range map[string]func(w http.ResponseWriter){
		"log in":    func(w http.ResponseWriter) { w.Write([]byte(`{"code":50014,"message":"Expired token","data":null}`)) },
		"not found": func(w http.ResponseWriter) { w.WriteHeader(http.StatusNotFound) },
		"a page":    func(w http.ResponseWriter) { w.Write([]byte("<html>")) },
	} {
		t.Run(name, func(t *testing.T) {
			asked := 0
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				asked++
				answer(w)
			}))
			defer server.Close()
			c := NewClient(ClientOptions{Addresses: []string{server.URL}, Now: func() time.Time { return now }})
			defer c.Close()
			for range 3 {
				if got := c.Summary(t.Context()); got != nil {
					t.Errorf("summary %+v", got)
				}
			}
			now = now.Add(canalTime)
			c.Summary(t.Context())
			if asked != 2 {
				t.Errorf("asked %d times, want 2", asked)
			}
		})
	}
}

// What goes wrong for a while is no reason to take an admin for Canal's.
func TestSummaryAskedAgain(t *testing.T) {
	for name, body := range map[string]string{
		"refused":       `{"code":50000,"message":"canal.properties config is empty","data":null}`,
		"starting":      "",
		"other version": `{"code":20000,"message":null,"data":{"version":"2","server":"x","instances":null}}`,
	} {
		t.Run(name, func(t *testing.T) {
			asked := 0
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if asked++; body == "" {
					w.WriteHeader(http.StatusServiceUnavailable)
				}
				w.Write([]byte(body))
			}))
			defer server.Close()
			c := clientFor(t, server.URL, nil)
			for range 3 {
				if got := c.Summary(t.Context()); got != nil {
					t.Errorf("summary %+v", got)
				}
			}
			if asked != 3 {
				t.Errorf("asked %d times, want 3", asked)
			}
		})
	}
}

func TestSummary(t *testing.T) {
	a := admintest.Start(t)
	a.Summaries(true)
	a.Server("v1")
	a.Instance("a", "1")
	c := clientFor(t, "http://"+a.Addr(), nil)
	server, _, err := c.Server(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	one, _, err := c.Instance(t.Context(), "a", "")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second answer leaves out what is known
		s := c.Summary(t.Context())
		if s == nil {
			t.Fatal("no summary")
		}
		names, ok := s.Instances()
		if !ok || strings.Join(names, ",") != "a" || !s.SameServer(server.MD5) || s.SameServer("x") ||
			!s.SameInstance("a", one.MD5) || s.SameInstance("a", "x") || s.SameInstance("a", "") || s.SameInstance("b", "") {
			t.Errorf("summary %+v", s)
		}
	}
	a.Unknown(true)
	s := c.Summary(t.Context())
	if s == nil {
		t.Fatal("no summary of an unknown server")
	}
	if names, ok := s.Instances(); ok || names != nil || !s.SameServer(server.MD5) {
		t.Errorf("of an unknown server: %+v", s)
	}
	a.Unknown(false)
	a.Remove("a")
	if names, ok := c.Summary(t.Context()).Instances(); !ok || len(names) != 0 {
		t.Errorf("without instances: %q, %v", names, ok)
	}
}
