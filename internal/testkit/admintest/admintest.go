// Package admintest is an admin web application for tests, as far as servers see
// it: the three calls by which they ask for their configuration, and on request the
// fourth of ours. A test sets what it says, and may have it not answer.
package admintest

import (
	"crypto/md5" // what the protocol compares texts by
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// User and Hash are what a server has to say: the hash is that of "admin".
const (
	User = "admin"
	Hash = "4ACFE3202A5FF5CF467898FC58AAB1D615029441"
)

// Admin answers as Canal's does. Its methods may be called from anywhere.
type Admin struct {
	http *httptest.Server

	mu        sync.Mutex
	down      bool
	unknown   bool
	summaries bool
	refusal   string
	server    string
	instances map[string]string
	requests  []string
}

// Start starts an admin that has no configuration yet. It ends with the test.
func Start(t testing.TB) *Admin {
	a := newAdmin(t)
	a.http.Start()
	return a
}

// StartTLS is Start with HTTPS. authorities is a PEM file with whom to trust.
func StartTLS(t testing.TB) (a *Admin, authorities string) {
	a = newAdmin(t)
	a.http.Config.ErrorLog = log.New(io.Discard, "", 0) // of servers that do not trust it
	a.http.StartTLS()
	authorities = filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.http.Certificate().Raw})
	if err := os.WriteFile(authorities, text, 0o644); err != nil {
		t.Fatal(err)
	}
	return a, authorities
}

func newAdmin(t testing.TB) *Admin {
	a := &Admin{instances: make(map[string]string)}
	a.http = httptest.NewUnstartedServer(a)
	t.Cleanup(a.http.Close)
	return a
}

// Addr is for canal.admin.manager: host:port, or with HTTPS a URL.
func (a *Admin) Addr() string { return strings.TrimPrefix(a.http.URL, "http://") }

// Server sets the canal.properties.
func (a *Admin) Server(lines ...string) {
	a.set(func() { a.server = strings.Join(lines, "\n") + "\n" })
}

// Instance sets the text of an instance, which is listed from then on.
func (a *Admin) Instance(destination string, lines ...string) {
	a.set(func() { a.instances[destination] = strings.Join(lines, "\n") + "\n" })
}

// Remove takes an instance off the list.
func (a *Admin) Remove(destination string) { a.set(func() { delete(a.instances, destination) }) }

// Down makes the admin cut connections instead of answering, until it is up again.
func (a *Admin) Down(down bool) { a.set(func() { a.down = down }) }

// Refuse makes the admin refuse every request with a message; "" ends that.
func (a *Admin) Refuse(message string) { a.set(func() { a.refusal = message }) }

// Unknown makes the admin forget the server, as when its row is deleted.
func (a *Admin) Unknown(unknown bool) { a.set(func() { a.unknown = unknown }) }

// Summaries makes the admin one of ours, which answers for all texts at once; else it
// is Canal's, which does not know that question.
func (a *Admin) Summaries(yes bool) { a.set(func() { a.summaries = yes }) }

// Requests are the requests that have come, path and query.
func (a *Admin) Requests() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.requests)
}

func (a *Admin) set(f func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	f()
}

// ServeHTTP answers a server.
func (a *Admin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.requests = append(a.requests, r.URL.RequestURI())
	if a.down {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Type", "application/json")
	answer := a.answer(r)
	_ = json.NewEncoder(w).Encode(answer) // the server may have gone
}

// answer is the envelope for a request.
func (a *Admin) answer(r *http.Request) map[string]any {
	refuse := func(message string) map[string]any {
		return map[string]any{"code": 50000, "message": message, "data": nil}
	}
	give := func(data any) map[string]any {
		return map[string]any{"code": 20000, "message": nil, "data": data}
	}
	query := r.URL.Query()
	path, ok := strings.CutPrefix(r.URL.Path, "/api/v1/config/")
	name, one := strings.CutPrefix(path, "instance_polling/")
	switch {
	case a.refusal != "":
		return refuse(a.refusal)
	case r.Header.Get("user") != User || r.Header.Get("passwd") != Hash:
		return refuse("auth :" + r.Header.Get("user") + " is failed")
	case !ok, path == "towpath_polling" && !a.summaries:
		return map[string]any{"code": 50014, "message": "Expired token", "data": nil}
	case one:
		text, listed := a.instances[name]
		if !listed {
			return give(nil)
		}
		if sum(text) == query.Get("md5") {
			return give(map[string]any{"name": name, "content": nil, "status": "1"})
		}
		return give(map[string]any{"name": name, "content": text, "status": "1"})
	case a.unknown:
		return give(nil)
	case path == "instances_polling":
		names := make([]string, 0, len(a.instances))
		for n := range a.instances {
			names = append(names, n)
		}
		slices.Sort(names)
		return give(map[string]any{"content": strings.Join(names, ",")})
	case a.server == "":
		return refuse("canal.properties config is empty")
	case path == "towpath_polling":
		return give(a.summary(query.Get("known")))
	case sum(a.server) == query.Get("md5"):
		return give(nil)
	}
	return give(map[string]any{"name": "canal.properties", "content": a.server})
}

// summary is what there is to know of all texts. Its version is one of the list.
func (a *Admin) summary(known string) map[string]any {
	list := []map[string]string{}
	for _, n := range slices.Sorted(maps.Keys(a.instances)) {
		list = append(list, map[string]string{"name": n, "md5": sum(a.instances[n])})
	}
	version := sum(fmt.Sprint(list))
	if version == known {
		list = nil
	}
	return map[string]any{"version": version, "server": sum(a.server), "instances": list}
}

func sum(text string) string {
	s := md5.Sum([]byte(text))
	return hex.EncodeToString(s[:])
}
