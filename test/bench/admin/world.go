package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/towpath-cdc/towpath/internal/admin/database"
	"github.com/towpath-cdc/towpath/protocol"
	"github.com/towpath-cdc/towpath/test/bench/process"
	"github.com/towpath-cdc/towpath/test/servers"
)

// What servers and admin share.
const (
	user     = "admin"
	password = "bench"
)

// hashText is what servers send of the password.
var hashText = fmt.Sprintf("%x", protocol.HashPassword([]byte(password)))

// world is an admin that runs, with its database filled, and the servers that it has.
type world struct {
	url, token string
	process    process.ID
	nodes      []*node
	http       *http.Client
	stop       func() error
}

// layout is how instances and servers belong together.
type layout struct {
	clusters, servers, instances, dead int
}

func (l layout) String() string {
	return fmt.Sprintf("%d clusters of %d servers, %d instances", l.clusters, l.servers/l.clusters, l.instances)
}

// fill stores a layout, and makes its servers. Those that are dead are spread over
// the clusters; every other of them takes connections and says nothing.
func fill(ctx context.Context, dir string, o database.Options, l layout) ([]*node, error) {
	db, err := database.Open(ctx, o)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	var nodes []*node
	by, running := database.Actor{Username: "bench"}, "1"
	for c := range l.clusters {
		id, err := db.InsertCluster(ctx, by, database.Cluster{Name: fmt.Sprintf("cluster%d", c)})
		if err != nil {
			return nil, err
		}
		if _, err := db.SaveConfig(ctx, by, database.Config{ClusterID: &id, Name: "canal.properties", Content: strings.Repeat("# main\n", 1000)}, database.SaveOptions{}); err != nil {
			return nil, err
		}
		var listed []string
		for i := c; i < l.instances; i += l.clusters {
			name := fmt.Sprintf("instance-%04d", i)
			listed = append(listed, name)
			row := database.Instance{ClusterID: &id, Name: name, Status: &running, Content: text(i, 0)}
			if _, err := db.InsertInstance(ctx, by, row); err != nil {
				return nil, err
			}
		}
		for s := c; s < l.servers; s += l.clusters {
			home := filepath.Join(dir, fmt.Sprintf("server%d", s))
			if err := os.MkdirAll(home, 0o755); err != nil {
				return nil, err
			}
			n, err := newNode(home, s >= l.dead, s%2 == 0)
			if err != nil {
				return nil, err
			}
			n.listed, n.runs = listed, make(map[string]bool)
			nodes = append(nodes, n)
			row := database.Server{ClusterID: &id, Name: fmt.Sprintf("server%d", s), IP: "127.0.0.1", AdminPort: &n.port}
			if _, err := db.InsertServer(ctx, by, row, ""); err != nil {
				return nil, err
			}
		}
		share(nodes[len(nodes)-l.servers/l.clusters:], listed)
	}
	return nodes, nil
}

// share has each instance run on one of the servers that live.
func share(nodes []*node, listed []string) {
	var alive []*node
	for _, n := range nodes {
		if n.alive {
			alive = append(alive, n)
		}
	}
	for i, d := range listed {
		alive[i%len(alive)].runs[d] = true
	}
}

// text is an instance.properties of usual size.
func text(i, version int) string {
	return fmt.Sprintf("canal.instance.master.address = 10.1.2.%d:3306\n# %d\n", i%250, version) + strings.Repeat("canal.instance.filter.regex = .*\\\\..*\n", 50)
}

// begin fills a database and starts an admin with it.
func begin(ctx context.Context, program, dir string, l layout) (*world, error) {
	data := filepath.Join(dir, "data", "admin.db")
	nodes, err := fill(ctx, dir, database.Options{Driver: database.SQLite, Path: data}, l)
	if err != nil {
		return nil, fmt.Errorf("fill the database: %w", err)
	}
	port, err := servers.FreePort()
	if err != nil {
		return nil, err
	}
	at := fmt.Sprintf("127.0.0.1:%d", port)
	w := &world{url: "http://" + at, nodes: nodes, http: &http.Client{Timeout: time.Minute}}
	cmd := exec.Command(program, "admin", "--home", dir, "--listen", at, "-D", "canal.adminUser="+user, "-D", "canal.adminPasswd="+password,
		"-D", "towpath.firstPassword=bench-password", "-D", "towpath.database=sqlite", "-D", "towpath.database.path="+data)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := servers.StartProcess(cmd); err != nil {
		return nil, err
	}
	w.process = process.ID(cmd.Process.Pid)
	w.stop = func() error {
		return errors.Join(cmd.Process.Signal(syscall.SIGTERM), cmd.Wait())
	}
	for deadline := time.Now().Add(30 * time.Second); ; {
		if err = w.login(ctx); err == nil {
			return w, nil
		}
		if time.Now().After(deadline) || !sleep(ctx, 100*time.Millisecond) {
			return nil, errors.Join(err, w.stop(), errors.New(out.String()))
		}
	}
}

func (w *world) login(ctx context.Context) error {
	var data struct{ Token string }
	err := w.call(ctx, http.MethodPost, "/user/login", map[string]string{"username": "admin", "password": "bench-password"}, &data)
	w.token = data.Token
	return err
}

// call makes one of the admin's calls.
func (w *world) call(ctx context.Context, method, path string, body, data any) error {
	var sent io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return err
		}
		sent = bytes.NewReader(b)
	}
	r, err := http.NewRequestWithContext(ctx, method, w.url+"/api/v1"+path, sent)
	if err != nil {
		return err
	}
	r.Header.Set("X-Token", w.token)
	r.Header.Set("Content-Type", "application/json")
	resp, err := w.http.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer := struct {
		Code    int
		Message string
		Data    any
	}{Data: data}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return fmt.Errorf("%s: %s: %w", path, resp.Status, err)
	}
	if answer.Code != 20000 {
		return fmt.Errorf("%s: %d %s", path, answer.Code, answer.Message)
	}
	return nil
}

// watch keeps a page open: it reads a stream until ctx ends, and counts events.
func (w *world) watch(ctx context.Context, events *int) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, w.url+"/api/v1/towpath/stream?topics=dashboard,instances", nil)
	if err != nil {
		return err
	}
	r.Header.Set("X-Token", w.token)
	resp, err := (&http.Client{}).Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	lines := bufio.NewReader(resp.Body)
	for {
		line, err := lines.ReadSlice('\n')
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, bufio.ErrBufferFull): // the rest of a long one follows
		case err != nil:
			return fmt.Errorf("the stream ends: %w", err)
		}
		if bytes.HasPrefix(line, []byte("event: ")) {
			*events++
		}
	}
}
